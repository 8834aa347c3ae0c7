"""What every source does alike: look at its upstream files, and bring members of archives into a staged tree."""

import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal

from maxsight_assets.catalog.model import Catalog
from maxsight_assets.images.facts import examine
from maxsight_assets.landing.archive import Archive, Member, open_archive, open_local
from maxsight_assets.landing.client import Client
from maxsight_assets.landing.disk import sha256_of
from maxsight_assets.landing.manifest import FileRow, Manifest
from maxsight_assets.landing.model import Level
from maxsight_assets.landing.publish import Stage
from maxsight_assets.profiles.model import Selection
from maxsight_assets.verification.verdict import Verdict

IMAGE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,120}\.(jpg|jpeg|png)")
"""Image file names that are taken from annotations: one path segment of plain characters, so that none climbs out."""

STRONG: frozenset[Level] = frozenset({"sha256", "etag-md5"})
"""Levels at which a whole upstream file was compared with a digest that its publisher states."""

Gate = Callable[[Path, Manifest], Sequence[Verdict]]


@dataclass(frozen=True, slots=True)
class Upstream:
    """One upstream, ready to be read.

    Attributes:
        catalog: Its files and their addresses.
        client: Carries the traffic.
        origin: `embedded` for the drawn world, `upstream` for a publisher; one never lands over the other.
        cancel: Ends all traffic within ten seconds once set.
    """

    catalog: Catalog
    client: Client
    origin: Literal["embedded", "upstream"]
    cancel: threading.Event

    def probe(self, keys: Iterable[str]) -> dict[str, str]:
        """Ask upstream what it has now: a fingerprint by file key."""
        return {key: self.client.probe(self.catalog.file(key)).fingerprint() for key in sorted(keys)}


def combined(fingerprints: Mapping[str, str]) -> str:
    """One fingerprint of several files: the data version of an upstream asset."""
    lines = "".join(f"{key}\t{value}\n" for key, value in sorted(fingerprints.items()))
    return sha256(lines.encode()).hexdigest()


@dataclass(slots=True)
class Tally:
    """What one landing did; the asset page shows it."""

    fetched_files: int = 0
    fetched_bytes: int = 0
    reused_files: int = 0
    missing: list[str] = field(default_factory=list)


def is_current(present: Manifest | None, root: Path, *, selection: Selection, inputs: Mapping[str, str]) -> bool:
    """Whether what is published was made from these very upstream files for this selection, and is still all there."""
    return (
        present is not None
        and dict(present.info.inputs) == dict(inputs)
        and present.info.selection == selection.model_dump(mode="json")
        and all(_has_size(root / row.path, row.bytes) for row in present.selected())
    )


def land_file(stage: Stage, upstream: Upstream, key: str, *, path: str, moved: bool, tally: Tally) -> None:
    """Land one upstream file as it is.

    Args:
        stage: The tree under construction.
        upstream: Where to get it from.
        key: The file's key in the catalog.
        path: Where it goes, relative to the published directory.
        moved: Whether upstream says that it is another file than the published one was made from.
        tally: Counts what was fetched.
    """
    if stage.have(path) or (not moved and stage.carry(path)):
        tally.reused_files += 1
        return
    landed = upstream.client.download(upstream.catalog.file(key), stage.root / path)
    stage.record(
        FileRow(
            path=path,
            bytes=landed.bytes,
            sha256=landed.sha256,
            level=landed.level if landed.level in STRONG else "first-use",
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
) -> None:
    """Land chosen members of an upstream archive.

    A member that the present version, or an interrupted run, holds with the size and CRC-32 that the archive states
    now is not fetched again.

    Args:
        stage: The tree under construction.
        upstream: Where the archive is.
        key: The archive's key in the catalog.
        wanted: Given the archive's members, says which to take and where each goes (path in the published directory).
        moved: Whether upstream says that the archive is another one than the published version was made from.
        tally: Counts what was fetched.
        whole: Fetch the archive in one piece, so that its pinned hash is checked, rather than member by member.
    """
    file = upstream.catalog.file(key)
    with open_archive(upstream.client, file, downloads=stage.downloads) as archive:
        paths = wanted(archive.members)
        todo = {
            name: path for name, path in paths.items() if not _reuse(stage, path, archive.members[name], moved=moved)
        }
        tally.reused_files += len(paths) - len(todo)
        if todo and not whole:
            _extract(stage, archive, key, todo, level="crc32+size", tally=tally)
    if todo and whole:
        landed = upstream.client.download(file, stage.downloads / Path(key).name)
        with open_local(landed.path) as archive:
            level = landed.level if landed.level in STRONG else "crc32+size"
            _extract(stage, archive, key, todo, level=level, tally=tally)


def _reuse(stage: Stage, path: str, member: Member, *, moved: bool) -> bool:
    """Take the file that an interrupted run staged, or the present version's, where it is this very member."""
    row = stage.have(path) or (stage.present.rows.get(path) if stage.present else None)
    if row is None or row.bytes != member.bytes:
        return False
    # A tar states no checksum: its member is the same only while the archive is.
    same = row.crc32 == member.crc32 if member.crc32 is not None else not moved
    return same and (stage.have(path) is not None or stage.carry(path) is not None)


def _extract(stage: Stage, archive: Archive, key: str, todo: Mapping[str, str], *, level: Level, tally: Tally) -> None:
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

    archive.extract({name: stage.root / path for name, path in todo.items()}, on_member)


def record_made(stage: Stage, path: str) -> None:
    """Record a file that this project wrote into the tree itself."""
    size, digest = sha256_of(stage.root / path)
    stage.record(FileRow(path=path, bytes=size, sha256=digest, level="made"))


def measure_images(stage: Stage, rows: Iterable[FileRow], *, cache: Path) -> None:
    """Write the true width and height of images into their rows, and fill the cache of facts that checks read."""
    rows = [row for row in rows if row.width is None and row.path.endswith((".jpg", ".jpeg", ".png"))]
    facts = examine([(row.sha256, stage.root / row.path) for row in rows], cache=cache)
    sizes = {digest: (width, height) for digest, width, height in facts.select("sha256", "width", "height").iter_rows()}
    for row in rows:
        width, height = sizes[row.sha256]
        if width is not None:
            stage.record(replace(row, width=width, height=height))


def now() -> str:
    """This moment, UTC, to the second: when a file was verified."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False
