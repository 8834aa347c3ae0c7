"""Rules about COCO's annotations: each with a directory that keeps it and one that does not, and the real thing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from PIL import Image

from maxsight_assets.datasets.coco import rules as coco
from maxsight_assets.datasets.coco.rules import COCO_RULES, CocoView
from maxsight_assets.formats.coco import read_instances
from maxsight_assets.formats.tables import Tables
from maxsight_assets.publishing.manifest import Manifest
from maxsight_assets.verdict import Rule, Verdict, run
from maxsight_assets.verification import boxes
from maxsight_assets_tests.places import SHARED
from maxsight_assets_tests.verification.directories import (
    ANNOTATIONS,
    HEIGHT,
    WIDTH,
    annotation,
    document,
    jpeg,
    manifest_of,
    view_of,
    write_coco,
)

REAL = SHARED / "data/coco_mini"
Spoil = Callable[[dict[str, Any]], None]


def judged(rule: Rule[CocoView], root: Path, spoil: Spoil) -> Verdict:
    """The rule's verdict on a directory whose document was spoilt."""
    contents = document()
    spoil(contents)
    return rule.judge(view_of(write_coco(root, contents)))


def adding(*annotations: dict[str, Any]) -> Spoil:
    return lambda contents: contents["annotations"].extend(annotations)


@pytest.mark.parametrize("rule", COCO_RULES, ids=lambda rule: rule.name)
def test_a_sound_directory_keeps_every_rule(rule: Rule[CocoView], tmp_path: Path) -> None:
    assert rule.judge(view_of(write_coco(tmp_path))).passed


def test_rules_have_names_of_their_own_and_speak_to_people() -> None:
    assert len({rule.name for rule in COCO_RULES}) == len(COCO_RULES)
    assert all(rule.description.endswith(".") for rule in COCO_RULES)
    assert all(rule.severity == "error" for rule in COCO_RULES if rule.blocking)


SPOILT: list[tuple[Rule[CocoView], Spoil, str]] = [
    (boxes.box_ids_are_unique, adding(annotation(101, 2)), "box 101 of image 1"),
    (
        boxes.image_ids_are_unique,
        lambda contents: contents["images"].append(contents["images"][1] | {"file_name": "000000000001.jpg"}),
        "image 2",
    ),
    (boxes.boxes_have_an_image, adding(annotation(9, 77)), "box 9 of image 77"),
    (boxes.classes_are_declared, adding(annotation(9, 1, category_id=12)), "box 9 of image 1"),
    (boxes.boxes_have_area, adding(annotation(9, 1, bbox=[1, 1, 5, 0])), "box 9 of image 1: 5.0 x 0.0 pixels"),
    (boxes.boxes_have_area, adding(annotation(9, 1, bbox=[9, 1, -5, 5])), "box 9 of image 1: -5.0 x 5.0 pixels"),
    (boxes.boxes_are_inside, adding(annotation(9, 1, bbox=[50, 1, 20, 5])), "box 9 of image 1: [50.0, 1.0, 20.0, 5.0]"),
    (boxes.boxes_are_inside, adding(annotation(9, 1, bbox=[-3, 1, 20, 5])), "box 9 of image 1: [-3.0, 1.0, 20.0, 5.0]"),
    (boxes.boxes_are_distinct, adding(annotation(900, 1)), "box 900 of image 1"),
    (coco.ids_are_not_zero, adding(annotation(0, 1)), "box 0 of image 1"),
    (coco.crowds_are_regions, adding(annotation(9, 1, iscrowd=1)), "box 9 of image 1"),
    (
        coco.crowds_are_regions,
        adding(annotation(9, 1, segmentation={"size": [48, 64], "counts": [3072]})),
        "box 9 of image 1",
    ),
    (
        coco.masks_are_sound,
        adding(annotation(9, 1, segmentation=[[1, 2, 3, 4, 5]])),
        "box 9 of image 1: a polygon of 5",
    ),
    (coco.masks_are_sound, adding(annotation(9, 1, segmentation=[])), "box 9 of image 1: no polygon"),
    (
        coco.masks_are_sound,
        adding(annotation(9, 1, segmentation=[[1, 1, 199, 1, 9, 9]])),
        "box 9 of image 1: a polygon far",
    ),
    (coco.masks_are_sound, adding(annotation(9, 1, segmentation="?")), "box 9 of image 1: neither"),
    (coco.images_have_a_licence, lambda contents: contents["images"][1].pop("license"), "image 2"),
    (coco.images_have_a_licence, lambda contents: contents["images"][1].update(license=99), "image 2"),
    (
        coco.categories_are_known,
        lambda contents: contents["categories"].pop(),
        "val2017: category 90 is None, not COCO's 'toothbrush'",
    ),
    (
        coco.categories_are_known,
        lambda contents: contents["categories"][0].update(name="Person"),
        "val2017: category 1 is 'Person', not COCO's 'person'",
    ),
    (
        coco.categories_are_known,
        lambda contents: contents["categories"].append({"id": 91, "name": "hat"}),
        "val2017: category 91 is 'hat', not COCO's None",
    ),
]


def test_an_image_record_that_stands_twice_is_named_and_blocks_nothing(tmp_path: Path) -> None:
    contents = document()
    contents["images"].append(dict(contents["images"][1]))

    found = {verdict.rule: verdict for verdict in run(COCO_RULES, view_of(write_coco(tmp_path, contents)))}

    assert found["images_are_listed_once"].examples == ("image 2",)
    assert all(found[rule.name].passed for rule in COCO_RULES if rule.blocking)


def test_more_odd_fields_than_records_are_named_each_on_one_line(tmp_path: Path) -> None:
    contents = document(images=1)
    root = write_coco(tmp_path, contents)
    for record in (*contents["images"], *contents["annotations"], *contents["categories"]):
        record |= {name: str(value) for name, value in record.items() if name.endswith("id")}

    (root / ANNOTATIONS).write_text(json.dumps(contents), encoding="utf-8")

    verdict = boxes.fields_are_of_their_type.judge(view_of(root))

    assert (verdict.passed, verdict.offenders, verdict.checked) == (False, 5, 5)
    assert 'val2017: annotations, id: 1 of 1 records (1 read as meant): annotations[0] ("101")' in verdict.examples


def boxes_as(form: str, *, masks: bool = True) -> Spoil:
    """Write the boxes of the first ten images in another form."""

    def spoil(contents: dict[str, Any]) -> None:
        for row in contents["annotations"][:10]:
            x, y, w, h = row["bbox"]
            row["bbox"] = {
                "corners": [x, y, x + w, y + h],
                "shares": [x / WIDTH, y / HEIGHT, w / WIDTH, h / HEIGHT],
                "double": [2 * x, 2 * y, 2 * w, 2 * h],
            }[form]
            if not masks:
                row["segmentation"] = []

    return spoil


@pytest.mark.parametrize(
    ("form", "masks", "look"),
    [
        ("corners", True, "boxes look like corners (x1, y1, x2, y2)"),
        ("shares", True, "boxes look like shares of the picture (0 to 1)"),
        ("shares", False, "boxes look like shares of the picture (0 to 1)"),
        ("double", True, "boxes look like those of another scale than their masks"),
    ],
)
def test_fault_82_the_gate_names_what_boxes_look_like(form: str, masks: bool, look: str, tmp_path: Path) -> None:
    contents = document(images=40)
    boxes_as(form, masks=masks)(contents)
    found = {verdict.rule: verdict for verdict in run(COCO_RULES, view_of(write_coco(tmp_path, contents)))}

    assert look in found["damage_is_bounded"].examples[0]
    assert found["boxes_fit_their_masks"].offenders == 10


def test_exchanged_splits_are_named_by_the_address_of_each_image(tmp_path: Path) -> None:
    contents = document()
    for image, split in zip(contents["images"], ("train2017", "val2017", "train2017"), strict=False):
        image["coco_url"] = f"http://images.cocodataset.org/{split}/{image['file_name']}"

    verdict = coco.splits_are_the_publishers.judge(view_of(write_coco(tmp_path / "mixed", contents)))

    assert (verdict.checked, verdict.offenders) == (3, 2)  # an image without an address is not judged
    assert verdict.examples[0] == "val2017/000000000001.jpg: of train2017 by its coco_url"
    for image in contents["images"]:
        image.pop("coco_url", None)
        image["coco_url"] = f"http://images.cocodataset.org/val2017/{image['file_name']}"
    assert coco.splits_are_the_publishers.judge(view_of(write_coco(tmp_path / "right", contents))).passed


def test_a_licence_without_a_name_is_counted_as_unknown_and_ends_no_check(tmp_path: Path) -> None:
    contents = document() | {
        "licenses": [{"id": 4, "name": None, "url": "http://creativecommons.org/licenses/by/2.0/"}]
    }

    verdicts = {verdict.rule: verdict for verdict in run(COCO_RULES, view_of(write_coco(tmp_path, contents)))}

    assert all(verdict.passed for verdict in verdicts.values())
    assert verdicts["images_have_a_licence"].facts == {"unknown": 4}


@pytest.mark.parametrize(
    ("rule", "spoil", "offender"), SPOILT, ids=[f"{n}-{r.name}" for n, (r, _, _) in enumerate(SPOILT)]
)
def test_a_spoilt_record_is_counted_and_named(
    rule: Rule[CocoView], spoil: Spoil, offender: str, tmp_path: Path
) -> None:
    verdict = judged(rule, tmp_path, spoil)

    assert (verdict.passed, verdict.examples[0].startswith(offender)) == (False, True), verdict
    assert verdict.remedy
    assert verdict.offenders <= verdict.checked


def test_fault_63_huge_coordinates_and_a_mask_bomb_are_named_and_crash_nothing(tmp_path: Path) -> None:
    spoil = adding(
        annotation(7, 1, segmentation=[[1e9, 1, 2, 2, 3, 3]]),
        annotation(8, 1, segmentation=[[-1e9, 1, 2, 2, 3, 3]]),
        annotation(9, 1, iscrowd=1, segmentation={"size": [100_000, 100_000], "counts": [10_000_000_000]}),
    )

    verdict = judged(coco.masks_are_sound, tmp_path, spoil)

    assert verdict.offenders == 3
    assert verdict.examples[2].startswith("box 9 of image 1")


def test_known_upstream_defects_are_counted_apart_so_that_a_new_one_stands_out(tmp_path: Path) -> None:
    contents = document()
    contents["images"].append(contents["images"][0] | {"id": 99844, "file_name": "000000099844.jpg"})
    twice = [annotation(n, 99844) for n in (61, 62)]
    contents["annotations"] += [annotation(n, 1, bbox=[5, 5, 9, 0]) for n in (918, 2206849)] + twice
    view = view_of(write_coco(tmp_path, contents))

    flat, distinct = boxes.boxes_have_area.judge(view), boxes.boxes_are_distinct.judge(view)

    assert (flat.passed, flat.facts) == (True, {"known upstream flat boxes": 2})
    assert distinct.facts["known upstream duplicates"] == 1


def test_an_image_of_four_inks_is_named_and_modes_are_counted(tmp_path: Path) -> None:
    write_coco(tmp_path)
    Image.new("CMYK", (64, 48), (9, 90, 200, 0)).save(tmp_path / "val2017/000000000002.jpg")
    Image.new("L", (64, 48), 90).save(tmp_path / "val2017/000000000003.jpg")

    verdict = coco.images_are_rgb_or_gray.judge(view_of(tmp_path))

    assert verdict.examples == ("val2017/000000000002.jpg: CMYK",)
    assert verdict.facts == {"mode CMYK": 1, "mode L": 1, "mode RGB": 2}


def test_rounded_edges_are_no_offence(tmp_path: Path) -> None:
    assert judged(boxes.boxes_are_inside, tmp_path, adding(annotation(9, 1, bbox=[44.01, 0, 20, 48.5]))).passed


def test_fault_62_rules_about_unreadable_annotations_fail_and_name_the_place(tmp_path: Path) -> None:
    write_coco(tmp_path)
    text = (tmp_path / ANNOTATIONS).read_text(encoding="utf-8")
    (tmp_path / ANNOTATIONS).write_text(text.replace("20.0,", "20.0;", 1), encoding="utf-8")
    verdicts = {verdict.rule: verdict for verdict in run(COCO_RULES, view_of(tmp_path))}

    assert "instances_val2017.json: $.annotations[0].bbox" in verdicts["annotations_parse"].examples[0]
    assert not verdicts["boxes_have_area"].passed
    assert not verdicts["categories_are_known"].passed
    assert verdicts["files_complete"].passed


def test_an_empty_selection_is_not_published(tmp_path: Path) -> None:
    verdict = judged(boxes.not_empty, tmp_path, lambda contents: contents["annotations"].clear())

    assert verdict.examples == ("no boxes",)
    assert boxes.not_empty.blocking


def test_an_image_that_no_annotation_lists_blocks(tmp_path: Path) -> None:
    write_coco(tmp_path)
    (tmp_path / "val2017/000000000009.jpg").write_bytes(jpeg(9))

    verdict = boxes.landed_images_are_listed.judge(view_of(tmp_path))

    assert verdict.examples == ("val2017/000000000009.jpg",)
    assert boxes.landed_images_are_listed.blocking


def test_counts_are_those_of_the_whole_file_also_where_few_images_were_selected(tmp_path: Path) -> None:
    def half(root: Path, manifest: Manifest) -> Tables:
        return Tables(*(table.head(2) for table in _read(root)))

    def _read(root: Path) -> tuple[Any, Any]:
        tables = read_instances(root / ANNOTATIONS, split="val2017", image_dir="coco_raw/val2017").tables()
        return tables.images, tables.boxes

    view = view_of(write_coco(tmp_path), reader=half)

    assert view.images.height == 2
    assert view.counted["val2017"].images == 4


def test_a_caption_file_that_does_not_parse_is_a_warning(tmp_path: Path) -> None:
    write_coco(tmp_path)
    (tmp_path / "annotations/captions_val2017.json").write_text('{"images": []', encoding="utf-8")

    verdict = coco.other_annotations_parse.judge(view_of(tmp_path))

    assert (verdict.passed, verdict.checked) == (False, 1)
    assert coco.other_annotations_parse.severity == "warn"


@pytest.mark.skipif(not REAL.is_dir(), reason="no real COCO images beside the checkout")
def test_real_coco_keeps_every_rule() -> None:
    def read(root: Path, _: Manifest) -> Tables:
        parts = [
            read_instances(root / f"annotations/instances_{split}.json", split=split, image_dir=f"coco_raw/{split}")
            for split in ("train2017", "val2017")
        ]
        tables = [part.tables() for part in parts]
        return Tables(pl.concat(each.images for each in tables), pl.concat(each.boxes for each in tables))

    verdicts = run(COCO_RULES, view_of(REAL, manifest_of(REAL, sizes=False), reader=read))

    assert [verdict for verdict in verdicts if not verdict.passed] == []
    by_name = {verdict.rule: verdict for verdict in verdicts}
    assert by_name["boxes_have_area"].checked == 1_287
    assert by_name["every_image_decodes"].checked == 137
    assert sum(by_name["images_have_a_licence"].facts.values()) == 137  # type: ignore[arg-type]
