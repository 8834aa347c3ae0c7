"""The detections that the user drops from outside, and the asset of their metrics."""

import dagster as dg

from maxsight_assets.defs.automation.records import made_from
from maxsight_assets.defs.failures import as_failures
from maxsight_assets.defs.resources import Storage
from maxsight_assets.edition import edition
from maxsight_assets.pipeline.metrics import DETECTIONS_ASSET
from maxsight_assets.profiles.model import Profile


def detections_spec() -> dg.AssetSpec:
    """Return the external asset of the detections; its data version is a fingerprint of the files."""
    return dg.AssetSpec(
        DETECTIONS_ASSET,
        group_name="evaluation",
        kinds={"json"},
        description="What detectors found in the evaluation sets, as `detections/<condition>/<set>.json` in DATA_DIR: "
        "COCO results, or the document of MaxSight's own inference run. The user puts the files there; a sensor "
        "notices new, changed and deleted ones.",
    )


def metrics_asset(profile: Profile, *, baseline: str) -> dg.AssetsDefinition:
    """Return the asset `detection_metrics`.

    Args:
        profile: Says where the data is from.
        baseline: Folder below the detections that the others are compared with.
    """

    @dg.asset(
        group_name="evaluation",
        kinds={"json"},
        deps=[DETECTIONS_ASSET, "inference_eval_set"],
        pool="detection_metrics",
        code_version=edition(),
    )
    def detection_metrics(context: dg.AssetExecutionContext, storage: Storage) -> dg.MaterializeResult[None]:
        """MAP of each detections file, with its history and the answer to whether a drop is real.

        Only new and changed files are evaluated. A file that does not fit its set, or is deleted, keeps its last good
        numbers. `maxsight-assets metrics` prints the same at a terminal.
        """
        from maxsight_assets.defs import metadata, metrics_page
        from maxsight_assets.pipeline.inspection import METRICS
        from maxsight_assets.pipeline.metrics import make_metrics

        places = storage.places
        with as_failures():
            made = make_metrics(profile, places, baseline=baseline, gate=METRICS.gate(places))
        for standing in made.standings.values():
            if standing.state != "evaluated" or standing.name in made.fresh:
                context.log.info(metrics_page.in_words(standing))
        return dg.MaterializeResult(
            data_version=dg.DataVersion(made.manifest.info.data_version),
            tags=made_from(made.manifest.info.inputs),
            metadata={
                **metadata.of_story(places.results, changed=made.changed),
                **metrics_page.of_metrics(made, places.results),
            },
        )

    return detection_metrics
