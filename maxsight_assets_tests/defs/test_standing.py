"""The verdicts of a published version stand when a run ends before it lands anything."""

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus as Status

from maxsight_assets.defs.running.standing import standing_sensors, verdicts_stand
from maxsight_assets_tests.defs.automation.conftest import instance, story, worlds
from maxsight_assets_tests.defs.automation.story import Story
from maxsight_assets_tests.project import Project

__all__ = ["instance", "story", "worlds"]  # fixtures
SOUND = dg.AssetCheckKey(dg.AssetKey("photos_raw"), "sound")


def _statuses(instance: dg.DagsterInstance, check: dg.AssetCheckKey) -> list[Status]:
    """The status of each execution of a check, the latest first, as Dagster shows it."""
    return [each.status for each in instance.event_log_storage.get_asset_check_execution_history(check, limit=9)]


def test_fault_93_checks_of_a_failed_run_say_again_what_they_said_of_the_published_version(story: Story) -> None:
    story.failing.add("photos_raw")
    assert not story.run("photos_raw", "evaluation")
    run = story.instance.get_runs(limit=1)[0]
    assert _statuses(story.instance, SOUND)[0] == Status.PLANNED

    assert verdicts_stand(story.instance, run.run_id, story.published) == 2
    assert _statuses(story.instance, SOUND)[0] == Status.SUCCEEDED
    assert verdicts_stand(story.instance, run.run_id, story.published) == 0


def test_a_failing_verdict_stands_too(story: Story) -> None:
    story.bad.add("B")
    story.holds["photos"] = "B"
    assert not story.run("photos_raw")
    story.failing.add("photos_raw")
    assert not story.run("photos_raw")
    run = story.instance.get_runs(limit=1)[0]

    assert verdicts_stand(story.instance, run.run_id, story.published) == 1
    assert _statuses(story.instance, SOUND)[0] == Status.FAILED


def test_a_version_that_was_landed_and_never_judged_gets_no_verdict_of_the_one_before(story: Story) -> None:
    story.dying.add("photos_raw")
    story.holds["photos"] = "B"
    assert not story.run("photos_raw")
    run = story.instance.get_runs(limit=1)[0]

    assert verdicts_stand(story.instance, run.run_id, story.published) == 0


def test_a_version_that_the_event_log_does_not_know_gets_no_verdict(story: Story) -> None:
    """The run was killed after it published, before Dagster had its event."""
    story.failing.add("photos_raw")
    assert not story.run("photos_raw")
    story.disk["photos_raw"] = "B"
    run = story.instance.get_runs(limit=1)[0]

    assert verdicts_stand(story.instance, run.run_id, story.published) == 0


def test_the_sensor_does_so_for_a_run_whose_process_was_killed(story: Story) -> None:
    run = story.dangling_run("photos_raw")
    story.declare_dead(run)
    (event,) = story.instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.PIPELINE_FAILURE).records
    failure, _ = standing_sensors(story.published)
    assert event.event_log_entry.dagster_event is not None
    context = dg.build_run_status_sensor_context(
        sensor_name=failure.name,
        dagster_event=event.event_log_entry.dagster_event,
        dagster_instance=story.instance,
        dagster_run=run,
    )
    assert _statuses(story.instance, SOUND)[0] == Status.PLANNED

    failure(context)

    assert _statuses(story.instance, SOUND)[0] == Status.SUCCEEDED


def test_fault_93_a_wrong_configuration_turns_no_check_of_sound_data_red(project: Project) -> None:
    outcome = project.run("ade20k_raw")
    assert outcome.success

    assert not project.run("ade20k_raw", ade20k_raw={"max_images": -1}).success

    for told in outcome.checks:
        check = dg.AssetCheckKey(dg.AssetKey("ade20k_raw"), told.rule)
        said = Status.SUCCEEDED if told.passed else Status.FAILED
        assert _statuses(project.instance, check)[0] == said
