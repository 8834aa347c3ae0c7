"""How a run over many objects ends, and goes on: while upstream holds the connections, is busy, or answers oddly."""

import asyncio
import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from maxsight_assets.errors import Cancelled
from maxsight_assets.remote import Landed, Missing, RemoteFile
from maxsight_assets.transport.address import Address
from maxsight_assets.transport.connections import Answer, Connections
from maxsight_assets.transport.guard import Guard
from maxsight_assets.transport.many import Pair, Why, fetch_many
from maxsight_assets.transport.parallel import Throttle
from maxsight_assets.transport.reply import Again
from maxsight_assets_tests.servers import lying
from maxsight_assets_tests.servers.lying import LyingServer
from maxsight_assets_tests.transport.net_tools import QUICK, pinned, quick_client, some_bytes

DATA = some_bytes(10_000)
PATIENT = replace(QUICK, header_timeout_s=3600, rate_window_s=3600)
"""Gives no silent answer up while a test lasts."""

Came = Generator[tuple[RemoteFile, Landed | Missing]]
End = Callable[[Came, threading.Event], None]


def in_time(do: Callable[[], None]) -> None:
    """Do it in a thread, so that a run which never ends is an error and no standstill."""
    done: Future[None] = Future()

    def run() -> None:
        try:
            done.set_result(do())
        except BaseException as error:  # noqa: BLE001 -- raised by the caller
            done.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    done.result(timeout=120)


def is_cancelled(came: Came, cancel: threading.Event) -> None:
    next(came)
    cancel.set()
    with pytest.raises(Cancelled):
        next(came)


def is_left(came: Came, _: threading.Event) -> None:
    next(came)
    came.close()


def meets_an_error_of_the_disk(came: Came, _: threading.Event) -> None:
    with pytest.raises(OSError, match="good"):
        next(came)


@pytest.mark.parametrize("end", [is_cancelled, is_left, meets_an_error_of_the_disk])
def test_a_run_ends_while_objects_wait_for_a_connection(liar: LyingServer, tmp_path: Path, end: End) -> None:
    """Of four connections a busy answer leaves two, upstream is silent on all, and two objects wait for one."""

    def waiting() -> int:
        return sum(thread.name.startswith("landing-careful") for thread in threading.enumerate())

    async def late(call: lying.Call) -> None:
        while waiting() < 2:
            await asyncio.sleep(0.01)
        await lying.honest(call)

    first = {"busy": lying.status("503 Slow Down"), "moved": lying.redirect("/0"), "good": late}
    urls = [liar.publish(key, DATA, fault) for key, fault in first.items()]
    urls += [liar.publish(f"{n}", DATA, *[lying.silent()] * 9) for n in range(20)]
    wanted = [(pinned(url, DATA), tmp_path / url.rpartition("/")[2]) for url in urls]
    if end is meets_an_error_of_the_disk:
        (tmp_path / "good").mkdir()
    cancel = threading.Event()

    def run() -> None:
        with quick_client(liar.host, limits=PATIENT, cancel=cancel) as client:
            end(client.download_many(wanted, connections=4), cancel)  # type: ignore[arg-type]

    in_time(run)


def test_while_upstream_is_busy_no_connection_is_added(liar: LyingServer, tmp_path: Path) -> None:
    wanted = [
        (RemoteFile(f"{n}", liar.publish(f"{n}", DATA, lying.status("503 Slow Down"))), tmp_path) for n in range(60)
    ]
    throttle, limits = Throttle(8), []

    def land(_: Pair, answer: Answer) -> None:
        throttle.busy()
        raise Again(answer.said, busy=True)

    def careful(pair: Pair, why: Why) -> Missing:
        limits.append(throttle.limit)
        return Missing(pair[0], str(why))

    connections = Connections[Pair](Guard(frozenset({liar.host})), QUICK, most=8, most_bytes=1 << 20)
    came = fetch_many(
        wanted,
        [connections],
        throttle,
        short=lambda file: Address(file.url, ""),
        land=land,
        careful=careful,
        cancel=threading.Event(),
        abort=threading.Event(),
    )
    assert len(list(came)) == 60
    connections.close()
    assert max(limits) <= 4
