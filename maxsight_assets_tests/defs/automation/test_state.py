"""The state of the refresh on the asset's page: gave up, cancelled, upstream away."""

import datetime as dt

import dagster as dg

from maxsight_assets.defs.automation.records import LOOKED, STUCK
from maxsight_assets.defs.automation.state import evaluation, state_now
from maxsight_assets.errors import TransientError
from maxsight_assets_tests.defs.automation.story import Story

RAW = dg.AssetKey("photos_raw")


def shown_of(story: Story, name: str) -> tuple[bool, str] | None:
    """What the page of photos_raw shows for a check, and in what words; None if it was never evaluated."""
    history = story.instance.event_log_storage.get_asset_check_execution_history(dg.AssetCheckKey(RAW, name), limit=1)
    said = history[0].evaluation if history else None
    return (said.passed, said.description or "") if said else None


def _gave_up(story: Story) -> None:
    story.tick_s = 900
    story.failing.add("photos_raw")
    story.holds["photos"] = "B"
    assert story.settle(ticks=6) == ["photos_raw"] * 3


def test_a_refresh_that_gave_up_fails_a_check_until_the_change_goes_away(story: Story) -> None:
    assert shown_of(story, STUCK) is None
    _gave_up(story)
    shown = shown_of(story, STUCK)
    assert shown is not None
    assert shown[0] is False
    assert "3 refreshes because of photos_upstream did not land" in shown[1]

    story.holds["photos"] = "A"
    assert story.settle() == []
    assert shown_of(story, STUCK) == (True, "The refresh goes on.")


def test_a_run_of_the_check_says_what_was_reported_until_a_landing_settles_it(story: Story) -> None:
    _gave_up(story)
    check = dg.AssetCheckKey(RAW, STUCK)
    assert not state_now(story.instance, check, sensor=None).passed

    story.failing.clear()
    story.wait(60)
    assert story.run("photos_raw")
    assert state_now(story.instance, check, sensor=None).passed


def test_upstream_that_is_away_fails_a_check_until_it_is_back(story: Story) -> None:
    since = story.now.strftime("%Y-%m-%d %H:%M UTC")
    story.holds["photos"] = TransientError("photos.zip: 503")
    story.look("photos")
    story.wait(60)
    story.look("photos")
    assert shown_of(story, LOOKED) is None
    story.wait(60)
    story.look("photos")
    assert shown_of(story, LOOKED) == (False, f"photos_upstream is away since {since}: photos.zip: 503")

    story.holds["photos"] = "A"
    story.wait(600)
    story.look("photos")
    assert shown_of(story, LOOKED) == (True, "photos_upstream answers again.")


def test_a_refresh_that_waits_fails_a_check_that_says_until_when_and_what_failed(story: Story) -> None:
    story.failing.add("photos_raw")
    story.holds["photos"] = "B"
    assert story.settle(ticks=2) == ["photos_raw"]
    run = story.instance.get_runs(limit=1)[0].run_id

    until = (story.now + dt.timedelta(seconds=300 - story.tick_s)).strftime("%H:%M UTC")
    assert shown_of(story, STUCK) == (False, f"photos_raw: its refresh waits until {until} after run {run[:8]}.")
    story.failing.clear()
    story.wait(300)
    assert story.settle() == ["photos_raw", "evaluation", "splits"]
    assert shown_of(story, STUCK) == (True, "The refresh goes on.")


def test_a_refresh_that_a_person_cancelled_fails_a_check(story: Story) -> None:
    story.cancelled_landing()
    story.tick()

    shown = shown_of(story, STUCK)
    assert shown is not None
    assert shown[0] is False
    assert "a user cancelled its run" in shown[1]


def test_the_automation_tab_says_that_the_upstream_is_away_and_nothing_is_held_back(story: Story) -> None:
    story.holds["boxes"] = TransientError("boxes.zip: 503")
    story.look("boxes")
    story.wait(100)
    story.look("boxes")

    assert "boxes_upstream is away since" in watched(story, "boxes_raw")
    story.holds["photos"] = "B"
    assert story.settle(ticks=3) == ["photos_raw", "evaluation", "splits"]


def watched(story: Story, asset: str = "photos_raw") -> str | None:
    """What the Automation tab says of the sensor of an asset's upstream."""
    result = dg.evaluate_automation_conditions(
        story.defs, story.instance, cursor=story.cursor, evaluation_time=story.now
    )
    (top,) = [each for each in result.results if each.key == dg.AssetKey(asset)]
    return top.child_results[-1].condition.get_label()


def test_what_is_said_is_said_of_the_landed_version(story: Story) -> None:
    said = evaluation(story.instance, dg.AssetCheckKey(RAW, STUCK), passed=False, said="stuck")
    landed = story.instance.get_latest_materialization_event(RAW)

    assert landed is not None
    assert said.target_materialization_data is not None
    assert said.target_materialization_data.run_id == landed.run_id
