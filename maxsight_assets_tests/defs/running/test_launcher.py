"""What the run launcher of dagster.yaml says of a run's processes, and how it ends them."""

import subprocess
import sys
import time
from collections.abc import Iterator

import dagster as dg
import pytest
from dagster._core.events import EngineEventData
from dagster._core.launcher import WorkerStatus
from dagster._core.remote_origin import RemoteJobOrigin

from maxsight_assets.defs.running.dead_runs import HOST_TAG, Crew, Life, heal
from maxsight_assets.defs.running.launcher import AttentiveRunLauncher
from maxsight_assets.disk import host
from maxsight_assets_tests.defs.running.home import Home, kill, status_of, until


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    """A living process that this test may end."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def run_named(
    instance: dg.DagsterInstance,
    *pids: int,
    tags: dict[str, str] | None = None,
    status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTED,
    remote_job_origin: RemoteJobOrigin | None = None,
) -> dg.DagsterRun:
    """A run, started unless told otherwise, whose event log names processes."""

    @dg.job
    def nothing() -> None: ...

    run = instance.create_run_for_job(nothing, status=status, tags=tags, remote_job_origin=remote_job_origin)
    for pid in pids:
        instance.report_engine_event("Started", run, EngineEventData.in_process(pid))
    return run


def health(instance: dg.DagsterInstance, run: dg.DagsterRun) -> WorkerStatus:
    return instance.run_launcher.check_run_worker_health(run).status


def test_the_dagster_yaml_names_the_launcher(home: Home) -> None:
    assert isinstance(home.instance.run_launcher, AttentiveRunLauncher)
    assert home.instance.run_launcher.supports_check_run_worker_health
    assert home.instance.run_monitoring_settings["free_slots_after_run_end_seconds"] == 5


def test_a_run_lives_while_one_of_its_processes_does(home: Home, sleeper: "subprocess.Popen[bytes]") -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    run = run_named(home.instance, gone.pid, sleeper.pid)
    assert health(home.instance, run) is WorkerStatus.RUNNING

    sleeper.kill()
    until(lambda: health(home.instance, run) is WorkerStatus.NOT_FOUND, "a zombie counts as gone")


def test_a_process_that_started_after_the_event_is_another_one_with_its_id(
    home: Home, sleeper: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time
    with monkeypatch.context() as patch:
        patch.setattr("time.time", lambda: now() - 60)
        run = run_named(home.instance, sleeper.pid)

    assert health(home.instance, run) is WorkerStatus.NOT_FOUND


def test_a_slow_landing_is_left_alone_at_each_of_the_looks_of_ten_minutes(home: Home) -> None:
    landing = home.landing("one")
    (run,) = home.instance.get_runs()

    assert {health(home.instance, run) for _ in range(120)} == {WorkerStatus.RUNNING}  # one look every five seconds
    assert heal(home.instance) == []

    home.let_go()
    assert status_of(landing) == 0
    assert home.statuses() == ["SUCCESS"]


def test_a_run_of_another_machine_and_one_without_a_process_are_left_alone(home: Home) -> None:
    elsewhere = run_named(home.instance, 2**22 - 1, tags={HOST_TAG: "another-machine"})
    remote = run_named(home.instance, 2**22 - 1, tags={".dagster/grpc_info": '{"host": "code-server", "port": 4000}'})
    unknown = run_named(home.instance)

    assert [Crew.of(home.instance, run).life for run in (elsewhere, remote, unknown)] == [
        Life.ELSEWHERE,
        Life.ELSEWHERE,
        Life.UNKNOWN,
    ]
    assert {health(home.instance, run) for run in (elsewhere, remote, unknown)} == {WorkerStatus.RUNNING}
    assert heal(home.instance) == []
    assert str(Crew.of(home.instance, elsewhere)).endswith("on another-machine")


def test_terminate_interrupts_a_command_of_the_terminal_and_it_counts_as_cancelled(home: Home) -> None:
    landing = home.landing("one")
    (run,) = home.instance.get_runs()

    assert home.instance.run_launcher.terminate(run.run_id)
    assert status_of(landing) == 130
    assert (home.statuses(), home.held()) == (["CANCELED"], {})


def test_terminating_a_run_whose_process_is_gone_ends_it_at_once_as_failed(home: Home) -> None:
    kill(home.landing("one"))
    (run,) = home.instance.get_runs()

    assert home.instance.run_launcher.terminate(run.run_id)
    assert home.statuses() == ["FAILURE"]


def test_runs_of_this_machine_say_so(home: Home) -> None:
    kill(home.landing("one"))

    assert home.instance.get_runs()[0].tags[HOST_TAG] == host()
