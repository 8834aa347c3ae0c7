"""Report the progress of downloads as log lines of a step, few enough to read."""

import threading
import time
from typing import Protocol

import dagster as dg

EVERY_S = 10.0
"""Seconds between two lines."""


class _Progress(Protocol):
    def __call__(self, label: str, done_bytes: int, total_bytes: int | None) -> None: ...


def progress_log(log: dg.DagsterLogManager, *, every_s: float = EVERY_S) -> _Progress:
    """Return a progress callback that logs bytes, rate and remaining time every few seconds."""
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
        log.info(f"{label}: {done_bytes / 1e6:,.0f}{of_total} MB, {rate / 1e6:,.1f} MB/s{left}")

    return progress
