"""The one way to upstream: probes, downloads and reads ranges of objects over https, http, s3, hf and file.

All traffic of a run goes through one `Client`, so that its limits, credentials and cancel event apply to all of it.
"""

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar
from urllib.parse import urlsplit

from maxsight_assets.errors import Cancelled, LandingError, TransientError, VerificationFailed
from maxsight_assets.remote import Landed, Missing, Probe, RemoteFile
from maxsight_assets.transport import integrity, small
from maxsight_assets.transport.address import Address
from maxsight_assets.transport.answers import GONE
from maxsight_assets.transport.connections import Answer, Connections
from maxsight_assets.transport.guard import Guard, host_port
from maxsight_assets.transport.http import Http
from maxsight_assets.transport.listing import Entry, Listed
from maxsight_assets.transport.many import THREADS, Pair, Why, fetch_many
from maxsight_assets.transport.options import Credentials, Limits, Progress
from maxsight_assets.transport.parallel import Meter, Throttle
from maxsight_assets.transport.redact import scrub
from maxsight_assets.transport.reply import Absent, Again, Ask, Attempts, PastEnd, Reply, VersionChanged, WrongRange
from maxsight_assets.transport.schemes import Scheme, scheme_of, schemes
from maxsight_assets.transport.transfer import Download, NotGiven, Open, read_range
from maxsight_assets.transport.watch import Watch

__all__ = ["Client", "Credentials", "Limits", "Progress"]

Answered = TypeVar("Answered")

DEFAULT_LIMITS = Limits()
NO_CREDENTIALS = Credentials()

DOWN = 32
"""Objects in a row that fail all tries, after which upstream counts as down: to try all the others would take hours."""


class Client:
    """Connections to upstream; a context manager, safe to use from many threads.

    Args:
        limits: Bounds of time, size, tries and redirects.
        credentials: Secrets and endpoints of accounts; nothing is read from the environment.
        cancel: When set, everything under way ends within seconds with `Cancelled`.
        progress: Called with the bytes that have arrived.
    """

    def __init__(
        self,
        *,
        limits: Limits = DEFAULT_LIMITS,
        credentials: Credentials = NO_CREDENTIALS,
        cancel: threading.Event | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.limits = limits
        self._credentials = credentials
        self._cancel = cancel or threading.Event()
        self._progress = progress
        self._failed_in_a_row = 0
        self._watch = Watch(limits, self._cancel)
        named = (credentials.s3_endpoint, credentials.hf_endpoint)  # the user named them: they may be private
        own = frozenset(host_port(urlsplit(url)) for url in named if url)
        self._guard = Guard(limits.allowed_hosts | limits.loopback_allowed | own)
        self._http = Http(limits, self._guard, self._watch)
        self._schemes = schemes(self._http, credentials, own=Guard(limits.loopback_allowed | own))

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close idle connections and stop watching."""
        self._http.close()
        self._watch.close()

    def probe(self, file: RemoteFile) -> Probe:
        """Return what upstream states about an object, without fetching it.

        An address that ends with a slash is that of all objects below it: they are listed to the end, see `listing`.

        Raises:
            TransientError, Cancelled, VerificationFailed, LandingError: As in `download`.
        """
        if not file.url.endswith("/"):
            return self._asked(file, lambda scheme: scheme.probe(file))
        listed = Listed()
        while not listed.whole:
            listed = self.list_on(file, listed)
        return listed.probe()

    def entries(self, file: RemoteFile) -> list[Entry]:
        """Return all objects below an address that ends with a slash, in the order of their keys.

        Raises:
            TransientError, Cancelled, VerificationFailed, LandingError: As in `download`.
        """
        entries: list[Entry] = []
        whole = False
        while not whole:
            page, whole = self._page(file, entries[-1].key if entries else "")
            entries += page
        return entries

    def list_on(self, file: RemoteFile, so_far: Listed) -> Listed:
        """Return a listing with its next page; one request.

        Args:
            file: Its address ends with a slash.
            so_far: How far the listing has come, also in another process.

        Raises:
            TransientError, Cancelled, VerificationFailed, LandingError: As in `download`.
        """
        entries, whole = self._page(file, so_far.after)
        return so_far.and_then(entries, whole=whole)

    def _page(self, file: RemoteFile, after: str) -> tuple[Sequence[Entry], bool]:
        entries, whole = self._asked(file, lambda scheme: scheme.page(file, after))
        if not entries and not whole:
            raise VerificationFailed(f"{file.key}: upstream lists nothing more and says that more follows")
        return entries, whole

    def _asked(self, file: RemoteFile, ask: Callable[[Scheme], Answered]) -> Answered:
        """Return what one question to a file's scheme gives, after as many tries as the limits allow."""
        with self._clean():
            scheme = self._scheme(file)
            attempts = Attempts(file.key, self.limits, self._cancel, advice="upstream may be down, try later")
            while True:
                attempts.check()
                try:
                    return ask(scheme)
                except Again as fault:
                    attempts.failed(fault)
                except Absent as absent:
                    raise NotGiven(file, absent) from None
                except (WrongRange, VersionChanged, PastEnd) as fault:
                    raise VerificationFailed(f"{file.key}: upstream answers oddly when it is asked: {fault}") from None

    def download(self, file: RemoteFile, dest: Path) -> Landed:
        """Download a whole object to `dest`; resume what an earlier try left beside it.

        Args:
            file: The object.
            dest: Path to write; replaced in one step when the object is whole, verified and on the disk.

        Raises:
            TransientError: Upstream or the network failed too often; what arrived is kept for the next run.
            VerificationFailed: The bytes are not the expected ones, also after one clean retry; nothing is kept.
            UpstreamChanged: A pinned file whose `on_change` is `stop` has other bytes.
            Cancelled: The cancel event was set; what arrived is kept.
            LandingError: The server refuses the object or the address is forbidden; the text states what to do.
        """
        with self._clean():
            return self._download(file, dest, opened=self._open, durable=True)

    def _download(
        self,
        file: RemoteFile,
        dest: Path,
        *,
        opened: Open,
        durable: bool,
        abort: threading.Event | None = None,
        unfit: str | None = None,
    ) -> Landed:
        return Download(
            opened,
            file,
            dest,
            limits=self.limits,
            cancel=abort or self._cancel,  # a cancelled `download_many` sets `abort`
            progress=self._progress if durable else None,  # `download_many` reports the sum
            trust=self._scheme(file).trust(file),
            durable=durable,
            abort=abort,
            unfit=unfit,
        ).run()

    def read_range(
        self, file: RemoteFile, start: int, length: int, *, probe: Probe, abort: threading.Event | None = None
    ) -> bytes:
        """Return exactly `length` bytes from `start`, of the version that `probe` saw; see `read_view`."""
        return bytes(self.read_view(file, start, length, probe=probe, abort=abort))

    def read_view(
        self, file: RemoteFile, start: int, length: int, *, probe: Probe, abort: threading.Event | None = None
    ) -> memoryview:
        """Return exactly `length` bytes from `start`, of the version that `probe` saw.

        Args:
            file: The object.
            start: Offset of the first byte.
            length: Bytes to read; they are held in memory.
            probe: The version.
            abort: Ends the read when set, beside the client's cancel event.

        Raises:
            TransientError: Also if upstream holds another version by now.
            VerificationFailed: Upstream does not give that range.
            Cancelled, LandingError: As in `download`.
        """
        with self._clean():
            try:
                ask = Ask(start, length, probe, abort)
                return read_range(self._open, file, ask, self.limits, cancel=self._cancel)
            except VersionChanged:
                raise TransientError(f"{file.key}: it changed upstream while it was read; rerun") from None
            except (WrongRange, PastEnd) as fault:
                raise VerificationFailed(f"{file.key}: upstream does not give the asked range: {fault}") from None

    def meter(self, label: str, total: int | None) -> Meter:
        """Return a counter that reports its steps to the client's `Progress`."""
        return Meter(self._progress, label, total)

    def download_many(
        self, files: Iterable[tuple[RemoteFile, Path]], *, connections: int = 64
    ) -> Iterator[tuple[RemoteFile, Landed | Missing]]:
        """Download many objects over at most `connections` connections, fewer while upstream is busy.

        A whole file is renamed into place but not synced: the caller syncs the tree once, before relying on it.

        Args:
            files: Objects and the paths to write; read as connections become free. For a list, progress reports the
                number of files and, if known, their bytes.
            connections: Most connections at a time.

        Yields:
            Each object with its result, in the order of completion. An object is `Missing` if upstream does not give
            it, or if its bytes do not have the known hash.

        Raises:
            TransientError: All tries of `DOWN` objects in a row failed, objects of earlier calls included.
            Cancelled, UpstreamChanged, LandingError: As in `download`, if they concern more than one object.
        """
        abort = threading.Event()
        throttle = Throttle(connections, abort)
        arrived = self.meter(*_named(files))

        def land(pair: Pair, answer: Answer) -> Landed | Missing | None:
            return self._land(*pair, answer, throttle)

        def careful(pair: Pair, why: Why) -> Landed | Missing:
            return self._one_of_many(*pair, why, throttle, abort)

        shares = [len(range(thread, connections, THREADS)) for thread in range(min(THREADS, connections))]
        threads = [
            Connections[Pair](self._guard, self.limits, most=most, most_bytes=small.MOST_BYTES) for most in shares
        ]
        came = fetch_many(
            files, threads, throttle, short=self._short, land=land, careful=careful, cancel=self._cancel, abort=abort
        )
        try:
            for file, result in came:
                if isinstance(result, Landed):
                    arrived.add(result.bytes)
                self._stop_if_down(result)
                yield file, result
        finally:
            came.close()
            for each in threads:
                each.close()

    def _stop_if_down(self, result: Landed | Missing) -> None:
        if not (isinstance(result, Missing) and result.transient):
            self._failed_in_a_row = 0
            return
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= DOWN:
            self._failed_in_a_row = 0
            raise TransientError(f"{DOWN} objects in a row could not be fetched, at last {result.reason}")

    def _short(self, file: RemoteFile) -> Address | None:
        with contextlib.suppress(LandingError):  # the careful way reports what is wrong
            return self._scheme(file).short(file)
        return None

    def _land(self, file: RemoteFile, dest: Path, answer: Answer, throttle: Throttle) -> Landed | Missing | None:
        """Judge and write what the short way fetched; return its result, see `many.fetch_many`."""
        try:
            with self._clean():
                return small.land(file, dest, answer, trust=self._scheme(file).trust(file))
        except VerificationFailed as error:
            return Missing(file, str(error))
        except Absent as absent:  # the careful way explains the other refusals
            return Missing(file, scrub(absent.said, self._credentials.secrets())) if absent.status in GONE else None
        except Again as fault:
            if fault.busy:
                throttle.busy()
            raise

    def _one_of_many(
        self, file: RemoteFile, dest: Path, why: Why, throttle: Throttle, abort: threading.Event
    ) -> Landed | Missing:
        def opened(file: RemoteFile, ask: Ask) -> Reply:
            try:
                return self._open(file, ask)
            except Again as fault:
                if fault.busy:
                    throttle.busy()
                raise

        try:
            with self._clean():
                if isinstance(why, Again):
                    Attempts(file.key, self.limits, abort).failed(why)
                unfit = str(why) if isinstance(why, integrity.Unfit) else None
                with throttle:
                    return self._download(file, dest, opened=opened, durable=False, abort=abort, unfit=unfit)
        except TransientError as error:
            return Missing(file, str(error), transient=True)
        except VerificationFailed as error:
            return Missing(file, str(error))
        except NotGiven as error:
            if error.status == 401:
                raise
            return Missing(file, scrub(error.said, self._credentials.secrets()))

    def _scheme(self, file: RemoteFile) -> Scheme:
        return scheme_of(file, self._schemes)

    def _open(self, file: RemoteFile, ask: Ask) -> Reply:
        if self._cancel.is_set():
            raise Cancelled.of(file.key)
        return self._scheme(file).open(file, ask)

    @contextlib.contextmanager
    def _clean(self) -> Iterator[None]:
        """Remove secrets from the errors that leave the block, from their text and from chained exceptions."""
        try:
            yield
        except LandingError as error:
            secrets = self._credentials.secrets()
            error.args = tuple(scrub(arg, secrets) if isinstance(arg, str) else arg for arg in error.args)
            error.__cause__ = None
            error.__context__ = None
            error.__suppress_context__ = True
            raise


def _named(files: Iterable[tuple[RemoteFile, Path]]) -> tuple[str, int | None]:
    """Return the label of many files for progress, and their bytes; None if these are not known beforehand."""
    if not isinstance(files, Sequence):
        return "files", None
    sizes = [file.bytes for file, _ in files if file.bytes is not None]
    return f"{len(files):,} files", sum(sizes) if len(sizes) == len(files) else None
