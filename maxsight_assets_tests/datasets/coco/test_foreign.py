"""Directories that somebody else made: other layouts, files of macOS and Windows, splits that are not there."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from maxsight_assets.commands.app import app
from maxsight_assets.datasets.coco.verify import CocoReport, verify_coco_dataset
from maxsight_assets.errors import FormatError
from maxsight_assets_tests.verification.directories import write_coco


def failed(report: CocoReport) -> dict[str, str]:
    return {each.verdict.rule: each.severity for each in report.findings if not each.verdict.passed}


@pytest.mark.parametrize("folder", ["images/val2017", "validation/data", "val2017/val2017", "raw"])
def test_pictures_in_the_place_of_another_layout_are_found_and_named(folder: str, tmp_path: Path) -> None:
    root = write_coco(tmp_path / "coco")
    (root / "val2017").rename(tmp_path / "pictures")
    (root / folder).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "pictures").rename(root / folder)

    report = verify_coco_dataset(root, level="names")
    told = {each.verdict.rule: each.verdict for each in report.findings}

    assert not report.passed
    assert told["images_are_in_place"].examples == (f"0 of 4 images lie in val2017/; 4 are in {folder}/",)
    for verdict in told.values():
        assert not any(word in verdict.remedy for word in ("Upstream", "materialize", "mirror", "`maxsight-assets rep"))


def test_pictures_whose_names_are_in_other_letters_are_named(tmp_path: Path) -> None:
    root = write_coco(tmp_path)
    for path in sorted((root / "val2017").iterdir()):
        path.rename(path.with_suffix(".JPG"))

    told = {each.verdict.rule: each.verdict for each in verify_coco_dataset(root, level="names").findings}

    assert told["images_are_in_place"].examples == (
        "0 of 4 images lie in val2017/; 4 are in val2017/ in other letters, as val2017/000000000001.JPG",
    )
    assert not {"every_image_landed", "enough_images_landed"} & told.keys()


@pytest.mark.parametrize(
    ("moves", "said"),
    [
        ({"annotations": "Annotations"}, "Annotations/instances_val2017.json: move what is COCO's to annotations/"),
        (
            {"annotations/instances_val2017.json": "instances_val2017.json"},
            "instances_val2017.json: move what is COCO's",
        ),
        (
            {"annotations/instances_val2017.json": "val2017/_annotations.coco.json"},
            "val2017/_annotations.coco.json: move",
        ),
        ({"annotations": "../elsewhere"}, "there are pictures in val2017/, but no annotations"),
        ({"annotations": "../elsewhere", "val2017": "val2017.zip"}, "val2017.zip: not unpacked"),
        ({"annotations": "../elsewhere", "val2017": "../pictures"}, "there are no pictures either"),
    ],
)
def test_a_directory_without_annotations_in_their_place_says_what_there_is(
    moves: dict[str, str], said: str, tmp_path: Path
) -> None:
    root = write_coco(tmp_path / "coco")
    for old, new in moves.items():
        (root / old).rename(root / new)
    if (folder := root / "val2017.zip").is_dir():
        shutil.make_archive(str(tmp_path / "packed"), "zip", folder)
        shutil.rmtree(folder)
        (tmp_path / "packed.zip").rename(folder)

    with pytest.raises(FormatError, match="does not look like COCO 2017") as refused:
        verify_coco_dataset(root)

    assert said in str(refused.value)


@pytest.mark.parametrize(
    "names", [["._000000000001.jpg", ".DS_Store"], ["Thumbs.db"], ["000000000001 (1).jpg", "x.txt"]]
)
def test_companions_and_copies_are_warnings(names: list[str], tmp_path: Path) -> None:
    root = write_coco(tmp_path)
    for name in names:
        (root / "val2017" / name).write_bytes(b"\x00\x05\x16\x07")

    report = verify_coco_dataset(root, level="decode")

    assert report.passed
    rule = "no_unlisted_files" if "(1)" in names[0] else "no_companions"
    assert failed(report) == {"bytes_are_compared": "warn", rule: "warn"}


def test_a_split_without_any_picture_is_not_here_and_no_damage(tmp_path: Path) -> None:
    root = write_coco(tmp_path)
    shutil.copy(root / "annotations/instances_val2017.json", root / "annotations/instances_train2017.json")
    for path in sorted((root / "val2017").iterdir()):
        path.rename(path.with_name(f"x{path.name}"))  # the names of train2017's annotations are the same
    text = (root / "annotations/instances_val2017.json").read_text(encoding="utf-8")
    (root / "annotations/instances_val2017.json").write_text(text.replace('"0000', '"x0000'), encoding="utf-8")

    report = verify_coco_dataset(root, level="names")

    assert report.passed
    assert failed(report) == {"splits_are_here": "warn"}


def test_verify_coco_is_a_command_and_verify_of_coco_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    root = write_coco(tmp_path / "coco")

    one, other = (CliRunner().invoke(app, [*command, str(root)]) for command in (["verify-coco"], ["verify", "coco"]))

    assert (one.exit_code, one.output) == (other.exit_code, other.output)
    assert one.exit_code == 0
