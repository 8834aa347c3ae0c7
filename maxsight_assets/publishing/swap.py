"""The state directory beside a target, and the swap of a whole directory into the target's place.

`<parent>/.<name>.maxsight/` holds the trees under construction, the previous version, and a journal of the one step
that is not yet finished. Each step first writes the journal and then finishes what the journal states. After an
interruption, the same code finishes or undoes the step.
"""

import errno
import hashlib
import json
import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import msgspec

from maxsight_assets import disk
from maxsight_assets.errors import Busy, LandingError, VerificationFailed
from maxsight_assets.publishing.manifest import FOLDER, PAGE, Manifest
from maxsight_assets.publishing.remembered import remember

_log = logging.getLogger(__name__)

_RETIRED = "retired~"
"""Prefix of the name of an outgoing tree until it becomes the previous version."""


@dataclass(frozen=True, slots=True)
class StateDir:
    """The places that belong to one target.

    Attributes:
        target: The published directory, symbolic links resolved, so that `root` is on its file system.
        root: The state directory beside it.
    """

    target: Path
    root: Path

    @classmethod
    def of(cls, target: Path) -> "StateDir":
        """Return the places of a target; make nothing."""
        real = Path(os.path.realpath(target))
        return cls(real, real.parent / f".{real.name}.maxsight")

    @property
    def sessions(self) -> Path:
        """Trees under construction, one directory a run."""
        return self.root / "staging"

    @property
    def previous(self) -> Path:
        """The version before the published one."""
        return self.root / "previous"

    @property
    def journal(self) -> Path:
        """File of the step under way; missing if there is none."""
        return self.root / "journal.json"

    @property
    def quarantine(self) -> Path:
        """Quarantine: published files that were edited, set aside when their path was written anew."""
        return self.root / "quarantine"

    @property
    def memory(self) -> Path:
        """What is remembered of the versions before the previous one."""
        return self.root / "versions"

    def scratch(self) -> Path:
        """Return a free path for an unfinished file or directory."""
        return self.root / f"{disk.SCRATCH}{disk.unique_name()}"

    def trash(self, path: Path) -> None:
        """Remove a tree: rename it out of sight in one step, then delete it."""
        aside = self.scratch()
        with suppress(FileNotFoundError):
            path.rename(aside)
        disk.discard([aside])

    def forget_previous(self) -> None:
        """Delete the previous version; its small files are remembered."""
        remember(self.previous, self.memory, scratch=self.scratch())
        self.trash(self.previous)

    def sweep(self, *, alone: bool) -> None:
        """Remove what interrupted runs left unfinished; unless `alone`, keep what a living process made."""
        unfinished = (disk.SCRATCH, _RETIRED) if self.target.exists() else (disk.SCRATCH,)
        left = [path for path in self.root.iterdir() if path.name.startswith(unfinished)]
        disk.discard(path for path in left if alone or not disk.made_by_living(path.name))


@dataclass(frozen=True, slots=True)
class Step:
    """A step that is under way.

    Attributes:
        step: `exchange` (one atomic call), `retire` and `place` (two renames, if there is no such call), or `prune`.
        incoming: Path of the incoming tree, relative to the state directory.
        page: sha256 of its MANIFEST.json; a target that has this page has been swapped.
        retired: Path that the outgoing tree gets first, relative to the state directory.
        paths: Paths that a `prune` deletes from the target.
    """

    step: Literal["exchange", "retire", "place", "prune"]
    incoming: str = ""
    page: str = ""
    retired: str = ""
    paths: tuple[str, ...] = ()


def swap(state: StateDir, incoming: Path) -> None:
    """Swap a whole, durable tree with its manifest into the target's place, and keep the outgoing one."""
    step = Step(
        "exchange" if state.target.exists() else "place",
        incoming=incoming.relative_to(state.root).as_posix(),
        page=page_digest(incoming),
        retired=f"{_RETIRED}{disk.unique_name()}",
    )
    if page_digest(state.target) == step.page:  # then the target's rows are damaged, else nothing would be swapped
        (state.target / PAGE).unlink()
    _write_journal(state, step)
    if step.step == "exchange" and not disk.exchange(incoming, state.target):
        step = replace(step, step="retire")
        _write_journal(state, step)
    finish(state, step)


def recover(state: StateDir, *, alone: bool) -> None:
    """Finish, or undo, the step that an interruption left; the caller must hold the lock.

    Args:
        state: The target's places.
        alone: Whether the lock keeps others out; if it does not, the step of a living process is left alone.
    """
    step = _read_journal(state)
    if step is not None and (alone or not disk.made_by_living(step.retired)):
        _log.warning("%s: finishing an interrupted %s", state.target, step.step)
        finish(state, step, resumed=True)


def finish(state: StateDir, step: Step, *, resumed: bool = False) -> None:
    """Finish a step, however far it has come; finishing it twice does no harm.

    Args:
        state: The target's places.
        step: The step, as its journal states it.
        resumed: Whether an earlier process began it, so that a rename may be half done.

    Raises:
        Busy: Another process published into the place meanwhile; this happens only if file locks do nothing.
    """
    if step.step == "prune":
        _finish_prune(state, step)
    elif step.step != "exchange" or page_digest(state.target) == step.page:
        _finish_swap(state, step, resumed=resumed)
    state.journal.unlink(missing_ok=True)
    disk.sync_directory(state.root)


def _finish_swap(state: StateDir, step: Step, *, resumed: bool) -> None:
    incoming, retired = state.root / step.incoming, state.root / step.retired
    if step.step == "exchange":
        disk.move(incoming, retired)
    if step.step == "retire":
        disk.move(state.target, retired)
        step = replace(step, step="place")
        _write_journal(state, step)
    if step.step == "place":
        _place(state, incoming, resumed=resumed)
    disk.sync_directory(state.target.parent)
    if retired.exists():
        if _rescue(state, retired):
            state.forget_previous()
            retired.rename(state.previous)
        else:  # the user's own directory, or a damaged version: the target has all of its files now
            state.trash(retired)
    if incoming.parent.parent == state.sessions:
        state.trash(incoming.parent)


def _place(state: StateDir, incoming: Path, *, resumed: bool) -> None:
    if resumed:
        disk.move(incoming, state.target)
        return
    try:
        incoming.rename(state.target)
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
            raise
        state.journal.unlink(missing_ok=True)  # else the next run would mix the two
        raise Busy(
            f"{state.target}: another process published it at the same moment; rerun to go on from there"
        ) from error


def _rescue(state: StateDir, retired: Path) -> bool:
    """Bring along the user's files that arrived late in the outgoing tree; return whether that tree is a version."""
    try:
        manifest = Manifest.read(retired)
    except VerificationFailed:
        manifest = None
    for path in foreign(retired, manifest):
        if not os.path.lexists(state.target / path):
            disk.link_or_copy(retired / path, state.target / path)
    return manifest is not None


def foreign(root: Path, manifest: Manifest | None) -> Iterator[str]:
    """Return the paths below a directory that its manifest does not know: files that this project did not land."""
    known = manifest.rows if manifest else {}
    return (path for path, _ in disk.walk(root) if path not in known and not path.startswith(f"{FOLDER}/"))


def _finish_prune(state: StateDir, step: Step) -> None:
    manifest = Manifest.read(state.target)
    if manifest is None:
        return
    gone = set(step.paths)
    left = manifest.with_rows(row for row in manifest.rows.each() if row.path not in gone)
    left.write(state.target, scratch=state.scratch())
    for path in step.paths:
        (state.target / path).unlink(missing_ok=True)
    disk.remove_empty_directories(state.target)


def prune(state: StateDir, paths: tuple[str, ...]) -> None:
    """Delete files of the target and their rows; after an interruption, the next run finishes it."""
    step = Step("prune", paths=paths)
    _write_journal(state, step)
    finish(state, step)


def set_aside(state: StateDir, path: str) -> None:
    """Keep a published file that the user has edited, before its path is written anew, so that no edit is lost.

    The file is linked or copied; if there is no room for a copy, or it cannot be read, it is moved.
    """
    changed = state.target / path
    try:
        digest = disk.sha256_of(changed)[1]
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError:
        digest = disk.unique_name()
    kept = state.quarantine / digest[:12] / path
    if kept.exists():
        return
    try:
        disk.link_or_copy(changed, kept)
    except OSError:
        kept.parent.mkdir(parents=True, exist_ok=True)
        changed.replace(kept)
    _log.warning("%s: %s was changed after it was landed; what it held is in %s", state.target, path, kept)


def page_digest(root: Path) -> str:
    """Return the hex sha256 of a directory's MANIFEST.json, which identifies its version; empty if it has none."""
    try:
        return hashlib.sha256((root / PAGE).read_bytes()).hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return ""


def _write_journal(state: StateDir, step: Step) -> None:
    disk.write_atomic(state.journal, json.dumps(asdict(step), sort_keys=True).encode(), scratch=state.scratch())


def _read_journal(state: StateDir) -> Step | None:
    try:
        step: Step = msgspec.json.decode(state.journal.read_bytes(), type=Step)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise LandingError(
            f"{state.journal}: the note of a step that was under way cannot be read ({error}); look whether "
            f"{state.target} is whole (`maxsight-assets verify`), then delete the note and rerun"
        ) from None
    return step
