"""Fixtures of the tests of Open Images."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from maxsight_assets_tests.datasets.openimages.world import upload, world
from maxsight_assets_tests.servers import processes


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path, list[str]]]:
    """A real S3 server whose bucket is public, what it holds on disk (tables, images, zoo), and the ids."""
    if not processes.program("weed"):
        pytest.skip("SeaweedFS is not installed")
    root = tmp_path_factory.mktemp("world")
    ids = world(root, 60, zoo=root / "zoo")
    with processes.seaweed(tmp_path_factory.mktemp("weed")) as endpoint:
        processes.wait_until(lambda: upload(endpoint, root / "images"), "SeaweedFS takes no objects")
        yield endpoint, root, ids
