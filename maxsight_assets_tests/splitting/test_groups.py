import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maxsight_assets.splitting.config import NEAR_RADIUS
from maxsight_assets.splitting.groups import EDGES, NODES, group


def nodes(*rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame([{"key": f"k{number}"} | row for number, row in enumerate(rows)], schema=NODES)


def by_comparing_all(hashes: list[int | None], radius: int) -> list[int]:
    """The smallest row that each row is connected with, by looking at every pair."""
    smallest = list(range(len(hashes)))
    for _ in hashes:
        for a, b in itertools.combinations(range(len(hashes)), 2):
            one, other = hashes[a], hashes[b]
            if one is not None and other is not None and (one ^ other).bit_count() <= radius:
                smallest[a] = smallest[b] = min(smallest[a], smallest[b])
    return smallest


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [("sha256", "aa", "content"), ("pixels", "bb", "pixels"), ("flickr_id", "123", "flickr"), ("phash", 9, "near")],
)
def test_images_with_an_equal_value_are_one_group(column: str, value: object, reason: str) -> None:
    found = group(nodes({column: value}, {}, {column: value}, {}))

    assert found.members["group"].to_list() == ["k0", "k1", "k0", "k3"]
    assert found.edges.select("left", "right", "reason").rows() == [("k0", "k2", reason)]


def test_the_strongest_reason_is_stated_once() -> None:
    same = {"sha256": "a", "pixels": "b", "phash": 3, "flickr_id": "4"}

    assert group(nodes(same, same)).edges.rows() == [("k0", "k1", "content", None)]


def test_unknown_values_are_equal_to_nothing() -> None:
    assert group(nodes({}, {}, {})).edges.is_empty()


def test_groups_are_transitive_over_reasons() -> None:
    found = group(
        nodes({"sha256": "a"}, {"sha256": "a", "flickr_id": "1"}, {"flickr_id": "1", "phash": 0}, {"phash": 1})
    )

    assert found.members["group"].unique().to_list() == ["k0"]


@pytest.mark.parametrize("bits", [0, 1, 5, 6, 7, 20])
def test_fingerprints_are_near_within_the_radius(bits: int) -> None:
    mark = 0x0123456789ABCDEF
    found = group(nodes({"phash": mark}, {"phash": mark ^ ((1 << bits) - 1)}))

    assert found.edges["distance"].to_list() == ([bits] if bits <= NEAR_RADIUS else [])


@settings(max_examples=60, deadline=None)
@given(
    centres=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=4),
    flips=st.lists(st.tuples(st.integers(0, 3), st.lists(st.integers(0, 63), max_size=9)), min_size=1, max_size=25),
    radius=st.integers(0, 10),
)
def test_no_near_pair_is_missed_and_none_is_made_up(
    centres: list[int], flips: list[tuple[int, list[int]]], radius: int
) -> None:
    hashes: list[int | None] = [None]
    for centre, bits in flips:
        mark = centres[centre % len(centres)]
        for bit in bits:
            mark ^= 1 << bit
        hashes.append(mark)
    keys = [f"k{number:02}" for number in range(len(hashes))]

    found = group(nodes(*({"key": key, "phash": mark} for key, mark in zip(keys, hashes, strict=True))), radius=radius)

    assert found.members["group"].to_list() == [keys[root] for root in by_comparing_all(hashes, radius)]
    marks = dict(zip(keys, hashes, strict=True))
    for left, right, _, distance in found.edges.iter_rows():
        assert left < right
        assert (marks[left] ^ marks[right]).bit_count() == distance <= radius


def test_no_fingerprints_are_compared_on_demand() -> None:
    assert group(nodes({"phash": 1}, {"phash": 1}), radius=-1).edges.is_empty()


def test_the_order_of_rows_does_not_matter() -> None:
    table = nodes(*({"phash": n // 2 * 2**40 + n % 2} for n in range(40)), {"sha256": "a"}, {"sha256": "a"})

    first, second = group(table), group(table.sample(fraction=1, shuffle=True, seed=3))

    assert first.members.equals(second.members)
    assert first.edges.equals(second.edges)


def test_a_key_that_stands_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="k0"):
        group(nodes({"key": "k0"}, {"key": "k0"}))


def test_no_images_are_no_groups() -> None:
    found = group(NODES.to_frame())

    assert found.members.is_empty()
    assert found.edges.schema == EDGES


def test_many_equal_fingerprints_are_not_compared_pair_by_pair() -> None:
    table = pl.DataFrame({"key": [f"{n:06}" for n in range(100_000)], "phash": np.full(100_000, 7, dtype=np.uint64)})

    found = group(table.with_columns(sha256=None, pixels=None, flickr_id=None).cast(dict(NODES)))

    assert found.members["group"].n_unique() == 1
    assert found.edges.height == 99_999


@pytest.mark.slow
def test_chance_alone_makes_no_groups_of_200_000_images() -> None:
    marks = np.random.default_rng(7).integers(0, 2**64, 200_000, dtype=np.uint64)
    table = pl.DataFrame({"key": [f"{n:06}" for n in range(200_000)], "phash": marks})

    found = group(table.with_columns(sha256=None, pixels=None, flickr_id=None).cast(dict(NODES)))

    assert found.members["group"].value_counts()["count"].max() <= 2
    assert found.edges.height <= 5
