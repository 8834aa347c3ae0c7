"""The refresh under the real daemon: a process of its own, real ticks, real run workers."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import psutil
import pytest
from dagster._core.definitions.instigation_logger import get_instigation_log_records
from dagster._core.scheduler.instigation import InstigatorTick
from dagster._core.test_utils import instance_for_test

from maxsight_assets_tests.defs.automation import daemon_location
from maxsight_assets_tests.defs.automation.daemon_location import write
from maxsight_assets_tests.places import REPOSITORY

ROOT = REPOSITORY
CHAIN = ["photos_raw", "evaluation", "splits"]
START_S = 300
STEP_S = 300


@dataclass(frozen=True)
class Home:
    """A DAGSTER_HOME with a running daemon, and the directory of the story that its code location reads."""

    instance: dg.DagsterInstance
    story: Path

    def change(self, fingerprint: str) -> None:
        """Let upstream hold something else, whole at any moment at which somebody looks."""
        write(self.story / "upstream", fingerprint)

    def runs_of(self, asset: str) -> list[dg.RunRecord]:
        """The daemon's runs of one asset, oldest first."""
        records = self.instance.get_run_records(dg.RunsFilter(tags={"dagster/sensor_name": "refresh"}), ascending=True)
        key = dg.AssetKey(asset)
        return [record for record in records if key in (record.dagster_run.asset_selection or ())]

    def version(self, asset: str) -> str | None:
        """The data version of the asset's latest materialization."""
        entry = self.instance.get_latest_materialization_event(dg.AssetKey(asset))
        return entry.tags["dagster/data_version"] if entry else None

    def ticks(self) -> list[InstigatorTick]:
        """The ticks of the refresh sensor."""
        states = [state for state in self.instance.all_instigator_state() if state.instigator_name == "refresh"]
        return [
            tick for state in states for tick in self.instance.get_ticks(state.instigator_origin_id, state.selector_id)
        ]

    def said(self) -> list[str]:
        """The warnings in the logs of the refresh sensor's ticks, as the UI shows them."""
        records = [
            record
            for tick in self.ticks()
            if tick.log_key
            for record in get_instigation_log_records(self.instance, tick.log_key)
        ]
        return [record["dagster_meta"]["orig_message"] for record in records if record["levelname"] == "WARNING"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A daemon over a new DAGSTER_HOME in which a person has landed the whole chain."""
    story = tmp_path / "story"
    story.mkdir()
    write(story / "upstream", "A")
    monkeypatch.setenv("STORY_DIR", str(story))
    overrides = {"telemetry": {"enabled": False}}
    with instance_for_test(temp_dir=str(tmp_path), overrides=overrides) as instance:
        job = daemon_location.defs().resolve_implicit_global_asset_job_def()
        assert job.execute_in_process(instance=instance).success
        command = [sys.executable, "-m", "dagster._daemon", "run", "-m", daemon_location.__name__, "-d", str(ROOT)]
        with (tmp_path / "daemon.log").open("wb") as log:
            daemon = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
        try:
            yield Home(instance, story)
        finally:
            _end(daemon)


def _end(daemon: subprocess.Popen[bytes]) -> None:
    """End the daemon, its code server and its run workers, each by its process id."""
    family = psutil.Process(daemon.pid).children(recursive=True)
    daemon.send_signal(signal.SIGTERM)
    try:
        daemon.wait(20)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait(10)
    _, alive = psutil.wait_procs(family, timeout=10)
    for process in alive:
        process.kill()


def _until(holds: Callable[[], object], what: str, *, within_s: float = STEP_S) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
        time.sleep(0.25)


@pytest.mark.timeout(1800)
def test_real_daemon_refreshes_the_chain_heals_a_killed_run_and_says_when_it_gives_up(home: Home) -> None:
    _until(lambda: len(home.ticks()) >= 2, "two ticks of the refresh sensor", within_s=START_S)
    assert home.runs_of("photos_raw") == [], "a landing by hand was repeated"

    home.change("B")
    _until(lambda: home.version("splits") == "splits of B", "the chain made from B")
    assert [len(home.runs_of(name)) for name in CHAIN] == [1, 1, 1]

    (home.story / "hold").touch()
    (home.story / "raw.pid").unlink()
    home.change("C")
    _until((home.story / "raw.pid").exists, "the raw at work")
    os.kill(int((home.story / "raw.pid").read_text(encoding="utf-8")), signal.SIGKILL)
    (home.story / "hold").unlink()
    _until(lambda: home.version("splits") == "splits of C", "the chain made from C after a killed run worker")
    assert [len(home.runs_of(name)) for name in CHAIN] == [3, 2, 2]

    (home.story / "fail").touch()
    home.change("D")
    _until(home.said, "a word in the tick's log after the last try")
    assert "photos_raw: 3 refreshes because of photos_upstream did not land" in home.said()[0]
    ticks = len(home.ticks())
    _until(lambda: len(home.ticks()) >= ticks + 3, "three more ticks")
    assert [len(home.runs_of(name)) for name in CHAIN] == [6, 2, 2]
    assert len(home.said()) == 1
