"""Every error of a command is one line; `--debug` shows where it happened."""

import errno
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from maxsight_assets.commands import raw
from maxsight_assets.commands.app import app
from maxsight_assets_tests.publishing.gone import drive
from maxsight_assets_tests.publishing.staged import land


def run(root: Path, *arguments: str, **variables: str) -> Result:
    places = {"DATA_DIR": str(root / "data"), "DAGSTER_HOME": str(root / "home"), "MAXSIGHT_PROFILE": "full"}
    return CliRunner().invoke(app, arguments, env=places | variables)


def fails(*_: object, **__: object) -> None:
    raise KeyError("images/000000000001.jpg")


def quits(*_: object, **__: object) -> None:
    raise ValueError("first line\nsecond line of https://user:word@host/x")


def errs(*_: object, **__: object) -> None:
    raise OSError(errno.ENOEXEC, "Exec format error", "/some/file")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (fails, "error: KeyError: 'images/000000000001.jpg'. "),
        (quits, "error: ValueError: first line second line of https://host/x. "),
        (errs, "error: OSError: [Errno 8] Exec format error: '/some/file'. "),
    ],
)
def test_an_error_that_nobody_foresaw_is_one_line_and_debug_shows_its_traceback(
    fault: object, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw, "_opened", fault)

    plain = run(tmp_path, "adopt", "coco_raw")
    monkeypatch.setattr("sys.argv", ["maxsight-assets", "--debug", "adopt", "coco_raw"])
    debugged = run(tmp_path, "--debug", "adopt", "coco_raw")

    assert (plain.exit_code, debugged.exit_code) == (2, 2)
    assert plain.stderr.startswith(said)
    assert "`maxsight-assets --debug ...`" in plain.stderr
    assert plain.stderr.count("\n") == 1
    assert "Traceback (most recent call last)" in debugged.stderr
    assert said in debugged.stderr


@pytest.mark.parametrize("number", [errno.ENOTCONN, errno.ESTALE, errno.EIO])
def test_commands_on_a_drive_that_is_away_say_so_in_one_line(number: int, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for name in ("coco_raw", "cleaned_splits", "inference_eval"):
        land(data / name, {"x.txt": b"x"})
    said = "input/output error" if number == errno.EIO else "its drive is not connected any more"

    for command in ("explain 1", "prune coco_raw", "rollback cleaned_splits", "repair coco_raw"):
        with drive(data, number, after=0):
            done = run(tmp_path, *command.split())
        assert (done.exit_code, done.stderr.count("\n")) == (2, 1), (command, done.output, done.exception)
        assert done.stderr.startswith("error: ")
    with drive(data / "coco_raw", number, after=0):
        listed, judged = run(tmp_path, "status"), run(tmp_path, "verify", "coco_raw")
    assert listed.exit_code == 0, listed.output
    assert [line.split()[1:3] for line in listed.stdout.splitlines() if line.startswith("coco_raw")] == [
        ["not", "reachable"]
    ]
    assert judged.exit_code == 1
    assert said in " ".join(judged.output.split())


@pytest.mark.parametrize(
    ("asset", "variable", "archive", "lacking", "held"),
    [
        (
            "bdd100k_raw",
            "BDD100K_MIRROR",
            "bdd100k_det_20_labels_trainval.zip",
            "bdd100k/labels/det_20/det_val.json",
            ["bdd100k/labels/bdd100k_labels_images_val.json"],
        ),
        (
            "coco_raw",
            "COCO_MIRROR",
            "annotations/annotations_trainval2017.zip",
            "annotations/instances_train2017.json, annotations/instances_val2017.json",
            ["a/annotations/instances_val2017.json", "b/annotations/instances_train2017.json"],
        ),
        (
            "coco_raw",
            "COCO_MIRROR",
            "annotations/annotations_trainval2017.zip",
            "annotations/instances_train2017.json, annotations/instances_val2017.json",
            ["annotations/captions_val2017.json"],
        ),
    ],
)
def test_fault_87_an_archive_without_a_needed_member_is_named_with_what_it_holds(
    asset: str, variable: str, archive: str, lacking: str, held: list[str], tmp_path: Path
) -> None:
    site = tmp_path / "site"
    for name in {archive, "zips/train2017.zip", "zips/val2017.zip", "100k_images_val.zip"}:
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(site / name, "w") as packed:
            for member in held:
                packed.writestr(member, "{}")
    where = {variable: site.as_uri()}
    for key in [archive] if asset == "bdd100k_raw" else [archive, "zips/train2017.zip", "zips/val2017.zip"]:
        assert run(tmp_path, "accept", key, **where).exit_code == 0

    done = run(tmp_path, "adopt", asset, **where)

    assert done.exit_code == 2
    assert f"error: {archive}: the archive holds no {lacking}" in done.stderr
    assert f"; it holds {', '.join(held) or 'no file'}" in done.stderr
    assert "Traceback" not in done.stderr
