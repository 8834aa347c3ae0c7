"""Upstream sensors: what they report, what they say when upstream is away, and what they do not remember."""

import datetime as dt
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import dagster as dg
import pytest
from dagster._core.definitions.sensor_definition import SensorExecutionData
from dagster._core.test_utils import freeze_time

from maxsight_assets import settings
from maxsight_assets.build import build_defs
from maxsight_assets.datasets.seen import Seen
from maxsight_assets.defs.automation.inputs import last_reported, report
from maxsight_assets.defs.automation.looking import Memory, Pace
from maxsight_assets.defs.automation.records import LOOKED
from maxsight_assets.defs.automation.sensors import refresh_sensor, upstream_sensor
from maxsight_assets.defs.resources import Upstreams
from maxsight_assets.errors import LandingError, TransientError
from maxsight_assets.remote import Probe
from maxsight_assets_tests.defs.automation.story import RESOURCES, Story

KEY = dg.AssetKey("photos_upstream")
RAW = dg.AssetKey("photos_raw")
NOW = dt.datetime(2026, 1, 5, 8, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def _look(
    instance: dg.DagsterInstance,
    look: Callable[[threading.Event], Seen],
    *,
    cursor: str | None = None,
    budget_s: float = 30,
    at: dt.datetime = NOW,
) -> tuple[dg.SensorResult, list[str]]:
    """One look and what the tick's log warns of; what is reported goes to the event log, as the daemon does it."""
    pace = Pace(interval_s=3600, budget_s=budget_s, warn_after_s=6 * 3600)
    sensor = upstream_sensor("photos_sensor", KEY, lambda _, glance: look(glance.cancel), landed_as=RAW, pace=pace)
    with freeze_time(at):
        context = dg.build_sensor_context(instance=instance, cursor=cursor, resources=RESOURCES)
        warnings: list[str] = []
        context.log.warning = warnings.append
        result = sensor(context)
        for event in result.asset_events:
            instance.report_runless_asset_event(event)
    return result, warnings


def _sees(fingerprint: str, **files: Probe) -> Callable[[threading.Event], Seen]:
    return lambda late: Seen(fingerprint, {key.replace("_", "."): probe for key, probe in files.items()})


def _away(late: threading.Event) -> Seen:
    raise TransientError("photos.zip: 503 from https://example.org/photos.zip")


def _hanging(late: threading.Event) -> Seen:
    assert late.wait(3600)
    raise TransientError("given up")


def _said(result: dg.SensorResult | SensorExecutionData) -> str:
    if isinstance(result, SensorExecutionData):
        return result.skip_message or ""
    assert result.skip_reason is not None
    return result.skip_reason.skip_message


def test_new_fingerprint_is_reported_as_the_data_version(instance: dg.DagsterInstance) -> None:
    result, _ = _look(instance, _sees("B"))

    (event,) = result.asset_events
    assert isinstance(event, dg.AssetMaterialization)
    assert (event.asset_key, event.tags) == (KEY, {"dagster/data_version": "B"})
    assert last_reported(instance, KEY) == "B"


def test_fingerprint_that_is_the_last_one_in_the_event_log_is_not_reported(instance: dg.DagsterInstance) -> None:
    instance.report_runless_asset_event(report(KEY, "B"))

    result, _ = _look(instance, _sees("B"))

    assert result.asset_events == []
    assert result.skip_reason == dg.SkipReason("No change: fingerprint B")


def test_change_is_said_file_by_file_in_the_tick_and_on_the_page(instance: dg.DagsterInstance) -> None:
    kept = Probe(7, '"k"', "Mon, 05 Jan 2026 08:00:00 GMT", ranges=True)
    old = Probe(1000, '"a"', "Mon, 05 Jan 2026 08:00:00 GMT", ranges=True)
    new = Probe(1200, '"b"', "Tue, 06 Jan 2026 08:00:00 GMT", ranges=True)
    _look(instance, _sees("A", kept_zip=kept, val_zip=old, gone_zip=old))

    result, _ = _look(instance, _sees("B", kept_zip=kept, val_zip=new, more_zip=new))

    was = '1,000 bytes, Mon, 05 Jan 2026 08:00:00 GMT, "a"'
    now = '1,200 bytes, Tue, 06 Jan 2026 08:00:00 GMT, "b"'
    assert _said(result) == (
        f"photos_upstream changed: gone.zip: {was} -> not there, more.zip: not there -> {now}, val.zip: {was} -> {now}"
    )
    (event,) = result.asset_events
    assert [record.data for record in event.metadata["what changed"].records] == [
        {"file": "gone.zip", "before": was, "now": "not there"},
        {"file": "more.zip", "before": "not there", "now": now},
        {"file": "val.zip", "before": was, "now": now},
    ]
    assert [record.data["file"] for record in event.metadata["files"].records] == ["kept.zip", "more.zip", "val.zip"]


def test_fault_50_upstream_down_skips_with_the_reason_and_warns_after_hours_and_not_looks(
    instance: dg.DagsterInstance,
) -> None:
    instance.report_runless_asset_event(report(KEY, "A"))
    cursor, warned, looks = None, [], []

    def away(late: threading.Event) -> Seen:
        looks.append(late)
        return _away(late)

    for hour in range(24):
        result, warnings = _look(instance, away, cursor=cursor, at=NOW + hour * HOUR)
        cursor = result.cursor
        warned += [hour] * len(warnings)
        assert not any(isinstance(event, dg.AssetMaterialization) for event in result.asset_events)
        assert [event.check_name for event in result.asset_events] == ["upstream_looked_at_recently"] * len(warnings)
        assert _said(result) == (
            "photos_upstream is away since 2026-01-05 08:00 UTC: photos.zip: 503 from https://example.org/photos.zip"
        )

    assert warned == [6]
    assert 5 <= len(looks) <= 12, "waits between looks do not become longer, or too long"
    assert last_reported(instance, KEY) == "A"


def test_fault_50_looks_at_an_upstream_that_is_away_are_not_all_at_the_same_time(
    instance: dg.DagsterInstance,
) -> None:
    cursors = []
    for _ in range(8):
        cursor = None
        for hour in range(2):
            cursor = _look(instance, _away, cursor=cursor, at=NOW + hour * HOUR)[0].cursor
        cursors.append(json.loads(str(cursor))["not_before"])

    assert len(set(cursors)) == len(cursors)
    assert all(1.5 <= (at - (NOW + HOUR).timestamp()) / 3600 <= 2.5 for at in cursors)


def test_fault_50_time_away_counts_also_while_a_landing_fails(story: Story) -> None:
    story.holds["photos"] = TransientError("photos.zip: 503")
    story.dangling_run("photos_raw")
    story.look("photos")
    story.wait(91)
    story.look("photos")

    shown = story.instance.event_log_storage.get_asset_check_execution_history(dg.AssetCheckKey(RAW, LOOKED), limit=1)
    assert [each.evaluation.passed for each in shown] == [False]


def test_fault_50_upstream_back_begins_the_count_anew(instance: dg.DagsterInstance) -> None:
    down, _ = _look(instance, _away)
    back, _ = _look(instance, _sees("B"), cursor=down.cursor, at=NOW + HOUR)

    assert Memory.of(dg.build_sensor_context(cursor=back.cursor)) == Memory()
    assert len(back.asset_events) == 1


def test_fault_50_clock_that_was_set_back_does_not_silence_the_sensor(instance: dg.DagsterInstance) -> None:
    cursor = Memory(away_since=9e9, failures=3, not_before=9e9).text()

    assert len(_look(instance, _sees("B"), cursor=cursor)[0].asset_events) == 1


def test_fault_50_reason_holds_no_secret(instance: dg.DagsterInstance) -> None:
    def away(late: threading.Event) -> Seen:
        raise ConnectionError("https://me:hunter2@example.org/?token=hunter2")

    cursor = Memory(away_since=NOW.timestamp() - 1e6, failures=9).text()
    result, warnings = _look(instance, away, cursor=cursor)

    assert _said(result).endswith("UTC: https://example.org/?[hidden]")
    assert warnings
    assert "hunter2" not in str([result, warnings])


def test_error_in_our_own_code_fails_the_tick(instance: dg.DagsterInstance) -> None:
    with pytest.raises(KeyError):
        _look(instance, lambda late: {}["photos"])


@pytest.mark.parametrize(
    "cursor", ["", "not json", "[]", "7", "null", '{"failures": "x", "version": 2}', '{"failures": 1, "version": 1}']
)
def test_fault_51_corrupt_or_old_cursor_is_begun_anew_without_a_second_report(
    instance: dg.DagsterInstance, cursor: str
) -> None:
    instance.report_runless_asset_event(report(KEY, "B"))

    result, warnings = _look(instance, _sees("B"), cursor=cursor)

    assert result.asset_events == []
    assert result.cursor == Memory().text()
    assert len(warnings) == (1 if cursor else 0)


def test_fault_52_look_over_its_time_is_ended_and_counts_as_away(instance: dg.DagsterInstance) -> None:
    ended = threading.Event()

    def slow(late: threading.Event) -> Seen:
        try:
            return _hanging(late)
        finally:
            ended.set()

    result, _ = _look(instance, slow, budget_s=0.2)

    assert _said(result) == "photos_upstream is away since 2026-01-05 08:00 UTC: no answer within 0.2 s"
    assert ended.wait(120), "the look goes on after its time"


def test_fault_52_look_that_was_too_slow_reports_at_the_next_tick(instance: dg.DagsterInstance) -> None:
    late, _ = _look(instance, _hanging, budget_s=0.2)
    result, _ = _look(instance, _sees("B"), cursor=late.cursor, at=NOW + HOUR)

    assert [event.tags for event in result.asset_events] == [{"dagster/data_version": "B"}]


def test_one_upstream_that_is_away_does_not_hide_the_others(instance: dg.DagsterInstance) -> None:
    _look(instance, _away)
    other = upstream_sensor(
        "boxes_sensor", dg.AssetKey("boxes_upstream"), lambda *_: Seen("B"), landed_as=dg.AssetKey("boxes_raw")
    )

    assert len(other(dg.build_sensor_context(instance=instance, resources=RESOURCES)).asset_events) == 1


class Host:
    """A host of two upstreams, whose sensors look in turn."""

    def __init__(self, instance: dg.DagsterInstance, error: Exception) -> None:
        self.instance, self.error = instance, error
        self.asked: list[str] = []
        self.cursors: dict[str, str | None] = {}

    def look(self, name: str, *, at: dt.datetime) -> dg.SensorResult:
        """Let the sensor of one of the upstreams tick."""

        def ask(*_: object) -> Seen:
            self.asked.append(name)
            raise self.error

        sensor = upstream_sensor(
            f"{name}_sensor", dg.AssetKey(f"{name}_up"), ask, landed_as=RAW, host="example.org", pace=Pace()
        )
        with freeze_time(at):
            context = dg.build_sensor_context(self.instance, self.cursors.get(name), resources=RESOURCES)
            result = sensor(context)
        self.cursors[name] = result.cursor
        return result


def test_fault_50_upstreams_of_a_host_that_is_away_wait_together_and_each_says_since_when(
    instance: dg.DagsterInstance,
) -> None:
    host = Host(instance, TransientError("503 from example.org"))
    for hour in range(24):
        host.look("photos", at=NOW + hour * HOUR)
        said = host.look("boxes", at=NOW + hour * HOUR + dt.timedelta(seconds=20))

    assert _said(said) == "boxes_up is away since 2026-01-05 08:00 UTC: 503 from example.org"
    assert 5 <= len(host.asked) <= 12, "as many looks as one upstream of the host would take"


def test_fault_50_a_file_that_is_gone_keeps_no_other_upstream_of_the_host_waiting(
    instance: dg.DagsterInstance,
) -> None:
    host = Host(instance, LandingError("photos.zip: 404"))
    host.look("photos", at=NOW)
    host.look("boxes", at=NOW)

    assert host.asked == ["photos", "boxes"]


def test_fault_50_a_host_that_answers_again_is_asked_for_all_its_upstreams(instance: dg.DagsterInstance) -> None:
    host = Host(instance, TransientError("503 from example.org"))
    for hour in range(2):
        host.look("photos", at=NOW + hour * HOUR)
    sensor = upstream_sensor("s", KEY, lambda *_: Seen("B"), landed_as=RAW, host="example.org")
    with freeze_time(NOW + 6 * HOUR):
        sensor(dg.build_sensor_context(instance=instance, resources=RESOURCES))
    host.look("boxes", at=NOW + 6 * HOUR)

    assert host.asked == ["photos", "photos", "boxes"]


class Unreachable(Upstreams):
    """An upstream of a test's own."""

    def open(self, dataset: str, **_: object) -> NoReturn:  # type: ignore[override]
        raise TransientError(f"{dataset}: not reached by the test's own upstream")


def test_overrides_of_a_resource_reach_the_sensors_upstream(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    defs = build_defs(settings.load({"DATA_DIR": str(tmp_path)}), overrides={"upstreams": Unreachable()})
    repository = defs.get_repository_def()
    sensor = repository.get_sensor_def("coco_upstream_sensor")
    context = dg.build_sensor_context(instance=instance, resources=repository.get_top_level_resources())

    assert _said(sensor.evaluate_tick(context)).endswith("coco: not reached by the test's own upstream")


def test_status_and_interval_are_the_callers() -> None:
    sensor = upstream_sensor(
        "photos_sensor",
        KEY,
        lambda *_: Seen("A"),
        landed_as=RAW,
        pace=Pace(interval_s=600),
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


@pytest.mark.parametrize("cursor", ["", "not base64", "0bm90IHpsaWI=", "1eJyrBgABzADG", "9x", '{"failures": 3}'])
def test_fault_51_unreadable_cursor_of_the_refresh_heals_by_itself(story: Story, cursor: str) -> None:
    story.holds["photos"] = "B"
    story.look()
    sensor = refresh_sensor()
    with dg.build_sensor_context(
        instance=story.instance, repository_def=story.defs.get_repository_def(), cursor=cursor
    ) as context:
        first = sensor.evaluate_tick(context)
    with dg.build_sensor_context(
        instance=story.instance, repository_def=story.defs.get_repository_def(), cursor=first.cursor
    ) as context:
        second = sensor.evaluate_tick(context)

    assert [[key.to_user_string() for key in run.asset_selection] for run in first.run_requests] == [["photos_raw"]]
    assert list(second.run_requests) == []
