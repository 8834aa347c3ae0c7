"""A DAGSTER_HOME with this project's dagster.yaml, and real processes that run the test's code location in it.

Processes are forked from a server that has imported Dagster, which takes seconds, once.
"""

import multiprocessing
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import dagster as dg
import psutil

from maxsight_assets_tests.defs.running import location

REPOSITORY = Path(__file__).parents[3]
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([location.__name__])


@dataclass
class Home:
    """One DAGSTER_HOME.

    Attributes:
        root: Everything is below: the records in `home`, the story of the code location, what processes print.
        started: The processes that this test started; those that are left are killed in the end.
    """

    root: Path
    started: list[ForkServerProcess] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.story.mkdir()
        (self.root / "home").mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / "dagster.yaml", self.root / "home")

    @property
    def story(self) -> Path:
        return self.root / "story"

    @cached_property
    def instance(self) -> dg.DagsterInstance:
        return dg.DagsterInstance.from_config(str(self.root / "home"))

    def materialize(self, *assets: str, log: str = "log", **environment: str) -> ForkServerProcess:
        """Start the command that materializes assets."""
        where = {"DAGSTER_HOME": str(self.root / "home"), "STORY_DIR": str(self.story), **environment}
        process = FORKS.Process(target=_command, args=(assets, where, self.root / log))
        process.start()
        self.started.append(process)
        return process

    def landing(self, asset: str, **environment: str) -> ForkServerProcess:
        """Start that command, and return once the asset is landing; it will not end while `hold` is there."""
        (self.story / "hold").touch()
        process = self.materialize(asset, log=f"{asset}.landing", **environment)
        until(lambda: self.pid_of(asset) is not None, "a landing", self.said)
        return process

    def pid_of(self, asset: str) -> int | None:
        """The process that lands an asset, or landed it last."""
        path = self.story / f"{asset}.pid"
        return int(path.read_text()) if path.exists() and path.read_text() else None

    def let_go(self) -> None:
        """Let what is landing end."""
        (self.story / "hold").unlink()

    def lines(self, log: str, word: str) -> list[str]:
        """The lines with a word that a process printed."""
        path = self.root / log
        return [line for line in path.read_text().splitlines() if word in line] if path.exists() else []

    def said(self) -> str:
        """All that the processes printed."""
        return "\n".join(path.read_text(errors="replace") for path in self.root.iterdir() if path.is_file())

    def statuses(self) -> list[str]:
        """How each run stands, oldest first."""
        return [each.dagster_run.status.value for each in self.instance.get_run_records(ascending=True)]

    def held(self) -> dict[str, tuple[int, int]]:
        """Claimed slots and pending steps of each pool that has any."""
        pools = self.instance.event_log_storage.get_concurrency_infos(list(location.NAMES))
        counts = {name: (len(pool.claimed_slots), len(pool.pending_steps)) for name, pool in pools.items()}
        return {name: count for name, count in counts.items() if any(count)}

    def end(self) -> None:
        """Kill what is left of what this test started, children included, each by its id."""
        for process in self.started:
            if process.is_alive():
                for member in psutil.Process(process.pid).children(recursive=True):
                    member.kill()
                process.kill()
            process.join(10)
            process.close()
        if "instance" in self.__dict__:
            self.instance.dispose()


def _command(assets: tuple[str, ...], environment: dict[str, str], log: Path) -> None:
    """What a started process does."""
    os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # tests that run under nohup hand on that it is ignored
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.environ.update(environment)
    sys.exit(location.command(*assets))


def status_of(process: ForkServerProcess, *, within_s: float = 60.0) -> int | None:
    """The exit status of a process, once it has ended; None if it does not in time."""
    process.join(within_s)
    return process.exitcode


def kill(process: ForkServerProcess) -> None:
    """SIGKILL a process, and wait until it is gone."""
    process.kill()
    process.join()


def until(holds: Callable[[], object], what: str, said: Callable[[], str] = str, *, within_s: float = 60.0) -> None:
    """Poll until something holds."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}\n{said()}"
        time.sleep(0.05)
