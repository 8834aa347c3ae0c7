import itertools
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from maxsight_assets.images.facts import PHASH
from maxsight_assets.images.groups import EDGES, NEAR_RADIUS, NODES, distances, group
from maxsight_assets.images.phash import CROPS
from maxsight_assets_tests.images.pictures import prints

Marks = list[int] | None


def nodes(*rows: dict[str, object]) -> pl.DataFrame:
    """Nodes of which `phash` may be given as the fingerprint of the whole picture alone."""
    named = [{"key": f"k{number}"} | row for number, row in enumerate(rows)]
    for row in named:
        if isinstance(mark := row.get("phash"), int):
            row["phash"] = prints(mark)
    return pl.DataFrame(named, schema=NODES)


def numbered(marks: NDArray[np.uint64]) -> pl.DataFrame:
    keys = [f"{number:06}" for number in range(len(marks))]
    table = pl.DataFrame({"key": keys, "phash": pl.Series(marks, dtype=PHASH)})
    return table.with_columns(sha256=None, pixels=None, flickr_id=None).cast(dict(NODES))


def bits_between(one: Marks, other: Marks) -> float:
    """The least bits between a whole picture and another's whole or, at one bit more, crop; mirrored or not."""
    if one is None or other is None:
        return math.inf
    pairs = [(one[0], other[0], 0)]
    pairs += [(one[0], crop, 1) for crop in other[1:]] + [(other[0], crop, 1) for crop in one[1:]]
    return min((a ^ b ^ flip).bit_count() + more for a, b, more in pairs for flip in (0, 0xFFFFFFFF))


def by_comparing_all(marks: list[Marks], radius: int) -> list[int]:
    """The smallest row that each row is connected with, by looking at every pair."""
    smallest = list(range(len(marks)))
    for _ in marks:
        for a, b in itertools.combinations(range(len(marks)), 2):
            if bits_between(marks[a], marks[b]) <= radius:
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


def test_a_mirrored_copy_is_near() -> None:
    mark = 0x0123456789ABCDEF

    assert group(nodes({"phash": mark}, {"phash": mark ^ 0xFFFFFFFF ^ 0b11})).edges["distance"].to_list() == [2]


@pytest.mark.parametrize("mirrored", [0, 0xFFFFFFFF])
@pytest.mark.parametrize("crop", range(1, len(CROPS)))
def test_a_cropped_copy_is_near_the_crop_of_its_original(crop: int, mirrored: int) -> None:
    original, copy = prints(1), prints(2)
    copy[0] = original[crop] ^ 0b101 ^ mirrored

    for table in (nodes({"phash": original}, {"phash": copy}), nodes({"phash": copy}, {"phash": original})):
        assert group(table).edges["distance"].to_list() == [3]


@settings(max_examples=60, deadline=None)
@given(
    centres=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=4),
    changes=st.lists(
        st.tuples(
            st.integers(0, len(CROPS) - 1),
            st.integers(0, 3),
            st.booleans(),
            st.lists(st.integers(0, 63), max_size=9),
        ),
        min_size=1,
        max_size=25,
    ),
    radius=st.integers(0, 16),
)
def test_no_near_pair_is_missed_and_none_is_made_up(
    centres: list[int], changes: list[tuple[int, int, bool, list[int]]], radius: int
) -> None:
    hashes: list[Marks] = [None]
    for number, (crop, centre, mirrored, bits) in enumerate(changes):
        marks = prints(number)
        marks[crop] = centres[centre % len(centres)] ^ (0xFFFFFFFF if mirrored else 0)
        for bit in bits:
            marks[crop] ^= 1 << bit
        hashes.append(marks)
    keys = [f"k{number:02}" for number in range(len(hashes))]

    found = group(nodes(*({"key": key, "phash": mark} for key, mark in zip(keys, hashes, strict=True))), radius=radius)

    assert found.members["group"].to_list() == [keys[root] for root in by_comparing_all(hashes, radius)]
    by_key = dict(zip(keys, hashes, strict=True))
    for left, right, _, distance in found.edges.iter_rows():
        assert left < right
        assert bits_between(by_key[left], by_key[right]) == distance <= radius


def test_distances_are_unknown_where_a_fingerprint_is() -> None:
    marks = pl.Series([prints(5), None, prints(4)], dtype=PHASH)

    assert distances(marks, marks.reverse()).to_list() == [1, None, 1]


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
    found = group(numbered(np.full((100_000, len(CROPS)), 7, dtype=np.uint64)))

    assert found.members["group"].n_unique() == 1
    assert found.edges.height == 99_999
