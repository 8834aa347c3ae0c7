"""A code location for the real daemon: one upstream that is a file, and the chain made from it.

`STORY_DIR` holds `upstream` (the fingerprint) and `raw.pid` (the process that landed last), and may hold `fail` (the
raw fails) or `hold` (it waits).
"""

import os
import time
from pathlib import Path

import dagster as dg

from maxsight_assets.datasets.seen import Seen
from maxsight_assets.defs.automation.condition import refresh_condition
from maxsight_assets.defs.automation.inputs import reported
from maxsight_assets.defs.automation.looking import Pace
from maxsight_assets.defs.automation.sensors import refresh_sensor, upstream_sensor
from maxsight_assets.defs.resources import Upstreams

UPSTREAM = dg.AssetKey("photos_upstream")
BACKOFF_S = 3.0


def write(path: Path, text: str) -> None:
    """Write a file that is whole whenever it is read."""
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


@dg.definitions
def defs() -> dg.Definitions:
    """The chain, read from the environment when it is loaded."""
    story = Path(os.environ["STORY_DIR"])

    def upstream() -> str:
        return (story / "upstream").read_text(encoding="utf-8")

    def land(asset: str, version: str, **inputs: str) -> dg.MaterializeResult:
        write(story / asset, version)
        return dg.MaterializeResult(data_version=dg.DataVersion(version), tags=inputs or None)

    def published(key: dg.AssetKey) -> str | None:
        file = story / key.path[-1]
        return file.read_text(encoding="utf-8") if file.exists() else None

    condition = refresh_condition(published=published, tries=3, backoff_s=BACKOFF_S)

    @dg.asset(deps=[UPSTREAM], automation_condition=condition)
    def photos_raw(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        fingerprint = upstream()
        tags = reported(context, UPSTREAM, Seen(fingerprint))
        write(story / "raw.pid", str(os.getpid()))
        deadline = time.monotonic() + 600
        while (story / "hold").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        if (story / "fail").exists():
            raise dg.Failure("the line is down", allow_retries=False)
        return land("photos_raw", fingerprint, **tags)

    @dg.asset(deps=[photos_raw], automation_condition=condition)
    def evaluation() -> dg.MaterializeResult:
        return land("evaluation", "evaluation of " + upstream())

    @dg.asset(deps=[photos_raw, evaluation], automation_condition=condition)
    def splits() -> dg.MaterializeResult:
        return land("splits", "splits of " + upstream())

    @dg.asset_check(asset=photos_raw, blocking=True)
    def sound() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    return dg.Definitions(
        assets=[dg.AssetSpec(UPSTREAM), photos_raw, evaluation, splits],
        asset_checks=[sound],
        sensors=[
            refresh_sensor(minimum_interval_s=1),
            upstream_sensor(
                "photos_sensor",
                UPSTREAM,
                lambda *_: Seen(upstream()),
                landed_as=photos_raw.key,
                pace=Pace(interval_s=1),
                default_status=dg.DefaultSensorStatus.RUNNING,
            ),
        ],
        resources={"upstreams": Upstreams()},
        executor=dg.in_process_executor,
    )
