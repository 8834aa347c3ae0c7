import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from maxsight_assets.splitting.config import SPLITS
from maxsight_assets_tests.cleaning.records import box, boxes_of, facts_of, image, images_of
from maxsight_assets_tests.splitting.worlds import SPACE, World, shuffled, split, written

BOXES = {
    "a": ("door", 200.0, 30.0),
    "b": ("dog", 200.0, 10.0),
    "c": ("person", 200.0, 25.0),
    "d": ("dog", 200.0, 90.0),
    "e": ("door", 204.0, 30.0),
}
"""Label, left edge and side of the square boxes of each image, by box id."""


def mixed(number: int) -> World:
    images = images_of(*(image(str(i)) for i in range(1, number + 1)))
    boxes = boxes_of(
        *(
            box(f"{each}{i}", str(i), x=left, y=200.0, w=side, h=side, label=label)
            for i in range(1, number + 1)
            for each, (label, left, side) in BOXES.items()
        )
    )
    return images, boxes, facts_of(images)


def crowded(boxes_by_image: dict[str, int]) -> World:
    images = images_of(*(image(name) for name in boxes_by_image))
    boxes = boxes_of(
        *(box(f"{name}:{n}", name, x=float(n)) for name, count in boxes_by_image.items() for n in range(count))
    )
    return images, boxes, facts_of(images)


def annotations_of(directory: Path) -> dict[str, list[dict[str, Any]]]:
    """The annotations of each image of all splits, in the order of the file."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name in SPLITS:
        document = json.loads((directory / f"maxsight_{name}.json").read_bytes())
        ids = {each["id"]: each["source_id"] for each in document["images"]}
        for each in document["annotations"]:
            found.setdefault(ids[each["image_id"]], []).append(each)
    return found


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ({}, "daecb"),
        ({"order_boxes": "area"}, "daecb"),
        ({"order_boxes": "urgency"}, "dcbea"),  # a person or a dog before a larger door
        ({"order_boxes": "file"}, "abcde"),
    ],
)
def test_boxes_of_an_image_stand_in_the_order_asked_for(tmp_path: Path, order: dict[str, str], expected: str) -> None:
    written(split(shuffled(mixed(9), seed=3), sizes={"val": 0.3, "test": 0.3}, **order), tmp_path / "out")

    found = annotations_of(tmp_path / "out")

    assert len(found) == 9
    for image_id, boxes in found.items():
        assert [each["source_id"] for each in boxes] == [f"{each}{image_id}" for each in expected]


def test_the_order_changes_neither_ids_nor_what_a_box_says(tmp_path: Path) -> None:
    for order in ("area", "urgency", "file"):
        written(split(mixed(6), order_boxes=order), tmp_path / order)

    texts = [
        sorted(json.dumps(each) for boxes in annotations_of(tmp_path / order).values() for each in boxes)
        for order in ("area", "urgency", "file")
    ]
    assert texts[0] == texts[1] == texts[2]


def test_the_largest_ten_boxes_come_first_so_a_stock_configuration_keeps_those(tmp_path: Path) -> None:
    images, boxes, facts = crowded({"1": 40})
    boxes = boxes.with_columns(w=(pl.int_range(pl.len()) * 7 % 40 + 1).cast(pl.Float64))
    written(split((images, boxes, facts), sizes={"val": 0, "test": 0}), tmp_path / "out")

    widths = [each["bbox"][2] for each in annotations_of(tmp_path / "out")["1"]]

    assert widths[:10] == sorted(boxes["w"], reverse=True)[:10]


def test_the_report_counts_images_of_which_a_stock_configuration_drops_boxes(tmp_path: Path) -> None:
    world = crowded({"1": 3, "2": 10, "3": 11, "4": 25})

    report = json.loads(written(split(world, sizes={"val": 0, "test": 0}), tmp_path / "out")["report.json"])

    train, val = report["splits"]["train"], report["splits"]["val"]
    assert (train["images_above_10_boxes"], train["boxes_beyond_10"]) == (2, 16)
    assert (val["images_above_10_boxes"], val["boxes_beyond_10"]) == (0, 0)
    assert "first 10 boxes" in report["detector_limits"][0]
    assert "iscrowd" in report["detector_limits"][1]


def test_class_weights_are_given_by_class_index_too(tmp_path: Path) -> None:
    weights = json.loads(written(split(mixed(20)), tmp_path / "out")["class_weights.json"])

    for name in ("effective_number", "inverse_sqrt"):
        assert weights["by_index"][name] == [weights[name][label] for label in SPACE]
        assert len(set(weights["by_index"][name])) > 1
