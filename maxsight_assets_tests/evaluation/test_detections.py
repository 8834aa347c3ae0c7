"""Detections of both forms are read alike, and every record that does not fit is named."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maxsight_assets.errors import FormatError
from maxsight_assets.evaluation.detections import Detections, DetectionsUnfit, convert_file, read_detections
from maxsight_assets.evaluation.sets import EvaluationSet
from maxsight_assets_tests.evaluation import cases

FOUND = {"image_id": 1, "category_id": 2, "bbox": [32.0, 24.0, 64.0, 48.0], "score": 0.5}


@pytest.fixture
def evaluated(tmp_path: Path) -> EvaluationSet:
    return cases.a_set(tmp_path / "coco_val2017", [{"image_id": 1, "category_id": 1, "bbox": [1, 1, 9, 9]}])


def written(folder: Path, document: Any) -> Path:
    path = folder / "found.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return path


def predictions(**changes: Any) -> dict[str, Any]:
    """Return FOUND as MaxSight writes it: a320x240 image, centre and size as shares, classes from 0."""
    detection = {"box": [0.2, 0.2, 0.2, 0.2], "class": 1, "confidence": 0.5}
    return {
        "model": "best_model.pt",
        "predictions": [{"image_id": "a1", "dataset": "coco", "detections": [detection | changes], "urgency": 2}],
    }


def assert_same(one: Detections, other: Detections) -> None:
    for name in ("image", "category", "boxes", "score"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-9)


def test_both_forms_hold_the_same_detections(tmp_path: Path, evaluated: EvaluationSet) -> None:
    results = read_detections(written(tmp_path, [FOUND]), evaluated)
    assert list(results.results()) == [FOUND]
    assert_same(results, read_detections(written(tmp_path, predictions()), evaluated))
    assert_same(results, Detections.of(results.table()))


@pytest.mark.parametrize("document", [[], {"predictions": []}, {"predictions": [{"image_id": "a1", "detections": []}]}])
def test_a_detector_may_find_nothing(tmp_path: Path, evaluated: EvaluationSet, document: Any) -> None:
    found = read_detections(written(tmp_path, document), evaluated)
    assert found.count == 0
    assert Detections.of(found.table()).count == 0


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"image_id": 77}, "image_id 77 is not in coco_val2017"),
        ({"category_id": 99}, "category_id 99 is no label"),
        ({"score": 1.5}, "score 1.5 is not from 0 to 1"),
        ({"score": float("nan")}, "not a number"),
        ({"bbox": [0.0, 0.0, float("inf"), 2.0]}, "not a number"),
        ({"bbox": [400.0, 10.0, 20.0, 20.0]}, "is outside of the image"),
        ({"bbox": [10.0, 10.0, -20.0, 20.0]}, "is outside of the image"),
        ({"bbox": [10.0, 10.0, 20.0]}, "Expected `array` of length 4"),
        ({"score": "0.5"}, "Expected `float`, got `str`"),
    ],
)
def test_a_record_that_does_not_fit_is_named(
    tmp_path: Path, evaluated: EvaluationSet, changes: dict[str, Any], fault: str
) -> None:
    with pytest.raises(DetectionsUnfit) as caught:
        read_detections(written(tmp_path, [FOUND, FOUND | changes, FOUND]), evaluated)
    assert caught.value.count == 1
    assert caught.value.records[0].startswith("record 1: ")
    assert fault in caught.value.records[0]
    assert "found.json: 1 records do not fit (record 1: " in str(caught.value)


def test_a_box_over_the_edge_fits(tmp_path: Path, evaluated: EvaluationSet) -> None:
    assert read_detections(written(tmp_path, [FOUND | {"bbox": [-5.0, -5.0, 400.0, 300.0]}]), evaluated).count == 1


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"class": 3}, "image a1, detection 0: category_id 4 is no label"),
        ({"confidence": -0.1}, "image a1, detection 0: score -0.1 is not from 0 to 1"),
        ({"box": [2.0, 2.0, 0.1, 0.1]}, "is outside of the image"),
    ],
)
def test_a_prediction_that_does_not_fit_is_named(
    tmp_path: Path, evaluated: EvaluationSet, changes: dict[str, Any], fault: str
) -> None:
    with pytest.raises(DetectionsUnfit, match="1 records do not fit") as caught:
        read_detections(written(tmp_path, predictions(**changes)), evaluated)
    assert fault in caught.value.records[0]


def test_predictions_of_an_image_outside_the_set_are_counted_and_named(
    tmp_path: Path, evaluated: EvaluationSet
) -> None:
    document = predictions()
    document["predictions"].append(document["predictions"][0] | {"image_id": "elsewhere"})
    path = written(tmp_path, document)
    converted = convert_file(path, evaluated)
    assert converted.detections.count == 1
    assert converted.unmatched == {"elsewhere": 1}
    with pytest.raises(DetectionsUnfit, match="image elsewhere: not in coco_val2017"):
        read_detections(path, evaluated)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"image_id": 1', r"\$\[0\]"),
        ("", r"\$"),
        ('{"results": []}', "neither COCO results nor MaxSight's predictions"),
        ('"text"', "neither COCO results nor MaxSight's predictions"),
    ],
)
def test_a_file_of_neither_form_says_where(tmp_path: Path, evaluated: EvaluationSet, text: str, said: str) -> None:
    with pytest.raises(FormatError, match=said):
        read_detections(written(tmp_path, text), evaluated)
