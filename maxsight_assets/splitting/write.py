"""Writes the splits as files: COCO JSON, ledger, attribution and report.

Equal inputs give equal bytes, whatever the order of their rows: nothing written holds a time, a path of this machine or
an order that a hash table chose.
"""

import re
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from maxsight_assets.formats.coco import write_document
from maxsight_assets.splitting.build import Splits
from maxsight_assets.splitting.config import SPLITS
from maxsight_assets.splitting.report import class_weights, report_of

_CHUNK = 50_000  # annotations turned into text at a time, which bounds the memory that this takes

_CREATIVE_COMMONS = re.compile(r"creativecommons\.org/licenses/([a-z-]+)/(\d\.\d)")


class _Image(msgspec.Struct, omit_defaults=True):
    """One record of `images`."""

    id: int
    file_name: str  # relative to DATA_DIR
    width: int
    height: int
    license: int
    source: str
    source_id: str
    page: str | None = None
    flickr_id: str | None = None


def split_path(directory: Path, split: str) -> Path:
    """The COCO file of a split."""
    return directory / f"maxsight_{split}.json"


def write_splits(splits: Splits, directory: Path, *, inputs: Mapping[str, str]) -> dict[str, Any]:
    """Write all files of the splits into a directory.

    Args:
        splits: What `build_splits` gave.
        directory: An existing directory.
        inputs: Data version of each asset that was read, by asset; recorded in every file's `info` and in the report.

    Returns:
        The report, as in `report.json`.
    """
    licences = {url: number for number, url in enumerate(_licences(splits), start=1)}
    info = {
        "contributor": "MaxSight",
        "version": version("maxsight-assets"),
        "inputs": dict(sorted(inputs.items())),
        "seed": splits.config.seed,
        "config": splits.config.model_dump(mode="json"),
        "cleaning": splits.cleaning.model_dump(mode="json"),
    }
    categories = [{"id": number, "name": name} for number, name in enumerate(splits.labels, start=1)]
    for split in SPLITS:
        write_document(
            split_path(directory, split),
            info={"description": f"MaxSight {split} split", **info},
            licenses=[{"id": number, "name": _licence_name(url), "url": url} for url, number in licences.items()],
            images=_images(splits.images.filter(pl.col("subset") == split), licences),
            annotations=_annotations(splits.boxes.filter(pl.col("subset") == split), splits.labels),
            categories=categories,
        )
    splits.ledger.write_parquet(directory / "ledger.parquet")
    splits.images.sort("path").select("path", licence="license", author="author", title="title", page="page").write_csv(
        directory / "ATTRIBUTION.csv"
    )
    report = {**report_of(splits), "inputs": info["inputs"]}
    _write_json(directory / "report.json", report)
    _write_json(directory / "class_weights.json", class_weights(splits))
    return report


def _licences(splits: Splits) -> list[str]:
    """Addresses of the licences of all splits; the empty one stands for unknown and comes last."""
    stated = splits.images["license"].fill_null("").unique().to_list()
    return sorted(stated, key=lambda url: (url == "", url))


def _licence_name(url: str) -> str:
    """A short name: "CC BY-NC 2.0" for Creative Commons, else the address."""
    found = _CREATIVE_COMMONS.search(url)
    return f"CC {found[1].upper()} {found[2]}" if found else url or "unknown"


def _images(images: pl.DataFrame, licences: Mapping[str, int]) -> Iterator[_Image]:
    columns = ("id", "path", "width", "height", "license", "source", "image_id", "page", "flickr_id")
    for number, path, width, height, licence, *rest in images.select(columns).iter_rows():
        yield _Image(number, path, width, height, licences[licence or ""], *rest)


def _annotations(boxes: pl.DataFrame, labels: tuple[str, ...]) -> Iterator[msgspec.Raw]:
    """Records of `annotations` as JSON text; masks are copied through as the text that they came as."""
    numbers = pl.DataFrame({"label": labels, "category_id": range(1, len(labels) + 1)})
    for start in range(0, boxes.height, _CHUNK):
        chunk = boxes.slice(start, _CHUNK).join(numbers, on="label", how="left", maintain_order="left")
        fields = pl.struct(
            "id",
            pl.col("image").alias("image_id"),
            "category_id",
            pl.concat_list("x", "y", "w", "h").alias("bbox"),
            pl.coalesce("area", pl.col("w") * pl.col("h")).alias("area"),
            pl.col("crowd").fill_null(value=False).cast(pl.Int8).alias("iscrowd"),
            pl.col("box_id").alias("source_id"),
        )
        masks = pl.coalesce("segmentation", pl.lit("[]"))
        text = pl.concat_str(
            fields.struct.json_encode().str.strip_suffix("}"), pl.lit(',"segmentation":'), masks, pl.lit("}")
        )
        yield from map(msgspec.Raw, chunk.select(text=text)["text"])


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    text = msgspec.json.format(msgspec.json.encode(value, order="deterministic"), indent=2)
    path.write_bytes(text + b"\n")
