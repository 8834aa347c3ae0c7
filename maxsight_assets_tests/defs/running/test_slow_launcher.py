"""What the run launcher of dagster.yaml says of a run's processes, and how it ends them."""

import os
import signal

from dagster._core.launcher import WorkerStatus

from maxsight_assets.defs.running.dead_runs import Crew, Life, heal
from maxsight_assets_tests.defs.running.home import Home, kill, until
from maxsight_assets_tests.defs.running.test_launcher import health


def test_fault_43_the_slot_of_a_killed_worker_is_freed_only_once_its_step_has_ended(home: Home) -> None:
    worker = home.landing("one", EXECUTOR="multiprocess")
    step = home.pid_of("one")
    assert step not in (None, worker.pid)
    kill(worker)
    (run,) = home.instance.get_runs()

    assert heal(home.instance) == []
    assert (health(home.instance, run), home.held()) == (WorkerStatus.RUNNING, {"one": (1, 1)})

    os.kill(step or 0, signal.SIGKILL)
    until(lambda: Crew.of(home.instance, run).life is Life.GONE, "the step gone")
    (line,) = heal(home.instance)
    assert f"its process {', '.join(map(str, sorted([worker.pid or 0, step or 0])))} is gone" in line
    assert (home.statuses(), home.held()) == (["FAILURE"], {})
