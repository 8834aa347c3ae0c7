"""A small landing, interrupted at every change that it makes to the disk: killed, out of space, input/output errors.

After each the invariants hold, and a plain rerun heals without fetching what was verified already.
"""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from maxsight_assets.publishing.maintenance import rollback
from maxsight_assets.publishing.stage import previous, read_published
from maxsight_assets.publishing.swap import State
from maxsight_assets_tests.invariants import assert_invariants
from maxsight_assets_tests.publishing.staged import land
from maxsight_assets_tests.publishing.victim import Outcome, Victims

ZERO = {"a.json": b"0"}
OLD = {f"train/{n}.jpg": b"old %d" % n for n in range(6)} | {"a.json": b"old"}
NEW = {f"train/{n}.jpg": b"old %d" % n for n in range(2, 6)} | {"val/x.jpg": b"x", "val/y.jpg": b"y", "a.json": b"new"}
FAULTS = ("kill", "ENOSPC", "EIO")


class Ground:
    """A target with a previous version, kept files and a person's file, laid anew for each point."""

    def __init__(self, base: Path) -> None:
        self.target = base / "data/world"
        self.report = base / "report.json"
        self._template = base / "template/world"
        land(self._template, ZERO)
        (self._template / "mine.txt").write_text("mine", encoding="utf-8")
        self.old = land(self._template, OLD).data_version
        self.new = land(base / "apart/world", NEW).data_version

    def lay(self) -> None:
        shutil.rmtree(self.target.parent, ignore_errors=True)
        shutil.copytree(self._template.parent, self.target.parent, symlinks=True)

    def staged(self) -> set[str]:
        """Paths that an interrupted run recorded and fetched, rather than linked."""
        return {
            row["path"]
            for journal in State.of(self.target).sessions.glob("*/rows.jsonl")
            for line in journal.read_text(encoding="utf-8").splitlines()
            if line.endswith("}") and (tree := journal.parent / "tree" / (row := json.loads(line))["path"]).exists()
            if tree.stat().st_nlink == 1
        }

    def check(self, outcome: Outcome, *, distrusted: bool = False) -> None:
        """What must hold after a fault, and after the plain rerun that follows it."""
        assert outcome.killed or outcome.error == "" or outcome.error.startswith("LandingError: "), outcome
        done = not outcome.killed and outcome.error == ""
        assert_invariants(
            self.target,
            versions={self.new} if done else {self.old, self.new},
            named=["train/0.jpg", "train/5.jpg", "mine.txt"],
            settled=False,
        )
        staged = self.staged()
        fetched: list[str] = []
        land(self.target, NEW, fetched=fetched)
        assert distrusted or not staged & set(fetched), "what was verified has been fetched again"
        assert_invariants(
            self.target, versions={self.new}, named=["train/0.jpg", "train/5.jpg", "mine.txt", "val/x.jpg"]
        )
        assert previous(self.target) is not None


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return Ground(tmp_path_factory.mktemp("ground"))


def interrupt(ground: Ground, victims: Victims, *, at: int, fault: str, renames: bool) -> Outcome:
    ground.lay()
    return victims.run(ground.target, NEW, report=ground.report, at=at, fault=fault, renames=renames)


def last_change(ground: Ground, victims: Victims, *, renames: bool) -> int:
    outcome = interrupt(ground, victims, at=0, fault="kill", renames=renames)
    assert outcome.error == ""
    return outcome.changes


@pytest.mark.parametrize("renames", [False, True], ids=["exchange", "two renames"])
@pytest.mark.parametrize("fault", FAULTS)
def test_interrupted_at_some_changes(ground: Ground, victims: Victims, fault: str, renames: bool) -> None:
    last = last_change(ground, victims, renames=renames)
    for at in range(3, last + 1, last // 6):
        ground.check(interrupt(ground, victims, at=at, fault=fault, renames=renames))


@pytest.mark.slow
@pytest.mark.parametrize("renames", [False, True], ids=["exchange", "two renames"])
@pytest.mark.parametrize("fault", FAULTS)
def test_interrupted_at_every_change(
    ground: Ground, victims: Victims, fault: str, renames: bool, record_property: Callable[[str, object], None]
) -> None:
    last = last_change(ground, victims, renames=renames)
    assert last > 50  # six times: more than 300 points
    record_property("points", last)
    for at in range(1, last + 1):
        ground.check(interrupt(ground, victims, at=at, fault=fault, renames=renames))


@pytest.mark.slow
def test_rollback_killed_at_every_change(ground: Ground, victims: Victims) -> None:
    ground.lay()
    land(ground.target, NEW)
    for at in range(1, 200):
        outcome = victims.run(ground.target, {}, report=ground.report, at=at, fault="kill", do="rollback")
        assert_invariants(ground.target, versions={ground.old, ground.new}, named=["mine.txt"], settled=False)
        if not outcome.killed:
            break
        now = read_published(ground.target)
        assert now is not None
        if now.data_version == ground.old:
            rollback(ground.target)
        else:
            land(ground.target, NEW)
        assert_invariants(ground.target, versions={ground.new}, named=["mine.txt", "train/0.jpg", "val/x.jpg"])
    assert at > 10


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["signal=KILL", "error=ENOSPC", "error=EIO"])
@pytest.mark.parametrize(
    "call", ["write", "fsync", "syncfs", "openat", "linkat", "mkdir", "rename", "renameat2", "unlink", "close"]
)
def test_interrupted_at_every_system_call(
    ground: Ground,
    victims: Victims,
    tmp_path: Path,
    call: str,
    fault: str,
    record_property: Callable[[str, object], None],
) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    points = 0
    for at in range(1, 400):
        outcome, hit = _under_strace(ground, victims, tmp_path, inject=f"{call}:{fault}:when={at}")
        if not hit:
            break
        points += 1
        ground.check(outcome, distrusted=call == "syncfs")
    record_property("points", points)
    assert points > 0
    assert not hit


def _under_strace(ground: Ground, victims: Victims, folder: Path, *, inject: str) -> tuple[Outcome, bool]:
    ground.lay()
    trace = folder / "trace"
    pid = victims.start(ground.target, NEW, report=ground.report, wait=True)
    call = inject.partition(":")[0]
    strace = subprocess.Popen(
        ["strace", "-f", "-p", str(pid), "-e", f"trace={call}", "-e", f"inject={inject}", "-o", str(trace)],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert strace.stderr is not None
    if "attached" not in strace.stderr.readline():
        os.kill(pid, signal.SIGUSR1)
        victims.wait(ground.report)
        pytest.skip("strace may not attach to processes here")
    os.kill(pid, signal.SIGUSR1)
    outcome = victims.wait(ground.report)
    strace.communicate(timeout=30)
    said = trace.read_text(encoding="utf-8", errors="replace")
    return outcome, outcome.killed or "(INJECTED)" in said
