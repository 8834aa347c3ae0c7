"""Open Images' rules on a case that is small enough to compute by hand."""

from pathlib import Path

import pytest

from maxsight_assets.evaluation.openimages_rules import score
from maxsight_assets_tests.evaluation import cases

LABELS = ("animal", "dog", "cat")
ABOVE = {2: {1}, 3: {1}}
BOXES = [
    {"image_id": 1, "category_id": 2, "bbox": [0, 0, 100, 100]},
    {"image_id": 1, "category_id": 3, "bbox": [200, 0, 100, 100]},
    {"image_id": 2, "category_id": 2, "bbox": [0, 0, 200, 200], "iscrowd": 1},
]
FOUND = cases.detections(
    (1, 2, [0, 0, 100, 100], 0.9),  # the dog
    (1, 2, [0, 0, 100, 90], 0.8),  # the same dog again
    (2, 2, [10, 10, 20, 20], 0.7),  # in the group of dogs
    (2, 2, [50, 50, 20, 20], 0.6),  # in the same group
    (2, 3, [10, 10, 20, 20], 0.5),  # a cat, of which image 2 says nothing; as an animal it lies in the group
    (3, 2, [0, 0, 50, 50], 0.95),  # of image 3 nothing is said
    (1, 3, [200, 0, 100, 60], 0.4),  # the cat, overlap 0.6
)


def test_hierarchy_groups_and_unconfirmed_classes_on_a_case_computed_by_hand(tmp_path: Path) -> None:
    """By hand.

    dog: 2 boxes (one a group). By score: 0.9 right, 0.8 wrong (the box is taken), 0.7 right (the group), 0.6 ignored.
        The one of image 3 is not judged. Precision at the two hits: 1/1, 2/3. AP = (1 + 2/3) / 2 = 5/6.
    cat: 1 box; the one of image 2 is not judged; 0.4 right. AP = 1.
    animal: 3 boxes. 0.9 right, 0.8 wrong, 0.7 right (group), 0.6 and 0.5 ignored, 0.4 right.
        Precision at the hits: 1/1, 2/3, 3/4; the best from the right: 1, 3/4, 3/4. AP = 2.5 / 3 = 5/6.
    Mean: (5/6 + 1 + 5/6) / 3 = 8/9.
    """
    found = score(cases.a_set(tmp_path, BOXES, labels=LABELS), FOUND, ABOVE)
    assert found.by_class == {1: pytest.approx(5 / 6), 2: pytest.approx(5 / 6), 3: pytest.approx(1.0)}
    assert found.mean == pytest.approx(8 / 9)


def test_a_class_that_is_confirmed_to_be_absent_makes_a_detection_wrong(tmp_path: Path) -> None:
    """By hand: dog as above, but 0.95 of image 3 is wrong and comes first: 1/2, 2/4; AP = (1/2 + 1/2) / 2 = 1/2."""
    confirmed = {1: {1, 2, 3}, 2: {1, 2}, 3: {2}}
    found = score(cases.a_set(tmp_path, BOXES, labels=LABELS), FOUND, ABOVE, confirmed=confirmed)
    assert found.by_class[2] == pytest.approx(1 / 2)


def test_a_group_without_a_detection_is_a_miss_and_without_boxes_there_is_no_score(tmp_path: Path) -> None:
    evaluated = cases.a_set(tmp_path / "one", BOXES, labels=LABELS)
    assert score(evaluated, cases.detections((1, 2, [0, 0, 100, 100], 0.9)), {}).by_class == {2: 0.5, 3: 0.0}
    assert score(cases.a_set(tmp_path / "two", [], labels=LABELS), FOUND, ABOVE).mean == -1.0
