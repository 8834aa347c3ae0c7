"""What is sent, once, and once more when it is mended: the sensors themselves over the stories of the refresh."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import RemoteJobOrigin
from dagster._core.scheduler.instigation import TickData, TickStatus
from dagster._core.storage.schedules.sqlite.sqlite_schedule_storage import SqliteScheduleStorage
from dagster._core.test_utils import freeze_time
from pydantic import SecretStr

from maxsight_assets import settings
from maxsight_assets.build import build_defs
from maxsight_assets.defs.alerts import sensors, watch, webhook
from maxsight_assets.defs.alerts.sensors import alert_sensors
from maxsight_assets.defs.alerts.webhook import Webhook
from maxsight_assets.defs.automation.records import LOOKED, STUCK
from maxsight_assets.defs.automation.state import evaluation, state_specs
from maxsight_assets.errors import SettingsError
from maxsight_assets_tests.defs.automation.story import Story
from maxsight_assets_tests.defs.running.conftest import home, made_home
from maxsight_assets_tests.defs.running.home import Home
from maxsight_assets_tests.defs.running.test_findings import origin_of, sensor
from maxsight_assets_tests.servers.receiver import SECRET, Receiver, receiving

__all__ = ["home", "made_home"]  # fixtures


@dataclass
class Channel:
    """A story whose code location sends alerts, and the channel that they come to."""

    story: Story
    receiver: Receiver
    cursors: dict[str, str | None] = field(default_factory=dict)
    warns: bool = False

    def __post_init__(self) -> None:
        alerting = alert_sensors(Webhook(SecretStr(self.receiver.address)), ui="http://ui", profile="sample")

        @dg.asset
        def sky() -> None:
            pass

        @dg.asset_check(asset=sky)
        def is_blue() -> dg.AssetCheckResult:
            metadata = {"offenders": 2, "checked": 9, "first offenders": "cloud 1\ncloud 2", "remedy": "Wait for wind."}
            return dg.AssetCheckResult(passed=not self.warns, severity=dg.AssetCheckSeverity.WARN, metadata=metadata)

        @dg.multi_asset_check(specs=state_specs("photos_raw", has_upstream=True))
        def states() -> Iterator[dg.AssetCheckResult]:
            yield from ()

        more = dg.Definitions(assets=[sky], asset_checks=[is_blue, states], sensors=alerting)
        self.repository = dg.Definitions.merge(self.story.defs, more).get_repository_def()
        assert self.tick() == ["Alerts are on. Each cause is sent once, and once more when it is mended."]

    def tick(self) -> list[str]:
        """Let each sensor look until it has seen every run; return the lines that came, without the heading."""
        before = len(self.receiver.texts)
        with freeze_time(self.story.now):
            for name in ("alerts_of_successes", "alerts_of_failures", "alerts"):
                self.look(name)
        return [line for text in self.receiver.texts[before:] for line in text.splitlines()[1:]]

    def run_sky(self) -> None:
        """Make an asset whose check only warns."""
        self.story.wait(60)
        with freeze_time(self.story.now):
            job = self.repository.get_implicit_global_asset_job_def()
            job.execute_in_process(instance=self.story.instance, asset_selection=[dg.AssetKey("sky")])

    def look(self, name: str) -> str | None:
        """Tick a sensor until it moves its cursor no more."""
        sensor = self.repository.get_sensor_def(name)
        while True:
            context = dg.build_sensor_context(
                self.story.instance, self.cursors.get(name), repository_def=self.repository
            )
            data = sensor.evaluate_tick(context)
            if data.cursor == self.cursors.get(name) or name == "alerts":
                self.cursors[name] = data.cursor
                return data.skip_message
            self.cursors[name] = data.cursor


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """In memory, but for the states of sensors, which Dagster keeps on disk only."""
    with dg.DagsterInstance.ephemeral() as instance:
        instance._schedule_storage = SqliteScheduleStorage.from_local(str(tmp_path))
        yield instance


@pytest.fixture
def channel(instance: dg.DagsterInstance, receiver: Receiver) -> Channel:
    return Channel(Story(instance), receiver)


def test_sqlite_on_disk_serves_as_well(home: Home, receiver: Receiver) -> None:
    tells_failure_and_mending(home.instance, receiver)


def tells_failure_and_mending(instance: dg.DagsterInstance, receiver: Receiver) -> None:
    """One story on any storage: SQLite keeps a file for each run, PostgreSQL one log of all."""
    channel = Channel(Story(instance), receiver)
    channel.run_sky()
    assert channel.tick() == []
    channel.warns = True
    channel.story.failing.add("photos_raw")
    channel.run_sky()
    assert not channel.story.run("photos_raw")
    assert [line.split()[:3] for line in channel.tick()] == [
        ["FAILED", "photos_raw", "failed:"],
        ["FAILED", "sky:", "is_blue"],
    ]
    assert channel.tick() == []
    channel.warns = False
    channel.story.failing.clear()
    channel.run_sky()
    assert channel.story.run("photos_raw")
    assert [line.split()[:2] for line in channel.tick()] == [["MENDED", "photos_raw:"], ["MENDED", "sky/is_blue:"]]


def latest_run(channel: Channel) -> str:
    return channel.story.instance.get_runs(limit=1)[0].run_id


def test_a_failed_step_is_sent_once_with_reason_and_run_and_once_more_when_it_lands(channel: Channel) -> None:
    channel.story.failing.add("photos_raw")
    assert not channel.story.run("photos_raw")
    why = "photos_raw failed: maxsight_assets.errors.TransientError: photos_raw: the line is down"

    assert channel.tick() == [f"FAILED {why} http://ui/runs/{latest_run(channel)}"]
    assert not channel.story.run("photos_raw")
    assert channel.tick() == []

    channel.story.failing.clear()
    assert channel.story.run("photos_raw")
    assert channel.tick() == [f"MENDED photos_raw: no longer so: {why}"]
    assert channel.tick() == []


def test_a_failing_check_is_sent_and_its_step_is_no_second_cause(channel: Channel) -> None:
    channel.story.bad.add("A")
    assert not channel.story.run("photos_raw")
    assert channel.tick() == ["FAILED photos_raw: sound fails http://ui/assets/photos_raw?view=checks"]

    channel.story.bad.clear()
    channel.story.check("photos_raw")
    assert channel.tick() == ["MENDED photos_raw/sound: no longer so: photos_raw: sound fails"]


def test_a_warning_is_news_only_when_the_check_passed_before(channel: Channel) -> None:
    channel.warns = True
    channel.run_sky()
    assert channel.tick() == []
    channel.warns = False
    channel.run_sky()
    assert channel.tick() == []
    channel.warns = True
    channel.run_sky()

    (line,) = channel.tick()

    assert line == (
        "FAILED sky: is_blue fails for 2 of 9 (cloud 1, cloud 2). Wait for wind. http://ui/assets/sky?view=checks"
    )


def test_alerts_that_are_switched_on_later_know_the_verdicts_of_before(channel: Channel) -> None:
    channel.run_sky()
    later = Channel(channel.story, channel.receiver)
    later.warns = True
    later.run_sky()

    (line,) = later.tick()
    assert "is_blue fails" in line


def test_a_run_that_was_killed_is_sent_unless_dagster_runs_it_again(channel: Channel) -> None:
    origin = RemoteJobOrigin(origin_of("alerts").repository_origin, "__ASSET_JOB")  # the command line's runs have none
    run = channel.story.dangling_run("photos_raw", origin=origin)
    channel.story.instance.add_run_tags(run.run_id, {"dagster/will_retry": "true"})
    channel.story.declare_dead(run)
    assert channel.tick() == []

    channel.story.wait(60)
    channel.story.declare_dead(run := channel.story.dangling_run("photos_raw"))
    (line,) = channel.tick()
    assert line.startswith("FAILED photos_raw did not end: ")
    assert "`maxsight-assets materialize photos_raw` goes on" in line
    assert line.endswith(f"http://ui/runs/{run.run_id}")


def _interrupt() -> None:
    raise dg.DagsterExecutionInterruptedError


def test_a_command_that_its_user_ended_is_no_news_and_mends_nothing(channel: Channel) -> None:
    channel.story.failing.add("boxes_raw")
    assert not channel.story.run("boxes_raw")
    assert len(channel.tick()) == 1
    channel.story.wait(60)
    channel.story.during["photos_raw"] = _interrupt
    assert not channel.story.run("photos_raw", "boxes_raw")

    assert channel.tick() == []


def test_a_failure_that_is_looked_at_after_a_later_success_is_no_news(channel: Channel) -> None:
    channel.story.failing.add("photos_raw")
    assert not channel.story.run("photos_raw")
    channel.story.failing.clear()
    channel.story.wait(60)
    assert channel.story.run("photos_raw")

    assert channel.tick() == []  # the sensor of successes looks first


def test_what_no_run_shows_is_sent_once_it_has_lasted(channel: Channel, monkeypatch: pytest.MonkeyPatch) -> None:
    instance, check = channel.story.instance, dg.AssetCheckKey(dg.AssetKey("photos_raw"), LOOKED)
    assert channel.story.run("photos_raw")
    away = evaluation(instance, check, passed=False, said="photos_upstream is away: no answer.")
    instance.report_runless_asset_event(away)

    assert channel.tick() == []
    monkeypatch.setattr(sensors, "PATIENCE_S", 0.0)
    (line,) = channel.tick()
    assert line == "FAILED photos_raw: photos_upstream is away: no answer. http://ui/assets/photos_raw?view=checks"
    assert channel.tick() == []

    instance.report_runless_asset_event(evaluation(instance, check, passed=True, said="It answers again."))
    (line,) = channel.tick()
    assert line.startswith(f"MENDED photos_raw/{LOOKED}: ")


def test_a_refresh_that_waits_and_a_sensor_that_is_known_to_be_silent_are_no_second_causes(channel: Channel) -> None:
    instance, asset = channel.story.instance, dg.AssetKey("photos_raw")
    assert channel.story.run("photos_raw")
    for name, said in ((STUCK, "waits until 13:11 UTC"), (LOOKED, "The sensor photos_sensor is stopped, so")):
        report = evaluation(instance, dg.AssetCheckKey(asset, name), passed=False, said=said)
        instance.report_runless_asset_event(report)

    assert watch.causes(instance, channel.repository) == {}


def test_a_receiver_that_is_away_gets_the_alert_later(channel: Channel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "PAUSE_S", 0.0)
    channel.story.failing.add("photos_raw")
    assert not channel.story.run("photos_raw")
    channel.look("alerts_of_failures")
    channel.receiver.statuses = [500] * 3

    assert channel.look("alerts") == "Not sent, to be tried again: HTTP 500"
    channel.receiver.texts.clear()
    assert (channel.look("alerts") or "").startswith("Sent: FAILED photos_raw failed: ")

    assert len(channel.receiver.texts) == 1
    assert SECRET not in repr(channel.cursors)


def test_a_silent_sensor_and_a_silent_run_are_causes(channel: Channel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "QUIET_RUN_S", -1.0)
    run = channel.story.dangling_run("boxes_raw")
    state = sensor(channel.story.instance, "alerts")
    ticked = (state.instigator_origin_id, "alerts", state.instigator_type, TickStatus.SKIPPED, 0.0)
    channel.story.instance.create_tick(TickData(*ticked, selector_id=state.selector_id))

    found = watch.causes(channel.story.instance, channel.repository)

    assert f"run {run.run_id}/quiet" in found
    assert found["automation alerts/quiet"].text.startswith("alerts has not ticked since 1970-01-01")
    assert found["automation alerts/quiet"].page == "/automation/sensors/alerts"


def test_without_a_webhook_nothing_watches_and_a_wrong_one_is_refused_without_its_secret(tmp_path: Path) -> None:
    names = [
        {each.name for each in build_defs(settings.load(where)).sensors or ()}
        for where in (
            {"DATA_DIR": str(tmp_path)},
            {"DATA_DIR": str(tmp_path), "ALERT_WEBHOOK_URL": f"https://hooks.example/services/{SECRET}"},
        )
    ]

    assert names[1] - names[0] == {"alerts", "alerts_of_failures", "alerts_of_successes"}
    with pytest.raises(SettingsError) as caught:
        settings.load({"DATA_DIR": str(tmp_path), "ALERT_WEBHOOK_URL": f"hooks.example/{SECRET}"})
    assert str(caught.value) == "ALERT_WEBHOOK_URL: is no address of a webhook; write https://, http:// and a host"
    with pytest.raises(SettingsError, match=r"^UI_URL=nas: "):
        settings.load({"DATA_DIR": str(tmp_path), "UI_URL": "nas"})
