"""Show the progress of downloads: bars in a terminal or a notebook, elsewhere a line every few seconds."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as Bars

from maxsight_assets.transport.options import Progress

EVERY_S = 10.0
"""Seconds between two lines."""


def progress_lines(say: Callable[[str], object], *, every_s: float = EVERY_S) -> Progress:
    """Return a callback, for `Client(progress=...)`, that says bytes, rate and time left every few seconds."""
    lock = threading.Lock()
    started: dict[str, tuple[float, int]] = {}
    said = [time.monotonic()]

    def progress(label: str, done_bytes: int, total_bytes: int | None) -> None:
        now = time.monotonic()
        with lock:
            since, first = started.setdefault(label, (now, done_bytes))
            if now - said[0] < every_s:
                return
            said[0] = now
        rate = (done_bytes - first) / max(now - since, 1e-3)
        of_total = f" of {total_bytes / 1e6:,.0f}" if total_bytes else ""
        left = f", {(total_bytes - done_bytes) / rate:,.0f} s left" if total_bytes and rate else ""
        say(f"{label}: {done_bytes / 1e6:,.0f}{of_total} MB, {rate / 1e6:,.1f} MB/s{left}")

    return progress


@contextmanager
def progress_bars(console: Console | None = None) -> Iterator[Progress]:
    """Show a bar for each download under way; if the output goes to a file, a line every few seconds.

    Args:
        console: Where to draw; standard error by default, so that output can be piped.

    Yields:
        The callback to pass as `Client(progress=...)`.
    """
    console = console or Console(stderr=True)
    if not (console.is_terminal or console.is_jupyter):
        yield progress_lines(lambda text: console.print(text, markup=False, soft_wrap=True))
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    tasks: dict[str, TaskID] = {}
    lock = threading.Lock()
    with Bars(*columns, console=console) as bars:

        def progress(label: str, done_bytes: int, total_bytes: int | None) -> None:
            with lock:
                if label not in tasks:
                    tasks[label] = bars.add_task(label, total=total_bytes)
            bars.update(tasks[label], completed=done_bytes, total=total_bytes)

        yield progress
