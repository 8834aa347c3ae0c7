"""Many small objects: libcurl brings what is regular in one thread, a few others judge and write it.

The short way is a plain GET whose answer is whole, of a stated length, and what is known of the object. Redirects, long
bodies and faults are not: each such object is fetched again by the caller, the careful way (`landing.transfer`).
"""

import contextlib
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import Empty, SimpleQueue

from maxsight_assets.errors import Cancelled
from maxsight_assets.landing.http import Address
from maxsight_assets.landing.lines import Answer, Lines
from maxsight_assets.landing.model import Landed, Missing, RemoteFile
from maxsight_assets.landing.parallel import Throttle
from maxsight_assets.landing.watch import TICK_S

Pair = tuple[RemoteFile, Path]
Result = Landed | Missing


def fetch_many(
    files: Iterable[Pair],
    lines: Lines[Pair],
    throttle: Throttle,
    *,
    short: Callable[[RemoteFile], Address | None],
    finish: Callable[[Pair, Answer | None], Result],
    cancel: threading.Event,
    abort: threading.Event,
) -> Generator[tuple[RemoteFile, Result]]:
    """Fetch each object once; see `client.Client.download_many`.

    Args:
        files: Objects and where they go; read as connections get free.
        lines: The connections of the short way.
        throttle: Counts the connections of both ways.
        short: Where the short way may ask for an object; None where it may not.
        finish: Called in threads, with what the short way brought: judges and writes it, or goes the careful way.
        cancel: Ends it when set.
        abort: Set at the end, whatever ended it, so that what `finish` still does is given up.

    Yields:
        Each object with what became of it, in the order of completion.
    """
    begun: dict[Future[Result], RemoteFile] = {}
    done: SimpleQueue[Future[Result]] = SimpleQueue()  # futures.wait would look at all of them each time
    pool = ThreadPoolExecutor(throttle.most, thread_name_prefix="landing-many")
    todo = iter(files)
    pair = next(todo, None)

    def hand(pair: Pair, answer: Answer | None) -> None:
        future = pool.submit(finish, pair, answer)
        begun[future] = pair[0]
        future.add_done_callback(done.put)

    try:
        while pair or begun or lines:
            while pair and len(begun) + len(lines) < 2 * throttle.most:
                address = short(pair[0])
                if address is None:
                    hand(pair, None)
                elif throttle.take(wait=False):
                    lines.get(pair, address)
                else:
                    break
                pair = next(todo, None)
            if lines:
                for each, answer in lines.arrived():
                    throttle.give()
                    hand(each, answer)
            if cancel.is_set():
                raise Cancelled("cancelled; what arrived is kept, rerun to resume")
            for future in _taken(done, wait_s=0 if lines else TICK_S):
                yield begun.pop(future), future.result()
    finally:
        abort.set()
        pool.shutdown(wait=True, cancel_futures=True)


def _taken(done: SimpleQueue[Future[Result]], *, wait_s: float) -> Iterator[Future[Result]]:
    """Futures that are done, the first of them waited for."""
    with contextlib.suppress(Empty):
        yield done.get(timeout=wait_s) if wait_s else done.get_nowait()
        while True:
            yield done.get_nowait()
