"""Do what is the same for every source: probe its upstream files, and land members of archives in a staged tree."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from maxsight_assets.archives.archive import Archive, Member, open_archive, open_local
from maxsight_assets.datasets.places import Upstream
from maxsight_assets.datasets.selection import Selection
from maxsight_assets.disk import HASHED, in_threads, link_or_copy, sha256_of
from maxsight_assets.errors import LandingError, UpstreamChanged, WrongArchive
from maxsight_assets.formats.names import KINDS, find_members
from maxsight_assets.images.facts import examine
from maxsight_assets.publishing.expected import Expected, Obtained
from maxsight_assets.publishing.manifest import FileRow, Manifest, now, problems
from maxsight_assets.publishing.preflight import preflight
from maxsight_assets.publishing.stage import Stage
from maxsight_assets.remote import Landed, Level, RemoteFile
from maxsight_assets.transport.client import Client
from maxsight_assets.verdict import Verdict
from maxsight_assets.verification.views import MISSING

IMAGE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,120}\.(jpg|jpeg|png)")
"""Image file names that are taken from annotations: one segment of plain characters, so that none leaves the tree."""

NAMES_SHOWN = 5
"""Members of an archive that an error names."""

STRONG: frozenset[Level] = frozenset({"sha256", "etag-md5"})
"""Levels at which a whole upstream file was compared with a digest that its publisher states."""

Gate = Callable[[Path, Manifest], Sequence[Verdict]]


@dataclass(slots=True)
class Tally:
    """The counts of one landing, which the asset's page shows.

    Attributes:
        fetched_files: Files that came from upstream. The same for `fetched_bytes`.
        reused_files: Files that the published version or an interrupted run held.
        adopted_files: Files that the user had put into the directory, that equal upstream's and were taken in place.
        served: Which place served an upstream file, by its key, if it was not the publisher.
        missing: Records that upstream names and does not serve, with the reason.
        failed: Number of missing records that upstream may still have: no try brought them, or brought something else.
            The next run tries again.
    """

    fetched_files: int = 0
    fetched_bytes: int = 0
    reused_files: int = 0
    adopted_files: int = 0
    served: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    failed: int = 0

    def took(self, obtained: Obtained) -> None:
        """Count a file that did not have to be fetched."""
        if obtained == "reused":
            self.reused_files += 1
        else:
            self.adopted_files += 1


def is_current(present: Manifest | None, root: Path, *, selection: Selection, inputs: Mapping[str, str]) -> bool:
    """Return whether the published version was made from these upstream files for this selection, and is undamaged.

    Every byte is read, so that a rerun also repairs what was damaged on disk.
    """
    return (
        present is not None
        and dict(present.info.inputs) == dict(inputs)
        and type(selection).stored(present.info.selection) == selection
        and not problems(root, present.rows.selected().sums(), hashed=HASHED)
    )


def land_file(stage: Stage, upstream: Upstream, key: str, *, path: str, moved: bool, tally: Tally) -> None:
    """Land one upstream file unchanged; a file that the user already has there is taken if it has the pinned hash.

    Args:
        stage: The tree under construction.
        upstream: The upstream that has it.
        key: The file's key in the catalog.
        path: Its destination, relative to the published directory.
        moved: Whether upstream reports another file than the one that the published version was made from.
        tally: Counts what was fetched.
    """
    file = upstream.file(key)
    expected = Expected(path, file.bytes, sha256=file.sha256, md5=file.md5, origin=key)
    obtained = upstream.obtain(stage, expected, moved=moved)
    if obtained:
        tally.took(obtained)
        return

    def fetch(client: Client, file: RemoteFile) -> Landed:
        _look_ahead(stage, upstream, {path: file.bytes or client.probe(file).bytes or 0})
        return client.download(file, stage.root / path)

    landed = upstream.first(key, fetch)
    stage.record(
        FileRow(
            path=path,
            bytes=landed.bytes,
            sha256=landed.sha256,
            level=landed.level,
            etag=landed.probe.etag,
            origin=key,
            verified_at=now(),
        )
    )
    tally.fetched_files += 1
    tally.fetched_bytes += landed.bytes


def land_members(
    stage: Stage,
    upstream: Upstream,
    key: str,
    wanted: Callable[[Mapping[str, Member]], Mapping[str, str]],
    *,
    moved: bool,
    tally: Tally,
    whole: bool = False,
    needed: Iterable[str] = (),
) -> None:
    """Land chosen members of an upstream archive.

    A member is not fetched if the published version, an interrupted run or the user's own copy in the directory holds
    it with the size and CRC-32 that the archive states now.

    Args:
        stage: The tree under construction.
        upstream: The upstream that has the archive.
        key: The archive's key in the catalog.
        wanted: Takes the archive's members, and returns those to land, each with its path in the published directory.
        moved: Whether upstream reports another archive than the one that the published version was made from.
        tally: Counts what was fetched.
        whole: Fetch the archive in one piece, so that its pinned hash is checked, rather than member by member.
        needed: Members without which nothing can be landed.

    Raises:
        LandingError: The archive lacks a member that is needed; the text names those that it holds.
        UpstreamChanged: The archive is pinned and differs from the one that was landed.
        PreflightFailed: The file system has no room for the files to fetch.
    """
    needed = tuple(needed)
    done: set[str] = set()

    def land(client: Client, file: RemoteFile) -> None:
        with open_archive(client, file, downloads=stage.downloads) as archive:
            members = _as_expected(archive.members, needed)
            _insist_holds(key, members, needed)
            paths = {members[name].name: path for name, path in wanted(members).items()}
            if file.index_sha256 not in (None, archive.index_sha256):
                raise UpstreamChanged(
                    f"{key}: upstream changed (its index is not the one that was accepted); the last good version "
                    f"stays. To take the new one: maxsight-assets accept {key}"
                )
            if upstream.catalog.on_change == "stop" and upstream.file(key) == upstream.catalog.file(key):
                _insist_unchanged(stage, archive, key, paths)
            todo = _not_there(stage, upstream, archive, paths, key=key, moved=moved, tally=tally, done=done)
            sizes = {path: archive.members[name].bytes for name, path in todo.items()}
            if todo:
                _look_ahead(stage, upstream, sizes, archive_bytes=(file.bytes or 0) if whole else 0)
            if todo and not whole:
                _extract(stage, archive, key, todo, level="crc32+size", tally=tally, done=done)
        if todo and whole:
            landed = client.download(file, stage.downloads / Path(key).name)
            with open_local(landed.path) as archive:
                level = landed.level if landed.level in STRONG else "crc32+size"
                _extract(stage, archive, key, todo, level=level, tally=tally, done=done)

    upstream.first(key, land)


def _as_expected(members: Mapping[str, Member], needed: Collection[str]) -> Mapping[str, Member]:
    """Return the members by the names that are expected, if all that is needed lies below one other folder."""
    lacking = sorted(set(needed) - members.keys())
    folders = {name.removesuffix(lacking[0]) for name in members if name.endswith(f"/{lacking[0]}")} if lacking else ()
    if len(folders) != 1:
        return members
    (folder,) = folders
    below = {name.removeprefix(folder): member for name, member in members.items() if name.startswith(folder)}
    return below if set(needed) <= below.keys() else members


def _insist_holds(key: str, members: Mapping[str, Member], needed: Iterable[str]) -> None:
    """Refuse an archive that lacks a file without which the dataset cannot be read."""
    lacking = sorted(set(needed) - members.keys())
    if not lacking:
        return
    same_name = [name for name in members if name.rpartition("/")[2] in {each.rpartition("/")[2] for each in lacking}]
    held = ", ".join([*same_name, *(name for name in members if name not in same_name)][:NAMES_SHOWN]) or "no file"
    more = f" and {len(members) - NAMES_SHOWN:,} more" if len(members) > NAMES_SHOWN else ""
    raise LandingError(
        f"{key}: the archive holds no {', '.join(lacking)}; it holds {held}{more}. It is another edition, or packed in "
        "another way: give the publisher's own archive by the dataset's mirror variable. The last good version stays"
    )


def _insist_unchanged(stage: Stage, archive: Archive, key: str, paths: Mapping[str, str]) -> None:
    """Stop if the index of a pinned archive states other content for members that were landed from it."""
    for name, path in paths.items():
        row, member = stage.present.rows.get(path) if stage.present else None, archive.members[name]
        if row and row.crc32 is not None and (row.bytes, row.crc32) != (member.bytes, member.crc32):
            raise UpstreamChanged(
                f"{key}: upstream changed ({name}: CRC-32 {row.crc32:08x} landed, {member.crc32 or 0:08x} there now); "
                f"the last good version stays. To take the new one: maxsight-assets accept {key}"
            )


def _not_there(
    stage: Stage,
    upstream: Upstream,
    archive: Archive,
    paths: Mapping[str, str],
    *,
    key: str,
    moved: bool,
    tally: Tally,
    done: set[str],
) -> dict[str, str]:
    """Return the members to fetch, each with its destination; the others are taken from what is there.

    Paths in `done` were counted before, when another place of the archive was read.
    """

    def obtained(item: tuple[str, str]) -> Obtained | None:
        name, path = item
        member = archive.members[name]
        expected = Expected(path, member.bytes, crc32=member.crc32, origin=f"{key}!{name}")
        return upstream.obtain(stage, expected, moved=moved)

    items = list(paths.items())
    answers = list(in_threads(obtained, items))
    for (_, path), answer in zip(items, answers, strict=True):
        if answer and path not in done:
            tally.took(answer)
            done.add(path)
    return {name: path for (name, path), answer in zip(items, answers, strict=True) if not answer}


def _look_ahead(stage: Stage, upstream: Upstream, needed: Mapping[str, int], *, archive_bytes: int = 0) -> None:
    """Refuse files, before they are fetched, for which the file system has no room, or whose names it would merge."""
    if upstream.target is not None:
        needed_bytes = sum(needed.values()) + archive_bytes
        preflight(upstream.target, needed_bytes=needed_bytes, needed_files=len(needed), names={*needed, *stage.names()})


def _extract(
    stage: Stage, archive: Archive, key: str, todo: Mapping[str, str], *, level: Level, tally: Tally, done: set[str]
) -> None:
    def on_member(member: Member, _: Path, digest: str) -> None:
        row = FileRow(
            path=todo[member.name],
            bytes=member.bytes,
            sha256=digest,
            level=level,
            crc32=member.crc32,
            origin=f"{key}!{member.name}",
            verified_at=now(),
        )
        stage.record(row)
        tally.fetched_files += 1
        tally.fetched_bytes += member.bytes
        done.add(row.path)

    dests = {name: stage.root / path for name, path in todo.items()}
    try:
        archive.extract(dests, on_member)
    except (UpstreamChanged, WrongArchive):  # reported at the archive's end: a rerun must not find its members staged
        for dest in dests.values():
            dest.unlink(missing_ok=True)
        raise


def land_images(
    stage: Stage, upstream: Upstream, key: str, wanted: Iterable[str], *, moved: bool, tally: Tally, prefix: str = ""
) -> dict[str, str]:
    """Land images of an archive; returns the paths of those that did not land, with the reason.

    Args:
        stage: The tree under construction.
        upstream: The upstream that has the archive.
        key: The archive's key in the catalog.
        wanted: Paths in the published directory.
        moved: As in `land_members`.
        tally: Counts what was fetched and what is missing.
        prefix: What the archive's names begin with before such a path.
    """
    missing: dict[str, str] = {}
    wanted = list(wanted)

    def chosen(members: Mapping[str, Member]) -> dict[str, str]:
        found, lacking = find_members(members, wanted, prefix=prefix)
        missing.clear()  # another place may have been read before
        missing.update(lacking)
        return found

    land_members(stage, upstream, key, chosen, moved=moved, tally=tally)
    tally.missing += [f"{path}: {reason}" for path, reason in sorted(missing.items())]
    return missing


def note_missing(stage: Stage, missing: Mapping[str, str]) -> None:
    """Write the reason for each image that did not land beside the images, if there is one."""
    if missing:
        rows = sorted(missing.items(), key=lambda item: (item[1], item[0]))  # by reason
        table = pl.DataFrame(rows, schema={"path": pl.String, "reason": pl.String}, orient="row")
        table.write_csv(stage.root / MISSING)
        record_made(stage, MISSING)


def land_twice(stage: Stage, row: FileRow, path: str) -> None:
    """Put a landed file at a second path too: the same bytes on disk, or a copy if the file system has no hard links.

    Args:
        stage: The tree under construction.
        row: The landed file.
        path: Its second path; the user's own file there is taken if it has the same bytes.
    """
    if stage.obtain(Expected(path, row.bytes, sha256=row.sha256), moved=True) is None:
        link_or_copy(stage.root / row.path, stage.root / path)
    stage.record(FileRow(path=path, bytes=row.bytes, sha256=row.sha256, level="made", origin=row.origin))


def record_made(stage: Stage, path: str) -> None:
    """Record a file that this project itself wrote into the tree."""
    size, digest = sha256_of(stage.root / path)
    stage.record(FileRow(path=path, bytes=size, sha256=digest, level="made"))


def measure_images(stage: Stage, rows: Iterable[FileRow], *, cache: Path) -> None:
    """Write the true width and height of images into their rows, and fill the cache of image facts for the checks."""
    rows = [row for row in rows if row.width is None and row.path.lower().endswith(KINDS)]
    facts = examine([(row.sha256, stage.root / row.path) for row in rows], cache=cache)
    sizes = {digest: (width, height) for digest, width, height in facts.select("sha256", "width", "height").iter_rows()}
    for row in rows:
        width, height = sizes[row.sha256]
        if width is not None:
            stage.record(replace(row, width=width, height=height))
