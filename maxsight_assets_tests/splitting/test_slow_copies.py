"""No copy of a picture is in two splits, nor in a split and an evaluation set, by an audit of the files themselves."""

from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from maxsight_assets_tests.splitting.test_copies import made, no_copy_is_in_two_parts


def test_none_of_2_500_copies_is_in_two_splits_or_in_a_split_and_an_evaluation_set(tmp_path: Path) -> None:
    world = made(tmp_path, 500)

    assert world.injected >= 2_500
    no_copy_is_in_two_parts(world)
    shown = Counter(world.pictures[path] for path in world.splits.images["path"])
    assert set(shown.values()) == {6}  # nothing but the pictures of the evaluation set was kept out
    assert len(shown) == 375


@pytest.mark.parametrize("crop", [0.025, 0.05, 0.1])
def test_of_copies_without_their_edges_95_percent_are_found_and_nothing_else_is(tmp_path: Path, crop: float) -> None:
    world = made(tmp_path, 200, copies=1, crop=crop)

    ends = world.splits.edges.select(pl.col("left", "right").str.extract(r"(\d+)$").cast(pl.Int64) // 100).rows()

    assert all(left == right for left, right in ends)
    assert len(set(ends)) >= 0.95 * 200
