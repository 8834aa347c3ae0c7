"""Rules about the files of a raw directory: each with one directory that keeps it and one that does not."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from maxsight_assets.catalog.model import SplitCounts
from maxsight_assets.formats.tables import Tables
from maxsight_assets.publishing.manifest import Manifest
from maxsight_assets.remote import Level
from maxsight_assets.verdict import Rule, run, verdict_of
from maxsight_assets.verification import raw
from maxsight_assets.verification.raw import FILE_RULES, IMAGE_RULES
from maxsight_assets.verification.views import RawView
from maxsight_assets_tests.verification.directories import (
    document,
    jpeg,
    manifest_of,
    read,
    turned,
    view_of,
    write_coco,
)

FIRST = "val2017/000000000001.jpg"


@pytest.mark.parametrize("rule", [*FILE_RULES, *IMAGE_RULES], ids=lambda rule: rule.name)
def test_a_whole_directory_keeps_every_rule_of_files_and_images(rule: Rule[RawView], tmp_path: Path) -> None:
    verdict = rule.judge(view_of(write_coco(tmp_path)))

    assert verdict.passed, verdict
    assert not verdict.remedy


def test_missing_and_short_files_are_named(tmp_path: Path) -> None:
    manifest = manifest_of(write_coco(tmp_path))
    (tmp_path / FIRST).unlink()
    (tmp_path / "val2017/000000000002.jpg").write_bytes(b"short")

    verdict = raw.files_complete.judge(view_of(tmp_path, manifest))

    assert (verdict.passed, verdict.offenders, verdict.checked) == (False, 2, 5)
    assert verdict.examples[0] == f"{FIRST}: missing"
    assert "5 found" in verdict.examples[1]
    assert "repair" in verdict.remedy


def test_fault_39_a_file_edited_later_is_named_by_its_hash(tmp_path: Path) -> None:
    manifest = manifest_of(write_coco(tmp_path))
    data = bytearray((tmp_path / FIRST).read_bytes())
    data[-10] ^= 1
    (tmp_path / FIRST).write_bytes(data)
    view = view_of(tmp_path, manifest)

    assert raw.files_complete.judge(view).passed
    verdict = raw.hashes_match.judge(view)
    assert not verdict.passed
    assert [example.split(":")[0] for example in verdict.examples] == [FIRST]
    assert verdict.facts == {"level sha256": 5}


def test_an_image_that_changes_between_its_hash_and_its_decoding_is_named(tmp_path: Path) -> None:
    view = view_of(write_coco(tmp_path))
    assert raw.hashes_match.judge(view).passed

    (tmp_path / FIRST).write_bytes(jpeg(99))

    verdict = raw.every_image_decodes.judge(view)
    assert [example.split(":")[0] for example in verdict.examples] == [FIRST]


def test_foreign_files_are_named_and_our_own_state_is_not(tmp_path: Path) -> None:
    manifest = manifest_of(write_coco(tmp_path))
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    (tmp_path / ".maxsight").mkdir()
    (tmp_path / ".maxsight/MANIFEST.json").write_text("{}", encoding="utf-8")

    verdict = raw.no_unlisted_files.judge(view_of(tmp_path, manifest))

    assert verdict.examples == ("notes.txt",)
    assert "adopt" not in verdict.remedy  # which leaves out what the selection does not name
    (tmp_path / "notes.txt").rename(tmp_path.parent / "notes.txt")
    assert raw.no_unlisted_files.judge(view_of(tmp_path, manifest)).passed


def test_files_that_an_earlier_selection_left_are_not_foreign(tmp_path: Path) -> None:
    whole = manifest_of(write_coco(tmp_path))
    rows = [replace(row, kept=row.path == FIRST) for row in whole.rows.values()]
    manifest = Manifest.of(rows, asset="coco_raw", source="upstream", selection={}, inputs={})
    view = view_of(tmp_path, manifest)

    assert raw.no_unlisted_files.judge(view).passed
    assert FIRST not in set(view.facts["path"])


@pytest.mark.parametrize(
    ("level", "passed"), [("crc32+size", True), ("first-use", True), ("size", False), ("unverified", False)]
)
def test_files_that_no_checksum_vouches_for_are_named(level: Level, passed: bool, tmp_path: Path) -> None:
    verdict = raw.how_verified.judge(view_of(tmp_path, manifest_of(write_coco(tmp_path), level=level)))

    assert verdict.passed == passed
    assert verdict.offenders == (0 if passed else 5)


def test_the_embedded_upstream_need_not_publish_checksums(tmp_path: Path) -> None:
    manifest = manifest_of(write_coco(tmp_path), level="size", source="embedded")

    assert raw.how_verified.judge(view_of(tmp_path, manifest)).passed


def test_fault_66_one_damaged_image_of_many_is_a_warning_and_does_not_block(tmp_path: Path) -> None:
    write_coco(tmp_path)
    (tmp_path / FIRST).write_bytes(jpeg(1)[:-60])
    view = view_of(tmp_path)

    warned, blocked = raw.every_image_decodes.judge(view), raw.enough_images_decode.judge(view)

    assert (warned.passed, warned.offenders, blocked.passed) == (False, 1, True)
    assert warned.examples[0].startswith(FIRST)
    assert raw.every_image_decodes.severity == "warn"
    assert blocked.facts == {"undecodable": 1}


def test_fault_22_login_pages_in_place_of_images_block(tmp_path: Path) -> None:
    write_coco(tmp_path, document(images=10))
    for n in range(1, 7):
        (tmp_path / f"val2017/{n:012}.jpg").write_bytes(b"<html>please log in</html>")

    verdict = raw.enough_images_decode.judge(view_of(tmp_path))

    assert (verdict.passed, verdict.offenders) == (False, 6)
    assert raw.enough_images_decode.blocking


@pytest.mark.parametrize(
    ("gone", "total", "blocked"),
    [(3, 30, False), (5, 30, False), (6, 30, True), (1, 1, True), (1, 2, False), (2, 3, True), (5, 9, True)],
)
def test_a_few_may_be_gone_of_few_but_not_most(gone: int, total: int, blocked: bool, tmp_path: Path) -> None:
    write_coco(tmp_path, document(images=total))
    for n in range(1, gone + 1):
        (tmp_path / f"val2017/{n:012}.jpg").unlink()
    view = view_of(tmp_path)

    assert raw.enough_images_landed.judge(view).passed != blocked
    assert raw.every_image_landed.judge(view).offenders == gone


@pytest.mark.parametrize(
    ("tolerance", "passed"), [({"records": 9}, True), ({"share": 0.5}, True), ({"records": 2}, False)]
)
def test_how_many_may_be_gone_can_be_stated(tolerance: dict[str, float], passed: bool, tmp_path: Path) -> None:
    write_coco(tmp_path, document(images=30))
    for n in range(1, 9):
        (tmp_path / f"val2017/{n:012}.jpg").unlink()
    manifest = manifest_of(tmp_path)
    info = replace(manifest.info, selection={"tolerance": tolerance})

    assert raw.enough_images_landed.judge(view_of(tmp_path, replace(manifest, info=info))).passed == passed


def test_an_image_of_another_size_than_annotated_is_named(tmp_path: Path) -> None:
    write_coco(tmp_path)
    (tmp_path / FIRST).write_bytes(jpeg(1, width=48, height=64))

    verdict = raw.stated_sizes_match.judge(view_of(tmp_path))

    assert verdict.examples == (f"{FIRST}: 64x48 stated, 48x64 found",)
    assert verdict.checked == 4


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_picture_that_exif_turns_is_named_whatever_its_size(orientation: int, tmp_path: Path) -> None:
    write_coco(tmp_path)
    (tmp_path / FIRST).write_bytes(turned(1, orientation))

    verdict = raw.pictures_are_upright.judge(view_of(tmp_path))

    assert verdict.examples == (f"{FIRST}: orientation {orientation}, rotation 0",)
    assert verdict.facts == {"turned by EXIF": 1, "with a rotation": 0}
    assert raw.stated_sizes_match.judge(view_of(tmp_path)).passed


def test_a_picture_with_a_rotation_of_the_publishers_is_named(tmp_path: Path) -> None:
    def rotated(root: Path, manifest: Manifest) -> Tables:
        tables = read(root, manifest)
        turns = pl.when(pl.col("image_id") == "2").then(270).otherwise(0)
        return replace(tables, images=tables.images.with_columns(rotation=turns.cast(pl.Int32)))

    verdict = raw.pictures_are_upright.judge(view_of(write_coco(tmp_path), reader=rotated))

    assert verdict.examples == ("val2017/000000000002.jpg: orientation 1, rotation 270",)


@pytest.mark.parametrize(("ids", "placeholders"), [(2, 0), (3, 3)])
def test_fault_86_a_picture_under_several_ids_is_named(ids: int, placeholders: int, tmp_path: Path) -> None:
    write_coco(tmp_path)
    for n in range(1, ids + 1):
        (tmp_path / f"val2017/{n:012}.jpg").write_bytes(jpeg(99))

    verdict = raw.pictures_have_one_id.judge(view_of(tmp_path))

    assert verdict.examples[0] == f"val2017/000000000002.jpg: as {FIRST} (content)"
    assert (verdict.offenders, verdict.checked) == (ids - 1, 4)
    assert verdict.facts == {"content": ids - 1, "placeholders": placeholders}


def test_fault_86_a_picture_that_was_written_anew_is_named_too(tmp_path: Path) -> None:
    write_coco(tmp_path)
    (tmp_path / FIRST).write_bytes(turned(2, 1))

    verdict = raw.pictures_have_one_id.judge(view_of(tmp_path))

    assert [example.split(" (")[0] for example in verdict.examples] == [f"val2017/000000000002.jpg: as {FIRST}"]


def test_counts_that_differ_from_the_publishers_are_named(tmp_path: Path) -> None:
    counts = {"val2017": SplitCounts(images=4, boxes=5), "train2017": SplitCounts(images=1)}

    verdict = raw.counts_match.judge(view_of(write_coco(tmp_path), counts=counts))

    assert verdict.examples == ("train2017: 1 images stated, 0 found", "val2017: 5 boxes stated, 4 found")
    assert verdict.facts == {"val2017 images": 4, "val2017 boxes": 4}


def test_each_figure_that_the_publisher_states_is_one_that_is_looked_at(tmp_path: Path) -> None:
    counts = {split: SplitCounts(images=5, boxes=7) for split in ("train2017", "val2017")}

    verdict = raw.counts_match.judge(view_of(write_coco(tmp_path), counts=counts))

    assert (verdict.offenders, verdict.checked) == (4, 4)


def test_more_offenders_than_records_are_a_mistake_of_the_rule() -> None:
    with pytest.raises(ValueError, match="4 offenders of 2"):
        verdict_of("a_rule", "abcd", checked=2, remedy="none")


def test_fault_26_one_image_gone_upstream_is_a_warning(tmp_path: Path) -> None:
    write_coco(tmp_path, document(images=10))
    (tmp_path / FIRST).unlink()
    view = view_of(tmp_path)

    assert raw.every_image_landed.judge(view).examples == (FIRST,)
    assert raw.enough_images_landed.judge(view).passed


def test_fault_26_many_images_gone_upstream_block(tmp_path: Path) -> None:
    write_coco(tmp_path, document(images=10))
    (tmp_path / FIRST).unlink()
    gone = "".join(f"val2017/x{n}.jpg,404 Not Found\n" for n in range(5))
    (tmp_path / "missing.csv").write_text(f"path,reason\n{gone}", encoding="utf-8")

    verdict = raw.enough_images_landed.judge(view_of(tmp_path))

    assert (verdict.passed, verdict.checked, verdict.offenders) == (False, 15, 6)
    assert verdict.examples[:2] == (FIRST, "val2017/x0.jpg: 404 Not Found")
    assert verdict.remedy.startswith("5: 404 Not Found. Upstream refuses them")
    assert "1: no reason is noted. Materialize again" in verdict.remedy


def test_verdicts_do_not_depend_on_the_order_in_which_rules_run(tmp_path: Path) -> None:
    write_coco(tmp_path)
    rules = (*FILE_RULES, *IMAGE_RULES)

    forward = run(rules, view_of(tmp_path))

    assert forward == run(rules[::-1], view_of(tmp_path))[::-1]
