"""Keep the verdicts on a published version if a run fails, or is cancelled, before it lands anything.

Dagster plans the checks of a run when the run is created, and shows a planned check that never ran as failed: a typo in
the Launchpad would turn every check of a sound asset red. So the verdicts on the published version are reported once
more, with the run and the reason. A run that landed something has its own verdicts, or lacks them.
"""

import dagster as dg

from maxsight_assets.defs.automation.records import DATA_VERSION_TAG, Published, judged, records_of

_MATERIALIZE = {dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED, dg.DagsterEventType.ASSET_MATERIALIZATION}
_CHECK = {dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED, dg.DagsterEventType.ASSET_CHECK_EVALUATION}


def verdicts_stand(instance: dg.DagsterInstance, run_id: str, published: Published) -> int:
    """Report the verdicts on the published version again, for each asset that a run should have landed and did not.

    Args:
        instance: Where the run is recorded.
        run_id: A run that has ended.
        published: Reads what an asset has published; another version than the event log's has no verdict.

    Returns:
        The number of reported verdicts; 0 if they were reported before.
    """
    events = instance.get_records_for_run(run_id, of_type=_MATERIALIZE | _CHECK).records
    said = [event for record in events if (event := record.event_log_entry.dagster_event) is not None]
    landed = {event.asset_key for event in said if event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION}
    unlanded = {event.asset_key for event in said if event.event_type in _MATERIALIZE} - landed
    asked = {
        event.asset_check_evaluation_data.asset_check_key
        for event in said
        if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION
    }
    planned = {
        event.asset_check_planned_data.asset_check_key
        for event in said
        if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED
    }
    records = records_of(instance, [key for key in unlanded if key is not None])
    count = 0
    for check in sorted(planned - asked):
        record = records.get(check.asset_key)
        history = instance.event_log_storage.get_asset_check_execution_history(check, limit=1)
        if record is None or (record.tags or {}).get(DATA_VERSION_TAG) != published(check.asset_key):
            continue
        verdict = judged(instance, check, record)
        if verdict is not None and history and history[0].run_id == run_id:
            note = f"Run {run_id[:8]} ended before it landed anything; this is said of the version that is published."
            instance.report_runless_asset_event(
                dg.AssetCheckEvaluation(
                    check.asset_key,
                    check.name,
                    passed=verdict.passed,
                    metadata=verdict.metadata,
                    target_materialization_data=verdict.target_materialization_data,
                    severity=verdict.severity,
                    description=note,
                    blocking=verdict.blocking,
                )
            )
            count += 1
    return count


def standing_sensors(published: Published) -> list[dg.SensorDefinition]:
    """Return the sensors that do so for runs of the UI, the daemon and the command line, including killed runs."""
    return [
        _sensor("verdicts_stand_after_a_failure", dg.DagsterRunStatus.FAILURE, published),
        _sensor("verdicts_stand_after_a_cancel", dg.DagsterRunStatus.CANCELED, published),
    ]


def _sensor(name: str, status: dg.DagsterRunStatus, published: Published) -> dg.SensorDefinition:
    @dg.run_status_sensor(
        run_status=status,
        name=name,
        description="Keeps the verdicts of what is published standing when a run ends before it lands anything.",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        monitor_all_code_locations=True,  # runs of the command line belong to no code location
    )
    def keep(context: dg.RunStatusSensorContext) -> None:
        verdicts_stand(context.instance, context.dagster_run.run_id, published)

    return keep
