"""Reads the zip format by byte ranges: the central directory with our own checks, and members from windows of bytes.

`remote_zip` and `archive.open_local` provide the function that reads the bytes. This code follows the format's
specification (PKWARE APPNOTE 6.3.10; section numbers below). `zipfile` cannot be used: it does not inflate members from
a window of bytes that was fetched by a range, and does not let each name and offset be judged first.
"""

import contextlib
import hashlib
import os
import struct
import threading
import zlib
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from maxsight_assets.archives.members import Budget, Member, OnMember, Writer, check_mode, check_name, check_set
from maxsight_assets.errors import LandingError, UnsafeArchive, VerificationFailed
from maxsight_assets.transport.options import Limits
from maxsight_assets.transport.parallel import in_order

STORED, DEFLATED = 0, 8
PIECE_BYTES = 1 << 20
UNPACKERS = max(2, os.cpu_count() or 2)
"""Threads that unpack: more threads than processors would only wait for one another."""

_END = struct.Struct("<4s4H2LH")  # 4.3.16
_END64 = struct.Struct("<4sQ2H2L4Q")  # 4.3.14
_LOCATOR = struct.Struct("<4sLQL")  # 4.3.15
_ENTRY = struct.Struct("<4s6H3L5H2L")  # 4.3.12
_LOCAL = struct.Struct("<4s5H3L2H")  # 4.3.7
_MAX_COMMENT = 0xFFFF
_FULL32, _FULL16 = 0xFFFFFFFF, 0xFFFF
_UTF8, _ENCRYPTED = 0x800, 0x1


class Read(Protocol):
    """Reads bytes of the zip."""

    def __call__(self, start: int, length: int, abort: threading.Event | None, /) -> bytes | memoryview:
        """Return exactly `length` bytes from `start`; raise an error early when `abort` is set."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A member and the facts needed to unpack it.

    Attributes:
        member: The member.
        method: `STORED` or `DEFLATED`.
        end: Where the next entry, or the central directory, begins.
    """

    member: Member
    method: int
    end: int


@dataclass(frozen=True, slots=True)
class Window:
    """One range of the zip, and the wanted entries that it holds."""

    start: int
    length: int
    entries: tuple[Entry, ...]


def read_index(read: Read, size: int, name: str, limits: Limits) -> tuple[dict[str, Entry], str]:
    """Return the regular files of a zip, in the order of the archive, and the hex sha256 of its central directory.

    Args:
        read: Reads bytes of it.
        size: Its length.
        name: Its name in messages.
        limits: Bounds the number of entries.

    Raises:
        UnsafeArchive: It holds paths out of its directory, links, duplicate or overlapping entries.
        VerificationFailed: It has no sound central directory: it is cut short, damaged, or no zip.
    """
    tail_length = min(size, _END.size + _MAX_COMMENT + _LOCATOR.size + _END64.size)
    tail_start = size - tail_length
    tail = bytes(read(tail_start, tail_length, None)) if tail_length else b""
    start, length, count = _find_directory(tail, tail_start, size, name)
    if start >= tail_start:
        directory = tail[start - tail_start : start - tail_start + length]
    else:
        directory = bytes(read(start, length, None))
    found = list(_entries(directory, name, limits))
    if len(found) != count:
        raise VerificationFailed(f"{name}: {count:,} entries stated, {len(found):,} found; the zip is damaged")
    return _without_overlaps(found, start, name, limits), hashlib.sha256(directory).hexdigest()


def _find_directory(tail: bytes, tail_start: int, size: int, name: str) -> tuple[int, int, int]:
    """Return the start, the length and the number of entries of the central directory."""
    at = tail.rfind(b"PK\x05\x06")
    while at >= 0:
        if at + _END.size <= len(tail):
            _, disk, _, _, count, length, start, comment = _END.unpack_from(tail, at)
            if tail_start + at + _END.size + comment == size:
                break
        at = tail.rfind(b"PK\x05\x06", 0, at)
    else:
        raise VerificationFailed(f"{name}: the end of the zip is missing; it is cut short or no zip")
    end_at = tail_start + at
    locator_at = at - _LOCATOR.size
    if locator_at >= 0 and tail[locator_at : locator_at + 4] == b"PK\x06\x07":
        _, _, end64_at, _ = _LOCATOR.unpack_from(tail, locator_at)
        inside = end64_at - tail_start
        if inside < 0 or inside + _END64.size > locator_at or tail[inside : inside + 4] != b"PK\x06\x06":
            raise VerificationFailed(f"{name}: its zip64 end record is not at the stated offset; the zip is damaged")
        _, _, _, _, disk, _, _, count, length, start = _END64.unpack_from(tail, inside)
        end_at = end64_at
    if disk not in (0, _FULL16) or start + length != end_at:
        raise VerificationFailed(f"{name}: its central directory is not at the stated offset; the zip is damaged")
    return start, length, count


def _entries(directory: bytes, name: str, limits: Limits) -> Iterator[tuple[Member, int]]:
    """Yield all members, directories included (their names end in a slash), with their compression methods."""
    at = count = 0
    while at < len(directory):
        if at + _ENTRY.size > len(directory) or directory[at : at + 4] != b"PK\x01\x02":
            raise VerificationFailed(f"{name}: its central directory is damaged at byte {at:,}")
        fields = _ENTRY.unpack_from(directory, at)
        flags, method, crc, packed, unpacked = fields[3], fields[4], fields[7], fields[8], fields[9]
        name_length, extra_length, comment_length = fields[10:13]
        attributes, offset = fields[15], fields[16]
        at += _ENTRY.size
        raw = directory[at : at + name_length]
        extra = directory[at + name_length : at + name_length + extra_length]
        at += name_length + extra_length + comment_length
        entry = _text(raw, flags, name)
        if _FULL32 in (unpacked, packed, offset):
            unpacked, packed, offset = _wide(extra, (unpacked, packed, offset), entry, name)
        check_name(name, entry)
        check_mode(name, entry, attributes >> 16)
        if flags & _ENCRYPTED or (method not in (STORED, DEFLATED) and not entry.endswith("/")):
            raise LandingError(
                f"{name}: {entry!r} is encrypted, or compressed by method {method}; only deflate is read"
            )
        if (method == STORED and packed != unpacked) or (entry.endswith("/") and unpacked):
            raise UnsafeArchive(f"{name}: {entry!r} states sizes that cannot be; nothing of it is used")
        count += 1
        if count > limits.max_entries:
            raise UnsafeArchive(f"{name}: more than the {limits.max_entries:,} entries allowed")
        yield Member(entry, unpacked, crc, packed, offset), method


def _text(raw: bytes, flags: int, name: str) -> str:
    try:
        return raw.decode("utf-8" if flags & _UTF8 else "cp437")
    except UnicodeDecodeError:
        raise UnsafeArchive(f"{name}: the entry name {raw[:200]!r} is not UTF-8 as it claims") from None


def _wide(extra: bytes, fields: tuple[int, int, int], entry: str, name: str) -> tuple[int, int, int]:
    """Return sizes and offset; those that are all ones are taken from the zip64 extra field (4.5.3)."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1 and at + 4 + length <= len(extra) and length >= 8 * fields.count(_FULL32):
            values = iter(struct.unpack_from(f"<{length // 8}Q", extra, at + 4))
            unpacked, packed, offset = (next(values) if field == _FULL32 else field for field in fields)
            return unpacked, packed, offset
        at += 4 + length
    raise VerificationFailed(f"{name}: {entry!r} lacks its zip64 sizes; the zip is damaged")


def _without_overlaps(found: list[tuple[Member, int]], directory: int, name: str, limits: Limits) -> dict[str, Entry]:
    by_offset = sorted(found, key=lambda pair: (pair[0].offset, pair[0].name))
    entries: dict[str, Entry] = {}
    ends = [member.offset for member, _ in by_offset[1:]] + [directory]
    for (member, method), end in zip(by_offset, ends, strict=True):
        if member.offset + _LOCAL.size + member.compressed > end:
            raise UnsafeArchive(f"{name}: {member.name[:200]!r} lies over another entry; nothing of it is used")
        if not member.name.endswith("/"):
            if member.name in entries:
                raise UnsafeArchive(f"{name}: two entries are named {member.name[:200]!r}; nothing of it is used")
            entries[member.name] = Entry(member, method, end)
    check_set(name, entries, limits)
    return entries


def data_span(entry: Entry, header: bytes | memoryview, name: str) -> tuple[int, int]:
    """Return the start and the end of a member's data in the archive, by its local header.

    Raises:
        UnsafeArchive: The header is that of another member, or the data overlap the next entry.
    """
    member = entry.member
    sound = len(header) >= _LOCAL.size and bytes(header[:4]) == b"PK\x03\x04"
    if sound:
        fields = _LOCAL.unpack_from(header)
        flags, method, name_length, extra_length = fields[2], fields[3], fields[9], fields[10]
        raw = bytes(header[_LOCAL.size : _LOCAL.size + name_length])
        sound = method == entry.method and len(raw) == name_length and _text(raw, flags, name) == member.name
    if not sound:
        raise UnsafeArchive(f"{name}: the header of {member.name[:200]!r} is not the one that the index states")
    start = member.offset + _LOCAL.size + name_length + extra_length
    if start + member.compressed > entry.end:
        raise UnsafeArchive(f"{name}: {member.name[:200]!r} lies over another entry; nothing of it is used")
    return start, start + member.compressed


def unpacked(entry: Entry, packed: Iterable[bytes | memoryview], budget: Budget, name: str) -> Iterator[bytes]:
    """Yield the member's bytes in pieces of at most about `PIECE_BYTES`; check for bombs meanwhile."""
    consumed = produced = 0
    if entry.method == STORED:
        for data in packed:
            budget.spend(len(data))
            yield bytes(data)
        return
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    for data in packed:
        consumed += len(data)
        rest: bytes | memoryview = data
        more = True
        while more:
            try:
                piece = stream.decompress(rest, PIECE_BYTES)
            except zlib.error as error:
                raise VerificationFailed(f"{name}: {entry.member.name}: {error}; the zip is damaged") from None
            produced += len(piece)
            budget.spend(len(piece))
            budget.check_ratio(produced, consumed)
            if produced > entry.member.bytes:
                raise UnsafeArchive(f"{name}: {entry.member.name[:200]!r} is longer than it states; taken for a bomb")
            yield piece
            rest = stream.unconsumed_tail
            more = bool(piece) and (bool(rest) or len(piece) == PIECE_BYTES)  # after a full piece, zlib may hold more
    if not stream.eof:
        raise VerificationFailed(f"{name}: {entry.member.name}: its data end too early; the zip is damaged")


class RangedZip:
    """A zip that is read by ranges; see `archive.Archive`.

    Args:
        read: Reads bytes of it; called from several threads.
        size: Its length.
        name: Its name in messages.
        limits: Bounds of entries, size and ratio.
        workers: Ranges that are read at a time.
        window: Bytes of one range; each worker holds them in memory.
    """

    def __init__(self, read: Read, size: int, name: str, limits: Limits, *, workers: int, window: int) -> None:
        self._read = read
        self._size = size
        self._name = name
        self._limits = limits
        self._workers = workers
        self._window = window
        self.index_sha256: str | None
        self._index, self.index_sha256 = read_index(read, size, name, limits)
        self.members: Mapping[str, Member] = {key: entry.member for key, entry in self._index.items()}

    def extract(self, wanted: Mapping[str, Path], on_member: OnMember) -> None:
        """Write members to paths; see `archive.Archive.extract`."""
        entries = [self._index[key] for key in wanted]
        budget, writer = Budget(self._name, self._limits), Writer(self._name, on_member)

        def read(window: Window, abort: threading.Event) -> tuple[Window, memoryview]:
            return window, memoryview(self._read(window.start, window.length, abort))

        def unpack(came: tuple[Window, memoryview], abort: threading.Event) -> None:
            window, data = came
            for entry in window.entries:
                at, path = entry.member.offset - window.start, wanted[entry.member.name]
                try:
                    self._whole(entry, data[at : entry.end - window.start], path, budget, writer)
                except VerificationFailed:  # one clean retry: a bit may have flipped on the way
                    again = self._read(entry.member.offset, entry.end - entry.member.offset, abort)
                    self._whole(entry, memoryview(again), path, budget, writer)

        small = [entry for entry in entries if entry.end - entry.member.offset <= self._window]
        windows = windows_of(small, self._window)
        with contextlib.closing(in_order(read, windows, workers=self._workers, ahead=self._workers + 2)) as read_:
            for _ in in_order(unpack, read_, workers=UNPACKERS, ahead=2 * UNPACKERS):
                pass
        for entry in sorted(entries, key=lambda entry: entry.member.offset):
            if entry.end - entry.member.offset > self._window:
                with contextlib.closing(self._packed(entry)) as packed:
                    pieces = unpacked(entry, packed, budget, self._name)
                    writer.streamed(entry.member, wanted[entry.member.name], pieces)

    def _whole(self, entry: Entry, data: memoryview, path: Path, budget: Budget, writer: Writer) -> None:
        start, end = data_span(entry, data, self._name)
        packed = data[start - entry.member.offset : end - entry.member.offset]
        if entry.method == STORED:
            budget.spend(len(packed))
            writer.whole(entry.member, path, packed)
        elif entry.member.bytes <= 4 * self._window:
            writer.whole(entry.member, path, b"".join(unpacked(entry, [packed], budget, self._name)))
        else:
            writer.streamed(entry.member, path, unpacked(entry, [packed], budget, self._name))

    def _packed(self, entry: Entry) -> Generator[bytes | memoryview, None, None]:
        """Return a large member's data as stored in the archive, read by several ranges at a time."""
        header = self._read(entry.member.offset, min(_LOCAL.size + 2 * _FULL16, entry.end - entry.member.offset), None)
        start, end = data_span(entry, header, self._name)
        spans = ((at, min(self._window, end - at)) for at in range(start, end, self._window))

        def read(span: tuple[int, int], abort: threading.Event) -> bytes | memoryview:
            return self._read(span[0], span[1], abort)

        return in_order(read, spans, workers=self._workers, ahead=self._workers + 2)


MAX_GAP = 64 << 10
"""Most unwanted bytes between two entries that are read too, because they cost less than another request."""

MAX_WASTE = 0.1
"""Share of a window that may be unwanted."""


def windows_of(entries: Iterable[Entry], size: int) -> Iterator[Window]:
    """Group entries that lie close together into ranges of at most about `size` bytes, in archive order."""
    group: list[Entry] = []
    start = end = useful = 0
    for entry in sorted(entries, key=lambda entry: entry.member.offset):
        own = entry.end - entry.member.offset
        gap = entry.member.offset - end
        fits = entry.end - start <= size and gap <= MAX_GAP
        if group and not (fits and entry.end - start - useful - own <= MAX_WASTE * (useful + own)):
            yield Window(start, end - start, tuple(group))
            group = []
        if not group:
            start, useful = entry.member.offset, 0
        group.append(entry)
        end, useful = entry.end, useful + own
    if group:
        yield Window(start, end - start, tuple(group))
