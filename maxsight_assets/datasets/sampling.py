"""A stable sample: the same ids for the same seed on any machine, and a larger one contains the smaller."""

import hashlib
from collections.abc import Iterable


def take(ids: Iterable[str], count: int | None, *, seed: int) -> frozenset[str]:
    """Choose `count` of the ids.

    Each id gets a pseudo-random rank from the seed and itself alone, and the lowest ranks are taken: raising `count`
    only adds ids, and ids that upstream adds or removes move no other's rank.

    Args:
        ids: Ids to choose from.
        count: How many to take; null, or more than there are, takes all.
        seed: Decides the ranks.
    """
    chosen = set(ids)
    if count is None or count >= len(chosen):
        return frozenset(chosen)
    return frozenset(sorted(chosen, key=lambda image_id: rank(image_id, seed))[:count])


def rank(image_id: str, seed: int) -> tuple[bytes, str]:
    """An id's pseudo-random place among others: depends on the seed and itself alone."""
    return hashlib.blake2b(f"{seed}:{image_id}".encode(), digest_size=8).digest(), image_id
