"""A drive that goes away in the middle: one clear line, the old version whole, and a rerun lands the new one."""

import errno
from pathlib import Path

import pytest
import requests
import urllib3

from maxsight_assets import disk
from maxsight_assets.errors import LandingError, TransientError
from maxsight_assets_tests.invariants import assert_invariants
from maxsight_assets_tests.publishing.gone import drive
from maxsight_assets_tests.publishing.staged import land

OLD = {f"train/{n}.jpg": b"old %d" % n for n in range(2)}
NEW = {f"train/{n}.jpg": b"new %d" % n for n in range(2)} | {"val/x.jpg": b"x"}
SAID = {errno.EIO: "input/output error"} | dict.fromkeys(disk.AWAY | disk.SILENT, "not connected any more")


@pytest.mark.parametrize("number", sorted(SAID), ids=errno.errorcode.get)
def test_fault_94_drive_that_goes_away_at_any_call_of_a_landing_is_one_line_and_heals(
    tmp_path: Path, number: int
) -> None:
    new = land(tmp_path / "apart/world", NEW).data_version
    with drive(tmp_path / "counted", number, after=1_000_000) as whole:
        land(tmp_path / "counted/world", OLD)
        first = whole.calls
        land(tmp_path / "counted/world", NEW)
    numbers = sorted(SAID)
    calls = range(numbers.index(number), whole.calls - first, len(numbers))  # all together: every call
    assert len(calls) > 5
    for after in calls:
        target = tmp_path / f"{after}/world"
        old = land(target, OLD).data_version
        with drive(target.parent, number, after=after), pytest.raises(LandingError, match=SAID[number]) as failed:
            land(target, NEW)
        assert "\n" not in str(failed.value)
        assert "The last good version" in str(failed.value)

        assert_invariants(target, versions={old, new}, settled=False)
        land(target, NEW)
        assert_invariants(target, versions={new})


@pytest.mark.parametrize(
    "error",
    [
        TransientError("f.bin: [Errno 110] Connection timed out"),
        requests.ConnectionError("[Errno 113] No route to host"),
        urllib3.exceptions.HTTPError("[Errno 101] Network is unreachable"),
    ],
)
def test_an_error_of_the_network_is_not_taken_for_a_drives(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(type(error)) as passed, disk.explaining(tmp_path):
        raise error
    assert passed.value is error
