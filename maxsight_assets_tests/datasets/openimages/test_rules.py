"""Rules about Open Images' tables: each with tables that keep it and tables that do not."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from maxsight_assets.datasets.openimages import rules as openimages
from maxsight_assets.datasets.openimages.rules import OPENIMAGES_RULES
from maxsight_assets.formats.tables import BOXES, IMAGES, Tables, conform
from maxsight_assets.publishing.manifest import Manifest
from maxsight_assets.verdict import Rule, run
from maxsight_assets.verification import raw
from maxsight_assets.verification.views import RawView
from maxsight_assets_tests.verification.directories import HEIGHT, WIDTH, jpeg, manifest_of

IDS = ("0a00000000000001", "000e100000000000")


def image(image_id: str) -> dict[str, Any]:
    path = f"open_images_v6/validation/{image_id[:2]}/{image_id}.jpg"
    return {"source": "openimages", "split": "validation", "image_id": image_id, "path": path, "flickr_id": "1"}


def box(image_id: str, number: int = 0, **changes: Any) -> dict[str, Any]:
    row = {"source": "openimages", "split": "validation", "image_id": image_id, "box_id": f"{image_id}:{number}"}
    flags = dict.fromkeys(("crowd", "occluded", "truncated", "depiction", "inside"), False)
    return row | flags | {"label": "Door handle", "x": 1.0, "y": 1.0, "w": 9.0, "h": 9.0} | changes


def view_of(
    root: Path, *, images: list[dict[str, Any]] | None = None, boxes: list[dict[str, Any]] | None = None
) -> RawView:
    """A directory with two landed images; tables are as given, else sound."""
    for number, image_id in enumerate(IDS):
        path = root / f"validation/{image_id[:2]}/{image_id}.jpg"
        path.parent.mkdir(parents=True)
        path.write_bytes(jpeg(number))
    images = [image(image_id) for image_id in IDS] if images is None else images
    boxes = [box(image_id) for image_id in IDS] if boxes is None else boxes

    def read(_: Path, __: Manifest) -> Tables:
        return Tables(conform(pl.DataFrame(images), IMAGES), conform(pl.DataFrame(boxes), BOXES))

    return RawView(root=root, manifest=manifest_of(root), place="open_images_v6", read=read)


@pytest.mark.parametrize("rule", OPENIMAGES_RULES, ids=lambda rule: rule.name)
def test_a_sound_directory_keeps_every_rule(rule: Rule[RawView], tmp_path: Path) -> None:
    assert rule.judge(view_of(tmp_path)).passed


def test_boxes_that_were_scaled_by_another_size_than_the_pictures_are_found(tmp_path: Path) -> None:
    view = view_of(tmp_path)
    rows = [replace(row, width=WIDTH + 1) if IDS[0] in row.path else row for row in view.manifest.rows.values()]

    verdict = raw.stated_sizes_match.judge(replace(view, manifest=view.manifest.with_rows(rows)))

    path = f"validation/{IDS[0][:2]}/{IDS[0]}.jpg"
    assert verdict.examples == (f"{path}: {WIDTH + 1}x{HEIGHT} stated, {WIDTH}x{HEIGHT} found",)


def test_sizes_come_from_the_files_where_the_publisher_states_none(tmp_path: Path) -> None:
    view = view_of(tmp_path, boxes=[box(IDS[0]), box(IDS[1], w=WIDTH + 9.0)])
    verdicts = {verdict.rule: verdict for verdict in run(OPENIMAGES_RULES, view)}

    assert view.images.select("width", "height").rows() == [(WIDTH, HEIGHT)] * 2
    assert verdicts["boxes_are_inside"].examples[0].startswith(f"box {IDS[1]}:0")


def test_fault_64_an_id_that_was_read_as_a_number_blocks(tmp_path: Path) -> None:
    verdict = openimages.ids_are_text.judge(view_of(tmp_path, boxes=[box("1e13"), box(IDS[0])]))

    assert (verdict.passed, verdict.examples) == (False, ("1e13",))
    assert openimages.ids_are_text.blocking


@pytest.mark.parametrize("mid", ["/m/0zzz", "/g/11zzz"])
def test_a_bare_mid_in_place_of_a_class_is_named(tmp_path: Path, mid: str) -> None:
    verdict = openimages.mids_are_known.judge(view_of(tmp_path, boxes=[box(IDS[0], label=mid), box(IDS[1])]))

    assert verdict.examples == (f"box {IDS[0]}:0 of image {IDS[0]}: {mid}",)


def test_an_image_without_boxes_is_a_warning(tmp_path: Path) -> None:
    verdict = openimages.images_have_boxes.judge(view_of(tmp_path, boxes=[box(IDS[0])]))

    assert (verdict.examples, verdict.checked) == ((f"image {IDS[1]}",), 2)


def test_an_edition_without_flags_is_noticed(tmp_path: Path) -> None:
    boxes = [box(image_id, crowd=None, depiction=None) for image_id in IDS]

    verdict = openimages.flags_are_stated.judge(view_of(tmp_path, boxes=boxes))

    assert verdict.examples == ("crowd: unknown for 100% of the boxes", "depiction: unknown for 100% of the boxes")
    assert verdict.facts["occluded unknown"] == 0


def test_every_box_needs_an_image_and_every_image_its_rows(tmp_path: Path) -> None:
    view = view_of(tmp_path, images=[image(IDS[0])], boxes=[box(IDS[0]), box(IDS[1])])
    verdicts = {verdict.rule: verdict for verdict in run(OPENIMAGES_RULES, view)}

    assert verdicts["boxes_have_an_image"].examples == (f"box {IDS[1]}:0 of image {IDS[1]}",)
    assert verdicts["landed_images_are_listed"].examples == (f"validation/00/{IDS[1]}.jpg",)


def test_fault_26_images_that_upstream_no_longer_has_are_read_from_the_landings_note(tmp_path: Path) -> None:
    view = view_of(tmp_path)
    (tmp_path / "missing.csv").write_text("path,reason\nvalidation/ab/ab.jpg,404 Not Found\n", encoding="utf-8")

    assert raw.every_image_landed.judge(view).examples == ("validation/ab/ab.jpg: 404 Not Found",)
    assert raw.enough_images_landed.judge(view).passed


def test_fault_64_broken_rows_of_landed_images_are_named_by_line(tmp_path: Path) -> None:
    view = view_of(tmp_path)
    header = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsGroupOf"
    row = f"{IDS[0]},xclick,/m/01g317,1,0.25,0.5,0.125,1,"
    path = tmp_path / "validation-annotations-bbox.csv"
    path.write_text(f"{header}\n{row}0\n{row}7\n{row.replace('0.25', '2.5')}0\n", encoding="utf-8")

    verdict = openimages.rows_are_sound.judge(view)

    assert verdict.checked == 3
    assert verdict.examples == (
        "validation-annotations-bbox.csv: line 3: IsGroupOf is neither 1, 0 nor -1",
        "validation-annotations-bbox.csv: line 4: XMin is no number in 0..1",
    )


def test_a_page_without_a_flickr_id_is_named(tmp_path: Path) -> None:
    verdict = openimages.flickr_ids_are_known.judge(
        view_of(tmp_path, images=[image(IDS[0]), image(IDS[1]) | {"flickr_id": None}])
    )

    assert verdict.examples == (f"image {IDS[1]}",)


def test_a_class_that_was_asked_for_and_got_nothing_is_named(tmp_path: Path) -> None:
    view = view_of(tmp_path)
    rows = ["/m/1,Door,door,9,2,2,3", "/m/2,Stairs,stairs,5,1,0,0", '/m/3,"Salt, pepper",,0,0,0,0']
    (tmp_path / "coverage.csv").write_text(
        "\n".join([",".join(openimages.COVERAGE_COLUMNS), *rows]) + "\n", encoding="utf-8"
    )

    verdict = openimages.classes_are_covered.judge(view)

    assert verdict.examples == ("Stairs: none of 5 images landed",)
    assert verdict.facts == {"classes that upstream has no image of": 1}


@pytest.mark.parametrize("damaged", [b"", b"a;b\n1;2\n", b'\xff\x00,"x\n', b"null"])
def test_notes_of_a_landing_that_were_damaged_since_fail_their_rules_and_end_no_other(
    damaged: bytes, tmp_path: Path
) -> None:
    view = view_of(tmp_path)
    for name in ("coverage.csv", "missing.csv", "rejected.csv", "train-annotations-bbox.csv"):
        (tmp_path / name).write_bytes(damaged)

    failed = {verdict.rule: verdict.offenders for verdict in run(OPENIMAGES_RULES, view) if not verdict.passed}

    assert failed == {
        "classes_are_covered": 1,
        "enough_rows_are_sound": 1,
        "every_image_landed": 1,
        "no_unlisted_files": 4,
        "rows_are_sound": 2,
    }
