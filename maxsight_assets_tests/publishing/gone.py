"""A drive that goes away: from one call on, every call on a path below it, or on a file that is open there, fails."""

import builtins
import io
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

BY_PATH = [
    "open",
    "stat",
    "lstat",
    "scandir",
    "listdir",
    "mkdir",
    "unlink",
    "rmdir",
    "rename",
    "replace",
    "link",
    "utime",
    "statvfs",
]
BY_DESCRIPTOR = ["fsync", "read", "write", "fstat"]


class Drive:
    """Counts the calls on the drive.

    Attributes:
        calls: How many there were.
    """

    def __init__(self, root: Path, number: int, after: int) -> None:
        self.calls = 0
        self._root, self._number, self._after = str(root), number, after
        self._lock = threading.Lock()

    def meet(self, path: object) -> None:
        """Count a call on a path, and fail it once the drive is away."""
        if isinstance(path, int):
            try:
                path = os.readlink(f"/proc/self/fd/{path}")  # noqa: PTH115
            except OSError:
                return
        if not isinstance(path, str | os.PathLike) or not str(path).startswith(self._root):
            return
        with self._lock:
            self.calls += 1
            away = self.calls > self._after
        if away:
            raise OSError(self._number, os.strerror(self._number), str(path))


@contextmanager
def drive(root: Path, number: int, *, after: int) -> Iterator[Drive]:
    """Take the drive with `root` away after so many calls; every later call answers the errno `number`."""
    gone = Drive(root, number, after)

    def watched(call: Callable[..., Any]) -> Callable[..., Any]:
        def watching(path: Any = ".", *args: Any, **kwargs: Any) -> Any:
            gone.meet(path)
            return call(path, *args, **kwargs)

        return watching

    with pytest.MonkeyPatch.context() as patch:
        for name in BY_PATH + BY_DESCRIPTOR:
            patch.setattr(os, name, watched(getattr(os, name)))
        opened = watched(io.open)
        patch.setattr(io, "open", opened)
        patch.setattr(builtins, "open", opened)
        yield gone
