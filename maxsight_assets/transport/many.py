"""Many small objects: two threads, each with connections of its own, bring what is regular, judge it and write it.

The short way is a plain GET whose answer is whole, of a stated length, and what is known of the object. Redirects, long
bodies and faults are not: each such object is fetched again the careful way (`transport.transfer`), in other threads. A
thread a connection, or one that brings and others that write, spend most of their time passing objects and the
interpreter's lock around.
"""

import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty, SimpleQueue

from maxsight_assets.errors import Cancelled
from maxsight_assets.remote import Landed, Missing, RemoteFile
from maxsight_assets.transport.address import Address
from maxsight_assets.transport.judge import Unfit
from maxsight_assets.transport.lines import Answer, Lines
from maxsight_assets.transport.parallel import Throttle
from maxsight_assets.transport.reply import Again
from maxsight_assets.transport.watch import TICK_S

Pair = tuple[RemoteFile, Path]
Result = Landed | Missing
Why = Again | Unfit | None
"""What made the careful way necessary, where it is a fault of the answer."""

THREADS = 2
"""They hash and write outside of the interpreter's lock; more would wait for it."""

_AHEAD = 8
"""Objects that may be asked for and not yet taken by the caller, in multiples of the connections."""


class _Work:
    """What the threads share.

    Args:
        files: As in `fetch_many`, and so are the others.
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
        """Whether nothing is left to ask for and all has been taken."""
        with self._changed:
            return self._ended and not self._begun

    def turn(self, lines: Lines[Pair], *, wait: bool) -> bool:
        """Ask for more on free connections, and deal with what has arrived; whether anything is under way on them."""
        self._ask(lines, wait=wait)
        if not lines:
            return False
        arrived = list(lines.arrived())
        for _, answer in arrived:
            self._throttle.give(success=answer is not None and answer.status < 400)
        self._ask(lines, wait=False)  # before the processor is used: upstream works meanwhile
        for pair, answer in arrived:
            self._judge(pair, answer)
        return True

    def drive(self, lines: Lines[Pair]) -> None:
        """Take turns until nothing is left to ask for; an error is for the caller."""
        try:
            while not self._abort.is_set() and (self.turn(lines, wait=True) or not self._ended):
                pass
        except BaseException as error:  # noqa: BLE001 -- raised by `taken`
            self._done.put(error)

    def taken(self, *, wait_s: float) -> Generator[tuple[RemoteFile, Result]]:
        """What became of objects that are done with, the first of them waited for."""
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
        """Wait for what is being fetched the careful way."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _ask(self, lines: Lines[Pair], *, wait: bool) -> None:
        while lines.free and not self._abort.is_set() and self._throttle.take(wait=False):
            pair = self._next(wait=wait and not lines)
            address = pair and self._short(pair[0])
            if pair is not None and address is not None:
                lines.get(pair, address)
                continue
            self._throttle.give(success=False)  # nothing was asked for
            if pair is None:
                return
            self._hand(pair, None)
        if wait and not lines:
            self._abort.wait(TICK_S)  # upstream is busy: others have all the connections that it bears

    def _next(self, *, wait: bool) -> Pair | None:
        """The next object; None where there is none, or the caller takes none, for the moment."""
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
    lines: Sequence[Lines[Pair]],
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
        files: Objects and where they go; read as connections get free, by one thread at a time.
        lines: The connections of the short way, of one thread each; the first are the caller's.
        throttle: Counts the connections of both ways.
        short: Where the short way may ask for an object; None where it may not.
        land: Judges and writes what the short way brought; None, `Again` or `Unfit` where that is for the careful way.
        careful: Fetches an object the careful way.
        cancel: Ends it when set.
        abort: Set at the end, whatever ended it, so that what is under way is given up.

    Yields:
        Each object with what became of it, in the order of completion.
    """
    work = _Work(files, throttle, short=short, land=land, careful=careful, abort=abort)
    own, *others = lines
    helpers = [threading.Thread(target=work.drive, args=(each,), name="landing-many") for each in others]
    try:
        for helper in helpers:
            helper.start()
        while not work.over:
            busy = work.turn(own, wait=False)
            if cancel.is_set():
                raise Cancelled("cancelled; what arrived is kept, rerun to resume")
            yield from work.taken(wait_s=0 if busy else TICK_S)
    finally:
        abort.set()
        for helper in helpers:
            if helper.ident:
                helper.join()
        work.close()
