"""A code location whose assets land as slowly as a test wants, and the command that materializes them.

`STORY_DIR` may hold `hold`: while it is there, what lands does not end. `<asset>.pid` names the process that lands it.
`<asset>.ask` lets the daemon launch a run of it.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from maxsight_assets.build import opened_instance
from maxsight_assets.defs.runs import materialize

NAMES = ("one", "two", "three", "four")
LIMIT_S = 300.0


def _asset(name: str, story: Path) -> dg.AssetsDefinition:
    @dg.asset(name=name, pool=name)
    def land() -> dg.MaterializeResult:
        (story / f"{name}.pid").write_text(str(os.getpid()), encoding="utf-8")
        deadline = time.monotonic() + LIMIT_S
        while (story / "hold").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        return dg.MaterializeResult(data_version=dg.DataVersion(name))

    return land


@dg.sensor(target="*", minimum_interval_seconds=1, default_status=dg.DefaultSensorStatus.RUNNING, name="launching")
def launching(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest]:
    """Ask for a run of each asset that a test asks for."""
    for ask in sorted(Path(os.environ["STORY_DIR"]).glob("*.ask")):
        yield dg.RunRequest(run_key=ask.read_text(encoding="utf-8"), asset_selection=[dg.AssetKey(ask.stem)])
        ask.unlink()


@dg.definitions
def defs() -> dg.Definitions:
    """Four assets, each with a pool of its own, executed as `EXECUTOR` says."""
    story = Path(os.environ["STORY_DIR"])
    many = os.environ.get("EXECUTOR") == "multiprocess"
    assets = [_asset(name, story) for name in NAMES]
    return dg.Definitions(
        assets=assets, sensors=[launching], executor=dg.multiprocess_executor if many else dg.in_process_executor
    )


def job() -> dg.JobDefinition:
    """All assets as a job of its own, which the multiprocess executor makes again in each child."""
    everything = dg.define_asset_job("everything", selection="*")
    return dg.Definitions.merge(defs(), dg.Definitions(jobs=[everything])).resolve_job_def("everything")


def command(*assets: str) -> int:
    """Do what `maxsight-assets materialize` does; return its exit status."""
    with opened_instance(Path(os.environ["DAGSTER_HOME"])) as instance:
        if os.environ.get("EXECUTOR") == "multiprocess":
            selection = [dg.AssetKey(name) for name in assets]
            return not dg.execute_job(dg.reconstructable(job), instance, asset_selection=selection).success
        outcome = materialize(defs(), assets, instance=instance, say=lambda line: print(line, flush=True))  # noqa: T201
    return 130 if outcome.interrupted else not outcome.success
