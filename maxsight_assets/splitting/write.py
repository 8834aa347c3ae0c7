"""Write the splits as files: COCO JSON, ledger, attribution and report.

Equal inputs give equal bytes, whatever the order of their rows: no file holds a time, a path of this machine or the
order of a hash table.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import version
from io import BufferedWriter
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
import polars as pl

from maxsight_assets.formats.licences import licence_numbers, licence_records
from maxsight_assets.labels.assistive import derive
from maxsight_assets.splitting.audio import Pairing
from maxsight_assets.splitting.build import Splits
from maxsight_assets.splitting.config import SPLITS
from maxsight_assets.splitting.order import in_order
from maxsight_assets.splitting.report import class_weights, report_of

LEDGER_FILE = "ledger.parquet"
"""The records that cleaning or splitting dropped or repaired: the table `formats.tables.LEDGER`."""

GROUPS_FILE = "groups.parquet"
"""Which images were found to show the same picture, and how: the table `images.groups.EDGES`."""

UNKNOWN_LIGHTING = "normal"
"""MaxSight's word for the lighting of an image if it is not known. No publisher states the lighting."""

_CHUNK = 200_000  # annotations encoded at a time: some hundred megabytes of text


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
    orientation: int = 1  # of the file by EXIF; boxes lie on the picture as stored, which 1 leaves as it is
    rotation: int = 0  # degrees counter-clockwise by which the publisher says picture and boxes are to be turned
    audio_path: str | None = None  # relative to AUDIO_DIR


def split_path(directory: Path, split: str) -> Path:
    """Return the path of the COCO file of a split."""
    return directory / f"maxsight_{split}.json"


def write_splits(
    splits: Splits,
    directory: Path,
    *,
    inputs: Mapping[str, str],
    audio: Pairing | None = None,
    lists: bool = False,
    lacking: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Write all files of the splits into a directory.

    Args:
        splits: The result of `build_splits`.
        directory: An existing directory.
        inputs: Data version of each asset that was read, by asset; recorded in every file's `info` and in the report.
        audio: The audio files of the images, if AUDIO_DIR is set.
        lists: Whether to write the detector's list format too.
        lacking: Why a dataset is not in the splits, by its name; the report states it.

    Returns:
        The report, as in `report.json`.
    """
    licences = licence_numbers(splits.images["license"])
    info = {
        "contributor": "MaxSight",
        "version": version("maxsight-assets"),
        "inputs": dict(sorted(inputs.items())),
        "seed": splits.config.seed,
        "config": splits.config.model_dump(mode="json"),
        "cleaning": splits.cleaning.model_dump(mode="json"),
    }

    def coco(split: str) -> None:
        images, boxes = (table.filter(pl.col("subset") == split) for table in (splits.images, splits.boxes))
        head = {
            "info": {"description": f"MaxSight {split} split", **info},
            "licenses": licence_records(licences),
            "images": list(_images(images, licences, audio)),
        }
        boxes = in_order(boxes, images, splits.config.order_boxes)
        _write_document(split_path(directory, split), head, boxes, splits.labels)
        if lists:
            _write_list(directory / f"detector_list_{split}.json", images, boxes, splits.labels, audio)

    def tables() -> None:
        splits.edges.write_parquet(directory / GROUPS_FILE)
        splits.ledger.write_parquet(directory / LEDGER_FILE)
        columns = {"path": "path", "licence": "license", "author": "author", "title": "title", "page": "page"}
        splits.images.sort("path").select(**columns).write_csv(directory / "ATTRIBUTION.csv")
        _write_json(directory / "class_weights.json", class_weights(splits))

    works: list[Callable[[], Any]] = [*(partial(coco, split) for split in SPLITS), tables, partial(report_of, splits)]
    # The slow parts release the GIL. Train takes longest, so it is submitted first and one thread runs per processor.
    with ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="write") as pool:
        *_, counted = [work.result() for work in [pool.submit(work) for work in works]]
    report = {**counted, "inputs": info["inputs"], "lacking": dict(sorted(lacking.items())), **_of_audio(audio)}
    _write_json(directory / "report.json", report)
    return report


def _of_audio(audio: Pairing | None) -> dict[str, Any]:
    if audio is None:
        return {}
    told = {name: getattr(audio, name) for name in ("unpaired_images", "unpaired_files", "unreadable")}
    return {"audio": {"paired": len(audio.paths), **told}}


def _images(images: pl.DataFrame, licences: Mapping[str, int], audio: Pairing | None) -> Iterator[_Image]:
    columns = ("id", "path", "width", "height", "license", "source", "image_id", "page", "flickr_id")
    turned = (pl.col("orientation").fill_null(1), pl.col("rotation").fill_null(0))
    heard = audio.paths if audio else {}
    for number, path, width, height, licence, source, image_id, *rest in images.select(*columns, *turned).iter_rows():
        told = (source, image_id, *rest, heard.get((source, image_id)))
        yield _Image(number, path, width, height, licences[licence or ""], *told)


def _write_document(path: Path, head: Mapping[str, object], boxes: pl.DataFrame, labels: tuple[str, ...]) -> None:
    """Write a COCO file as compact JSON, a chunk of annotations at a time."""
    encode = msgspec.json.encode
    categories = [{"id": number, "name": name} for number, name in enumerate(labels, start=1)]
    with path.open("wb") as file:
        file.write(encode(head)[:-1] + b',"annotations":[')
        _write_annotations(file, boxes, labels)
        file.write(b'],"categories":' + encode(categories) + b"}\n")


class _Writer:
    """A file that only offers `write` to Polars.

    With a real file, Polars would close a copy of its descriptor after each table. On drives that upload a file when it
    is closed, that would end the writing.
    """

    def __init__(self, file: BufferedWriter) -> None:
        self.write = file.write


def _write_annotations(file: BufferedWriter, boxes: pl.DataFrame, labels: tuple[str, ...]) -> None:
    """Write the records of `annotations`; masks are copied as text, unchanged.

    Polars writes them fast as the rows of a CSV file with two columns and a colon as separator.
    """
    numbers = {name: number for number, name in enumerate(labels, start=1)}
    box_id = pl.struct(_="box_id").struct.json_encode().str.strip_prefix('{"_":').str.strip_suffix("}")
    record = {
        '{"id":': pl.col("id"),
        ',"image_id":': pl.col("image"),
        ',"category_id":': pl.col("label").replace_strict(numbers, return_dtype=pl.Int32),
        ',"bbox":[': pl.col("x"),
        ",": pl.concat_str("y", "w", "h", separator=","),
        '],"area":': pl.coalesce("area", pl.col("w") * pl.col("h")),
        ',"iscrowd":': pl.col("crowd").fill_null(value=False).cast(pl.Int8),
        ',"source_id":': box_id,
    }
    parts = list(chain.from_iterable((pl.lit(text), value) for text, value in record.items()))
    for number, chunk in enumerate(boxes.iter_slices(_CHUNK)):
        comma = pl.when(pl.int_range(pl.len()) + number > 0).then(pl.lit(",")).otherwise(pl.lit(""))
        texts = chunk.select(
            pl.concat_str(comma, *parts, pl.lit(',"segmentation"')), pl.coalesce("segmentation", pl.lit("[]"))
        )
        texts.write_csv(  # type: ignore[call-overload]  # Polars only calls `write`
            _Writer(file), include_header=False, separator=":", line_terminator="}", quote_style="never"
        )


def _write_list(
    path: Path, images: pl.DataFrame, boxes: pl.DataFrame, labels: tuple[str, ...], audio: Pairing | None
) -> None:
    """Write the detector's list format: normalised cxcywh boxes, with fields that MaxSight does not derive."""
    numbers = {name: number for number, name in enumerate(labels)}
    derived = derive(boxes, images).with_columns(
        number=pl.col("label").replace_strict(numbers, return_dtype=pl.Int32),
        box=pl.concat_list("cx", "cy", "cw", "ch"),
    )
    thing = pl.struct("box", pl.col("number").alias("class"), pl.col("label").alias("category"), "distance", "urgency")
    objects = derived.group_by("image", maintain_order=True).agg(objects=thing, urgency=pl.col("urgency").max())
    rows = images.join(objects, left_on="id", right_on="image", how="left", maintain_order="left")
    records = rows.select(
        image_id="id",
        image_path="path",
        objects=pl.col("objects").fill_null([]),
        urgency=pl.col("urgency").fill_null(0),
        lighting=pl.lit(UNKNOWN_LIGHTING),
        audio_path=_heard(images, audio),
    )
    path.write_bytes(msgspec.json.encode(records.to_dicts()) + b"\n")


def _heard(images: pl.DataFrame, audio: Pairing | None) -> pl.Series:
    """Return the audio file of each image, relative to AUDIO_DIR; null if it has none."""
    paths = audio.paths if audio else {}
    keys = images.select("source", "image_id").iter_rows()
    return pl.Series([paths.get((source, image_id)) for source, image_id in keys], dtype=pl.String)


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    text = msgspec.json.format(msgspec.json.encode(value, order="deterministic"), indent=2)
    path.write_bytes(text + b"\n")
