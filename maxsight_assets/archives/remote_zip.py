"""Reads a zip upstream by byte ranges: only its index and the wanted members are fetched; the zip is never on disk.

If nearly all of a zip with a pinned hash is wanted, it is read once, in order: the same pass hashes the whole and cuts
it into its members.
"""

import contextlib
import hashlib
import threading
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path

from maxsight_assets.archives.members import Budget, OnMember, Writer
from maxsight_assets.archives.zips import UNPACKERS, Entry, RangedZip, data_span, unpacked
from maxsight_assets.errors import Received, UpstreamChanged, WrongArchive
from maxsight_assets.remote import Probe, RemoteFile
from maxsight_assets.transport.client import Client
from maxsight_assets.transport.parallel import in_order

NEARLY_ALL = 0.9
"""Share of a zip's bytes from which reading all of it, for the sake of its hash, costs little more."""


def readable(file: RemoteFile, probe: Probe) -> bool:
    """Return whether upstream gives byte ranges of a file, and states something that identifies its version."""
    known = probe.etag or probe.last_modified
    return bool(probe.ranges and probe.bytes and known and file.bytes in (None, probe.bytes))


class RemoteZip(RangedZip):
    """A zip upstream; see `archive.Archive`.

    Args:
        client: Connects to upstream.
        file: The zip.
        probe: The version to read.
    """

    def __init__(self, client: Client, file: RemoteFile, probe: Probe) -> None:
        def read(start: int, length: int, abort: threading.Event | None, /) -> memoryview:
            data = client.read_view(file, start, length, probe=probe, abort=abort)
            self._meter.add(length)
            return data

        self._client = client
        self._probe = probe
        self._meter = client.meter(file.key, None)
        limits = client.limits
        super().__init__(read, probe.bytes or 0, file.key, limits, workers=limits.connections, window=limits.part_bytes)
        self._file = file

    def extract(self, wanted: Mapping[str, Path], on_member: OnMember) -> None:
        """Write members to paths; see `archive.Archive.extract`.

        Raises:
            UpstreamChanged, VerificationFailed: Also if the whole zip was read and does not have the pinned hash; the
                caller must then not use the files that `on_member` was called with.
        """
        packed = sum(self._index[name].member.compressed for name in wanted)
        share = packed / max(1, self._size)
        self._meter = self._client.meter(self._name, packed)
        pinned = {name: known for name in ("sha256", "md5", "sha1") if (known := getattr(self._file, name))}
        if not pinned or share < NEARLY_ALL:
            super().extract(wanted, on_member)
            return
        budget, writer = Budget(self._name, self._limits), Writer(self._name, on_member)

        def unpack(cut: tuple[Entry, memoryview], _abort: threading.Event) -> None:
            entry, data = cut
            self._whole(entry, data, wanted[entry.member.name], budget, writer)

        entries = sorted((self._index[name] for name in wanted), key=lambda entry: entry.member.offset)
        with contextlib.closing(self._parts()) as parts:
            stream = _Stream(parts, tuple(pinned))
            cuts = self._cuts(stream, entries, wanted, budget, writer)
            for _ in in_order(unpack, cuts, workers=UNPACKERS, ahead=16 * UNPACKERS):
                pass
        for name, known in pinned.items():
            if stream.digest(name) != known.lower():
                raise self._other_bytes(name, known.lower(), {each: stream.digest(each) for each in pinned})

    def _parts(self) -> Generator[memoryview, None, None]:
        spans = ((at, min(self._window, self._size - at)) for at in range(0, self._size, self._window))

        def read(span: tuple[int, int], abort: threading.Event) -> memoryview:
            return memoryview(self._read(span[0], span[1], abort))

        return in_order(read, spans, workers=self._workers, ahead=self._workers + 2)

    def _cuts(
        self,
        stream: "_Stream",
        entries: list[Entry],
        wanted: Mapping[str, Path],
        budget: Budget,
        writer: Writer,
    ) -> Iterator[tuple[Entry, memoryview]]:
        """Yield small members as they pass; write large ones here. Read the whole zip, to its end."""
        for entry in entries:
            member = entry.member
            stream.skip_to(member.offset)
            if entry.end - member.offset <= self._window:
                yield entry, stream.take(entry.end - member.offset)
                continue
            head = stream.take(min(entry.end - member.offset, 1 << 17))  # a local header is shorter (4.3.7)
            start, end = data_span(entry, head, self._name)
            first = head[start - member.offset : end - member.offset]
            packed = stream.pieces(first, end - start - len(first))
            writer.streamed(member, wanted[member.name], unpacked(entry, packed, budget, self._name))
        stream.skip_to(self._size)

    def _other_bytes(self, name: str, known: str, came: Mapping[str, str]) -> UpstreamChanged | WrongArchive:
        text = f"{self._name}: {name} {known} expected, {came[name]} received"
        if self._file.on_change == "stop":
            return UpstreamChanged(
                f"{text}; upstream changed, the last good version stays. "
                f"To take the new one: maxsight-assets accept {self._name}",
                Received(self._name, self._size, self._probe.etag, self._probe.last_modified, **came),
            )
        return WrongArchive(f"{text}; nothing of it may be used, rerun or try a mirror")


class _Stream:
    """Bytes in order, hashed as they pass."""

    def __init__(self, parts: Iterator[memoryview], algorithms: tuple[str, ...]) -> None:
        self._parts = parts
        self._hashes = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
        self._part = memoryview(b"")
        self._at = 0

    def digest(self, name: str) -> str:
        """Return the hex digest of the bytes that have passed, up to the end of the present part."""
        return self._hashes[name].hexdigest()

    def skip_to(self, offset: int) -> None:
        """Let the bytes before `offset` pass."""
        for _ in self.pieces(memoryview(b""), offset - self._at):
            pass

    def take(self, count: int) -> memoryview:
        """Return the next `count` bytes."""
        pieces = list(self.pieces(memoryview(b""), count))
        return pieces[0] if len(pieces) == 1 else memoryview(b"".join(pieces))

    def pieces(self, first: memoryview, count: int) -> Iterator[memoryview]:
        """Yield `first`, then the next `count` bytes as they arrive."""
        if first:
            yield first
        while count > 0:
            if not self._part:
                self._part = next(self._parts)
                for digest in self._hashes.values():
                    digest.update(self._part)
            piece, self._part = self._part[:count], self._part[count:]
            count -= len(piece)
            self._at += len(piece)
            yield piece
