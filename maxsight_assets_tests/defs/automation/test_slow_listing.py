"""A sensor lists a bucket of 100,000 objects within its time and memory, across ticks if it must."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from maxsight_assets_tests.places import REPOSITORY
from maxsight_assets_tests.servers import processes

OBJECTS = 100_000
BUDGET_S, PEAK_MB = 30, 300

TICKS = 200
"""Ticks after which the test gives up; on a quiet machine the whole listing fits one."""

LOOKS = """
import json, re, sys, time
from dataclasses import replace
import dagster as dg
from maxsight_assets.datasets.seen import Seen
from maxsight_assets.defs.automation.looking import Memory, Pace
from maxsight_assets.defs.automation.sensors import upstream_sensor
from maxsight_assets.defs.resources import Upstreams
from maxsight_assets.remote import RemoteFile
from maxsight_assets.transport.client import Client
from maxsight_assets.transport.listing import Listed
from maxsight_assets.transport.options import Credentials

endpoint, budget_s = sys.argv[1], float(sys.argv[2])
file = RemoteFile("images/", "s3://bucket/images/")

def look(_, glance):
    listed = glance.so_far.get(file.key, Listed())
    with Client(credentials=Credentials(s3_endpoint=endpoint), cancel=glance.cancel) as client:
        while not listed.whole and glance.in_time():
            listed = client.list_on(file, listed)
    return Seen.of({file.key: listed.probe()}) if listed.whole else Seen("", {}, {file.key: listed})

began = time.process_time()
sensor = upstream_sensor(
    "sensor", dg.AssetKey("up"), look, landed_as=dg.AssetKey("raw"), pace=Pace(budget_s=budget_s)
)
cursor, ticks, longest_cursor, reported = None, 0, 0, []
with dg.DagsterInstance.ephemeral() as instance:
    while not reported and ticks < int(sys.argv[3]):
        context = dg.build_sensor_context(instance=instance, cursor=cursor, resources={"upstreams": Upstreams()})
        result = sensor(context)
        ticks += 1
        reported = [event for event in result.asset_events if isinstance(event, dg.AssetMaterialization)]
        # A busy server may be late for one page; the next tick would wait for it.
        memory = replace(Memory.of(dg.build_sensor_context(cursor=result.cursor)), failures=0, not_before=0.0)
        cursor = memory.text()
        longest_cursor = max(longest_cursor, len(cursor))
(event,) = reported
print(json.dumps({
    "ticks": ticks, "cpu_s": time.process_time() - began, "cursor": longest_cursor,
    # Not ru_maxrss, which begins with the memory of the process that started this one.
    "peak_mb": int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1e3,
    "fingerprint": event.tags["dagster/data_version"],
}))
"""


def _looks(endpoint: str, budget_s: float) -> dict[str, float | str]:
    command = [sys.executable, "-c", LOOKS, endpoint, str(budget_s), str(TICKS)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    found: dict[str, float | str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.timeout(3600)
def test_fault_71_and_52_a_hundred_thousand_objects_are_listed_within_the_time_of_ticks(
    tmp_path: Path,
) -> None:
    for name in ("weed", "s5cmd"):
        if not processes.program(name):
            pytest.skip(f"{name} is not installed")
    source = tmp_path / "images"
    source.mkdir()
    for number in range(OBJECTS):
        (source / f"{number:06}.jpg").write_bytes(b"%d" % number)
    with processes.seaweed(tmp_path / "weed") as endpoint:
        s5cmd = [str(processes.program("s5cmd")), "--endpoint-url", endpoint, "--no-verify-ssl", "--numworkers", "64"]
        environment = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_REGION": "us-east-1"}
        for work in (["mb", "s3://bucket"], ["cp", f"{source}/*", "s3://bucket/images/"]):
            subprocess.run([*s5cmd, *work], env=environment, check=True, capture_output=True)
        once, often = _looks(endpoint, BUDGET_S), _looks(endpoint, 4)

    assert once["fingerprint"] == often["fingerprint"]
    assert often["ticks"] > 1, "the listing was never divided"
    for found in (once, often):
        assert float(found["peak_mb"]) < PEAK_MB
        assert float(found["cursor"]) < 2000
        assert float(found["cpu_s"]) < BUDGET_S
    logging.getLogger(__name__).info("%s, %s", once, often)
