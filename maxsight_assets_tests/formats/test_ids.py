import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxsight_assets.formats import ids
from maxsight_assets.formats.ids import stable_ids

NAMES = st.lists(st.text(max_size=12), unique=True, max_size=50)


@given(NAMES)
def test_ids_are_positive_unique_and_fit_a_float(names: list[str]) -> None:
    given_ids = stable_ids(names).tolist()

    assert len(set(given_ids)) == len(names)
    assert all(0 < each < 2**53 and int(float(each)) == each for each in given_ids)


@given(NAMES)
def test_an_id_depends_on_its_name_alone(names: list[str]) -> None:
    alone = [int(stable_ids([name])[0]) for name in names]

    assert stable_ids(names).tolist() == alone


def test_an_id_never_changes() -> None:
    assert stable_ids(["coco/139", "openimages/000e100000000000"]).tolist() == [8690396506167606, 2001039874118180]


def test_names_with_one_hash_get_two_ids_in_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        ids, "_hash", lambda name: {"a": 5, "b": 5, "c": 0, "b\x001": 7, "c\x001": 5, "c\x002": 8}[name]
    )

    assert stable_ids(["c", "b", "a"]).tolist() == [8, 7, 5]
    assert stable_ids(["a", "b", "c"]).tolist() == [5, 7, 8]


def test_a_name_that_stands_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="coco/1"):
        stable_ids(["coco/1", "coco/2", "coco/1"])


def test_no_names_have_no_ids() -> None:
    assert stable_ids([]).dtype == np.int64
