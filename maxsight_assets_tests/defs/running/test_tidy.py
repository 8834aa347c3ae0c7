"""What `tidy` clears away, and what stays."""

import os
import time
from pathlib import Path

import dagster as dg
import pytest

from maxsight_assets import disk
from maxsight_assets.defs.running.tidy import Limits, Tidied, tidy, tidy_sensor
from maxsight_assets.publishing.swap import StateDir
from maxsight_assets.sample_upstream.world import outdated
from maxsight_assets_tests.defs.running.home import Home

DAY = 86_400


@dg.asset
def photos() -> dg.MaterializeResult:
    return dg.MaterializeResult(data_version=dg.DataVersion("one"))


@dg.asset_check(asset=photos, blocking=True)
def sound() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


def aged(path: Path, days: float) -> Path:
    """Make a file or directory look older."""
    then = time.time() - days * DAY
    os.utime(path, (then, then))
    return path


def landed(home: Home) -> str:
    result = dg.materialize([photos, sound], instance=home.instance)
    for path in [*home.root.glob("home/history/runs/????????-*.db*"), *home.root.glob("home/storage/????????-*")]:
        aged(path, 1)
    return result.run_id


def cleared(home: Home, *, runs_days: float = 0.0, budget_s: float = 60.0) -> Tidied:
    return tidy(
        home.instance,
        Limits(runs_days=runs_days, tick_logs_days=2, staging_days=14),
        checks=sound.check_keys,
        targets=[home.root / "coco_raw"],
        worlds=outdated(home.root / "worlds"),
        budget_s=budget_s,
    )


def test_old_runs_go_with_their_files_and_the_one_that_says_what_is_landed_stays(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maxsight_assets.defs.running.tidy.VERDICTS", 2)
    runs = [landed(home) for _ in range(4)]
    before = home.instance.get_latest_materialization_event(photos.key)

    done = cleared(home)

    kept = {run.run_id for run in home.instance.get_runs()}
    assert runs[-1] in kept
    assert kept == set(runs[2:]), "the latest verdicts of a check stay"
    assert {path.name.partition(".")[0] for path in home.root.glob("home/history/runs/????????-*")} == kept
    assert {path.name for path in home.root.glob("home/storage/????????-*")} == kept
    assert home.instance.get_latest_materialization_event(photos.key) == before
    assert done.counts["files of runs"] >= 4
    assert done.bytes > 100_000
    assert cleared(home).counts["files of runs"] == 0


def test_runs_that_are_young_or_at_work_stay(home: Home) -> None:
    run = landed(home)
    landing = home.landing("one")
    for path in home.root.glob("home/history/runs/????????-*.db*"):
        aged(path, 1)

    cleared(home, runs_days=1.0)
    assert run in {each.run_id for each in home.instance.get_runs()}
    cleared(home)
    home.let_go()
    landing.join(60)
    assert home.statuses()[-1] == "SUCCESS"


def test_logs_of_old_ticks_go(home: Home) -> None:
    folder = home.root / "home/storage/__repository__/refresh"
    folder.mkdir(parents=True)
    (folder / "new.err").write_bytes(bytes(12_000))
    aged(folder / "new.err", 1)
    (folder / "old.err").write_bytes(bytes(12_000))
    aged(folder / "old.err", 3)

    assert str(cleared(home)) == "cleared away: 1 logs of ticks (0.0 MB)"
    assert [path.name for path in folder.iterdir()] == ["new.err"]


def test_worlds_of_other_generators_and_old_staging_of_dead_processes_go(home: Home) -> None:
    from maxsight_assets.sample_upstream.world import generator_digest

    worlds = home.root / "worlds"
    for name in (generator_digest()[:16], "0" * 16):
        (worlds / name).mkdir(parents=True)
        aged(worlds / name, 30)
    sessions = StateDir.of(home.root / "coco_raw").sessions
    for pid, days in ((os.getpid(), 30), (2**22 - 1, 30), (2**22 - 1, 1)):
        session = sessions / f"upstream~{disk.host()}~{pid}~{days}"
        session.mkdir(parents=True)
        aged(session, days)

    done = cleared(home)

    assert (done.counts["drawn worlds"], done.counts["unfinished landings"]) == (1, 1)
    assert [path.name for path in worlds.iterdir()] == [generator_digest()[:16]]
    assert {path.name.split("~")[2:][1] for path in sessions.iterdir()} == {"30", "1"}


def test_a_tick_ends_in_time_and_says_that_there_is_more(home: Home) -> None:
    landed(home)
    landed(home)

    done = cleared(home, budget_s=-1)

    assert not done.whole
    assert str(done).endswith("; the rest at the next time")


def test_the_daily_sensor_says_what_went(home: Home) -> None:
    sensor = tidy_sensor(lambda instance: cleared(home))
    context = dg.build_sensor_context(instance=home.instance)

    said = sensor(context)

    assert isinstance(said, dg.SkipReason)
    assert said.skip_message == "cleared away: nothing (0.0 MB)"
    assert sensor.minimum_interval_seconds == DAY


def test_a_limit_below_zero_is_refused() -> None:
    from maxsight_assets import settings
    from maxsight_assets.errors import SettingsError

    with pytest.raises(SettingsError, match="KEEP_RUNS_DAYS"):
        settings.load({"KEEP_RUNS_DAYS": "-1"})
