"""The match table gives the engine's AP for any weights of images, and the bootstrap tells chance from change."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maxsight_assets.evaluation.compare import compare
from maxsight_assets.evaluation.detections import Detections
from maxsight_assets.evaluation.matching import match
from maxsight_assets.evaluation.metrics import ABSENT, evaluate
from maxsight_assets_tests.evaluation import cases


@given(st.data())
@settings(max_examples=25)
def test_weights_of_one_give_the_engine_s_average_precision(data: st.DataObject) -> None:
    boxes = data.draw(cases.truths())
    found = data.draw(cases.found_in(boxes))
    with tempfile.TemporaryDirectory() as folder:
        evaluated = cases.a_set(Path(folder), boxes)
        expected = evaluate(evaluated, found).numbers["AP"]
        table = match(evaluated, found)
    value = float(table.average_precision(np.ones((1, table.images)))[0])
    assert value == pytest.approx(expected, abs=1e-6) or (np.isnan(value) and expected == ABSENT)


@given(st.data())
@settings(max_examples=15)
def test_an_image_of_weight_two_counts_like_two_images(data: st.DataObject) -> None:
    boxes = data.draw(cases.truths())
    tied = data.draw(cases.found_in(boxes))
    apart = tied.score / 2 + np.arange(tied.count) / 1000  # copies of tied detections would stand in another order
    found = Detections(tied.image, tied.category, tied.boxes, apart)
    weights = np.array(data.draw(st.lists(st.integers(0, 3), min_size=4, max_size=4)), np.float64)
    copies = [(image, image + 4 * copy) for image in range(1, 5) for copy in range(int(weights[image - 1]))]
    again = [{**box, "image_id": new} for box in boxes for old, new in copies if old == box["image_id"]]
    rows = [np.flatnonzero(found.image == old) for old, _ in copies]
    chosen = np.concatenate([np.zeros(0, np.int64), *rows])
    new = np.concatenate(
        [np.zeros(0, np.int64), *(np.full(row.size, to) for row, (_, to) in zip(rows, copies, strict=True))]
    )
    with tempfile.TemporaryDirectory() as folder:
        table = match(cases.a_set(Path(folder) / "one", boxes), found)
        repeated = cases.a_set(Path(folder) / "two", again, images=16)
        copied = Detections(new, found.category[chosen], found.boxes[chosen], found.score[chosen])
        expected = evaluate(repeated, copied, images=[to for _, to in copies]).numbers["AP"] if copies else ABSENT
    value = float(table.average_precision(weights[None])[0])
    assert value == pytest.approx(expected, abs=1e-6) or (np.isnan(value) and expected == ABSENT)


def test_two_equal_detectors_differ_by_nothing(tmp_path: Path) -> None:
    evaluated = cases.a_set(tmp_path, [{"image_id": n, "category_id": 1, "bbox": [9, 9, 50, 50]} for n in range(1, 5)])
    found = cases.jittered(evaluated, seed=1)
    difference = compare(evaluated, found, found)
    assert difference is not None
    assert (difference.value, difference.low, difference.high, difference.is_real) == (0, 0, 0, False)


def test_nothing_to_find_is_no_difference(tmp_path: Path) -> None:
    assert compare(cases.a_set(tmp_path, []), cases.detections(), cases.detections()) is None
