"""The command line, as a user types it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from click.testing import Result

from maxsight_assets.commands.app import app
from maxsight_assets_tests.commands.typed import typed
from maxsight_assets_tests.export.reader import gold_samples, training_config, yolo_samples
from maxsight_assets_tests.places import REPOSITORY
from maxsight_assets_tests.project import copy_world

MAXSIGHT_ASSETS = Path(sys.executable).with_name("maxsight-assets")
COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, drawn_world: Path) -> Path:
    """A directory in which the whole graph was materialized from the command line."""
    made = tmp_path_factory.mktemp("cli")
    (made / "data/.maxsight").mkdir(parents=True)
    copy_world(drawn_world, made / "data/.maxsight/sample_upstream")
    shutil.copy(REPOSITORY / "dagster.yaml", made)
    environment = {"DATA_DIR": str(made / "data"), "DAGSTER_HOME": str(made / "home")}
    done = subprocess.run(
        [MAXSIGHT_ASSETS, "materialize"],
        cwd=made,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "truncated_jpeg" in done.stdout
    assert "cleaned_splits: 1" in done.stdout
    return made


def last_line(done: Result) -> str:
    """What the rules come to, and whether the data is fit to train on: the end of each command that judges."""
    return "\n".join(done.stdout.splitlines()[-2:])


def test_status_begins_with_profile_and_data_dir(root: Path) -> None:
    assert typed(root, "status").stdout.splitlines()[0] == f"profile sample, DATA_DIR {root / 'data'}"


def test_report_tells_a_fresh_dagster_home_what_is_published(root: Path, tmp_path: Path) -> None:
    home = {"DAGSTER_HOME": str(tmp_path / "home")}
    before = typed(root, "status", **home)
    assert "no verdict is recorded of ade20k_raw, bdd100k_raw, " in last_line(before)
    assert not (tmp_path / "home").exists()

    first, again = (typed(root, "report", "ade20k_raw", **home) for _ in range(2))

    assert first.stdout.startswith("ade20k_raw: reported: version ")
    assert again.stdout.startswith("ade20k_raw: as the event log says")
    assert (first.exit_code, again.exit_code) == (0, 0)
    assert last_line(first) == last_line(again)


def test_a_command_whose_work_dagster_cannot_be_told_says_how_to_tell_it_later(root: Path, tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text("storage: none of this kind\n", encoding="utf-8")

    done = typed(root, "repair", "ade20k_raw", DAGSTER_HOME=str(tmp_path))

    assert done.exit_code == 0
    assert "Dagster does not know of this: " in done.stderr
    assert done.stderr.endswith("Once it can: maxsight-assets report ade20k_raw\n")


def test_a_published_version_with_an_error_exits_1_from_materialize_and_verify_and_status_names_it(
    tmp_path: Path, drawn_world: Path
) -> None:
    (tmp_path / "data/.maxsight").mkdir(parents=True)
    world = tmp_path / "data/.maxsight/sample_upstream"
    copy_world(drawn_world, world)
    rows = next(world.rglob("validation-annotations-bbox.csv"))
    header, *lines = rows.read_text(encoding="utf-8").splitlines()
    place = header.split(",").index("LabelName")
    unknown = [*lines[0].split(",")[:place], "/m/0unknown", *lines[0].split(",")[place + 1 :]]
    rows.unlink()
    rows.write_text("\n".join([header, *lines, ",".join(unknown), ""]), encoding="utf-8")

    made = typed(tmp_path, "materialize", "openimages_subset")
    listed, verified = typed(tmp_path, "status"), typed(tmp_path, "verify", "openimages_subset")

    said = "fail: openimages_subset.mids_are_known"
    assert (made.exit_code, verified.exit_code) == (1, 1)
    assert said in made.stdout
    assert said in last_line(listed)
    assert last_line(listed) == last_line(verified)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_an_example(command: str, tmp_path: Path) -> None:
    done = typed(tmp_path, command, "--help")

    assert done.exit_code == 0
    assert f"Example: maxsight-assets {command}" in done.stdout


def test_the_first_commands_are_there() -> None:
    assert {"materialize", "status", "verify", "doctor", "rollback", "touch"} <= set(COMMANDS)


def test_status_tells_what_is_published(root: Path) -> None:
    rows = json.loads(typed(root, "status", "--json").stdout)

    assert [row["asset"] for row in rows][-3:] == ["inference_eval_set", "cleaned_splits", "detection_metrics"]
    assert all(row["files"] and len(row["data_version"]) == 64 and row["source"] == "embedded" for row in rows)


def test_exports_are_written_and_status_tells_of_them(root: Path, tmp_path: Path) -> None:
    done = typed(root, "export", "maxsight", "--out", str(tmp_path / "gold"))
    assert done.exit_code == 0, done.stderr
    config = done.stdout.splitlines()[-1].partition(" --config ")[2]
    assert typed(root, "export", "yolo", "--out", str(tmp_path / "yolo")).exit_code == 0

    splits = json.loads(typed(root, "status", "--json").stdout)[-2]
    told = typed(root, "status").stdout

    shown = training_config(Path(config))["data"]
    samples = list(gold_samples(Path(shown["gold_train_meta"]), max_objects=shown["max_objects"]))
    assert len(samples) == json.loads(Path(shown["gold_train_meta"]).read_bytes())["num_samples"] > 100
    assert len(list(yolo_samples(tmp_path / "yolo/data.yaml", "train"))) == len(samples)
    assert {each["form"]: each["is_there"] for each in splits["exports"]} == {"maxsight": True, "yolo": True}
    assert {each["data_version"] for each in splits["exports"]} == {splits["data_version"]}
    assert f"{splits['data_version'][:12]}  {tmp_path}/gold\n" in told
    (tmp_path / "yolo").rename(tmp_path / "moved")
    assert f"{tmp_path}/yolo (no longer there)\n" in typed(root, "status").stdout


def test_an_export_that_is_refused_is_one_line(root: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x", encoding="utf-8")
    for arguments, said in (
        (("--out", str(tmp_path)), f"error: {tmp_path}: holds files that no export wrote; choose another directory"),
        (("--out", str(tmp_path / "x"), "--image-root", "/nowhere"), "error: not exported: image_paths_resolve: "),
    ):
        done = typed(root, "export", "maxsight", *arguments)
        assert done.exit_code == 2
        assert done.stderr.startswith(said)
        assert done.stderr.count("\n") == 1


def test_status_tells_a_damaged_manifest_from_none(root: Path) -> None:
    page = root / "data/ade20k/.maxsight/MANIFEST.json"
    whole = page.read_bytes()
    page.write_bytes(whole[:-9])
    try:
        lines = typed(root, "status").stdout.splitlines()
    finally:
        page.write_bytes(whole)

    assert [line.split()[1] for line in lines if line.startswith("ade20k_raw")] == ["damaged"]


def test_verify_names_a_damaged_file_and_fails_and_status_says_the_same(root: Path) -> None:
    sound = typed(root, "verify")
    assert sound.exit_code == 0
    assert last_line(typed(root, "status")) == last_line(sound)
    picture = next((root / "data/ade20k/images/validation").glob("*.jpg"))
    whole = picture.read_bytes()
    picture.unlink()
    picture.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        done = typed(root, "verify", "ade20k_raw", "--json")
        listed = typed(root, "status")
    finally:
        picture.unlink()
        picture.write_bytes(whole)

    assert "fail: ade20k_raw.hashes_match" in last_line(listed)
    failed = {told["rule"]: told["examples"] for told in json.loads(done.stdout) if not told["passed"]}
    assert done.exit_code == 1
    assert picture.name in failed["hashes_match"]


def test_doctor_finds_a_sound_project_sound(root: Path) -> None:
    done = typed(root, "doctor")

    assert done.exit_code == 0
    assert "ERROR" not in done.stdout
    assert "GB free" in done.stdout


@pytest.fixture
def read_only(root: Path, tmp_path: Path) -> Iterator[Path]:
    """The materialized DATA_DIR on a drive that is mounted read-only."""
    mounted = tmp_path / "drive"
    mounted.mkdir()
    if subprocess.run(["mount", "--bind", root / "data", mounted], check=False, capture_output=True).returncode:
        pytest.skip("mounting needs root")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", mounted], check=True)
        yield mounted
    finally:
        subprocess.run(["umount", mounted], check=True)


def test_what_is_published_on_a_read_only_drive_can_be_read(root: Path, read_only: Path) -> None:
    where = {"DATA_DIR": str(read_only)}
    document = json.loads((read_only / "cleaned_splits/maxsight_train.json").read_bytes())

    for command in (
        ("status", "--json"),
        ("verify", "coco_raw", "cleaned_splits"),
        ("explain", str(document["images"][0]["id"])),
    ):
        done = typed(root, *command, **where)
        assert done.exit_code == 0, done.stderr
    reading = "from maxsight_assets import load_split; print(len(load_split('train')[0]))"
    read = subprocess.run([sys.executable, "-c", reading], env={**os.environ, **where}, capture_output=True, check=True)
    assert int(read.stdout) == len(document["images"])


def test_what_writes_refuses_a_read_only_drive_in_one_line_and_doctor_tells(root: Path, read_only: Path) -> None:
    where = {"DATA_DIR": str(read_only)}
    commands = ("materialize", "adopt", "repair", "prune", "touch", "rollback cleaned_splits", "accept zips/x.zip")
    for command in commands:
        done = typed(root, *command.split(), **where)
        assert done.exit_code == 2, done.stdout
        assert done.stderr.startswith(f"error: DATA_DIR={read_only}: cannot write in {read_only} (Read-only file")
        assert done.stderr.count("\n") == 1

    done = typed(root, "doctor", **where)
    assert done.exit_code == 1
    assert f"ERROR DATA_DIR={read_only}: cannot write in {read_only}" in done.stdout


def test_prune_refuses_while_the_splits_are_away(root: Path) -> None:
    splits, away = root / "data/cleaned_splits", root / "unplugged"
    splits.rename(away)
    try:
        done = typed(root, "prune", "coco_raw", "--really", SPLITS_DIR=str(root / "others"))
    finally:
        away.rename(splits)

    assert done.exit_code == 2
    assert done.stderr.startswith(f"error: {splits}: splits or evaluation sets were published there")
    assert typed(root, "prune", "coco_raw", "--really", SPLITS_DIR=str(root / "others")).exit_code == 0


def test_dagster_home_may_be_below_home_relative_or_blank(tmp_path: Path) -> None:
    own = ".dagster_home/sample"
    for value, place in (("rel", "rel"), ("~/x", "home/x"), (" ", own), ("", own)):
        typed(tmp_path, "materialize", "nothing", DAGSTER_HOME=value, HOME=str(tmp_path / "home"))
        assert (tmp_path / place).is_dir(), value
    assert not (tmp_path / "~").exists()


def test_a_dagster_home_that_cannot_be_one_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for value in ("~nosuch/x", str(tmp_path / "file"), "file/x", "/proc/x", "x" * 300, "y/" + "x" * 300):
        done = typed(tmp_path, "doctor", DAGSTER_HOME=value)
        assert done.exit_code == 2, done.stderr
        assert done.stderr.startswith("error: DAGSTER_HOME=")
        assert done.stderr.count("\n") == 1


def test_a_mistake_is_one_line_and_exit_status_two(root: Path) -> None:
    for arguments, variables, said in (
        (("status",), {"MAXSIGHT_PROFILE": "huge"}, "error: MAXSIGHT_PROFILE=huge: "),
        (("verify", "nothing"), {}, "error: no asset nothing; there are coco_raw, "),
        (("verify", "coco_rw"), {}, "error: no asset coco_rw; did you mean coco_raw? there are coco_raw, "),
        (("repair", "cocoa"), {}, "error: no asset cocoa; did you mean coco? there are coco_raw, "),
        (("repair", "cleaned_splits"), {}, "error: cleaned_splits: is made from others, not landed; "),
        (("prune", "bdd100"), {}, "error: no asset bdd100; did you mean bdd100k? there are coco_raw, "),
        (("materialize", "nothing"), {}, "error: no asset nothing; there are "),
        (("rollback", "nothing"), {}, "error: no asset nothing; there are "),
        (("touch", "bdd100k"), {}, "error: bdd100k: there is no next edition of it; use one of coco, openimages"),
    ):
        done = typed(root, *arguments, **variables)
        assert done.exit_code == 2
        assert done.stderr.startswith(said)
        assert done.stderr.count("\n") == 1
