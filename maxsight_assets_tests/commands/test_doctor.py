"""What `doctor` reads of the machine, and that looking leaves nothing behind."""

import json
import os
import shutil
from pathlib import Path

import psutil
import pytest
import yaml
from typer.testing import CliRunner

from maxsight_assets import disk, settings
from maxsight_assets.commands import doctor
from maxsight_assets.commands.app import app
from maxsight_assets.datasets.upstreams import Access
from maxsight_assets.publishing.swap import StateDir

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def drive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mount point whose name holds a blank; the kernel's table of mounts, a made-up one, says that it is a drive."""
    point = tmp_path / "My Drive"
    point.mkdir()
    mount(tmp_path, point, "fuse.drive", monkeypatch)
    return point


def mount(root: Path, point: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "proc/self").mkdir(parents=True, exist_ok=True)
    escaped = str(point).replace(" ", "\\040")
    (root / "proc/self/mounts").write_text(f"/dev/vda / ext4 rw 0 0\ndrive {escaped} {kind} rw 0 0\n", "utf-8")
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(root / "proc"))


def problems(home: Path, data: Path) -> list[str]:
    """What the cheap part of `doctor` finds wrong."""
    found = doctor.drives(settings.load({"DATA_DIR": str(data)}), home)
    return [f"{each.level} {each.text}" for each in found if each.level != "OK"]


def own(home: Path, **changes: object) -> Path:
    """A DAGSTER_HOME whose dagster.yaml is this project's but for some entries."""
    home.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_load((REPOSITORY / "dagster.yaml").read_text("utf-8")) | changes
    (home / "dagster.yaml").write_text(yaml.safe_dump(text), "utf-8")
    return home


def test_fault_37_a_drive_is_known_by_a_mount_point_with_a_blank_and_by_way_of_a_link(
    drive: Path, tmp_path: Path
) -> None:
    (drive / "home").mkdir()
    link = tmp_path / "mydrive"
    link.symlink_to(drive)

    for home in (own(drive / "home"), link / "home"):
        (said,) = problems(home, tmp_path / "data")
        assert said.startswith(f"ERROR DAGSTER_HOME={home} is on a mounted drive (fuse.drive)")
    (said,) = problems(own(tmp_path / "home"), link / "data")
    assert said.startswith(f"WARN DATA_DIR={link}/data is on a mounted drive (fuse.drive)")


@pytest.mark.parametrize("kind", ["nfs4", "lustre", "virtiofs", "wslfs", "fuse.rclone", "fuse.s3fs", "fuse.juicefs"])
def test_fault_37_file_systems_of_another_machine_are_known(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = own(tmp_path / "home")
    mount(tmp_path, home, kind, monkeypatch)

    assert f"({kind})" in problems(home, tmp_path / "data")[0]


@pytest.mark.parametrize("kind", ["ext4", "overlay", "tmpfs", "fuseblk", "fuse.fuse-overlayfs"])
def test_local_file_systems_are_sound(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = own(tmp_path / "home")
    mount(tmp_path, home, kind, monkeypatch)

    assert problems(home, tmp_path / "data") == []


def test_entries_that_a_dagster_yaml_of_ones_own_lacks_are_named_one_by_one(tmp_path: Path) -> None:
    monitoring = {"enabled": True}
    for changes, lacking in (
        ({"concurrency": None, "run_monitoring": None, "run_launcher": None}, 4),
        ({"run_monitoring": monitoring}, 1),
        ({"run_monitoring": {"enabled": False, "free_slots_after_run_end_seconds": 5}}, 1),
        ({"run_launcher": None}, 1),
        ({}, 0),
    ):
        home = own(tmp_path / "home", **changes)
        assert len(problems(home, tmp_path / "data")) == lacking, changes
    (home / "dagster.yaml").unlink()
    assert "has no dagster.yaml" in problems(home, tmp_path / "data")[0]


def test_looking_creates_nothing_and_finds_nothing_wrong_where_nothing_is_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(REPOSITORY / "dagster.yaml", tmp_path)
    done = CliRunner().invoke(app, ["doctor", "--fix"], env={"DATA_DIR": "", "DAGSTER_HOME": ""})

    assert done.exit_code == 0, done.output
    assert "Dagster has kept no records here yet" in done.output
    assert [path.name for path in tmp_path.rglob("*")] == ["dagster.yaml"]


def test_secrets_are_told_by_name_and_never_by_value(tmp_path: Path) -> None:
    key = {"AWS_ACCESS_KEY_ID": "AKIACANARY", "AWS_SECRET_ACCESS_KEY": "canary/secret", "HF_TOKEN": "hf_canary"}
    environment = {"DATA_DIR": str(tmp_path / "data"), "DAGSTER_HOME": str(tmp_path / "home"), **key}
    done = CliRunner().invoke(app, ["doctor", "--json"], env=environment)

    texts = [each["text"] for each in json.loads(done.output)]
    assert "credentials: HF_TOKEN, AWS_ACCESS_KEY_ID" in texts
    assert "canary" not in done.output.lower()


def test_what_an_interrupted_landing_staged_is_told_with_what_goes_on_from_it(tmp_path: Path) -> None:
    chosen = settings.load({"DATA_DIR": str(tmp_path)})
    sessions = StateDir.of(tmp_path / "coco_raw").sessions
    for pid in (os.getpid(), 2**22 - 1):
        session = sessions / f"embedded~{disk.host()}~{pid}~0000"
        session.mkdir(parents=True)
        (session / "part").write_bytes(bytes(2_000_000))

    found = [each for each in doctor.examine(chosen, tmp_path / "home") if "staged" in each.text]
    assert [each.level for each in sorted(found, key=lambda each: each.level)] == ["OK", "WARN"]
    (left,) = [each.text for each in found if each.level == "WARN"]
    assert left.startswith("coco_raw: 2.0 MB staged by a process that ended; `maxsight-assets materialize coco_raw`")


def test_an_upstream_is_asked_for_one_file(tmp_path: Path) -> None:
    key = "annotations/annotations_trainval2017.zip"
    mirrors = {"COCO_MIRROR": tmp_path.as_uri()}
    access = Access(mirrors=mirrors)

    away = doctor._reached("coco", access)
    for name in (key, "zips/train2017.zip", "zips/val2017.zip"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    there = doctor._reached("coco", access)

    assert (away.level, there.level) == ("ERROR", "OK")
    assert away.text.startswith("coco: upstream is not reached: ")
