"""The numbers are pycocotools' own, on real and on generated data, and a perfect detector has 1.0."""

import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maxsight_assets.evaluation.metrics import ABSENT, NUMBERS, Metrics, evaluate
from maxsight_assets.evaluation.sets import read_set
from maxsight_assets_tests.evaluation import cases
from maxsight_assets_tests.places import SHARED

REAL = SHARED / "data/coco_mini/annotations"


def assert_equal(one: Metrics, other: Metrics) -> None:
    assert list(one.numbers) == list(NUMBERS)
    np.testing.assert_allclose(list(one.numbers.values()), list(other.numbers.values()), atol=1e-6, rtol=0)
    assert one.classes["label"].to_list() == other.classes["label"].to_list()
    numbers = pl.selectors.numeric()
    np.testing.assert_allclose(
        one.classes.select(numbers).to_numpy(), other.classes.select(numbers).to_numpy(), atol=1e-6, rtol=0
    )
    np.testing.assert_allclose(one.precision, other.precision, atol=1e-6, rtol=0)
    assert one.slices.keys() == other.slices.keys()
    for name, (images, value) in one.slices.items():
        assert images == other.slices[name][0]
        assert value == pytest.approx(other.slices[name][1], abs=1e-6)


@given(st.data())
@settings(max_examples=25)
def test_both_engines_give_the_same_numbers_of_crowds_ignored_boxes_ties_empty_images_and_many_detections(
    data: st.DataObject,
) -> None:
    boxes = data.draw(cases.truths())
    found = data.draw(cases.found_in(boxes))
    with tempfile.TemporaryDirectory() as folder:
        evaluated = cases.a_set(Path(folder), boxes)
        slices = {"some": [1, 2], "empty": [4]}
        one = evaluate(evaluated, found, slices=slices)
        assert_equal(one, evaluate(evaluated, found, slices=slices, engine="pycocotools"))
        part = evaluate(evaluated, found, images=[2, 3, 4])
        assert_equal(part, evaluate(evaluated, found, images=[2, 3, 4], engine="pycocotools"))


@pytest.mark.skipif(not REAL.exists(), reason="the real records do not lie beside this repository")
def test_real_records_have_the_numbers_of_pycocotools() -> None:
    evaluated = read_set(REAL / "instances_val2017.json")
    found = cases.jittered(evaluated, seed=7, per_image=120)
    slices = {"first": evaluated.images["id"].head(20).to_list()}
    one = evaluate(evaluated, found, slices=slices)
    assert 0.2 < one.numbers["AP"] < 0.9
    assert one.engine.startswith("hotcoco ")
    assert_equal(one, evaluate(evaluated, found, slices=slices, engine="pycocotools"))


def test_a_perfect_detector_has_an_average_precision_of_one(tmp_path: Path) -> None:
    boxes = [
        {"image_id": 1, "category_id": 1, "bbox": [10, 10, 60, 60]},
        {"image_id": 2, "category_id": 2, "bbox": [10, 10, 60, 60]},
        {"image_id": 2, "category_id": 2, "bbox": [0, 0, 300, 200], "iscrowd": 1},
    ]
    evaluated = cases.a_set(tmp_path, boxes)
    found = evaluate(evaluated, cases.truth_as_detections(evaluated))
    assert found.numbers["AP"] == pytest.approx(1.0, abs=1e-12)
    assert found.classes["label"].to_list() == ["dog", "cat"]
    assert found.classes["boxes"].to_list() == [1, 1]
    assert found.numbers["AP_large"] == ABSENT


def test_a_detector_that_finds_nothing_has_an_average_precision_of_zero(tmp_path: Path) -> None:
    evaluated = cases.a_set(tmp_path, [{"image_id": 1, "category_id": 1, "bbox": [10, 10, 60, 60]}])
    for engine in ("hotcoco", "pycocotools"):
        assert evaluate(evaluated, cases.detections(), engine=engine).numbers["AP"] == 0.0
