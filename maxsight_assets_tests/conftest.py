"""Fixtures that several folders share."""

import logging
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
    from maxsight_assets_tests.publishing.ground import Ground
    from maxsight_assets_tests.publishing.victim import Victims
    from maxsight_assets_tests.servers.lying import LyingServer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of `test_slow_*.py`, so that a slow test is known by its file."""
    for item in items:
        if item.path.name.startswith("test_slow_"):
            item.add_marker("slow")


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


@pytest.fixture
def liar() -> "Iterator[LyingServer]":
    """A server whose answers the test scripts."""
    from maxsight_assets_tests.servers.lying import LyingServer

    with LyingServer() as server:
        yield server


@pytest.fixture(scope="module")
def victims() -> "Iterator[Victims]":
    """Processes that are killed, or whose disk fails, at a chosen call."""
    from maxsight_assets_tests.publishing.victim import Victims

    with Victims() as running:
        yield running


@pytest.fixture
def ground(liar: "LyingServer", tmp_path: Path, caplog: pytest.LogCaptureFixture) -> "Iterator[Ground]":
    """A published directory; after the test it holds what must hold, no log says a secret, and a rerun heals."""
    from maxsight_assets_tests.publishing.ground import CANARIES, Ground
    from maxsight_assets_tests.transport.net_tools import some_bytes

    made = Ground(tmp_path / "ground", sound=some_bytes(1_000_000))
    yield made
    made.check(liar)
    said = " ".join(record.getMessage() for record in caplog.get_records("call") if _ours(record))
    assert not any(canary in said for canary in CANARIES)


def _ours(record: logging.LogRecord) -> bool:
    return record.name.startswith("maxsight_assets.") or record.levelno >= logging.WARNING
