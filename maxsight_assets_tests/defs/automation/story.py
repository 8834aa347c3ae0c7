"""A small world to tell refresh stories in: two upstreams, what is landed from them, and a clock that only we move.

    photos_upstream -> photos_raw -+-> evaluation -> splits
    boxes_upstream  -> boxes_raw  -+                 (also reads both raw assets)

Every raw asset and the evaluation have a blocking check. Sensors, condition and event log are the real ones.
"""

import contextlib
import copy
import datetime as dt
import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence

import dagster as dg
from dagster._core.remote_origin import RemoteJobOrigin
from dagster._core.test_utils import freeze_time

from maxsight_assets.datasets.seen import Seen
from maxsight_assets.defs.automation.condition import refresh_condition
from maxsight_assets.defs.automation.inputs import reported
from maxsight_assets.defs.automation.looking import Pace
from maxsight_assets.defs.automation.sensors import refresh_sensor, upstream_sensor
from maxsight_assets.defs.failures import as_failures
from maxsight_assets.defs.resources import Upstreams
from maxsight_assets.errors import SettingsError, TransientError

RAW = ("photos", "boxes")
ALL = ("boxes_raw", "evaluation", "photos_raw", "splits")
SENSORS = {dg.AssetKey(f"{name}_raw"): f"{name}_sensor" for name in RAW}
RESOURCES = {"upstreams": Upstreams()}
PACE = Pace(interval_s=30, budget_s=30, warn_after_s=90)
LOGGER = "dagster.automation_condition_tester"


class Story:
    """One world, from its first start on.

    Attributes:
        holds: What each upstream holds now (its fingerprint); an exception means that it is away.
        content: The bytes behind a fingerprint; itself where it has no entry.
        failing: Assets whose runs fail before they land.
        misconfigured: Assets whose runs fail because somebody configured them wrongly.
        bad: Contents that the blocking checks reject.
        dying: Assets whose checks die before they say anything.
        during: What happens once, by asset, while its run is between reading and landing; by `check of <asset>`, while
            that judges; or, by `look at <upstream>`, after somebody has read what that holds and before it is used.
        made: One entry per materialization: the asset and the contents that it was made from.
        said: The warnings in the log of the ticks.
        tick_s: Seconds between two ticks.
    """

    def __init__(self, instance: dg.DagsterInstance, *, code_version: str = "1") -> None:
        self.instance = instance
        self.now = dt.datetime(2026, 1, 5, 8, tzinfo=dt.UTC)
        self.holds: dict[str, str | Exception] = dict.fromkeys(RAW, "A")
        self.content: dict[str, str] = {}
        self.failing: set[str] = set()
        self.misconfigured: set[str] = set()
        self.bad: set[str] = set()
        self.dying: set[str] = set()
        self.during: dict[str, Callable[[], object]] = {}
        self.disk: dict[str, str] = {}
        self.made: list[tuple[str, str]] = []
        self.said: list[str] = []
        self.tick_s = 30
        self.cursor = None
        self.sensor_cursors: dict[str, str | None] = dict.fromkeys(RAW)
        self.load(code_version=code_version)

    # The code location

    def load(self, *, code_version: str, checks: Sequence[str] = ("sound",)) -> None:
        """Load the code location, as at a start or after an edit of the code."""
        condition = refresh_condition(published=self.published, sensor_of=SENSORS.get, tries=3, backoff_s=300)
        shared = {"code_version": code_version, "automation_condition": condition}
        self.sensors = {name: self._sensor(name) for name in RAW}
        raw = [self._raw(name, shared) for name in RAW]

        @dg.asset(deps=["photos_raw", "boxes_raw"], **shared)
        def evaluation(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
            return self._land("evaluation", self.disk["photos_raw"] + self.disk["boxes_raw"])

        @dg.asset(deps=["photos_raw", "boxes_raw", "evaluation"], **shared)
        def splits(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
            return self._land(
                "splits", self.disk["photos_raw"] + self.disk["boxes_raw"] + "/" + self.disk["evaluation"]
            )

        self.defs = dg.Definitions(
            assets=[*(dg.AssetSpec(f"{name}_upstream") for name in RAW), *raw, evaluation, splits],
            asset_checks=[self._check(name, checks) for name in ("photos_raw", "boxes_raw", "evaluation")],
            sensors=[*self.sensors.values(), refresh_sensor()],
            resources=RESOURCES,
            executor=dg.in_process_executor,
        )
        self.job = self.defs.resolve_implicit_global_asset_job_def()

    def published(self, key: dg.AssetKey) -> str | None:
        """The data version that is on the disk."""
        return self.disk.get(key.path[-1])

    def _sensor(self, name: str) -> dg.SensorDefinition:
        upstream, raw = dg.AssetKey(f"{name}_upstream"), dg.AssetKey(f"{name}_raw")
        return upstream_sensor(f"{name}_sensor", upstream, lambda *_: Seen(self._look(name)), landed_as=raw, pace=PACE)

    def _look(self, name: str) -> str:
        held = self.holds[name]
        if isinstance(held, Exception):
            raise held
        self.during.pop(f"look at {name}", lambda: None)()
        return held

    def _raw(self, name: str, shared: dict[str, object]) -> dg.AssetsDefinition:
        upstream = dg.AssetKey(f"{name}_upstream")

        @dg.asset(name=f"{name}_raw", deps=[upstream], **shared)
        def raw(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
            fingerprint = self._look(name)
            tags = reported(context, upstream, Seen(fingerprint))
            return self._land(f"{name}_raw", self.content.get(fingerprint, fingerprint), tags)

        return raw

    def _land(self, asset: str, content: str, tags: dict[str, str] | None = None) -> dg.MaterializeResult:
        self.during.pop(asset, lambda: None)()
        if asset in self.misconfigured:
            with as_failures():
                raise SettingsError(f"{asset}: no class doggo")
        if asset in self.failing:
            raise TransientError(f"{asset}: the line is down")
        self.disk[asset] = content
        self.made.append((asset, content))
        return dg.MaterializeResult(data_version=dg.DataVersion(content), tags=tags)

    def _check(self, asset: str, names: Sequence[str]) -> dg.AssetChecksDefinition:
        @dg.multi_asset_check(
            name=f"{asset}_checks",
            specs=[dg.AssetCheckSpec(name, asset=asset, blocking=True) for name in names],
            can_subset=True,
        )
        def checks(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
            self.during.pop(f"check of {asset}", lambda: None)()
            if asset in self.dying:
                raise OSError(f"{asset}: input/output error")
            for key in sorted(context.selected_asset_check_keys):
                passed = self.disk[asset] not in self.bad
                yield dg.AssetCheckResult(passed=passed, asset_key=key.asset_key, check_name=key.name)

        return checks

    # What happens

    def look(self, *names: str) -> list[dg.SensorResult]:
        """Let the upstream sensors look once (all by default), and keep what they report and remember."""
        return [self._look_once(name) for name in names or RAW]

    def _look_once(self, name: str) -> dg.SensorResult:
        with freeze_time(self.now):
            result = self.sense(name)
            for event in result.asset_events:
                self.instance.report_runless_asset_event(event)
            self.sensor_cursors[name] = result.cursor
        return result

    def sense(self, name: str) -> dg.SensorResult:
        """Evaluate the sensor of an upstream, and keep nothing of it."""
        return self.sensors[name](
            dg.build_sensor_context(instance=self.instance, cursor=self.sensor_cursors[name], resources=RESOURCES)
        )

    def tick(self, *, run: bool = True) -> list[str]:
        """One tick of the refresh sensor; runs what it asks for, all in one run as the daemon does."""
        self.now += dt.timedelta(seconds=self.tick_s)
        with freeze_time(self.now), self._listening():
            result = dg.evaluate_automation_conditions(
                self.defs, self.instance, cursor=self.cursor, evaluation_time=self.now
            )
        self.cursor = result.cursor
        asked = [name for name in ALL if result.get_num_requested(dg.AssetKey(name))]
        if asked and run:
            self.run(*asked)
        return asked

    def run(self, *assets: str, schedule: str | None = None) -> bool:
        """Materialize assets in one run, with their checks; by hand, for a tick or for a schedule."""
        with freeze_time(self.now):
            return self.job.execute_in_process(
                instance=self.instance,
                asset_selection=[dg.AssetKey(name) for name in assets],
                raise_on_error=False,
                tags=self._tags(schedule),
            ).success

    @staticmethod
    def _tags(schedule: str | None) -> dict[str, str]:
        return {"dagster/schedule_name": schedule} if schedule else {}

    def check(self, asset: str) -> None:
        """Run the asset's check alone."""
        with freeze_time(self.now):
            self.job.get_subset(
                asset_selection=set(), asset_check_selection={dg.AssetCheckKey(dg.AssetKey(asset), "sound")}
            ).execute_in_process(instance=self.instance)

    def dangling_run(
        self, *assets: str, began: bool = True, schedule: str | None = None, origin: RemoteJobOrigin | None = None
    ) -> dg.DagsterRun:
        """A run that says it has started, if it ever `began`, and that no process works on any more."""
        with freeze_time(self.now):
            run = self.instance.create_run_for_job(
                self.job.get_subset(asset_selection={dg.AssetKey(name) for name in assets}),
                status=dg.DagsterRunStatus.STARTING if began else dg.DagsterRunStatus.NOT_STARTED,
                asset_selection=frozenset(dg.AssetKey(name) for name in assets),
                tags=self._tags(schedule),
                remote_job_origin=origin,
            )
            if not began:
                return run
            started = dg.DagsterEvent(dg.DagsterEventType.PIPELINE_START.value, run.job_name, pid=4711)
            self.instance.report_dagster_event(started, run_id=run.run_id)
            return run

    def declare_dead(self, run: dg.DagsterRun) -> None:
        """What the daemon's run monitoring does in the end with a run that no process works on."""
        with freeze_time(self.now):
            self.instance.report_run_failed(run, "Exceeded maximum runtime")

    def cancel(self, run: dg.DagsterRun, *, worker_pid: int | None = 4711) -> None:
        """What Dagster records when a person cancels a run and it has ended: by its worker, if that lives."""
        with freeze_time(self.now):
            self.instance.report_run_canceling(run)
            cancelled = dg.DagsterEvent(
                dg.DagsterEventType.PIPELINE_CANCELED.value, run.job_name, message="canceled", pid=worker_pid
            )
            self.instance.report_dagster_event(cancelled, run_id=run.run_id)

    def cancelled_landing(self) -> dg.DagsterRun:
        """A change upstream is asked for, and a person cancels the run that lands it."""
        self.holds["photos"] = "B"
        self.look()
        assert self.tick(run=False) == ["photos_raw"]
        run = self.dangling_run("photos_raw")
        self.wait(60)
        self.cancel(run)
        return run

    def wait(self, seconds: float) -> None:
        """Let time pass in which nobody looks."""
        self.now += dt.timedelta(seconds=seconds)

    def settle(self, *, looking: bool = True, ticks: int | None = None) -> list[str]:
        """Look and tick, so many times or until two ticks in a row ask for nothing; return what was asked for."""
        asked: list[str] = []
        quiet = done = 0
        while done < ticks if ticks is not None else quiet < 2:
            if looking:
                self.look()
            now = self.tick()
            asked += now
            quiet, done = 0 if now else quiet + 1, done + 1
        return asked

    @contextlib.contextmanager
    def _listening(self) -> Iterator[None]:
        handler = logging.Handler(logging.WARNING)
        handler.emit = lambda record: self.said.append(record.getMessage())  # type: ignore[method-assign]
        logging.getLogger(LOGGER).addHandler(handler)
        try:
            yield
        finally:
            logging.getLogger(LOGGER).removeHandler(handler)


def landed_story(instance: dg.DagsterInstance) -> Story:
    """A world in which a person has landed everything once, and the sensors have looked."""
    story = Story(instance)
    assert story.run(*ALL)
    assert story.settle(ticks=2) == []
    story.made.clear()
    return story


class Worlds:
    """Begins many stories on one instance in memory: its databases are set back, which is quicker than a landing."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._new = self._copied()
        self._landed = landed_story(instance)
        self._settled = self._copied()

    def new(self) -> dg.DagsterInstance:
        """The instance as it was before the first event."""
        self._set_back(self._new)
        return self._instance

    def landed(self) -> Story:
        """What `landed_story` returns."""
        self._set_back(self._settled)
        story = Story(self._instance)
        for name in ("now", "cursor", "sensor_cursors", "disk"):
            setattr(story, name, copy.copy(getattr(self._landed, name)))
        return story

    def _databases(self) -> list[sqlite3.Connection]:
        held = [self._instance.run_storage._held_conn, self._instance.event_log_storage._held_conn]
        return [connection.connection.driver_connection for connection in held]

    def _copied(self) -> list[sqlite3.Connection]:
        copies = []
        for database in self._databases():
            copies.append(sqlite3.connect(":memory:"))
            database.backup(copies[-1])
        return copies

    def _set_back(self, copies: list[sqlite3.Connection]) -> None:
        for kept, database in zip(copies, self._databases(), strict=True):
            kept.backup(database)
