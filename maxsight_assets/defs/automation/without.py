"""Make the evaluation sets and splits of what is landed, if a run skipped them because a dataset could not be had.

Dagster skips every step below one that failed. The command line goes on by itself (`defs.runs`); for runs of the UI and
of schedules, the sensor here asks for what was skipped.
"""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from typing import Any

import dagster as dg

from maxsight_assets.defs.automation.records import NOT_HAD, Published

NAME = "made_without_what_is_away"


@dataclass(frozen=True, slots=True)
class Rest:
    """What a run left to be made.

    Attributes:
        without: The raw assets that could not be had.
        assets: The derived assets that the run was to make, and did not.
    """

    without: Sequence[str]
    assets: Sequence[str]


def rest_of(
    graph: Any,  # Dagster does not export the type of its asset graphs
    wanted: Set[str],
    materialized: Set[str],
    failures: Iterable[dg.DagsterEvent],
) -> Rest | None:
    """Return what a run left to be made; None if nothing, or if a step failed for another reason.

    Args:
        graph: The assets.
        wanted: Names of the assets that the run was to make.
        materialized: Names of those that it made.
        failures: The failures of its steps.
    """
    below = {name for name in wanted if graph.get(dg.AssetKey(name)).parent_keys & graph.materializable_asset_keys}
    said = {event.step_key or "": event.step_failure_data.user_failure_data for event in failures}
    left = sorted(below - materialized)
    not_had = all(data and NOT_HAD in data.metadata for data in said.values())
    return Rest(sorted(said), left) if said and left and not_had and said.keys() <= wanted - below else None


def goes_on_sensor(*, published: Published) -> dg.SensorDefinition:
    """Return the sensor that requests what runs left to be made.

    Args:
        published: Reads what an asset has published; nothing is requested while no input of an asset is landed.
    """

    @dg.run_status_sensor(
        run_status=dg.DagsterRunStatus.FAILURE,
        name=NAME,
        description="Requests the evaluation sets and splits that a run skipped because a dataset could not be had.",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        request_job=dg.define_asset_job("made_of_what_is_landed", selection=dg.AssetSelection.all()),
    )
    def goes_on(context: dg.RunStatusSensorContext) -> dg.RunRequest | dg.SkipReason:
        if context.repository_def is None:
            raise dg.DagsterInvariantViolationError("This sensor runs only inside its code location.")
        run, graph = context.dagster_run, context.repository_def.asset_graph
        selected = run.asset_selection or graph.materializable_asset_keys
        made = {event.asset_key for event in _events(context, dg.DagsterEventType.ASSET_MATERIALIZATION)}
        rest = rest_of(
            graph,
            {key.to_user_string() for key in selected & graph.materializable_asset_keys},
            {key.to_user_string() for key in made if key is not None},
            _events(context, dg.DagsterEventType.STEP_FAILURE),
        )
        if rest is None:
            return dg.SkipReason("The run did not skip anything because a dataset could not be had.")
        keys = [dg.AssetKey(name) for name in rest.assets]
        inputs = {key for each in keys for key in graph.get(each).parent_keys} - set(keys)
        if not any(published(key) is not None for key in inputs):
            return dg.SkipReason("No dataset is landed that anything could be made of.")
        stated: dict[str, Any] = dict(run.run_config)
        ops = {name: config for name, config in stated.get("ops", {}).items() if name in rest.assets}
        return dg.RunRequest(
            run_key=run.run_id,
            asset_selection=keys,
            run_config={**stated, "ops": ops},
            tags={"maxsight/without": ", ".join(rest.without)},
        )

    return goes_on


def _events(context: dg.RunStatusSensorContext, kind: dg.DagsterEventType) -> list[dg.DagsterEvent]:
    """Return the events of one kind of the run."""
    records = context.instance.get_records_for_run(context.dagster_run.run_id, of_type=kind).records
    return [event for record in records if (event := record.event_log_entry.dagster_event) is not None]
