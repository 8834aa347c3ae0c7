"""Find in Dagster's records what needs the user: dead runs, taken slots, failing ticks, silent daemons and the like.

Only `mend` writes. `commands.doctor` examines the machine rather than Dagster.
"""

import json
import time
from collections.abc import Iterator, Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import dagster as dg
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, SensorInstigatorData, TickStatus
from dagster._core.storage.dagster_run import ACTIVE_RUN_STATUSES
from dagster._daemon.asset_daemon import asset_daemon_cursor_from_instigator_serialized_cursor

from maxsight_assets.defs.automation import records as automation
from maxsight_assets.defs.automation.records import STUCK, Records
from maxsight_assets.defs.running import dead_runs
from maxsight_assets.defs.running.dead_runs import Crew, Life
from maxsight_assets.transport.redact import scrub

Level = Literal["OK", "WARN", "ERROR"]

QUEUE = "queue"
"""Cause of runs that wait because others are at work."""

AUTOMATION = "automation"
"""Word before the name of a sensor or schedule in causes."""

REFRESH = "refresh"
"""Name of the sensor that evaluates the condition of every asset."""

SILENT_S = 120.0
"""A daemon whose last heartbeat is older is down: it sends one every 30 s (dagster/_daemon/controller.py)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of examining one thing.

    Attributes:
        level: "OK", "WARN" (slower, or at the user's own risk), "ERROR" (something fails, or would).
        text: What was found and, unless it is OK, what to do.
        cause: A name of what is wrong that stays the same while it lasts, though times in the text change.
    """

    level: Level
    text: str
    cause: str = ""


def examine_home(home: Path, repository: dg.RepositoryDefinition) -> list[Finding]:
    """Examine the records of a DAGSTER_HOME that has some: see `examine` and `behind`."""
    with dg.DagsterInstance.from_config(str(home)) as instance:
        return [*examine(instance, running_by_default(repository)), *behind(instance, repository.asset_graph)]


def examine(instance: dg.DagsterInstance, automations: Set[str]) -> list[Finding]:
    """Examine the records of one DAGSTER_HOME.

    Args:
        instance: The records.
        automations: Names of the sensors and schedules that run unless a user stops them.
    """
    findings = [*_runs(instance), *_slots(instance), *_queue(instance), *_daemons(instance)]
    states = {state.instigator_name: state for state in instance.all_instigator_state()}
    for name in sorted(automations & states.keys()):
        findings += _automation(instance, states[name])
    if REFRESH in states:
        findings += _given_up(states[REFRESH])
    return findings


def behind(instance: dg.DagsterInstance, graph: Any) -> Iterator[Finding]:  # Dagster does not export the type of graphs
    """Report each landed asset that is not made from what its inputs have now, and why, as the refresh sees it.

    What an upstream has is what was last reported of it. Nothing is asked here.
    """
    records = Records.of_all(instance, graph)
    for key in sorted(graph.materializable_asset_keys):
        name, record = key.to_user_string(), records.by_key.get(key)
        reasons = [_why(records, key, moved, version) for moved, version in records.moved(key).items()]
        if reasons:
            how = f"the sensor `{REFRESH}` asks for it, or: `maxsight-assets materialize {name}`"
            yield Finding("WARN", f"{name}: is behind: {', '.join(reasons)}; {how}")
        elif record is not None:
            yield Finding("OK", f"{name}: is made from what its inputs have now")


def _why(records: Records, key: dg.AssetKey, moved: str, version: str) -> str:
    """Return why an asset is behind one of the entries of `Records.moved`."""
    match moved:
        case automation.CODE:
            return "other code made it"
        case automation.OVERDUE:
            return f"the scheduled refresh did not land it (run {version[:8]})"
        case automation.UNJUDGED:
            return "not all of its blocking checks have run on it"
    made = (records.by_key[key].tags or {}).get(automation.INPUT_TAG_PREFIX + moved)
    when = dead_runs.since(records.by_key[dg.AssetKey.from_user_string(moved)].landed_at)
    return f"{moved} has {version[:12]} since {when}, it was made from {made[:12] if made else 'none'}"


def mend(instance: dg.DagsterInstance) -> list[str]:
    """Make the safe repairs: end dead runs, free what ended runs hold, reset an unreadable cursor of `refresh`.

    Returns:
        What was done, one line each.
    """
    held = instance.event_log_storage.get_concurrency_run_ids()
    done = dead_runs.heal(instance)
    freed = held - instance.event_log_storage.get_concurrency_run_ids()
    done += [f"run {run_id[:8]}: the pool slots that it held are free" for run_id in sorted(freed)]
    for state in instance.all_instigator_state():
        data = state.instigator_data
        if (
            state.instigator_name == REFRESH
            and isinstance(data, SensorInstigatorData)
            and not _is_readable(data.cursor)
        ):
            instance.update_instigator_state(state.with_data(data._replace(cursor=None)))
            done.append(f"{REFRESH}: its cursor is begun anew; how often it asked for each asset is forgotten")
    return done


def _runs(instance: dg.DagsterInstance) -> Iterator[Finding]:
    for run in instance.get_runs(dg.RunsFilter(statuses=ACTIVE_RUN_STATUSES)):
        crew = Crew.of(instance, run)
        said = f"{dead_runs.named(run)}: {crew}"
        match crew.life:
            case Life.LIVES:
                yield Finding("OK", f"{said}, at work")
            case Life.GONE:
                yield Finding(
                    "ERROR",
                    f"{said}, is gone, yet the run counts as {run.status.value}; use doctor --fix",
                    f"run {run.run_id}",
                )
            case Life.ELSEWHERE:
                yield Finding("OK", f"{said}; only that machine knows whether it lives")
            case Life.UNKNOWN:
                yield Finding("WARN", f"{said}; if it does not work any more, Terminate it in the UI")


def _slots(instance: dg.DagsterInstance) -> Iterator[Finding]:
    storage = instance.event_log_storage
    for pool in storage.get_concurrency_infos(sorted(storage.get_concurrency_keys())).values():
        owners = {slot.run_id: "holds a slot" for slot in pool.claimed_slots}
        owners = {step.run_id: "waits for a slot" for step in pool.pending_steps} | owners
        for run_id, what in sorted(owners.items()):
            run = instance.get_run_by_id(run_id)
            ended = run is None or run.is_finished
            said = f"pool {pool.concurrency_key}: {dead_runs.named(run) if run else f'run {run_id[:8]}'} {what}"
            cause = f"pool {pool.concurrency_key}"
            yield (
                Finding("ERROR", f"{said}, but it has ended; use doctor --fix", cause) if ended else Finding("OK", said)
            )


def _queue(instance: dg.DagsterInstance) -> Iterator[Finding]:
    queued = instance.get_runs_count(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED]))
    active = instance.get_runs_count(dg.RunsFilter(statuses=ACTIVE_RUN_STATUSES))
    config = instance.get_concurrency_config().run_queue_config
    limit = config.max_concurrent_runs if config else None
    if queued and limit is not None and 0 <= limit <= active:
        yield Finding(
            "ERROR", f"queue: {queued} runs wait, {active} of at most {limit} are at work; see those above", QUEUE
        )
    elif queued:
        yield Finding("OK", f"queue: {queued} runs wait, {active} are at work")


def _daemons(instance: dg.DagsterInstance) -> Iterator[Finding]:
    beats = instance.get_daemon_heartbeats().values()
    latest = max((beat.timestamp for beat in beats), default=None)
    if latest is None:
        yield Finding("OK", "no daemon has run here yet: nothing is refreshed by itself; `make ui` starts one")
        return
    fresh = [beat for beat in beats if beat.timestamp > time.time() - SILENT_S]
    if not fresh:
        yield Finding(
            "ERROR", f"no daemon since {dead_runs.since(latest)}: nothing is refreshed; start `make ui`", "daemon"
        )
        return
    ids = {beat.daemon_id for beat in fresh}
    if len(ids) > 1 or any(
        "multiple daemon processes" in error.message for beat in fresh for error in beat.errors or ()
    ):
        yield Finding(
            "ERROR", "two daemons run over this DAGSTER_HOME, so each tick happens twice; stop one", "daemon/two"
        )
    for beat in fresh:
        for error in list(beat.errors or ())[:1]:
            yield Finding(
                "ERROR",
                f"daemon {beat.daemon_type}: {scrub(error.message).strip().splitlines()[0]}",
                f"daemon {beat.daemon_type}",
            )
    yield Finding("OK", f"a daemon runs, last seen {dead_runs.since(latest)}")


def _automation(instance: dg.DagsterInstance, state: InstigatorState) -> Iterator[Finding]:
    name, data = state.instigator_name, state.instigator_data
    if state.status is InstigatorStatus.STOPPED:
        yield Finding(
            "ERROR",
            f"{name}: is stopped, so what it looks at goes unseen; start it in the UI (Automation)",
            f"{AUTOMATION} {name}/stopped",
        )
    if name == REFRESH and isinstance(data, SensorInstigatorData) and not _is_readable(data.cursor):
        yield Finding(
            "ERROR",
            f"{name}: its cursor cannot be read, so every tick fails; use doctor --fix",
            f"{AUTOMATION} {name}/cursor",
        )
    ended = [TickStatus.SKIPPED, TickStatus.SUCCESS, TickStatus.FAILURE]
    ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1, statuses=ended)
    for tick in ticks:
        if tick.status is TickStatus.FAILURE:
            error = tick.error
            while error is not None and error.cause is not None:
                error = error.cause
            reason = scrub(error.message).strip().splitlines()[0] if error else "no reason given"
            yield Finding(
                "ERROR",
                f"{name}: its last tick, {dead_runs.since(tick.timestamp)}, failed: {reason}",
                f"{AUTOMATION} {name}/ticks",
            )


def _is_readable(cursor: str | None) -> bool:
    try:
        asset_daemon_cursor_from_instigator_serialized_cursor(cursor, None)
    except Exception:  # noqa: BLE001  # base64, zlib, Dagster's own: whatever it is, each tick raises it too
        return False
    return True


def _given_up(state: InstigatorState) -> Iterator[Finding]:
    """Report assets for which the condition requests no more runs, by its cursor: see `automation.condition.Asks`."""
    data = state.instigator_data
    if not isinstance(data, SensorInstigatorData) or not _is_readable(data.cursor):
        return
    cursors = asset_daemon_cursor_from_instigator_serialized_cursor(data.cursor, None).previous_condition_cursors or ()
    for cursor in cursors:
        for node in cursor.node_cursors_by_unique_id.values():
            asks = _decoded(node.extra_state)
            if asks.get("given_up"):
                name = cursor.key.to_user_string()
                moved = ", ".join(sorted(asks.get("moved", {})))
                yield Finding(
                    "ERROR",
                    f"{name}: is behind {moved} and asked for no more; materialize it by hand",
                    f"{name}/{STUCK}",
                )


def _decoded(state: object) -> dict[str, dict[str, str]]:
    with suppress(ValueError):
        decoded = json.loads(state) if isinstance(state, str) else {}
        return decoded if isinstance(decoded, dict) else {}
    return {}


def running_by_default(repository: dg.RepositoryDefinition) -> Set[str]:
    """Return the names of the sensors and schedules that run unless the user stops them."""
    sensors = {each.name for each in repository.sensor_defs if each.default_status is dg.DefaultSensorStatus.RUNNING}
    schedules = {
        each.name for each in repository.schedule_defs if each.default_status is dg.DefaultScheduleStatus.RUNNING
    }
    return sensors | schedules
