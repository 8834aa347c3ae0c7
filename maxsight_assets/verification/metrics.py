"""Rules for `detection_metrics`: what was evaluated fits, drops that are real are named, and both engines agree."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from maxsight_assets.evaluation import results
from maxsight_assets.evaluation.detections import REMEDY, Detections
from maxsight_assets.evaluation.metrics import NUMBERS, evaluate
from maxsight_assets.evaluation.results import Standing
from maxsight_assets.evaluation.sets import read_set
from maxsight_assets.publishing.manifest import Manifest
from maxsight_assets.verdict import Found, Rule, rule
from maxsight_assets.verification.outputs import files_are_as_published

SAMPLE = 50
"""Images of a set on which the engines are compared: pycocotools takes a second for them."""

EQUAL = 1e-6
"""Largest difference of two engines that floating point explains."""


@dataclass(frozen=True)
class MetricsView:
    """The directory of `detection_metrics`.

    Attributes:
        root: The directory, published or staged.
        manifest: What it should hold.
        sets: The file of each published evaluation set, by its name.
    """

    root: Path
    manifest: Manifest | None
    sets: Mapping[str, Path]

    @cached_property
    def standings(self) -> Mapping[str, Standing]:
        """What is true of each detections file, by its name."""
        return results.read_standings(self.root)


@rule(REMEDY, severity="error")
def detections_fit(view: MetricsView) -> Found:
    """Every detections file fits its evaluation set; of one that does not, the last good numbers stay."""
    unfit = [each for each in view.standings.values() if each.state == "unfit"]
    named = [f"{each.name}: {fault}" for each in unfit for fault in each.faults]
    more = sum(each.fault_count - len(each.faults) for each in unfit)
    checked = sum(each.fault_count or 1 for each in view.standings.values())
    return Found([*named, *(f"(not listed) {number}" for number in range(more))], checked)


@rule(
    "Look at what changed: the checkpoint, its preprocessing, or the set; `maxsight-assets metrics` shows what it was.",
    severity="warn",
)
def no_drop_is_real(view: MetricsView) -> Found:
    """No AP dropped by more than chance explains: the 95 % interval of each drop includes zero."""
    compared = [
        (each, other)
        for each in view.standings.values()
        if each.state == "evaluated" and each.result is not None
        for other in each.result.comparisons
    ]
    return Found([f"{each.name}: {other.text}" for each, other in compared if other.is_drop], len(compared))


@rule(
    "Use `maxsight-assets metrics --engine pycocotools`, and report both numbers as a mistake of MaxSight Assets.",
    severity="error",
)
def engines_agree(view: MetricsView) -> Found:
    """On a sample of images, both engines give the same 12 numbers for the file that was evaluated last."""
    evaluated = [each for each in view.standings.values() if each.result is not None and each.set in view.sets]
    newest = max(evaluated, key=lambda each: each.result.evaluated_at if each.result else "", default=None)
    if newest is None:
        return Found((), 0)
    truth = read_set(view.sets[newest.set])
    found = Detections.of(pl.read_parquet(view.root / newest.name / results.DETECTIONS, memory_map=False))
    images = np.random.default_rng(0).permutation(truth.images["id"].to_numpy())[:SAMPLE].tolist()
    found = found.where(np.isin(found.image, images))
    numbers = [evaluate(truth, found, engine=engine, images=images).numbers for engine in ("hotcoco", "pycocotools")]
    differ = [name for name in NUMBERS if abs(numbers[0][name] - numbers[1][name]) > EQUAL]
    named = [f"{newest.name}: {name} {numbers[0][name]} and {numbers[1][name]}" for name in differ]
    return Found(named, len(NUMBERS), {"images": len(images), "file": newest.name})


METRICS_RULES: tuple[Rule[MetricsView], ...] = (
    files_are_as_published,
    detections_fit,
    no_drop_is_real,
    engines_agree,
)
"""Rules of `detection_metrics`."""
