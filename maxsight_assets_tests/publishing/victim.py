"""A process that lands what it is told to, and is made to fail on the way: killed, or refused by the disk.

`python -m maxsight_assets_tests.publishing.victim` reads one order a line and forks a child for each, so that a fault
costs milliseconds and not an interpreter's start. `Victims` is the other end, for tests.
"""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maxsight_assets import disk
from maxsight_assets.publishing.maintenance import rollback
from maxsight_assets.publishing.manifest import Manifest
from maxsight_assets_tests.publishing.staged import land

CHANGES = {"os.rename", "os.link", "os.mkdir", "os.rmdir", "os.remove", "os.truncate", "os.symlink"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an order ended.

    Attributes:
        killed: Whether the child died by SIGKILL.
        error: Class name and text of what it raised; empty where it ended well.
        fetched: Paths that it had to write.
        changes: Number of changes to the file system that it tried.
    """

    killed: bool
    error: str = ""
    fetched: tuple[str, ...] = ()
    changes: int = 0


class Victims(AbstractContextManager["Victims"]):
    """Runs orders in children of one subprocess."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "maxsight_assets_tests.publishing.victim"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def __exit__(self, *exc: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def start(self, target: Path, files: Mapping[str, bytes], *, report: Path, **order: Any) -> int:
        """Begin an order; returns the child's process id.

        Args:
            target: Where to land.
            files: What to land.
            report: A file beside the test's data that the child writes its outcome to.
            **order: `keep`, `do` ("land", "rollback"), `at` and `fault` ("kill" or an errno's name: at the how manieth
                change, and all after it), `wait` (for SIGUSR1 before it begins), `renames` (no exchange), `nolock`.
        """
        report.unlink(missing_ok=True)
        texts = {path: data.decode("latin-1") for path, data in files.items()}
        assert self._process.stdin is not None
        self._process.stdin.write(
            json.dumps({"target": str(target), "files": texts, "report": str(report), **order}) + "\n"
        )
        self._process.stdin.flush()
        return int(self._line())

    def wait(self, report: Path) -> Outcome:
        """The outcome of the order that was begun last."""
        status = int(self._line())
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL
            return Outcome(killed=True)
        said = json.loads(report.read_text(encoding="utf-8"))
        return Outcome(killed=False, error=said["error"], fetched=tuple(said["fetched"]), changes=said["changes"])

    def run(self, target: Path, files: Mapping[str, bytes], *, report: Path, **order: Any) -> Outcome:
        """Do an order and wait for its end."""
        self.start(target, files, report=report, **order)
        return self.wait(report)

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the victims' process died"
        return line


class _Trap:
    """Counts changes to the file system; at the chosen one it kills, or fails from then on."""

    def __init__(self, at: int, fault: str) -> None:
        self.changes = 0
        self.armed = True
        self._at = at
        self._fault = fault

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if self.armed and (event in CHANGES or (event == "open" and self._writes(args))):
            self.step()

    def step(self) -> None:
        self.changes += 1
        if not self._at or self.changes < self._at:
            return
        if self._fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        number = getattr(errno, self._fault)
        raise OSError(number, os.strerror(number))

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def stepping(*args: Any) -> Any:
            self.step()
            answer = call(*args)
            self.step()
            return answer

        return stepping

    @staticmethod
    def _writes(args: tuple[Any, ...]) -> bool:
        return isinstance(args[2], int) and bool(args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def _obey(order: Mapping[str, Any]) -> None:
    trap = _Trap(order.get("at", 0), order.get("fault", "kill"))
    disk.sync_file_system = trap.around(disk.sync_file_system)
    if order.get("nolock"):
        fcntl.flock = lambda descriptor, how: None
    if order.get("renames"):
        disk.exchange = lambda one, other: False
    else:
        disk.exchange = trap.around(disk.exchange)
    if order.get("wait"):
        signal.sigwait({signal.SIGUSR1})
    fetched: list[str] = []
    error = ""
    sys.addaudithook(trap)
    try:
        if order.get("do") == "rollback":
            rollback(Path(order["target"]))
        else:
            files = {path: text.encode("latin-1") for path, text in order["files"].items()}
            land(
                Path(order["target"]),
                files,
                keep=order.get("keep", True),
                fetched=fetched,
                wait_s=order.get("wait_s", 0.0),
            )
    except Exception as raised:  # noqa: BLE001 - told to the test
        error = f"{type(raised).__name__}: {raised}"
    trap.armed = False
    said = json.dumps({"error": error, "fetched": fetched, "changes": trap.changes})
    try:
        Path(order["report"]).write_text(said, encoding="utf-8")
    except OSError:  # a fault that was meant for the landing hit the report
        Path(order["report"]).write_text(said, encoding="utf-8")


def main(orders: Iterable[str]) -> None:
    """Fork a child for each order; say its process id, then how it ended."""
    Manifest.of([], asset="", source="", selection={}, inputs={}).table()  # imports what a child would import each time
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})  # a child that waits for it must not die of it
    for line in orders:
        pid = os.fork()
        if pid == 0:
            _obey(json.loads(line))
            os._exit(0)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        sys.stdout.write(f"{os.waitpid(pid, 0)[1]}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.stdin)
