"""`verify_coco_dataset` and `maxsight-assets verify coco` on directories that were never landed here."""

import json
import re
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import maxsight_assets
from maxsight_assets.commands.app import app
from maxsight_assets.datasets.coco.verify import CocoReport, Level, verify_coco_dataset
from maxsight_assets.errors import FormatError, SettingsError
from maxsight_assets_tests.datasets.coco.upstream import REAL, pack, serving
from maxsight_assets_tests.verification.directories import ANNOTATIONS, annotation, document, write_coco

NOT_COMPARED = "bytes_are_compared"
Spoil = Callable[[dict[str, Any]], None]


def failed(report: CocoReport) -> set[str]:
    return {finding.verdict.rule for finding in report.findings if not finding.verdict.passed}


@pytest.mark.parametrize("level", ["names", "hashes", "decode"])
def test_a_sound_directory_that_nobody_landed_passes(level: Level, tmp_path: Path) -> None:
    report = verify_coco_dataset(write_coco(tmp_path), level=level)

    assert (report.passed, report.compared_with) == (True, "nothing")
    assert failed(report) == (set() if level == "names" else {NOT_COMPARED})
    assert report.counts["val2017"].images == 4
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert str(report).startswith(f"{tmp_path}: looked at {level}, bytes compared with nothing\n")
    assert repr(report) == str(report)
    assert len(str(report)) < 1_000  # a notebook shows it


def test_exchanged_splits_fail_in_a_directory_that_nobody_landed(tmp_path: Path) -> None:
    contents = document()
    for image in contents["images"]:
        image["coco_url"] = f"http://images.cocodataset.org/train2017/{image['file_name']}"

    report = verify_coco_dataset(write_coco(tmp_path, contents), level="names")

    assert (report.passed, failed(report)) == (False, {"splits_are_the_publishers"})


def test_bytes_that_nobody_vouches_for_are_said_not_passed_over(tmp_path: Path) -> None:
    verdict = verify_coco_dataset(write_coco(tmp_path), level="hashes").findings[0].verdict

    assert (verdict.rule, verdict.passed, verdict.checked, verdict.offenders) == (NOT_COMPARED, False, 5, 5)
    assert "--ask-upstream" in verdict.remedy


def test_a_directory_that_was_not_landed_here_is_compared_with_the_publishers_archives(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "coco")
    site = tmp_path / "site"
    pack(site / "annotations/annotations_trainval2017.zip", {ANNOTATIONS: (root / ANNOTATIONS).read_bytes()})
    images = {f"val2017/{path.name}": path.read_bytes() for path in sorted((root / "val2017").iterdir())}
    pack(site / "zips/val2017.zip", images)

    with serving(site, tmp_path / "nginx") as served, served.open() as upstream:
        good = verify_coco_dataset(root, upstream=upstream)
        flipped = bytearray((root / "val2017/000000000001.jpg").read_bytes())
        flipped[-30] ^= 1
        (root / "val2017/000000000001.jpg").write_bytes(flipped)
        (root / "val2017/000000000002.jpg").write_bytes(b"short")
        (root / "val2017/000000000009.jpg").write_bytes(b"mine")
        bad = verify_coco_dataset(root, upstream=upstream)
        assert verify_coco_dataset(root, level="names", upstream=upstream).compared_with == "nothing"

    assert (good.passed, failed(good), good.compared_with) == (True, set(), "upstream")
    verdict = bad.findings[0].verdict
    assert (verdict.rule, verdict.checked, verdict.offenders) == ("bytes_match_upstream", 5, 2)
    assert [example.partition(": ")[2] for example in verdict.examples] == [
        f"crc32 {zlib.crc32(images['val2017/000000000001.jpg']):08x} expected, {zlib.crc32(flipped):08x} found",
        f"{len(images['val2017/000000000002.jpg']):,} bytes expected, 5 found",
    ]
    assert "no_unlisted_files" in failed(bad)  # 000000000009.jpg
    assert not bad.passed


@pytest.mark.skipif(not REAL.is_dir(), reason="no real COCO images beside the checkout")
def test_real_coco_passes_at_every_level() -> None:
    report = verify_coco_dataset(REAL, level="decode")

    assert (report.passed, failed(report)) == (True, {NOT_COMPARED})
    assert (report.counts["train2017"].boxes, report.published["train2017"].boxes) == (770, 860_001)


def test_an_image_that_was_cut_short_is_found_by_decoding(tmp_path: Path) -> None:
    image = write_coco(tmp_path) / "val2017/000000000002.jpg"
    image.write_bytes(image.read_bytes()[:-40])

    assert failed(verify_coco_dataset(tmp_path, level="hashes")) == {NOT_COMPARED}
    assert failed(verify_coco_dataset(tmp_path, level="decode")) == {NOT_COMPARED, "every_image_decodes"}


def test_images_that_are_not_there_are_found_by_name(tmp_path: Path) -> None:
    write_coco(tmp_path)
    for n in (2, 3, 4):
        (tmp_path / f"val2017/{n:012}.jpg").unlink()

    report = verify_coco_dataset(tmp_path, level="names")

    assert failed(report) == {"every_image_landed", "enough_images_landed"}
    assert not report.passed


def test_what_does_not_look_like_coco_and_an_unknown_level_are_said(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="does not look like COCO 2017"):
        verify_coco_dataset(tmp_path)
    with pytest.raises(SettingsError, match="names, hashes, decode"):
        verify_coco_dataset(tmp_path, level="deep")  # type: ignore[arg-type]


def test_the_command_answers_in_json_with_an_exit_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    root = write_coco(tmp_path / "coco")
    command = ["verify", "coco", str(root), "--level", "decode", "--json"]

    good = CliRunner().invoke(app, command)
    (root / "val2017/000000000001.jpg").unlink()
    (root / "val2017/000000000002.jpg").unlink()
    (root / "val2017/000000000003.jpg").unlink()
    bad = CliRunner().invoke(app, command)
    spoken = CliRunner().invoke(app, command[:3])
    nowhere = CliRunner().invoke(app, ["verify", "coco", str(tmp_path / "no")])

    assert (good.exit_code, json.loads(good.output)["passed"]) == (0, True)
    assert (bad.exit_code, json.loads(bad.output)["passed"]) == (1, False)
    assert (spoken.exit_code, "ERROR enough_images_landed: 3 of 4" in spoken.output) == (1, True)
    assert nowhere.exit_code == 2


def test_a_file_that_does_not_parse_is_one_line_and_the_rules_that_cannot_look_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    root = write_coco(tmp_path / "coco")
    (root / ANNOTATIONS).write_bytes((root / ANNOTATIONS).read_bytes()[:-9])

    said = CliRunner().invoke(app, ["verify", "coco", str(root), "--level", "names"])

    told = [line.split(":")[0].strip() for line in said.output.splitlines() if "ERROR" in line or "WARN" in line]
    assert told[:1] == ["ERROR annotations_parse"]
    assert not {"ERROR image_ids_are_unique", "ERROR categories_are_known", "WARN  boxes_have_area"} & set(told)
    assert re.search(r"^  \d+ more rules could not look$", said.output, re.MULTILINE)
    assert "not looked at" not in said.output
    assert said.exit_code == 1


def test_the_package_gives_what_notebooks_ask_for_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.delenv("MAXSIGHT_PROFILE", raising=False)

    for name in ("coco_raw", "openimages_subset", "cleaned_splits", "inference_eval_set"):
        assert getattr(maxsight_assets, name).key.path == [name]
    assert maxsight_assets.verify_coco_dataset is verify_coco_dataset
    with pytest.raises(FormatError, match="materialize cleaned_splits"):
        maxsight_assets.load_split("train")
    with pytest.raises(FormatError, match="materialize cleaned_splits"):
        next(maxsight_assets.iter_samples("train"))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        maxsight_assets.nothing  # noqa: B018


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, maxsight_assets; sys.exit(bool({'dagster', 'polars', 'pandas'} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


HEALTHCHECK: dict[str, tuple[Spoil, str]] = {
    "duplicate_image_id": (
        lambda contents: contents["images"].append(contents["images"][1] | {"file_name": "000000000001.jpg"}),
        "image_ids_are_unique",
    ),
    "duplicate_ann_id": (lambda contents: contents["annotations"].append(annotation(101, 2)), "box_ids_are_unique"),
    "duplicate_category_id": (
        lambda contents: contents["categories"].append({"id": 1, "name": "human"}),
        "categories_are_known",
    ),
    "orphan_image_id": (lambda contents: contents["annotations"].append(annotation(9, 77)), "boxes_have_an_image"),
    "orphan_category_id": (
        lambda contents: contents["annotations"].append(annotation(9, 1, category_id=12)),
        "classes_are_declared",
    ),
    "degenerate_bbox": (
        lambda contents: contents["annotations"].append(annotation(9, 1, bbox=[1.0, 1.0, 5.0, 0.0])),
        "boxes_have_area",
    ),
    "bbox_out_of_bounds": (
        lambda contents: contents["annotations"].append(annotation(9, 1, bbox=[50.0, 1.0, 20.0, 5.0])),
        "boxes_are_inside",
    ),
    "near_duplicate": (lambda contents: contents["annotations"].append(annotation(9, 1)), "boxes_are_distinct"),
    "zero_dimensions": (lambda contents: contents["images"][1].update(width=0), "stated_sizes_match"),
    "missing_geometry": (
        lambda contents: contents["annotations"].append({"id": 9, "image_id": 1, "category_id": 18, "iscrowd": 0}),
        "boxes_have_area",
    ),
}
"""What hotcoco's healthcheck finds, by its code: how to make it, and the rule that finds it here."""

NOT_DEFECTS = {
    "zero_area": "the area of a mask is not used for boxes, and degenerate boxes are found by boxes_have_area",
    "extreme_aspect_ratio": "a thin box is a true box: poles, skis and kites have them in COCO itself",
    "zero_instance_category": "how often a class occurs is shown on the asset page; a selection may lack some",
    "low_instance_category": "the same",
    "near_duplicate_check_skipped": "a note about that checker's own limit",
}
"""What it also reports and no rule here fails for, with the reason; near duplicates are rows that are equal here."""


@pytest.mark.parametrize("code", sorted(HEALTHCHECK))
def test_what_hotcoco_finds_is_found_here(code: str, tmp_path: Path) -> None:
    hotcoco = pytest.importorskip("hotcoco")
    spoil, rule = HEALTHCHECK[code]
    contents = document()
    spoil(contents)
    write_coco(tmp_path, contents)

    health = hotcoco.COCO(str(tmp_path / ANNOTATIONS)).healthcheck()

    assert code in {finding["code"] for finding in health["errors"] + health["warnings"]}
    assert rule in failed(verify_coco_dataset(tmp_path, level="decode"))


@pytest.mark.skipif(not REAL.is_dir(), reason="no real COCO images beside the checkout")
@pytest.mark.parametrize("split", ["train2017", "val2017"])
def test_hotcoco_reports_of_real_coco_what_is_no_defect(split: str) -> None:
    hotcoco = pytest.importorskip("hotcoco")

    health = hotcoco.COCO(str(REAL / f"annotations/instances_{split}.json")).healthcheck()

    codes = {finding["code"] for finding in health["errors"] + health["warnings"]}
    assert codes <= {*NOT_DEFECTS, "bbox_out_of_bounds", "near_duplicate"}
