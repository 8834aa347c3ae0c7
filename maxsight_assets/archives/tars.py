"""Reads local tar and tar.gz archives: Python's tarfile reads the headers, our own checks decide.

A tar.gz is read twice, always forward: once for its index and once for the wanted members.
"""

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from maxsight_assets.archives.members import Budget, Member, OnMember, Writer, check_mode, check_name, check_set
from maxsight_assets.errors import UnsafeArchive, VerificationFailed
from maxsight_assets.transport.options import Limits

BLOCK_BYTES = 512
PIECE_BYTES = 1 << 20
MAX_HEADER_BYTES = 8 << 20
"""A pax or long-name header longer than this holds no real name; tarfile would read it into memory at once."""


class _Watched(io.RawIOBase):
    """The tar's bytes as tarfile reads them; refuses huge headers and bombs, and keeps the block that was read last."""

    def __init__(self, inner: BinaryIO | gzip.GzipFile, packed: BinaryIO | None, budget: Budget) -> None:
        self._inner = inner
        self._packed = packed
        self._budget = budget
        self._at = 0
        self.last = b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True; a tar.gz is seeked only forward, except to look at a header again."""
        return True

    def tell(self) -> int:
        """Return the offset in the uncompressed tar."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to an offset in the uncompressed tar, and return it."""
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation
        if self._packed is None:
            self._inner.seek(offset)
            self._at = offset
            return offset
        while self._at < offset and self.read(min(PIECE_BYTES, offset - self._at)):
            pass
        if self._at > offset:
            self._inner.seek(offset)
            self._at = offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Read at most `size` bytes.

        Raises:
            UnsafeArchive: The header is huge, or the archive is a bomb.
        """
        if size < 0 or size > MAX_HEADER_BYTES:
            raise UnsafeArchive(
                f"a header of {size:,} bytes: no tar that holds a dataset has one; nothing of it is used"
            )
        data = self._inner.read(size)
        self._at += len(data)
        if self._packed is not None:
            self._budget.check_ratio(self._at, self._packed.tell())
        self.last = data
        return data


class LocalTar:
    """A tar or tar.gz; a context manager, see `archive.Archive`.

    Args:
        path: The archive.
        limits: Bounds.
    """

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path = path
        self._limits = limits
        self.members: Mapping[str, Member] = {}
        self.index_sha256: str | None = None

    def __enter__(self) -> "LocalTar":
        found: list[Member] = []
        for member, _ in self._walk():
            found.append(member)
            if len(found) > self._limits.max_entries:
                raise UnsafeArchive(f"{self._path.name}: more than the {self._limits.max_entries:,} entries allowed")
        check_set(self._path.name, (member.name for member in found), self._limits)
        self.members = {member.name: member for member in found}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing: no file stays open between two walks."""

    def extract(self, wanted: Mapping[str, Path], on_member: OnMember) -> None:
        """Write members to paths; see `archive.Archive.extract`."""
        for name in wanted:
            self.members[name]
        budget, writer = Budget(self._path.name, self._limits), Writer(self._path.name, on_member)
        left = len(wanted)
        for member, tar in self._walk():
            if not left:
                return
            if member.name in wanted:
                writer.streamed(member, wanted[member.name], _pieces(member, tar, budget))
                left -= 1

    def _walk(self) -> Iterator[tuple[Member, "_Watched"]]:
        """Yield the regular files in order, with the stream at the file's first byte."""
        name = self._path.name
        budget = Budget(name, self._limits)
        with self._path.open("rb") as packed:
            zipped = not name.lower().endswith(".tar")
            inner = gzip.GzipFile(fileobj=packed) if zipped else packed
            stream = _Watched(inner, packed if zipped else None, budget)
            try:
                yield from self._entries(stream)
                while zipped and stream.read(PIECE_BYTES):  # to the end, where gzip checks its CRC
                    pass
            except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise VerificationFailed(f"{name}: {error}; damaged or cut short, fetch it again") from None
            except UnsafeArchive as error:
                if str(error).startswith(name):
                    raise
                raise UnsafeArchive(f"{name}: {error}") from None

    def _entries(self, stream: _Watched) -> Iterator[tuple[Member, _Watched]]:
        name = self._path.name
        with tarfile.open(fileobj=stream, mode="r:", errorlevel=2) as tar:
            while (info := tar.next()) is not None:
                tar.members.clear()  # type: ignore[attr-defined] # tarfile keeps every header it has seen
                check_name(name, info.name)
                check_mode(name, info.name, info.mode & 0o7777)
                if not (info.isreg() or info.isdir()) or info.issparse():
                    raise UnsafeArchive(f"{name}: {info.name[:200]!r} is no plain file; nothing of it is used")
                if info.isreg():
                    stream.seek(info.offset_data)
                    yield Member(info.name, info.size, None, info.size, info.offset), stream
            if len(stream.last) < BLOCK_BYTES or stream.last.strip(b"\0"):
                raise VerificationFailed(f"{name}: the end of the tar is missing; it is cut short, fetch it again")


def _pieces(member: Member, stream: _Watched, budget: Budget) -> Iterator[bytes]:
    left = member.bytes
    while left and (data := stream.read(min(left, PIECE_BYTES))):
        left -= len(data)
        budget.spend(len(data))
        yield data
