"""What every command shares: how an error ends it."""

import sqlite3

import pytest
import typer

from maxsight_assets.commands.context import loaded_settings
from maxsight_assets_tests.defs.running.conftest import home, made_home
from maxsight_assets_tests.defs.running.home import Home

__all__ = ["home", "made_home"]  # fixtures


def test_fault_54_locked_records_are_one_line_that_says_what_to_do(
    home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(home.root / "home"))
    writer = sqlite3.connect(home.root / "home/history/runs.db", isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")

    with pytest.raises(typer.Exit) as ended, loaded_settings(writable=False):
        home.instance.run_storage.set_cursor_values({"name": "value"})
    writer.close()

    assert ended.value.exit_code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: DAGSTER_HOME={home.root / 'home'}: another process keeps Dagster's records locked")
    assert "use PostgreSQL (docs/how-to/operate.md)" in line
