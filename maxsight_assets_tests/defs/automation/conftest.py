"""Fixtures of the refresh stories."""

from collections.abc import Iterator

import dagster as dg
import pytest

from maxsight_assets_tests.defs.automation.story import Story, Worlds


@pytest.fixture(scope="session")
def worlds() -> Iterator[Worlds]:
    """What the stories of one process begin from."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield Worlds(instance)


@pytest.fixture
def instance(worlds: Worlds) -> dg.DagsterInstance:
    """A Dagster instance in memory, without any record."""
    return worlds.new()


@pytest.fixture
def start(instance: dg.DagsterInstance) -> Story:
    """A world in which nothing was ever landed."""
    return Story(instance)


@pytest.fixture
def story(worlds: Worlds) -> Story:
    """A world in which a person has landed everything once, and the sensors have looked."""
    return worlds.landed()
