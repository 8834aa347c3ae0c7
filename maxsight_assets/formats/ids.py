"""Integer ids for records that publishers name in their own ways.

COCO's format wants integers. A record's id depends on its own name alone, so it stays when other data is added.
"""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

BITS = 53
"""Ids stay below 2**53: pycocotools keeps them in float64, and JavaScript reads JSON numbers as such."""


def stable_ids(names: Sequence[str]) -> NDArray[np.int64]:
    """Give each name a positive integer.

    Of two names with the same hash (for 860,001 names one chance in 24,000), the later in the order of names is hashed
    again. 0 is never given: pycocotools takes it for "no match".

    Args:
        names: Unique names.

    Returns:
        Array of shape (len(names),), unique values in [1, 2**53).

    Raises:
        ValueError: A name stands twice.
    """
    ids = np.array([_hash(name) for name in names], dtype=np.int64)
    values, counts = np.unique(ids, return_counts=True)
    clashing = set(values[(counts > 1) | (values == 0)].tolist())
    if not clashing:
        return ids
    taken = set(values.tolist()) - clashing
    last = None
    for row in sorted(np.flatnonzero(np.isin(ids, list(clashing))).tolist(), key=names.__getitem__):
        if names[row] == last:
            raise ValueError(f"two records are named {last}")
        last, attempt = names[row], 0
        while (candidate := _hash(f"{last}\0{attempt}" if attempt else last)) in taken or candidate == 0:
            attempt += 1
        taken.add(candidate)
        ids[row] = candidate
    return ids


def _hash(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big") >> (64 - BITS)
