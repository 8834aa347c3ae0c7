"""Runs of the command line that are killed, interrupted or made to wait, without any daemon."""

import os
import re
import signal

import dagster as dg

from maxsight_assets.defs.alerts.causes import read
from maxsight_assets.defs.alerts.runs import note_run
from maxsight_assets.defs.running import dead_runs
from maxsight_assets_tests.defs.running.home import Home, kill, status_of, until

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def test_fault_92_after_a_kill_the_next_command_goes_on_and_says_in_one_line_what_was_freed(home: Home) -> None:
    kill(home.landing("one"))
    assert (home.statuses(), home.held()) == (["STARTED"], {"one": (1, 1)})
    home.let_go()

    assert status_of(home.materialize("one", log="next")) == 0

    (line,) = home.lines("next", "is gone")
    assert re.fullmatch(
        r"run [0-9a-f]{8} \(one\): its process \d+ is gone; counted as failed, what it held is free", line
    )
    assert (home.statuses(), home.held()) == (["FAILURE", "SUCCESS"], {})


def test_a_command_that_was_killed_while_it_waited_leaves_no_step_that_waits_on(home: Home) -> None:
    holder = home.landing("one")
    waiting = home.materialize("one", log="waiting")
    until(lambda: home.held() == {"one": (1, 2)}, "a waiting step", home.said)
    kill(waiting)
    kill(holder)
    home.let_go()

    assert status_of(home.materialize("one", log="next")) == 0
    assert (home.statuses(), home.held()) == (["FAILURE", "FAILURE", "SUCCESS"], {})


def test_fault_92_a_command_says_for_whom_it_waits_and_each_signal_ends_the_wait_but_not_the_holder(home: Home) -> None:
    holder = home.landing("one")
    waiters = {number: home.materialize("one", log=f"waiter{number}") for number in SIGNALS}
    until(lambda: all(home.lines(f"waiter{number}", "waiting for") for number in SIGNALS), "waiters", home.said)

    for number, waiter in waiters.items():
        os.kill(waiter.pid or 0, number)
    assert [status_of(waiter) for waiter in waiters.values()] == [130, 130, 130], home.said()

    for number in SIGNALS:
        (line,) = home.lines(f"waiter{number}", "waiting for")
        assert re.search(rf"\(one\), process {holder.pid}, since 20\d\d-.*; `kill {holder.pid}` ends it", line)
    assert holder.is_alive()
    assert home.held() == {"one": (1, 1)}
    home.let_go()
    assert status_of(holder) == 0
    assert (sorted(home.statuses()), home.held()) == (["FAILURE", "FAILURE", "FAILURE", "SUCCESS"], {})


def test_a_command_that_waits_goes_on_when_the_holder_is_killed(home: Home) -> None:
    holder = home.landing("one")
    waiter = home.materialize("one", log="waiter")
    until(lambda: home.lines("waiter", "waiting for"), "the waiter", home.said)
    kill(holder)
    home.let_go()

    assert status_of(waiter) == 0
    assert (home.statuses(), home.held()) == (["FAILURE", "SUCCESS"], {})


def test_fault_47_each_signal_ends_a_landing_with_its_run_and_its_slot(home: Home) -> None:
    landings = [home.landing(name) for name in ("one", "two", "three")]
    for process, number in zip(landings, SIGNALS, strict=True):
        os.kill(process.pid or 0, number)

    assert [status_of(process) for process in landings] == [130, 130, 130], home.said()
    assert (home.statuses(), home.held()) == (["FAILURE", "FAILURE", "FAILURE"], {})
    assert home.said().strip() == "", (
        "no stack, no line of Dagster: the command's own line says that it was interrupted"
    )


def test_landings_that_a_signal_ended_are_no_cause_of_an_alert_and_a_killed_one_is(home: Home) -> None:
    landings = [home.landing(name) for name in ("one", "two")]
    os.kill(landings[0].pid or 0, signal.SIGINT)
    assert status_of(landings[0]) == 130
    kill(landings[1])
    dead_runs.heal(home.instance)

    for record in home.instance.get_run_records():
        run = record.dagster_run
        ended = home.instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE).records
        note_run(home.instance, run, ended[0].event_log_entry.get_dagster_event())

    assert sorted(read(home.instance, ("one", "two"))) == ["two"]


def test_fault_95_first_runs_at_once_in_a_fresh_dagster_home_wait_for_each_other(fresh_home: Home) -> None:
    runs = [fresh_home.materialize(name, log=name) for name in ("one", "two", "three", "four")]

    assert [status_of(run) for run in runs] == [0, 0, 0, 0], fresh_home.said()
    assert fresh_home.statuses() == ["SUCCESS"] * 4
