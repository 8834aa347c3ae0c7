"""The real daemon over runs whose processes were killed: of the command line, of its own, and everything at once."""

import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
import psutil

from maxsight_assets_tests.defs.running import location
from maxsight_assets_tests.defs.running.home import REPOSITORY, Home, kill, status_of, until

HEALED_S = 180.0
"""Within which the records are right again after the start of the daemon, its own start included."""


@contextmanager
def daemon_over(home: Home) -> Iterator["subprocess.Popen[bytes]"]:
    """A daemon with its code server, killed in the end with all that it started, each by its id."""
    environment = {**os.environ, "DAGSTER_HOME": str(home.root / "home"), "STORY_DIR": str(home.story)}
    command = [sys.executable, "-m", "dagster._daemon", "run", "-m", location.__name__, "-d", str(REPOSITORY)]
    with (home.root / "daemon.log").open("ab") as log:
        daemon = subprocess.Popen(
            command, cwd=REPOSITORY, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield daemon
    finally:
        kill_all(daemon)


def kill_all(daemon: "subprocess.Popen[bytes]") -> None:
    """What a power cut does: the daemon, its code server and its run workers are gone at once."""
    if daemon.poll() is None:
        family = psutil.Process(daemon.pid).children(recursive=True)
        kill_only(daemon)
        end(family)


def kill_only(daemon: "subprocess.Popen[bytes]") -> None:
    """The daemon alone is gone; what it started lives on."""
    daemon.kill()
    daemon.wait(10)


def end(family: list[psutil.Process]) -> None:
    """Kill processes that a daemon started, each by its id, if it is still the same process."""
    for member in family:
        if member.is_running():
            member.kill()
    psutil.wait_procs(family, timeout=10)


def ask(home: Home, asset: str) -> None:
    """Let the daemon launch a run of an asset."""
    (home.story / f"{asset}.new").write_text(uuid.uuid4().hex, encoding="utf-8")
    (home.story / f"{asset}.new").rename(home.story / f"{asset}.ask")


def worker_of(home: Home, asset: str) -> int:
    """The process that lands an asset, once the daemon has launched it."""
    until(lambda: home.pid_of(asset) is not None, f"a run of {asset}", home.said, within_s=HEALED_S)
    return home.pid_of(asset) or 0


def looks(home: Home) -> int:
    """How often the daemon has looked after the runs that are at work."""
    return (home.root / "daemon.log").read_text().count("runs for monitoring")


def test_fault_44_dead_runs_of_the_command_line_are_ended_and_a_living_one_is_left_alone(home: Home) -> None:
    living, *others = [home.landing(name) for name in location.NAMES]
    for other in others:
        kill(other)
    assert (home.statuses(), len(home.held())) == (["STARTED"] * 4, 4)

    with daemon_over(home):
        until(
            lambda: sorted(home.statuses()) == ["FAILURE"] * 3 + ["STARTED"],
            "three ended",
            home.said,
            within_s=HEALED_S,
        )
        until(lambda: list(home.held()) == ["one"], "their slots", home.said, within_s=HEALED_S)
        seen = looks(home)
        until(lambda: looks(home) >= seen + 2, "two more looks", home.said, within_s=HEALED_S)
        assert home.statuses()[0] == "STARTED"
        home.let_go()
        assert status_of(living) == 0
    assert sorted(home.statuses()) == ["FAILURE"] * 3 + ["SUCCESS"]
    (told, *_) = home.lines("daemon.log", "is gone")
    assert "Detected run worker status NOT_FOUND: 'process " in told


def test_fault_48_a_killed_run_worker_is_followed_by_a_run_that_lands(home: Home) -> None:
    (home.story / "hold").touch()
    with daemon_over(home):
        ask(home, "one")
        os.kill(worker_of(home, "one"), signal.SIGKILL)
        home.let_go()
        killed = time.monotonic()
        until(lambda: home.statuses() == ["FAILURE", "SUCCESS"], "green again", home.said, within_s=HEALED_S)
        print(f"green {time.monotonic() - killed:.0f} s after the kill")  # noqa: T201
        until(lambda: home.held() == {}, "no slot held", home.said)


def test_fault_44_after_a_power_cut_the_next_daemon_ends_the_run_and_lands_again(home: Home) -> None:
    (home.story / "hold").touch()
    with daemon_over(home) as daemon:
        ask(home, "one")
        worker_of(home, "one")
        kill_all(daemon)
    assert (home.statuses(), home.held()) == (["STARTED"], {"one": (1, 1)})
    home.let_go()

    with daemon_over(home):
        started = time.monotonic()
        until(lambda: home.statuses() == ["FAILURE", "SUCCESS"], "green again", home.said, within_s=HEALED_S)
        print(f"green {time.monotonic() - started:.0f} s after the start")  # noqa: T201
        until(lambda: home.held() == {}, "no slot held", home.said)


def test_four_run_workers_that_are_killed_at_once_are_each_followed_by_a_run_that_lands(home: Home) -> None:
    (home.story / "hold").touch()
    with daemon_over(home):
        for name in location.NAMES:
            ask(home, name)
        for worker in [worker_of(home, name) for name in location.NAMES]:
            os.kill(worker, signal.SIGKILL)
        home.let_go()
        killed = time.monotonic()
        until(
            lambda: sorted(home.statuses()) == ["FAILURE"] * 4 + ["SUCCESS"] * 4,
            "all green again",
            home.said,
            within_s=HEALED_S,
        )
        print(f"green {time.monotonic() - killed:.0f} s after the kill")  # noqa: T201
        until(lambda: home.held() == {}, "no slot held", home.said)
    # Whoever looks first notices the end of a worker: run monitoring, a sensor of this project, the code server.
    said = re.compile(r"process \d+ is gone|ended without a word|was terminated by signal 9|unexpectedly exited")
    for run_id in home.instance.get_run_ids(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE])):
        log = home.instance.all_logs(run_id)
        messages = [f"{each.user_message} {each.dagster_event and each.dagster_event.message}" for each in log]
        assert any(said.search(message) for message in messages), messages[-3:]


def test_a_landing_outlives_its_daemon_and_the_next_daemon_leaves_it_alone(home: Home) -> None:
    (home.story / "hold").touch()
    with daemon_over(home) as daemon:
        ask(home, "one")
        worker = worker_of(home, "one")
        orphans = psutil.Process(daemon.pid).children(recursive=True)
        kill_only(daemon)
        try:
            with daemon_over(home):
                seen = looks(home)
                until(lambda: looks(home) >= seen + 8, "eight looks", home.said, within_s=HEALED_S)
                assert (home.statuses(), home.pid_of("one")) == (["STARTED"], worker)
                home.let_go()
                until(lambda: home.statuses() == ["SUCCESS"], "the landing", home.said, within_s=HEALED_S)
                ask(home, "two")
                until(lambda: home.statuses() == ["SUCCESS"] * 2, "the next run", home.said, within_s=HEALED_S)
                until(lambda: home.held() == {}, "no slot held", home.said)
        finally:
            end(orphans)
