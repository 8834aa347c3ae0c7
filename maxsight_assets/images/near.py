"""Finds all near fingerprints among hundreds of thousands without comparing every pair.

`images.phash` defines fingerprints and their comparison; `splitting` decides what follows from near ones.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from maxsight_assets.images.phash import CROP_BITS, MIRROR, distances

Pairs = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.uint8]]

_AT_ONCE = 1 << 16  # fingerprints that are looked up together, which bounds the memory


def near_pairs(prints: NDArray[np.uint64], radius: int) -> Iterator[Pairs]:
    """Find every pair of pictures that are at most `radius` bits apart (`images.phash.apart`).

    Args:
        prints: Fingerprints as `images.phash.fingerprints` returns them, one row a picture.
        radius: Most bits between two near pictures, 0 or more.

    Yields:
        Row numbers of one picture and of another, and the bits between two of their fingerprints. A pair may come
        again.
    """
    columns = np.ascontiguousarray(prints.T)
    with ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="near") as pool:  # NumPy leaves the GIL
        for crops, bits in ((range(1), 0), (range(1, len(columns)), CROP_BITS)):
            if bits <= radius:
                search = _Search(columns, crops, radius - bits)
                found = pool.map(search.equal_in, *zip(*search.pairs, strict=True))
                for left, right, distance in chain.from_iterable(found):
                    yield left, right, distance + np.uint8(bits)


class _Search:
    """A search for two near fingerprints, at least one of them of a whole picture.

    The 64 bits are divided into `radius + 3` bands or more, and the bands into parts, of which there is one fewer than
    bands that near fingerprints, which differ in at most `radius` bits, must be equal in. So near fingerprints are
    equal in two bands of one part, and the search compares, for each such pair of bands, fingerprints equal in both.
    """

    def __init__(self, columns: NDArray[np.uint64], crops: range, radius: int) -> None:
        """Divide fingerprints into bands.

        Args:
            columns: Fingerprints, shape (fingerprints a picture, pictures); the first row is of the whole pictures.
            crops: Rows that are compared with the first.
            radius: Bits in which near fingerprints may differ.
        """
        self.columns, self.crops, self.radius = columns, crops, radius
        count = max(7, radius + 3)  # at most ten bits a band, so that a table of two bands' values fits in memory
        self.bands = _bands(columns, count)
        parts = np.array_split(np.arange(count), count - radius - 1)
        self.part_of = {int(band): part.tolist() for part in parts for band in part}
        self.pairs = [pair for part in parts for pair in combinations(part.tolist(), 2)]

    def equal_in(self, one: int, other: int) -> list[Pairs]:
        """Find near fingerprints equal in bands `one` and `other`, and in no other of their part before `other`."""
        bands = self.bands[one], self.bands[other]
        earlier = [self.bands[band].mask for band in self.part_of[one] if band < other and band != one]
        keys = _keys(*bands, 0)
        rows, order = np.arange(keys.size, dtype=np.int32), np.argsort(keys).astype(np.int32)
        wholes, counts = self.columns[0, order], np.bincount(keys, minlength=1 << bands[0].width + bands[1].width)
        ends = np.cumsum(counts, dtype=np.int32)
        starts = ends - counts.astype(np.int32)
        found = []
        for crop in self.crops:
            if crop:
                owner, looking, key = rows, self.columns[crop], _keys(*bands, crop)
                start, end = starts[key], ends[key]
            else:  # each pair of whole pictures is found from its first row alone
                owner, looking, start, end = order, wholes, rows + np.int32(1), ends[keys[order]]
            for row, place in _near(looking, wholes, start, end, self.radius):
                left, right = owner[row], order[place]
                new = (left != right) & ~_agree(looking[row], wholes[place], self.radius, earlier)
                found.append((left[new], right[new], distances(looking[row[new]], wholes[place[new]])))
        return found


@dataclass(frozen=True, slots=True, eq=False)
class _Band:
    """Neighbouring bits of all fingerprints.

    Attributes:
        mask: The bits of the band.
        width: Number of its bits.
        flip: Bits of its value that mirroring flips.
        values: Its value in each fingerprint.
    """

    mask: np.uint64
    width: int
    flip: int
    values: NDArray[np.uint32]


def _bands(prints: NDArray[np.uint64], count: int) -> list[_Band]:
    bands = []
    for start, end in pairwise(64 * number // count for number in range(count + 1)):
        mask = np.uint64((1 << end) - (1 << start))
        flip = int(MIRROR & mask) >> start
        bands.append(_Band(mask, end - start, flip, ((prints & mask) >> start).astype(np.uint32)))
    return bands


def _keys(one: _Band, other: _Band, crop: int) -> NDArray[np.uint32]:
    """Return the value of two bands in each fingerprint or in its mirrored one, whichever is smaller."""
    keys = one.values[crop] | other.values[crop] << one.width
    return np.asarray(np.minimum(keys, keys ^ np.uint32(one.flip | other.flip << one.width)))


def _near(
    looking: NDArray[np.uint64],
    wholes: NDArray[np.uint64],
    start: NDArray[np.int32],
    end: NDArray[np.int32],
    radius: int,
) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int32]]]:
    """Yield near fingerprints as rows of `looking` and places in `wholes`, each place in [start[row], end[row])."""
    for block in range(0, looking.size, _AT_ONCE):
        some = slice(block, block + _AT_ONCE)
        place, stop, mine = start[some], end[some], looking[some]
        row = np.arange(block, block + place.size, dtype=np.int32)
        while (more := np.flatnonzero(place < stop)).size:
            row, place, stop, mine = row[more], place[more], stop[more], mine[more]
            near = np.flatnonzero(distances(mine, wholes[place]) <= radius)
            if near.size:
                yield row[near], place[near]
            place = place + np.int32(1)


def _agree(
    left: NDArray[np.uint64], right: NDArray[np.uint64], radius: int, masks: Sequence[np.uint64]
) -> NDArray[np.bool_]:
    """Return whether near fingerprints are equal in one of the bands, mirrored if only mirroring makes them near."""
    differing = left ^ right
    differing = np.where(np.bitwise_count(differing) <= radius, differing, differing ^ MIRROR)
    agree = np.zeros(differing.size, dtype=np.bool_)
    for mask in masks:
        agree |= differing & mask == 0
    return agree
