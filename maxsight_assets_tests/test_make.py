"""What `make` promises before anything is installed."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from maxsight_assets_tests.places import REPOSITORY

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def test_a_python_that_does_not_fit_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "python3.10").write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.10.1\nexit 1\n', "utf-8")
    (tmp_path / "python3.10").chmod(0o755)
    for name in ("Makefile", "requirements.lock", "pyproject.toml", "dagster.yaml"):
        shutil.copy(REPOSITORY / name, tmp_path)

    done = subprocess.run(
        ["make", "-s", "run", f"PYTHON={tmp_path}/python3.10"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert said == [f"Python 3.11, 3.12 or 3.13 is needed, and {tmp_path}/python3.10 is Python 3.10.1; set PYTHON=..."]
    assert not (tmp_path / ".venv").exists()


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A checkout whose path holds blanks, as make leaves it once installed; its commands say where DAGSTER_HOME is."""
    checkout = tmp_path / "My Drive/a checkout"
    (checkout / ".venv/bin").mkdir(parents=True)
    for name in ("Makefile", "requirements.lock", "pyproject.toml", "dagster.yaml", "workspace.yaml"):
        shutil.copy(REPOSITORY / name, checkout)
    for name in ("maxsight-assets", "dagster", "dagster-webserver"):
        (checkout / ".venv/bin" / name).write_text('#!/bin/sh\necho "$DAGSTER_HOME"\n', "utf-8")
        (checkout / ".venv/bin" / name).chmod(0o755)
    (checkout / ".venv/.ready").touch()
    return checkout


def made(checkout: Path, *arguments: str, dagster_home: str | None) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
    if dagster_home is not None:
        environment["DAGSTER_HOME"] = dagster_home
    command = ["make", "-s", *arguments]
    return subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)


def test_fault_90_each_profile_has_records_of_its_own(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for profile in ("starter", "full"):
        monkeypatch.setenv("MAXSIGHT_PROFILE", profile)

        said = made(installed, "ui", dagster_home=None).stdout.splitlines()
        assert said == [f"{installed}/.dagster_home/{profile}"] * 2  # before the UI opens, `doctor` looks


@pytest.mark.parametrize("target", ["run", "ui"])
def test_paths_may_hold_blanks(target: str, installed: Path, tmp_path: Path) -> None:
    own, named = installed / ".dagster_home/sample", tmp_path / "My Drive/a home"
    for value, home in ((None, own), ("", own), (" ", own), (str(named), named)):
        done = made(installed, target, dagster_home=value)

        said = [str(home)] * (2 if target == "ui" else 1)  # before the UI opens, `doctor` looks
        assert (done.returncode, done.stdout.splitlines(), done.stderr) == (0, said, "")
        assert (home / "dagster.yaml").read_bytes() == (REPOSITORY / "dagster.yaml").read_bytes()
    assert sorted(path.name for path in installed.parent.iterdir()) == ["a checkout", "a home"]


def test_a_dagster_yaml_of_ones_own_stays_until_the_template_is_newer(installed: Path) -> None:
    copy = installed / ".dagster_home/sample/dagster.yaml"
    copy.parent.mkdir(parents=True)
    copy.write_text("mine", "utf-8")
    os.utime(installed / "dagster.yaml", (0, 0))

    assert made(installed, "run", dagster_home=None).returncode == 0
    assert copy.read_text("utf-8") == "mine"


def test_the_dagster_yaml_of_a_home_of_ones_own_is_never_replaced(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    copy = tmp_path / "home/dagster.yaml"
    copy.write_text("storage: of other projects too", "utf-8")
    os.utime(copy, (0, 0))

    assert made(installed, "run", dagster_home=str(copy.parent)).returncode == 0
    assert copy.read_text("utf-8") == "storage: of other projects too"


def test_a_relative_dagster_home_is_refused_in_one_line(installed: Path) -> None:
    for value in ("rel", "~/x"):
        done = made(installed, "ui", dagster_home=value)

        assert done.returncode != 0
        assert done.stderr.splitlines()[0] == f"DAGSTER_HOME={value}: write it as an absolute path"
    assert not (installed / "rel").exists()


def test_the_locks_name_no_address() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (REPOSITORY / name).read_text(encoding="utf-8")
        assert "://" not in text
        assert text.count("--hash=sha256:") > 100
