"""A history of runs, made of the events that real runs leave, without the work of these runs."""

import contextlib
import gc
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationPlanned
from dagster._core.events import AssetMaterializationPlannedData, StepMaterializationData
from sqlalchemy import event, inspect, text
from sqlalchemy.engine import Connection, Engine


@dataclass
class History:
    """Runs of a graph, each of which lands one asset once more with equal bytes, and judges it.

    Attributes:
        defs: The code location.
        instance: Holds the event log.
        runs: Number of runs so far.
    """

    defs: dg.Definitions
    instance: dg.DagsterInstance
    runs: int = 0
    _assets: list[dg.AssetKey] = field(init=False)

    def __post_init__(self) -> None:
        self.graph = self.defs.resolve_asset_graph()
        for key in self.graph.external_asset_keys:
            version = {"dagster/data_version": f"version of {key.to_user_string()}"}
            self.instance.report_runless_asset_event(dg.AssetMaterialization(key, tags=version))
        order = self.graph.toposorted_asset_keys
        self._assets = [key for key in order if self.graph.get(key).is_materializable]

    def grow_to(self, runs: int) -> None:
        """Add runs until there are so many; all but the first and the last of each asset are copies of earlier rows."""
        if not self.runs:
            self._land_all()
        copies = max(0, runs - self.runs - len(self._assets))
        self._copy(copies)
        self.runs += copies
        self._land_all()

    def _land_all(self) -> None:
        for key in self._assets:
            self._land(key)
        self.runs += len(self._assets)

    def _copy(self, count: int) -> None:
        """Copy the rows of earlier runs under new ids: one row takes a hundredth of the time of an event."""
        storage = self.instance.event_log_storage
        with storage.index_connection() as events, self.instance.run_storage.connect() as runs:
            ids = [row[0] for row in runs.execute(text("SELECT run_id FROM runs ORDER BY id")).fetchall()]
            for old, number in zip(cycle(ids), range(count), strict=False):
                new = str(uuid.UUID(int=self.runs + number, version=4))
                for connection, table in ((runs, "runs"), (events, "event_logs"), (events, "asset_check_executions")):
                    _copy_rows(connection, table, old, new)

    def _land(self, key: dg.AssetKey) -> None:
        run = dg.DagsterRun("__ASSET_JOB", asset_selection=frozenset({key}), status=dg.DagsterRunStatus.SUCCESS)
        self.instance.add_run(run)
        node = self.graph.get(key)
        tags = {"dagster/data_version": f"version of {key.to_user_string()}"}
        if node.code_version:
            tags["dagster/code_version"] = node.code_version
        for parent in node.parent_keys:
            name = parent.to_user_string()
            tags[f"dagster/input_data_version/{name}"] = f"version of {name}"
        landed = StepMaterializationData(dg.AssetMaterialization(key, tags=tags))
        events: list[tuple[dg.DagsterEventType, object]] = [
            (dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED, AssetMaterializationPlannedData(key)),
            *(
                (
                    dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED,
                    AssetCheckEvaluationPlanned(asset_key=check.asset_key, check_name=check.name),
                )
                for check in sorted(node.check_keys)
            ),
            (dg.DagsterEventType.ASSET_MATERIALIZATION, landed),
            *(
                (
                    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
                    dg.AssetCheckEvaluation(
                        check.asset_key, check.name, passed=True, blocking=self.graph.get(check).blocking
                    ),
                )
                for check in sorted(node.check_keys)
            ),
        ]
        for kind, data in events:
            said = dg.DagsterEvent(kind.value, run.job_name, event_specific_data=data, message="")
            self.instance.report_dagster_event(said, run_id=run.run_id)


def _copy_rows(connection: Connection, table: str, old: str, new: str) -> None:
    """Copy the rows of one run; everything is the same but the run's id and the row's own."""
    kept = [column["name"] for column in inspect(connection).get_columns(table) if column["name"] != "id"]
    values = [":new" if name == "run_id" else name for name in kept]
    copy = f"INSERT INTO {table} ({', '.join(kept)}) SELECT {', '.join(values)} FROM {table} WHERE run_id = :old"
    connection.execute(text(copy), {"old": old, "new": new})


@dataclass
class Cost:
    """What a piece of work took.

    Attributes:
        statements: SQL statements, of all databases.
        cpu_s: CPU time of this process.
    """

    statements: int = 0
    cpu_s: float = 0.0


@contextlib.contextmanager
def counted() -> Iterator[Cost]:
    """Count what the block costs."""
    cost = Cost()

    def count(*_: object) -> None:
        cost.statements += 1

    gc.collect()
    event.listen(Engine, "before_cursor_execute", count)
    began = time.process_time()
    try:
        yield cost
    finally:
        cost.cpu_s = time.process_time() - began
        event.remove(Engine, "before_cursor_execute", count)


def tick_cost(defs: dg.Definitions, instance: dg.DagsterInstance, *, ticks: int = 5) -> Cost:
    """The cost of one tick of the sensor `refresh` over a graph in which nothing is behind: the least of a few."""
    repository = defs.get_repository_def()
    sensor = repository.get_sensor_def("refresh")
    cursor, costs = None, []
    for _ in range(ticks + 1):
        with dg.build_sensor_context(instance=instance, repository_def=repository, cursor=cursor) as context:
            with counted() as cost:
                result = sensor.evaluate_tick(context)
            assert not result.run_requests
            cursor = result.cursor
            costs.append(cost)
    warm = costs[1:]
    return Cost(max(cost.statements for cost in warm), min(cost.cpu_s for cost in warm))
