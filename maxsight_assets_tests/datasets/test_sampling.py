"""Stable samples."""

from hypothesis import given
from hypothesis import strategies as st

from maxsight_assets.datasets.sampling import take

IDS = st.sets(st.text(min_size=1, max_size=8), max_size=60)


@given(ids=IDS, fewer=st.integers(0, 60), more=st.integers(0, 60))
def test_a_larger_count_only_adds(ids: set[str], fewer: int, more: int) -> None:
    fewer, more = sorted((fewer, more))

    assert take(ids, fewer, seed=42) <= take(ids, more, seed=42)
    assert len(take(ids, more, seed=42)) == min(more, len(ids))


@given(ids=IDS, new=st.text(min_size=1), count=st.integers(0, 60))
def test_an_id_that_upstream_adds_moves_at_most_one_other(ids: set[str], new: str, count: int) -> None:
    before, after = take(ids, count, seed=42), take(ids | {new}, count, seed=42)

    assert len(before - after) <= 1
    assert after - before <= {new}


def test_no_count_takes_all_and_the_seed_decides() -> None:
    ids = [f"{number:012d}" for number in range(1000)]

    assert take(ids, None, seed=1) == set(ids)
    assert take(ids, 100, seed=1) != take(ids, 100, seed=2)
    assert sorted(take(ids, 3, seed=42)) == ["000000000334", "000000000741", "000000000934"]
