"""Small tables for tests: sound records, of which a test spoils what it is about."""

import hashlib
from collections.abc import Sequence
from typing import Any

import polars as pl

from maxsight_assets.formats.masks import PLAIN_MASK, examine_mask
from maxsight_assets.formats.tables import BOXES, IMAGES, conform
from maxsight_assets.images.facts import FILE_FACTS, PHASH
from maxsight_assets_tests.images.pictures import prints

LABELS = {
    "coco": {"person": "person", "dog": "dog", "door": "door", "zebra": None},
    "openimages": {"Person": "person", "Man": "person"},
}


def image(image_id: str, source: str = "coco", **changes: Any) -> dict[str, Any]:
    """A row of IMAGES, 640 x 480."""
    return {
        "source": source,
        "split": "train2017",
        "image_id": image_id,
        "path": f"{source}_raw/{image_id}.jpg",
        "width": 640,
        "height": 480,
        "license": "http://creativecommons.org/licenses/by/2.0/",
    } | changes


def box(box_id: str, image_id: str = "1", source: str = "coco", **changes: Any) -> dict[str, Any]:
    """A row of BOXES, inside the picture."""
    return {
        "source": source,
        "split": "train2017",
        "image_id": image_id,
        "box_id": box_id,
        "label": "person",
        "x": 10.0 + sum(box_id.encode()),
        "y": 20.0,
        "w": 30.0,
        "h": 40.0,
        "area": 900.0,
        "crowd": False,
    } | changes


def around(mask: str, *, width: int = 640, height: int = 480) -> dict[str, Any]:
    """The mask of a picture of that size, and the box around it, as far as it lies in the picture."""
    _, bounds = examine_mask(mask, width, height)
    if bounds is None:
        return {"segmentation": mask}
    left, top = max(bounds[0], 0.0), max(bounds[1], 0.0)
    return {"segmentation": mask, "x": left, "y": top, "w": bounds[2] - left, "h": bounds[3] - top}


def fact(path: str, **changes: Any) -> dict[str, Any]:
    """A row of FILE_FACTS for a file of 640 x 480 that is like no other."""
    digest = hashlib.sha256(path.encode()).hexdigest()
    return {
        "path": path,
        "sha256": digest,
        "width": 640,
        "height": 480,
        "mode": "RGB",
        "orientation": 1,
        "pixels": digest[::-1],
        "phash": int(digest[:16], 16),
    } | changes


def images_of(*rows: dict[str, Any]) -> pl.DataFrame:
    return conform(pl.DataFrame(rows, infer_schema_length=None), IMAGES)


def boxes_of(*rows: dict[str, Any]) -> pl.DataFrame:
    return conform(pl.DataFrame(rows, infer_schema_length=None), BOXES).with_columns(PLAIN_MASK)


def facts_of(images: pl.DataFrame, *, without: Sequence[str] = (), **changed: dict[str, Any]) -> pl.DataFrame:
    """Facts of all images' files; `changed` gives changes by image id with an `i` before it, `phash` as a number."""
    rows = [
        fact(path, **changed.get(f"i{image_id}", {}))
        for path, image_id in images.select("path", "image_id").unique().iter_rows()
        if image_id not in without
    ]
    for row in rows:
        row["phash"] = None if row["phash"] is None else prints(row["phash"])
    return conform(pl.DataFrame(rows, schema_overrides={"phash": PHASH}, infer_schema_length=None), FILE_FACTS)
