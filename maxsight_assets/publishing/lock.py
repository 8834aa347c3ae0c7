"""Lets one process write a directory at a time: a lock of the operating system, and a note that names its holder.

The lock saves work; nothing relies on it. `hold` detects a file system whose locks do nothing and reports it.
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
"""Seconds between two tries of a waiting process: short compared with a landing, long compared with a system call."""


@contextmanager
def hold(state: Path, *, target: Path, wait_s: float = 0.0, cancel: threading.Event | None = None) -> Iterator[bool]:
    """Hold the lock of a target while the block runs.

    Args:
        state: The directory that keeps the target's state; it must exist.
        target: The directory that the lock guards, for messages.
        wait_s: Seconds to wait for another holder.
        cancel: Ends the wait when set.

    Yields:
        Whether the lock keeps others out: False if the file system's locks do nothing.

    Raises:
        Busy: Another process still holds the lock; the text names its process id.
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
        finally:  # also if the drive went away: this process may go on
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
    """Take the lock if it is free; go on without it if the file system has no locks.

    Raises:
        Timeout: Another process holds it.
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
