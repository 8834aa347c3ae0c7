"""Fixtures of the refresh stories."""

from collections.abc import Iterator

import dagster as dg
import pytest

from maxsight_assets_tests.defs.automation.story import Story, landed_story


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """A Dagster instance of its own, in memory."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def start(instance: dg.DagsterInstance) -> Story:
    """A world in which nothing was ever landed."""
    return Story(instance)


@pytest.fixture
def story(instance: dg.DagsterInstance) -> Story:
    """A world in which a person has landed everything once, and the sensors have looked."""
    return landed_story(instance)
