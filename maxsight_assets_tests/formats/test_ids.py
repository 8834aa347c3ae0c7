import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxsight_assets.formats import ids
from maxsight_assets.formats.ids import stable_ids

NAMES = (
    st.text(max_size=12) | st.integers(min_value=-1, max_value=2**64).map(str) | st.integers(0, 20).map("{:03}".format)
)
RECORDS = st.lists(st.tuples(st.sampled_from(["coco", "openimages"]), NAMES), unique=True, max_size=50)


def of(records: list[tuple[str, str]]) -> list[int]:
    sources, names = (pl.Series([record[i] for record in records], dtype=pl.String) for i in range(2))
    return stable_ids(sources, names).to_list()


@given(RECORDS)
def test_ids_are_positive_unique_and_fit_a_float(records: list[tuple[str, str]]) -> None:
    given_ids = of(records)

    assert len(set(given_ids)) == len(records)
    assert all(0 < each < 2**53 and int(float(each)) == each for each in given_ids)


@given(RECORDS)
def test_an_id_depends_on_its_record_alone(records: list[tuple[str, str]]) -> None:
    assert of(records) == [of([record])[0] for record in records]


def test_coco_keeps_its_own_numbers() -> None:
    assert of([("coco", "139"), ("coco", "908000000031")]) == [139, 908000000031]


def test_an_id_never_changes() -> None:
    records = [("coco", "0"), ("coco", "0139"), ("coco", "139~2"), ("openimages", "139"), ("openimages", "1e5:3")]

    assert of(records) == [
        6378193391990946,
        5268138470597248,
        7281331158668311,
        7886354309746590,
        6680249852406332,
    ]


def test_names_with_one_hash_get_two_ids_in_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"s/a": 5, "s/b": 5, "s/c": 6, "s/b\x001": 6, "s/b\x002": 8}
    monkeypatch.setattr(ids, "hashes", lambda names: np.array([told[name] << 12 for name in names], dtype=np.uint64))

    assert of([("s", "c"), ("s", "b"), ("s", "a")]) == [2**52 + each for each in (6, 8, 5)]
    assert of([("s", "a"), ("s", "b"), ("s", "c")]) == [2**52 + each for each in (5, 8, 6)]


@pytest.mark.parametrize("source", ["coco", "openimages"])
def test_a_record_that_is_named_twice_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match="are named"):
        of([(source, "1"), (source, "2"), (source, "1")])


def test_no_records_have_no_ids() -> None:
    assert stable_ids(pl.Series([], dtype=pl.String), pl.Series([], dtype=pl.String)).dtype == pl.Int64
