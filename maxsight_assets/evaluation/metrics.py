"""Compute COCO's numbers of one detections file: all 12, and average precision by class and by slice.

hotcoco does the work; its tests and ours hold it to pycocotools, which stays as the second engine and as the judge.
"""

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from maxsight_assets.evaluation.detections import Detections
from maxsight_assets.evaluation.sets import EvaluationSet

Engine = Literal["hotcoco", "pycocotools"]

NUMBERS = (
    *("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large"),
    *("AR_1", "AR_10", "AR_100", "AR_small", "AR_medium", "AR_large"),
)
"""The 12 numbers, in pycocotools' order (https://cocodataset.org/#detection-eval)."""

ABSENT = -1.0
"""What pycocotools gives where there is nothing to find."""

CLASSES = pl.Schema({"label": pl.String, "AP": pl.Float64, "AP50": pl.Float64, "AR_100": pl.Float64, "boxes": pl.Int64})


@dataclass(frozen=True, slots=True)
class Metrics:
    """The result of one evaluation.

    Attributes:
        numbers: The 12 numbers by name, from 0 to 1; -1 where the set has nothing to find.
        classes: Schema `CLASSES`, one row a class that the set has boxes of; crowds do not count.
        slices: Number of images and AP by the name of the slice.
        precision: Mean precision over the classes at recalls of 0, 0.01, ..., 1, for overlaps of 0.5, 0.75 and for the
            mean of all; shape (3, 101).
        engine: Name and version of the program.
    """

    numbers: Mapping[str, float]
    classes: pl.DataFrame
    slices: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    precision: NDArray[np.float64] = field(default_factory=lambda: np.full((3, 101), ABSENT))
    engine: str = "hotcoco"


@dataclass(frozen=True, slots=True)
class _Raw:
    """What either engine gives.

    Attributes:
        stats: The 12 numbers.
        precision: Shape (overlaps, recalls, categories), all areas, 100 detections an image.
        recall: Shape (overlaps, categories), likewise.
        categories: Ids of the categories, in the order of these arrays.
    """

    stats: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    categories: Sequence[int]


def evaluate(
    evaluated: EvaluationSet,
    detections: Detections,
    *,
    engine: Engine = "hotcoco",
    images: Sequence[int] | None = None,
    slices: Mapping[str, Sequence[int]] | None = None,
) -> Metrics:
    """Compare detections with an evaluation set.

    Args:
        evaluated: The set.
        detections: The detections; they must fit it (`read_detections`).
        engine: The program that does it.
        images: Ids of the images that count; None for all.
        slices: Ids of images by the name of the slice.
    """
    run = _hotcoco if engine == "hotcoco" else _pycocotools
    session = run(evaluated, detections)
    raw = session(images)
    return Metrics(
        numbers=dict(zip(NUMBERS, raw.stats.tolist(), strict=True)),
        classes=_classes(raw, evaluated, images),
        slices={name: (len(ids), _mean(session(ids).precision)) for name, ids in sorted((slices or {}).items()) if ids},
        precision=_curves(raw.precision),
        engine=f"{engine} {_version(engine)}",
    )


def _hotcoco(evaluated: EvaluationSet, detections: Detections) -> Any:
    import hotcoco

    truth = hotcoco.COCO(str(evaluated.path))
    found = truth.load_res(detections.array()) if detections.count else _nothing(truth)

    def run(images: Sequence[int] | None) -> _Raw:
        judge = hotcoco.COCOeval(truth, found, "bbox")
        if images is not None:
            judge.params.img_ids = list(images)
        judge.evaluate()
        judge.accumulate()
        with contextlib.redirect_stdout(io.StringIO()):
            judge.summarize()
        return _raw(judge.stats, judge.eval or {}, judge.params.cat_ids)

    return run


def _nothing(truth: Any) -> Any:
    """Return a result without a detection; neither engine's `load_res` makes one."""
    import hotcoco

    document = truth.dataset
    return hotcoco.COCO({"images": document["images"], "annotations": [], "categories": document["categories"]})


def _pycocotools(evaluated: EvaluationSet, detections: Detections) -> Any:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(evaluated.path))
        if detections.count:
            found = truth.loadRes(detections.array())
        else:
            found = COCO()
            found.dataset = {**truth.dataset, "annotations": []}
            found.createIndex()

    def run(images: Sequence[int] | None) -> _Raw:
        with contextlib.redirect_stdout(io.StringIO()):
            judge = COCOeval(truth, found, "bbox")
            if images is not None:
                judge.params.imgIds = list(images)
            judge.evaluate()
            judge.accumulate()
            judge.summarize()
        return _raw(judge.stats, judge.eval, judge.params.catIds)

    return run


def _raw(stats: Any, arrays: Mapping[str, Any], categories: Sequence[int]) -> _Raw:
    precision, recall = arrays["precision"][..., 0, -1], arrays["recall"][..., 0, -1]
    return _Raw(np.asarray(stats, np.float64), precision.copy(), recall.copy(), list(categories))


def _mean(values: NDArray[np.float64]) -> float:
    counted = values[values > ABSENT]
    return float(counted.mean()) if counted.size else ABSENT


def _curves(precision: NDArray[np.float64]) -> NDArray[np.float64]:
    there = precision[:, :, (precision > ABSENT).all(axis=(0, 1))]
    if not there.size:
        return np.full((3, precision.shape[1]), ABSENT)
    return np.stack([there[0].mean(axis=1), there[5].mean(axis=1), there.mean(axis=(0, 2))])


def _classes(raw: _Raw, evaluated: EvaluationSet, images: Sequence[int] | None) -> pl.DataFrame:
    boxes = evaluated.boxes.filter(~pl.col("crowd"))
    if images is not None:
        boxes = boxes.filter(pl.col("image").is_in(list(images)))
    counts = dict(boxes.group_by("category").len().iter_rows())
    rows = [
        (
            evaluated.categories[category],
            _mean(raw.precision[:, :, index]),
            _mean(raw.precision[0, :, index]),
            _mean(raw.recall[:, index]),
            counts[category],
        )
        for index, category in enumerate(raw.categories)
        if category in counts
    ]
    return pl.DataFrame(rows, CLASSES, orient="row")


def _version(engine: Engine) -> str:
    from importlib.metadata import version

    return version(engine)
