"""Stories of refreshes: what happens upstream, in runs and to the machine, and what is asked for because of it."""

import itertools
import time
from concurrent.futures import ThreadPoolExecutor

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from dagster._core.test_utils import instance_for_test

from maxsight_assets_tests.defs.automation.story import ALL, Story


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
