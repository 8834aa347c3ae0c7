"""How a download ends before its end: what is kept, and how soon."""

import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from maxsight_assets.errors import Cancelled, LandingError, TransientError, VerificationFailed
from maxsight_assets.remote import RemoteFile
from maxsight_assets.transport import pools
from maxsight_assets.transport.address import Address
from maxsight_assets.transport.guard import Guard
from maxsight_assets.transport.http import Http
from maxsight_assets.transport.reply import Ask
from maxsight_assets.transport.watch import Watch
from maxsight_assets_tests.servers import lying
from maxsight_assets_tests.servers.lying import LyingServer
from maxsight_assets_tests.servers.processes import wait_until
from maxsight_assets_tests.transport.net_tools import PATIENT, QUICK, certificate, quick_client, some_bytes, soon

DATA = some_bytes(600_000)
"""More than is read at a time, and so little that the server can send all of it while nobody reads."""


@pytest.fixture
def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LyingServer]:
    """The lying server behind TLS that is trusted."""
    chain, context = certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(chain))
    with LyingServer(tls=context) as server:
        yield server


@pytest.fixture
def shut(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set as soon as a socket has been shut down."""
    happened, shutdown = threading.Event(), socket.socket.shutdown

    def told(self: socket.socket, how: int) -> None:
        shutdown(self, how)
        happened.set()

    monkeypatch.setattr(socket.socket, "shutdown", told)
    return happened


def test_what_a_cancelled_download_over_tls_keeps_is_a_prefix_of_the_object(
    secure: LyingServer, tmp_path: Path, shut: threading.Event
) -> None:
    cancel = threading.Event()
    file, kept = RemoteFile("a", secure.publish("a", DATA)), tmp_path / "got.partial"

    def progress(*_: object) -> None:
        cancel.set()
        assert shut.wait(60)  # much of the body is in the kernel's buffer now, and still encrypted

    with (
        quick_client(secure.host, limits=PATIENT, cancel=cancel, progress=progress) as client,
        pytest.raises(Cancelled, match="rerun to resume"),
    ):
        client.download(file, tmp_path / "got")
    assert DATA.startswith(kept.read_bytes())
    begun = kept.stat().st_size
    with quick_client(secure.host) as client:
        client.download(file, tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == DATA
    assert [request.range for request in secure.requests] == [None, f"bytes={begun}-"]


@pytest.mark.parametrize("server", ["liar", "secure"])
def test_nothing_is_given_out_of_an_answer_that_was_ended(
    request: pytest.FixtureRequest, server: str, shut: threading.Event
) -> None:
    upstream: LyingServer = request.getfixturevalue(server)
    url, cancel = upstream.publish("a", DATA), threading.Event()
    watch = Watch(PATIENT, cancel)
    http = Http(PATIENT, Guard(frozenset({upstream.host})), watch)
    reply = http.open(Address(url, ""), Ask())
    chunks = reply.chunks()
    assert DATA.startswith(next(chunks))
    cancel.set()
    assert shut.wait(60)
    with pytest.raises(Cancelled):
        next(chunks)
    reply.close()
    http.close()
    watch.close()


def test_tls_that_is_closed_under_a_reader_counts_as_a_broken_line(
    secure: LyingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = RemoteFile("a", secure.publish("a", DATA))
    reads, read = iter(range(1 << 20)), ssl.SSLSocket.read

    def closed_once(self: ssl.SSLSocket, *args: object) -> object:
        if next(reads) == 20:
            raise ValueError("Read on closed or unwrapped SSL socket.")
        return read(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(ssl.SSLSocket, "read", closed_once)
    with quick_client(secure.host) as client:
        client.download(file, tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == DATA
    assert len(secure.requests) == 2


def test_an_exchange_that_is_ended_leaves_the_socket_alone_that_another_has_now() -> None:
    abort, watch = threading.Event(), Watch(PATIENT, threading.Event())
    near, far = socket.socketpair()
    before, now, third = watch.begin(abort), watch.begin(None), watch.begin(None)
    for exchange, sock in ((before, near), (now, near), (third, None)):
        with watch.sending(exchange):
            watch.attach(sock)
    abort.set()
    wait_until(lambda: before.verdict is not None, "it was not ended")
    watch.end(before)  # waits for the watcher
    with near, far:
        far.sendall(b"x")
        assert near.recv(1) == b"x"
    assert now.verdict is None
    assert now.has(near)
    watch.close()


@pytest.mark.parametrize("at", [0, 100_000])
def test_a_range_that_is_refused_ends_the_waits_of_the_others(liar: LyingServer, tmp_path: Path, at: int) -> None:
    busy = lying.status("503 Slow Down", {"Retry-After": "300"})
    refused = lying.after(lambda: len(liar.requests) >= 5, lying.status("403 Forbidden"))

    async def by_range(call: lying.Call) -> None:
        start, _ = call.part() or (None, None)
        await (lying.honest if start is None else refused if start == at else busy)(call)

    url = liar.publish("a", DATA, *[by_range] * 50)
    limits = replace(PATIENT, connections=4, part_bytes=50_000, parallel_from=100_000)
    with soon(), quick_client(liar.host, limits=limits) as client, pytest.raises(LandingError, match="403 Forbidden"):
        client.download(RemoteFile("a", url), tmp_path / "got")
    assert len(liar.requests) <= 6  # the thread that met the refusal may have begun one more


def test_a_range_that_is_longer_than_it_says_is_a_wrong_one(liar: LyingServer, tmp_path: Path) -> None:
    """A part of which more comes than was asked for is no part; the whole is fetched anew, in one stream."""

    async def longer(call: lying.Call) -> None:
        line, headers, body = call.answer()
        if line.startswith("206"):
            headers.pop("Content-Length")
            body += b"more"
            headers["Transfer-Encoding"] = "chunked"
            body = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
        await call.head(line, headers)
        await call.send(body)

    url = liar.publish("a", DATA, *[longer] * 50)
    limits = replace(QUICK, part_bytes=50_000, parallel_from=100_000)
    file = RemoteFile("a", url)
    with quick_client(liar.host, limits=limits) as client:
        client.download(file, tmp_path / "got")
        with pytest.raises(VerificationFailed, match="more than the 100 bytes"):
            client.read_range(file, 10, 100, probe=client.probe(file))
    assert (tmp_path / "got").read_bytes() == DATA


class Silent:
    """A loopback address whose system answers no call: its queue of callers is full; a context manager."""

    def __enter__(self) -> int:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        self._callers = [socket.socket() for _ in range(8)]
        for caller in self._callers:
            caller.setblocking(False)
            caller.connect_ex(self._listener.getsockname())
        return int(self._listener.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        for each in (*self._callers, self._listener):
            each.close()


def test_silent_addresses_of_a_host_share_the_time_to_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Guard, "resolve", lambda *_: ["127.0.0.1"] * 500)
    with Silent() as port:
        limits = replace(PATIENT, connect_timeout_s=1, attempts=1)
        told = pytest.raises(TransientError, match="timed out")
        with soon(), quick_client(f"127.0.0.1:{port}", limits=limits) as client, told:
            client.probe(RemoteFile("a", f"http://127.0.0.1:{port}/a"))


def test_a_silent_address_leaves_time_for_the_next(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with Silent() as port, LyingServer("127.0.0.2") as other:
        called: list[tuple[str, int]] = []
        connect = pools.create_connection

        def elsewhere(address: tuple[str, int], *args: Any, **kwargs: Any) -> socket.socket:
            called.append(address)
            host, _, known = other.host.partition(":")
            return connect((host, int(known)) if address[0] == host else ("127.0.0.1", port), *args, **kwargs)

        monkeypatch.setattr(pools, "create_connection", elsewhere)
        monkeypatch.setattr(Guard, "resolve", lambda *_: ["127.0.0.1", "127.0.0.2"])
        url = other.publish("a", DATA)
        limits = replace(QUICK, connect_timeout_s=4)
        with quick_client(other.host, limits=limits) as client:
            client.download(RemoteFile("a", url), tmp_path / "got")
    assert [host for host, _ in called] == ["127.0.0.1", "127.0.0.2"]


def test_a_cancel_while_connecting_tries_no_further_address(liar: LyingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    url, cancel = liar.publish("a", DATA), threading.Event()

    def connected(*_: object, **__: object) -> socket.socket:
        assert not cancel.is_set()
        cancel.set()
        raise TimeoutError("timed out")

    monkeypatch.setattr(pools, "create_connection", connected)
    monkeypatch.setattr(Guard, "resolve", lambda *_: ["127.0.0.1"] * 4)
    with quick_client(liar.host, cancel=cancel) as client, pytest.raises(Cancelled):
        client.probe(RemoteFile("a", url))
    assert liar.requests == []


def test_the_handshake_of_tls_has_all_of_its_time_however_many_addresses_there_are(
    secure: LyingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, wrap = secure.publish("a", DATA), ssl.SSLContext.wrap_socket
    times: list[float | None] = []

    def noted(self: ssl.SSLContext, sock: socket.socket, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        times.append(sock.gettimeout())
        return wrap(self, sock, *args, **kwargs)

    monkeypatch.setattr(ssl.SSLContext, "wrap_socket", noted)
    monkeypatch.setattr(Guard, "resolve", lambda *_: ["127.0.0.1"] * 4)
    with quick_client(secure.host, limits=QUICK) as client:
        client.probe(RemoteFile("a", url))
    assert times == [QUICK.connect_timeout_s]
