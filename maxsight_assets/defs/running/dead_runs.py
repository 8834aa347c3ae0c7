"""Find the processes of a run and whether they live, and end a run whose processes are gone.

Here: everything that the launcher, the command line and `doctor` must judge alike. A process that died with its machine
writes no event. So Dagster by itself keeps its run STARTED, and the pool slot taken, until the user ends the run.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

import dagster as dg
import psutil
from dagster._core.storage.dagster_run import ACTIVE_RUN_STATUSES
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.tags import GRPC_INFO_TAG

from maxsight_assets.disk import host

HOST_TAG = "maxsight/host"
"""Tag of a run that names the machine of its processes."""

CLOCK_SLACK_S = 2.0
"""psutil computes when a process started from the boot time, which Linux states in whole seconds (`btime`, proc(5))."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Life(Enum):
    """Whether a process of a run lives."""

    LIVES = "lives"
    GONE = "gone"
    ELSEWHERE = "on another machine"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Process:
    """A process that works, or worked, on a run.

    Attributes:
        pid: The process id on its machine.
        named_at: When the run's event log named it, in seconds since the epoch. A process that started later, for
            instance after a restart of the machine, is another one with the same id.
    """

    pid: int
    named_at: float

    def found(self) -> psutil.Process | None:
        """Return the process on this machine; None if it is gone, a zombie, or if another process now has its id."""
        try:
            process = psutil.Process(self.pid)
            ended = process.status() == psutil.STATUS_ZOMBIE
            return None if ended or process.create_time() > self.named_at + CLOCK_SLACK_S else process
        except psutil.NoSuchProcess:
            return None


@dataclass(frozen=True, slots=True)
class Crew:
    """The processes of one run, as its event log names them.

    Attributes:
        host: The machine of the processes; None if it is not known.
        workers: The processes that lead the run.
        children: The processes that execute one step each, under the multiprocess executor; they may outlive their
            worker.
    """

    host: str | None
    workers: tuple[Process, ...]
    children: tuple[Process, ...]

    @classmethod
    def of(cls, instance: dg.DagsterInstance, run: dg.DagsterRun) -> "Crew":
        """Read the events in which processes name themselves."""
        kinds = {dg.DagsterEventType.ENGINE_EVENT, dg.DagsterEventType.STEP_WORKER_STARTED}
        by_kind: dict[str, list[Process]] = {kind.value: [] for kind in kinds}
        for entry in instance.all_logs(run.run_id, of_type=kinds):
            event = entry.get_dagster_event()
            pid = event.engine_event_data.metadata.get("pid")
            if pid is not None and str(pid.value).isdigit():
                by_kind[event.event_type_value].append(Process(int(str(pid.value)), entry.timestamp))
        return cls(
            _host_of(instance, run),
            workers=tuple(by_kind[dg.DagsterEventType.ENGINE_EVENT.value]),
            children=tuple(by_kind[dg.DagsterEventType.STEP_WORKER_STARTED.value]),
        )

    def found(self) -> list[psutil.Process]:
        """Return the processes on this machine that lead the run; if none does, the steps that are still alive."""
        if self.host != host():
            return []
        leading = [found for worker in self.workers if (found := worker.found())]
        return leading or [found for child in self.children if (found := child.found())]

    @property
    def life(self) -> Life:
        """Return whether any process of the run lives; an orphaned step counts, because it still writes."""
        if self.host is not None and self.host != host():
            return Life.ELSEWHERE
        if self.host is None or not self.workers:
            return Life.UNKNOWN
        return Life.LIVES if self.found() else Life.GONE

    def step_lives(self) -> bool:
        """Return whether a step of the run may still be at work, whatever the state of the run."""
        return self.host == host() and any(child.found() for child in self.children)

    def __str__(self) -> str:
        ids = sorted({process.pid for process in (*self.workers, *self.children)})
        named = f"process {', '.join(map(str, ids))}" if ids else "no process named"
        return named if self.host in (None, host()) else f"{named} on {self.host}"


def _host_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str | None:
    """Return the machine of a run: its tag, or this machine if the records are a local file that only it writes."""
    tags = run.tags
    if GRPC_INFO_TAG in tags and (server := _server_host(tags[GRPC_INFO_TAG])) not in LOOPBACK:
        return server
    if HOST_TAG in tags:
        return tags[HOST_TAG]
    return host() if isinstance(instance.run_storage, SqliteRunStorage) else None


def _server_host(info: str) -> str:
    return str(json.loads(info).get("host", "localhost"))


def named(run: dg.DagsterRun) -> str:
    """Return the name of a run in a line of text: the beginning of its id, and its assets."""
    keys = sorted(key.to_user_string() for key in run.asset_selection or ())
    keys = keys or sorted({key.asset_key.to_user_string() for key in run.asset_check_selection or ()})
    return f"run {run.run_id[:8]} ({', '.join(keys) or 'all assets'})"


def dead(instance: dg.DagsterInstance) -> Iterator[tuple[dg.DagsterRun, Crew]]:
    """Return the runs that have not ended although all of their processes have."""
    for run in instance.get_runs(dg.RunsFilter(statuses=ACTIVE_RUN_STATUSES)):
        crew = Crew.of(instance, run)
        if crew.life is Life.GONE:
            yield run, crew


def fail(instance: dg.DagsterInstance, run: dg.DagsterRun, crew: Crew) -> bool:
    """Mark a run whose processes are gone as failed; return False if it ended by itself meanwhile."""
    latest = instance.get_run_by_id(run.run_id)
    if latest is None or latest.is_finished:
        return False
    instance.report_run_failed(latest, f"Its {crew} ended without a word: killed, or the machine went down.")
    return True


def heal(instance: dg.DagsterInstance) -> list[str]:
    """Fail the runs whose processes are gone, and free the pool slots and queue places of runs that ended.

    A slot stays taken while a step of its run lives, because the step still writes.

    Returns:
        What was done, one line each.
    """
    said = [
        f"{named(run)}: its {crew} is gone; counted as failed, what it held is free"
        for run, crew in dead(instance)
        if fail(instance, run, crew)
    ]
    for run_id in sorted(instance.event_log_storage.get_concurrency_run_ids()):
        latest = instance.get_run_by_id(run_id)
        if latest is None or (latest.is_finished and not Crew.of(instance, latest).step_lives()):
            instance.event_log_storage.free_concurrency_slots_for_run(run_id)
    return said


def since(seconds: float) -> str:
    """Return a moment as text, in local time."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")
