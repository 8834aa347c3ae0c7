"""The one way in which every asset publishes: build a tree beside its target, judge it, and swap it in whole.

`publishing.swap` makes the swap survive an interruption; `publishing.maintenance` mends what is published.
"""

import errno
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from threading import Event, Lock
from typing import Any

import msgspec

from maxsight_assets import disk
from maxsight_assets.errors import Busy, NotPublished, Refused, UpstreamChanged, VerificationFailed, some
from maxsight_assets.publishing import acceptance
from maxsight_assets.publishing import swap as exchange
from maxsight_assets.publishing.expected import Expected, Obtained, examine
from maxsight_assets.publishing.lock import hold
from maxsight_assets.publishing.manifest import (
    FOLDER,
    FileRow,
    Manifest,
    Rows,
    now,
    parents,
    problem,
    problems,
    source_of,
)
from maxsight_assets.publishing.obstacles import refuse_in_the_way
from maxsight_assets.publishing.session import FROM, JOURNAL, drop_if_unused, open_session, resumed_rows
from maxsight_assets.publishing.swap import StateDir
from maxsight_assets.verdict import Verdict, in_words

_log = logging.getLogger(__name__)

Gate = Callable[[Path, Manifest], Sequence[Verdict]]

_FIELDS = tuple(field.name for field in fields(FileRow))
_RECOVERY_WAIT_S = 10.0
"""Seconds that a reader waits if it meets a directory between two renames: far longer than these take."""


def recovered_manifest(target: Path) -> Manifest | None:
    """Read the manifest of what is published; finish a swap first that was interrupted between two renames.

    Returns:
        The manifest; None if nothing is published.

    Raises:
        VerificationFailed: The manifest is damaged.
    """
    state = StateDir.of(target)
    manifest = Manifest.read(state.target)
    if manifest is None and state.journal.exists():
        with hold(state.root, target=target, wait_s=_RECOVERY_WAIT_S) as alone:
            exchange.recover(state, alone=alone)
            manifest = Manifest.read(state.target)
    return manifest


def previous(target: Path) -> Manifest | None:
    """Return the version that `rollback` would bring back; None if there is none.

    If an interrupted exchange still waits to be finished, this may be the version before that one; `rollback` finishes
    the exchange first.
    """
    return Manifest.read(StateDir.of(target).previous)


@contextmanager
def opened(target: Path, *, wait_s: float = 0.0, cancel: Event | None = None) -> Iterator[tuple[StateDir, bool]]:
    """Hold a target for writing: take its lock and finish every interrupted step.

    Yields:
        The target's places, and whether the lock keeps others out.

    Raises:
        Busy: Another process holds it.
        Cancelled: The event was set while waiting.
        LandingError: The disk failed; the text states how.
    """
    state = StateDir.of(target)
    with disk.explaining(state.target):
        state.sessions.mkdir(parents=True, exist_ok=True)
        with hold(state.root, target=target, wait_s=wait_s, cancel=cancel) as alone:
            exchange.recover(state, alone=alone)
            state.sweep(alone=alone)
            yield state, alone


@contextmanager
def staging(
    target: Path, *, asset: str, source: str, wait_s: float = 0.0, cancel: Event | None = None
) -> Iterator["Stage"]:
    """Open the tree under construction of a target, and go on where an interrupted run stopped.

    Files that the block does not publish stay for the next run and do not appear in the target. If the block stops at a
    changed upstream file, what it received of that file is noted for `accept`.

    Args:
        target: The directory to publish.
        asset: The asset that publishes it.
        source: `embedded` or `upstream`; one is never published over the other.
        wait_s: Seconds to wait for another process that is writing the target.
        cancel: Ends the wait when set.

    Raises:
        Refused: The target holds another source or asset, or it holds the user's files and the source is `embedded`.
        Busy: Another process is writing the target.
        Cancelled: The event was set while waiting.
        LandingError: The disk failed: no space, no inodes, an input/output error.
    """
    with disk.explaining(target):
        _refuse_other_source(StateDir.of(target).target, source, asset)  # before anything is made
    with opened(target, wait_s=wait_s, cancel=cancel) as (state, alone):
        page = exchange.page_digest(state.target)  # before its rows are read: a swap in between is then noticed
        present = _refuse_other_source(state.target, source, asset)
        session = open_session(state, source, alone=alone)
        stage = Stage(state, session, present, asset=asset, source=source, page=page)
        try:
            yield stage
        except UpstreamChanged as changed:
            if changed.received is not None:
                acceptance.note(state, changed.received)
            raise
        finally:
            stage.close()
            drop_if_unused(state, session)


class Stage:
    """The tree under construction of one target; made by `staging`.

    Attributes:
        root: Write files here, at their paths relative to the published directory. Replace an existing file, never
            write into it: it may share its bytes with the published version.
        downloads: Directory of partial archives until the tree is published.
        present: What is published now; None if nothing is.
    """

    def __init__(
        self, state: StateDir, session: Path, present: Manifest | None, *, asset: str, source: str, page: str
    ) -> None:
        self.root = session / "tree"
        self.downloads = session / "downloads"
        self.present = present
        self._state = state
        self._session = session
        self._asset = asset
        self._source = source
        self._lock = Lock()
        self._rows: dict[str, FileRow] = {}
        self._resumed, self._came_from = resumed_rows(session)
        self._inputs: Mapping[str, str] = {}
        self._carried: set[str] = set()
        self._plain: set[str] = set()
        self._built_on = page
        self._sync = os.open(session, os.O_RDONLY | os.O_CLOEXEC)  # before any write, so that it reports failed ones
        self._journal = os.open(session / JOURNAL, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def close(self) -> None:
        """Close open files; the tree stays for the next run."""
        os.close(self._sync)
        os.close(self._journal)

    def made_from(self, inputs: Mapping[str, str]) -> None:
        """State what upstream has now; files that an interrupted run staged from another version are not taken.

        A member of an archive that states a checksum is taken even then if the checksum is the same; the caller
        compares it.

        Args:
            inputs: Fingerprint of each upstream file, by key.
        """
        with self._lock:
            self._inputs = inputs
            for path, row in list(self._resumed.items()):
                if row.crc32 is None and self._came_from.get(path) != inputs.get(_key(row)):
                    del self._resumed[path]

    @property
    def rows(self) -> Mapping[str, FileRow]:
        """The files of the version so far, by path."""
        with self._lock:
            return dict(self._rows)

    def names(self) -> set[str]:
        """Return the paths of all files that the next version has so far, kept files of the present one included."""
        return {*self.rows, *(self.present.rows if self.present else ())}

    def have(self, path: str) -> FileRow | None:
        """Take a file that is in the tree already: carried, or staged by an interrupted run and verified anew.

        A file of an interrupted run is published only if the caller asks for it, since the selection may have changed.

        Returns:
            Its row; None if there is none.
        """
        with self._lock:
            row = self._rows.get(path) or self._resumed.get(path)
            if row is not None:
                self._rows[path] = row
            return row

    def carry(self, path: str) -> FileRow | None:
        """Take a file of the present version unchanged.

        Returns:
            Its row; None if there is none, or if its bytes are not as the manifest states.
        """
        staged = self.have(path)
        if staged is not None:
            return staged
        row = self.present.rows.get(path) if self.present else None
        if row is None or problem(self._state.target, row) is not None:
            return None
        row = replace(row, kept=False)
        self.take(row)
        return row

    def obtain(self, expected: Expected, *, moved: bool) -> Obtained | None:
        """Take a file that is on disk already, from a run or from the user.

        Args:
            expected: What is known of it.
            moved: Whether upstream has changed since the present version; then the present file is taken only if its
                CRC-32 is the expected one.

        Returns:
            `reused` if an interrupted run or the present version has the file, `adopted` if the user has put it at its
            path; None if it must be fetched.

        Raises:
            Refused: The user's file is a symbolic link or lies behind one, which a version cannot hold.
        """
        staged = self.have(expected.path)
        present = self.present.rows.get(expected.path) if self.present else None
        row = staged or (None if moved and expected.crc32 is None else present)
        if row is not None and expected.fits(row) and (staged or self.carry(expected.path)):
            return "reused"
        return "adopted" if present is None and expected.is_exact and self._adopt(expected) else None

    def _adopt(self, expected: Expected) -> bool:
        for path in (expected.path, *parents(expected.path)):
            if path not in self._plain and (self._state.target / path).is_symlink():
                raise Refused(
                    f"{self._state.target}: {path} is a symbolic link, and a published version holds its files itself; "
                    "move what it leads to here (or mount it here), or move the link away"
                )
        self._plain.update(parents(expected.path))
        row = examine(self._state.target, expected)
        if not isinstance(row, FileRow):
            return False
        self.take(replace(row, verified_at=now()))
        return True

    def take(self, row: FileRow) -> None:
        """Take the target's file at this path; the caller has just verified that it is as the row states."""
        disk.link_or_copy(self._state.target / row.path, self.root / row.path)
        self._carried.add(row.path)
        self.record(row)

    def record(self, row: FileRow) -> None:
        """Record that a file of the tree is whole and verified; the record survives a kill. Safe to call from threads.

        Raises:
            VerificationFailed: The file in the tree is missing or its size is not the row's.
        """
        try:
            size = os.lstat(f"{self.root}/{row.path}").st_size
        except FileNotFoundError:
            size = -1
        if size != row.bytes:
            raise VerificationFailed(
                f"{self._asset}: {row.path}: {row.bytes:,} bytes to be recorded, "
                f"{'no file' if size < 0 else f'{size:,}'} staged; rerun to fetch it anew"
            )
        said = {name: getattr(row, name) for name in _FIELDS} | {FROM: self._inputs.get(_key(row))}
        data = b"\n%b\n" % msgspec.json.encode(said)  # the first newline ends a line that a full disk cut short earlier
        with self._lock:
            if os.write(self._journal, data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._session / JOURNAL))
            self._rows[row.path] = row

    def publish(self, *, selection: Mapping[str, Any], inputs: Mapping[str, str], gate: Gate, keep: bool) -> Manifest:
        """Judge the tree and swap it in; if it equals what is published, leave that as it is.

        Args:
            selection: The selection that the version is published for, as JSON values.
            inputs: Fingerprint or data version of each upstream file or asset that it was made from, by key.
            gate: Runs the blocking rules on the tree and returns their verdicts.
            keep: Whether published files that are no longer recorded stay, as `kept` (raw data); otherwise they are our
                own outputs and are left out. The user's files stay in either case.

        Returns:
            The manifest of what is published now.

        Raises:
            NotPublished: A blocking rule failed. The tree is kept, the published version untouched.
            Refused: The user's files are in the way of recorded ones.
            Busy: Another process published meanwhile; this happens only if file locks do nothing.
        """
        rows = self.rows
        self._remove_unrecorded(rows)
        target, present = self._state.target, self.present
        ours = present.rows if present else Rows.of(())
        changed = problems(target, (each for each in ours.sums() if each.path not in self._carried))
        there = {path: fault for path, fault in changed.items() if os.path.lexists(target / path)}
        strange = [*exchange.foreign(target, present), *(path for path in there if path not in rows)]
        if present is None and (target / FOLDER).exists():  # a damaged manifest: what differs was most likely ours
            there |= {path: "damaged" for path in strange if path in rows and problem(target, rows[path]) is not None}
        unknown = [path for path in strange if path not in self._carried and (path not in there or path not in rows)]
        refuse_in_the_way(target, unknown, rows)
        kept = [replace(ours[path], kept=True) for path in ours if keep and path not in rows and path not in changed]
        for path in [*strange, *(row.path for row in kept)]:
            if path not in rows:
                disk.link_or_copy(target / path, self.root / path)
        if strange:
            _log.info("%s: %d files that were not landed here are left alone: %s", target, len(strange), some(strange))
        staged = Manifest.of(
            [*rows.values(), *kept],
            asset=self._asset,
            source=self._source,
            selection=selection,
            inputs=inputs,
            keep=keep,
        )
        staged = staged.published(self._since(staged.data_version))
        self._judge(gate(self.root, staged))
        if present is not None and _same(present, staged):
            return self._settle(present, staged, bad=[path for path in changed if path in rows])
        self._sync_files()
        staged.write(self.root, scratch=self._state.scratch())
        disk.sync_directory(self.root)
        for path in there:
            if path in rows:
                exchange.set_aside(self._state, path)
        self._insist_alone()
        exchange.swap(self._state, self.root)
        return staged

    def _since(self, version: str) -> str:
        """Return the time when a data version was published; now, unless it is the one that is published already."""
        present = self.present.info if self.present else None
        if present and present.published_at and present.data_version == version:
            return present.published_at
        return now("microseconds")  # two versions may be published within a second, and their order counts

    def _insist_alone(self) -> None:
        if exchange.page_digest(self._state.target) != self._built_on:  # happens only if file locks do nothing
            raise Busy(f"{self._state.target}: another process published it meanwhile; rerun to go on from there")

    def _judge(self, verdicts: Sequence[Verdict]) -> None:
        failed = [verdict for verdict in verdicts if not verdict.passed]
        if not failed:
            return
        said = in_words(failed)
        stays = "the last good version stays" if self.present else "nothing is published yet"
        raise NotPublished(f"{self._asset}: not published, {stays}: {said}", tuple(verdicts))

    def _remove_unrecorded(self, rows: Mapping[str, FileRow]) -> None:
        """Delete files of a stopped download or an earlier attempt from the tree.

        Raises:
            VerificationFailed: A recorded file is missing.
        """
        missing = set(rows)
        for path, entry in disk.walk(self.root):
            row = rows.get(path)
            if row is None:
                Path(entry.path).unlink()
            elif entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_size == row.bytes:
                missing.discard(path)
        if missing:
            raise VerificationFailed(
                f"{self._asset}: recorded files are no longer staged as they were: {some(sorted(missing))}; rerun"
            )
        disk.remove_empty_directories(self.root)

    def _settle(self, present: Manifest, staged: Manifest, *, bad: Iterable[str]) -> Manifest:
        """Keep the published version, which equals the staged one: mend its damaged files and update their rows."""
        target = self._state.target
        bad = list(bad)
        if bad:
            self._sync_files()
        self._insist_alone()
        for path in bad:
            exchange.set_aside(self._state, path)
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).replace(target / path)
            _log.warning("%s: %s was not as it was landed and has been mended", target, path)
        settled = staged.with_rows(_unless_only_later(present.rows.get(row.path), row) for row in staged.rows.each())
        if settled != present:
            settled.write(target, scratch=self._state.scratch())
        self._state.trash(self._session)
        return settled

    def _sync_files(self) -> None:
        try:
            disk.sync_file_system(self._sync)
        except OSError:  # the failed file is not known, so none of them is trusted
            self._state.trash(self._session)
            raise


def _key(row: FileRow) -> str:
    """Return the key of the upstream file that a row came from."""
    return (row.origin or "").partition("!")[0]


def _unless_only_later(old: FileRow | None, new: FileRow) -> FileRow:
    """Return the old row if the new one differs only in the time of verification, so that the manifest stays equal."""
    return old if old is not None and replace(new, verified_at=old.verified_at) == old else new


def _same(present: Manifest, staged: Manifest) -> bool:
    one, other = present.info, staged.info
    return (one.data_version, one.selection, one.asset) == (other.data_version, other.selection, other.asset)


def _refuse_other_source(target: Path, source: str, asset: str) -> Manifest | None:
    if target.exists() and not target.is_dir():
        raise Refused(f"{target}: is a file; move it away, then rerun")
    try:
        present = recovered_manifest(target)
        holds = present.info.source if present else None
        if present is not None and present.info.asset != asset:
            raise Refused(
                f"{target}: holds {present.info.asset}; {asset} is never published over it. Use another directory "
                "(DATA_DIR, SPLITS_DIR)"
            )
    except VerificationFailed as error:
        _log.warning("%s; files that verify are taken as they are", error)
        present, holds = None, source_of(target)
    if holds is not None and holds != source:
        raise Refused(
            f"{target}: holds {holds} data; {source} data is never published over it. Use another directory (DATA_DIR)"
        )
    if holds is None and source == "embedded" and next(disk.walk(target), None) is not None:
        raise Refused(
            f"{target}: holds files that were not landed here; the embedded sample is never published over data of "
            "your own. Use another directory (DATA_DIR)"
        )
    return present
