"""Why images did not land decides what is advised: only a failure of the network is blamed on upstream."""

import csv
from pathlib import Path

import pytest

from maxsight_assets.datasets.openimages.source import SOURCE
from maxsight_assets.errors import NotPublished
from maxsight_assets.formats.names import CLIMBS, KIND, NO_ID, NOT_HELD, NOT_IN_DIRECTORY, NOT_UNIQUE
from maxsight_assets.verification.raw import UNKNOWN, _remedy
from maxsight_assets_tests.datasets.openimages.world import land, world
from maxsight_assets_tests.servers import lying
from maxsight_assets_tests.servers.lying import LyingServer


@pytest.mark.parametrize("reason", ["no answer within 60 s (6 tries)", "503 Service Unavailable (2 tries)"])
def test_a_failure_of_the_network_may_be_one_of_upstream(reason: str) -> None:
    assert "may be down" in _remedy(reason)


@pytest.mark.parametrize(
    "reason",
    [
        *(CLIMBS, KIND, NO_ID, NOT_HELD, NOT_IN_DIRECTORY, NOT_UNIQUE, UNKNOWN),
        *("404 Not Found", "410 Gone", "403 Forbidden", "begins like HTML", "md5 1 expected by its ETag, 2 received"),
    ],
)
def test_any_other_reason_has_advice_of_its_own(reason: str) -> None:
    assert _remedy(reason)
    assert "may be down" not in _remedy(reason)


def test_images_that_fail_for_one_reason_are_counted_together(tmp_path: Path, liar: LyingServer) -> None:
    ids = world(tmp_path, 12)
    for image_id in ids[:4]:
        liar.publish(f"validation/{image_id}.jpg", (tmp_path / f"images/validation/{image_id}.jpg").read_bytes())
    for image_id in ids[4:8]:
        liar.publish(f"validation/{image_id}.jpg", b"<html>log in</html>")
    for image_id in ids[8:]:
        liar.publish(f"validation/{image_id}.jpg", b"", *[lying.status("503 Service Unavailable")] * 9)

    with pytest.raises(NotPublished) as blocked:
        land(tmp_path / "data", tmp_path / "tables", f"http://{liar.host}", hosts=(liar.host,))

    said = str(blocked.value)
    assert "enough_images_landed: 8 of 12" in said
    assert said.count("4: ") == 2, said
    assert said.count("may be down") == 1
    staged = next((tmp_path / f"data/.{SOURCE.directory}.maxsight").rglob("missing.csv"))
    with staged.open(encoding="utf-8", newline="") as stream:
        reasons = [row["reason"] for row in csv.DictReader(stream)]
    assert len(reasons) == 8
    assert len(set(reasons)) == 2
