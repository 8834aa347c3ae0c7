"""Stories of what a user does beside the refresh: runs by hand, cancelled runs, new code."""

import dagster as dg
import pytest

from maxsight_assets_tests.defs.automation.story import ALL, Story
from maxsight_assets_tests.defs.automation.test_stories import BACKOFF_S, CHAIN, DAY_S, _rejected, _scheduled


def test_first_report_after_a_landing_by_hand_asks_for_nothing(start: Story) -> None:
    assert start.run(*ALL)
    start.made.clear()

    assert start.settle() == []
    assert start.made == []


def test_landing_by_hand_that_saw_more_than_the_sensor_is_not_repeated(start: Story) -> None:
    start.look()
    start.holds["photos"] = "B"
    assert start.run(*ALL)

    assert start.settle() == []


def test_half_landed_graph_waits_for_the_person(start: Story) -> None:
    assert start.run("photos_raw")
    start.holds["photos"] = "B"

    assert start.settle() == ["photos_raw"]


def test_new_code_makes_derived_assets_anew_once_and_lands_no_raw(story: Story) -> None:
    story.load(code_version="2")

    assert story.settle() == ["evaluation", "splits"]
    assert story.settle() == []


def test_new_code_and_a_change_upstream_make_each_asset_once(story: Story) -> None:
    story.load(code_version="2")
    story.holds["photos"] = "B"

    assert story.settle() == CHAIN


def test_what_newer_code_made_is_not_made_again_by_a_server_that_has_not_loaded_it(story: Story) -> None:
    story.wait(10 * 365 * DAY_S)  # after the start of this process, which is the server here
    story.load(code_version="2")
    assert story.run("evaluation", "splits")
    story.load(code_version="1")

    assert story.settle() == []


def test_new_code_is_asked_for_although_a_person_cancelled_a_run_before_it(story: Story) -> None:
    story.cancel(story.dangling_run("evaluation"))
    story.wait(BACKOFF_S)
    story.load(code_version="2")

    assert story.settle() == ["evaluation", "splits"]
    assert story.said == []


def test_run_for_new_code_that_a_person_cancels_is_not_asked_for_again(story: Story) -> None:
    story.load(code_version="2")
    assert story.tick(run=False) == ["evaluation"]
    run = story.dangling_run("evaluation")
    story.wait(60)
    story.cancel(run)
    story.tick_s = BACKOFF_S

    assert story.settle(ticks=12) == []
    assert len(story.said) == 1
    assert "evaluation: a user cancelled its run, due because of its own code" in story.said[0]


def test_scheduled_refresh_that_failed_is_settled_by_a_landing_by_hand(story: Story) -> None:
    story.failing.add("photos_raw")
    _scheduled(story)
    story.failing.clear()
    story.wait(60)
    assert story.run(*CHAIN)

    assert story.settle(ticks=12) == []


def test_change_back_after_a_landing_by_hand_in_between_refreshes(story: Story) -> None:
    story.holds["photos"] = "B"
    assert story.run(*ALL)
    story.holds["photos"] = "A"

    assert story.settle() == CHAIN
    assert story.disk["splits"] == "AA/AA"


def test_raw_by_hand_is_followed_once_and_not_landed_again(story: Story) -> None:
    story.holds["photos"] = "B"
    assert story.run("photos_raw")

    assert story.settle() == ["evaluation", "splits"]


def test_refresh_that_a_person_cancels_while_it_is_judged_is_not_asked_for_again(story: Story) -> None:
    story.during["check of photos_raw"] = lambda: _cancel_what_runs(story)
    story.holds["photos"] = "B"
    story.tick_s = BACKOFF_S

    assert story.settle(ticks=12) == ["photos_raw"]
    assert len(story.said) == 1
    assert "photos_raw: a user cancelled its run, due because of its own checks" in story.said[0]


def test_landing_whose_checks_a_person_runs_again_is_not_asked_for_meanwhile(story: Story) -> None:
    story.dying.add("photos_raw")
    assert not story.run("photos_raw")
    story.dying.clear()
    asked: list[str] = []
    story.during["check of photos_raw"] = lambda: asked.extend(story.tick(run=False))
    story.check("photos_raw")

    assert asked == []
    assert story.settle() == []


def test_landing_during_which_a_person_runs_the_checks_is_judged_by_its_own(story: Story) -> None:
    story.during["photos_raw"] = lambda: story.check("photos_raw")
    story.holds["photos"] = "B"

    assert story.settle() == CHAIN


def test_failing_landing_during_which_a_person_runs_the_checks_holds_what_is_below(story: Story) -> None:
    story.during["photos_raw"] = lambda: story.check("photos_raw")

    _rejected(story)


@pytest.mark.parametrize("checks", [("agreed", "sound"), ("sound", "whole")])
def test_blocking_check_that_is_new_in_the_code_is_asked_and_holds_nothing(
    story: Story, checks: tuple[str, str]
) -> None:
    story.load(code_version="2", checks=checks)
    story.holds["boxes"] = "C"

    assert sorted(story.settle()) == ["boxes_raw", "evaluation", "photos_raw", "splits"]


def test_landing_by_hand_that_fails_holds_nothing_below(story: Story) -> None:
    story.failing.add("photos_raw")
    assert not story.run("photos_raw")
    story.holds["boxes"] = "C"

    assert story.settle() == ["boxes_raw", "evaluation", "splits"]


def test_landing_by_hand_that_fails_does_not_excuse_a_failing_check(story: Story) -> None:
    _rejected(story)
    story.failing.add("photos_raw")
    assert not story.run("photos_raw")

    assert story.settle() == []


def _cancel_what_runs(story: Story) -> None:
    (run,) = story.instance.get_runs(filters=dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
    story.wait(60)
    story.cancel(run)
    raise dg.DagsterExecutionInterruptedError


def test_refresh_that_a_person_cancels_is_not_asked_for_again_and_that_is_said_once(story: Story) -> None:
    story.cancelled_landing()

    story.tick_s = BACKOFF_S
    assert story.settle(ticks=12) == []
    assert len(story.said) == 1
    assert "photos_raw: a user cancelled its run, due because of photos_upstream" in story.said[0]


def test_refresh_that_a_person_takes_out_of_the_queue_is_not_asked_for_again(story: Story) -> None:
    story.holds["photos"] = "B"
    story.look()
    assert story.tick(run=False) == ["photos_raw"]
    run = story.dangling_run("photos_raw", began=False)
    story.wait(60)
    story.cancel(run, worker_pid=None)
    story.tick_s = BACKOFF_S

    assert story.settle(ticks=6) == []
    assert len(story.said) == 1


def test_new_change_after_a_cancelled_refresh_is_asked_for(story: Story) -> None:
    story.cancelled_landing()
    story.wait(BACKOFF_S)
    assert story.settle() == []
    story.holds["photos"] = "C"

    assert story.settle() == CHAIN


def test_run_by_a_person_after_a_cancelled_refresh_goes_on_down_the_chain(story: Story) -> None:
    story.cancelled_landing()
    assert story.settle() == []
    assert story.run("photos_raw")

    assert story.settle() == ["evaluation", "splits"]
    story.holds["photos"] = "C"
    assert story.settle() == CHAIN


def test_run_by_hand_that_a_person_cancels_does_not_hold_the_refresh(story: Story) -> None:
    story.cancel(story.dangling_run("photos_raw"))
    story.wait(BACKOFF_S)
    story.holds["photos"] = "B"

    assert story.settle() == CHAIN
    assert story.said == []


def test_landing_by_hand_that_a_person_cancels_is_not_followed_by_one(story: Story) -> None:
    """It has reported what it read: of another selection, say, which the stored one does not have."""
    story.during["photos_raw"] = lambda: _cancel_what_runs(story)
    story.holds["photos"] = "A and more"
    assert not story.run("photos_raw")
    story.tick_s = BACKOFF_S

    assert story.settle(looking=False, ticks=12) == []
    assert len(story.said) == 1
    story.holds["photos"] = "A"
    assert story.settle(ticks=6) == []
