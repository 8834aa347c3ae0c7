"""Stories of refreshes: what happens upstream, in runs and to the machine, and what is asked for because of it."""

import itertools
import time
from concurrent.futures import ThreadPoolExecutor

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from dagster._core.test_utils import instance_for_test

from maxsight_assets_tests.defs.automation.story import ALL, Story
from maxsight_assets_tests.defs.automation.test_stories import BACKOFF_S, CHAIN, _scheduled


def test_hammer_of_changes_with_runs_in_threads_repeats_nothing() -> None:
    # Runs that share a process cannot each have its output: what Dagster starts for it then waits for half a minute.
    unheard = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
    with (
        instance_for_test(overrides={"compute_logs": unheard}) as instance,
        ThreadPoolExecutor(max_workers=4) as pool,
    ):
        story = Story(instance)
        assert story.run(*ALL)
        story.made.clear()
        cursor, running, quiet, number = None, [], 0, 0
        deadline = time.monotonic() + 1500  # a run that fails is asked for again after BACKOFF_S
        while quiet < 3 and time.monotonic() < deadline:
            number += 1
            changing = number <= 30 or len(running) <= 8
            if changing:
                story.holds["photos" if number % 3 else "boxes"] = f"{number:02}"
            for name in story.sensors:
                result = story.sense(name)
                for event in result.asset_events:
                    instance.report_runless_asset_event(event)
            result = dg.evaluate_automation_conditions(story.defs, instance, cursor=cursor)
            cursor = result.cursor
            asked = frozenset(dg.AssetKey(name) for name in ALL if result.get_num_requested(dg.AssetKey(name)))
            if asked:
                job = story.job.get_subset(asset_selection=set(asked))
                run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTING, asset_selection=asked)
                running.append(pool.submit(execute_run, InMemoryJob(job), run, instance))
            quiet = quiet + 1 if not asked and not changing and all(each.done() for each in running) else 0

    last = f"{story.holds['photos']}{story.holds['boxes']}"
    assert quiet == 3
    assert len(running) > 8
    assert story.disk["splits"] == f"{last}/{last}"
    for name in ALL:
        contents = [content for made, content in story.made if made == name]
        assert all(one != next_one for one, next_one in itertools.pairwise(contents)), name


def test_the_next_scheduled_refresh_begins_the_count_anew(story: Story) -> None:
    story.failing.add("photos_raw")
    story.tick_s = 900
    for _ in range(2):
        _scheduled(story)
        assert story.settle(ticks=12) == ["photos_raw"] * 3


def test_scheduled_refresh_that_a_person_cancels_is_not_asked_for_again(story: Story) -> None:
    run = story.dangling_run(*ALL, schedule="scheduled_refresh")
    story.wait(60)
    story.cancel(run)
    story.tick_s = BACKOFF_S

    assert story.settle(ticks=12) == []
    assert {said.split(":")[0] for said in story.said} == {"boxes_raw", "photos_raw"}


def test_change_while_the_splits_run_is_not_lost(story: Story) -> None:
    def meanwhile() -> None:
        story.holds["photos"] = "C"
        assert story.settle(ticks=4) == ["photos_raw", "evaluation"]

    story.during["splits"] = meanwhile
    story.holds["photos"] = "B"

    assert story.settle(ticks=8) == [*CHAIN, "splits"]
    assert story.disk["splits"] == "CA/CA"


def test_landing_whose_checks_die_is_asked_for_again_and_then_goes_on(story: Story) -> None:
    story.dying.add("photos_raw")
    story.holds["photos"] = "B"
    assert story.settle() == ["photos_raw"]
    story.wait(BACKOFF_S)
    assert story.settle() == ["photos_raw"]  # for its checks
    story.dying.clear()
    story.wait(3600)

    assert story.settle() == ["photos_raw", "evaluation", "splits"]
    assert story.settle() == []


def test_landing_whose_checks_never_run_is_given_up_with_a_warning(story: Story) -> None:
    story.dying.add("photos_raw")
    story.holds["photos"] = "B"
    asked: list[str] = []

    def tick_meanwhile() -> None:
        asked.extend(story.tick(run=False))

    for _ in range(6):
        story.during["check of photos_raw"] = tick_meanwhile
        asked += story.settle()
        story.wait(3600)

    assert asked == ["photos_raw"] * 4  # for the change, and three times for its checks
    assert len(story.said) == 1
    assert "photos_raw: 3 refreshes because of its own checks did not land" in story.said[0]


def _given_up(story: Story) -> None:
    story.tick_s = 100
    story.failing.add("photos_raw")
    story.holds["photos"] = "B"
    assert story.settle(ticks=12) == ["photos_raw"] * 3


def test_failing_refresh_is_asked_for_three_times_with_backoff_then_said_and_quiet(story: Story) -> None:
    story.tick_s = 100
    story.failing.add("photos_raw")
    story.holds["photos"] = "B"
    asked_at = []
    for number in range(20):
        story.look()
        if story.tick():
            asked_at.append(number * story.tick_s)

    assert asked_at == [0, BACKOFF_S, BACKOFF_S + 2 * BACKOFF_S]
    assert len(story.said) == 1
    assert "photos_raw: 3 refreshes because of photos_upstream did not land" in story.said[0]


def test_fault_53_backoff_runs_from_the_end_of_the_failed_run(story: Story) -> None:
    story.holds["photos"] = "B"
    story.look()
    assert story.tick(run=False) == ["photos_raw"]
    run = story.dangling_run("photos_raw")
    story.wait(10 * BACKOFF_S)
    story.declare_dead(run)

    assert story.settle(ticks=BACKOFF_S // story.tick_s - 1) == []
    assert story.settle() == CHAIN


def test_cancel_of_a_run_whose_worker_was_gone_is_a_failure_that_is_asked_for_again(story: Story) -> None:
    """After a power cut, somebody clicks Terminate on a run that no process works on."""
    story.holds["photos"] = "B"
    story.look()
    assert story.tick(run=False) == ["photos_raw"]
    run = story.dangling_run("photos_raw")
    story.wait(60)
    story.cancel(run, worker_pid=None)

    assert story.settle(ticks=BACKOFF_S // story.tick_s - 1) == []
    assert story.settle() == CHAIN
    assert story.said == []


def test_new_change_starts_the_count_anew(story: Story) -> None:
    _given_up(story)
    story.holds["photos"] = "C"

    assert story.settle(ticks=12) == ["photos_raw"] * 3
    assert len(story.said) == 2


def test_run_by_a_person_resumes_after_giving_up(story: Story) -> None:
    _given_up(story)
    story.failing.clear()
    assert story.settle() == []
    assert story.run("photos_raw")
    assert story.settle() == ["evaluation", "splits"]

    story.holds["photos"] = "C"
    assert story.settle() == CHAIN


def test_half_that_fails_for_good_holds_what_is_below_until_a_person_runs_it(story: Story) -> None:
    story.tick_s = 100
    story.failing.add("photos_raw")
    story.holds.update(photos="B", boxes="C")

    asked = story.settle(ticks=12)

    assert sorted(asked) == ["boxes_raw", "photos_raw", "photos_raw", "photos_raw"]
    assert story.disk["splits"] == "AA/AA"
    story.failing.clear()
    assert story.run("photos_raw")
    assert story.settle() == ["evaluation", "splits"]
    assert story.disk["splits"] == "BC/BC"


def test_change_that_goes_away_after_giving_up_releases_the_rest(story: Story) -> None:
    _given_up(story)
    story.holds.update(photos="A", boxes="C")

    assert story.settle() == ["boxes_raw", "evaluation", "splits"]


def test_change_that_goes_away_after_giving_up_and_comes_back_is_asked_for_again(story: Story) -> None:
    _given_up(story)
    story.holds["photos"] = "A"
    assert story.settle() == []
    story.failing.clear()
    story.holds["photos"] = "B"

    assert story.settle() == CHAIN
