"""Name what a person should look at first: confident detections that contradict the ground truth, and confused labels.

hotcoco finds both. A detector that is right where the annotator was not looks like one that is wrong, so these are
suspects, not errors.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from maxsight_assets.evaluation.detections import Detections
from maxsight_assets.evaluation.sets import EvaluationSet

CONFIDENT = 0.5
"""Score from which a detection is held against the ground truth, and counts in the table of confused labels."""

OVERLAP = 0.5
"""Intersection over union from which a detection and a box are of one object."""

NOTHING = "(nothing)"
"""Stands for a detection where no box is, and for a box that nothing was detected on."""

SUSPECTS = pl.Schema(
    {
        "image": pl.String,
        "image_id": pl.Int64,
        **dict.fromkeys("xywh", pl.Float64),
        "label": pl.String,
        "score": pl.Float64,
        "why": pl.String,
        "truth": pl.String,
        "overlap": pl.Float64,
    }
)
"""One row a detection, the most confident first: its image relative to DATA_DIR, its box in pixels, the truth there."""

CONFUSED = pl.Schema({"truth": pl.String, "label": pl.String, "count": pl.Int64})

WHY: Mapping[str, str] = {
    "wrong_label": "the box there has another label",
    "missing_annotation": "no box is there",
}
UNCONFIRMED = "no box is there; only labels that people confirmed in an image are boxed in this set"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What detections say about the ground truth, and the other way round.

    Attributes:
        suspects: Schema `SUSPECTS`.
        confused: Schema `CONFUSED`: how often a box of one label was detected as another; most frequent first.
    """

    suspects: pl.DataFrame
    confused: pl.DataFrame


def diagnose(evaluated: EvaluationSet, found: Detections, *, exhaustive: bool = True) -> Diagnosis:
    """Hold the confident detections against the ground truth.

    Args:
        evaluated: The set.
        found: Detections that fit it.
        exhaustive: Whether every object of every label is boxed; otherwise a detection without a box means less.
    """
    if not found.count:
        return Diagnosis(SUSPECTS.to_frame(), CONFUSED.to_frame())
    import hotcoco

    truth = hotcoco.COCO(str(evaluated.path))
    judge = hotcoco.COCOeval(truth, truth.load_res(found.array()), "bbox")
    judge.evaluate()
    labels = evaluated.categories
    errors = judge.image_diagnostics(iou_thr=OVERLAP, score_thr=CONFIDENT)["label_errors"]
    files = dict(evaluated.images.select("id", "file_name").iter_rows())
    why = WHY if exhaustive else {**WHY, "missing_annotation": UNCONFIRMED}
    rows = [
        (
            *(files[each["image_id"]], each["image_id"], *found.boxes[each["dt_id"] - 1].tolist()),
            *(labels[each["dt_category_id"]], each["dt_score"], why[each["type"]]),
            *(labels.get(each["gt_category_id"]), each["iou"]),
        )
        for each in errors
    ]
    suspects = pl.DataFrame(rows, SUSPECTS, orient="row").sort("score", "image", descending=[True, False])
    table = judge.confusion_matrix(iou_thr=OVERLAP, min_score=CONFIDENT)
    names = [*(labels[number] for number in table["cat_ids"]), NOTHING]
    matrix = np.asarray(table["matrix"], np.int64)
    pairs = [(names[row], names[column], int(matrix[row, column])) for row, column in np.argwhere(matrix > 0)]
    confused = pl.DataFrame(pairs, CONFUSED, orient="row").sort(
        "count", "truth", "label", descending=[True, False, False]
    )
    return Diagnosis(suspects, confused)
