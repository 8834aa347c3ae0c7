"""One thread that ends cancelled, silent or too slow exchanges, which a blocked read would never end.

A read timeout does not fire while one byte a second arrives, and a blocked read does not see a cancel event. The
watcher therefore shuts the socket down, and the reader wakes up and finds the reason.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

from maxsight_assets.transport.options import Limits

TICK_S = 0.25


class Exchange:
    """One request and its answer, as the watcher sees it.

    Attributes:
        verdict: None while the exchange may go on; else why it was ended.
        cancelled: Whether it was ended by a cancel event.
    """

    __slots__ = ("_abort", "_headers", "_received", "_since", "_sock", "_waited", "cancelled", "verdict")

    def __init__(self, abort: threading.Event | None) -> None:
        self._abort = abort
        self._sock: socket.socket | None = None
        self._headers = False
        self._received = 0
        self._waited = 0.0  # seconds spent inside reads, in the present window
        self._since: float | None = None  # when the present read began
        self.verdict: str | None = None
        self.cancelled = False

    def attach(self, sock: socket.socket | None) -> None:
        """Note that the request goes out on this socket; the wait for the answer's header begins."""
        self._sock = sock
        self._since = time.monotonic()

    def detach(self) -> None:
        """Note that the socket no longer belongs to this exchange."""
        self._sock = self._since = None

    def has(self, sock: socket.socket | None) -> bool:
        """Return whether the exchange is attached to this socket."""
        return sock is not None and self._sock is sock

    def headers_arrived(self) -> None:
        """Note that the header is complete."""
        self._headers = True
        self._waited = 0.0
        self._since = None

    def reading(self) -> None:
        """Note that a read begins; only time inside reads counts, so that a slow disk is not blamed on upstream."""
        self._since = time.monotonic()

    def read(self, count: int) -> None:
        """Note that the read brought `count` bytes."""
        if self._since is not None:
            self._waited += time.monotonic() - self._since
        self._since = None
        self._received += count

    def judge(self, limits: Limits, cancel: threading.Event) -> None:
        """End the exchange if it is cancelled or too slow."""
        if self.verdict is not None:
            self._shut()  # it may have got another socket since
            return
        if cancel.is_set() or (self._abort is not None and self._abort.is_set()):
            self._end("cancelled", cancelled=True)
            return
        since = self._since
        waited = self._waited + (time.monotonic() - since if since is not None else 0.0)
        if not self._headers:
            if waited > limits.header_timeout_s:
                self._end(f"no answer within {limits.header_timeout_s:g} s")
        elif waited > limits.rate_window_s:
            if self._received < limits.min_rate * waited:
                self._end(f"slower than {limits.min_rate:,} bytes a second for {limits.rate_window_s:g} s")
            self._waited, self._received = 0.0, 0
            if since is not None:
                self._since = time.monotonic()

    def _end(self, verdict: str, *, cancelled: bool = False) -> None:
        self.cancelled = cancelled
        self.verdict = verdict  # before the socket is shut: a reader must not use what it gets afterwards
        self._shut()

    def _shut(self) -> None:
        """Shut the socket down below TLS: `SSLSocket.shutdown` drops decryption first, so reads return ciphertext."""
        sock = self._sock  # another thread may detach it meanwhile
        if sock is None:
            return
        line: socket.socket = getattr(sock, "socket", sock)  # urllib3 wraps it for TLS within TLS
        with contextlib.suppress(OSError):
            socket.socket.shutdown(line, socket.SHUT_RDWR)


class Watch:
    """The watcher of one client; its thread starts with the first exchange and ends with `close`."""

    def __init__(self, limits: Limits, cancel: threading.Event) -> None:
        self._limits = limits
        self._cancel = cancel
        self._live: set[Exchange] = set()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._current = threading.local()

    def attach(self, sock: socket.socket | None) -> None:
        """Attach the present thread's exchange to the socket that it uses; detach any earlier exchange from it."""
        exchange: Exchange | None = getattr(self._current, "exchange", None)
        if exchange is None:
            return
        with self._lock:
            for other in self._live:
                if other.has(sock):
                    other.detach()
            exchange.attach(sock)

    def ended(self) -> bool:
        """Return whether the present thread's exchange has been ended.

        For steps that the watcher cannot end, such as connecting.
        """
        exchange: Exchange | None = getattr(self._current, "exchange", None)
        if exchange is None:
            return False
        with self._lock:
            exchange.judge(self._limits, self._cancel)
        return exchange.verdict is not None

    @contextlib.contextmanager
    def sending(self, exchange: Exchange) -> Iterator[None]:
        """Assign the requests that the present thread sends in the block to `exchange`."""
        self._current.exchange = exchange
        try:
            yield
        finally:
            self._current.exchange = None

    def begin(self, abort: threading.Event | None) -> Exchange:
        """Start to watch one exchange; the caller ends it in a `finally`."""
        exchange = Exchange(abort)
        with self._lock:
            self._live.add(exchange)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="landing-watch", daemon=True)
                self._thread.start()
        return exchange

    def end(self, exchange: Exchange) -> None:
        """Stop watching an exchange."""
        with self._lock:
            self._live.discard(exchange)

    def close(self) -> None:
        """End the watching thread."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._closed.wait(TICK_S):
            with self._lock:  # for the whole round: an exchange that ends meanwhile frees its socket for another
                for exchange in self._live:
                    exchange.judge(self._limits, self._cancel)
