"""Progress bars for a terminal or a notebook: bytes, rate and time left of each download."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as Bars

from maxsight_assets.transport.options import Progress


@contextmanager
def progress_bars(console: Console | None = None) -> Iterator[Progress]:
    """Show a bar for each download under way; nothing if the output goes to a file.

    Args:
        console: Where to draw; standard error by default, so that output can be piped.

    Yields:
        The callback to pass as `Client(progress=...)`.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    tasks: dict[str, TaskID] = {}
    lock = threading.Lock()
    console = console or Console(stderr=True)
    with Bars(*columns, console=console, disable=not (console.is_terminal or console.is_jupyter)) as bars:

        def progress(label: str, done_bytes: int, total_bytes: int | None) -> None:
            with lock:
                if label not in tasks:
                    tasks[label] = bars.add_task(label, total=total_bytes)
            bars.update(tasks[label], completed=done_bytes, total=total_bytes)

        yield progress
