"""The interval of the paired bootstrap covers the true difference as often as it says."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from maxsight_assets.evaluation.compare import difference
from maxsight_assets.evaluation.detections import Detections
from maxsight_assets.evaluation.matching import match
from maxsight_assets.evaluation.sets import EvaluationSet

REPETITIONS, IMAGES, POPULATION = 400, 300, 40_000
DRAWS = 400  # fewer than in use: the ends of the interval are a little rougher, and the test takes half the time
LABELS = {1: "dog", 2: "cat", 3: "cup"}


class World:
    """Any number of images of one kind, some harder than others, and two detectors that see all of them."""

    def __init__(self, seed: int, images: int) -> None:
        random = np.random.default_rng(seed)
        each = random.integers(1, 5, images)
        owner = np.repeat(np.arange(1, images + 1), each)
        slot = np.arange(owner.size) - np.repeat(np.cumsum(each) - each, each)
        corners = np.column_stack([slot * 70.0 + 5, np.full(owner.size, 20.0), random.uniform(20, 60, (owner.size, 2))])
        label = random.integers(1, len(LABELS) + 1, owner.size)
        hard = np.repeat(random.beta(2, 6, images), each)
        frame = pl.DataFrame({"id": np.arange(1, owner.size + 1), "image": owner, "category": label})
        boxes = frame.with_columns(
            *(pl.Series(name, corners[:, at]) for at, name in enumerate("xywh")), crowd=pl.lit(value=False)
        )
        self.truth = EvaluationSet("made_up", Path(), pl.DataFrame({"id": np.arange(1, images + 1)}), LABELS)
        self.truth.__dict__["boxes"] = boxes
        self.better = self._detector(random, owner, label, corners, hard, missed=0.0)
        self.worse = self._detector(random, owner, label, corners, hard, missed=0.05)

    def _detector(
        self,
        random: np.random.Generator,
        owner: np.ndarray,
        label: np.ndarray,
        corners: np.ndarray,
        hard: np.ndarray,
        *,
        missed: float,
    ) -> Detections:
        seen = random.random(owner.size) > hard + missed
        moved = corners[seen] + random.normal(0, 0.06, (int(seen.sum()), 4)) * np.tile(corners[seen][:, 2:], 2)
        clutter = random.integers(1, owner.max() + 1, owner.size // 2)
        stray = np.column_stack([random.uniform(0, 200, (clutter.size, 2)), random.uniform(20, 60, (clutter.size, 2))])
        return Detections(
            np.concatenate([owner[seen], clutter]),
            np.concatenate([label[seen], random.integers(1, len(LABELS) + 1, clutter.size)]),
            np.concatenate([moved, stray]),
            np.concatenate([random.beta(4, 2, int(seen.sum())), random.beta(2, 4, clutter.size)]),
        )


def true_difference(seeds: Sequence[int]) -> float:
    once = np.ones((1, POPULATION))
    values = []
    for seed in seeds:
        world = World(seed, POPULATION)
        values.append([match(world.truth, each).average_precision(once)[0] for each in (world.worse, world.better)])
    return float(np.mean([after - before for before, after in values]))


def test_the_interval_covers_the_true_difference_in_93_to_97_of_100_cases() -> None:
    truth = true_difference([10**6, 10**6 + 1, 10**6 + 2])
    assert 0.01 < truth < 0.2
    covered = 0
    for seed in range(REPETITIONS):
        world = World(seed, IMAGES)
        found = difference(
            match(world.truth, world.worse), match(world.truth, world.better), seed=seed, resamples=DRAWS
        )
        assert found is not None
        covered += found.low <= truth <= found.high
    assert 0.93 <= covered / REPETITIONS <= 0.97
