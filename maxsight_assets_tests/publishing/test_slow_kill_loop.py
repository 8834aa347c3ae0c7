"""A small landing, interrupted at every change that it makes to the disk: killed, out of space, input/output errors.

After each the invariants hold, and a plain rerun heals without fetching what was verified already.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from maxsight_assets.publishing.maintenance import rollback
from maxsight_assets.publishing.stage import recovered_manifest
from maxsight_assets_tests.invariants import assert_invariants
from maxsight_assets_tests.publishing.interrupted import FAULTS, NEW, Interrupted, interrupt, last_change
from maxsight_assets_tests.publishing.staged import land
from maxsight_assets_tests.publishing.victim import Outcome, Victims


@pytest.mark.parametrize("renames", [False, True], ids=["exchange", "two renames"])
@pytest.mark.parametrize("fault", FAULTS)
def test_interrupted_at_every_change(
    interrupted: Interrupted,
    victims: Victims,
    fault: str,
    renames: bool,
    record_property: Callable[[str, object], None],
) -> None:
    last = last_change(interrupted, victims, renames=renames)
    assert last > 50  # six times: more than 300 points
    record_property("points", last)
    for at in range(1, last + 1):
        interrupted.check(interrupt(interrupted, victims, at=at, fault=fault, renames=renames))


def test_rollback_killed_at_every_change(interrupted: Interrupted, victims: Victims) -> None:
    interrupted.lay()
    land(interrupted.target, NEW)
    for at in range(1, 200):
        outcome = victims.run(interrupted.target, {}, report=interrupted.report, at=at, fault="kill", do="rollback")
        assert_invariants(
            interrupted.target, versions={interrupted.old, interrupted.new}, named=["mine.txt"], settled=False
        )
        if not outcome.killed:
            break
        now = recovered_manifest(interrupted.target)
        assert now is not None
        if now.data_version == interrupted.old:
            rollback(interrupted.target)
        else:
            land(interrupted.target, NEW)
        assert_invariants(
            interrupted.target, versions={interrupted.new}, named=["mine.txt", "train/0.jpg", "val/x.jpg"]
        )
    assert at > 10


@pytest.mark.parametrize("fault", ["signal=KILL", "error=ENOSPC", "error=EIO"])
@pytest.mark.parametrize(
    "call", ["write", "fsync", "syncfs", "openat", "linkat", "mkdir", "rename", "renameat2", "unlink", "close"]
)
def test_interrupted_at_every_system_call(
    interrupted: Interrupted,
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
        outcome, hit = _under_strace(interrupted, victims, tmp_path, inject=f"{call}:{fault}:when={at}")
        if not hit:
            break
        points += 1
        interrupted.check(outcome, distrusted=call == "syncfs")
    record_property("points", points)
    assert points > 0
    assert not hit


def _under_strace(interrupted: Interrupted, victims: Victims, folder: Path, *, inject: str) -> tuple[Outcome, bool]:
    interrupted.lay()
    trace = folder / "trace"
    pid = victims.start(interrupted.target, NEW, report=interrupted.report, wait=True)
    call = inject.partition(":")[0]
    strace = subprocess.Popen(
        ["strace", "-f", "-p", str(pid), "-e", f"trace={call}", "-e", f"inject={inject}", "-o", str(trace)],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert strace.stderr is not None
    if "attached" not in strace.stderr.readline():
        os.kill(pid, signal.SIGUSR1)
        victims.wait(interrupted.report)
        pytest.skip("strace may not attach to processes here")
    os.kill(pid, signal.SIGUSR1)
    outcome = victims.wait(interrupted.report)
    strace.communicate(timeout=30)
    said = trace.read_text(encoding="utf-8", errors="replace")
    return outcome, outcome.killed or "(INJECTED)" in said
