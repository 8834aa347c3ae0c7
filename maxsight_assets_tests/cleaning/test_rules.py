import json
from typing import Any

import polars as pl
import pytest

from maxsight_assets.cleaning.apply import Cleaned, clean
from maxsight_assets.cleaning.config import CleaningConfig
from maxsight_assets.cleaning.rules import box_rules, image_rules
from maxsight_assets.errors import NotPublished
from maxsight_assets.formats.tables import BOXES, IMAGES, LEDGER
from maxsight_assets_tests.cleaning.records import LABELS, around, box, boxes_of, facts_of, image, images_of

POLYGON = "[[1.0,2.0,3.5,4.0,5.0,1.0]]"


def cleaned(images: pl.DataFrame, boxes: pl.DataFrame, facts: pl.DataFrame | None = None, **config: Any) -> Cleaned:
    return clean(
        images, boxes, facts_of(images) if facts is None else facts, labels=LABELS, config=CleaningConfig(**config)
    )


def one_box(**changes: Any) -> Cleaned:
    """What becomes of one box beside a sound one."""
    config = {key: changes.pop(key) for key in list(changes) if key in CleaningConfig.model_fields}
    return cleaned(images_of(image("1")), boxes_of(box("sound"), box("9", **changes)), **config)


def entry(result: Cleaned) -> dict[str, Any]:
    """The ledger's only row, its JSON read."""
    assert result.ledger.height == 1
    row = result.ledger.row(0, named=True)
    return {name: json.loads(row[name]) if name in {"before", "after"} and row[name] else row[name] for name in row}


def test_sound_records_pass_as_they_are() -> None:
    images, boxes = images_of(image("1")), boxes_of(box("a"), box("b", label="dog", **around(POLYGON)))

    result = cleaned(images, boxes)

    assert result.images.equals(images)
    assert result.boxes.equals(boxes)
    assert result.ledger.equals(LEDGER.to_frame())


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("side", ["x", "y", "w", "h"])
def test_a_coordinate_that_is_no_number_drops_the_box(side: str, value: float | None) -> None:
    row = entry(one_box(**{side: value}))

    assert (row["rule"], row["action"], row["box_id"]) == ("unreadable_geometry", "drop", "9")


@pytest.mark.parametrize("changes", [{"w": 0.0}, {"h": 0.0}, {"w": -3.0}, {"h": -0.5}])
def test_a_box_without_area_is_dropped(changes: dict[str, float]) -> None:
    row = entry(one_box(**changes))

    assert row["rule"] == "zero_area"
    assert row["before"] == {"x": 67.0, "y": 20.0, "w": 30.0, "h": 40.0} | changes


@pytest.mark.parametrize("side", [0.01, 1.0, 3.0])
def test_small_boxes_are_kept_as_they_are(side: float) -> None:
    result = one_box(w=side, h=side)

    assert result.ledger.is_empty()
    assert result.boxes.filter(box_id="9").select("w", "h").row(0) == (side, side)


def test_small_boxes_can_be_dropped_on_demand() -> None:
    assert entry(one_box(w=3.0, min_side=4))["rule"] == "too_small"


def test_a_box_that_reaches_out_is_clipped_and_the_ledger_has_both() -> None:
    result = one_box(x=-10.0, y=450.0, w=100.0, h=40.0, area=4000.0)

    row = entry(result)
    assert (row["rule"], row["action"]) == ("out_of_bounds", "repair")
    assert row["before"] == {"x": -10.0, "y": 450.0, "w": 100.0, "h": 40.0, "image_width": 640, "image_height": 480}
    assert row["after"] == {"x": 0.0, "y": 450.0, "w": 90.0, "h": 30.0, "area": 2700.0}
    assert result.boxes.filter(box_id="9").select("x", "y", "w", "h", "area").row(0) == (0.0, 450.0, 90.0, 30.0, 2700.0)


def test_a_box_that_reaches_out_can_be_dropped_instead() -> None:
    row = entry(one_box(x=-10.0, w=100.0, clip_boxes=False))

    assert (row["rule"], row["action"], row["after"]) == ("out_of_bounds", "drop", None)


def test_a_box_inside_is_kept_whatever_share_must_lie_inside() -> None:
    rounds = {"x": 12.3, "y": 45.6, "w": 30.3, "h": 20.2}  # (x + w) - x is less than w

    assert cleaned(images_of(image("1")), boxes_of(box("a", **rounds)), min_kept_fraction=1.0).ledger.is_empty()


def test_rounding_at_the_edge_is_no_defect() -> None:
    assert one_box(x=600.0, w=40.0 + 1e-9).ledger.is_empty()


@pytest.mark.parametrize(
    "changes", [{"x": -16.0}, {"x": 700.0}, {"y": 1e300}, {"x": -1e300, "w": 1e301}, {"x": 625.0, "w": 31.0}]
)
def test_a_box_that_lies_mostly_outside_is_dropped(changes: dict[str, float]) -> None:
    assert entry(one_box(**changes))["rule"] == "mostly_outside"


def test_how_much_must_lie_inside_can_be_changed() -> None:
    assert entry(one_box(x=-16.0, min_kept_fraction=0.2))["rule"] == "out_of_bounds"
    assert entry(one_box(x=-30.0, min_kept_fraction=0))["rule"] == "mostly_outside"


@pytest.mark.parametrize(("label", "rule"), [("zebra", "label_outside_space"), ("unicorn", "unknown_class")])
def test_a_label_that_the_detector_does_not_know_is_never_passed_on(label: str, rule: str) -> None:
    row = entry(one_box(label=label))

    assert (row["rule"], row["before"]) == (rule, {"label": label})


def test_a_box_of_no_declared_class_is_damage_and_no_choice() -> None:
    assert entry(one_box(label=None))["rule"] == "unknown_class"


def test_fault_84_many_words_that_the_publisher_does_not_have_are_counted_and_not_published() -> None:
    words = ["Person"] * 4 + ["traffic_light"] * 3 + ["dog"]
    boxes = boxes_of(*(box(str(number), label=word) for number, word in enumerate(words)))

    with pytest.raises(NotPublished, match="unknown_class: 7 of 8 boxes of coco: Person 4, traffic_light 3"):
        cleaned(images_of(image("1")), boxes)


def test_labels_become_the_detectors_words() -> None:
    images = images_of(image("1", source="openimages"))

    result = cleaned(images, boxes_of(box("a", source="openimages", label="Man")))

    assert result.boxes["label"].to_list() == ["person"]


def test_a_mapping_of_another_source_does_not_apply() -> None:
    assert entry(one_box(label="Man"))["rule"] == "unknown_class"


def test_a_box_of_an_unknown_image_is_an_orphan() -> None:
    assert entry(one_box(image_id="2"))["rule"] == "orphan"
    assert entry(one_box(source="openimages", label="Man"))["rule"] == "orphan"


def test_depictions_are_dropped_unless_wanted() -> None:
    assert entry(one_box(depiction=True))["rule"] == "depiction"
    assert one_box(depiction=True, drop_depictions=False).ledger.is_empty()


@pytest.mark.parametrize("flag", ["inside", "occluded", "truncated"])
def test_boxes_that_the_publisher_flags_are_dropped_on_demand(flag: str) -> None:
    boxes = boxes_of(box("1", **{flag: True}), box("2", x=200.0, **{flag: False}), box("3", x=300.0, **{flag: None}))
    images = images_of(image("1"))

    without = cleaned(images, boxes, drop_flagged=(flag,))

    assert cleaned(images, boxes).boxes.height == 3
    assert without.boxes["box_id"].to_list() == ["2", "3"]
    assert without.ledger["rule"].to_list() == [flag]


def test_crowds_are_kept_as_crowds_unless_unwanted() -> None:
    kept = one_box(crowd=True)
    assert kept.ledger.is_empty()
    assert kept.boxes.filter(box_id="9")["crowd"].to_list() == [True]
    assert entry(one_box(crowd=True, drop_crowds=True))["rule"] == "crowd"


def test_one_of_equal_boxes_is_kept() -> None:
    twin = {"x": 5.0, "area": 1.0}
    boxes = boxes_of(box("3", **twin), box("1", **twin), box("2", **twin), box("4", label="dog", **twin))

    result = cleaned(images_of(image("1")), boxes)

    assert result.boxes["box_id"].to_list() == ["1", "4"]
    assert result.ledger["rule"].to_list() == ["duplicate_box"] * 2
    assert cleaned(images_of(image("1")), boxes, drop_duplicates=False).ledger.is_empty()


def test_boxes_of_two_labels_with_one_meaning_are_equal() -> None:
    boxes = boxes_of(
        box("a", source="openimages", label="Man", x=1.0), box("b", source="openimages", label="Person", x=1.0)
    )

    assert cleaned(images_of(image("1", source="openimages")), boxes).ledger["rule"].to_list() == ["duplicate_box"]


def test_a_crowd_and_a_thing_of_the_same_extent_are_two() -> None:
    boxes = boxes_of(box("a", x=1.0, crowd=True), box("b", x=1.0))

    assert cleaned(images_of(image("1")), boxes).boxes.height == 2


def test_boxes_that_share_an_id_are_all_kept_under_ids_of_their_own() -> None:
    images = images_of(image("1"), image("2"))

    result = cleaned(images, boxes_of(box("7", "1"), box("7", "2"), box("7", "2", x=200.0)))

    assert result.boxes["box_id"].to_list() == ["7", "7~2", "7~3"]
    assert result.ledger["rule"].to_list() == ["duplicate_box_id"] * 2
    assert [json.loads(after) for after in result.ledger["after"]] == [{"box_id": "7~2"}, {"box_id": "7~3"}]


@pytest.mark.parametrize("area", [0.0, -1.0, float("nan"), float("inf")])
def test_an_unusable_area_becomes_that_of_the_box(area: float) -> None:
    result = one_box(area=area)

    assert entry(result)["rule"] == "unusable_area"
    assert result.boxes.filter(box_id="9")["area"].to_list() == [1200.0]


@pytest.mark.parametrize(
    "mask",
    [
        "[[1e9,1,2,2,3,3]]",
        "[[1,2,3,4]]",
        "[[1,2,3,4,5,6,7]]",
        "[]",
        '"text"',
        "[[1,2,3,4,5,null]]",
        '{"counts":[1],"size":[480,640]}',
        '{"counts":[10000000000],"size":[100000,100000]}',
    ],
)
def test_fault_63_a_mask_that_would_crash_a_reader_is_left_out_and_the_box_kept(mask: str) -> None:
    result = one_box(segmentation=mask)

    row = entry(result)
    assert (row["rule"], row["action"], row["after"]) == ("unusable_segmentation", "repair", {"segmentation": None})
    assert result.boxes.filter(box_id="9").select("segmentation", "plain_mask").rows() == [(None, None)]


@pytest.mark.parametrize("form_is_known", [True, False])
@pytest.mark.parametrize(
    "mask",
    [
        POLYGON,
        "[[1,2,3,4,5,6],[10.5,20.25,30,40,50,60,7,8]]",
        "[[-1.5,2,3,4,5,6]]",
        "[[1,2,3,4,639.5,479.9]]",
        "[[1, 2, 3, 4, 5e1, 6]]",
        '{"counts":[307200],"size":[480,640]}',
    ],
)
def test_sound_masks_are_copied_as_they_are(mask: str, form_is_known: bool) -> None:
    boxes = boxes_of(box("9", **around(mask)))
    form = pl.col("plain_mask") if form_is_known else pl.lit(None, pl.Boolean)

    result = cleaned(images_of(image("1")), boxes.with_columns(plain_mask=form))

    assert result.ledger.is_empty()
    assert result.boxes.filter(box_id="9")["segmentation"].to_list() == [mask]


def test_masks_are_read_closely_where_the_picture_is_small() -> None:
    images = images_of(image("1", width=100, height=100))
    facts = facts_of(images, i1={"width": 100, "height": 100})

    result = cleaned(images, boxes_of(box("1", segmentation="[[1,2,3,4,650,6]]")), facts)

    assert result.ledger["rule"].to_list() == ["unusable_segmentation"]


def test_masks_can_be_left_out() -> None:
    result = one_box(**around(POLYGON), keep_segmentations=False)

    assert result.boxes.select("segmentation", "plain_mask").rows() == [(None, None)] * 2


@pytest.mark.parametrize(
    ("without", "change", "rule"),
    [
        (["2"], {}, "missing_file"),
        ([], {"error": "does not decode: truncated"}, "undecodable"),
        ([], {"orientation": 6, "width": 480, "height": 640}, "turned_by_exif"),
    ],
)
def test_an_image_that_cannot_be_used_is_dropped_with_its_boxes(
    without: list[str], change: dict[str, Any], rule: str
) -> None:
    images = images_of(image("1"), image("2"))
    facts = facts_of(images, without=without, i2=change)

    result = cleaned(images, boxes_of(box("a", "1"), box("b", "2"), box("c", "2")), facts)

    assert result.images["image_id"].to_list() == ["1"]
    assert result.ledger.select("kind", "rule").rows() == [("box", "image_dropped")] * 2 + [("image", rule)]
    assert json.loads(result.ledger["before"][0]) == {"image_rule": rule}


def placeholders(ids: int, *, of: int = 8) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Images with a box each, the first ones of which have one content."""
    images = images_of(*(image(str(number)) for number in range(of)))
    gone = {f"i{number}": {"sha256": "ab" * 32} for number in range(ids)}
    return images, boxes_of(*(box(f"of {number}", str(number)) for number in range(of))), facts_of(images, **gone)


def test_fault_86_one_content_under_three_ids_is_dropped_with_their_boxes() -> None:
    result = cleaned(*placeholders(3))

    assert result.images["image_id"].to_list() == ["3", "4", "5", "6", "7"]
    assert result.ledger.filter(kind="image").select("image_id", "rule").rows() == [
        (number, "placeholder") for number in "012"
    ]
    assert result.ledger.filter(kind="box")["rule"].to_list() == ["image_dropped"] * 3


def test_fault_86_a_photograph_that_was_uploaded_twice_is_no_placeholder() -> None:
    assert cleaned(*placeholders(2)).ledger.is_empty()


def test_fault_86_one_content_in_two_datasets_is_no_placeholder() -> None:
    images = images_of(image("1"), image("2"), image("1", source="openimages"))
    boxes = boxes_of(box("a"), box("b", "2"), box("c", source="openimages", label="Man"))
    facts = facts_of(images).with_columns(sha256=pl.lit("ab" * 32))

    assert cleaned(images, boxes, facts).ledger.is_empty()


def test_fault_86_more_placeholders_than_the_bound_are_not_published() -> None:
    with pytest.raises(NotPublished, match="placeholder: 6 of 8 images of coco"):
        cleaned(*placeholders(6))


def test_fault_81_a_picture_of_another_shape_than_stated_is_dropped_with_its_boxes() -> None:
    images = images_of(image("1", width=480, height=640), image("2"))

    result = cleaned(images, boxes_of(box("a"), box("b"), box("c", "2")))

    assert result.images["image_id"].to_list() == ["2"]
    assert result.ledger.select("kind", "rule", "action").rows() == [
        ("box", "image_dropped", "drop"),
        ("box", "image_dropped", "drop"),
        ("image", "wrong_size", "drop"),
    ]


@pytest.mark.parametrize(("width", "height", "scale"), [(320, 240, 2.0), (1280, 960, 0.5), (1920, 1440, 1 / 3)])
def test_fault_81_boxes_areas_and_masks_are_scaled_with_their_picture(width: int, height: int, scale: float) -> None:
    stated = {"x": 12.0, "y": 24.0, "w": 60.0, "h": 30.0, "area": 900.0}
    images = images_of(image("1", width=width, height=height))
    result = cleaned(images, boxes_of(box("a", segmentation="[[12.0,24.0,72.0,24.0,72.0,54.0]]", **stated)))

    assert result.images.select("width", "height").row(0) == (640, 480)
    box_ = result.boxes.row(0, named=True)
    assert [box_[side] for side in "xywh"] == pytest.approx([stated[side] * scale for side in "xywh"])
    assert box_["area"] == pytest.approx(900 * scale * scale)
    numbers = [12, 24, 72, 24, 72, 54]
    assert json.loads(box_["segmentation"]) == [pytest.approx([number * scale for number in numbers], abs=0.01)]
    assert result.ledger.select("kind", "rule", "action").rows() == [
        ("box", "resized", "repair"),
        ("image", "resized", "repair"),
    ]
    assert json.loads(result.ledger["after"][1]) == {"width": 640, "height": 480}


def test_a_run_length_mask_is_scaled_with_its_picture() -> None:
    half = {"counts": [0, 320 * 120, 320 * 120], "size": [240, 320]}  # the left half, of 320 x 240
    boxes = boxes_of(box("a", crowd=True, **around(json.dumps(half), width=320, height=240)))

    result = cleaned(images_of(image("1", width=320, height=240)), boxes)

    assert json.loads(result.boxes["segmentation"][0]) == {"counts": [0, 320 * 480, 320 * 480], "size": [480, 640]}
    assert result.ledger["rule"].to_list() == ["resized", "resized"]


@pytest.mark.parametrize(("width", "height"), [(427, 320), (426, 320), (214, 160)])
def test_a_rounded_pixel_makes_no_other_shape(width: int, height: int) -> None:
    result = cleaned(images_of(image("1", width=width, height=height)), boxes_of(box("a")))

    assert result.ledger.filter(kind="image")["rule"].to_list() == ["resized"]


def test_a_resized_picture_can_be_dropped_instead() -> None:
    dropped = cleaned(images_of(image("1", width=320, height=240)), boxes_of(box("a")), repair_sizes=False).ledger

    assert dropped.filter(kind="image").select("rule", "action").rows() == [("wrong_size", "drop")]


def test_a_size_that_nobody_states_is_filled_in_without_a_word() -> None:
    result = cleaned(images_of(image("1", width=None, height=None)), boxes_of(box("a")))

    assert result.images.select("width", "height").row(0) == (640, 480)
    assert result.ledger.is_empty()


def test_an_image_that_is_listed_twice_is_kept_once_with_its_boxes() -> None:
    images = images_of(image("1"), image("1"), image("1", path="coco_raw/copy.jpg"))
    facts = pl.concat([facts_of(images_of(image("1"))), facts_of(images_of(image("x", path="coco_raw/copy.jpg")))])

    result = cleaned(images, boxes_of(box("a")), facts)

    assert (result.images.height, result.boxes.height) == (1, 1)
    assert result.ledger["rule"].to_list() == ["repeated_image"] * 2


def test_of_two_rows_for_an_image_the_one_with_a_sound_file_is_kept() -> None:
    images = images_of(image("1", path="coco_raw/a.jpg"), image("1", path="coco_raw/b.jpg"), image("2"))
    facts = facts_of(images).filter(pl.col("path") != "coco_raw/a.jpg")

    result = cleaned(images, boxes_of(box("x"), box("y", "2")), facts)

    assert result.images["path"].to_list() == ["coco_raw/b.jpg", images["path"][2]]
    assert result.ledger["rule"].to_list() == ["repeated_image"]


def test_two_images_with_one_file_are_one_and_the_boxes_of_the_other_are_told() -> None:
    images = images_of(image("1"), image("7", path=image("1")["path"]))

    result = cleaned(images, boxes_of(box("a"), box("b", "7")), facts_of(images))

    assert result.images["image_id"].to_list() == ["1"]
    assert result.ledger.sort("kind", "rule").select("kind", "image_id", "rule").rows() == [
        ("box", "7", "image_dropped"),
        ("image", "7", "repeated_file"),
    ]


def test_images_without_objects_are_dropped_unless_wanted() -> None:
    images = images_of(image("1"), image("2"), image("3"))
    boxes = boxes_of(box("a", "1"), box("b", "2", label="zebra"))

    assert cleaned(images, boxes).images["image_id"].to_list() == ["1"]
    assert cleaned(images, boxes).ledger.filter(kind="image")["rule"].to_list() == ["no_boxes"] * 2
    assert cleaned(images, boxes, drop_empty_images=False).images.height == 3


def test_copies_within_a_source_are_not_dropped() -> None:
    images = images_of(image("1"), image("2"))
    same = {"sha256": "0" * 64, "pixels": "1" * 64, "phash": 5}

    result = cleaned(images, boxes_of(box("a", "1"), box("b", "2")), facts_of(images, i1=same, i2=same))

    assert result.images.height == 2


def test_a_box_that_breaks_many_rules_is_dropped_by_the_first() -> None:
    assert entry(one_box(image_id="77", w=float("nan"), label="zebra", depiction=True))["rule"] == "orphan"
    assert entry(one_box(h=0.0, label="zebra", depiction=True))["rule"] == "zero_area"


def test_a_repaired_box_can_still_be_dropped_and_the_ledger_says_both() -> None:
    rules = one_box(x=-10.0, w=100.0, label="zebra").ledger.select("rule", "action").rows()

    assert rules == [("label_outside_space", "drop"), ("out_of_bounds", "repair")]


def test_html_in_a_label_stays_text() -> None:
    assert entry(one_box(label='<img src=x onerror="a">'))["before"] == {"label": '<img src=x onerror="a">'}


def test_tables_without_rows_are_clean() -> None:
    result = clean(
        IMAGES.to_frame(), BOXES.to_frame(), facts_of(images_of(image("1"))), labels={}, config=CleaningConfig()
    )

    assert (result.images.schema, result.boxes.schema, result.ledger.schema) == (IMAGES, BOXES, LEDGER)
    assert (result.images.height, result.boxes.height, result.ledger.height) == (0, 0, 0)


def test_every_rule_has_a_name_of_its_own_and_a_reason() -> None:
    everything = CleaningConfig(min_side=1, drop_crowds=True)

    for rules in (image_rules(everything), box_rules(everything)):
        assert len({rule.name for rule in rules}) == len(rules)
        assert all(rule.reason.endswith(".") for rule in rules)


def test_facts_of_one_file_are_used_once() -> None:
    images = images_of(image("1"))

    result = cleaned(images, boxes_of(box("a")), pl.concat([facts_of(images), facts_of(images)]))

    assert (result.images.height, result.boxes.height) == (1, 1)
