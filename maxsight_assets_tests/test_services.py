"""The systemd units of docs/how-to/operate.md: systemd takes them, and their commands take their options."""

import configparser
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
from dagster._daemon.cli import create_dagster_daemon_cli
from dagster_webserver.cli import create_dagster_webserver_cli

from maxsight_assets_tests.places import REPOSITORY

CLONE = "/opt/maxsight-assets"
"""Where the page says that the clone is."""

COMMANDS = {"dagster-daemon": create_dagster_daemon_cli, "dagster-webserver": create_dagster_webserver_cli}


def _units() -> dict[str, str]:
    """The units of the page, by file name, with this clone in place of the page's."""
    page = (REPOSITORY / "docs/how-to/operate.md").read_text(encoding="utf-8")
    found = re.findall(r"```ini\n# /etc/systemd/system/(\S+)\n(.*?)```", page, re.DOTALL)
    return {name: text.replace(CLONE, str(REPOSITORY)) for name, text in found}


def test_there_are_two_units() -> None:
    assert sorted(_units()) == ["maxsight-daemon.service", "maxsight-ui.service"]


@pytest.mark.parametrize("name", sorted(_units()))
def test_the_command_of_a_unit_is_there_and_takes_its_options(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(_units()[name])
    service = unit["Service"]
    program, *arguments = shlex.split(service["ExecStart"])
    command: click.Command = COMMANDS[Path(program).name]()
    monkeypatch.chdir(service["WorkingDirectory"])

    assert Path(program).is_file()
    assert Path(_parsed(command, arguments)["workspace"][0]).is_file()


def _parsed(command: click.Command, arguments: list[str]) -> dict[str, Any]:
    """What a command, or the command of a group, takes from its arguments."""
    if isinstance(command, click.Group):
        command, arguments = command.commands[arguments[0]], arguments[1:]
    with command.make_context(command.name, list(arguments)) as context:
        return context.params


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed (apt: systemd)")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for name, text in _units().items():
        (tmp_path / name).write_text(text, encoding="utf-8")

    command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *_units()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    said = [line for line in done.stderr.splitlines() if "maxsight" in line]
    assert (done.returncode, said) == (0, []), done.stderr
