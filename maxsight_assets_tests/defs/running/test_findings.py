"""What `doctor` reads of Dagster's records, and what `--fix` does about it."""

import json
import time
from dataclasses import asdict

import dagster as dg
import pytest
from dagster._core.asset_graph_view.serializable_entity_subset import SerializableEntitySubset
from dagster._core.definitions.asset_daemon_cursor import AssetDaemonCursor
from dagster._core.definitions.declarative_automation.serialized_objects import (
    AutomationConditionCursor,
    AutomationConditionNodeCursor,
)
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    InProcessCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._daemon.asset_daemon import asset_daemon_cursor_to_instigator_serialized_cursor
from dagster._daemon.types import DaemonHeartbeat
from dagster._utils.error import SerializableErrorInfo

from maxsight_assets.defs.automation.condition import Asks
from maxsight_assets.defs.running.findings import examine, mend
from maxsight_assets_tests.defs.running.home import Home, kill
from maxsight_assets_tests.defs.running.test_launcher import run_named

NAMES = {"refresh", "coco_upstream_sensor"}


def problems(home: Home) -> list[str]:
    return [each.text for each in examine(home.instance, NAMES) if each.level != "OK"]


def origin_of(name: str) -> RemoteInstigatorOrigin:
    code = InProcessCodeLocationOrigin(LoadableTargetOrigin(module_name="nowhere"))
    return RemoteInstigatorOrigin(RemoteRepositoryOrigin(code, "__repository__"), name)


def sensor(
    instance: dg.DagsterInstance,
    name: str,
    *,
    cursor: str | None = None,
    status: InstigatorStatus = InstigatorStatus.DECLARED_IN_CODE,
) -> InstigatorState:
    """A sensor as the daemon keeps it."""
    data = SensorInstigatorData(min_interval=30, cursor=cursor)
    return instance.add_instigator_state(InstigatorState(origin_of(name), InstigatorType.SENSOR, status, data))


def test_records_in_which_nothing_is_wrong(home: Home) -> None:
    sensor(home.instance, "refresh")

    assert problems(home) == []


def test_fault_44_a_dead_run_is_named_with_its_process_and_fix_ends_it(home: Home) -> None:
    landing = home.landing("one")
    assert problems(home) == []
    kill(landing)

    (said,) = problems(home)
    assert f"(one): process {landing.pid}, is gone, yet the run counts as STARTED; use doctor --fix" in said
    assert len(mend(home.instance)) == 2  # the run, and its slot
    assert (problems(home), home.statuses(), home.held()) == ([], ["FAILURE"], {})


def test_slots_that_a_run_holds_after_its_end_are_named_and_freed(home: Home) -> None:
    home.instance.event_log_storage.initialize_concurrency_limit_to_default("one")
    run = run_named(home.instance)
    home.instance.event_log_storage.claim_concurrency_slot("one", run.run_id, "land")
    home.instance.report_run_failed(run)

    (said,) = problems(home)
    assert said.startswith("pool one: run ")
    assert said.endswith("holds a slot, but it has ended; use doctor --fix")
    assert len(mend(home.instance)) == 1
    assert (problems(home), home.held()) == ([], {})


def test_a_run_of_which_no_process_is_known_and_a_full_queue_are_told(home: Home) -> None:
    for _ in range(4):
        run_named(home.instance)
    origin = RemoteJobOrigin(origin_of("refresh").repository_origin, "nothing")
    run_named(home.instance, status=dg.DagsterRunStatus.QUEUED, remote_job_origin=origin)

    *unknown, queue = sorted(problems(home), key=lambda said: said.startswith("queue"))
    assert len(unknown) == 4
    assert "no process named; if it does not work any more, Terminate it in the UI" in unknown[0]
    assert queue.startswith("queue: 1 runs wait, 4 of at most 4 are at work")


@pytest.mark.parametrize(
    ("beats", "said"),
    [
        ([(1000.0, "a")], "no daemon since "),
        ([(0.0, "a"), (5.0, "b")], "two daemons run over this DAGSTER_HOME"),
        ([(0.0, "a"), (5.0, "a")], None),
    ],
)
def test_no_daemon_and_two_daemons_are_told(home: Home, beats: list[tuple[float, str]], said: str | None) -> None:
    for kind, (ago, daemon) in zip(("SENSOR", "SCHEDULER"), beats, strict=False):
        home.instance.add_daemon_heartbeat(DaemonHeartbeat(time.time() - ago, kind, daemon))

    assert [text.startswith(said or "-") for text in problems(home)] == ([True] if said else [])


def test_stopped_and_failing_sensors_are_told_with_the_reason(home: Home) -> None:
    stopped = sensor(home.instance, "coco_upstream_sensor", status=InstigatorStatus.STOPPED)
    cause = SerializableErrorInfo("ValueError: no such host\n", [], "ValueError")
    error = SerializableErrorInfo("SensorExecutionError: ...\n", [], "SensorExecutionError", cause)
    tick = TickData(
        stopped.instigator_origin_id,
        "coco_upstream_sensor",
        InstigatorType.SENSOR,
        TickStatus.FAILURE,
        time.time(),
        error=error,
        selector_id=stopped.selector_id,
    )
    home.instance.create_tick(tick)
    sensor(home.instance, "of_another_profile", status=InstigatorStatus.STOPPED)

    assert len(problems(home)) == 2
    assert "is stopped" in problems(home)[0]
    assert problems(home)[1].endswith("failed: ValueError: no such host")


def test_an_unreadable_cursor_of_the_refresh_is_told_and_begun_anew(home: Home) -> None:
    sensor(home.instance, "refresh", cursor="no cursor")

    assert problems(home) == ["refresh: its cursor cannot be read, so every tick fails; use doctor --fix"]
    assert mend(home.instance) == ["refresh: its cursor is begun anew; how often it asked for each asset is forgotten"]
    assert problems(home) == []


def test_an_asset_for_which_no_more_is_asked_is_told(home: Home) -> None:
    subset = SerializableEntitySubset(dg.AssetKey("coco_raw"), value=True)
    asks = json.dumps(asdict(Asks({"coco_upstream": "B"}, times=3, given_up=True)))
    node = AutomationConditionNodeCursor(subset, subset, [], extra_state=asks)
    cursor = AutomationConditionCursor(subset, 0.0, None, {"condition": node}, "hash")
    whole = AssetDaemonCursor(
        evaluation_id=1,
        last_observe_request_timestamp_by_asset_key={},
        previous_evaluation_state=None,
        previous_condition_cursors=[cursor],
    )
    sensor(home.instance, "refresh", cursor=asset_daemon_cursor_to_instigator_serialized_cursor(whole))

    assert problems(home) == ["coco_raw: is behind coco_upstream and asked for no more; materialize it by hand"]
