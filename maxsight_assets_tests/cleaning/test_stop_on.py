"""Rules that are told to stop the run: nothing passes, nothing is dropped, and the error names the records."""

from typing import Any

import pytest

from maxsight_assets.errors import NotPublished, SettingsError
from maxsight_assets_tests.cleaning.records import box, boxes_of, facts_of, image, images_of
from maxsight_assets_tests.cleaning.test_generated_defects import BOX_DEFECTS
from maxsight_assets_tests.splitting.test_build import watched
from maxsight_assets_tests.splitting.worlds import World, split, world

IMAGE_DEFECTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "undecodable": ({}, {"error": "does not decode: truncated"}),
    "wrong_size": ({"width": 999}, {}),
    "turned_by_exif": ({"width": 480, "height": 640}, {"orientation": 6}),
}


def of_box(changes: dict[str, Any]) -> World:
    images = images_of(image("1"))
    return images, boxes_of(box("8", y=8.0), box("9", **{"x": 100.0} | changes)), facts_of(images)


def of_image(stated: dict[str, Any], found: dict[str, Any]) -> World:
    images = images_of(image("1"), image("9", **stated))
    return images, boxes_of(box("1"), box("2", "9")), facts_of(images, i9=found)


@pytest.mark.parametrize(
    "defect", [name for name, (rule, _) in BOX_DEFECTS.items() if rule not in ("", "image_dropped")]
)
def test_a_box_that_breaks_the_rule_stops_the_run(defect: str) -> None:
    rule, changes = BOX_DEFECTS[defect]
    tables = of_box(changes)

    assert split(tables).ledger["rule"].to_list() == [rule]
    with pytest.raises(NotPublished, match=rf"^{rule}: 1 records .*cleaning\.stop_on.*box_id 9 \{{"):
        split(tables, stop_on=[rule])


@pytest.mark.parametrize("rule", IMAGE_DEFECTS)
def test_an_image_that_breaks_the_rule_stops_the_run(rule: str) -> None:
    tables = of_image(*IMAGE_DEFECTS[rule])

    assert rule in split(tables).ledger["rule"].to_list()
    with pytest.raises(NotPublished, match=rf"^{rule}: 1 records .* source coco image_id 9 "):
        split(tables, stop_on=[rule])


def test_an_image_without_a_file_and_one_without_a_box_stop_the_run() -> None:
    images = images_of(image("1"), image("2"))
    with pytest.raises(NotPublished, match=r"^missing_file: 1 .* image_id 2 "):
        split((images, boxes_of(box("1")), facts_of(images, without=["2"])), stop_on=["missing_file"])
    with pytest.raises(NotPublished, match=r"^no_boxes: 1 .* image_id 2 "):
        split((images, boxes_of(box("1")), facts_of(images)), stop_on=["no_boxes"])


def test_a_leak_stops_the_run() -> None:
    same = {"sha256": "0" * 64}
    evaluation = watched(image("9", "bdd100k", split="val"), i9=same)

    with pytest.raises(NotPublished, match=r"^leaks_into_evaluation: 1 .* image_id 3 .*bdd100k/9"):
        split(world(5, i3=same), evaluation=evaluation, stop_on=["leaks_into_evaluation"])


def test_a_rule_that_nothing_breaks_changes_nothing() -> None:
    strict, plain = split(world(20), stop_on=["orphan", "no_boxes", "undecodable"]), split(world(20))

    assert strict.images.equals(plain.images)
    assert strict.boxes.equals(plain.boxes)
    assert strict.ledger.equals(plain.ledger)


def test_only_the_first_of_many_are_named() -> None:
    images = images_of(image("1"))
    boxes = boxes_of(box("1"), *(box(f"flat {n}", w=0.0, x=float(n)) for n in range(9)))

    with pytest.raises(NotPublished, match=r"^zero_area: 9 records") as stopped:
        split((images, boxes, facts_of(images)), stop_on=["zero_area"])
    assert str(stopped.value).count("box_id flat") == 5


@pytest.mark.parametrize("name", ["orphans", "image_dropped", "over_the_count"])
def test_only_a_rule_about_records_can_stop_the_run(name: str) -> None:
    with pytest.raises(
        SettingsError, match=rf"cleaning\.stop_on: no rule is named {name}; there are unreadable_record, "
    ):
        split(world(3), stop_on=[name])
