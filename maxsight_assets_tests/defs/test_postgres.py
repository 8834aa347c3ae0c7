"""PostgreSQL for Dagster's records, configured as docs/how-to/operate.md says, on a server of this test's own."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml

from maxsight_assets_tests.defs.alerts.test_sensors import tells_failure_and_mending
from maxsight_assets_tests.defs.running import location
from maxsight_assets_tests.defs.running.home import Home, kill, status_of
from maxsight_assets_tests.servers.postgres import PASSWORD, PROGRAMS, configured, postgres
from maxsight_assets_tests.servers.receiver import receiving

pytestmark = pytest.mark.skipif(PROGRAMS is None, reason="PostgreSQL is not installed (apt: postgresql)")


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, str]]:
    with postgres() as variables:
        yield variables


@pytest.fixture
def home(tmp_path: Path, server: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A DAGSTER_HOME whose dagster.yaml has the entry of the documentation; its tables are empty."""
    for name, value in server.items():
        monkeypatch.setenv(name, value)
    home = Home(tmp_path)
    with (tmp_path / "home/dagster.yaml").open("a", encoding="utf-8") as stream:
        stream.write(f"\n{yaml.safe_dump(configured())}")
    for storage in (home.instance.run_storage, home.instance.event_log_storage, home.instance.schedule_storage):
        assert type(storage).__module__.startswith("dagster_postgres")
        storage.wipe()
    try:
        yield home
    finally:
        home.end()


def test_alerts_are_sent_and_mended_on_postgresql(home: Home) -> None:
    with receiving() as receiver:
        tells_failure_and_mending(home.instance, receiver)


def test_a_killed_command_is_healed_on_postgresql_and_no_file_holds_its_records(
    home: Home, server: dict[str, str]
) -> None:
    kill(home.landing("one", **server))
    assert (home.statuses(), home.held()) == (["STARTED"], {"one": (1, 1)})
    home.let_go()

    assert status_of(home.materialize("one", log="next", **server)) == 0

    assert (home.statuses(), home.held()) == (["FAILURE", "SUCCESS"], {})
    assert not [path for path in (home.root / "home").rglob("*.db*") if path.is_file()]
    assert not [path for path in home.root.rglob("*") if path.is_file() and PASSWORD in path.read_text(errors="ignore")]


def test_fault_54_many_runs_write_to_postgresql_at_once(home: Home, server: dict[str, str]) -> None:
    runs = [home.materialize(name, log=name, **server) for name in location.NAMES]

    assert [status_of(run) for run in runs] == [0] * len(runs), home.said()
    assert home.statuses() == ["SUCCESS"] * len(runs)
    events = home.instance.get_latest_materialization_event(dg.AssetKey("four"))
    assert events is not None
