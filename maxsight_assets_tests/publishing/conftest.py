"""Fixtures that the tests of landing share."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from maxsight_assets_tests.publishing.ground import CANARIES, Ground
from maxsight_assets_tests.servers import LyingServer
from maxsight_assets_tests.transport.net_tools import some_bytes


@pytest.fixture
def liar() -> Iterator[LyingServer]:
    """A server whose answers the test scripts."""
    with LyingServer() as server:
        yield server


@pytest.fixture
def ground(liar: LyingServer, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Ground]:
    """A published directory; after the test it holds what must hold, no log says a secret, and a rerun heals."""
    made = Ground(tmp_path / "ground", sound=some_bytes(1_000_000))
    yield made
    made.check(liar)
    said = " ".join(record.getMessage() for record in caplog.get_records("call") if _ours(record))
    assert not any(canary in said for canary in CANARIES)


def _ours(record: logging.LogRecord) -> bool:
    return record.name.startswith("maxsight_assets.") or record.levelno >= logging.WARNING
