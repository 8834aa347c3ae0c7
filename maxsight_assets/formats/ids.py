"""Integer ids for records that publishers name in different ways.

COCO's format requires integers. A record's id depends on its own name alone, so it stays when other data is added.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b

import numpy as np
import polars as pl
from numpy.typing import NDArray

NUMBERED = "coco"
"""The source whose own numbers are used as ids, because published results and existing scripts use them."""

BITS = 53
"""Ids stay below 2**53, because pycocotools and JavaScript keep them in float64."""

_HASHED_FROM = 1 << (BITS - 1)  # hashes lie above, numbers below, so that neither can be the other
_NUMBER = r"^[1-9][0-9]{0,14}$"  # 15 digits are less than _HASHED_FROM


def stable_ids(sources: pl.Series, names: pl.Series) -> pl.Series:
    """Give each record a positive integer: COCO its own number, all others a hash of their source and name.

    If two records have the same hash (for 860,001 records one chance in 12,000), the later one in the order of names is
    hashed again. No id is 0, which pycocotools takes for "no match".

    Args:
        sources: Source of each record.
        names: The publisher's id of each record; source and name together are unique.

    Returns:
        Int64 series, unique values in [1, 2**53).

    Raises:
        ValueError: Two records have the same source and name.
    """
    numbered = (sources == NUMBERED) & names.str.contains(_NUMBER)
    ids = names.set(~numbered, None).cast(pl.Int64)
    hashed = (~numbered).arg_true()
    if hashed.len():
        ids[hashed] = pl.Series(_hashed((sources.gather(hashed) + "/" + names.gather(hashed)).to_list()))
    if ids.n_unique() < ids.len():
        raise ValueError(f"two records are named {names.filter(ids.is_duplicated())[0]}")
    return ids.alias("id")


def hashes(names: Iterable[str]) -> NDArray[np.uint64]:
    """Return 64 bits of BLAKE2b for each name: the same on every machine and in every release."""
    digests = b"".join([blake2b(name.encode(), digest_size=8).digest() for name in names])
    return np.frombuffer(digests, dtype=">u8").astype(np.uint64)


def draws(names: pl.Series, seed: int) -> pl.Series:
    """Return a number in [0, 1) for each name, which depends on the name and the seed alone."""
    drawn = hashes((f"{seed}\0" + names).to_list()) >> np.uint64(64 - BITS)
    return pl.Series(drawn / 2**BITS)


def _hashed(names: Sequence[str]) -> NDArray[np.int64]:
    """Return a number in [2**52, 2**53) for each name."""
    ids = _in_range(hashes(names))
    values, counts = np.unique(ids, return_counts=True)
    clashing = values[counts > 1]
    taken, last = set(values.tolist()) - set(clashing.tolist()), None
    for row in sorted(np.flatnonzero(np.isin(ids, clashing)).tolist(), key=names.__getitem__):
        if names[row] == last:
            raise ValueError(f"two records are named {last}")
        last, attempt, candidate = names[row], 0, int(ids[row])
        while candidate in taken:
            attempt += 1
            candidate = int(_in_range(hashes([f"{last}\0{attempt}"]))[0])
        taken.add(candidate)
        ids[row] = candidate
    return ids


def _in_range(values: NDArray[np.uint64]) -> NDArray[np.int64]:
    return (values >> np.uint64(65 - BITS)).astype(np.int64) | _HASHED_FROM
