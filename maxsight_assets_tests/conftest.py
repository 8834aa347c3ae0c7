"""Fixtures that several folders share."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

# A loaded machine is slow, not wrong: no example is failed for the time it took. Examples are the same in every run, so
# that a failure is of the change at hand; `--hypothesis-profile other` looks for new ones.
hypothesis.settings.register_profile("same", deadline=None, derandomize=True)
hypothesis.settings.register_profile("other", deadline=None)
hypothesis.settings.load_profile("same")

if TYPE_CHECKING:
    from maxsight_assets_tests.project import Project


@pytest.fixture(scope="session")
def drawn_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded upstream, drawn once for all tests of this machine's run; read only."""
    from maxsight_assets.sample_upstream.world import publish

    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    world = shared / "drawn_world"
    publish(world)
    return world


@pytest.fixture
def project(tmp_path: Path, drawn_world: Path) -> "Iterator[Project]":
    """A project on a copy of the embedded upstream that the test may change."""
    import dagster as dg

    from maxsight_assets_tests.project import Project, copy_world

    with dg.DagsterInstance.ephemeral() as instance:
        made = Project(tmp_path, instance)
        made.places.world.parent.mkdir(parents=True)
        copy_world(drawn_world, made.places.world)
        yield made
