"""Find the images that show the same picture: exact copies, near copies, and one Flickr photo in two datasets.

A group is a connected component of such images. It is never divided between two splits or two evaluation sets, and a
group that holds an evaluation image never enters training. `splitting.strategies` decides the split of each group.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import polars as pl
from numpy.typing import NDArray

from maxsight_assets.images.facts import PHASH
from maxsight_assets.images.near import near_pairs
from maxsight_assets.images.phash import apart

NEAR_RADIUS = 6
"""Largest number of bits by which the fingerprints of near copies may differ.

Source: the measurements in docs/explanation/copies.md. Re-encoded, rescaled and mirrored copies of photos differ by at
most 4 bits, those of drawn pictures by at most 6, and different photos by at least 15.
"""

NODES = pl.Schema(
    {
        "key": pl.String,  # names the image; unique
        "sha256": pl.String,
        "pixels": pl.String,
        "phash": PHASH,
        "flickr_id": pl.String,
    }
)
"""Schema of what grouping compares, one row per image; null means unknown and equals nothing."""

_EDGES = {
    "left": (pl.String, "one image: `<source>/<image id>`"),
    "right": (pl.String, "another image, after `left` in the order of keys"),
    "reason": (pl.String, "how it is known: `content`, `pixels`, `near` or `flickr`"),
    "distance": (pl.Int32, "bits between their fingerprints; null if the reason is another"),
}
EDGES = pl.Schema({name: dtype for name, (dtype, _) in _EDGES.items()})
"""Schema of pairs of images that show the same picture, one row per pair."""

ABOUT_EDGES: Mapping[str, str] = MappingProxyType({name: text for name, (_, text) in _EDGES.items()})
"""The meaning of each column of `EDGES`."""


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups of images, and the pairs that they follow from.

    Attributes:
        members: One row per image: `key`, and `group`, which is the smallest key of the group; sorted by key.
        edges: EDGES table, sorted; enough pairs to connect each group, not all pairs in it.
    """

    members: pl.DataFrame
    edges: pl.DataFrame


def nodes_of(images: pl.DataFrame, facts: pl.DataFrame, *, prefix: str = "") -> pl.DataFrame:
    """Return what grouping compares of each image; one without a known file has only its Flickr id.

    Args:
        images: IMAGES table.
        facts: FILE_FACTS table of their files.
        prefix: What keys begin with, before `<source>/<image id>`.

    Returns:
        The columns of NODES, and `source`, `image_id`, `split`, `path` and `orientation`, in the order of the images.
    """
    files = facts.select("path", "sha256", "pixels", "phash", "orientation").unique("path", keep="any")
    key = pl.format(prefix + "{}/{}", "source", "image_id")
    named = images.select("source", "image_id", "split", "path", "flickr_id", key=key)
    return named.join(files, on="path", how="left", maintain_order="left")


def group(nodes: pl.DataFrame, *, radius: int = NEAR_RADIUS) -> Groups:
    """Find the images that show the same picture.

    Args:
        nodes: NODES table.
        radius: Largest number of bits by which the fingerprints of near copies may differ; -1 compares no fingerprints.

    Raises:
        ValueError: Two rows have the same key.
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
    """Return edges (row numbers) from the first image with a value to the other images with the same value."""
    rows = nodes.select(pl.col(column).alias("value")).with_row_index("right").drop_nulls("value")
    return (
        rows.with_columns(left=pl.col("right").min().over("value"))
        .filter(pl.col("left") < pl.col("right"))
        .select("left", "right", reason=pl.lit(reason), distance=pl.lit(None, dtype=pl.Int32))
    )


def _near(nodes: pl.DataFrame, radius: int) -> pl.DataFrame:
    """Return edges (row numbers) between images whose fingerprints are near; equal fingerprints are joined first."""
    tables = [_equal(nodes, "phash", "near").with_columns(distance=pl.lit(0, dtype=pl.Int32))]
    if radius < 0:
        return tables[0].clear()
    first = nodes.select("phash").with_row_index("row").drop_nulls("phash")
    first = first.filter(~pl.col("row").is_in(tables[0]["right"].implode()))
    rows = first["row"].to_numpy()
    for left, right, distance in near_pairs(first["phash"].to_numpy(), radius):
        ends = np.sort(np.stack([rows[left], rows[right]]), axis=0)
        pairs = pl.DataFrame({"left": ends[0], "right": ends[1], "distance": distance})
        tables.append(pairs.select("left", "right", reason=pl.lit("near"), distance=pl.col("distance").cast(pl.Int32)))
    return pl.concat(tables).sort("left", "right", "distance").unique(["left", "right"], keep="first")


def distances(left: pl.Series, right: pl.Series) -> pl.Series:
    """Count the bits by which fingerprints differ (`images.phash.apart`); null if one of the two images has none."""
    pairs = pl.DataFrame({"left": left, "right": right}).with_row_index()
    known = pairs.drop_nulls()
    bits = pl.Series("bits", apart(known["left"].to_numpy(), known["right"].to_numpy())).cast(pl.Int32)
    return pairs.join(known.select("index", bits), on="index", how="left", maintain_order="left")["bits"]


def _components(size: int, left: NDArray[np.uint32], right: NDArray[np.uint32]) -> NDArray[np.intp]:
    """Return the smallest row number of each row's connected component (union by smaller root, path halving)."""
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


_REASONS = ("content", "pixels", "flickr", "near", "chain")  # the first that holds is reported


def shown_by(images: pl.DataFrame, others: pl.DataFrame, *, radius: int = NEAR_RADIUS) -> pl.DataFrame:
    """Pair each image with one of the others that is in its group.

    Args:
        images: NODES table with the column `group`.
        others: Another one, grouped together with the first.
        radius: Largest number of bits by which the fingerprints of near copies may differ.

    Returns:
        `key`, `other` (its key) and `because` (content, pixels, flickr, near, or chain: linked through further images
        of the group), one row per image whose group has one of the others, sorted by key.
    """
    pairs = images.join(others, on="group", how="inner", suffix="_there")
    pairs = pairs.with_columns(distance=distances(pairs["phash"], pairs["phash_there"]))
    holds = {
        "content": pl.col("sha256") == pl.col("sha256_there"),
        "pixels": pl.col("pixels") == pl.col("pixels_there"),
        "flickr": pl.col("flickr_id") == pl.col("flickr_id_there"),
        "near": pl.col("distance") <= radius,
        "chain": pl.lit(value=True),
    }
    because = pl.coalesce(pl.when(holds[reason]).then(pl.lit(reason)) for reason in _REASONS)
    strength = because.replace_strict({reason: rank for rank, reason in enumerate(_REASONS)}, return_dtype=pl.Int32)
    return (
        pairs.select("key", because.alias("because"), strength.alias("strength"), other="key_there")
        .sort("key", "strength", "other")
        .unique("key", keep="first", maintain_order=True)
        .select("key", "other", "because")
    )
