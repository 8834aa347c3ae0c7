"""Say whether the AP of two detectors on one set really differs: a paired bootstrap over the images.

Both detectors are judged on the same resamples, so what makes an image hard for both cancels out. Images are drawn with
replacement and weigh as often as they are drawn.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maxsight_assets.evaluation.detections import Detections
from maxsight_assets.evaluation.matching import MatchTable, match
from maxsight_assets.evaluation.sets import EvaluationSet

RESAMPLES = 1_000
COVERS = 0.95
"""Share of cases in which the interval should cover the true difference."""

SEED = 20_170_701
_CELLS = 100_000
"""Weights of detections that are worked on at once: they stay in a processor's cache."""

_WORKERS = 2


@dataclass(frozen=True, slots=True)
class Difference:
    """AP of a detector less AP of the one that it is compared with, on the same images.

    Attributes:
        before: AP of the one that it is compared with. `after`: AP of the detector.
        low: Lower end of the 95 % interval of the difference. `high`: its upper end.
        smallest: The smallest drop that this set can show: half of the interval's width.
        images: Number of images that both were judged on.
    """

    before: float
    after: float
    low: float
    high: float
    smallest: float
    images: int

    @property
    def value(self) -> float:
        """The difference itself; below 0 if AP dropped."""
        return self.after - self.before

    @property
    def is_real(self) -> bool:
        """Whether the interval excludes zero."""
        return self.low > 0 or self.high < 0

    @property
    def is_drop(self) -> bool:
        """Whether AP dropped, and the interval excludes zero."""
        return self.high < 0


def compare(
    evaluated: EvaluationSet,
    before: Detections,
    after: Detections,
    *,
    images: Sequence[int] | None = None,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Difference | None:
    """Compare two detectors on one set.

    Args:
        evaluated: The set.
        before: What `after` is compared with.
        after: The detections in question.
        images: Ids of the images that count; None for all.
        resamples: Number of resamples.
        seed: Of the random draws; the same seed gives the same interval.

    Returns:
        The difference; None if there is nothing to find in these images.
    """
    chosen = None if images is None else sorted(images)
    return difference(
        match(evaluated, before, images=chosen),
        match(evaluated, after, images=chosen),
        resamples=resamples,
        seed=seed,
    )


def difference(
    before: MatchTable, after: MatchTable, *, resamples: int = RESAMPLES, seed: int = SEED
) -> Difference | None:
    """Compare two match tables over the same images; see `compare`."""
    once = np.ones((1, before.images))
    if not before.truth_class.size:
        return None
    was, now = float(before.average_precision(once)[0]), float(after.average_precision(once)[0])
    size = max(1, _CELLS // max(before.found.size, after.found.size, before.hits.size, after.hits.size, 1))
    random = np.random.default_rng(seed)
    starts = range(0, resamples, size)
    draws = [random.integers(2**63) for _ in starts]

    def drawn(block: tuple[int, int]) -> NDArray[np.float64]:
        start, number = block
        count = min(size, resamples - start)
        weights = _weights(np.random.default_rng(number), count, before.images)
        return after.average_precision(weights) - before.average_precision(weights)

    with ThreadPoolExecutor(_WORKERS) as threads:
        differences = np.concatenate(list(threads.map(drawn, zip(starts, draws, strict=True))))
    tail = (1 - COVERS) / 2
    low, high = np.nanquantile(differences, [tail, 1 - tail]).tolist()
    return Difference(was, now, low, high, (high - low) / 2, before.images)


def _weights(random: np.random.Generator, resamples: int, images: int) -> NDArray[np.float64]:
    """Return how often each image is drawn if as many are drawn as there are, with replacement."""
    draws = random.integers(images, size=(resamples, images))
    shifted = draws + np.arange(resamples)[:, None] * images
    return np.bincount(shifted.ravel(), minlength=resamples * images).reshape(resamples, images).astype(np.float64)
