"""Two processes that land into one directory at once, many times."""

from pathlib import Path

import pytest

from maxsight_assets_tests.publishing.test_lock import land_both


@pytest.mark.parametrize("renames", [False, True], ids=["exchange", "two renames"])
def test_fault_34_two_processes_without_locks_never_mix_in_30_turns(tmp_path: Path, renames: bool) -> None:
    land_both(tmp_path, renames=renames, turns=30)
