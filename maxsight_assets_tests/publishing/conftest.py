"""Fixtures of the tests of publishing."""

import pytest

from maxsight_assets_tests.publishing.interrupted import Interrupted


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Interrupted:
    return Interrupted(tmp_path_factory.mktemp("ground"))
