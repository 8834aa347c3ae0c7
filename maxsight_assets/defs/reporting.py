"""Report to the event log what a command did to a published directory outside of any run.

So the asset's page is right, and its descendants follow. The version on disk is judged first and reported with its
verdicts, so that the refresh never finds a version without verdicts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)

from maxsight_assets.datasets.registry import SOURCES
from maxsight_assets.defs import metadata
from maxsight_assets.defs.automation.inputs import last_reported, report
from maxsight_assets.defs.automation.records import DATA_VERSION_TAG, Record, judged, made_from, records_of
from maxsight_assets.pipeline.inspection import Inspection, Told
from maxsight_assets.pipeline.overview import overview
from maxsight_assets.pipeline.raw import fingerprint_of
from maxsight_assets.places import Places
from maxsight_assets.publishing.stage import recovered_manifest

_BY_ASSET = {source.asset: source for source in SOURCES.values()}


@dataclass(frozen=True, slots=True)
class Change:
    """What a command did to a published directory.

    Attributes:
        said: The change in words, for the asset's page.
        verdicts: The verdicts of the rules on it now; empty if no rule was run.
        details: Further entries of the asset's page, in words.
        seen: The fingerprint of the upstream that it was just landed from; None if upstream was not probed.
        stays: Whether the user chose this version, so that it stays until its inputs change again.
    """

    said: str
    verdicts: Sequence[Told] = ()
    details: Mapping[str, str] = field(default_factory=dict)
    seen: str | None = None
    stays: bool = False


def report_change(instance: dg.DagsterInstance, inspection: Inspection, places: Places, change: Change) -> bool:
    """Report what an asset has published now: a materialization if the version is new, else an observation.

    Returns:
        Whether the event log had another version.
    """
    key = dg.AssetKey(inspection.asset)
    directory = inspection.directory(places)
    manifest = recovered_manifest(directory)
    before = records_of(instance, [key]).get(key, Record())
    details = {name: dg.MetadataValue.text(text) for name, text in change.details.items()}
    entries = {**metadata.of_manifest(manifest, str(directory)), **details}
    if manifest is None or manifest.data_version == (before.tags or {}).get(DATA_VERSION_TAG):
        instance.report_runless_asset_event(dg.AssetObservation(key, description=change.said, metadata=entries))
        _report_verdicts(instance, inspection, before, change.verdicts)
        return False
    source = _BY_ASSET.get(inspection.asset)
    upstream = source.upstream_asset if source else None
    if source:
        entries |= metadata.of_overview(overview(source, directory, manifest))
    if upstream and change.seen and change.seen != last_reported(instance, dg.AssetKey(upstream)):
        instance.report_runless_asset_event(report(dg.AssetKey(upstream), change.seen))
    inputs = {upstream: change.seen or fingerprint_of(manifest)} if upstream else dict(manifest.info.inputs)
    if change.stays:
        inputs = {name: last_reported(instance, dg.AssetKey(name)) or version for name, version in inputs.items()}
    instance.report_runless_asset_event(
        dg.AssetMaterialization(
            key,
            description=change.said,
            metadata=entries,
            tags={DATA_VERSION_TAG: manifest.data_version, **made_from(inputs)},
        )
    )
    _report_verdicts(instance, inspection, records_of(instance, [key])[key], change.verdicts)
    return True


def report_verdicts(
    instance: dg.DagsterInstance, inspection: Inspection, places: Places, verdicts: Sequence[Told]
) -> None:
    """Report the verdicts of the rules on an asset's published version, unless the event log has another version."""
    record = _record_of_published(instance, inspection, places)
    if record is not None:
        _report_verdicts(instance, inspection, record, verdicts)


def difference(instance: dg.DagsterInstance, inspection: Inspection, places: Places) -> str | None:
    """Return in words how the event log differs from an asset's published version; None if it does not."""
    key, manifest = dg.AssetKey(inspection.asset), recovered_manifest(inspection.directory(places))
    record = records_of(instance, [key]).get(key)
    logged = (record.tags or {}).get(DATA_VERSION_TAG) if record else None
    found = manifest.data_version if manifest else None
    if found != logged:
        return f"{_short(found)} on the disk, {_short(logged)} in the event log"
    checks = [dg.AssetCheckKey(key, rule.name) for rule in inspection.rules if rule.blocking]
    unjudged = [check.name for check in checks if record and judged(instance, check, record) is None]
    return f"not judged by {', '.join(unjudged)}" if found and unjudged else None


def verdicts_of(instance: dg.DagsterInstance, inspection: Inspection, places: Places) -> list[Told]:
    """Return the latest verdicts on an asset's published version; none if the event log has another version."""
    record = _record_of_published(instance, inspection, places)
    if record is None:
        return []
    keys = [dg.AssetCheckKey(dg.AssetKey(inspection.asset), rule.name) for rule in inspection.rules]
    return [told_of(found) for key in keys if (found := judged(instance, key, record)) is not None]


def _record_of_published(instance: dg.DagsterInstance, inspection: Inspection, places: Places) -> Record | None:
    key, manifest = dg.AssetKey(inspection.asset), recovered_manifest(inspection.directory(places))
    record = records_of(instance, [key]).get(key)
    same = record and manifest and (record.tags or {}).get(DATA_VERSION_TAG) == manifest.data_version
    return record if same else None


def told_of(evaluation: dg.AssetCheckEvaluation) -> Told:
    """Return a verdict of the event log as a line of the command line."""
    texts = {name: str(value.value) for name, value in evaluation.metadata.items()}
    return Told(
        asset=evaluation.asset_key.to_user_string(),
        rule=evaluation.check_name,
        passed=evaluation.passed,
        severity=evaluation.severity.value.lower(),
        offenders=int(texts.get("offenders", 0)),
        examples=texts.get("first offenders", "").replace("\n", ", "),
        checked=int(texts.get("checked", 0)),
        remedy=texts.get("remedy", ""),
    )


def _report_verdicts(
    instance: dg.DagsterInstance, inspection: Inspection, record: Record, verdicts: Sequence[Told]
) -> None:
    blocking = {rule.name: rule.blocking for rule in inspection.rules}
    if record.landed_id is None:
        return
    target = AssetCheckEvaluationTargetMaterializationData(
        storage_id=record.landed_id, run_id=record.landed_by or "", timestamp=record.landed_at
    )
    for told in verdicts:
        if told.rule in blocking:
            instance.report_runless_asset_event(
                dg.AssetCheckEvaluation(
                    dg.AssetKey(told.asset),
                    told.rule,
                    passed=told.passed,
                    metadata=metadata.of_told(told),
                    target_materialization_data=target,
                    severity=dg.AssetCheckSeverity.ERROR if told.severity == "error" else dg.AssetCheckSeverity.WARN,
                    blocking=blocking[told.rule],
                )
            )


def _short(version: str | None) -> str:
    return f"version {version[:12]}" if version else "nothing"
