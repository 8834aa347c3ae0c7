"""The refresh condition by itself: what the Automation tab shows, and what it remembers."""

import json
from dataclasses import asdict
from datetime import timedelta

import dagster as dg
import pytest

from maxsight_assets.defs.automation.condition import IDLE, WATCHED, Asks, refresh_condition
from maxsight_assets_tests.defs.automation.story import Story

MOVED = {"photos_upstream": "B"}


REASONS = {reason.label: True for reason in IDLE}
WATCHING = {WATCHED.label: True}
MET = {"behind": True, "ancestors_settled": True, "ready": True, **REASONS, **WATCHING}
UNMET = {**dict.fromkeys(MET, False), **WATCHING}


def _state(story: Story, asset: str) -> dict[str, bool]:
    """What the Automation tab says of each condition below the refresh of an asset."""
    result = dg.evaluate_automation_conditions(
        story.defs, story.instance, cursor=story.cursor, evaluation_time=story.now
    )
    (top,) = [each for each in result.results if each.key == dg.AssetKey(asset)]
    return {
        each.condition.get_label() or each.condition.name: not each.true_subset.is_empty for each in top.child_results
    }


def _why_not(story: Story, asset: str) -> list[str]:
    """The first condition that does not hold: the reason why nothing is asked for."""
    return [label for label, holds in _state(story, asset).items() if not holds][:1]


def test_automation_tab_says_why_something_waits(story: Story) -> None:
    story.holds["photos"] = "B"
    story.look()
    assert _state(story, "photos_raw") == MET
    assert _state(story, "splits") == UNMET

    story.bad.add("B")
    assert story.run("photos_raw") is False
    assert _state(story, "evaluation") == {**UNMET, "behind": True, "ancestors_settled": True}


def test_automation_tab_says_until_when_and_after_which_run_it_waits(story: Story) -> None:
    story.failing.add("photos_raw")
    story.holds["photos"] = "B"
    assert story.settle(ticks=1) == ["photos_raw"]
    run = story.instance.get_runs(limit=1)[0].run_id

    until = (story.now + timedelta(seconds=300)).strftime("%H:%M UTC")
    assert _why_not(story, "photos_raw") == [f"no wait is left (until {until} after run {run[:8]})"]


def test_automation_tab_says_that_it_gave_up(story: Story) -> None:
    story.tick_s = 900
    story.failing.add("photos_raw")
    story.holds["photos"] = "B"
    assert story.settle(ticks=6) == ["photos_raw"] * 3

    assert _why_not(story, "photos_raw") == ["tries are left (gave up after 3)"]


def test_automation_tab_says_that_a_person_cancelled(story: Story) -> None:
    run = story.cancelled_landing()

    said = f"run {run.run_id[:8]} was; none is asked for until its inputs change"
    assert _why_not(story, "photos_raw") == [f"its run was not cancelled by a user ({said})"]


def test_description_states_tries_and_wait() -> None:
    assert refresh_condition(published=lambda _: None, tries=5, backoff_s=60).description == (
        "Made from other data than its inputs have now; asked for 5 times, 60 s or more after a failure"
    )


def test_asks_survive_the_cursor() -> None:
    asks = Asks(MOVED, times=2, at=17.5, given_up=True)

    assert Asks.from_cursor(json.dumps(asdict(asks)), MOVED) == asks


@pytest.mark.parametrize(
    "cursor",
    [None, "", "not json", "null", "[]", "7", '{"asked": 3}', '{"moved": {"photos_upstream": "A"}, "times": 3}'],
)
def test_cursor_that_is_lost_unreadable_or_of_another_change_begins_anew(cursor: str | None) -> None:
    assert Asks.from_cursor(cursor, MOVED) == Asks(MOVED)


def test_wait_doubles_with_every_ask_and_counts_from_what_came_last() -> None:
    assert [Asks(MOVED, times, 100.0).not_before(0, 300, now=1e6) for times in (1, 2, 3)] == [400, 700, 1300]
    assert Asks(MOVED, 1, 100.0).not_before(5000, 300, now=1e6) == 5300


def test_a_clock_that_was_set_back_holds_nothing_for_longer_than_a_wait() -> None:
    assert Asks(MOVED, 1, 9e9).not_before(9e9, 300, now=1000.0) == 1300


def test_first_ask_waits_only_where_a_run_failed_before() -> None:
    assert Asks(MOVED).not_before(0, 300, now=1e6) == 0
    assert Asks(MOVED).not_before(5000, 300, now=1e6) == 5300
