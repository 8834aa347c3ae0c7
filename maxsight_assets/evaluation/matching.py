"""Match detections with boxes as pycocotools does, and keep the table from which AP follows for any weights of images.

Neither engine gives such a table at a usable cost, and the bootstrap needs it: matching is done once, and a resample
of the images only weighs them anew. A test holds AP of equal weights to the engine's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from maxsight_assets.evaluation.detections import Detections
from maxsight_assets.evaluation.sets import EvaluationSet

OVERLAPS = np.linspace(0.5, 0.95, 10)
"""COCO's thresholds of intersection over union."""

RECALLS = np.linspace(0, 1, 101)
"""AP is the mean of the best precision at these recalls."""

MOST = 100
"""Detections of a class in an image that count."""


@dataclass(frozen=True, slots=True)
class MatchTable:
    """What decides AP at all overlaps, detection by detection.

    A segment is a class at an overlap. Detections stand class by class, the most confident first; those after a class's
    last hit are left out, since no precision depends on them.

    Attributes:
        images: Number of images.
        found: Index of the image of each detection.
        hits: Position of each hit, segment by segment.
        before: Position where the class of each hit begins.
        first: Index in `hits` of the first hit of the segment of each hit.
        segment: Rank of the segment of each hit, the last segment 0.
        ignored: Position of each ignored detection, segment by segment: it fits only a crowd.
        ignored_to: Number of `ignored` before each hit. `ignored_from`: number before the hit's segment.
        truth_image: Index of the image of each box that is no crowd. `truth_class`: index of its class.
        hit_class: Index of the class of each hit.
        classes: Number of classes.
    """

    images: int
    found: NDArray[np.int64]
    hits: NDArray[np.int64]
    before: NDArray[np.int64]
    first: NDArray[np.int64]
    segment: NDArray[np.int64]
    ignored: NDArray[np.int64]
    ignored_to: NDArray[np.int64]
    ignored_from: NDArray[np.int64]
    truth_image: NDArray[np.int64]
    truth_class: NDArray[np.int64]
    hit_class: NDArray[np.int64]
    classes: int

    def average_precision(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return AP for each row of weights.

        Args:
            weights: Shape (resamples, images): how often each image counts.

        Returns:
            Shape (resamples,); NaN where no box counts.
        """
        counts = [np.bincount(self.truth_class, row[self.truth_image], minlength=self.classes) for row in weights]
        boxes = np.stack(counts).astype(np.float64)
        right = _between(_sums(weights, self.found[self.hits]), self.first, None)
        counted = _between(_sums(weights, self.found), self.before, self.hits + 1)
        if self.ignored.size:
            counted -= _between(_sums(weights, self.found[self.ignored]), self.ignored_from, self.ignored_to)
        with np.errstate(invalid="ignore", divide="ignore"):
            steps = _reached(right / _taken(boxes, self.hit_class))
            steps[right == 0] = 0
            steps[:, 1:] -= np.where(self.first[1:] == self.first[:-1], steps[:, :-1], 0)
            np.maximum(counted, 1, out=counted)
            areas = _areas(np.divide(right, counted, out=right), steps, self.segment)
            return np.asarray(areas / (boxes > 0).sum(axis=1), np.float64)


def _taken(values: NDArray[np.float64], at: NDArray[np.int64]) -> NDArray[np.float64]:
    return values.take(at, axis=1)


def _sums(weights: NDArray[np.float64], images: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the sums of the weights of all images before each place, along the rows."""
    sums = np.zeros((weights.shape[0], images.size + 1))
    np.cumsum(_taken(weights, images), axis=1, out=sums[:, 1:])
    return sums


def _between(sums: NDArray[np.float64], start: NDArray[np.int64], end: NDArray[np.int64] | None) -> NDArray[np.float64]:
    """Return the differences of sums at two places; `end` is the place after each, if it is None."""
    until = sums[:, 1:] if end is None else _taken(sums, end)
    return np.subtract(until, _taken(sums, start))


def _reached(recall: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the number of RECALLS that are not above each recall."""
    nearest = np.rint(np.nan_to_num(recall) * (RECALLS.size - 1))
    counts: NDArray[np.float64] = nearest + (RECALLS.take(nearest.astype(np.intp)) <= recall)
    return counts


def _areas(
    precision: NDArray[np.float64], steps: NDArray[np.float64], segment: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the sum over the classes of the area below the best precision, as the mean over overlaps."""
    lift = 2.0 * segment  # the running maximum from the right then never leaves a segment
    precision += lift
    backwards = precision[:, ::-1]
    np.maximum.accumulate(backwards, axis=1, out=backwards)
    precision -= lift
    areas: NDArray[np.float64] = np.einsum("ij,ij->i", precision, steps) / RECALLS.size / OVERLAPS.size
    return areas


def match(evaluated: EvaluationSet, detections: Detections, *, images: Sequence[int] | None = None) -> MatchTable:
    """Match the detections with the boxes of a set.

    Args:
        evaluated: The set.
        detections: Detections that fit it.
        images: Ids of the images that count, which the table's image indices follow; None for all, in order of id.
    """
    counted = np.sort(evaluated.images["id"].to_numpy()) if images is None else np.asarray(images, np.int64)
    index = pl.DataFrame({"image": counted, "at": np.arange(counted.size)})
    truths = evaluated.boxes.join(index, on="image", how="inner", maintain_order="left").with_row_index("truth")
    plain = truths.filter(~pl.col("crowd"))
    labels = plain["category"].unique().sort()
    kept = _ranked(detections, index, labels)
    pairs = _pairs(kept, truths)
    matched, ignored = _matched(pairs, kept.height, truths.height)
    return _table(kept, plain, labels, matched=matched, ignored=ignored, images=counted.size)


def _ranked(detections: Detections, index: pl.DataFrame, labels: pl.Series) -> pl.DataFrame:
    """Return the detections that count, class by class, the most confident first, ties as pycocotools orders them."""
    table = detections.table().join(index, on="image", how="inner", maintain_order="left")
    return (
        table.filter(pl.col("category").is_in(labels.implode()))
        .sort("category", "score", "image", descending=[False, True, False], maintain_order=True)
        .filter(pl.int_range(pl.len()).over("category", "image") < MOST)
        .with_row_index("place")
    )


def _pairs(kept: pl.DataFrame, truths: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs of a detection and a box that overlap enough: place, truth, crowd, overlap."""
    both = kept.lazy().join(truths.lazy(), on=["at", "category"], how="inner", suffix="_of")
    width = pl.min_horizontal(pl.col("x") + pl.col("w"), pl.col("x_of") + pl.col("w_of")) - pl.max_horizontal(
        "x", "x_of"
    )
    height = pl.min_horizontal(pl.col("y") + pl.col("h"), pl.col("y_of") + pl.col("h_of")) - pl.max_horizontal(
        "y", "y_of"
    )
    own = pl.col("w") * pl.col("h")
    union = pl.when("crowd").then(own).otherwise(own + pl.col("w_of") * pl.col("h_of") - pl.col("shared"))
    return (
        both.with_columns(shared=pl.when((width > 0) & (height > 0)).then(width * height).otherwise(0.0))
        .with_columns(overlap=pl.col("shared") / union)
        .filter(pl.col("overlap") >= OVERLAPS[0])
        .select("place", "truth", "crowd", "overlap")
        .sort("place", "overlap", "truth", descending=[False, True, True])
        .collect()
    )


def _matched(
    pairs: pl.DataFrame, detections: int, truths: int
) -> tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]]:
    """Return, for each overlap, the places of the hits and of the ignored detections, in order.

    A detection takes the free box that it overlaps most, the later one if two are equal; the most confident chooses
    first. One that gets none and fits a crowd is ignored.
    """
    plain = list(pairs.filter(~pl.col("crowd")).select("place", "truth", "overlap").iter_rows())
    crowded = pairs.filter("crowd").group_by("place").agg(pl.col("overlap").max())
    in_crowd = np.zeros(detections)
    in_crowd[crowded["place"].to_numpy()] = crowded["overlap"].to_numpy()
    hits, ignored = [], []
    for least in OVERLAPS.tolist():
        taken, places, last = bytearray(truths), [], -1
        for place, truth, overlap in plain:
            if place != last and overlap >= least and not taken[truth]:
                taken[truth] = True
                places.append(place)
                last = place
        hits.append(np.array(places, np.int64))
        alone = in_crowd >= least
        alone[hits[-1]] = False
        ignored.append(np.flatnonzero(alone))
    return hits, ignored


def _table(
    kept: pl.DataFrame,
    plain: pl.DataFrame,
    labels: pl.Series,
    *,
    matched: list[NDArray[np.int64]],
    ignored: list[NDArray[np.int64]],
    images: int,
) -> MatchTable:
    """Put the hits of all overlaps together, and leave out what comes after the last hit of each class."""
    label = np.searchsorted(labels.to_numpy(), kept["category"].to_numpy())
    begins = np.searchsorted(label, np.arange(len(labels)))
    last = np.full(len(labels), -1, np.int64)
    for places in matched:
        np.maximum.at(last, label[places], places)
    kept_places = np.arange(kept.height) <= last[label] if kept.height else np.zeros(0, np.bool_)
    moved = np.cumsum(kept_places) - 1  # the position of each place that is kept
    starts = np.concatenate([[0], np.cumsum(kept_places)])[begins]
    hits = np.concatenate(matched)
    sizes = [places.size for places in matched]
    overlap = np.repeat(np.arange(OVERLAPS.size), sizes)
    segment = overlap * len(labels) + label[hits]
    passed = [places[kept_places[places]] for places in ignored]
    sequence = np.concatenate([places + number * (kept.height + 1) for number, places in enumerate(passed)])
    return MatchTable(
        images=images,
        found=kept["at"].to_numpy().astype(np.int64)[kept_places],
        hits=moved[hits],
        before=starts[label[hits]],
        first=np.searchsorted(segment, segment),
        segment=segment.max(initial=0) - segment,
        ignored=moved[np.concatenate(passed)],
        ignored_to=np.searchsorted(sequence, hits + overlap * (kept.height + 1)),
        ignored_from=np.searchsorted(sequence, begins[label[hits]] + overlap * (kept.height + 1)),
        truth_image=plain["at"].to_numpy().astype(np.int64),
        truth_class=np.searchsorted(labels.to_numpy(), plain["category"].to_numpy()),
        hit_class=label[hits],
        classes=len(labels),
    )
