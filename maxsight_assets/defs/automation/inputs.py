"""Report the fingerprint of the upstream that a raw asset lands from, before it reads, and make the tags it returns.

Dagster records an input's version when the step starts: the version that the sensor saw last, not the one that the
landing reads. If the landing reports its own, it is not repeated when the sensor later reports the same fingerprint.
"""

from typing import TYPE_CHECKING

import dagster as dg

from maxsight_assets.defs.automation import changes
from maxsight_assets.defs.automation.records import DATA_VERSION_TAG, INPUT_TAG_PREFIX

if TYPE_CHECKING:
    from maxsight_assets.datasets.seen import Seen


def last_reported(instance: dg.DagsterInstance, upstream: dg.AssetKey) -> str | None:
    """Return the last fingerprint of an upstream in the event log; None if there is none."""
    entry = instance.get_latest_materialization_event(upstream)
    return (entry.tags or {}).get(DATA_VERSION_TAG) if entry else None


def is_landing(instance: dg.DagsterInstance, asset: dg.AssetKey) -> bool:
    """Return whether the latest run that is planned to land an asset has neither ended nor landed it."""
    entry = next((record.asset_entry for record in instance.get_asset_records([asset])), None)
    run_id = entry.last_run_id if entry else None
    if entry is None or not run_id or (entry.last_materialization and entry.last_materialization.run_id == run_id):
        return False
    run = instance.get_run_by_id(run_id)
    return run is not None and not run.is_finished


def report(upstream: dg.AssetKey, fingerprint: str, **metadata: dg.MetadataValue) -> dg.AssetMaterialization:
    """Return the event that reports what an upstream holds; automation ignores observations of external assets."""
    return dg.AssetMaterialization(
        upstream,
        tags={DATA_VERSION_TAG: fingerprint},
        metadata={"fingerprint": dg.MetadataValue.text(fingerprint), **metadata},
    )


def reported(context: dg.AssetExecutionContext, upstream: dg.AssetKey, seen: "Seen") -> dict[str, str]:
    """Report what an asset is about to land from. Call it before the first byte is read.

    Args:
        context: The context of the step that lands.
        upstream: The upstream of the asset.
        seen: What it holds, as its sensor would see it.

    Returns:
        The tags for the `dg.MaterializeResult` of the landing.
    """
    if seen.fingerprint != last_reported(context.instance, upstream):
        was, now = changes.last_states(context.instance, upstream), changes.states(seen.files)
        context.log_event(report(upstream, seen.fingerprint, **changes.entries(was, now)))
    return {INPUT_TAG_PREFIX + upstream.to_user_string(): seen.fingerprint}
