"""Maintains published directories: verify, repair, adopt, prune, accept, rollback."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from maxsight_assets import disk
from maxsight_assets.errors import LandingError, VerificationFailed, some
from maxsight_assets.publishing import acceptance
from maxsight_assets.publishing import swap as exchange
from maxsight_assets.publishing.expected import Expected, examine
from maxsight_assets.publishing.manifest import FileRow, Manifest, Rows, Sum, problem, problems
from maxsight_assets.publishing.stage import Gate, opened, recovered_manifest, staging
from maxsight_assets.publishing.swap import StateDir
from maxsight_assets.remote import RemoteFile

_log = logging.getLogger(__name__)

Depth = Literal["names", "sizes", "hashes"]


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """The result of comparing a published directory with its manifest.

    Attributes:
        checked: Number of files that the manifest states.
        wrong: What is wrong, by path: `missing`, another size, other bytes.
        foreign: Paths that the manifest does not know: the user or another program put them there; they are left alone.
    """

    checked: int
    wrong: Mapping[str, str]
    foreign: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AdoptReport:
    """The result of adopting a directory.

    Attributes:
        adopted: Number of files that are the expected ones.
        missing: Paths of expected files that are missing.
        wrong: What is wrong with files at the expected paths, by path.
        manifest: What is published now; None if a file is missing or wrong, and so nothing was touched.
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
        bytes: Their total length.
        previous: Whether the previous version is deleted.
        set_aside: Paths of edited files that were set aside when their path was written anew.
        quarantine: Directory of the files set aside.
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
        depth: `names` checks that the files exist, `sizes` checks their lengths too, `hashes` reads them all. Only
            `hashes` finds bytes that changed while size and time stayed the same.

    Raises:
        LandingError: Nothing is published there.
        VerificationFailed: The manifest is damaged.
    """
    manifest = published(target)
    real = StateDir.of(target).target
    if depth == "hashes":
        wrong = problems(real, manifest.rows.sums())
    else:
        found = dict(disk.walk(real))
        faults = {each.path: _seen(found.get(each.path), each, sizes=depth == "sizes") for each in manifest.rows.sums()}
        wrong = {path: fault for path, fault in faults.items() if fault is not None}
    return VerifyReport(len(manifest.rows), wrong, tuple(exchange.foreign(real, manifest)))


def _seen(entry: os.DirEntry[str] | None, row: Sum, *, sizes: bool) -> str | None:
    if entry is None or not entry.is_file(follow_symlinks=False):
        return "missing"
    size = entry.stat(follow_symlinks=False).st_size
    return f"{row.bytes:,} bytes expected, {size:,} found" if sizes and size != row.bytes else None


def repair(target: Path, fetch: Callable[[FileRow, Path], None], *, wait_s: float = 0.0) -> tuple[str, ...]:
    """Fetch exactly the files that are missing or not as the manifest states, and put each in its place.

    A changed file is set aside, so that no edit is lost.

    Args:
        target: The published directory.
        fetch: Fetches the file of a row to a path; `repair` checks its bytes.
        wait_s: Seconds to wait for another process that is writing the directory.

    Returns:
        The paths of the repaired files.

    Raises:
        VerificationFailed: A fetched file is not the published one; the file is left as it was.
        LandingError: Nothing is published there, or the disk failed.
    """
    with _opened_again(target, wait_s=wait_s) as state:
        manifest = published(target)
        bad = sorted(problems(state.target, manifest.rows.sums()))
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


def _put(state: StateDir, fresh: Path, path: str) -> None:
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
    """Take over a directory that the user already has, if it has every expected file and each verifies.

    Files are hard-linked if the file system can, else copied; other files in the directory stay. If a file is missing
    or wrong, nothing is touched; a landing then fetches only such files.

    Args:
        target: The directory, published to or not.
        expected: All files that the version needs.
        asset: The asset that will own the directory.
        selection: The selection that the files are landed for, as JSON values.
        inputs: Fingerprints of the upstream files that they come from.
        gate: The blocking rules.

    Raises:
        NotPublished: A blocking rule failed.
        Refused: The directory holds the embedded source.
    """
    listed = sorted(expected, key=lambda one: one.path)
    with staging(target, asset=asset, source="upstream") as stage:
        root = StateDir.of(target).target
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
    """Delete files of earlier selections, the previous version and the quarantine; by default, only report them.

    A kept file that was edited stays. The previous version, or a file set aside, stays if only it holds a protected
    path.

    Args:
        target: The published directory.
        protected: Returns the paths that must not be deleted, relative to the directory: all that a split names. Called
            while no other process writes the directory.
        really: Whether to delete; otherwise only report.
        wait_s: Seconds to wait for another process that is writing the directory.

    Raises:
        LandingError: Nothing is published there.
    """
    with _opened_again(target, wait_s=wait_s) as state:
        manifest = published(target)
        past = Manifest.read(state.previous)
        safe = frozenset(protected())
        loose = [row for row in manifest.rows.each() if row.kept and row.path not in safe]
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
                state.forget_previous()
            for path in aside:
                (state.quarantine / path).unlink()
            disk.remove_empty_directories(state.quarantine)
        return report


def accept(target: Path, file: RemoteFile) -> None:
    """Record that the user accepts a changed upstream file: its length and digests replace the catalog's from now on.

    Args:
        target: The directory that is landed from it.
        file: The upstream file with the facts that it has now.

    Raises:
        LandingError: The file has no digest, so the accepted bytes cannot be identified.
    """
    with opened(target) as (state, _):
        acceptance.record(state, file)


def rollback(target: Path, *, wait_s: float = 0.0) -> Manifest:
    """Publish the previous version again; the present one becomes the previous.

    The user's own files in the directory stay. If the directory keeps landed files, those of the present version stay
    as kept files.

    Returns:
        The manifest that is published now.

    Raises:
        LandingError: There is no previous version, or it is damaged.
    """
    with _opened_again(target, wait_s=wait_s) as state:
        past = Manifest.read(state.previous)
        try:
            present = Manifest.read(state.target)
        except VerificationFailed as damaged:  # the previous version may be all that is left
            _log.warning("%s", damaged)
            present = past and past.with_rows(())
        if past is None or present is None:
            raise LandingError(f"{target}: there is no previous version to bring back")
        _mend_from(state.target, state.previous, present.rows, past.rows)
        along = [row for row in present.rows.each() if present.info.keep and row.path not in past.rows]
        changed = problems(state.target, present.rows.sums())
        kept = [replace(row, kept=True) for row in along if row.path not in changed]
        for row in kept:
            disk.link_or_copy(state.target / row.path, state.previous / row.path)
        edited = [path for path in changed if os.path.lexists(state.target / path)]
        for path in [*exchange.foreign(state.target, present), *edited]:
            if path in past.rows:
                exchange.set_aside(state, path)
            elif not os.path.lexists(state.previous / path):
                disk.link_or_copy(state.target / path, state.previous / path)
        restored = past.with_rows((*past.rows.each(), *kept))
        disk.sync_directory(state.previous)
        restored.write(state.previous, scratch=state.scratch())
        exchange.swap(state, state.previous)
        return restored


def _mend_from(sound: Path, root: Path, rows: Mapping[str, FileRow], wanted: Rows) -> None:
    """Make a tree match its rows, with equal files of another tree; raise an error that names the files without one."""
    bad = problems(root, wanted.sums())
    for path in sorted(bad):
        if path in rows and rows[path].sha256 == wanted[path].sha256 and problem(sound, wanted[path]) is None:
            disk.link_or_copy(sound / path, root / path)
            del bad[path]
    if bad:
        raise VerificationFailed(
            f"{root}: the previous version is damaged, so it is not brought back: "
            + some([f"{path} ({fault})" for path, fault in sorted(bad.items())])
        )


@contextmanager
def _opened_again(target: Path, *, wait_s: float) -> Iterator[StateDir]:
    """Open a target that was landed before; if it never was, make nothing."""
    if not StateDir.of(target).root.exists():
        published(target)
    with opened(target, wait_s=wait_s) as (state, _):
        yield state


def published(target: Path) -> Manifest:
    """Return the manifest of what is published.

    Raises:
        LandingError: Nothing is.
    """
    manifest = recovered_manifest(target)
    if manifest is None:
        raise LandingError(f"{target}: nothing is published there; materialize the asset first")
    return manifest
