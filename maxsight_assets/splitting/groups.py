"""Which images show the same picture: exact copies, near copies, and one Flickr photo in two datasets.

A group is a connected component of such images; it is never divided between two splits, and a group that holds an
evaluation image never enters training. Which split a group goes to is for `splitting.strategies`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

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

EDGES = pl.Schema(
    {
        "left": pl.String,  # key of an image
        "right": pl.String,  # key of another image, after `left` in the order of keys
        "reason": pl.String,  # content, pixels, near or flickr
        "distance": pl.Int32,  # bits in which two fingerprints differ; null where the reason is another
    }
)


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
    for left, right, distance in _near_pairs(hashes, radius):
        ends = np.sort(np.stack([rows[left], rows[right]]), axis=0)
        tables.append(
            pl.DataFrame({"left": ends[0], "right": ends[1], "distance": distance}).select(
                "left", "right", reason=pl.lit("near"), distance=pl.col("distance").cast(pl.Int32)
            )
        )
    return pl.concat(tables)


def _near_pairs(
    hashes: NDArray[np.uint64], radius: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.uint8]]]:
    """Pairs of distinct fingerprints at most `radius` bits apart.

    Two fingerprints that differ in at most r bits agree in one of r + 1 bands of bits at least, so only those that
    agree in a band are compared. A band takes every (r + 1)-th bit, so that the low frequencies, in which photos are
    most alike, are spread over all bands.
    """
    bands = radius + 1
    for band in range(bands):
        mask = np.uint64(sum(1 << bit for bit in range(band, 64, bands)))
        order = np.argsort(hashes & mask, kind="stable")
        bucket, ordered = (hashes & mask)[order], hashes[order]
        start = np.arange(hashes.size - 1)
        step = 0
        while start.size:
            step += 1
            start = start[: np.searchsorted(start, hashes.size - step)]
            start = start[bucket[start] == bucket[start + step]]
            distance = np.bitwise_count(ordered[start] ^ ordered[start + step])
            near = distance <= radius
            if near.any():
                yield order[start[near]], order[start[near] + step], distance[near]


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
    return np.array([root(row) for row in range(size)], dtype=np.intp)
