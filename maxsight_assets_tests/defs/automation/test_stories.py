"""Stories of refreshes: what happens upstream, in runs and to the machine, and what is asked for because of it."""

import pytest

from maxsight_assets.errors import TransientError
from maxsight_assets_tests.defs.automation.story import ALL, Story

CHAIN = ["photos_raw", "evaluation", "splits"]
BACKOFF_S = 300
DAY_S = 24 * 3600


# Nothing is asked for


def test_first_start_asks_for_nothing(start: Story) -> None:
    assert start.settle() == []
    start.holds["photos"] = "B"
    assert start.settle() == []
    assert start.made == []


def test_what_another_data_dir_landed_is_never_landed_here_unasked(story: Story) -> None:
    """The event log is of another DATA_DIR; in this one nothing is published."""
    story.disk.clear()
    story.holds.update(photos="B", boxes="C")

    assert story.settle() == []
    assert story.made == []


def test_half_that_is_published_here_is_refreshed_and_the_rest_is_left_alone(story: Story) -> None:
    del story.disk["boxes_raw"]
    story.holds.update(photos="B", boxes="C")

    assert story.settle() == ["photos_raw"]


def test_input_that_is_not_what_the_event_log_says_holds_what_is_below_until_that_is_reported(story: Story) -> None:
    story.disk["photos_raw"] = "older"
    story.holds["boxes"] = "C"

    assert story.settle() == ["boxes_raw"]


def test_same_fingerprint_again_asks_for_nothing(story: Story) -> None:
    assert story.settle() == []
    assert [result.asset_events for result in story.look()] == [[], []]


def test_lost_sensor_cursor_asks_for_nothing(story: Story) -> None:
    story.sensor_cursors = dict.fromkeys(story.sensor_cursors)

    assert story.settle() == []


def test_lost_automation_cursor_asks_for_nothing(story: Story) -> None:
    story.cursor = None

    assert story.settle() == []


# Code changes


# A scheduled refresh that fails


def _scheduled(story: Story) -> None:
    story.wait(DAY_S)
    story.run(*ALL, schedule="scheduled_refresh")


def test_fault_53_scheduled_refresh_that_failed_is_asked_for_again_the_same_day(story: Story) -> None:
    story.failing.add("photos_raw")
    _scheduled(story)
    story.failing.clear()
    assert story.settle() == []  # it waits
    story.wait(BACKOFF_S)

    assert story.settle() == CHAIN
    assert story.settle() == []
    assert story.said == []


def test_fault_53_outage_during_the_scheduled_refresh_is_made_good_the_same_day(story: Story) -> None:
    story.holds["photos"] = TransientError("photos.zip: 503")
    _scheduled(story)
    assert story.settle() == []
    story.holds["photos"] = "A"
    story.wait(3600)

    assert story.settle() == CHAIN
    assert story.settle() == []


def test_fault_53_scheduled_refresh_that_goes_on_failing_is_asked_for_three_times_and_said(story: Story) -> None:
    story.failing.add("photos_raw")
    _scheduled(story)
    story.tick_s = 900

    assert story.settle(ticks=12) == ["photos_raw"] * 3
    assert len(story.said) == 1
    assert "photos_raw: 3 refreshes because of the scheduled refresh did not land" in story.said[0]


def test_scheduled_refresh_whose_machine_died_is_asked_for_again(story: Story) -> None:
    run = story.dangling_run(*ALL, schedule="scheduled_refresh")
    story.wait(3600)
    story.declare_dead(run)
    story.wait(BACKOFF_S)

    assert story.settle() == ["boxes_raw", "photos_raw", "evaluation", "splits"]


# A change flows


def test_change_refreshes_raw_evaluation_and_splits_once_each(story: Story) -> None:
    story.holds["photos"] = "B"

    assert story.settle() == CHAIN
    assert story.made == [("photos_raw", "B"), ("evaluation", "BA"), ("splits", "BA/BA")]


def test_change_and_back_refreshes_twice(story: Story) -> None:
    for fingerprint in ("B", "A"):
        story.holds["photos"] = fingerprint
        assert story.settle() == CHAIN

    assert story.disk["splits"] == "AA/AA"


def test_change_back_before_any_run_asks_for_nothing(story: Story) -> None:
    for fingerprint in ("B", "A"):
        story.holds["photos"] = fingerprint
        story.look()

    assert story.settle() == []


def test_equal_bytes_stop_the_chain_after_the_raw(story: Story) -> None:
    story.content["B"] = "A"
    story.holds["photos"] = "B"

    assert story.settle() == ["photos_raw"]


@pytest.mark.parametrize("apart", range(4))
def test_both_upstreams_changing_some_ticks_apart_never_yield_a_stale_half(story: Story, apart: int) -> None:
    story.holds["photos"] = "B"
    asked = story.settle(ticks=apart)
    story.holds["boxes"] = "C"
    asked += story.settle(ticks=8)

    assert story.disk["splits"] == "BC/BC"
    assert sorted(set(asked)) == sorted(ALL)
    assert len(story.made) == len(set(story.made))
    assert all(content[:2] == content[3:] for name, content in story.made if name == "splits")


def test_both_upstreams_at_once_make_evaluation_and_splits_once(story: Story) -> None:
    story.holds.update(photos="B", boxes="C")

    assert story.settle() == ["boxes_raw", "photos_raw", "evaluation", "splits"]


def test_slow_half_holds_evaluation_until_both_are_landed(story: Story) -> None:
    story.holds.update(photos="B", boxes="C")
    story.look()
    assert story.tick(run=False) == ["boxes_raw", "photos_raw"]
    run = story.dangling_run("boxes_raw")
    assert story.run("photos_raw")
    assert story.settle() == []

    story.declare_dead(run)
    story.wait(BACKOFF_S)

    assert story.settle() == ["boxes_raw", "evaluation", "splits"]


# Changes while runs run


def test_look_that_a_landing_overtakes_repeats_nothing(story: Story) -> None:
    def overtake() -> None:
        story.holds["photos"] = "B"
        assert story.run("photos_raw")

    story.holds["photos"] = "A2"
    story.during["look at photos"] = overtake
    story.look("photos")

    assert story.settle() == ["evaluation", "splits"]
    assert story.made[0] == ("photos_raw", "B")


def test_look_by_the_published_selection_while_another_one_lands_repeats_nothing(story: Story) -> None:
    def look_by_the_published_one() -> None:
        story.holds["photos"] = "A"
        story.look("photos")
        story.holds["photos"] = "A and more"

    story.during["photos_raw"] = look_by_the_published_one
    story.holds["photos"] = "A and more"
    assert story.run("photos_raw")

    assert story.settle(looking=False) == ["evaluation", "splits"]
    assert story.settle() == []


def test_change_while_the_raw_runs_is_not_lost(story: Story) -> None:
    def meanwhile() -> None:
        story.holds["photos"] = "C"
        story.look()
        assert story.tick(run=False) == []

    story.during["photos_raw"] = meanwhile
    story.holds["photos"] = "B"

    assert story.settle() == ["photos_raw", *CHAIN]
    assert story.disk["splits"] == "CA/CA"


# Blocking checks


def _rejected(story: Story) -> None:
    story.bad.add("B")
    story.holds["photos"] = "B"
    assert story.settle() == ["photos_raw"]


def test_landing_whose_checks_die_waits_for_the_run_by_which_dagster_retries_them(story: Story) -> None:
    """A run that died is retried by another one, some seconds later; no whole landing is asked for meanwhile."""
    story.dying.add("photos_raw")
    story.holds["photos"] = "B"
    assert story.settle() == ["photos_raw"]
    story.dying.clear()
    story.check("photos_raw")

    assert story.settle() == ["evaluation", "splits"]


def test_landing_that_is_being_judged_is_not_asked_for_again(story: Story) -> None:
    asked: list[str] = []
    story.during["check of photos_raw"] = lambda: asked.extend(story.tick(run=False) + story.tick(run=False))
    story.holds["photos"] = "B"

    assert story.settle() == CHAIN
    assert asked == []


def test_first_landing_of_all_that_is_being_judged_is_not_asked_for_again(start: Story) -> None:
    asked: list[str] = []
    for name in ("photos_raw", "boxes_raw", "evaluation"):
        start.during[f"check of {name}"] = lambda: asked.extend(start.tick(run=False))

    assert start.run(*ALL)
    assert asked == []
    assert start.settle() == []


def test_failing_blocking_check_mended_by_running_it_again(story: Story) -> None:
    _rejected(story)
    story.bad.clear()
    story.check("photos_raw")

    assert story.settle() == ["evaluation", "splits"]


def test_failing_blocking_check_mended_by_landing_the_same_bytes_again(story: Story) -> None:
    _rejected(story)
    story.bad.clear()
    assert story.run("photos_raw")

    assert story.settle() == ["evaluation", "splits"]


def test_failing_blocking_check_mended_by_new_bytes(story: Story) -> None:
    _rejected(story)
    story.holds["photos"] = "C"

    assert story.settle() == CHAIN
    assert ("evaluation", "BA") not in story.made


# Runs that fail


def test_new_change_waits_out_the_last_failure(story: Story) -> None:
    """An upstream that says something else at every look does not make a failing run repeat at every tick."""
    story.tick_s = 100
    story.failing.add("photos_raw")
    asked = []
    for number in range(12):
        story.holds["photos"] = f"B{number}"
        asked += story.settle(ticks=1)

    assert 1 < len(asked) <= 12 * story.tick_s // BACKOFF_S


def test_run_that_somebody_configured_wrongly_holds_no_refresh_back(story: Story) -> None:
    story.misconfigured.add("photos_raw")
    assert not story.run("photos_raw")
    story.misconfigured.clear()
    story.holds["photos"] = "B"

    assert story.settle(ticks=3) == CHAIN


def test_refresh_that_heals_goes_on_down_the_chain(story: Story) -> None:
    story.failing.add("photos_raw")
    story.holds["photos"] = "B"
    assert story.settle() == ["photos_raw"]
    story.failing.clear()
    story.wait(BACKOFF_S)

    assert story.settle() == CHAIN
    assert story.said == []


def test_fault_53_killed_run_worker_is_asked_for_again(story: Story) -> None:
    story.holds["photos"] = "B"
    story.look()
    assert story.tick(run=False) == ["photos_raw"]
    story.declare_dead(story.dangling_run("photos_raw"))
    assert story.tick() == []
    story.wait(BACKOFF_S)

    assert story.settle() == CHAIN


def test_killed_machine_blocks_until_run_monitoring_ends_the_run(story: Story) -> None:
    story.holds["photos"] = "B"
    story.look()
    assert story.tick(run=False) == ["photos_raw"]
    run = story.dangling_run("photos_raw")
    story.wait(24 * 3600)
    assert story.settle() == []
    story.declare_dead(run)
    story.wait(BACKOFF_S)

    assert story.settle() == CHAIN


def test_run_that_was_asked_for_and_never_came_to_be_is_asked_for_again(story: Story) -> None:
    story.holds["photos"] = "B"
    story.look()
    assert story.tick(run=False) == ["photos_raw"]
    assert story.tick() == []
    story.wait(BACKOFF_S)

    assert story.settle() == CHAIN


# Sensors, automation and server away


def test_change_while_the_sensor_was_off_is_found_when_it_is_on_again(story: Story) -> None:
    story.holds["photos"] = "B"
    assert story.settle(looking=False) == []

    assert story.settle() == CHAIN


def test_change_while_automation_was_off_is_found_when_it_is_on_again(story: Story) -> None:
    for fingerprint in ("B", "C"):
        story.holds["photos"] = fingerprint
        story.look()
        story.wait(3600)

    assert story.settle() == CHAIN
    assert story.disk["splits"] == "CA/CA"


def test_change_while_the_automation_cursor_was_lost_is_found(story: Story) -> None:
    story.holds["photos"] = "B"
    story.look()
    story.cursor = None

    assert story.settle() == CHAIN


def test_cursor_lost_in_the_middle_of_a_refresh_repeats_nothing(story: Story) -> None:
    story.holds["photos"] = "B"
    asked = []
    for _ in range(6):
        story.look()
        story.cursor = None
        asked += story.tick()

    assert asked == CHAIN


def test_change_while_upstream_was_away_is_found_when_it_is_back(story: Story) -> None:
    story.holds.update(photos=ConnectionError("down"), boxes="C")
    assert story.settle() == ["boxes_raw", "evaluation", "splits"]
    story.holds["photos"] = "B"
    story.wait(3600)  # longer than any wait between looks by then

    assert story.settle() == CHAIN
    assert story.disk["splits"] == "BC/BC"
