"""Delete what runs and ticks leave behind and no reader needs again: by `maxsight-assets tidy`, and once a day.

Dagster's own `retention` purges the rows of ticks and nothing else. Two kinds of runs are kept whatever their age: runs
that have not ended, and runs whose events state what an asset holds, what it was made from and what its checks found.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
from dagster._core.storage.dagster_run import FINISHED_STATUSES

from maxsight_assets import disk
from maxsight_assets.defs.automation.records import VERDICTS
from maxsight_assets.publishing.swap import StateDir

SETTLED_DAYS = 1 / 24
"""A younger shard or log without a run may belong to a run that is being created."""

WORLD_DAYS = 1.0
"""A younger drawn world may still be served by a process of an earlier release."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long things are kept, in days.

    Attributes:
        runs_days: Records of runs that ended.
        tick_logs_days: What the ticks of sensors and schedules printed.
        staging_days: What an interrupted landing staged, from which the next one continues.
    """

    runs_days: float
    tick_logs_days: float
    staging_days: float


@dataclass(frozen=True, slots=True)
class Tidied:
    """What was deleted.

    Attributes:
        counts: Numbers by kind, as text for the user.
        bytes: Their total size on disk.
        whole: Whether everything was examined within the time.
    """

    counts: dict[str, int]
    bytes: int
    whole: bool = True

    def __str__(self) -> str:
        said = ", ".join(f"{count:,} {what}" for what, count in self.counts.items() if count) or "nothing"
        rest = "" if self.whole else "; the rest at the next time"
        return f"cleared away: {said} ({self.bytes / 1e6:,.1f} MB){rest}"


def tidy(
    instance: dg.DagsterInstance,
    limits: Limits,
    *,
    checks: Iterable[dg.AssetCheckKey],
    targets: Iterable[Path],
    worlds: Iterable[Path],
    budget_s: float,
) -> Tidied:
    """Delete what is older than the limits.

    Args:
        instance: The records of one DAGSTER_HOME.
        limits: How long each kind is kept.
        checks: The asset checks, whose verdicts stay.
        targets: The published directories.
        worlds: Drawn worlds of earlier generators.
        budget_s: Seconds after which nothing more is started.
    """
    deadline = time.monotonic() + budget_s
    deleted, whole = _delete_runs(instance, _needed(instance, checks), limits.runs_days, deadline=deadline)
    home = Path(instance.root_directory)
    kinds: dict[str, Iterable[Path]] = {
        "files of runs": _files_of_no_run(instance, home, deleted),
        "logs of ticks": _tick_logs(home, limits.tick_logs_days),
        "drawn worlds": (world for world in worlds if _age_days(world) > WORLD_DAYS),
        "unfinished landings": _left_staging(targets, limits.staging_days),
    }
    counts, freed = dict.fromkeys(kinds, 0), 0
    for what, paths in kinds.items():
        for path in paths:
            if time.monotonic() > deadline:
                return Tidied(counts, freed, whole=False)
            freed += size(path)
            disk.discard([path])
            counts[what] += 1
    return Tidied(counts, freed, whole)


def tidy_sensor(clear: Callable[[dg.DagsterInstance], Tidied]) -> dg.SensorDefinition:
    """Return a sensor that deletes once a day, and reports in its tick what was deleted; it requests no run."""

    @dg.sensor(
        name="tidy",
        description="Clears away old runs, logs of ticks and what unfinished landings left. What is landed stays.",
        minimum_interval_seconds=86_400,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def look(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        return dg.SkipReason(str(clear(context.instance)))

    return look


def _delete_runs(
    instance: dg.DagsterInstance, kept: Set[str], older_than_days: float, *, deadline: float
) -> tuple[Set[str], bool]:
    """Delete old runs that no asset's state depends on; return their ids, and whether the time was sufficient."""
    deleted: set[str] = set()
    before = datetime.now(UTC) - timedelta(days=older_than_days)
    for run in instance.get_runs(dg.RunsFilter(statuses=FINISHED_STATUSES, updated_before=before)):
        if time.monotonic() > deadline:
            return deleted, False
        if run.run_id not in kept:
            instance.delete_run(run.run_id)
            deleted.add(run.run_id)
    return deleted, True


def _needed(instance: dg.DagsterInstance, checks: Iterable[dg.AssetCheckKey]) -> Set[str]:
    """Return the runs whose events state what each asset holds and how its checks judged it."""
    needed: set[str] = set()
    for record in instance.get_asset_records():
        entry = record.asset_entry
        events = (entry.last_materialization_record, entry.last_observation_record)
        needed.update(event.run_id for event in events if event)
        needed.update([entry.last_run_id] if entry.last_run_id else [])
    for check in checks:
        history = instance.event_log_storage.get_asset_check_execution_history(check, limit=VERDICTS)
        needed.update(each.run_id for each in history)
    return needed


def _files_of_no_run(instance: dg.DagsterInstance, home: Path, deleted: Set[str]) -> Iterator[Path]:
    """Find event log shards and compute logs of runs that are deleted: `delete_run` leaves both on disk."""
    found = [*(home / "history/runs").glob("????????-????-*.db*"), *(home / "storage").glob("????????-????-*")]
    for path in sorted(found):
        run_id = path.name.partition(".")[0]
        if run_id in deleted or (_age_days(path) > SETTLED_DAYS and not instance.has_run(run_id)):
            yield path


def _tick_logs(home: Path, days: float) -> Iterator[Path]:
    """Find the captured output of the ticks of sensors and schedules, which `retention` leaves."""
    root = home / "storage/__repository__"
    return (path for path in root.rglob("*") if path.is_file() and _age_days(path) > days)


def _left_staging(targets: Iterable[Path], days: float) -> Iterator[Path]:
    """Find what ended runs left under construction; the next run of the asset would continue from it."""
    for target in targets:
        sessions = StateDir.of(target).sessions
        for path in sessions.iterdir() if sessions.is_dir() else ():
            if not disk.made_by_living(path.name) and _age_days(path) > days:
                yield path


def _age_days(path: Path) -> float:
    return (time.time() - path.stat().st_mtime) / 86400


def size(path: Path) -> int:
    """Return the bytes of a file, or of all files below a directory."""
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    return sum(each.stat().st_size for each in files)
