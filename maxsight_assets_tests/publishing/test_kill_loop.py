"""A small landing, interrupted at every change that it makes to the disk: killed, out of space, input/output errors.

After each the invariants hold, and a plain rerun heals without fetching what was verified already.
"""

import pytest

from maxsight_assets_tests.publishing.interrupted import FAULTS, Interrupted, interrupt, last_change
from maxsight_assets_tests.publishing.victim import Victims


@pytest.mark.parametrize("renames", [False, True], ids=["exchange", "two renames"])
@pytest.mark.parametrize("fault", FAULTS)
def test_interrupted_at_some_changes(interrupted: Interrupted, victims: Victims, fault: str, renames: bool) -> None:
    last = last_change(interrupted, victims, renames=renames)
    for at in range(3, last + 1, last // 6):
        interrupted.check(interrupt(interrupted, victims, at=at, fault=fault, renames=renames))
