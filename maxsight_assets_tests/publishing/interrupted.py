"""A target that is laid anew for each fault, and what must hold after it."""

import json
import shutil
from pathlib import Path

from maxsight_assets.publishing.stage import previous
from maxsight_assets.publishing.swap import StateDir
from maxsight_assets_tests.invariants import assert_invariants
from maxsight_assets_tests.publishing.staged import land
from maxsight_assets_tests.publishing.victim import Outcome, Victims

ZERO = {"a.json": b"0"}
OLD = {f"train/{n}.jpg": b"old %d" % n for n in range(6)} | {"a.json": b"old"}
NEW = {f"train/{n}.jpg": b"old %d" % n for n in range(2, 6)} | {"val/x.jpg": b"x", "val/y.jpg": b"y", "a.json": b"new"}
FAULTS = ("kill", "ENOSPC", "EIO")


class Interrupted:
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
            for journal in StateDir.of(self.target).sessions.glob("*/rows.jsonl")
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


def interrupt(ground: Interrupted, victims: Victims, *, at: int, fault: str, renames: bool) -> Outcome:
    ground.lay()
    return victims.run(ground.target, NEW, report=ground.report, at=at, fault=fault, renames=renames)


def last_change(ground: Interrupted, victims: Victims, *, renames: bool) -> int:
    outcome = interrupt(ground, victims, at=0, fault="kill", renames=renames)
    assert outcome.error == ""
    return outcome.changes
