"""Confident detections that contradict the ground truth are named, most confident first, and confusions are counted."""

from pathlib import Path

from maxsight_assets.evaluation.suspects import CONFUSED, NOTHING, SUSPECTS, UNCONFIRMED, diagnose
from maxsight_assets_tests.evaluation import cases

BOXES = [
    {"image_id": 1, "category_id": 1, "bbox": [10, 10, 50, 50]},
    {"image_id": 1, "category_id": 2, "bbox": [100, 100, 100, 100], "iscrowd": 1},
    {"image_id": 2, "category_id": 1, "bbox": [10, 10, 50, 50]},
]
FOUND = cases.detections(
    (2, 3, [200, 100, 40, 40], 0.8),  # nothing is there
    (1, 2, [10, 10, 50, 50], 0.9),  # a dog, says the annotator
    (1, 2, [120, 120, 40, 40], 0.95),  # in the crowd
    (2, 1, [11, 10, 50, 50], 0.7),  # right
    (2, 3, [250, 100, 40, 40], 0.4),  # not sure
)


def test_a_confident_detection_with_another_label_or_without_a_box_is_a_suspect(tmp_path: Path) -> None:
    found = diagnose(cases.a_set(tmp_path, BOXES), FOUND).suspects
    assert found.schema == SUSPECTS
    assert found.select("image", "label", "score", "why", "truth").rows() == [
        ("some/a1.jpg", "cat", 0.9, "the box there has another label", "dog"),
        ("some/a2.jpg", "cup", 0.8, "no box is there", None),
    ]
    assert found.select("x", "y", "w", "h").row(1) == (200, 100, 40, 40)


def test_where_not_every_label_is_boxed_a_detection_without_a_box_says_so(tmp_path: Path) -> None:
    found = diagnose(cases.a_set(tmp_path, BOXES), FOUND, exhaustive=False).suspects
    assert found["why"].to_list() == ["the box there has another label", UNCONFIRMED]


def test_confused_labels_are_counted(tmp_path: Path) -> None:
    found = diagnose(cases.a_set(tmp_path, BOXES), FOUND).confused
    assert {("dog", "cat", 1), ("dog", "dog", 1), (NOTHING, "cup", 1)} <= set(found.rows())


def test_a_detector_that_finds_nothing_says_nothing(tmp_path: Path) -> None:
    found = diagnose(cases.a_set(tmp_path, BOXES), cases.detections())
    assert (found.suspects.schema, found.confused.schema) == (SUSPECTS, CONFUSED)
    assert found.suspects.is_empty()
