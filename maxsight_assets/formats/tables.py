"""The one table model that every dataset is read into: a table of images and a table of boxes.

Formats translate between a publisher's files and these tables; cleaning, splitting and evaluation know only the tables.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import polars as pl

_IMAGES = {
    "source": (pl.String, "coco, openimages, bdd100k, ade20k"),
    "split": (pl.String, "the publisher's own split: train2017, validation, val"),
    "image_id": (pl.String, 'the publisher\'s own id, kept as text: "139", "000e100000000000"'),
    "path": (pl.String, 'POSIX, relative to DATA_DIR: "coco_raw/val2017/000000000139.jpg"'),
    "width": (pl.Int32, "pixels, as the publisher states; null if it states none"),
    "height": (pl.Int32, "pixels, as the publisher states; null if it states none"),
    "license": (pl.String, "address of the licence text, as published; null if unknown"),
    "author": (pl.String, "who made the picture, as the publisher states"),
    "title": (pl.String, "of the picture, as its author gave it"),
    "page": (pl.String, "address at which the picture was published (Flickr page or file)"),
    "flickr_id": (pl.String, "Flickr photo id, the key that COCO and Open Images share"),
    "rotation": (pl.Int32, "degrees counter-clockwise that the publisher says the picture needs; null if unknown"),
    "fault": (pl.String, "why the record cannot be used, as far as its text alone shows; null if it can"),
    "unread": (
        pl.String,
        "fields that could not be read and count as not stated, with what stands there; null if none",
    ),
}
IMAGES = pl.Schema({name: dtype for name, (dtype, _) in _IMAGES.items()})
"""Schema of the images table, one row an image. `(source, image_id)` is its key; `split` belongs to the image."""

_BOXES = {
    "source": (pl.String, "coco, openimages, bdd100k, ade20k"),
    "split": (pl.String, "the publisher's own split: train2017, validation, val"),
    "image_id": (pl.String, "the publisher's own id, kept as text"),
    "box_id": (pl.String, "the publisher's annotation id, or IMAGE:ROW, the row among the image's, if it has none"),
    "label": (pl.String, 'the publisher\'s class name ("person", "Door handle"), never an id'),
    "x": (pl.Float64, "left edge, absolute pixels, origin at the top left"),
    "y": (pl.Float64, "top edge, absolute pixels"),
    "w": (pl.Float64, "width, absolute pixels"),
    "h": (pl.Float64, "height, absolute pixels"),
    "area": (pl.Float64, "square pixels as stated (COCO: of the mask); null if not stated"),
    "crowd": (pl.Boolean, "COCO iscrowd, Open Images IsGroupOf"),
    "occluded": (pl.Boolean, "behind something; null: unknown"),
    "truncated": (pl.Boolean, "cut by the edge of the picture; null: unknown"),
    "depiction": (pl.Boolean, "a drawing or a toy of the thing; null: unknown"),
    "inside": (pl.Boolean, "seen from its inside; null: unknown"),
    "segmentation": (pl.String, "COCO's polygons or RLE as raw JSON text; null if there is none"),
    "plain_mask": (pl.Boolean, "`segmentation` is polygons of 3 points or more within [0, 700) pixels; null: unknown"),
    "fault": (pl.String, "why the record cannot be used, as far as its text alone shows; null if it can"),
    "unread": (
        pl.String,
        "fields that could not be read and count as not stated, with what stands there; null if none",
    ),
}
BOXES = pl.Schema({name: dtype for name, (dtype, _) in _BOXES.items()})
"""Schema of the boxes table, one row a box. `(source, box_id)` is its key (not unique if upstream is defective)."""

ABOUT: Mapping[str, str] = MappingProxyType({name: text for name, (_, text) in (_IMAGES | _BOXES).items()})
"""What each column of these two tables holds, for the user."""

_LEDGER = {
    "source": (pl.String, "the dataset: coco, openimages, bdd100k, ade20k"),
    "kind": (pl.String, "`image` or `box`"),
    "image_id": (pl.String, "the publisher's own id, kept as text"),
    "box_id": (pl.String, "the publisher's annotation id; null for images"),
    "rule": (pl.String, "name of the cleaning rule"),
    "action": (pl.String, "`drop`, `repair` or `quarantine`"),
    "before": (pl.String, "JSON object of the values that the rule looked at"),
    "after": (pl.String, "JSON object of the repaired values; null for a drop"),
}
LEDGER = pl.Schema({name: dtype for name, (dtype, _) in _LEDGER.items()})
"""Schema of the ledger, one row a record that cleaning dropped, repaired or quarantined; sorted by all columns."""

ABOUT_LEDGER: Mapping[str, str] = MappingProxyType({name: text for name, (_, text) in _LEDGER.items()})
"""What each column of the ledger holds."""


ATTRIBUTES = pl.Schema(dict.fromkeys(("image_id", "timeofday", "weather", "scene"), pl.String))
"""Schema of what a publisher says of the whole of an image, one row an image; null if it says nothing."""

ODD = pl.Schema(
    {
        "split": pl.String(),
        "section": pl.String(),  # "annotations"
        "field": pl.String(),  # "iscrowd"; empty for a record that is no object
        "read": pl.Int64(),  # records in which it has another type but can be read without loss: 13.0 for 13
        "unread": pl.Int64(),  # records in which it cannot be read
        "records": pl.Int64(),  # of the section
        "first": pl.List(pl.String),  # first places with their values: "annotations[0] (13.0)"
    }
)
"""Schema of odd fields: those of another type than their format states, one row a field."""


@dataclass(frozen=True, slots=True)
class Tables:
    """The content of one annotation file, in the table model.

    Attributes:
        images: Schema `IMAGES`, in the order of the file.
        boxes: Schema `BOXES`, in the order of the file. A box may name an image that `images` does not have.
        odd: Schema `ODD`, for the whole file.
        attributes: Schema `ATTRIBUTES`; empty if the publisher states none.
        has_boxes: Whether the publisher states boxes at all; if not, an image without boxes may show anything.
    """

    images: pl.DataFrame
    boxes: pl.DataFrame
    odd: pl.DataFrame = field(default_factory=ODD.to_frame)
    attributes: pl.DataFrame = field(default_factory=ATTRIBUTES.to_frame)
    has_boxes: bool = True


def conform(frame: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """Return a frame with a schema's columns, in its order and types; a missing column is null."""
    return frame.select(
        pl.col(name).cast(dtype) if name in frame.columns else pl.lit(None, dtype).alias(name)
        for name, dtype in schema.items()
    )
