"""Read from the event log what each asset was made from, what it holds now, and how its latest run ended.

Nothing here writes; the decisions are in `condition`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import dagster as dg
import psutil
from dagster._core.definitions.data_version import CODE_VERSION_TAG
from dagster._core.scheduler.instigation import InstigatorState
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecord,
    AssetCheckExecutionRecordStatus,
)
from dagster._core.storage.event_log.base import AssetRecord
from dagster._core.storage.tags import SCHEDULE_NAME_TAG

DATA_VERSION_TAG = "dagster/data_version"
JUDGED = {AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED}
INPUT_TAG_PREFIX = "dagster/input_data_version/"

Published = Callable[[dg.AssetKey], str | None]
"""Returns the data version that an asset has published in this DATA_DIR, or None if nothing is published there."""

VERDICTS = 10
"""Number of latest verdicts of a check that are searched for one on what its asset holds now, see `judged`."""

MISCONFIGURED = "wrong configuration"
"""Metadata of a step's failure that this run's configuration caused; other runs of the asset may succeed."""

NOT_HAD = "could not be had"
"""Metadata of a step's failure because its dataset could not be had; what is below is made of the others."""

UNJUDGED = "its own checks"
"""Listed among what moved if an asset landed but a blocking check of it did not run: the run died between, say."""

CODE = "its own code"
"""Listed among what moved if other code made a derived asset than this process would use."""

OVERDUE = "the scheduled refresh"
"""Listed among what moved if the last run of that schedule should have landed the asset and did not."""

SCHEDULED_REFRESH = "scheduled_refresh"
"""Name of that schedule."""

STUCK = "refresh_is_not_stuck"
LOOKED = "upstream_looked_at_recently"
STATE = frozenset({STUCK, LOOKED})
"""Checks of how the asset is kept fresh, not of what it has published; `verify` does not include them."""

_OF_TICKS: "WeakKeyDictionary[object, Records]" = WeakKeyDictionary()
"""The records of ticks that are being evaluated, see `Records.at_tick`."""


def made_from(inputs: Mapping[str, str]) -> dict[str, str]:
    """Return tags of a materialization that name the data versions it read, by asset.

    Dagster's own tags name the latest materializations, but the user may have restored an older version on disk.
    """
    return {f"{INPUT_TAG_PREFIX}{asset}": version for asset, version in inputs.items()}


@dataclass(frozen=True, slots=True)
class Record:
    """The records of one asset in the event log.

    Attributes:
        tags: Tags of the latest materialization; None if there is none.
        landed_by: The run that made the latest materialization.
        landed_id: Position of the latest materialization in the event log.
        landed_at: Its time, in seconds since the epoch; for an upstream, the time of the report.
        last_run: The latest run that was planned to materialize the asset, or did.
    """

    tags: Mapping[str, str] | None = None
    landed_by: str | None = None
    landed_id: int | None = None
    landed_at: float = 0.0
    last_run: str | None = None


def records_of(instance: dg.DagsterInstance, keys: Iterable[dg.AssetKey]) -> dict[dg.AssetKey, Record]:
    """Return the records of these assets, in one query; an asset that never landed has none."""
    return _landed(instance.get_asset_records(list(keys)))


def _landed(records: Iterable[AssetRecord | None]) -> dict[dg.AssetKey, Record]:
    entries = (record.asset_entry for record in records if record is not None)
    return {
        entry.asset_key: Record(
            landed.asset_materialization.tags or {} if landed.asset_materialization else {},
            landed.run_id,
            landed.storage_id,
            landed.timestamp,
            entry.last_run_id,
        )
        for entry in entries
        if (landed := entry.last_materialization_record)
    }


def sensor_states(instance: dg.DagsterInstance) -> Sequence[InstigatorState]:
    """Return the states of all sensors and schedules; none in memory, where no daemon keeps any."""
    return instance.all_instigator_state() if instance.schedule_storage is not None else ()


def judged(instance: dg.DagsterInstance, check: dg.AssetCheckKey, record: Record) -> dg.AssetCheckEvaluation | None:
    """Return the latest verdict of a check on what its asset holds now; None if the check has not run on it.

    Dagster returns verdicts in the order in which they were planned. Runs of the checks alone that began during a
    landing looked at the previous version, but their verdicts come before that of the landing.
    """
    latest = instance.event_log_storage.get_asset_check_execution_history(check, limit=VERDICTS, status=JUDGED)
    return next((found for each in latest if (found := _verdict_on(each, record)) is not None), None)


def _verdict_on(execution: AssetCheckExecutionRecord, record: Record) -> dg.AssetCheckEvaluation | None:
    """Return the verdict of one execution of a check if it is on what the asset holds now, else None."""
    evaluation = execution.evaluation if execution.status in JUDGED else None
    target = evaluation.target_materialization_data if evaluation else None
    by_its_run = bool(record.landed_by) and execution.run_id == record.landed_by  # reports outside runs have no id
    return evaluation if by_its_run or (target and target.storage_id == record.landed_id) else None


@dataclass(frozen=True, slots=True, order=True)
class Ended:
    """The end of a run.

    Attributes:
        at: Seconds since the epoch; 0 if there is no such run.
        run_id: The run; empty if there is none.
    """

    at: float = 0.0
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class Records:
    """The records of assets and of all their ancestors in the event log, read at one moment.

    Attributes:
        instance: Holds the event log.
        parents: The inputs of each asset.
        by_key: The records of each asset.
        blocking: The blocking checks of each asset.
        latest: The latest execution of each of these checks, and of those that show the state of the refresh.
        codes: The code versions that this process would make the derived assets with.
        scheduled: The last run of the scheduled refresh.
        sensors: The states of all sensors and schedules; only at a tick.
    """

    instance: dg.DagsterInstance
    parents: Mapping[dg.AssetKey, Set[dg.AssetKey]]
    by_key: Mapping[dg.AssetKey, Record]
    blocking: Mapping[dg.AssetKey, Sequence[dg.AssetCheckKey]]
    latest: Mapping[dg.AssetCheckKey, AssetCheckExecutionRecord]
    codes: Mapping[dg.AssetKey, str]
    scheduled: dg.RunRecord | None
    sensors: Sequence[InstigatorState] = ()

    @classmethod
    def of(cls, context: dg.AutomationContext[dg.AssetKey]) -> "Records":
        """Read the records that `context.key` is judged by, in three queries."""
        keys = context.asset_graph.get_ancestor_asset_keys(context.key, include_self=True)
        instance = context.asset_graph_view.instance
        return cls._of(instance, context.asset_graph, records_of(instance, keys), keys)

    @classmethod
    def of_all(cls, instance: dg.DagsterInstance, graph: Any) -> "Records":  # see `_code_of`
        """Read the records of all assets of a graph."""
        keys = graph.get_all_asset_keys()
        return cls._of(instance, graph, records_of(instance, keys), keys)

    @classmethod
    def at_tick(cls, context: dg.AutomationContext[dg.AssetKey]) -> "Records":
        """Return the records of all assets as they were when the tick first needed them.

        They answer for all assets of a tick, most of which need nothing. Whatever requests a run reads anew, see `of`.
        """
        tick = context.asset_graph_view
        found = _OF_TICKS.get(tick)
        if found is None:
            keys = context.asset_graph.get_all_asset_keys()
            known = _landed(AssetRecord.blocking_get_many(tick, keys))  # Dagster has read them for this tick
            found = _OF_TICKS[tick] = replace(
                cls._of(tick.instance, context.asset_graph, known, keys), sensors=sensor_states(tick.instance)
            )
        return found

    @classmethod
    def _of(
        cls, instance: dg.DagsterInstance, graph: Any, by_key: Mapping[dg.AssetKey, Record], keys: Set[dg.AssetKey]
    ) -> "Records":
        blocking = {
            key: sorted(check for check in graph.get(key).check_keys if graph.get(check).blocking) for key in keys
        }
        state = [dg.AssetCheckKey(key, name) for key in keys for name in STATE]
        checks = [*state, *(check for checks in blocking.values() for check in checks)]
        runs = instance.get_run_records(dg.RunsFilter(tags={SCHEDULE_NAME_TAG: SCHEDULED_REFRESH}), limit=1)
        return cls(
            instance,
            parents={key: graph.get(key).parent_keys for key in keys},
            by_key=by_key,
            blocking=blocking,
            latest=instance.event_log_storage.get_latest_asset_check_execution_by_key(checks),
            codes={key: code for key in keys if (code := _code_of(graph, key)) is not None},
            scheduled=next(iter(runs), None),
        )

    def moved(self, key: dg.AssetKey) -> dict[str, str]:
        """Return the inputs whose data version is not the one that `key` was made from; empty if `key` never landed.

        Args:
            key: The asset itself or one of its ancestors.

        Returns:
            Their present data versions, by name, in the order of the names. Also the version of its code under the name
            `CODE`, and the run that should have landed it under the name `OVERDUE`, if these call for a run. If nothing
            moved, but the asset's version has no verdict, its own version under the name `UNJUDGED`, because a run of
            the asset runs the checks.
        """
        record = self.by_key.get(key, Record())
        if record.tags is None:
            return {}
        now = {dep.to_user_string(): self.by_key.get(dep, Record()).tags or {} for dep in self.parents[key]}
        versions = {dep: tags[DATA_VERSION_TAG] for dep, tags in sorted(now.items()) if DATA_VERSION_TAG in tags}
        moved = {
            dep: version for dep, version in versions.items() if version != record.tags.get(INPUT_TAG_PREFIX + dep)
        }
        code = self.codes.get(key)
        # What was made after this process began was made by newer code than this process has.
        if code and record.tags.get(CODE_VERSION_TAG, code) != code and record.landed_at < _began_at():
            moved[CODE] = code
        if self.scheduled is not None and self._is_overdue(key, self.scheduled):
            moved[OVERDUE] = self.scheduled.dagster_run.run_id
        landed_by_a_run = bool(record.landed_by)  # a report outside of any run is made after judging
        if not moved and landed_by_a_run and self._unjudged(key):
            moved[UNJUDGED] = record.tags.get(DATA_VERSION_TAG, "")
        return moved

    def _is_overdue(self, key: dg.AssetKey, scheduled: dg.RunRecord) -> bool:
        """Return whether a run of the schedule ended without landing the asset, which has not landed since either."""
        run, record = scheduled.dagster_run, self.by_key[key]
        in_vain = run.is_finished and not run.is_success and key in (run.asset_selection or ())
        return in_vain and record.landed_by != run.run_id and record.landed_at < _started_at(scheduled)

    def _unjudged(self, key: dg.AssetKey) -> list[dg.AssetCheckKey]:
        """Return the blocking checks that have not run on what the asset holds now; the user may have run some."""
        return [check for check in self.blocking[key] if self._verdict(check) is None]

    def is_being_judged(self, key: dg.AssetKey) -> bool:
        """Return whether the asset's version has no verdict yet and a run that may judge it is at work.

        That run landed the asset, or was the last in which a check was planned. `in_progress` is false for it.
        """
        return any(not run.dagster_run.is_finished for run in self._judges(key))

    def _judges(self, key: dg.AssetKey) -> list[dg.RunRecord]:
        """Return the runs that were planned to judge what the asset holds now; none if it is judged."""
        unjudged = self._unjudged(key)
        if not unjudged:
            return []
        planned = {self.latest[check].run_id for check in unjudged if check in self.latest}
        ids = sorted(filter(None, {self.by_key.get(key, Record()).landed_by, *planned}))
        return [run for each in ids if (run := self.instance.get_run_record_by_id(each))]

    def passed(self, check: dg.AssetCheckKey) -> bool:
        """Return whether a check passed what its asset holds now; a planned check that never ran does not count."""
        return bool(self._verdict(check))

    def _verdict(self, check: dg.AssetCheckKey) -> bool | None:
        record, latest = self.by_key.get(check.asset_key, Record()), self.latest.get(check)
        evaluation = _verdict_on(latest, record) if latest else None
        if latest and evaluation is None:  # an older one may be on it, while a run that should judge it is under way
            evaluation = judged(self.instance, check, record)
        return evaluation.passed if evaluation else None

    def version(self, key: dg.AssetKey) -> str | None:
        """Return the data version of an asset in the event log; None if it never landed."""
        return (self.by_key.get(key, Record()).tags or {}).get(DATA_VERSION_TAG)

    def failed(self, key: dg.AssetKey) -> "Ended":
        """Return when the latest run ended without landing or judging the asset; 0 if it did, or had no chance to.

        A run that the user configured wrongly does not predict how the next one will end.
        """
        runs = [run for run in self._in_vain(key) if not self._is_misconfigured(run.dagster_run.run_id)]
        return max((Ended(run.end_time or 0.0, run.dagster_run.run_id) for run in runs), default=Ended())

    def _is_misconfigured(self, run_id: str) -> bool:
        """Return whether steps of a run failed, and all of them because of their configuration."""
        records = self.instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.STEP_FAILURE).records
        events = [record.event_log_entry.dagster_event for record in records]
        said = [event.step_failure_data.user_failure_data for event in events if event]
        return bool(said) and all(data and MISCONFIGURED in data.metadata for data in said)

    def cancelled(self, key: dg.AssetKey, moved: Mapping[str, str], *, asked_at: float) -> str | None:
        """Return the run that the user cancelled after what is in `moved` changed; None if there is none.

        Args:
            key: The asset.
            moved: See the method of this name.
            asked_at: When a run was last requested because of it, in seconds since the epoch; 0 if never. Nothing
                records when code changed, so only a run after this counts as one because of the code.
        """
        changed_at = {each.to_user_string(): record.landed_at for each, record in self.by_key.items()}
        changed_at |= {UNJUDGED: self.by_key[key].landed_at, CODE: asked_at or float("inf")}
        changed_at[OVERDUE] = (self.scheduled.start_time if self.scheduled else None) or 0.0
        since = max((changed_at[each] for each in moved), default=float("inf"))
        stopped = [run for run in self._in_vain(key) if run.dagster_run.status == dg.DagsterRunStatus.CANCELED]
        ids = [run.dagster_run.run_id for run in stopped if (run.end_time or 0.0) > since]
        return next((each for each in ids if self._is_by_a_person(each)), None)

    def _is_by_a_person(self, run_id: str) -> bool:
        """Return whether a cancelled run's worker ended it, or it had no worker yet; otherwise the worker was gone.

        A worker's own event has its process id. The UI and run monitoring write an event without one for a worker that
        is gone, for instance after a power cut. Such a run failed.
        """
        kinds = {dg.DagsterEventType.PIPELINE_STARTING, dg.DagsterEventType.PIPELINE_START}
        cancelled = {dg.DagsterEventType.PIPELINE_CANCELED}
        records = self.instance.get_records_for_run(run_id, of_type=kinds | cancelled).records
        events = [record.event_log_entry.dagster_event for record in records]
        began = any(event and event.event_type in kinds for event in events)
        return not began or any(event and event.event_type in cancelled and event.pid is not None for event in events)

    def _in_vain(self, key: dg.AssetKey) -> list[dg.RunRecord]:
        """Return the asset's latest run if it did not land the asset, else the runs planned to judge what is landed."""
        record = self.by_key.get(key, Record())
        if not record.last_run or record.last_run == record.landed_by:
            runs = self._judges(key)
        else:
            run = self.instance.get_run_record_by_id(record.last_run)
            runs = [run] if run else []
        return [run for run in runs if run.dagster_run.status != dg.DagsterRunStatus.SUCCESS]


def _code_of(graph: Any, key: dg.AssetKey) -> str | None:  # Dagster does not export the type of its asset graphs
    """Return the code version of a derived asset; None if it reads an upstream, which new code must not fetch again."""
    parents = graph.get(key).parent_keys
    derived = bool(parents) and all(graph.get(parent).is_materializable for parent in parents)
    return graph.get(key).code_version if derived else None


def _began_at() -> float:
    """Return when this process began, in seconds since the epoch; its code is not newer than the files were then."""
    return psutil.Process().create_time()


def _started_at(run: dg.RunRecord) -> float:
    """Return when a run started, or ended if it never did, in seconds since the epoch."""
    return run.start_time or run.end_time or 0.0
