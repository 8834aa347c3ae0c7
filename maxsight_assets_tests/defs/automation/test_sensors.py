"""Upstream sensors: what they report, what they say when upstream is away, and what they do not remember."""

import json
import threading
from collections.abc import Callable

import dagster as dg
import pytest

from maxsight_assets.defs.automation.inputs import last_reported, report
from maxsight_assets.defs.automation.sensors import refresh_sensor, upstream_sensor
from maxsight_assets.errors import TransientError
from maxsight_assets_tests.defs.automation.story import Story

KEY = dg.AssetKey("photos_upstream")
RAW = dg.AssetKey("photos_raw")


def _look(
    instance: dg.DagsterInstance,
    fingerprint: Callable[[threading.Event], str],
    *,
    cursor: str | None = None,
    budget_s: float = 30,
) -> tuple[dg.SensorResult, list[str]]:
    """One look and what the tick's log warns of; what is reported goes to the event log, as the daemon does it."""
    sensor = upstream_sensor("photos_sensor", KEY, fingerprint, landed_as=RAW, budget_s=budget_s, warn_after=3)
    context = dg.build_sensor_context(instance=instance, cursor=cursor)
    warnings: list[str] = []
    context.log.warning = warnings.append
    result = sensor(context)
    for event in result.asset_events:
        instance.report_runless_asset_event(event)
    return result, warnings


def _away(late: threading.Event) -> str:
    raise TransientError("photos.zip: 503 from https://example.org/photos.zip; rerun to resume")


def _hanging(late: threading.Event) -> str:
    assert late.wait(3600)
    raise TransientError("given up")


def test_new_fingerprint_is_reported_as_the_data_version(instance: dg.DagsterInstance) -> None:
    result, _ = _look(instance, lambda late: "B")

    (event,) = result.asset_events
    assert isinstance(event, dg.AssetMaterialization)
    assert (event.asset_key, event.tags) == (KEY, {"dagster/data_version": "B"})
    assert last_reported(instance, KEY) == "B"


def test_fingerprint_that_is_the_last_one_in_the_event_log_is_not_reported(instance: dg.DagsterInstance) -> None:
    instance.report_runless_asset_event(report(KEY, "B"))

    result, _ = _look(instance, lambda late: "B")

    assert result.asset_events == []
    assert result.skip_reason == dg.SkipReason("No change: fingerprint B")


def test_fault_50_upstream_down_skips_with_the_reason_and_warns_after_three_looks(
    instance: dg.DagsterInstance,
) -> None:
    instance.report_runless_asset_event(report(KEY, "A"))
    cursor, warned = None, []
    for _ in range(3):
        result, warnings = _look(instance, _away, cursor=cursor)
        cursor = result.cursor
        warned.append(len(warnings))
        assert not any(isinstance(event, dg.AssetMaterialization) for event in result.asset_events)
        assert [event.check_name for event in result.asset_events] == ["upstream_looked_at_recently"] * len(warnings)
        assert result.skip_reason.skip_message == (
            "photos_upstream is away: photos.zip: 503 from https://example.org/photos.zip; rerun to resume"
        )

    assert warned == [0, 0, 1]
    assert json.loads(cursor) == {"failures": 3, "version": 1}
    assert last_reported(instance, KEY) == "A"


def test_fault_50_upstream_back_begins_the_count_anew(instance: dg.DagsterInstance) -> None:
    down, _ = _look(instance, _away)
    back, _ = _look(instance, lambda late: "B", cursor=down.cursor)

    assert json.loads(back.cursor)["failures"] == 0
    assert len(back.asset_events) == 1


def test_fault_50_reason_holds_no_secret(instance: dg.DagsterInstance) -> None:
    def away(late: threading.Event) -> str:
        raise ConnectionError("https://me:hunter2@example.org/?token=hunter2")

    result, warnings = _look(instance, away, cursor='{"version": 1, "failures": 9}')

    assert result.skip_reason.skip_message == "photos_upstream is away: https://example.org/?[hidden]"
    assert "hunter2" not in str([result, warnings])


def test_error_in_our_own_code_fails_the_tick(instance: dg.DagsterInstance) -> None:
    with pytest.raises(KeyError):
        _look(instance, lambda late: {}["photos"])


@pytest.mark.parametrize(
    "cursor", ["", "not json", "[]", "7", "null", '{"failures": "x", "version": 1}', '{"failures": 1, "version": 0}']
)
def test_fault_51_corrupt_or_old_cursor_is_begun_anew_without_a_second_report(
    instance: dg.DagsterInstance, cursor: str
) -> None:
    instance.report_runless_asset_event(report(KEY, "B"))

    result, warnings = _look(instance, lambda late: "B", cursor=cursor)

    assert result.asset_events == []
    assert json.loads(result.cursor) == {"failures": 0, "version": 1}
    assert len(warnings) == (1 if cursor else 0)


def test_fault_52_look_over_its_time_is_ended_and_counts_as_away(instance: dg.DagsterInstance) -> None:
    ended = threading.Event()

    def slow(late: threading.Event) -> str:
        try:
            return _hanging(late)
        finally:
            ended.set()

    result, _ = _look(instance, slow, budget_s=0.2)

    assert result.skip_reason.skip_message == "photos_upstream is away: no answer within 0.2 s"
    assert ended.wait(120), "the look goes on after its time"


def test_fault_52_look_that_was_too_slow_reports_at_the_next_tick(instance: dg.DagsterInstance) -> None:
    late, _ = _look(instance, _hanging, budget_s=0.2)
    result, _ = _look(instance, lambda late: "B", cursor=late.cursor)

    assert [event.tags for event in result.asset_events] == [{"dagster/data_version": "B"}]


def test_one_upstream_that_is_away_does_not_hide_the_others(instance: dg.DagsterInstance) -> None:
    _look(instance, _away)
    other = upstream_sensor(
        "boxes_sensor", dg.AssetKey("boxes_upstream"), lambda late: "B", landed_as=dg.AssetKey("boxes_raw")
    )

    assert len(other(dg.build_sensor_context(instance=instance)).asset_events) == 1


def test_status_and_interval_are_the_callers() -> None:
    sensor = upstream_sensor(
        "photos_sensor",
        KEY,
        lambda late: "A",
        landed_as=RAW,
        minimum_interval_s=600,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )

    assert sensor.minimum_interval_seconds == 600
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING


def test_refresh_sensor_evaluates_where_custom_conditions_live_and_is_the_only_one(start: Story) -> None:
    sensors = start.defs.get_repository_def().sensor_defs
    automation = [each for each in sensors if isinstance(each, dg.AutomationConditionSensorDefinition)]

    assert [each.name for each in automation] == ["refresh"]
    assert automation[0].sensor_type.name == "AUTOMATION"
    assert refresh_sensor().default_status == dg.DefaultSensorStatus.RUNNING
