"""Run the graph from the command line rather than from the UI; the UI shows these runs too."""

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import dagster as dg
from dagster._core.events import JobFailureData, RunFailureReason
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

from maxsight_assets.defs.automation.records import DATA_VERSION_TAG, Published
from maxsight_assets.defs.automation.state import NAMES as STATE
from maxsight_assets.defs.automation.without import rest_of
from maxsight_assets.defs.reporting import told_of
from maxsight_assets.defs.running import dead_runs
from maxsight_assets.defs.running.standing import verdicts_stand
from maxsight_assets.defs.running.waiting import ended_by_signals, waiting_aloud
from maxsight_assets.disk import host
from maxsight_assets.errors import SettingsError
from maxsight_assets.pipeline.inspection import Told

CONSOLE = {"loggers": {"console": {"config": {"log_level": "INFO"}}}}
"""Logging in a terminal: this project's own lines, without Dagster's events of every step."""


def console(*, stacks: bool) -> dg.LoggerDefinition:
    """Return the logger of a terminal.

    Args:
        stacks: Whether Dagster's errors are shown, with the stack below each. This project logs none: it raises them,
            and the caller prints one line for each step that failed.
    """

    def shown(context: dg.InitLoggerContext) -> logging.Logger:
        logger: logging.Logger = dg.colored_console_logger.logger_fn(context)
        if not stacks:
            logger.addFilter(lambda record: record.levelno < logging.ERROR)
        return logger

    return dg.LoggerDefinition(shown, config_schema=dg.colored_console_logger.config_schema)


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """The result of one run.

    Attributes:
        run_id: Dagster's id of the run.
        success: Whether every step succeeded and every blocking check passed.
        materialized: Data version of each asset that was materialized, by name.
        checks: The verdicts, in the order in which they were given.
        failures: The failures, one line per step.
        interrupted: Whether a signal ended it.
    """

    run_id: str
    success: bool
    materialized: dict[str, str]
    checks: tuple[Told, ...]
    failures: tuple[str, ...]
    interrupted: bool = False

    def and_then(self, then: "RunOutcome") -> "RunOutcome":
        """Return the result of this run and the one after it."""
        return RunOutcome(
            run_id=self.run_id or then.run_id,
            success=self.success and then.success,
            materialized=self.materialized | then.materialized,
            checks=(*self.checks, *then.checks),
            failures=(*self.failures, *then.failures),
            interrupted=self.interrupted or then.interrupted,
        )


NOTHING = RunOutcome("", success=True, materialized={}, checks=(), failures=())
"""The result of no run."""


def materialize(
    defs: dg.Definitions,
    select: Sequence[str] = (),
    *,
    instance: dg.DagsterInstance,
    published: Published | None = None,
    run_config: Mapping[str, Any] | None = None,
    stacks: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> RunOutcome:
    """Materialize assets and run their checks in this process.

    If a raw asset could not be had, a second run makes the evaluation sets and splits of what is landed. Assets of
    partitions run after the others, over all of their partitions.

    Runs that a dead process left are failed first, and again while a step waits for a pool slot. SIGINT, SIGTERM and
    SIGHUP end the run or the wait. However the run ends, it is recorded as ended and keeps no slot.

    Args:
        defs: The definitions.
        select: Names of assets; empty for all.
        instance: Keeps the record of the run.
        published: Reads what an asset has published, so that a run that lands nothing leaves its verdicts standing.
            None: they are not looked at.
        run_config: The values that the user would state in the Launchpad.
        stacks: Whether the terminal shows the stacks of errors too.
        say: Receives each line that the user should read during the run.

    Raises:
        SettingsError: `select` names an asset that does not exist.
    """
    shown = dg.Definitions.merge(defs, dg.Definitions(loggers={"console": console(stacks=stacks)}))
    job = shown.resolve_implicit_global_asset_job_def()
    known = {key.to_user_string() for key in job.asset_layer.executable_asset_keys}
    if unknown := sorted(set(select) - known):
        raise SettingsError(f"no asset {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    wanted = known & set(select) if select else known
    way = _Way(instance, published, say)
    graph = job.asset_layer.asset_graph
    parted = sorted(name for name in wanted if graph.get(dg.AssetKey(name)).partitions_def is not None)
    plain = sorted(wanted - set(parted))
    outcome = _materialize_plain(job, plain, way, run_config or {}) if plain else NOTHING
    for name in () if outcome.interrupted else parted:
        outcome = outcome.and_then(_run_all_partitions(job, name, way))
    return outcome


def _materialize_plain(
    job: dg.JobDefinition, wanted: Sequence[str], way: "_Way", run_config: Mapping[str, Any]
) -> RunOutcome:
    """Run assets without partitions; see `materialize`."""
    outcome, events = _run(job, [dg.AssetKey(name) for name in wanted], way, run_config)
    rest = rest_of(job.asset_layer.asset_graph, set(wanted), outcome.materialized.keys(), events)
    if rest is None or outcome.interrupted:
        return outcome
    way.say(f"{', '.join(rest.without)} could not be had: {', '.join(rest.assets)} are made of what is landed")
    stated = {key: value for key, value in run_config.items() if key != "ops"}
    ops = {name: config for name, config in run_config.get("ops", {}).items() if name in rest.assets}
    then, _ = _run(job, [dg.AssetKey(name) for name in rest.assets], way, stated | {"ops": ops})
    return replace(outcome.and_then(then), success=outcome.success)


def _run_all_partitions(job: dg.JobDefinition, name: str, way: "_Way") -> RunOutcome:
    """Run an asset of partitions once over all of them."""
    partitions_def = job.asset_layer.asset_graph.get(dg.AssetKey(name)).partitions_def
    partitions = partitions_def.get_partition_keys() if partitions_def else []
    tags = {ASSET_PARTITION_RANGE_START_TAG: partitions[0], ASSET_PARTITION_RANGE_END_TAG: partitions[-1]}
    return _run(job, [dg.AssetKey(name)], way, {}, tags=tags)[0]


@dataclass(frozen=True, slots=True)
class _Way:
    """How runs are recorded and told of; see `materialize`."""

    instance: dg.DagsterInstance
    published: Published | None
    say: Callable[[str], None]


def _run(
    job: dg.JobDefinition,
    selection: list[dg.AssetKey] | None,
    way: _Way,
    run_config: Mapping[str, Any],
    *,
    tags: Mapping[str, str] = MappingProxyType({}),
) -> tuple[RunOutcome, Sequence[dg.DagsterEvent]]:
    """Run assets and their checks once; return the outcome and the failures of steps."""
    instance, run_id = way.instance, str(uuid.uuid4())
    known = {key.to_user_string() for key in job.asset_layer.executable_asset_keys}
    with ended_by_signals():
        try:
            for line in dead_runs.heal(instance):
                way.say(line)
            with waiting_aloud(instance, way.say):
                result = job.execute_in_process(
                    instance=instance,
                    asset_selection=selection,
                    run_config={**CONSOLE, **run_config},
                    raise_on_error=False,
                    run_id=run_id,
                    tags={dead_runs.HOST_TAG: host(), **tags},
                )
        finally:
            _leave_nothing(instance, run_id)
            if way.published is not None:
                verdicts_stand(instance, run_id, way.published)
    failures = result.get_step_failure_events()
    outcome = RunOutcome(
        run_id=result.run_id,
        success=result.success,
        materialized={
            event.asset_key.to_user_string(): (event.materialization.tags or {}).get(DATA_VERSION_TAG, "")
            for event in result.get_asset_materialization_events()
            if event.asset_key is not None and event.asset_key.to_user_string() in known
        },
        checks=tuple(told_of(each) for each in result.get_asset_check_evaluations() if each.check_name not in STATE),
        failures=tuple(f"{event.step_key}: {reason_of(event)}" for event in failures),
        interrupted=any(is_interruption(event) for event in result.all_events),
    )
    return outcome, failures


def _leave_nothing(instance: dg.DagsterInstance, run_id: str) -> None:
    """End this process's own run if it has not ended, and free its slots: Dagster keeps those of interrupted steps."""
    run = instance.get_run_by_id(run_id)
    if run is not None and not run.is_finished:
        ended = JobFailureData(error=None, failure_reason=RunFailureReason.UNEXPECTED_TERMINATION)
        instance.report_run_failed(run, "The command that started it ended before it did.", ended)
    instance.event_log_storage.free_concurrency_slots_for_run(run_id)


def is_interruption(event: dg.DagsterEvent) -> bool:
    """Return whether an event ends a run because its process was interrupted or the run was cancelled."""
    if event.is_job_failure:
        data = event.event_specific_data  # none if another process reported the end
        return isinstance(data, JobFailureData) and data.failure_reason is RunFailureReason.UNEXPECTED_TERMINATION
    return event.event_type is dg.DagsterEventType.RUN_CANCELED


def reason_of(event: dg.DagsterEvent) -> str:
    """Return one line on why a step failed; the run's log has the details."""
    data = event.step_failure_data
    if data.user_failure_data and data.user_failure_data.description:
        return str(data.user_failure_data.description)
    error = data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error else "failed"
