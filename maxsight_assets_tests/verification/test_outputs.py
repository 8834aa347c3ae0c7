"""Rules about evaluation sets and splits: each with files that keep it and files that do not."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import simplejpeg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maxsight_assets.errors import FormatError
from maxsight_assets.formats.tables import LEDGER, Tables, conform
from maxsight_assets.verdict import Rule
from maxsight_assets.verification import evaluation, outputs, splits
from maxsight_assets.verification.evaluation import EVALUATION_RULES, EvaluationView
from maxsight_assets.verification.outputs import OutputView
from maxsight_assets.verification.splits import SPLIT_RULES, SplitsView
from maxsight_assets_tests.verification.directories import HEIGHT, WIDTH, jpeg
from maxsight_assets_tests.verification.written import SET, Documents, Written, box, document, dropped

Spoil = Callable[[Documents], object]


@pytest.mark.parametrize("rule", EVALUATION_RULES, ids=lambda rule: rule.name)
def test_a_sound_evaluation_set_keeps_every_rule(rule: Rule[EvaluationView], tmp_path: Path) -> None:
    verdict = rule.judge(Written(tmp_path).evaluation_view())

    assert verdict.passed, verdict
    assert verdict.checked


@pytest.mark.parametrize("rule", SPLIT_RULES, ids=lambda rule: rule.name)
def test_sound_splits_keep_every_rule(rule: Rule[SplitsView], tmp_path: Path) -> None:
    verdict = rule.judge(Written(tmp_path).splits_view())

    assert verdict.passed, verdict
    assert verdict.checked


@pytest.mark.parametrize("rules", [EVALUATION_RULES, SPLIT_RULES], ids=["evaluation", "splits"])
def test_rules_have_names_of_their_own_and_speak_to_people(rules: tuple[Rule[Any], ...]) -> None:
    assert len({rule.name for rule in rules}) == len(rules)
    assert all(rule.description.endswith(".") for rule in rules)
    assert all(rule.severity == "error" for rule in rules if rule.blocking)


SPOILT: list[tuple[Rule[OutputView], Spoil, str]] = [
    (outputs.files_parse, lambda d: d["train"]["images"][0].pop("width"), "maxsight_train.json: Object missing"),
    (outputs.none_is_empty, lambda d: d["val"]["annotations"].clear(), "val: no boxes"),
    (
        outputs.image_files_are_there,
        lambda d: d["val"]["images"][0].update(file_name="../secret.jpg"),
        "../secret.jpg",
    ),
    (outputs.images_decode, lambda d: d["val"]["images"][0].update(width=99), "val: coco_raw/5.jpg: 99x48 stated"),
    (
        outputs.turned_pictures_say_so,
        lambda d: d["val"]["images"][0].update(orientation=6),
        "val: coco_raw/5.jpg: orientation 6 stated, 1 found",
    ),
    (
        outputs.categories_are_the_label_space,
        lambda d: d["test"]["categories"].reverse(),
        "test: its categories are not the label space",
    ),
    (
        outputs.categories_are_the_label_space,
        lambda d: d["test"]["annotations"].append(box(9, 6, category_id=0)),
        "test: box 9 of 6: category 0",
    ),
    (outputs.boxes_are_sound, lambda d: d["val"]["annotations"].append(box(9, 77)), "val: box 9 of 77"),
    (outputs.boxes_are_sound, lambda d: d["val"]["annotations"].append(box(9, 5, area=0)), "val: box 9 of 5"),
    (outputs.ids_name_one_record, lambda d: d["val"]["annotations"].append(box(0, 5)), "val: box 0 of 5"),
    (outputs.ids_name_one_record, lambda d: d["val"]["annotations"].append(box(105, 5)), "val: box 105 of 5"),
    (
        outputs.ids_name_one_record,
        lambda d: d["train"]["images"].append(d["train"]["images"][0] | {"id": 9, "source_id": "9"}),
        "train: coco_raw/1.jpg",
    ),
    (
        outputs.ids_name_one_record,
        lambda d: d["train"]["images"].append(d["train"]["images"][0] | {"id": 9, "file_name": "coco_raw/8.jpg"}),
        "train: coco_raw/1.jpg",
    ),
]


@pytest.mark.parametrize(
    ("rule", "spoil", "offender"), SPOILT, ids=[f"{n}-{r.name}" for n, (r, _, _) in enumerate(SPOILT)]
)
def test_a_spoilt_record_is_counted_and_named_and_blocks(
    rule: Rule[OutputView], spoil: Spoil, offender: str, tmp_path: Path
) -> None:
    written = Written(tmp_path)
    spoil(written.documents)

    verdict = rule.judge(written.splits_view())

    assert (verdict.passed, verdict.examples[0].startswith(offender)) == (False, True), verdict
    assert rule.blocking
    assert verdict.remedy


def test_a_file_that_was_edited_or_lost_since_it_was_published_is_named(tmp_path: Path) -> None:
    view = Written(tmp_path).splits_view()
    (view.root / "report.json").unlink()
    train = view.root / "maxsight_train.json"
    train.write_bytes(train.read_bytes().replace(b'"category_id": 2', b'"category_id": 1', 1))

    verdict = outputs.files_are_as_published.judge(view)

    assert [text.partition(":")[0] for text in verdict.examples] == ["maxsight_train.json", "report.json"]


@pytest.mark.parametrize(
    ("old", "new"), [(b'"source_id": "1"', b'"source_id": "\xff"'), (b'"id": 101', b'"id": 1' + b"0" * 30)]
)
def test_a_file_that_no_reader_takes_is_named_by_every_rule_that_needs_it(
    tmp_path: Path, old: bytes, new: bytes
) -> None:
    view = Written(tmp_path).splits_view()
    train = view.root / "maxsight_train.json"
    assert old in train.read_bytes()
    train.write_bytes(train.read_bytes().replace(old, new))

    failed = {rule.name for rule in SPLIT_RULES if not rule.judge(view).passed}

    assert {"files_are_as_published", "files_parse", "files_keep_the_schema", "ledger_balances"} <= failed


def test_settings_in_a_split_that_this_release_does_not_know_are_named(tmp_path: Path) -> None:
    written = Written(tmp_path)
    for part in ("train", "val", "test"):
        written.documents[part]["info"]["config"] = {"strategy": "alphabetical"}

    verdict = outputs.files_parse.judge(written.splits_view())

    assert verdict.examples == ("info.config is not one of this release",)


def test_a_split_that_was_asked_for_as_nothing_may_be_empty(tmp_path: Path) -> None:
    written = Written(tmp_path)
    for name in ("images", "annotations"):
        written.documents["val"][name].clear()
    assert not outputs.none_is_empty.judge(written.splits_view()).passed

    written.documents["test"]["info"]["config"]["sizes"] = {"val": 0, "test": 0.2}
    written.documents["train"]["info"]["config"]["sizes"] = {"val": 0, "test": 0.2}
    assert outputs.none_is_empty.judge(written.splits_view()).passed


def test_splits_that_are_empty_because_all_of_train_leaked_say_so(tmp_path: Path) -> None:
    written = Written(tmp_path)
    for part in ("train", "val", "test"):
        written.documents[part] |= {"images": [], "annotations": []}
    fate = {"stage": "split", "kind": "image", "rule": "leaks_into_evaluation", "action": "drop", "source": "coco"}
    written.ledger = [fate | {"image_id": str(number)} for number in range(1, 7)]

    remedy = outputs.none_is_empty.judge(written.splits_view()).remedy

    assert "All 6 images" in remedy
    assert "show a picture of an evaluation set" in remedy
    written.ledger = []
    assert "widen" in outputs.none_is_empty.judge(written.splits_view()).remedy


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(jpeg(7)[:-60])], ids=["gone", "cut"])
def test_an_evaluation_picture_that_cannot_be_compared_blocks(damage: Callable[[Path], object], tmp_path: Path) -> None:
    view = Written(tmp_path).splits_view()
    damage(tmp_path / "data/coco_raw/7.jpg")

    verdict = splits.evaluation_is_unseen.judge(view)

    assert verdict.examples == (f"{SET}: coco_raw/7.jpg, cannot be compared with",)


def test_a_split_that_is_not_there_is_named(tmp_path: Path) -> None:
    view = Written(tmp_path).splits_view()
    (view.root / "maxsight_val.json").unlink()

    assert "maxsight_val.json" in outputs.files_parse.judge(view).examples[0]


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(jpeg(5)[:-60])], ids=["gone", "cut"])
def test_an_image_that_is_gone_or_cut_does_not_decode(damage: Callable[[Path], object], tmp_path: Path) -> None:
    view = Written(tmp_path).splits_view()
    damage(tmp_path / "data/coco_raw/5.jpg")

    verdict = outputs.images_decode.judge(view)

    assert (verdict.offenders, verdict.examples[0].startswith("val: coco_raw/5.jpg")) == (1, True)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(*[st.one_of(st.integers(-5, 70).map(float), st.floats(-1e9, 1e9))] * 4), min_size=1, max_size=8)
)
def test_a_box_is_sound_just_where_it_lies_in_its_image(
    tmp_path: Path, boxes: list[tuple[float, float, float, float]]
) -> None:
    written = Written(tmp_path)
    written.documents["val"]["annotations"] = [box(n + 1, 5, bbox=list(bbox)) for n, bbox in enumerate(boxes)]
    edge = outputs.ROUNDING_PX

    verdict = outputs.boxes_are_sound.judge(written.splits_view())

    sound = [
        w > 0 and h > 0 and x >= -edge and y >= -edge and x + w <= WIDTH + edge and y + h <= HEIGHT + edge
        for x, y, w, h in boxes
    ]
    assert verdict.offenders == sound.count(False)
    assert all(math.isfinite(value) for bbox in boxes for value in bbox)


def test_an_image_in_two_splits_blocks_by_each_of_its_names(tmp_path: Path) -> None:
    for name, changes in {"path": {"id": 50, "source_id": "50"}, "id": {"file_name": "x", "source_id": "50"}}.items():
        written = Written(tmp_path / name)
        written.documents["test"]["images"].append(written.documents["train"]["images"][0] | changes)

        verdict = splits.splits_share_no_image.judge(written.splits_view())

        assert (verdict.offenders, verdict.examples[0].split(":")[0]) == (2, "test")


def _near_copy(data: Path, *, of: int, to: int) -> None:
    """The same picture, encoded anew."""
    pixels = simplejpeg.decode_jpeg((data / f"coco_raw/{of}.jpg").read_bytes())
    (data / f"coco_raw/{to}.jpg").write_bytes(simplejpeg.encode_jpeg(pixels, quality=60))


@pytest.mark.parametrize("way", ["content", "near", "flickr"])
@pytest.mark.parametrize(
    ("image", "rule", "parts"),
    [(5, splits.splits_share_no_picture, {"train", "val"}), (7, splits.evaluation_is_unseen, {"train"})],
    ids=["between splits", "with evaluation"],
)
def test_a_picture_that_is_shared_is_found_by_content_likeness_and_flickr_id(
    image: int, rule: Rule[SplitsView], parts: set[str], way: str, tmp_path: Path
) -> None:
    written = Written(tmp_path)
    data = tmp_path / "data"
    if way == "content":
        (data / f"coco_raw/{image}.jpg").write_bytes((data / "coco_raw/1.jpg").read_bytes())
    elif way == "near":
        _near_copy(data, of=1, to=image)
    else:
        part = "val" if image == 5 else SET
        written.documents[part]["images"][0]["flickr_id"] = "91"

    verdict = rule.judge(written.splits_view())

    assert not verdict.passed
    assert {example.split(":")[0] for example in verdict.examples} == parts
    assert rule.blocking


def test_splits_are_not_called_unseen_where_no_evaluation_set_can_be_read(tmp_path: Path) -> None:
    view = Written(tmp_path).splits_view()
    (view.evaluation.root / SET / "annotations.json").write_text("{", encoding="utf-8")
    empty = replace(view, evaluation=replace(view.evaluation, root=tmp_path / "nothing"))

    assert splits.evaluation_is_unseen.judge(view).examples[0].startswith(f"{SET}/annotations.json")
    assert splits.evaluation_is_unseen.judge(empty).examples == ("no evaluation set is published",)


def test_near_copies_are_let_be_where_a_person_asked_for_exact_ones_only(tmp_path: Path) -> None:
    written = Written(tmp_path)
    _near_copy(tmp_path / "data", of=1, to=5)
    for part in ("train", "val", "test"):
        written.documents[part]["info"]["config"]["near_radius"] = -1

    assert splits.splits_share_no_picture.judge(written.splits_view()).passed


def test_a_record_that_vanished_or_is_there_twice_unbalances_the_ledger(tmp_path: Path) -> None:
    gone, extra = Written(tmp_path / "gone"), Written(tmp_path / "extra")
    gone.documents["train"]["annotations"].pop()
    extra.ledger.append(dropped("image", "undecodable"))
    swapped = Written(tmp_path / "swapped")
    swapped.documents["train"]["annotations"][0]["source_id"] = "invented"

    missing = splits.ledger_balances.judge(gone.splits_view())
    assert missing.examples == ("coco, box 4, 104: came in 1, accounted for 0 times",)
    double = splits.ledger_balances.judge(extra.splits_view())
    assert double.examples == ("coco, image 1: came in 1, accounted for 2 times",)
    other = splits.ledger_balances.judge(swapped.splits_view())
    assert other.examples == (
        "coco, box 1, 101: came in 1, accounted for 0 times",
        "coco, box 1, invented: came in 0, accounted for 1 times",
    )


def test_a_record_that_the_ledger_names_balances(tmp_path: Path) -> None:
    written = Written(tmp_path)
    written.documents["train"]["annotations"].pop()
    written.ledger.append(dropped("box", "zero_area", box_id="104", image_id="4"))
    written.ledger.append(dropped("box", "out_of_bounds", box_id="103") | {"action": "repair"})
    written.documents["val"]["annotations"][0]["source_id"] = "105~2"
    renamed = dropped("box", "duplicate_box_id", box_id="105", image_id="5", after='{"box_id":"105~2"}')
    written.ledger.append(renamed | {"action": "repair"})

    verdict = splits.ledger_balances.judge(written.splits_view())

    assert verdict.passed
    assert verdict.facts == {"dropped: box zero_area": 1}


def test_an_unreadable_ledger_blocks(tmp_path: Path) -> None:
    view = Written(tmp_path).splits_view()
    (view.root / "ledger.parquet").write_bytes(b"PAR1")

    assert not splits.ledger_balances.judge(view).passed
    assert splits.ledger_balances.blocking


def test_the_ledger_is_not_held_against_inputs_of_another_version(tmp_path: Path) -> None:
    verdict = splits.ledger_balances.judge(replace(Written(tmp_path).splits_view(), inputs=None))

    assert (verdict.passed, verdict.checked) == (True, 0)
    assert "skipped" in verdict.facts


@pytest.mark.parametrize("error", [FormatError("instances_train2017.json: truncated"), FileNotFoundError("gone")])
def test_inputs_that_were_damaged_since_are_named_and_end_no_other_check(error: Exception, tmp_path: Path) -> None:
    def unreadable() -> Tables:
        raise error

    verdict = splits.ledger_balances.judge(replace(Written(tmp_path).splits_view(), inputs=unreadable))

    assert (verdict.passed, verdict.examples) == (
        False,
        (f"not looked at: what the splits were made from cannot be read ({error})",),
    )


def test_labels_outside_the_space_are_counted_by_class(tmp_path: Path) -> None:
    written = Written(tmp_path)
    written.ledger += [
        dropped("box", "label_outside_space", box_id=str(n), before='{"label":"zebra"}') for n in range(3)
    ]

    verdict = splits.labels_are_in_the_space.judge(written.splits_view())

    assert verdict.examples == ("coco, zebra: 3 boxes",)
    assert splits.labels_are_in_the_space.severity == "warn"


def test_a_class_that_is_measured_but_not_trained_is_named(tmp_path: Path) -> None:
    written = Written(tmp_path)
    written.documents["test"]["annotations"].append(box(9, 6, category_id=3))

    verdict = splits.classes_are_trained.judge(written.splits_view())

    assert verdict.examples == ("door: in test, not in train",)
    assert verdict.facts == {"train classes": 1, "val classes": 1, "test classes": 2, "train dog": 4}


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("annotations_sha256", "0" * 64, f"{SET}: the annotation file has another sha256 than promised"),
        ("images", 3, f"{SET}: images promised and found differ"),
        ("boxes_per_class", {"cat": 2}, f"{SET}: boxes_per_class promised and found differ"),
    ],
)
def test_a_promise_that_the_files_do_not_keep_blocks(key: str, value: object, problem: str, tmp_path: Path) -> None:
    view = Written(tmp_path).evaluation_view(promise=lambda contract: contract.update({key: value}))

    assert evaluation.contract_holds.judge(view).examples == (problem,)
    assert evaluation.contract_holds.blocking


def test_a_slice_that_holds_something_else_than_promised_blocks(tmp_path: Path) -> None:
    written = Written(tmp_path)
    written.documents[SET]["images"][0]["timeofday"] = "night"
    night = {"of": "images", "where": {"timeofday": ["night"]}, "images": 1, "boxes": 1}
    small = {"of": "boxes", "area_below": 1024, "images": 2, "boxes": 1}
    view = written.evaluation_view(promise=lambda contract: contract.update(slices={"night": night, "small": small}))

    verdict = evaluation.contract_holds.judge(view)

    assert verdict.examples == (f"{SET}: slice small promised and found differ",)


@pytest.mark.parametrize("how", ["content", "flickr"])
def test_a_picture_in_two_sets_blocks_and_both_are_named(how: str, tmp_path: Path) -> None:
    written = Written(tmp_path)
    view = written.evaluation_view()
    other = document(1)
    (first,) = other["images"]
    if how == "flickr":
        first["flickr_id"] = written.documents[SET]["images"][0]["flickr_id"]
    else:
        (tmp_path / "data/coco_raw/1.jpg").write_bytes(jpeg(7))
    (view.root / "other").mkdir()
    (view.root / "other/annotations.json").write_text(json.dumps(other), encoding="utf-8")

    verdict = evaluation.pictures_are_in_one_set.judge(replace(view, digests=written.digests()))

    named = {f"{SET}: coco_raw/7.jpg", "other: coco_raw/1.jpg"}
    assert {each.partition(" (as ")[0] for each in verdict.examples} == named
    assert evaluation.pictures_are_in_one_set.blocking


def test_an_image_that_left_for_a_picture_in_another_set_is_no_change(tmp_path: Path) -> None:
    written = Written(tmp_path / "before")
    before = written.evaluation_view()
    after = Written(tmp_path / "after")
    after.documents[SET] = document(7)
    after.documents[SET]["images"][0] |= written.documents[SET]["images"][0]
    view = after.evaluation_view()
    row = {"source": "coco", "kind": "image", "image_id": "8", "rule": "in_another_set", "action": "drop"}

    left = evaluation.evaluation_is_the_same.judge(replace(view, before=before))
    conform(pl.DataFrame([row]), LEDGER).write_parquet(view.root / "ledger.parquet")
    left_for_it = evaluation.evaluation_is_the_same.judge(replace(after.evaluation_view(), before=before))

    assert (left.passed, left.offenders) == (False, 2)
    assert left_for_it.passed


def test_a_set_without_contract_and_a_promise_without_set_are_named(tmp_path: Path) -> None:
    view = Written(tmp_path).evaluation_view()
    (view.root / "contract.json").write_text(json.dumps({"sets": {"ade20k_val": {}}}), encoding="utf-8")

    verdict = evaluation.contract_holds.judge(view)

    assert verdict.examples == ("ade20k_val: promised, but not readable", f"{SET}: not in the contract")


def test_a_missing_contract_blocks(tmp_path: Path) -> None:
    view = Written(tmp_path).evaluation_view()
    (view.root / "contract.json").unlink()

    assert not evaluation.contract_holds.judge(view).passed


def test_an_evaluation_image_that_was_replaced_is_named(tmp_path: Path) -> None:
    written = Written(tmp_path)
    (tmp_path / "data/coco_raw/7.jpg").write_bytes(jpeg(70))

    verdict = evaluation.images_are_the_promised_ones.judge(written.evaluation_view())

    assert verdict.examples == (f"{SET}: coco_raw/7.jpg",)


def test_a_picture_that_is_in_a_set_twice_is_a_warning(tmp_path: Path) -> None:
    written = Written(tmp_path)
    (tmp_path / "data/coco_raw/8.jpg").write_bytes(jpeg(7))

    verdict = evaluation.pictures_are_distinct.judge(written.evaluation_view())

    assert verdict.offenders == 2
    assert evaluation.pictures_are_distinct.severity == "warn"
