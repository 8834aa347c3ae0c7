"""The drawn sample, and copies of it that a test may change."""

from pathlib import Path

import pytest

from maxsight_assets.sample_upstream import world


@pytest.fixture(scope="session")
def sample(drawn_world: Path) -> Path:
    """The published root; tests only read it."""
    return world.publish(drawn_world)


@pytest.fixture
def own_sample(sample: Path, tmp_path: Path) -> Path:
    """A published root beside a pristine one, both this test's own."""
    for name in ("pristine", "published"):
        world.link_tree(world.pristine(sample), tmp_path / name)
    return tmp_path / "published"
