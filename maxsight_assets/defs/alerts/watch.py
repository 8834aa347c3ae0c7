"""Find what no run shows: a refresh that gave up, an upstream that is away, failing or silent sensors, stuck runs.

What `maxsight-assets doctor` finds in the records is a cause here too, under the same words.
"""

import time
from collections.abc import Iterator

import dagster as dg
from dagster._core.storage.dagster_run import ACTIVE_RUN_STATUSES

from maxsight_assets.defs.alerts.causes import Cause
from maxsight_assets.defs.alerts.runs import check_name
from maxsight_assets.defs.automation.records import LOOKED
from maxsight_assets.defs.automation.state import is_silence, state_now
from maxsight_assets.defs.running import dead_runs, findings

QUIET_RUN_S = 6 * 3600.0
"""A run that writes no event for so long may hang: a landing logs every ten seconds, and the slowest check, of 25 GB
on a drive of 4 MB/s, takes under two hours."""

QUIET_SENSOR_TICKS = 5
"""Intervals without a tick after which a sensor counts as silent."""

QUIET_SENSOR_S = 600.0
"""The same in seconds, for sensors with short intervals: the daemon may be busy with a long tick."""


def causes(instance: dg.DagsterInstance, repository: dg.RepositoryDefinition) -> dict[str, Cause]:
    """Return what is wrong now, by name.

    Args:
        instance: The records of one DAGSTER_HOME.
        repository: The definitions of the code location.
    """
    running = findings.running_by_default(repository)
    found = {
        finding.cause: Cause.of(
            finding.text, "/automation" if finding.cause.startswith(findings.AUTOMATION) else "/runs"
        )
        for finding in findings.examine(instance, running)
        if finding.level == "ERROR" and finding.cause != findings.QUEUE
    }
    return {
        **found,
        **dict(_away(instance, repository)),
        **dict(_quiet_runs(instance)),
        **dict(_quiet_sensors(instance, repository)),
    }


def _away(instance: dg.DagsterInstance, repository: dg.RepositoryDefinition) -> Iterator[tuple[str, Cause]]:
    """Return the upstreams that are away, by the check that says so.

    `findings` holds the refreshes that gave up and the sensors that are silent. A refresh that waits after a failed run
    is no cause of its own: the run is.
    """
    sensors = [sensor.name for sensor in repository.sensor_defs]
    for key in sorted(repository.asset_graph.asset_check_keys):
        if key.name != LOOKED:
            continue
        state = state_now(instance, key, sensor=None)
        if not state.passed and not any(is_silence(state.description, sensor) for sensor in sensors):
            asset = key.asset_key.to_user_string()
            yield check_name(key), Cause.of(f"{asset}: {state.description}", f"/assets/{asset}?view=checks")


def _quiet_runs(instance: dg.DagsterInstance) -> Iterator[tuple[str, Cause]]:
    """Return the runs, queued ones too, that have written no event for hours."""
    statuses = [*ACTIVE_RUN_STATUSES, dg.DagsterRunStatus.QUEUED]
    for run in instance.get_runs(dg.RunsFilter(statuses=statuses)):
        latest = instance.get_records_for_run(run.run_id, limit=1, ascending=False).records
        if latest and latest[0].event_log_entry.timestamp < time.time() - QUIET_RUN_S:
            since = dead_runs.since(latest[0].event_log_entry.timestamp)
            text = f"{dead_runs.named(run)} is {run.status.value} and has written nothing since {since}"
            how = "look into its log; Terminate ends it"
            yield f"run {run.run_id}/quiet", Cause.of(f"{text}; {how}.", f"/runs/{run.run_id}")


def _quiet_sensors(instance: dg.DagsterInstance, repository: dg.RepositoryDefinition) -> Iterator[tuple[str, Cause]]:
    """Return the running sensors that have not ticked for several intervals, though a daemon is at work: this one."""
    states = {state.instigator_name: state for state in instance.all_instigator_state()}
    for sensor in repository.sensor_defs:
        state = states.get(sensor.name)
        if state is None or not state.is_running:
            continue
        ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
        interval_s = sensor.minimum_interval_seconds or 30
        if ticks and ticks[0].timestamp < time.time() - max(QUIET_SENSOR_TICKS * interval_s, QUIET_SENSOR_S):
            text = f"{sensor.name} has not ticked since {dead_runs.since(ticks[0].timestamp)}; restart the daemon"
            yield (
                f"{findings.AUTOMATION} {sensor.name}/quiet",
                Cause.of(f"{text}.", f"/automation/sensors/{sensor.name}"),
            )
