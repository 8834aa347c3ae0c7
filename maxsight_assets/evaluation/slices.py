"""Slices: parts of a set on which a score is worth knowing by itself, such as night, rain and small objects."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl


@dataclass(frozen=True, slots=True)
class Slice:
    """The images of which the publisher says one thing.

    Attributes:
        name: Its name in the contract.
        attribute: The field of an image's record.
        values: The values of that field.
    """

    name: str
    attribute: str
    values: tuple[str, ...]


STATED = (
    Slice("daytime", "timeofday", ("daytime",)),
    Slice("dawn_or_dusk", "timeofday", ("dawn/dusk",)),
    Slice("night", "timeofday", ("night",)),
    Slice("rain", "weather", ("rainy",)),
)
"""Slices by what BDD100K states of a frame (its documentation, "Label format"); no other publisher states either."""

SMALL = "small_objects"
"""Name of the slice of small boxes, which every set with boxes has."""


def slices(images: pl.DataFrame, boxes: pl.DataFrame, *, small_below: int) -> dict[str, Any]:
    """Return the slices of a set, by name: which records each holds, and how many.

    A slice of images is there if the publisher states its attribute of any image; of an image of which it states
    nothing, nothing is known, so the slices of an attribute need not make up the whole set.

    Args:
        images: Images with the columns of ATTRIBUTES.
        boxes: Boxes with `image_id`, `area` (square pixels) and `crowd` (0 or 1).
        small_below: Boxes of a smaller area are small.
    """
    counted = boxes.filter(pl.col("crowd") == 0)
    found: dict[str, Any] = {}
    for each in STATED:
        if images[each.attribute].is_null().all():
            continue
        ids = images.filter(pl.col(each.attribute).is_in(each.values))["image_id"]
        found[each.name] = {
            "of": "images",
            "where": {each.attribute: list(each.values)},
            "images": ids.len(),
            "boxes": counted.filter(pl.col("image_id").is_in(ids.implode())).height,
        }
    if boxes.height:
        small = counted.filter(pl.col("area") < small_below)
        found[SMALL] = {
            "of": "boxes",
            "area_below": small_below,
            "images": small["image_id"].n_unique(),
            "boxes": small.height,
        }
    return found


def images_of(images: pl.DataFrame, stated: Mapping[str, Any]) -> dict[str, list[int]]:
    """Return the ids of the images of each slice of images, by its name.

    Args:
        images: `EvaluationSet.images`.
        stated: The slices of the set, as the contract states them.
    """
    wanted = {name: each["where"] for name, each in stated.items() if each.get("of") == "images"}
    return {
        name: images.filter(pl.col(column).is_in(values) for column, values in where.items())["id"].to_list()
        for name, where in wanted.items()
    }
