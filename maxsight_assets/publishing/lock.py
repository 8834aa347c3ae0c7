"""One process writes a directory at a time: an operating system's lock, and a note that says who holds it.

The lock spares work; nothing relies on it. A file system whose locks do nothing is found out, and the caller is told.
"""

import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from maxsight_assets.disk import NO_LOCKS, SCRATCH, host, unique_name
from maxsight_assets.errors import Busy, Cancelled

_log = logging.getLogger(__name__)

_POLL_S = 0.1
"""How often a waiting process looks again, in seconds: short beside any landing, long beside a system call."""


@contextmanager
def hold(state: Path, *, target: Path, wait_s: float = 0.0, cancel: threading.Event | None = None) -> Iterator[bool]:
    """Hold the lock of a target while the block runs.

    Args:
        state: The directory that keeps the target's state; it must be there.
        target: The directory that the lock guards, for messages.
        wait_s: Seconds to wait for another holder.
        cancel: Ends the waiting when set.

    Yields:
        Whether the lock keeps others out: False where the file system's locks do nothing.

    Raises:
        Busy: Another process still holds it; the text names its process id.
        Cancelled: The event was set while waiting.
    """
    lock = FileLock(state / "lock")
    _acquire(lock, state / "holder.json", target=target, wait_s=wait_s, cancel=cancel)
    try:
        _sign(state)
        effective = _keeps_others_out(state / "lock")
        if not effective:
            _log.warning("%s: file locks do nothing here; do not let two runs write it at the same time", target)
        yield effective
    finally:
        try:
            (state / "holder.json").unlink(missing_ok=True)
        finally:  # on a drive that went away, too: this process may go on
            lock.release()


def _acquire(lock: FileLock, note: Path, *, target: Path, wait_s: float, cancel: threading.Event | None) -> None:
    deadline = time.monotonic() + wait_s
    pause = cancel or threading.Event()
    while True:
        if cancel is not None and cancel.is_set():
            raise Cancelled(f"{target}: cancelled while waiting for {_holder(note)}")
        try:
            _take(lock)
        except Timeout as error:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Busy(
                    f"{target}: {_holder(note)} is writing it; wait until it ends, or stop it, then rerun"
                ) from error
            pause.wait(min(_POLL_S, left))
        else:
            return


def _take(lock: FileLock) -> None:
    """Take the lock, where nobody has it; a file system that has no locks refuses to, and keeps nobody out.

    Raises:
        Timeout: Somebody has it.
    """
    try:
        lock.acquire(timeout=0)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise


def _sign(state: Path) -> None:
    note = {"pid": os.getpid(), "host": host(), "since": datetime.now(UTC).isoformat(timespec="seconds")}
    scratch = state / f"{SCRATCH}{unique_name()}"
    scratch.write_text(json.dumps(note, sort_keys=True), encoding="utf-8")
    scratch.replace(state / "holder.json")


def _holder(note: Path) -> str:
    with suppress(OSError, ValueError, KeyError):
        said = json.loads(note.read_text(encoding="utf-8"))
        return f"process {said['pid']} on {said['host']} (since {said['since']})"
    return "another process"


def _keeps_others_out(path: Path) -> bool:
    second = FileLock(path)
    try:
        _take(second)
    except Timeout:
        return True
    second.release()
    return False
