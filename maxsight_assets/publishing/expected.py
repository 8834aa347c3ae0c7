"""Recognising a file that a person already has by what an upstream or an archive says of it."""

import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from maxsight_assets.publishing.manifest import FileRow
from maxsight_assets.remote import Level

Obtained = Literal["reused", "adopted"]
"""How a file came that did not have to be fetched: held by us already, or put there by the user."""

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Expected:
    """What is known of a file before it is there.

    Attributes:
        path: POSIX path relative to the directory.
        bytes: Its length. None if it is not known; the same for the digests.
        sha256: Lower-case hex digest. The same for `md5`.
        crc32: CRC-32 of its bytes.
        origin: What the manifest is to say of where it came from.
    """

    path: str
    bytes: int | None = None
    sha256: str | None = None
    md5: str | None = None
    crc32: int | None = None
    origin: str | None = None

    @property
    def is_exact(self) -> bool:
        """Whether a file of these facts is the expected one, wherever it comes from."""
        return self.bytes is not None and (self.sha256 or self.md5 or self.crc32) is not None

    def fits(self, row: FileRow) -> bool:
        """Whether a file that was landed before may be the expected one, by what its row says."""
        return self.bytes in (None, row.bytes) and self.sha256 in (None, row.sha256) and self.crc32 in (None, row.crc32)


def examine(root: Path, expected: Expected) -> FileRow | str:
    """Look at the file that a directory has at the expected path.

    Returns:
        Its row, where it is what it must be; else what is wrong with it, `missing` where it is not there.
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
