"""Compute mean average precision by the rules of the Open Images Challenge rather than COCO's.

What differs (storage.googleapis.com/openimages/web/evaluation.html): a box and a detection count for every class above
their own too; only classes that people confirmed in an image are judged there; a box around a group is found by
any detection that lies in it, once; one overlap, 0.5, and the area under the whole curve.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from maxsight_assets.evaluation.detections import Detections
from maxsight_assets.evaluation.sets import EvaluationSet

LEAST = 0.5
"""Least overlap of a detection with a box, and least share of a detection that lies in the box of a group."""


@dataclass(frozen=True, slots=True)
class OpenImagesScore:
    """The result by Open Images' rules.

    Attributes:
        mean: Mean of the classes' AP; -1 if there is no box.
        by_class: AP by category id, of each class that has a box after the hierarchy is applied.
    """

    mean: float
    by_class: Mapping[int, float]


def score(
    evaluated: EvaluationSet,
    found: Detections,
    above: Mapping[int, AbstractSet[int]],
    *,
    confirmed: Mapping[int, AbstractSet[int]] | None = None,
) -> OpenImagesScore:
    """Judge detections by Open Images' rules.

    Args:
        evaluated: The set; a crowd is a box around a group.
        found: Detections that fit it.
        above: Category ids of all classes above each class.
        confirmed: Category ids that people confirmed, as present or absent, in each image by its id. Default: those
            that have a box there, the classes above them included.
    """
    steps = pl.DataFrame(
        [(low, high) for low in evaluated.categories for high in {low, *above.get(low, ())}],
        {"category": pl.Int64, "judged": pl.Int64},
        orient="row",
    )
    boxes = evaluated.boxes.join(steps, on="category")
    known = boxes.select("image", "judged").unique()
    if confirmed is not None:
        rows = [(image, category) for image, categories in confirmed.items() for category in categories]
        known = pl.DataFrame(rows, known.schema, orient="row")
    judged = found.table().join(steps, on="category").unique(["image", "judged", "x", "y", "w", "h", "score"])
    judged = judged.join(known, on=["image", "judged"], how="semi").sort("score", "image", descending=[True, False])
    truths = {key: frame for (key,), frame in boxes.partition_by("judged", as_dict=True).items()}
    claims = {key: frame for (key,), frame in judged.partition_by("judged", as_dict=True, maintain_order=True).items()}
    by_class = {
        int(category): _average_precision(list(_outcomes(boxes, claims.get(category))), boxes.height)
        for category, boxes in sorted(truths.items())
    }
    return OpenImagesScore(float(np.mean(list(by_class.values()))) if by_class else -1.0, by_class)


def _outcomes(boxes: pl.DataFrame, claims: pl.DataFrame | None) -> Iterator[bool]:
    """Return whether each detection of a class is right, the most confident first; ignored ones are left out.

    A detection is held against the box that it overlaps most; a second one on the same box is wrong.
    """
    if claims is None:
        return
    of_image = {key: frame for (key,), frame in boxes.partition_by("image", as_dict=True).items()}
    corners = {key: frame.select("x", "y", "w", "h").to_numpy() for key, frame in of_image.items()}
    groups = {key: frame["crowd"].to_numpy() for key, frame in of_image.items()}
    taken: set[tuple[int, int]] = set()
    for image, *box in claims.select("image", "x", "y", "w", "h").iter_rows():
        if image not in corners:  # the class is confirmed to be absent
            yield False
            continue
        shared, own, sizes = _overlaps(np.array(box), corners[image])
        plain = np.where(groups[image], -1.0, shared / (own + sizes - shared))
        within = np.where(groups[image], shared / max(own, 1e-12), -1.0)
        best, group = int(plain.argmax()), int(within.argmax())
        if plain[best] >= LEAST:
            yield (image, best) not in taken
            taken.add((image, best))
        elif within[group] < LEAST:
            yield False
        elif (image, group) not in taken:  # the first in a group is right, further ones are ignored
            yield True
            taken.add((image, group))


def _overlaps(
    box: NDArray[np.float64], others: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float, NDArray[np.float64]]:
    """Return the areas that a box shares with others, its own area, and theirs."""
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[:2] + box[2:], others[:, :2] + others[:, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    return shared, float(box[2] * box[3]), others[:, 2] * others[:, 3]


def _average_precision(outcomes: list[bool], boxes: int) -> float:
    """Return the area under the curve of the best precision at each recall."""
    right = np.cumsum(outcomes)
    precision = right / np.arange(1, len(outcomes) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float(best[np.asarray(outcomes, np.bool_)].sum() / boxes)
