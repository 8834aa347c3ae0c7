"""Summarise a published raw dataset in a few numbers and a picture."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from maxsight_assets.datasets.sampling import take
from maxsight_assets.datasets.source import Source
from maxsight_assets.formats.tables import Tables
from maxsight_assets.images.preview import Item, contact_sheet
from maxsight_assets.publishing.manifest import Manifest

SHEET_IMAGES = 12

SHEET_CELL, SHEET_BYTES = 128, 20_000
"""Side of one of them in pixels, and size of the whole sheet, which Dagster stores three times a run, changed or not.

`maxsight-assets show` draws larger ones.
"""

SIZES = (("up to 10 px", 10.0), ("up to 32 px", 32.0), ("up to 96 px", 96.0), ("larger", float("inf")))
"""Classes of box sizes by the root of the area: 32 and 96 are COCO's own, 10 is the size of a distant door handle."""


@dataclass(frozen=True, slots=True)
class Overview:
    """The content of a raw dataset.

    Attributes:
        splits: Numbers of images and boxes by the publisher's split.
        classes: Numbers of boxes by the publisher's class, most frequent first.
        sizes: Numbers of boxes by size class, see `SIZES`.
        licences: Numbers of images by licence address.
        sheet: A JPEG that shows some images with their boxes; equal datasets show equal images.
    """

    splits: Mapping[str, tuple[int, int]]
    classes: Mapping[str, int]
    sizes: Mapping[str, int]
    licences: Mapping[str, int]
    sheet: bytes


def overview(source: Source, root: Path, manifest: Manifest, *, cache: Path | None = None) -> Overview:
    """Summarise the published directory of a dataset.

    Args:
        source: The dataset.
        root: Its published directory.
        manifest: Manifest of that directory.
        cache: Parquet file of facts of images by content; tables that were parsed before are kept beside it.
    """
    tables = source.read(root, manifest, cache=cache)
    images, boxes = tables.images, tables.boxes
    of_split = {split: images.filter(pl.col("split") == split).height for split in images["split"].unique().sort()}
    sides = (boxes["w"] * boxes["h"]).sqrt()
    limits = [0.0, *(limit for _, limit in SIZES)]
    return Overview(
        splits={split: (count, boxes.filter(pl.col("split") == split).height) for split, count in of_split.items()},
        classes=_counts(boxes["label"], "unknown class"),
        sizes={
            name: int(((sides > low) & (sides <= high)).sum()) for (name, high), low in zip(SIZES, limits, strict=False)
        },
        licences=_counts(images["license"], "not stated"),
        sheet=contact_sheet(_items(tables, root, manifest), cell=SHEET_CELL, max_bytes=SHEET_BYTES),
    )


def _counts(values: pl.Series, unknown: str) -> dict[str, int]:
    table = values.fill_null(unknown).alias("value").value_counts().sort(["count", "value"], descending=[True, False])
    return dict(table.iter_rows())


def _items(tables: Tables, root: Path, manifest: Manifest) -> list[Item]:
    """Return some landed images, chosen by their ids alone, with their boxes."""
    landed = pl.DataFrame(manifest.rows.selected().table.select(["path"]))
    paths = landed.select(pl.format("{}/{}", pl.lit(root.name), "path")).to_series()
    images = tables.images.filter(pl.col("path").is_in(paths.implode()))
    chosen = take(images["image_id"], SHEET_IMAGES, seed=0)
    shown = images.filter(pl.col("image_id").is_in(list(chosen))).sort("image_id")
    items: list[Item] = []
    for image_id, path in shown.select("image_id", "path").iter_rows():
        mine = tables.boxes.filter((pl.col("image_id") == image_id) & pl.col("x").is_not_null())
        labels = mine["label"].fill_null("?").to_list()
        items.append((root.parent / path, mine.select("x", "y", "w", "h").to_numpy(), labels))
    return items
