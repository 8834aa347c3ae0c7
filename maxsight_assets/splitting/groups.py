"""Which images show the same picture: exact copies, near copies, and one Flickr photo in two datasets.

A group is a connected component of such images; it is never divided between two splits, and a group that holds an
evaluation image never enters training. Which split a group goes to is for `splitting.strategies`.
"""

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType

import numpy as np
import polars as pl
from numpy.typing import NDArray

from maxsight_assets.splitting.config import NEAR_RADIUS

NODES = pl.Schema(
    {
        "key": pl.String,  # names the image; unique
        "sha256": pl.String,
        "pixels": pl.String,
        "phash": pl.UInt64,
        "flickr_id": pl.String,
    }
)
"""What grouping looks at, one row an image; null: unknown, equal to nothing."""

_EDGES = {
    "left": (pl.String, "one image: `<source>/<image id>`"),
    "right": (pl.String, "another image, after `left` in the order of keys"),
    "reason": (pl.String, "how it is known: `content`, `pixels`, `near` or `flickr`"),
    "distance": (pl.Int32, "bits in which two fingerprints differ; null if the reason is another"),
}
EDGES = pl.Schema({name: dtype for name, (dtype, _) in _EDGES.items()})
"""Schema of pairs of images that show the same picture, one row a pair."""

ABOUT_EDGES: Mapping[str, str] = MappingProxyType({name: text for name, (_, text) in _EDGES.items()})
"""What each column of `EDGES` holds."""

_PAIRS = 1_000_000  # compared at once, which bounds the memory whatever the fingerprints are


@dataclass(frozen=True, slots=True)
class Groups:
    """Images that belong together.

    Attributes:
        members: One row an image: `key`, and `group`, the smallest key of its group; sorted by key.
        edges: EDGES table, sorted; enough pairs to connect each group, not all pairs in it.
    """

    members: pl.DataFrame
    edges: pl.DataFrame


def group(nodes: pl.DataFrame, *, radius: int = NEAR_RADIUS) -> Groups:
    """Find the images that show the same picture.

    Args:
        nodes: NODES table.
        radius: Fingerprints that differ in at most so many bits are near copies; -1 compares no fingerprints.

    Raises:
        ValueError: Two rows have one key.
    """
    nodes = nodes.select(NODES.names()).sort("key")
    if nodes["key"].n_unique() < nodes.height:
        raise ValueError(f"images are named twice: {nodes.filter(pl.col('key').is_duplicated())['key'][0]}")
    found = [
        _equal(nodes, "sha256", "content"),
        _equal(nodes, "pixels", "pixels"),
        _near(nodes, radius),
        _equal(nodes, "flickr_id", "flickr"),
    ]
    edges = pl.concat(found)
    roots = _components(nodes.height, edges["left"].to_numpy(), edges["right"].to_numpy())
    keys = nodes["key"]
    members = pl.DataFrame({"key": keys, "group": keys.gather(roots)})
    named = edges.with_columns(left=keys.gather(edges["left"]), right=keys.gather(edges["right"]))
    return Groups(
        members, named.cast(EDGES).unique(["left", "right"], keep="first", maintain_order=True).sort(pl.all())
    )


def _equal(nodes: pl.DataFrame, column: str, reason: str) -> pl.DataFrame:
    """Edges (row numbers) from the first image with a value to the others with the same one."""
    rows = nodes.select(pl.col(column).alias("value")).with_row_index("right").drop_nulls("value")
    return (
        rows.with_columns(left=pl.col("right").min().over("value"))
        .filter(pl.col("left") < pl.col("right"))
        .select("left", "right", reason=pl.lit(reason), distance=pl.lit(None, dtype=pl.Int32))
    )


def _near(nodes: pl.DataFrame, radius: int) -> pl.DataFrame:
    """Edges (row numbers) between images whose fingerprints are near; equal fingerprints are joined first."""
    equal = _equal(nodes, "phash", "near").with_columns(distance=pl.lit(0, dtype=pl.Int32))
    if radius < 0:
        return equal.clear()
    first = (
        nodes.select("phash")
        .with_row_index("row")
        .drop_nulls("phash")
        .unique("phash", keep="first")
        .sort("phash", "row")
    )
    rows, hashes = first["row"].to_numpy(), first["phash"].to_numpy()
    tables = [equal]
    bands = max(4, radius // 2 + 1)  # four make bands of 16 bits, of which a table can be made
    with ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="near") as pool:  # NumPy leaves the GIL
        found = pool.map(lambda band: list(_near_pairs(hashes, radius, range(band, 64, bands))), range(bands))
    for left, right, distance in chain.from_iterable(found):
        ends = np.sort(np.stack([rows[left], rows[right]]), axis=0)
        tables.append(
            pl.DataFrame({"left": ends[0], "right": ends[1], "distance": distance}).select(
                "left", "right", reason=pl.lit("near"), distance=pl.col("distance").cast(pl.Int32)
            )
        )
    return pl.concat(tables)


def _near_pairs(
    hashes: NDArray[np.uint64], radius: int, bits: range
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.uint8]]]:
    """Pairs of distinct fingerprints at most `radius` bits apart that differ in one bit at most in a band of bits.

    Of n bands of bits, two fingerprints that differ in fewer than 2 n bits differ in one bit at most in one of the
    bands: together the bands find all pairs. A band takes every n-th bit, so that the low frequencies, in which photos
    are most alike, are spread over all bands.
    """
    values = np.zeros(hashes.size, dtype=np.intp)
    for place, bit in enumerate(bits):
        values |= ((hashes >> np.uint64(bit)) & np.uint64(1)).astype(np.intp) << place
    order = np.argsort(values, kind="stable")
    values, ordered = values[order], hashes[order]
    bucket = np.searchsorted(values, np.arange(2 ** len(bits) + 1))
    for flip in (0, *(1 << place for place in range(len(bits)))):
        first = np.maximum(bucket[values ^ flip], np.arange(1, hashes.size + 1))  # each pair from its first row alone
        for left, right in _ranges(first, bucket[(values ^ flip) + 1]):
            distance = np.bitwise_count(ordered[left] ^ ordered[right])
            near = distance <= radius
            if near.any():
                yield order[left[near]], order[right[near]], distance[near]


def _ranges(first: NDArray[np.intp], end: NDArray[np.intp]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Pairs (row, other) with other in [first[row], end[row]), a bounded number at a time."""
    counts = np.maximum(end - first, 0)
    total = np.cumsum(counts)
    start = 0
    while start < counts.size:
        done = total[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(total, done + _PAIRS, side="right")))
        rows = np.repeat(np.arange(start, stop), counts[start:stop])
        nth = np.arange(rows.size) - (total[rows] - counts[rows] - done)
        yield rows, first[rows] + nth
        start = stop


def _components(size: int, left: NDArray[np.uint32], right: NDArray[np.uint32]) -> NDArray[np.intp]:
    """The smallest row number of each row's connected component (union by the smaller root, with path halving)."""
    parent = list(range(size))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for one, other in zip(left.tolist(), right.tolist(), strict=True):
        a, b = root(one), root(other)
        parent[max(a, b)] = min(a, b)
    roots = np.arange(size, dtype=np.intp)
    joined = np.union1d(left, right)
    roots[joined] = [root(row) for row in joined.tolist()]
    return roots
