"""A DAGSTER_HOME for each test."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from maxsight_assets_tests.defs.running.home import Home


@pytest.fixture(scope="session")
def made_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DAGSTER_HOME whose databases are made, which takes two seconds, and hold nothing."""
    home = Home(tmp_path_factory.mktemp("made"))
    home.statuses()
    home.held()
    home.instance.all_instigator_state()
    home.end()
    return home.root / "home"


@pytest.fixture
def fresh_home(tmp_path: Path) -> Iterator[Home]:
    """A DAGSTER_HOME without any database, and nothing left running afterwards."""
    home = Home(tmp_path)
    try:
        yield home
    finally:
        home.end()


@pytest.fixture
def home(tmp_path: Path, made_home: Path) -> Iterator[Home]:
    """A DAGSTER_HOME that holds nothing yet, and nothing left running afterwards."""
    shutil.copytree(made_home, tmp_path / "home")
    home = Home(tmp_path)
    try:
        yield home
    finally:
        home.end()
