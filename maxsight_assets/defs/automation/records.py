"""What the event log says of assets: what each was made from, what it holds now, how its latest run ended.

Read only; the decisions are in `condition`.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

DATA_VERSION_TAG = "dagster/data_version"
JUDGED = {AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED}
INPUT_TAG_PREFIX = "dagster/input_data_version/"

VERDICTS = 10
"""Latest verdicts of a check that are looked through for one of what its asset holds now, see `Records.passed`."""

UNJUDGED = "its own checks"
"""Stands among what moved where an asset landed and a blocking check of it did not run: the run died between, say."""


def made_from(inputs: Mapping[str, str]) -> dict[str, str]:
    """Tags of a materialization that say which data versions it read, by asset.

    Dagster's own are those of the latest materializations; a person may have brought an older version back on the disk.
    """
    return {f"{INPUT_TAG_PREFIX}{asset}": version for asset, version in inputs.items()}


@dataclass(frozen=True, slots=True)
class Record:
    """What the event log holds of one asset.

    Attributes:
        tags: Of the latest materialization; None where there is none.
        landed_by: The run of the latest materialization.
        landed_id: Where the latest materialization stands in the event log.
        landed_at: When that was, seconds since the epoch; of an upstream, when what it holds was reported.
        last_run: The latest run that was to materialize the asset, or did.
    """

    tags: Mapping[str, str] | None = None
    landed_by: str | None = None
    landed_id: int | None = None
    landed_at: float = 0.0
    last_run: str | None = None


@dataclass(frozen=True, slots=True)
class Records:
    """What the event log holds of an asset and of all that is above it, read at one moment."""

    instance: dg.DagsterInstance
    parents: Mapping[dg.AssetKey, Set[dg.AssetKey]]
    by_key: Mapping[dg.AssetKey, Record]
    blocking: Mapping[dg.AssetKey, Sequence[dg.AssetCheckKey]]

    @classmethod
    def of(cls, context: dg.AutomationContext[dg.AssetKey]) -> "Records":
        """Read the records that `context.key` is judged by, in one query."""
        instance, graph = context.asset_graph_view.instance, context.asset_graph
        keys = graph.get_ancestor_asset_keys(context.key, include_self=True)
        found = {record.asset_entry.asset_key: record.asset_entry for record in instance.get_asset_records(list(keys))}
        return cls(
            instance,
            parents={key: graph.get(key).parent_keys for key in keys},
            by_key={
                key: Record(
                    landed.asset_materialization.tags or {} if landed.asset_materialization else {},
                    landed.run_id,
                    landed.storage_id,
                    landed.timestamp,
                    entry.last_run_id,
                )
                for key, entry in found.items()
                if (landed := entry.last_materialization_record)
            },
            blocking={
                key: sorted(check for check in graph.get(key).check_keys if graph.get(check).blocking) for key in keys
            },
        )

    def moved(self, key: dg.AssetKey) -> dict[str, str]:
        """The inputs whose data version now is not the one that `key` was made from; empty where `key` never landed.

        Args:
            key: The asset itself or one above it.

        Returns:
            The data versions that they have now, by name, in the order of the names; where none did, but nobody has
            judged what the asset holds, its own by `UNJUDGED`: a run of it asks the checks.
        """
        made_from = self.by_key.get(key, Record()).tags
        if made_from is None:
            return {}
        now = {dep.to_user_string(): self.by_key.get(dep, Record()).tags or {} for dep in self.parents[key]}
        versions = {dep: tags[DATA_VERSION_TAG] for dep, tags in sorted(now.items()) if DATA_VERSION_TAG in tags}
        moved = {dep: version for dep, version in versions.items() if version != made_from.get(INPUT_TAG_PREFIX + dep)}
        if not moved and self._unjudged(key):
            moved[UNJUDGED] = made_from.get(DATA_VERSION_TAG, "")
        return moved

    def _unjudged(self, key: dg.AssetKey) -> list[dg.AssetCheckKey]:
        """The blocking checks that nobody asked of what the asset holds now; a person may have run some of them."""
        return [check for check in self.blocking[key] if self._verdict(check) is None]

    def is_being_judged(self, key: dg.AssetKey) -> bool:
        """Whether nobody has judged what the asset holds now, and a run that may is at work: `in_progress` is false.

        It is the run that landed the asset, or the one in which a check was planned last.
        """
        return any(not run.dagster_run.is_finished for run in self._judges(key))

    def _judges(self, key: dg.AssetKey) -> list[dg.RunRecord]:
        """The runs that were to judge what the asset holds now; none where it is judged."""
        unjudged, history = self._unjudged(key), self.instance.event_log_storage.get_asset_check_execution_history
        if not unjudged:
            return []
        planned = {each.run_id for check in unjudged for each in history(check, limit=1)}
        ids = sorted(filter(None, {self.by_key.get(key, Record()).landed_by, *planned}))
        return [run for each in ids if (run := self.instance.get_run_record_by_id(each))]

    def passed(self, check: dg.AssetCheckKey) -> bool:
        """Whether a check passed what its asset holds now; a check that was planned and never ran says nothing."""
        return bool(self._verdict(check))

    def _verdict(self, check: dg.AssetCheckKey) -> bool | None:
        """What a check says of what its asset holds now; None where it has not been asked.

        Dagster has the verdicts in the order in which they were planned: that of a landing stands behind those of all
        runs of the checks alone that began while it landed, and that looked at what the asset held before.
        """
        latest = self.instance.event_log_storage.get_asset_check_execution_history(check, limit=VERDICTS, status=JUDGED)
        record = self.by_key.get(check.asset_key, Record())
        for each in latest:
            evaluation = each.evaluation
            target = evaluation.target_materialization_data if evaluation else None
            if evaluation and (each.run_id == record.landed_by or (target and target.storage_id == record.landed_id)):
                return evaluation.passed
        return None

    def failed_at(self, key: dg.AssetKey) -> float:
        """When the latest run ended without landing or judging the asset, seconds since the epoch; 0 where it did."""
        return max((run.end_time or 0.0 for run in self._in_vain(key)), default=0.0)

    def is_cancelled(self, key: dg.AssetKey, moved: Mapping[str, str]) -> bool:
        """Whether a person cancelled that run since the inputs in `moved` have; Dagster has a killed one as failed."""
        names = {UNJUDGED if each == key else each.to_user_string(): record for each, record in self.by_key.items()}
        since = max((names[each].landed_at for each in moved), default=float("inf"))
        cancelled = [run for run in self._in_vain(key) if run.dagster_run.status == dg.DagsterRunStatus.CANCELED]
        return any((run.end_time or 0.0) > since for run in cancelled)

    def _in_vain(self, key: dg.AssetKey) -> list[dg.RunRecord]:
        """The latest run of the asset where it did not land it, or else those that were to judge what is landed."""
        record = self.by_key.get(key, Record())
        if not record.last_run or record.last_run == record.landed_by:
            runs = self._judges(key)
        else:
            run = self.instance.get_run_record_by_id(record.last_run)
            runs = [run] if run else []
        return [run for run in runs if run.dagster_run.status != dg.DagsterRunStatus.SUCCESS]
