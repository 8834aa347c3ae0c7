"""Recognises a file that is on disk already by what upstream or an archive states about it."""

import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from maxsight_assets.publishing.manifest import FileRow
from maxsight_assets.remote import Level

Obtained = Literal["reused", "adopted"]
"""Why a file need not be fetched: a run has landed it already, or the user has put it there."""

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Expected:
    """What is known of a file before it is landed.

    Attributes:
        path: POSIX path relative to the directory.
        bytes: Its length. None if it is not known; the same for the digests.
        sha256: Lower-case hex digest. The same for `md5`.
        crc32: CRC-32 of its bytes.
        origin: Where it comes from, as the manifest will state it.
    """

    path: str
    bytes: int | None = None
    sha256: str | None = None
    md5: str | None = None
    crc32: int | None = None
    origin: str | None = None

    @property
    def is_exact(self) -> bool:
        """Whether a file with these facts is the expected one, wherever it comes from."""
        return self.bytes is not None and (self.sha256 or self.md5 or self.crc32) is not None

    def fits(self, row: FileRow) -> bool:
        """Return whether a file that was landed before may be the expected one, by its row."""
        return self.bytes in (None, row.bytes) and self.sha256 in (None, row.sha256) and self.crc32 in (None, row.crc32)


def examine(root: Path, expected: Expected) -> FileRow | str:
    """Look at the file that a directory has at the expected path.

    Returns:
        Its row if it is the expected file; else what is wrong with it, `missing` if there is none.
    """
    digests = {"sha256": hashlib.sha256(), "md5": hashlib.md5(usedforsecurity=False)}
    crc, size = 0, 0
    try:
        with (root / expected.path).open("rb") as stream:
            while block := stream.read(_BLOCK):
                digests["sha256"].update(block)
                if expected.md5 is not None:
                    digests["md5"].update(block)
                if expected.crc32 is not None:
                    crc = zlib.crc32(block, crc)
                size += len(block)
    except (FileNotFoundError, NotADirectoryError):
        return "missing"
    except OSError as error:
        return f"unreadable ({error.strerror})"
    if expected.bytes not in (None, size):
        return f"{expected.bytes:,} bytes expected, {size:,} found"
    sha256 = digests["sha256"].hexdigest()
    if expected.sha256 is not None and expected.sha256 != sha256:
        return f"sha256 {expected.sha256[:12]} expected, {sha256[:12]} found"
    if expected.md5 is not None and expected.md5 != digests["md5"].hexdigest():
        return f"md5 {expected.md5[:12]} expected, {digests['md5'].hexdigest()[:12]} found"
    if expected.crc32 is not None and expected.crc32 != crc:
        return f"crc32 {expected.crc32:08x} expected, {crc:08x} found"
    level: Level
    if expected.sha256 is not None:
        level = "sha256"
    elif expected.crc32 is not None:
        level = "crc32+size"
    else:
        level = "etag-md5" if expected.md5 is not None else "size"
    return FileRow(expected.path, size, sha256, level, crc32=expected.crc32, origin=expected.origin)
