"""The sensor that notices detections files: new, changed and deleted ones.

It reports what is there, and the refresh condition asks for the run. Only if nothing was evaluated before, it asks
itself: the condition never asks for a first landing, but the user who drops a file has asked.
"""

import dagster as dg

from maxsight_assets.defs.automation.inputs import is_landing, last_reported, report
from maxsight_assets.defs.automation.records import Published
from maxsight_assets.defs.metadata import table
from maxsight_assets.defs.resources import Storage
from maxsight_assets.pipeline.metrics import DETECTIONS_ASSET, METRICS_ASSET, files_of, fingerprint

SENSOR = f"{DETECTIONS_ASSET}_sensor"


def detections_sensor(*, published: Published, interval_s: int = 30) -> dg.SensorDefinition:
    """Return the sensor.

    Args:
        published: Reads what an asset has published in this DATA_DIR.
        interval_s: Seconds between two looks, which only list a directory.
    """
    detections, metrics = dg.AssetKey(DETECTIONS_ASSET), dg.AssetKey(METRICS_ASSET)

    @dg.sensor(
        name=SENSOR,
        target=[metrics],
        description="Reports new, changed and deleted detections files. Asks for a run only if none was evaluated yet.",
        minimum_interval_seconds=interval_s,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def sense(context: dg.SensorEvaluationContext, storage: Storage) -> dg.SensorResult:
        files, seen, before = files_of(storage.places), fingerprint(storage.places), None
        before = last_reported(context.instance, detections)
        if not files and before is None:
            return dg.SensorResult(skip_reason=f"No file in {storage.places.detections}.")
        first = files and published(metrics) is None and published(dg.AssetKey("inference_eval_set")) is not None
        asks = [dg.RunRequest(run_key=seen, asset_selection=[metrics])] if first else []
        if seen == before:
            said = f"No change: {len(files)} files, fingerprint {seen}"
            return dg.SensorResult(run_requests=asks, skip_reason=None if asks else said)
        if is_landing(context.instance, metrics):
            return dg.SensorResult(skip_reason="They are evaluated at this moment; the next look compares.")
        shown = table(("file", "bytes"), ((f"{name}.json", path.stat().st_size) for name, path in files.items()))
        reported = report(detections, seen, files=shown)
        said = f"Reported {len(files)} files, fingerprint {seen}"
        return dg.SensorResult(run_requests=asks, asset_events=[reported], skip_reason=None if asks else said)

    return sense
