"""A target lives through landings, kills, full disks, edits and rollbacks in any order; the invariants hold."""

import hashlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from maxsight_assets.errors import LandingError, Refused
from maxsight_assets.publishing.maintenance import prune, repair, rollback
from maxsight_assets.publishing.manifest import FileRow, Manifest
from maxsight_assets.publishing.stage import opened, previous, recovered_manifest
from maxsight_assets_tests.invariants import assert_invariants
from maxsight_assets_tests.publishing.staged import land
from maxsight_assets_tests.publishing.victim import Victims

RULES = {"lands", "is_interrupted", "kill", "ENOSPC", "EIO", "upstream_changes", "two_run_at_once", "person_edits"}
NAMES = [f"train/{n}.jpg" for n in range(6)]


class Target(RuleBasedStateMachine):
    """One directory of kept (raw) data, what upstream has, what is selected, and what a split names."""

    victims: Victims
    steps: ClassVar[Counter[str]]

    def __init__(self) -> None:
        super().__init__()
        self.base = Path(tempfile.mkdtemp(prefix="state-machine-"))
        self.target = self.base / "data/world"
        self.world = dict.fromkeys(NAMES, 0)
        self.selected = set(NAMES[:3])
        self.edited: set[str] = set()
        self.ever_edited: set[str] = set()
        self.named: set[str] = set()
        self.unsettled = False

    def teardown(self) -> None:
        shutil.rmtree(self.base)

    @property
    def files(self) -> dict[str, bytes]:
        """What a landing of the selection must publish."""
        return {path: f"{path} {self.world[path]}".encode() for path in sorted(self.selected)}

    def healed(self) -> None:
        manifest = assert_invariants(
            self.target, named=self.named | {"mine.txt"} & self._there(), edited=self.ever_edited
        )
        assert manifest is not None
        assert {row.path: (self.target / row.path).read_bytes() for row in manifest.selected()} == self.files
        self.named = {row.path for row in manifest.selected()}  # a split is built on what is published
        self.edited.clear()
        self.unsettled = False

    def _settled(self) -> tuple[Manifest | None, Manifest | None]:
        """The previous version and the present one, once what was interrupted is finished; looked up in a copy."""
        with tempfile.TemporaryDirectory(prefix="state-machine-") as copy:
            shutil.copytree(self.base, copy, dirs_exist_ok=True)
            target = Path(copy) / self.target.relative_to(self.base)
            with opened(target):
                return previous(target), recovered_manifest(target)

    def _there(self) -> set[str]:
        return {path.name for path in self.target.iterdir()} if self.target.exists() else set()

    def land(self) -> None:
        """Land the selection; where an edited file that became the person's own is in the way, the person moves it."""
        try:
            land(self.target, self.files, wait_s=30)
        except Refused:
            published = recovered_manifest(self.target)
            assert published is not None
            in_the_way = {path for path in self.files if path not in published.rows} & self.ever_edited
            assert in_the_way, "refused without a reason"
            for path in in_the_way:
                (self.target / path).unlink(missing_ok=True)
            self.named -= in_the_way
            land(self.target, self.files, wait_s=30)

    @rule()
    def lands(self) -> None:
        self.steps["lands"] += 1
        self.land()
        self.healed()

    @rule(at=st.integers(1, 70), fault=st.sampled_from(["kill", "ENOSPC", "EIO"]), renames=st.booleans())
    def is_interrupted(self, at: int, fault: str, renames: bool) -> None:
        self.steps["is_interrupted"] += 1
        self.steps[fault] += 1
        outcome = self.victims.run(
            self.target, self.files, report=self.base / "report", at=at, fault=fault, renames=renames
        )
        assert outcome.killed or outcome.error == "" or outcome.error.startswith(("LandingError", "Refused")), outcome
        self.unsettled = True

    @rule(path=st.sampled_from(NAMES))
    def upstream_changes(self, path: str) -> None:
        self.steps["upstream_changes"] += 1
        self.world[path] += 1

    @rule(paths=st.sets(st.sampled_from(NAMES), min_size=1))
    def selection_changes(self, paths: set[str]) -> None:
        self.selected = paths

    @rule()
    def two_run_at_once(self) -> None:
        self.steps["two_run_at_once"] += 1
        self.victims.start(self.target, self.files, report=self.base / "report", wait_s=30)
        try:
            self.land()
        finally:
            outcome = self.victims.wait(self.base / "report")
        assert outcome.error == "" or outcome.error.startswith("Refused")
        self.healed()

    @precondition(lambda self: recovered_manifest(self.target) is not None)
    @rule(data=st.data())
    def person_edits(self, data: st.DataObject) -> None:
        self.steps["person_edits"] += 1
        published = recovered_manifest(self.target)
        assert published is not None
        path = data.draw(st.sampled_from(sorted(published.rows)))
        (self.target / path).unlink(missing_ok=True)
        (self.target / path).write_bytes(b"edited")
        self.edited.add(path)
        self.ever_edited.add(path)

    @precondition(lambda self: self.target.exists())
    @rule()
    def person_adds_a_file(self) -> None:
        (self.target / "mine.txt").write_text("mine", encoding="utf-8")

    @precondition(lambda self: recovered_manifest(self.target) is not None)
    @rule()
    def is_repaired(self) -> None:
        published = recovered_manifest(self.target)
        assert published is not None
        digests = {}
        for path in NAMES:
            for turn in range(self.world[path] + 1):
                data = f"{path} {turn}".encode()
                digests[hashlib.sha256(data).hexdigest()] = data

        def fetch(row: FileRow, dest: Path) -> None:
            dest.write_bytes(digests[row.sha256])

        repair(self.target, fetch)
        self.edited.clear()

    @precondition(lambda self: previous(self.target) is not None)
    @rule()
    def is_rolled_back(self) -> None:
        past, present = self._settled()
        assert past is not None
        try:
            assert rollback(self.target).data_version == past.data_version
        except LandingError:
            assert self.ever_edited, "a version that nobody touched cannot be brought back"
            assert recovered_manifest(self.target) == present

    @precondition(lambda self: not self.edited and recovered_manifest(self.target) is not None)
    @rule()
    def is_pruned(self) -> None:
        prune(self.target, protected=lambda: self.named, really=True)

    @invariant()
    def holds(self) -> None:
        self.steps["steps"] += 1
        if self.edited:  # the person's edit is the one thing that may differ; a landing heals it
            return
        if not self.target.exists() and not self.unsettled:
            return
        assert_invariants(self.target, edited=self.ever_edited, named=self.named, settled=False)


def test_target_survives_anything_in_any_order(
    victims: Victims, record_property: Callable[[str, object], None]
) -> None:
    assert live(victims, record_property, examples=4, steps=15) >= 30


def live(victims: Victims, record_property: Callable[[str, object], None], *, examples: int, steps: int) -> int:
    """Run the state machine and return the number of steps that it took."""

    class Lives(Target):
        steps: ClassVar[Counter[str]] = Counter()

    Lives.victims = victims
    run_state_machine_as_test(
        Lives,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    taken = Lives.steps.pop("steps") - examples  # the invariant is looked at once before the first step
    record_property("steps", taken)
    record_property("rules", dict(Lives.steps))
    if examples >= 40:
        assert set(Lives.steps) >= RULES
    return taken
