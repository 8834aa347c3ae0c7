"""The asset of the conditions' checkpoints, one partition a condition, and the asset that stands for their source.

Without CHECKPOINTS_URI both are in the graph and say that nothing is configured; neither can be materialized then.
"""

from pathlib import Path

import dagster as dg

from maxsight_assets.checkpoints.layout import directory
from maxsight_assets.defs.automation.inputs import reported
from maxsight_assets.defs.automation.records import DATA_VERSION_TAG
from maxsight_assets.defs.failures import as_failures
from maxsight_assets.defs.resources import Upstreams
from maxsight_assets.labels.conditions import CONDITIONS
from maxsight_assets.transport.progress import progress_lines

NAME = "condition_checkpoints"
UPSTREAM = "checkpoints_upstream"
RESOURCE = "checkpoints"
"""Name of the resource that reaches the source."""

GROUP = "checkpoints"
PARTITIONS = dg.StaticPartitionsDefinition(CONDITIONS)

DESCRIPTION = """The detector's checkpoints of each condition, in `checkpoints_<condition>/`.

`best_model.pt` and, if they are there, `last_checkpoint.pt`, `training_history.{json,csv}` and `resume_info.json`. Each
condition is published by itself: one that fails leaves the others, and its last good version, in place.
"""

UNSET = (
    "**Nothing is configured**: set `CHECKPOINTS_URI` to where training leaves its checkpoints (a directory, "
    "`s3://bucket/prefix` or `hf://models/<owner>/<name>`), then restart."
)


def unconfigured() -> list[dg.AssetSpec]:
    """Return the specs of both assets for a graph without a source."""
    return [
        dg.AssetSpec(UPSTREAM, group_name=GROUP, description=UNSET),
        dg.AssetSpec(
            NAME, deps=[UPSTREAM], group_name=GROUP, description=f"{DESCRIPTION}\n{UNSET}", partitions_def=PARTITIONS
        ),
    ]


def upstream_spec(uri: str) -> dg.AssetSpec:
    """Return the external asset of the source; its data version is a fingerprint of the files of all conditions."""
    return dg.AssetSpec(
        UPSTREAM,
        group_name=GROUP,
        description="Where training leaves the checkpoints (CHECKPOINTS_URI).",
        metadata={"address": dg.MetadataValue.text(uri)},
    )


def checkpoints_asset(uri: str, checkpoints: Path) -> dg.AssetsDefinition:
    """Return the asset `condition_checkpoints`.

    Args:
        uri: Where the checkpoints come from.
        checkpoints: CHECKPOINTS_DIR.
    """

    @dg.asset(
        name=NAME,
        deps=[UPSTREAM],
        group_name=GROUP,
        kinds={"pytorch"},
        pool=NAME,
        partitions_def=PARTITIONS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        code_version="1",
        description=DESCRIPTION,
        required_resource_keys={RESOURCE},
    )
    def condition_checkpoints(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        from maxsight_assets.checkpoints.sync import CheckpointSource, seen, sync_all
        from maxsight_assets.datasets.seen import combined
        from maxsight_assets.defs import metadata

        upstreams: Upstreams = getattr(context.resources, RESOURCE)
        source, progress = CheckpointSource(uri), progress_lines(context.log.info)
        with as_failures(context.retry_number), upstreams.client(progress=progress) as client:
            there = source.files(client)
            tags = reported(context, dg.AssetKey(UPSTREAM), seen(there))
            synced, failed = sync_all(context.partition_keys, source, there, client=client, checkpoints=checkpoints)
            pages = {
                name: metadata.of_checkpoints(each, checkpoints / directory(name)) for name, each in synced.items()
            }
            for name, each in synced.items():
                said = "a new version" if each.changed else "nothing new"
                context.log.info(f"{name}: {said}; {each.tally.fetched_files} files fetched in {each.seconds:.1f} s")
                if failed is not None:  # Dagster reports no partition of a step that fails
                    version = {DATA_VERSION_TAG: each.manifest.info.data_version}
                    context.log_event(dg.AssetMaterialization(NAME, partition=name, metadata=pages[name], tags=version))
            if failed is not None:
                raise failed
        for name, page in pages.items():
            context.add_asset_metadata(page, partition_key=name)
        versions = {name: each.manifest.info.data_version for name, each in synced.items()}
        return dg.MaterializeResult(data_version=dg.DataVersion(combined(versions)), tags=tags)

    return condition_checkpoints
