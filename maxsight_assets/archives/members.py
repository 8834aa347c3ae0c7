"""The rules for members of any archive: which names are safe, how much may be extracted, and how a file is written.

`archives.zips` and `archives.tars` read the formats themselves.
"""

import hashlib
import os
import re
import stat
import threading
import uuid
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from maxsight_assets.disk import create
from maxsight_assets.errors import UnsafeArchive, VerificationFailed
from maxsight_assets.transport.options import Limits

RATIO_FREE_BYTES = 1 << 20
"""Bytes that may be extracted before the ratio is checked: a tiny file of zeros is no bomb."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DRIVE = re.compile(r"^[A-Za-z]:")
_REGULAR = (0, stat.S_IFREG, stat.S_IFDIR)


def check_name(archive: str, name: str) -> None:
    """Refuse a name that could lead out of the directory that it is extracted to, on any system.

    Raises:
        UnsafeArchive: It is absolute, has a drive, a backslash, a control character, or a part that is `..`.
    """
    parts = name.rstrip("/").split("/")
    bad = (
        not name.strip("/")
        or name.startswith("/")
        or _DRIVE.match(name)
        or "\\" in name
        or _CONTROL.search(name)
        or ".." in parts
        or any(len(part.encode("utf-8", "surrogateescape")) > 255 for part in parts)
    )
    if bad:
        raise UnsafeArchive(f"{archive}: the entry name {name[:200]!r} is not safe to write; nothing of it is used")


def check_mode(archive: str, name: str, mode: int) -> None:
    """Refuse a link, device, socket, setuid or setgid file, by its Unix mode (0: not stated)."""
    if stat.S_IFMT(mode) not in _REGULAR or (mode & (stat.S_ISUID | stat.S_ISGID) and not stat.S_ISDIR(mode)):
        raise UnsafeArchive(
            f"{archive}: {name[:200]!r} is a link, a device or setuid (mode {mode:o}); nothing of it is used"
        )


def check_set(archive: str, names: Iterable[str], limits: Limits) -> None:
    """Refuse two entries with one name, a file whose path is another entry's directory, and too many entries.

    Args:
        archive: Name of the archive, for the message.
        names: Names of all regular files in it.
        limits: Bounds the number of entries.
    """
    seen: set[str] = set()
    for name in names:
        plain = "/".join(part for part in name.split("/") if part not in ("", "."))
        if plain in seen:
            raise UnsafeArchive(f"{archive}: two entries are named {name[:200]!r}; nothing of it is used")
        seen.add(plain)
        if len(seen) > limits.max_entries:
            raise UnsafeArchive(f"{archive}: more than the {limits.max_entries:,} entries allowed")
    parents: set[str] = set()
    for plain in seen:
        head = plain.rpartition("/")[0]
        while head and head not in parents:
            parents.add(head)
            head = head.rpartition("/")[0]
    for plain in sorted(seen & parents):
        raise UnsafeArchive(f"{archive}: {plain[:200]!r} is a file and a directory; nothing of it is used")


@dataclass(frozen=True, slots=True)
class Member:
    """One regular file in an archive.

    Attributes:
        name: Its full name in the archive.
        bytes: Its length.
        crc32: The CRC-32 that the archive states; None in a tar.
        compressed: Its bytes in the archive.
        offset: Where its header begins in the archive (in the uncompressed stream, for a tar.gz).
    """

    name: str
    bytes: int
    crc32: int | None
    compressed: int
    offset: int


OnMember = Callable[[Member, Path, str], None]
"""(member, path, sha256 in hex), called once the member is whole; never two calls at once."""


class Budget:
    """Bounds what is extracted from one archive in all; thread-safe."""

    def __init__(self, archive: str, limits: Limits) -> None:
        self._archive = archive
        self._limits = limits
        self._total = 0
        self._lock = threading.Lock()

    def spend(self, count: int) -> None:
        """Count extracted bytes.

        Raises:
            UnsafeArchive: They are more than allowed.
        """
        with self._lock:
            self._total += count
            total = self._total
        if total > self._limits.max_extracted_bytes:
            most = self._limits.max_extracted_bytes
            raise UnsafeArchive(f"{self._archive}: holds more than the {most:,} bytes allowed")

    def check_ratio(self, produced: int, consumed: int) -> None:
        """Compare the extracted bytes with the compressed ones.

        Raises:
            UnsafeArchive: Their ratio is that of a bomb.
        """
        if produced > RATIO_FREE_BYTES and produced > self._limits.max_ratio * max(consumed, 1):
            raise UnsafeArchive(
                f"{self._archive}: {produced:,} bytes came out of {consumed:,}, more than {self._limits.max_ratio}:1; "
                "taken for a bomb, nothing of it is used"
            )


class Writer:
    """Writes members to files; thread-safe.

    Args:
        archive: Name of the archive, for messages.
        on_member: Called with each whole file; never two calls at once.
    """

    def __init__(self, archive: str, on_member: OnMember) -> None:
        self._archive = archive
        self._on_member = on_member
        self._lock = threading.Lock()
        self._made: set[Path] = set()

    def whole(self, member: Member, path: Path, data: bytes | memoryview) -> None:
        """Check and write a member that is in memory."""
        self._check(member, len(data), zlib.crc32(data) if member.crc32 is not None else None)
        sha256 = hashlib.sha256(data).hexdigest()
        self._parents(path)
        handle = create(path)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(handle, view) :]
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        finally:
            os.close(handle)
        self.done(member, path, sha256)

    def streamed(self, member: Member, path: Path, pieces: Iterable[bytes]) -> None:
        """Check and write a member as its pieces arrive; the file gets its name when it is whole."""
        self._parents(path)
        draft = path.with_name(f".{uuid.uuid4().hex}.part")  # no other member has this name
        size, crc, sha256 = 0, 0, hashlib.sha256()
        try:
            with os.fdopen(create(draft), "wb", buffering=0) as handle:
                for piece in pieces:
                    view = memoryview(piece)
                    while view:
                        view = view[handle.write(view) :]
                    size += len(piece)
                    crc = zlib.crc32(piece, crc) if member.crc32 is not None else 0
                    sha256.update(piece)
            self._check(member, size, crc if member.crc32 is not None else None)
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        self.done(member, path, sha256.hexdigest())

    def done(self, member: Member, path: Path, sha256: str) -> None:
        """Report that a member is whole."""
        with self._lock:
            self._on_member(member, path, sha256)

    def _parents(self, path: Path) -> None:
        if path.parent not in self._made:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._made.add(path.parent)

    def _check(self, member: Member, size: int, crc: int | None) -> None:
        if size != member.bytes:
            raise VerificationFailed(
                f"{self._archive}: {member.name}: {member.bytes:,} bytes expected, {size:,} came; fetch it again"
            )
        if crc is not None and crc != member.crc32:
            raise VerificationFailed(
                f"{self._archive}: {member.name}: CRC-32 {member.crc32:08x} expected, {crc:08x} came; fetch it again"
            )
