"""Bounded work in threads: results in order with a few computed ahead, and a number of connections that adapts."""

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from maxsight_assets.errors import Cancelled
from maxsight_assets.transport.options import Progress
from maxsight_assets.transport.watch import TICK_S

Item = TypeVar("Item")
Result = TypeVar("Result")

PROGRESS_EVERY_S = 0.3


def in_order(
    work: Callable[[Item, threading.Event], Result], items: Iterable[Item], *, workers: int, ahead: int
) -> Generator[Result, None, None]:
    """Yield the results of `work(item, abort)` in the order of the items; at most `ahead` are begun and not yet taken.

    `abort` is set when the first error, or the end of the iteration, makes the rest pointless. An error that no retry
    mends sets it at once. An error that may pass sets it only in its turn, so that the results before it are not
    lost. Close the iterator (`contextlib.closing`) if it may be left before its end.
    """
    abort = threading.Event()
    begun: deque[Future[Result]] = deque()
    faults: list[BaseException] = []
    pool = ThreadPoolExecutor(workers, thread_name_prefix="landing")

    def watched(item: Item) -> Result:
        try:
            return work(item, abort)
        except BaseException as fault:
            if not getattr(fault, "retryable", False):
                faults.append(fault)
                abort.set()
            raise

    def taken() -> Result:
        try:
            return begun.popleft().result()
        except Cancelled:  # perhaps because of another item's error
            raise faults[0] from None

    try:
        for item in items:
            begun.append(pool.submit(watched, item))
            if len(begun) >= ahead:
                yield taken()
        while begun:
            yield taken()
    finally:
        abort.set()
        pool.shutdown(wait=True, cancel_futures=True)


class Throttle:
    """How many connections upstream bears: halved when it is busy, one more after a full round of successes.

    Args:
        most: Most connections.
        abort: Ends the wait for a connection when set.
    """

    def __init__(self, most: int, abort: threading.Event | None = None) -> None:
        self.most = most
        self._abort = abort or threading.Event()
        self._limit = float(most)
        self._used = 0
        self._cond = threading.Condition()
        self._cut_at = 0.0

    @property
    def limit(self) -> int:
        """Connections that are allowed now."""
        return max(1, int(self._limit))

    def __enter__(self) -> None:
        self.take(wait=True)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.give(success=kind is None)

    def take(self, *, wait: bool) -> bool:
        """Take a free connection; if there is none, wait for one or return False.

        Raises:
            Cancelled: `abort` was set while waiting; the connections in use may then never be given back.
        """
        with self._cond:
            while self._used >= self.limit:
                if not wait:
                    return False
                if self._abort.is_set():
                    raise Cancelled.of()
                self._cond.wait(TICK_S)
            self._used += 1
            return True

    def give(self, *, success: bool) -> None:
        """Give a connection back; `success` if it brought an object."""
        with self._cond:
            self._used -= 1
            if success:
                self._limit = min(self.most, self._limit + 1 / self._limit)
            self._cond.notify_all()

    def busy(self) -> None:
        """Halve the limit: upstream reports that it is busy. Reports within one second count once."""
        with self._cond:
            now = time.monotonic()
            if now - self._cut_at > 1.0:
                self._limit, self._cut_at = max(1.0, self._limit / 2), now


class Meter:
    """Counts bytes and reports them to a `Progress` a few times a second; thread-safe."""

    def __init__(self, progress: Progress | None, label: str, total: int | None, done: int = 0) -> None:
        self._progress = progress
        self._label = label
        self._total = total
        self._done = done
        self._lock = threading.Lock()
        self._next = 0.0

    def add(self, count: int) -> None:
        """Count `count` more bytes that have arrived."""
        if self._progress is None:
            return
        with self._lock:
            self._done += count
            now = time.monotonic()
            if now < self._next and self._done != self._total:
                return
            self._next = now + PROGRESS_EVERY_S
            done = self._done
        self._progress(self._label, done, self._total)
