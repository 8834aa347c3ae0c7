"""The lock: who holds it is named, waiting ends, and publishing is right without it."""

import errno
import fcntl
import json
import multiprocessing
import os
import signal
import threading
from pathlib import Path

import pytest

from maxsight_assets.errors import Busy, Cancelled
from maxsight_assets.publishing.lock import hold
from maxsight_assets.publishing.stage import recovered_manifest, staging
from maxsight_assets.publishing.swap import StateDir
from maxsight_assets_tests.invariants import assert_invariants
from maxsight_assets_tests.publishing.ground import land_from
from maxsight_assets_tests.publishing.staged import bring, land, passing
from maxsight_assets_tests.publishing.victim import Victims
from maxsight_assets_tests.servers.lying import LyingServer

FILES = {f"{n}.jpg": b"%d" % n for n in range(4)}


def test_holder_is_named_with_its_process_id(tmp_path: Path) -> None:
    with (
        hold(tmp_path, target=tmp_path / "world") as effective,
        pytest.raises(Busy, match=rf"process {os.getpid()} on .* is writing it; wait until it ends"),
        hold(tmp_path, target=tmp_path / "world"),
    ):
        pytest.fail("two hold the lock")
    assert effective
    assert Busy.retryable
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock"]


def test_waiting_ends_when_the_holder_lets_go(tmp_path: Path) -> None:
    holds, let_go = threading.Event(), threading.Event()

    def holder() -> None:
        with hold(tmp_path, target=tmp_path):
            holds.set()
            let_go.wait(30)

    thread = threading.Thread(target=holder)
    thread.start()
    holds.wait(30)
    threading.Timer(0.2, let_go.set).start()
    with hold(tmp_path, target=tmp_path, wait_s=30):
        assert let_go.is_set()
    thread.join()


def test_waiting_ends_when_cancelled(tmp_path: Path) -> None:
    cancel = threading.Event()
    with hold(tmp_path, target=tmp_path):
        threading.Timer(0.2, cancel.set).start()
        with (
            pytest.raises(Cancelled, match=str(os.getpid())),
            hold(tmp_path, target=tmp_path, wait_s=60, cancel=cancel),
        ):
            pytest.fail("two hold the lock")


def test_lock_of_a_killed_process_is_free_again(tmp_path: Path, victims: Victims) -> None:
    target = tmp_path / "data/world"
    outcome = victims.run(target, FILES, report=tmp_path / "report", at=12, fault="kill")

    assert outcome.killed
    assert StateDir.of(target).root.joinpath("holder.json").exists()
    land(target, FILES)
    assert_invariants(target)


def test_fault_45_second_process_waits_and_then_reuses(tmp_path: Path) -> None:
    target = tmp_path / "data/world"
    with Victims() as first, Victims() as second:
        pids = [
            victims.start(target, FILES, report=tmp_path / name, wait=True, wait_s=60)
            for victims, name in ((first, "one"), (second, "two"))
        ]
        for pid in pids:
            os.kill(pid, signal.SIGUSR1)
        outcomes = [first.wait(tmp_path / "one"), second.wait(tmp_path / "two")]

    assert [outcome.error for outcome in outcomes] == ["", ""]
    assert sorted(len(outcome.fetched) for outcome in outcomes) == [0, 4], "both fetched"
    assert_invariants(target)


def test_fault_45_no_byte_is_fetched_twice_by_two_processes(tmp_path: Path) -> None:
    target, spawn = tmp_path / "data/world", multiprocessing.get_context("spawn")
    with LyingServer() as server:
        url = server.publish("a.bin", b"x" * 300_000)
        both = [spawn.Process(target=land_from, args=(url, target)) for _ in range(2)]
        for process in both:
            process.start()
        try:
            for process in both:
                process.join()
        finally:
            for process in both:
                process.kill()
        assert [process.exitcode for process in both] == [0, 0]
        assert [request.range for request in server.requests] == [None]
    assert_invariants(target)


def test_fault_45_second_process_that_may_not_wait_names_the_first(tmp_path: Path, victims: Victims) -> None:
    target = tmp_path / "data/world"
    with staging(target, asset="world", source="upstream") as stage:
        outcome = victims.run(target, FILES, report=tmp_path / "report")
        bring(stage, FILES)
        stage.publish(selection={}, inputs={}, gate=passing, keep=True)

    assert outcome.error.startswith(f"Busy: {target}: process {os.getpid()} on ")
    assert_invariants(target)


def test_fault_34_locks_that_do_nothing_are_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(fcntl, "flock", lambda descriptor, how: None)

    with hold(tmp_path, target=tmp_path) as effective:
        assert not effective
    assert "file locks do nothing here" in caplog.text


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP])
def test_fault_34_a_drive_that_has_no_locks_is_landed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    def refused(descriptor: int, how: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refused)
    target = tmp_path / "data/world"

    land(target, FILES)

    assert "file locks do nothing here" in caplog.text
    assert_invariants(target)


def test_fault_34_tree_of_a_living_process_is_not_taken_over_where_locks_do_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "data/world"
    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", lambda descriptor, how: None)
        with staging(target, asset="world", source="upstream") as slow:
            bring(slow, FILES)
            fast = land(target, {**FILES, "new.jpg": b"new"})
            with pytest.raises(Busy, match="published it meanwhile; rerun"):
                slow.publish(selection={}, inputs={}, gate=passing, keep=True)

    assert_invariants(target, versions={fast.data_version}, settled=False)
    fetched: list[str] = []
    land(target, FILES, fetched=fetched)
    assert fetched == []
    assert_invariants(target)


@pytest.mark.parametrize("renames", [False, True], ids=["exchange", "two renames"])
def test_fault_34_two_processes_without_locks_never_mix(tmp_path: Path, renames: bool) -> None:
    land_both(tmp_path, renames=renames, turns=3)


def land_both(tmp_path: Path, *, renames: bool, turns: int) -> None:
    """Let two processes without locks land at once, and look at what they leave after each turn."""
    target = tmp_path / "data/world"
    worlds = [{path: data * (n + 1) for path, data in FILES.items()} | {f"only{n}": b"x"} for n in range(2)]
    versions = {
        land(tmp_path / f"apart{n}" / "world", files, keep=False).data_version for n, files in enumerate(worlds)
    }
    with Victims() as one, Victims() as other:
        for turn in range(turns):
            order = {"keep": False, "nolock": True, "renames": renames}
            for n, victims in enumerate((one, other)):
                victims.start(target, worlds[(n + turn) % 2], report=tmp_path / f"{n}.json", **order)
            ends = [one.wait(tmp_path / "0.json"), other.wait(tmp_path / "1.json")]
            assert any(end.error == "" for end in ends), ends
            manifest = assert_invariants(target, versions=versions, settled=False)
            assert manifest is not None
            held = {path.name for path in target.iterdir() if path.is_file()}
            assert held == set(manifest.rows), "two versions are mixed"
    land(target, worlds[0], keep=False)
    assert_invariants(target, versions=versions)


def test_note_says_who_holds_the_lock(tmp_path: Path) -> None:
    with hold(tmp_path, target=tmp_path):
        note = json.loads((tmp_path / "holder.json").read_text(encoding="utf-8"))

    assert note["pid"] == os.getpid()
    assert set(note) == {"pid", "host", "since"}


def test_reading_needs_no_lock(tmp_path: Path) -> None:
    target = tmp_path / "data/world"
    published = land(target, FILES)

    with staging(target, asset="world", source="upstream"):
        assert recovered_manifest(target) == published
