"""Downloads one whole object: resume, retry, start again, verify; one loop holds the rules of each fault.

A scheme requests the bytes (`schemes`); `partial` holds them until they are whole.
"""

import contextlib
import threading
from collections.abc import Callable, Generator
from pathlib import Path

from maxsight_assets.errors import (
    Cancelled,
    LandingError,
    Received,
    TransientError,
    UpstreamChanged,
    VerificationFailed,
)
from maxsight_assets.remote import Landed, Level, Probe, RemoteFile, strong
from maxsight_assets.transport import integrity, magic
from maxsight_assets.transport.integrity import Unfit
from maxsight_assets.transport.options import Limits, Progress
from maxsight_assets.transport.parallel import Meter, in_order
from maxsight_assets.transport.partial import Partial
from maxsight_assets.transport.reply import (
    Absent,
    Again,
    Ask,
    Attempts,
    PastEnd,
    Reply,
    VersionChanged,
    WrongRange,
)

PROGRESS_BYTES = 256 << 10
"""A try that brought this much counts as progress; one that brought less counts against `Limits.attempts`."""

Open = Callable[[RemoteFile, Ask], Reply]


class NotGiven(LandingError):
    """Upstream refuses one object (401, 403, 404 and the like).

    Attributes:
        status: The HTTP status.
        said: Status and reason, for instance `404 Not Found`.
    """

    def __init__(self, file: RemoteFile, absent: Absent) -> None:
        super().__init__(f"{file.key}: {absent.said}; {absent.remedy}")
        self.status = absent.status
        self.said = absent.said


def read_range(
    opened: Open,
    file: RemoteFile,
    ask: Ask,
    limits: Limits,
    *,
    cancel: threading.Event,
) -> memoryview:
    """Return exactly the requested bytes of exactly the requested version.

    Raises:
        VersionChanged, WrongRange, PastEnd: Upstream does not have them.
        TransientError, Cancelled, LandingError: As in `download`.
    """
    length = ask.length or 0
    data, got = memoryview(bytearray(length)), 0
    attempts = Attempts(file.key, limits, cancel, abort=ask.abort)
    while got < length:
        attempts.check()
        before = got
        part = Ask(ask.start + before, length - before, ask.since, ask.abort)
        try:
            with contextlib.closing(opened(file, part)) as reply:
                if reply.start != part.start or reply.length != part.length or reply.encoded:
                    if ask.since and reply.probe.etag != ask.since.etag:
                        raise VersionChanged("another ETag than before")
                    raise WrongRange("the range was ignored")
                for chunk in reply.chunks():
                    if got + len(chunk) > length:
                        raise WrongRange(f"more than the {part.length:,} bytes of the range came")
                    data[got : got + len(chunk)] = chunk
                    got += len(chunk)
        except Again as fault:
            if got - before >= PROGRESS_BYTES:
                attempts.progressed()
            attempts.failed(fault)
        except Absent as absent:
            raise NotGiven(file, absent) from None
    return data


class Download:
    """One object on its way to disk.

    Args:
        opened: Requests a part of an object from upstream.
        file: The object.
        dest: Path to write.
        limits: Bounds of tries, times and sizes.
        cancel: Ends the download when set.
        progress: Called with the bytes that have arrived.
        trust: How far the object's server is trusted.
        durable: Whether the bytes must be on the disk before the file gets its name.
        abort: Ends the download too when set.
        unfit: What was wrong with the bytes of an earlier attempt; if given, this download is the clean retry.
    """

    def __init__(
        self,
        opened: Open,
        file: RemoteFile,
        dest: Path,
        *,
        limits: Limits,
        cancel: threading.Event,
        progress: Progress | None,
        trust: integrity.Trust,
        durable: bool = True,
        abort: threading.Event | None = None,
        unfit: str | None = None,
    ) -> None:
        self._open = opened
        self._file = file
        self._dest = dest
        self._limits = limits
        self._cancel = cancel
        self._progress = progress
        self._durable = durable
        self._abort = abort
        self._trust = trust
        self._unfit = unfit
        self._partial = Partial(file, dest)
        self._parallel = True
        self._published: str | None = None
        self._answer: Probe | None = None
        self._received: Received | None = None

    def run(self) -> Landed:
        """Fetch the object, verify it and name the file.

        Raises:
            TransientError: The last try failed; what arrived is kept for the next run.
            VerificationFailed: The bytes are not the expected ones, twice; nothing is kept.
            UpstreamChanged: The same, for a pinned file that upstream has replaced.
            Cancelled: The cancel event was set; what arrived is kept.
            LandingError: The object is refused, forbidden or not trusted: no further try would help.
        """
        try:
            first = self._unfit or self._attempt()
            if isinstance(first, Landed):
                return first
            self._unfit = first
            second = self._attempt()
            if isinstance(second, Landed):
                return second
            raise self._verdict(first, second)
        finally:
            self._partial.close()

    def _attempt(self) -> Landed | str:
        """Return the landed file, or what is wrong with the received bytes."""
        partial = self._partial
        whole = False
        try:
            self._fill()
            whole = True
            level = self._verify()
        except Unfit as unfit:
            self._received = self._seen(whole=whole)
            partial.restart(None)
            return str(unfit)
        partial.finish(self._dest, durable=self._durable)
        sha256 = partial.digest("sha256") or ""
        probe = self._answer or partial.probe or Probe(partial.offset, None, None, ranges=False)
        return Landed(self._dest, partial.offset, sha256, partial.digest("md5"), level, probe)

    def _fill(self) -> None:
        """Fill the partial file up to the object's end."""
        partial, file = self._partial, self._file
        attempts = Attempts(file.key, self._limits, self._cancel)
        restarts = wrong = 0
        while True:
            if partial.offset and not partial.resumable():
                partial.restart(None)
            before = partial.offset
            if before and partial.probe and partial.probe.bytes == before:
                return
            try:
                with contextlib.closing(self._open(file, self._ask())) as reply:
                    self._take(reply)
                    return
            except Again as fault:
                if partial.offset - before >= PROGRESS_BYTES:
                    attempts.progressed()
                partial.save()
                attempts.failed(fault)
                continue
            except PastEnd as end:
                if partial.offset and partial.offset in (end.total, file.bytes):
                    return
            except VersionChanged:
                pass
            except WrongRange as fault:
                wrong += 1
                self._parallel = False
                if wrong > 1:
                    partial.restart(None)
                    raise VerificationFailed(
                        f"{file.key}: upstream answers ranges wrongly ({fault}); nothing is kept, try another mirror"
                    ) from None
            except Absent as absent:
                raise NotGiven(file, absent) from None
            restarts += 1
            partial.restart(None)
            if restarts >= self._limits.attempts:
                raise TransientError(f"{file.key}: it changes upstream while it is downloaded; rerun later")

    def _ask(self) -> Ask:
        offset = self._partial.offset
        return Ask(offset, None, self._partial.probe, self._abort) if offset else Ask(abort=self._abort)

    def _take(self, reply: Reply) -> None:
        """Append an answer's body, read in one stream or in parallel ranges."""
        partial, file = self._partial, self._file
        self._published = reply.published_sha256
        self._answer = reply.probe
        self._check_size(reply)
        if reply.start != partial.offset or partial.offset == 0:
            partial.restart(
                reply.probe, also=integrity.more_hashes(file, reply.probe, self._trust), fixed=not reply.encoded
            )
        meter = Meter(self._progress, file.key, reply.probe.bytes or file.bytes, partial.offset)
        with contextlib.closing(self._bodies(reply)) as bodies:
            for data in bodies:
                if self._cancel.is_set():  # a file of this machine has no connection that could be ended
                    raise Cancelled.of(file.key)
                partial.write(data)
                meter.add(len(data))
                if partial.offset > self._limits.max_bytes:
                    raise LandingError(f"{file.key}: more than the {self._limits.max_bytes:,} bytes allowed")
        if reply.length is None and file.bytes is not None and partial.offset < file.bytes:
            raise Again(f"the body ended after {partial.offset:,} of {file.bytes:,} bytes")

    def _bodies(self, reply: Reply) -> Generator[bytes | memoryview, None, None]:
        probe, offset = reply.probe, self._partial.offset
        total = probe.bytes
        wide = total is not None and total - offset > self._limits.parallel_from
        if not (wide and total and self._parallel and probe.ranges and strong(probe) and not reply.encoded):
            yield from reply.chunks()
            return
        reply.close()
        size = self._limits.part_bytes
        spans = ((start, min(size, total - start)) for start in range(offset, total, size))

        def read(span: tuple[int, int], abort: threading.Event) -> memoryview:
            ask = Ask(span[0], span[1], probe, abort)
            return read_range(self._open, self._file, ask, self._limits, cancel=self._cancel)

        connections = self._limits.connections
        with contextlib.closing(in_order(read, spans, workers=connections, ahead=connections + 2)) as parts:
            yield from parts

    def _check_size(self, reply: Reply) -> None:
        known, stated = self._file.bytes, reply.probe.bytes
        if known is not None and stated is not None and known != stated:
            with contextlib.suppress(Again, StopIteration):
                head = next(reply.chunks()) if reply.start == 0 else b""
                integrity.check_kind(self._file, head[: magic.HEAD_BYTES])
            raise Unfit(f"{known:,} bytes expected, upstream has {stated:,}")

    def _verify(self) -> Level:
        file, partial = self._file, self._partial
        try:
            integrity.check_kind(file, partial.head(magic.HEAD_BYTES))
        except VerificationFailed:
            partial.restart(None)
            raise
        probe = partial.probe or Probe(None, None, None, ranges=False)
        return integrity.level_of(
            file,
            probe,
            partial.offset,
            partial.digest,
            trust=self._trust,
            published_sha256=self._published,
            before=self._unfit,
        )

    def _seen(self, *, whole: bool) -> Received:
        partial, probe = self._partial, self._answer or Probe(None, None, None, ranges=False)
        digests = {name: partial.digest(name) for name in ("sha256", "md5", "sha1")} if whole else {}
        size = partial.offset if whole else probe.bytes
        return Received(self._file.key, size, probe.etag, probe.last_modified, **digests)

    def _verdict(self, first: str, second: str) -> LandingError:
        key = self._file.key
        if self._file.on_change == "stop" and first == second:
            return UpstreamChanged(
                f"{key}: upstream changed ({second}); the last good version stays. "
                f"To take the new one: maxsight-assets accept {key}",
                self._received,
            )
        mirror = f"another mirror ({self._file.mirror_env})" if self._file.mirror_env else "a mirror"
        if first == second and any((self._file.bytes, self._file.sha256, self._file.md5, self._file.sha1)):
            return VerificationFailed(
                f"{key}: {second}, also after a clean retry; nothing is kept. If these bytes are the right ones: "
                f"maxsight-assets accept {key}; else try {mirror}"
            )
        return VerificationFailed(f"{key}: {second}, also after a clean retry; nothing is kept, rerun or try {mirror}")
