import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maxsight_assets.cleaning.config import CleaningConfig
from maxsight_assets.errors import SettingsError
from maxsight_assets.formats.tables import BOXES, IMAGES
from maxsight_assets.images.facts import FILE_FACTS
from maxsight_assets.splitting.build import Evaluation, build_splits
from maxsight_assets.splitting.config import SplitConfig
from maxsight_assets.splitting.report import class_weights, report_of
from maxsight_assets_tests.cleaning.records import box, boxes_of, facts_of, image, images_of
from maxsight_assets_tests.splitting.worlds import NOTHING, split, subset_of, world

SAME = {"sha256": "0" * 64}


def watched(*rows: dict[str, Any], **changes: dict[str, Any]) -> Evaluation:
    images = images_of(*rows)
    return Evaluation(images, facts_of(images, **changes))


def leaks(result: Any) -> dict[str, tuple[str, str]]:
    """Evaluation image and reason by the image that was kept out."""
    rows = result.ledger.filter(rule="leaks_into_evaluation").select("image_id", "before").rows()
    return {image_id: tuple(json.loads(before).values()) for image_id, before in rows}


def test_fault_84_a_licence_that_no_image_is_under_is_refused_with_the_nearest() -> None:
    with pytest.raises(SettingsError, match=r"no image is under a licence with licences/by/ in its .*; nearest: http"):
        split(world(4), licences=("licences/by/",))
    assert split(world(4), licences=("licenses/by/",)).images.height == 4


def test_every_image_is_in_one_split_with_all_its_boxes() -> None:
    result = split(world(60), sizes={"val": 0.2, "test": 0.2})

    assert result.images["subset"].value_counts().sort("subset")["subset"].to_list() == ["test", "train", "val"]
    joined = result.boxes.join(result.images, left_on="image", right_on="id", suffix="_of_image")
    assert joined.height == 120
    assert joined["subset"].equals(joined["subset_of_image"])


@pytest.mark.parametrize(
    ("change", "size"),
    [({"sha256": "0" * 64}, 2), ({"pixels": "1" * 64}, 20), ({"phash": 77}, 20)],
    ids=["content", "pixels", "near"],
)
def test_a_group_of_equal_pictures_is_never_divided(change: dict[str, Any], size: int) -> None:
    members = [str(number) for number in range(1, size + 1)]
    tables = world(60, **{f"i{member}": change for member in members})

    result = split(tables, sizes={"val": 0.4, "test": 0.4})

    subsets = subset_of(result)
    assert len({subsets[f"coco/{member}"] for member in members}) == 1
    assert len(set(subsets.values())) == 3
    assert report_of(result)["groups"]["largest"] == size


def test_one_flickr_photo_in_two_datasets_is_one_group() -> None:
    images = images_of(image("1", flickr_id="55"), image("a1", "openimages", flickr_id="55"))
    boxes = boxes_of(box("1"), box("2", "a1", "openimages", label="Man"))

    result = split((images, boxes, facts_of(images)))

    assert result.images["group"].to_list() == ["coco/1", "coco/1"]


@pytest.mark.parametrize(
    ("mine", "theirs", "because"),
    [
        ({"sha256": "0" * 64}, {"sha256": "0" * 64}, "content"),
        ({"pixels": "1" * 64}, {"pixels": "1" * 64}, "pixels"),
        ({"phash": 0b111}, {"phash": 0b100}, "near"),
    ],
)
def test_a_picture_of_an_evaluation_set_never_enters_a_split(
    mine: dict[str, Any], theirs: dict[str, Any], because: str
) -> None:
    evaluation = watched(image("9", "bdd100k", split="val"), i9=theirs)

    result = split(world(5, i3=mine), evaluation=evaluation)

    assert leaks(result) == {"3": ("evaluation:bdd100k/9", because)}
    told = {"image": "coco/3", "evaluation_image": "evaluation:bdd100k/9", "because": because}
    assert report_of(result)["first_leaks"] == [told]
    assert "coco/3" not in subset_of(result)
    assert (
        result.ledger.filter(kind="box", image_id="3")["before"].to_list()
        == ['{"image_rule":"leaks_into_evaluation"}'] * 2
    )


def test_a_flickr_photo_of_an_evaluation_set_never_enters_a_split() -> None:
    images = images_of(image("1", flickr_id="55"), image("2", flickr_id="56"))
    evaluation = watched(image("e", "openimages", split="validation", flickr_id="55"))

    result = split((images, boxes_of(box("1", "1"), box("2", "2")), facts_of(images)), evaluation=evaluation)

    assert leaks(result) == {"1": ("evaluation:openimages/e", "flickr")}


def test_an_image_that_is_alike_by_way_of_another_is_kept_out_too() -> None:
    evaluation = watched(image("9", "bdd100k", split="val"), i9={"phash": 0})

    result = split(world(4, i1={"phash": 0b11111}, i2={"phash": 0b1111111111}), evaluation=evaluation)

    assert leaks(result) == {"1": ("evaluation:bdd100k/9", "near"), "2": ("evaluation:bdd100k/9", "chain")}


def test_the_very_image_of_an_evaluation_set_is_kept_out() -> None:
    tables = world(4)
    evaluation = Evaluation(tables[0].filter(image_id="2"), tables[2])

    assert leaks(split(tables, evaluation=evaluation)) == {"2": ("evaluation:coco/2", "content")}


def test_an_evaluation_image_without_a_file_still_guards_by_its_flickr_id() -> None:
    images = images_of(image("1", flickr_id="55"))
    evaluation = Evaluation(images_of(image("e", "openimages", flickr_id="55")), FILE_FACTS.to_frame())

    result = split((images, boxes_of(box("1")), facts_of(images)), evaluation=evaluation)

    assert leaks(result) == {"1": ("evaluation:openimages/e", "flickr")}


def test_what_the_counts_do_not_need_is_in_the_ledger() -> None:
    result = split(world(30), sizes={"train": 10, "val": 4, "test": 2})

    report = report_of(result)
    assert {name: part["images"] for name, part in report["splits"].items()} == {"train": 10, "val": 4, "test": 2}
    assert report["dropped"]["image"] == {"over_the_count": 14}
    assert report["records"]["box"] == {"in": 60, "kept": 32, "dropped": 28}
    assert report["missing"] == {}


def test_images_that_the_counts_miss_are_reported() -> None:
    assert report_of(split(world(8), sizes={"train": 10, "val": 4, "test": 2}))["missing"] == {
        "train": 5,
        "val": 2,
        "test": 1,
    }


def test_ids_stay_when_other_data_is_added() -> None:
    before, after = split(world(10)), split(world(40))

    for old, new in ((before.images, after.images), (before.boxes, after.boxes)):
        assert set(old["id"]) <= set(new["id"])
        assert new["id"].is_unique().all()


def test_with_shares_new_images_move_none() -> None:
    sizes = {"val": 0.3, "test": 0.3}
    before, after = (subset_of(split(world(number), sizes=sizes)) for number in (20, 60))

    assert before.items() <= after.items()


def test_a_mapping_to_a_word_outside_the_space_counts_as_none() -> None:
    images, boxes, facts = world(2)
    result = build_splits(
        images,
        boxes,
        facts,
        evaluation=NOTHING,
        space=["dog"],
        labels={"coco": {"person": "person"}},
        config=SplitConfig(),
        cleaning=CleaningConfig(),
    )

    assert result.boxes.is_empty()
    assert report_of(result)["dropped"]["box"] == {"label_outside_space": 4}


def test_no_records_are_empty_splits() -> None:
    result = split((IMAGES.to_frame(), BOXES.to_frame(), FILE_FACTS.to_frame()))

    report = report_of(result)
    assert {part["images"] for part in report["splits"].values()} == {0}
    assert set(class_weights(result)["inverse_sqrt"].values()) == {0}


def test_classes_that_val_and_test_hardly_hold_are_named() -> None:
    images, boxes, facts = world(40)
    boxes = boxes.with_columns(label=pl.when(image_id="7").then(pl.lit("dog")).otherwise("label"))

    report = report_of(split((images, boxes, facts), sizes={"val": 0.3, "test": 0.3}, min_instances=3))

    there = {name for name, part in report["splits"].items() if "dog" in part["classes"]}
    assert there == {"train"}
    assert report["few_instances"] == {"val": {"dog": 0}, "test": {"dog": 0}}


def test_class_weights_favour_rare_classes_and_average_one() -> None:
    images, boxes, facts = world(40)
    boxes = boxes.with_columns(
        label=pl.when(pl.col("image_id").is_in(["7", "8"])).then(pl.lit("dog")).otherwise("label")
    )

    weights = class_weights(split((images, boxes, facts), sizes={"val": 0, "test": 0}))

    for kind in ("inverse_sqrt", "effective_number"):
        assert weights[kind]["dog"] > weights[kind]["person"] > 0
        assert weights[kind]["door"] == 0
        assert weights[kind]["dog"] + weights[kind]["person"] == pytest.approx(2, abs=1e-5)
    assert weights["inverse_sqrt"]["dog"] / weights["inverse_sqrt"]["person"] == pytest.approx(
        (76 / 4) ** 0.5, rel=1e-4
    )


@settings(max_examples=40, deadline=None)
@given(
    marks=st.lists(st.sampled_from([None, 0, 1, 3, 7, 2**40, 2**63]), min_size=1, max_size=12),
    guarded=st.sampled_from([None, 0, 2**63]),
    counts=st.none()
    | st.fixed_dictionaries({"train": st.integers(1, 6), "val": st.integers(0, 6), "test": st.integers(0, 6)}),
)
def test_records_are_conserved_and_groups_whole(
    marks: list[int | None], guarded: int | None, counts: dict[str, int] | None
) -> None:
    images, boxes, facts = world(len(marks), **{f"i{n}": {"phash": mark} for n, mark in enumerate(marks, start=1)})
    evaluation = watched(image("9", "bdd100k", split="val"), i9={"phash": guarded})

    result = split((images, boxes, facts), evaluation=evaluation, sizes=counts or {"val": 0.3, "test": 0.3})

    dropped = result.ledger.filter(action="drop")
    for kind, came, stayed in (("image", images, result.images), ("box", boxes, result.boxes)):
        accounted = pl.concat([frame.select("image_id") for frame in (stayed, dropped.filter(kind=kind))])
        assert accounted.sort(pl.all()).equals(came.select("image_id").sort(pl.all()))
    assert result.images.group_by("group").agg(pl.col("subset").n_unique())["subset"].max() in {1, None}
    if counts is not None:
        present = dict(result.images["subset"].value_counts().rows())
        assert all(present.get(name, 0) <= number for name, number in counts.items())


def test_ten_percent_more_images_move_no_image_that_was_there() -> None:
    sizes = {"val": 0.2, "test": 0.1}
    before = subset_of(split(world(400), sizes=sizes))
    after = subset_of(split(world(440), sizes=sizes))

    assert len(after) == len(before) + 40
    assert {image: after[image] for image in before} == before
    assert set(before.values()) == {"train", "val", "test"}


def test_only_images_under_the_wanted_licences_are_kept() -> None:
    licences = {
        "1": "http://creativecommons.org/licenses/by/2.0/",
        "2": "http://creativecommons.org/licenses/by-nc-sa/2.0/",
        "3": "http://flickr.com/commons/usage/",
        "4": None,
    }
    images = images_of(*(image(each, license=licence) for each, licence in licences.items()))
    boxes = boxes_of(*(box(each, each) for each in licences))

    result = split((images, boxes, facts_of(images)), licences=("commercial",))

    assert sorted(result.images["image_id"]) == ["1", "3"]
    assert result.ledger.filter(rule="licence_not_wanted")["image_id"].sort().to_list() == ["2", "4"]
    assert split((images, boxes, facts_of(images)), licences=("COMMERCIAL",)).images.equals(result.images)
    own = split((images, boxes, facts_of(images)), licences=("/by-nc-sa/",))
    assert own.images["image_id"].to_list() == ["2"]


def test_stratified_splits_hold_whole_groups_of_equal_pictures() -> None:
    members = {f"i{number}": {"phash": 77} for number in range(1, 9)}

    result = split(world(60, **members), strategy="stratified", sizes={"val": 0.3, "test": 0.2})

    assert result.images.group_by("group").agg(pl.col("subset").n_unique())["subset"].max() == 1
    assert {name: part["images"] for name, part in report_of(result)["splits"].items()} == pytest.approx(
        {"train": 30, "val": 18, "test": 12}, abs=6
    )
