"""Many small objects: two threads, each with its own connections, fetch the regular ones, judge them and write them.

The short way is a plain GET whose answer is whole, has a stated length and matches what is known of the object. After
a redirect, a long body or a fault, the object is fetched again the careful way (`transport.transfer`), in other
threads. The two threads both fetch and write. With a thread for each connection, or with separate threads to write,
most time would go into passing objects and the interpreter's lock around.
"""

import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty, SimpleQueue

from maxsight_assets.errors import Cancelled
from maxsight_assets.remote import Landed, Missing, RemoteFile
from maxsight_assets.transport.address import Address
from maxsight_assets.transport.connections import Answer, Connections
from maxsight_assets.transport.integrity import Unfit
from maxsight_assets.transport.parallel import Throttle
from maxsight_assets.transport.reply import Again
from maxsight_assets.transport.watch import TICK_S

Pair = tuple[RemoteFile, Path]
Result = Landed | Missing
Why = Again | Unfit | None
"""The fault of the answer that made the careful way necessary; None if it was no such fault."""

THREADS = 2
"""They hash and write outside the interpreter's lock; more threads would wait for it."""

_AHEAD = 8
"""Objects that may be requested and not yet taken by the caller, as a multiple of the connections."""


class _Work:
    """The state that the threads share.

    Args:
        files: As in `fetch_many`, like the other arguments.
    """

    def __init__(
        self,
        files: Iterable[Pair],
        throttle: Throttle,
        *,
        short: Callable[[RemoteFile], Address | None],
        land: Callable[[Pair, Answer], Result | None],
        careful: Callable[[Pair, Why], Result],
        abort: threading.Event,
    ) -> None:
        self._todo = iter(files)
        self._throttle = throttle
        self._short = short
        self._land = land
        self._careful = careful
        self._abort = abort
        self._pool = ThreadPoolExecutor(throttle.most, thread_name_prefix="landing-careful")
        self._changed = threading.Condition()
        self._begun = 0
        self._ended = False
        self._done: SimpleQueue[tuple[RemoteFile, Result] | BaseException] = SimpleQueue()

    @property
    def over(self) -> bool:
        """Whether nothing is left to request and the caller has taken all results."""
        with self._changed:
            return self._ended and not self._begun

    def turn(self, connections: Connections[Pair], *, wait: bool) -> bool:
        """Request more on free connections and handle the answers; return whether anything was under way on them."""
        self._ask(connections, wait=wait)
        if not connections.under_way:
            return False
        arrived = list(connections.arrived())
        for _, answer in arrived:
            self._throttle.give(success=answer is not None and answer.status < 400)
        self._ask(connections, wait=False)  # before judging: upstream works meanwhile
        for pair, answer in arrived:
            self._judge(pair, answer)
        return True

    def drive(self, connections: Connections[Pair]) -> None:
        """Take turns until nothing is left to request; an error is handed to the caller."""
        try:
            while not self._abort.is_set() and (self.turn(connections, wait=True) or not self._ended):
                pass
        except BaseException as error:  # noqa: BLE001 -- raised by `taken`
            self._done.put(error)

    def taken(self, *, wait_s: float) -> Generator[tuple[RemoteFile, Result]]:
        """Yield finished objects with their results; wait at most `wait_s` for the first one."""
        try:
            each = self._done.get(timeout=wait_s) if wait_s else self._done.get_nowait()
            while True:
                if isinstance(each, BaseException):
                    raise each
                with self._changed:
                    self._begun -= 1
                    self._changed.notify()
                yield each
                each = self._done.get_nowait()
        except Empty:
            return

    def close(self) -> None:
        """Wait for the objects that are being fetched the careful way."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _ask(self, connections: Connections[Pair], *, wait: bool) -> None:
        while connections.free and not self._abort.is_set() and self._throttle.take(wait=False):
            pair = self._next(wait=wait and not connections.under_way)
            address = pair and self._short(pair[0])
            if pair is not None and address is not None:
                connections.get(pair, address)
                continue
            self._throttle.give(success=False)  # nothing was requested
            if pair is None:
                return
            self._hand(pair, None)
        if wait and not connections.under_way:
            self._abort.wait(TICK_S)  # upstream is busy: the other thread has all the connections that it bears

    def _next(self, *, wait: bool) -> Pair | None:
        """Return the next object; None if there is none, or if the caller has too many results to take."""
        with self._changed:
            if wait and self._begun >= _AHEAD * self._throttle.most:
                self._changed.wait(TICK_S)
            if self._ended or self._begun >= _AHEAD * self._throttle.most:
                return None
            pair = next(self._todo, None)
            if pair is None:
                self._ended = True
            else:
                self._begun += 1
            return pair

    def _judge(self, pair: Pair, answer: Answer | None) -> None:
        why: Why = None
        if answer is not None:
            try:
                result = self._land(pair, answer)
            except (Again, Unfit) as fault:
                why = fault
            else:
                if result is not None:
                    self._done.put((pair[0], result))
                    return
        self._hand(pair, why)

    def _hand(self, pair: Pair, why: Why) -> None:
        def fetch() -> None:
            try:
                self._done.put((pair[0], self._careful(pair, why)))
            except BaseException as error:  # noqa: BLE001 -- raised by `taken`
                self._done.put(error)

        self._pool.submit(fetch)


def fetch_many(
    files: Iterable[Pair],
    connections: Sequence[Connections[Pair]],
    throttle: Throttle,
    *,
    short: Callable[[RemoteFile], Address | None],
    land: Callable[[Pair, Answer], Result | None],
    careful: Callable[[Pair, Why], Result],
    cancel: threading.Event,
    abort: threading.Event,
) -> Generator[tuple[RemoteFile, Result]]:
    """Fetch each object once; see `client.Client.download_many`.

    Args:
        files: Objects and the paths to write; read as connections become free, by one thread at a time.
        connections: Those of the short way, one `Connections` a thread; the first belongs to the caller's thread.
        throttle: Counts the connections of both ways.
        short: Returns the address of an object for the short way; None if it must go the careful way.
        land: Judges and writes an answer of the short way; None, `Again` or `Unfit` sends the object the careful way.
        careful: Fetches an object the careful way.
        cancel: Ends the work when set.
        abort: Set at the end, whatever ended the work, so that what is under way is given up.

    Yields:
        Each object with its result, in the order of completion.
    """
    work = _Work(files, throttle, short=short, land=land, careful=careful, abort=abort)
    own, *others = connections
    helpers = [threading.Thread(target=work.drive, args=(each,), name="landing-many") for each in others]
    try:
        if cancel.is_set():
            raise Cancelled.of()
        for helper in helpers:
            helper.start()
        while not work.over:
            busy = work.turn(own, wait=False)
            if cancel.is_set():
                raise Cancelled.of()
            yield from work.taken(wait_s=0 if busy else TICK_S)
    finally:
        abort.set()
        for helper in helpers:
            if helper.ident:
                helper.join()
        work.close()
