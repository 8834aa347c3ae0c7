"""Schedules: what they run, and what they leave alone."""

import datetime as dt
from pathlib import Path

import dagster as dg
import pytest

from maxsight_assets import settings
from maxsight_assets.build import build_defs
from maxsight_assets.defs.automation.schedules import freshness, scheduled_refresh, scheduled_verification
from maxsight_assets.errors import SettingsError
from maxsight_assets_tests.defs.automation.story import ALL, Story

FULL = "scheduled_verification"
RAW = dg.AssetSelection.assets("photos_raw", "boxes_raw")


def _evaluate(story: Story, schedule: dg.ScheduleDefinition) -> tuple[list[dg.RunRequest], dg.Definitions]:
    defs = dg.Definitions.merge(story.defs, dg.Definitions(schedules=[schedule]))
    context = dg.build_schedule_context(repository_def=defs.get_repository_def())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dg.ScheduleEvaluationContext, "instance", story.instance)  # else it knows one on disk only
        return list(schedule.evaluate_tick(context).run_requests or []), defs


def _names(request: dg.RunRequest) -> list[str]:
    return [key.to_user_string() for key in request.asset_selection]


def test_refresh_asks_for_nothing_before_a_person_landed_something(start: Story) -> None:
    assert _evaluate(start, scheduled_refresh(RAW, published=start.published))[0] == []


def test_refresh_runs_what_is_landed_and_what_is_made_from_it(story: Story) -> None:
    (request,), _ = _evaluate(story, scheduled_refresh(RAW, published=story.published))

    assert _names(request) == sorted(ALL)


def test_refresh_leaves_alone_what_was_never_landed(start: Story) -> None:
    assert start.run("photos_raw")

    (request,), _ = _evaluate(start, scheduled_refresh(RAW, published=start.published))

    assert _names(request) == ["photos_raw"]


def test_refresh_leaves_alone_what_is_made_from_something_that_is_not_landed(story: Story) -> None:
    del story.disk["boxes_raw"]

    (request,), _ = _evaluate(story, scheduled_refresh(RAW, published=story.published))

    assert _names(request) == ["photos_raw"]


def test_run_of_the_refresh_is_not_followed_by_automation(story: Story) -> None:
    story.holds["photos"] = "B"
    (request,), _ = _evaluate(story, scheduled_refresh(RAW, published=story.published))
    assert story.run(*_names(request))

    assert story.settle() == []
    assert story.disk["splits"] == "BA/BA"


def test_verification_runs_the_checks_of_what_is_landed_and_nothing_else(story: Story) -> None:
    schedule = scheduled_verification(dg.AssetSelection.all(), published=story.published)
    (request,), defs = _evaluate(story, schedule)
    job = defs.resolve_job_def(schedule.job_name).get_subset(
        asset_selection=set(request.asset_selection), asset_check_selection=set(request.asset_check_keys)
    )

    result = job.execute_in_process(instance=story.instance)

    checked = sorted(each.asset_key.to_user_string() for each in result.get_asset_check_evaluations())
    assert checked == ["boxes_raw", "evaluation", "photos_raw"]
    assert story.made == []
    assert story.settle() == []


def test_verification_may_be_of_some_checks_only(story: Story) -> None:
    only = {dg.AssetCheckKey(dg.AssetKey("photos_raw"), "sound")}
    schedule = scheduled_verification(dg.AssetSelection.all(), published=story.published, name="some", only=only)

    (request,), _ = _evaluate(story, schedule)

    assert set(request.asset_check_keys or ()) == only


def test_verification_leaves_alone_what_was_never_landed(start: Story) -> None:
    schedule = scheduled_verification(dg.AssetSelection.all(), published=start.published)
    assert _evaluate(start, schedule)[0] == []
    assert start.run("photos_raw")

    (request,), _ = _evaluate(start, schedule)

    assert [key.asset_key.to_user_string() for key in request.asset_check_keys] == ["photos_raw"]


@pytest.mark.parametrize("factory", [scheduled_refresh, scheduled_verification])
def test_time_zone_and_status_are_the_callers(factory: type) -> None:
    schedule = factory(RAW, published=lambda _: None, cron="30 4 * * 1", timezone="Europe/Madrid")

    assert (schedule.cron_schedule, schedule.execution_timezone) == ("30 4 * * 1", "Europe/Madrid")
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED


def test_schedules_run_at_the_times_of_the_settings_and_are_off_without(tmp_path: Path) -> None:
    times = {"REFRESH_CRON": "30 4 * * 1", "VERIFY_LIGHT_CRON": "on", "SCHEDULE_TIMEZONE": "Europe/Madrid"}
    by_name = {each.name: each for each in _of_settings(tmp_path, **times)}

    refresh, light, full = (by_name[name] for name in ("scheduled_refresh", "light_verification", FULL))
    assert (refresh.cron_schedule, refresh.execution_timezone, refresh.default_status) == (
        "30 4 * * 1",
        "Europe/Madrid",
        dg.DefaultScheduleStatus.RUNNING,
    )
    assert (light.cron_schedule, light.default_status) == ("0 2 * * *", dg.DefaultScheduleStatus.RUNNING)
    assert (full.cron_schedule, full.default_status) == ("0 3 * * 0", dg.DefaultScheduleStatus.STOPPED)
    off = dg.DefaultScheduleStatus.STOPPED
    running = {"weekly_comparison_of_engines"}  # it takes seconds and reads no picture
    by_default = {each.name: each.default_status for each in _of_settings(tmp_path)}
    assert {name for name, status in by_default.items() if status is not off} == running
    assert len(by_default) == 4


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("REFRESH_CRON", "61 * * * *"),
        ("VERIFY_CRON", "0 0 30 2 *"),
        ("VERIFY_LIGHT_CRON", "nightly"),
        ("SCHEDULE_TIMEZONE", "Europe/Atlantis"),
        ("SCHEDULE_TIMEZONE", "../etc/passwd"),
    ],
)
def test_a_wrong_time_is_refused_with_the_name_of_its_variable(tmp_path: Path, variable: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        _of_settings(tmp_path, **{variable: value})

    assert str(caught.value).startswith(f"{variable}={value}: is no ")


def _of_settings(data_dir: Path, **variables: str) -> list[dg.ScheduleDefinition]:
    made = build_defs(settings.load({"DATA_DIR": str(data_dir), **variables})).schedules or ()
    return [each for each in made if isinstance(each, dg.ScheduleDefinition)]


@pytest.mark.parametrize(("cron", "days"), [("0 3 * * 6", 8), ("0 3 * * 1-5", 4), ("0 3 1 * *", 32)])
def test_an_asset_is_stale_a_day_after_the_longest_gap_of_the_refresh(cron: str, days: int) -> None:
    assert freshness(cron).fail_window.to_timedelta() == dt.timedelta(days=days)


@pytest.mark.parametrize(("cron", "days"), [("off", None), ("on", 8), ("0 4 * * *", 2)])
def test_only_a_refresh_that_runs_makes_assets_stale(cron: str, days: int | None, tmp_path: Path) -> None:
    defs = build_defs(settings.load({"DATA_DIR": str(tmp_path), "REFRESH_CRON": cron}))
    policies = {spec.key.to_user_string(): spec.freshness_policy for spec in defs.resolve_all_asset_specs()}

    assert policies["coco_upstream"] is None
    policy = policies["coco_raw"]
    assert (policy and policy.fail_window.to_timedelta().days) == days
