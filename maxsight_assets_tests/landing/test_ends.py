"""How a download ends before its end: what is kept, and how soon."""

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from maxsight_assets.errors import Cancelled
from maxsight_assets.landing.guard import Guard
from maxsight_assets.landing.http import Address, Http
from maxsight_assets.landing.model import RemoteFile
from maxsight_assets.landing.reply import Ask
from maxsight_assets.landing.watch import Watch
from maxsight_assets_tests.landing.net_tools import PATIENT, certificate, quick_client, some_bytes
from maxsight_assets_tests.servers import LyingServer, wait_until

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
    before, now = watch.begin(abort), watch.begin(None)
    for exchange in (before, now):
        with watch.sending(exchange):
            watch.attach(near)
    abort.set()
    wait_until(lambda: before.verdict is not None, "it was not ended")
    watch.end(before)  # waits for the watcher
    with near, far:
        far.sendall(b"x")
        assert near.recv(1) == b"x"
    assert now.verdict is None
    watch.close()
