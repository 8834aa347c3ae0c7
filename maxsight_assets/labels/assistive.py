"""How near and how urgent each object is, derived from its box and label alone, as MaxSight derives both.

The formula and its default weights are those of MaxSight at c1977e4 (2026-08-06). MaxSight applies them to data that
states neither, such as COCO and Open Images. Both the detector's list form and its gold plane state the result.
"""

from collections.abc import Iterable, Mapping
from functools import cache

import polars as pl

from maxsight_assets.labels.space import load_space

SMALLEST_SIDE = 1e-4
"""Smallest width or height of a box, as a share of the image, that the detector accepts; it widens smaller ones."""

DISTANCE_AREAS = (0.10, 0.05)
"""Shares of the image above which a box is near (zone 0), or at a medium distance (zone 1); zone 2 is far."""

URGENCY_SCORES = (0.30, 0.50, 0.68)
"""Scores above which the urgency is 1, 2 or 3."""

WEIGHTS = {"class": 0.52, "proximity": 0.33, "center": 0.15}
"""Weights of the class's prior, the box's size and the box's place in the score."""

_AREA_OF_FULL_PROXIMITY = 0.25
_SMALLEST_AREA = 1e-8

_NAMED_PRIORS: Mapping[float, tuple[str, ...]] = {
    0.90: ("car", "bus", "truck", "train", "motorcycle", "traffic light", "fire hydrant", "stop sign"),
    0.72: (
        *("person", "bicycle", "dog", "cat", "bird", "horse", "sheep", "cow"),
        *("elephant", "zebra", "giraffe", "bear", "airplane", "boat"),
    ),
    0.52: ("chair", "couch", "bed", "dining table", "bench", "toilet", "sink"),
}
_OTHER_COCO_PRIOR = 0.34
_PRIORS_BY_PART: Mapping[float, tuple[str, ...]] = {
    0.78: ("traffic", "crosswalk", "vehicle", "collision", "emergency", "fire_", "stair", "escalator"),
    0.58: ("sign", "exit", "warning", "hazard", "braille", "elevator", "door", "ramp", "curb"),
    0.22: ("food", "vase", "remote", "clock", "book", "toothbrush", "hair drier"),
}
_PRIOR_OF_THE_REST = 0.38


def class_prior(label: str) -> float:
    """Return how urgent objects with a label are, without regard to their boxes, from 0 to 1."""
    name = label.strip().lower()
    named = _prior_by_name().get(name)
    if named is not None:
        return named
    by_part = (prior for prior, parts in _PRIORS_BY_PART.items() if any(part in name for part in parts))
    return next(by_part, _PRIOR_OF_THE_REST)


@cache
def _prior_by_name() -> Mapping[str, float]:
    named = {name: prior for prior, names in _NAMED_PRIORS.items() for name in names}
    return dict.fromkeys(load_space("coco80").names, _OTHER_COCO_PRIOR) | named


def derive(boxes: pl.DataFrame, images: pl.DataFrame) -> pl.DataFrame:
    """Add to each box the values that the detector derives from it.

    Args:
        boxes: `image` (id of its image), `label`, and `x`, `y`, `w`, `h` in absolute pixels.
        images: `id`, `width` and `height` in pixels.

    Returns:
        The boxes in their order with `cx`, `cy`, `cw`, `ch` (center and size, as shares of the image), `distance`
        (0 near, 1 medium, 2 far), `score` (0 to 1) and `urgency` (0 to 3).
    """
    sizes = images.select("width", "height", image="id")
    width, height = pl.col("width"), pl.col("height")
    return (
        boxes.join(sizes, on="image", how="left", maintain_order="left")
        .with_columns(
            cx=((pl.col("x") + pl.col("w") / 2) / width).clip(0, 1),
            cy=((pl.col("y") + pl.col("h") / 2) / height).clip(0, 1),
            cw=(pl.col("w") / width).clip(SMALLEST_SIDE, 1),
            ch=(pl.col("h") / height).clip(SMALLEST_SIDE, 1),
        )
        .drop("width", "height")
        .with_columns(distance=_distance(), score=_score(boxes["label"].unique()))
        .with_columns(urgency=_steps_above(pl.col("score"), URGENCY_SCORES))
    )


def _area() -> pl.Expr:
    return (pl.col("cw") * pl.col("ch")).clip(_SMALLEST_AREA)


def _distance() -> pl.Expr:
    return 2 - _steps_above(_area(), DISTANCE_AREAS)


def _score(labels: Iterable[str]) -> pl.Expr:
    priors = {label: class_prior(label) for label in labels}
    prior = pl.col("label").replace_strict(priors, default=_PRIOR_OF_THE_REST, return_dtype=pl.Float64)
    proximity = (_area() / _AREA_OF_FULL_PROXIMITY).sqrt().clip(0, 1)
    center = (1 - ((pl.col("cx") - 0.5).abs() + (pl.col("cy") - 0.5).abs())).clip(0, 1)
    score = WEIGHTS["class"] * prior + WEIGHTS["proximity"] * proximity + WEIGHTS["center"] * center
    return score.clip(0, 1)


def _steps_above(value: pl.Expr, edges: Iterable[float]) -> pl.Expr:
    """Return how many of the edges a value exceeds."""
    return pl.sum_horizontal((value > edge).cast(pl.Int8) for edge in edges)
