"""Mending and looking after what is published: verify, repair, adopt, prune, accept, rollback."""

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from maxsight_assets import disk
from maxsight_assets.errors import LandingError, VerificationFailed, some
from maxsight_assets.publishing import acceptance
from maxsight_assets.publishing import swap as exchange
from maxsight_assets.publishing.expected import Expected, examine
from maxsight_assets.publishing.manifest import FileRow, Manifest, problem, problems
from maxsight_assets.publishing.stage import Gate, opened, read_published, staging
from maxsight_assets.publishing.swap import State
from maxsight_assets.remote import RemoteFile

_log = logging.getLogger(__name__)

Depth = Literal["names", "sizes", "hashes"]


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What looking at a published directory found.

    Attributes:
        checked: Number of files that the manifest states.
        wrong: What is wrong, by path: `missing`, another size, other bytes.
        foreign: Paths that the manifest does not know: put there by somebody else, and left alone.
    """

    checked: int
    wrong: Mapping[str, str]
    foreign: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AdoptReport:
    """What adopting a directory found.

    Attributes:
        adopted: Number of files that are what they must be.
        missing: Paths of expected files that are not there.
        wrong: What is wrong with files that are there, by path.
        manifest: What is published now; None where something is missing or wrong, and so nothing was touched.
    """

    adopted: int
    missing: tuple[str, ...]
    wrong: Mapping[str, str]
    manifest: Manifest | None


@dataclass(frozen=True, slots=True)
class PruneReport:
    """What `prune` deletes, or would delete.

    Attributes:
        files: Paths of kept files, relative to the directory.
        bytes: Their length, in all.
        previous: Whether the previous version goes.
        set_aside: Paths of files that somebody edited and that were set aside when their place was written anew.
        quarantine: Where those are.
    """

    files: tuple[str, ...]
    bytes: int
    previous: bool
    set_aside: tuple[str, ...]
    quarantine: Path


def verify(target: Path, depth: Depth = "hashes") -> VerifyReport:
    """Compare a published directory with its manifest.

    Args:
        target: The directory.
        depth: `names` looks whether files are there, `sizes` at their lengths too, `hashes` reads them all. Bytes that
            changed at the same size and time are found by `hashes` only.

    Raises:
        LandingError: Nothing is published there.
        VerificationFailed: The manifest is damaged.
    """
    manifest = _published(target)
    real = State.of(target).target
    if depth == "hashes":
        wrong = problems(real, manifest.rows.values())
    else:
        found = dict(disk.walk(real))
        faults = {path: _seen(found.get(path), row, sizes=depth == "sizes") for path, row in manifest.rows.items()}
        wrong = {path: fault for path, fault in faults.items() if fault is not None}
    return VerifyReport(len(manifest.rows), wrong, tuple(exchange.foreign(real, manifest)))


def _seen(entry: os.DirEntry[str] | None, row: FileRow, *, sizes: bool) -> str | None:
    if entry is None or not entry.is_file(follow_symlinks=False):
        return "missing"
    size = entry.stat(follow_symlinks=False).st_size
    return f"{row.bytes:,} bytes expected, {size:,} found" if sizes and size != row.bytes else None


def repair(target: Path, fetch: Callable[[FileRow, Path], None], *, wait_s: float = 0.0) -> tuple[str, ...]:
    """Fetch exactly the files that are missing or not as the manifest says, and put each in its place.

    What a changed file held is set aside, not lost.

    Args:
        target: The published directory.
        fetch: Brings the file of a row to a path; its bytes are checked here.
        wait_s: Seconds to wait for another process that is writing the directory.

    Returns:
        The paths that were mended.

    Raises:
        VerificationFailed: What was fetched is not what was published; the file is left as it was.
        LandingError: Nothing is published there, or the disk failed.
    """
    with opened(target, wait_s=wait_s) as (state, _):
        manifest = _published(target)
        bad = sorted(problems(state.target, manifest.rows.values()))
        for path in bad:
            fresh = state.scratch()
            row = manifest.rows[path]
            fetch(row, fresh)
            fault = problem(state.root, replace(row, path=fresh.name))
            if fault is not None:
                fresh.unlink(missing_ok=True)
                raise VerificationFailed(
                    f"{target}: {path}: upstream no longer has the published bytes ({fault}); rerun the asset to land "
                    "what it has now"
                )
            _put(state, fresh, path)
        return tuple(bad)


def _put(state: State, fresh: Path, path: str) -> None:
    exchange.set_aside(state, path)
    dest = state.target / path
    dest.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(fresh, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    fresh.replace(dest)
    disk.sync_directory(dest.parent)


def adopt(
    target: Path,
    expected: Iterable[Expected],
    *,
    asset: str,
    selection: Mapping[str, Any],
    inputs: Mapping[str, str],
    gate: Gate,
) -> AdoptReport:
    """Take over a directory that a person already has, where every expected file is there and verifies.

    Nothing is copied where hard links are to be had, and other files in it stay. Where something is missing or wrong,
    nothing is touched; a landing then fetches just that.

    Args:
        target: The directory, published to or not.
        expected: All files that the version needs.
        asset: The asset that will own it.
        selection: What the files are a selection of, as JSON values.
        inputs: Fingerprints of the upstream files that they come from.
        gate: The blocking rules.

    Raises:
        NotPublished: A blocking rule failed.
        Refused: The directory holds the embedded source.
    """
    listed = sorted(expected, key=lambda one: one.path)
    with staging(target, asset=asset, source="upstream") as stage:
        root = State.of(target).target
        answers = list(disk.in_threads(lambda one: examine(root, one), listed))
        missing = tuple(one.path for one, answer in zip(listed, answers, strict=True) if answer == "missing")
        wrong = {
            one.path: answer
            for one, answer in zip(listed, answers, strict=True)
            if isinstance(answer, str) and answer != "missing"
        }
        rows = [answer for answer in answers if isinstance(answer, FileRow)]
        if missing or wrong:
            return AdoptReport(len(rows), missing, wrong, None)
        for row in rows:
            stage.take(row)
        manifest = stage.publish(selection=selection, inputs=inputs, gate=gate, keep=True)
        return AdoptReport(len(rows), (), {}, manifest)


def prune(
    target: Path, protected: Callable[[], Iterable[str]], *, really: bool = False, wait_s: float = 0.0
) -> PruneReport:
    """Delete files of earlier selections, the previous version, and edited files set aside; by default only say so.

    A kept file that somebody changed stays. So does the previous version, or what was set aside, where it alone holds a
    protected path.

    Args:
        target: The published directory.
        protected: Says which paths, relative to the directory, must not go: all that a split names. Asked once no other
            process writes the directory.
        really: Delete.
        wait_s: Seconds to wait for another process that is writing the directory.

    Raises:
        LandingError: Nothing is published there.
    """
    with opened(target, wait_s=wait_s) as (state, _):
        manifest = _published(target)
        past = Manifest.read(state.previous)
        safe = frozenset(protected())
        loose = [row for row in manifest.rows.values() if row.kept and row.path not in safe]
        changed = problems(state.target, loose)
        loose = [row for row in loose if row.path not in changed]
        gone = {path for path in safe if not os.path.lexists(state.target / path)}
        away = {path for path in safe if path in gone or path not in manifest.rows}
        only_there = past is not None and not away.isdisjoint(past.rows)
        aside = [path for path, _ in disk.walk(state.quarantine) if path.partition("/")[2] not in gone]
        report = PruneReport(
            files=tuple(row.path for row in loose),
            bytes=sum(row.bytes for row in loose),
            previous=past is not None and not only_there,
            set_aside=tuple(path.partition("/")[2] for path in aside),
            quarantine=state.quarantine,
        )
        if really:
            exchange.prune(state, report.files)
            if report.previous:
                state.trash(state.previous)
            for path in aside:
                (state.quarantine / path).unlink()
            disk.remove_empty_directories(state.quarantine)
        return report


def accept(target: Path, file: RemoteFile) -> None:
    """Record that a person accepts a changed upstream file: its length and digests replace the catalog's from now on.

    Args:
        target: The directory that is landed from it.
        file: The upstream file with the facts that it has now.

    Raises:
        LandingError: No digest says which bytes are meant.
    """
    with opened(target) as (state, _):
        acceptance.record(state, file)


def rollback(target: Path, *, wait_s: float = 0.0) -> Manifest:
    """Bring the previous version back; the present one becomes the previous.

    Files that a person put there come along, and so do landed files of a directory that keeps them, as kept ones.

    Returns:
        The manifest that is published now.

    Raises:
        LandingError: There is no previous version, or it is damaged.
    """
    with opened(target, wait_s=wait_s) as (state, _):
        past = Manifest.read(state.previous)
        try:
            present = Manifest.read(state.target)
        except VerificationFailed as damaged:  # what there is to bring back may be all that is left
            _log.warning("%s", damaged)
            present = past and past.with_rows(())
        if past is None or present is None:
            raise LandingError(f"{target}: there is no previous version to bring back")
        _mend_from(state.target, state.previous, present.rows, past.rows)
        along = [row for path, row in present.rows.items() if present.info.keep and path not in past.rows]
        changed = problems(state.target, present.rows.values())
        kept = [replace(row, kept=True) for row in along if row.path not in changed]
        for row in kept:
            disk.link_or_copy(state.target / row.path, state.previous / row.path)
        edited = [path for path in changed if os.path.lexists(state.target / path)]
        for path in [*exchange.foreign(state.target, present), *edited]:
            if path in past.rows:
                exchange.set_aside(state, path)
            elif not os.path.lexists(state.previous / path):
                disk.link_or_copy(state.target / path, state.previous / path)
        restored = past.with_rows((*past.rows.values(), *kept))
        disk.sync_directory(state.previous)
        restored.write(state.previous, scratch=state.scratch())
        exchange.swap(state, state.previous)
        return restored


def _mend_from(sound: Path, root: Path, rows: Mapping[str, FileRow], wanted: Mapping[str, FileRow]) -> None:
    """Make a tree be what its rows say, with files of another tree that are the same; else say which cannot be had."""
    bad = problems(root, wanted.values())
    for path in sorted(bad):
        if path in rows and rows[path].sha256 == wanted[path].sha256 and problem(sound, wanted[path]) is None:
            disk.link_or_copy(sound / path, root / path)
            del bad[path]
    if bad:
        raise VerificationFailed(
            f"{root}: the previous version is damaged, so it is not brought back: "
            + some([f"{path} ({fault})" for path, fault in sorted(bad.items())])
        )


def _published(target: Path) -> Manifest:
    manifest = read_published(target)
    if manifest is None:
        raise LandingError(f"{target}: nothing is published there; materialize the asset first")
    return manifest
