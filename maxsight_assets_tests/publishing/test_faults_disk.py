"""Rows of the fault matrix about disks and kills that need a disk or a process of their own."""

import errno
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from maxsight_assets import disk
from maxsight_assets.errors import LandingError
from maxsight_assets.publishing.maintenance import verify
from maxsight_assets.publishing.manifest import FOLDER, PAGE
from maxsight_assets.publishing.stage import previous, staging
from maxsight_assets.publishing.swap import StateDir
from maxsight_assets_tests.invariants import assert_invariants
from maxsight_assets_tests.publishing.staged import bring, land
from maxsight_assets_tests.publishing.victim import Victims

OLD = {f"train/{n}.jpg": b"old %d" % n for n in range(4)}
NEW = {f"train/{n}.jpg": b"new %d" % n for n in range(4)} | {"val/x.jpg": b"x"}


@pytest.fixture
def other_disk(tmp_path: Path) -> Iterator[Path]:
    """A second file system."""
    place = tmp_path / "drive"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(place)], capture_output=True, check=False).returncode:
        pytest.skip("mounting a second disk needs root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize("nth", range(1, 9))
def test_fault_30_input_output_error_is_a_clear_failure_and_heals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    target = tmp_path / "data/world"
    old, new = land(target, OLD), land(tmp_path / "apart/world", NEW)
    calls = 0
    fsync = os.fsync

    def failing(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == nth:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing)
        with pytest.raises(LandingError, match=r"input/output error .* Check the disk"):
            land(target, NEW)

    assert_invariants(target, versions={old.data_version, new.data_version}, settled=False)
    land(target, NEW)
    assert_invariants(target, versions={new.data_version})


def test_fault_30_files_of_a_failed_sync_are_never_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "data/world"
    first = land(target, OLD)

    def failing(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(disk, "sync_file_system", failing)
        with pytest.raises(LandingError, match=r"input/output error .* not trusted") as failed:
            land(target, NEW)

    assert not failed.value.retryable
    assert_invariants(target, versions={first.data_version}, settled=False)
    fetched: list[str] = []
    land(target, NEW, fetched=fetched)
    assert fetched == list(NEW)
    assert_invariants(target)


@pytest.mark.parametrize("write", [pl.DataFrame.write_csv, pl.DataFrame.write_parquet])
def test_table_that_a_full_disk_does_not_take_is_a_clear_failure(
    tmp_path: Path, write: Callable[[pl.DataFrame, str], None]
) -> None:
    table = pl.DataFrame({"image": range(100_000)})
    with (
        pytest.raises(LandingError, match="no space left"),
        staging(tmp_path / "world", asset="world", source="upstream"),
    ):
        write(table, "/dev/full")


def test_fault_31_nothing_is_renamed_across_devices(
    tmp_path: Path, other_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    (tmp_path / "world").symlink_to(other_disk / "world")

    with staging(tmp_path / "world", asset="world", source="upstream") as stage:
        assert stage.root.stat().st_dev == stage.downloads.stat().st_dev == other_disk.stat().st_dev
        assert stage.root.stat().st_dev != tmp_path.stat().st_dev
    land(tmp_path / "world", OLD)
    land(tmp_path / "world", NEW)

    assert_invariants(other_disk / "world")


def test_fault_33_half_moved_directory_is_found_by_its_hashes_and_healed(tmp_path: Path) -> None:
    target = tmp_path / "data/world"
    land(target, OLD)
    new = land(tmp_path / "apart/world", NEW)
    shutil.copytree(tmp_path / "apart/world" / FOLDER, target / FOLDER, dirs_exist_ok=True)  # a drive that moves
    shutil.copy(tmp_path / "apart/world/train/0.jpg", target / "train/0.jpg")  # a directory file by file, interrupted

    wrong = verify(target).wrong

    assert set(wrong) == {"train/1.jpg", "train/2.jpg", "train/3.jpg", "val/x.jpg"}
    fetched: list[str] = []
    land(target, NEW, fetched=fetched)
    assert fetched == sorted(wrong)
    assert_invariants(target, versions={new.data_version})


@pytest.mark.parametrize("moved", range(7))
def test_fault_33_rename_that_a_drive_does_file_by_file_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moved: int
) -> None:
    target = tmp_path / "data/world"
    land(target, OLD)
    (target / "mine.txt").write_text("mine", encoding="utf-8")
    rename = Path.rename

    def by_file(self: Path, dest: Path) -> Path:
        if dest != target:
            return rename(self, dest)
        for path, entry in list(disk.walk(self))[:moved]:
            (dest / path).parent.mkdir(parents=True, exist_ok=True)
            rename(Path(entry.path), dest / path)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(disk, "exchange", lambda one, other: False)
        patch.setattr(Path, "rename", by_file)
        with pytest.raises(KeyboardInterrupt):
            land(target, NEW)

    fetched: list[str] = []
    manifest = land(target, NEW, fetched=fetched)

    assert fetched == []
    assert assert_invariants(target, named=["mine.txt"]) == manifest
    past = previous(target)
    assert past is not None
    assert set(past.rows) == set(OLD)


def test_fault_35_copies_where_hard_links_are_not_to_be_had(tmp_path: Path, other_disk: Path) -> None:
    target = tmp_path / "data/world"
    land(target, OLD)
    (other_disk / "train").mkdir()
    shutil.copytree(target / "train", other_disk / "train", dirs_exist_ok=True)
    subprocess.run(["mount", "--bind", str(other_disk / "train"), str(target / "train")], check=True)
    try:
        with staging(target, asset="world", source="upstream") as stage:
            assert stage.carry("train/0.jpg") is not None
            copied = stage.root / "train/0.jpg"
            assert copied.stat().st_dev != (target / "train/0.jpg").stat().st_dev
            assert copied.stat().st_mtime_ns == (target / "train/0.jpg").stat().st_mtime_ns
    finally:
        subprocess.run(["umount", "-l", str(target / "train")], check=True)
    land(target, {**OLD, "more.jpg": b"more"})
    assert_invariants(target)


@pytest.mark.parametrize("at", [30, 45, 60])
def test_fault_40_rerun_after_a_kill_fetches_nothing_that_was_verified(
    tmp_path: Path, victims: Victims, at: int
) -> None:
    target = tmp_path / "data/world"
    files = {f"{n:02}.jpg": b"%d" % n for n in range(40)}
    assert victims.run(target, files, report=tmp_path / "report", at=at, fault="kill").killed
    journal = next(StateDir.of(target).sessions.glob("*/rows.jsonl"))
    recorded = {json.loads(line)["path"] for line in journal.read_text(encoding="utf-8").splitlines() if line}
    assert recorded

    fetched: list[str] = []
    land(target, files, fetched=fetched)

    assert set(fetched) == set(files) - recorded
    assert_invariants(target)


def test_fault_41_files_that_were_staged_but_not_recorded_are_fetched_again(tmp_path: Path) -> None:
    target = tmp_path / "data/world"
    with staging(target, asset="world", source="upstream") as stage:
        bring(stage, OLD)
        (stage.root / "train/9.jpg").write_bytes(b"cut sh")
        (stage.root / "train/8.jpg.partial").write_bytes(b"cut")
        with (
            StateDir.of(target)
            .root.joinpath("staging")
            .joinpath(stage.root.parent.name, "rows.jsonl")
            .open("ab") as journal
        ):
            journal.write(b'\n{"path": "train/9.jpg", "byt')
    fetched: list[str] = []

    land(target, {**OLD, "train/9.jpg": b"whole"}, fetched=fetched)

    assert fetched == ["train/9.jpg"]
    assert not (target / "train/8.jpg.partial").exists()
    assert_invariants(target)


@pytest.mark.parametrize("renames", [False, True], ids=["exchange", "two renames"])
def test_fault_42_kill_around_publish_leaves_the_old_or_the_new(
    tmp_path: Path, victims: Victims, renames: bool
) -> None:
    target = tmp_path / "data/world"
    old, new = land(target, OLD, keep=False), land(tmp_path / "apart/world", NEW, keep=False)
    seen = set()
    last = victims.run(tmp_path / "count/world", NEW, report=tmp_path / "report", keep=False).changes
    for at in range(max(last - 12, 1), last + 30):
        outcome = victims.run(target, NEW, report=tmp_path / "report", at=at, keep=False, renames=renames)
        manifest = assert_invariants(target, versions={old.data_version, new.data_version}, settled=False)
        assert manifest is not None
        held = {path for path, _ in disk.walk(target) if not path.startswith(FOLDER)}
        assert held == set(manifest.rows), "two versions are mixed"
        seen.add(manifest.data_version)
        if not outcome.killed:
            break
        land(target, OLD, keep=False)
        assert_invariants(target, versions={old.data_version})
    assert seen == {old.data_version, new.data_version}


def test_reader_never_sees_a_directory_without_a_version(tmp_path: Path, victims: Victims) -> None:
    target = tmp_path / "data/world"
    land(target, OLD)
    pid = victims.start(target, NEW, report=tmp_path / "report", wait=True)
    assert (target / PAGE).exists()
    os.kill(pid, signal.SIGUSR1)
    while disk.is_alive(pid) and not (tmp_path / "report").exists():
        assert (target / PAGE).exists()
    assert victims.wait(tmp_path / "report").error == ""


def test_fault_36_directory_landed_locally_and_copied_to_a_drive_is_whole_there(
    tmp_path: Path, other_disk: Path
) -> None:
    published = land(tmp_path / "local/world", OLD)
    copied = other_disk / "world"
    shutil.copytree(tmp_path / "local/world", copied)

    assert not verify(copied).wrong
    fetched: list[str] = []
    assert land(copied, OLD, fetched=fetched).data_version == published.data_version
    assert fetched == []
    assert_invariants(copied, versions={published.data_version})
