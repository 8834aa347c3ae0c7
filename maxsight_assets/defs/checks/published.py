"""Asset checks: the rules of each published directory, judged together, so that one scan serves all checks of an asset.

They can run without the asset, which is how verification is scheduled.
"""

from collections.abc import Iterator

import dagster as dg

from maxsight_assets import disk
from maxsight_assets.datasets.registry import SOURCES
from maxsight_assets.defs.automation.records import STATE, STUCK
from maxsight_assets.defs.automation.state import REFRESH, state_now, state_specs
from maxsight_assets.defs.failures import as_failures
from maxsight_assets.defs.resources import Storage
from maxsight_assets.pipeline.inspection import Inspection, of_profile
from maxsight_assets.pipeline.verdicts import Known
from maxsight_assets.profiles.model import Profile
from maxsight_assets.publishing.manifest import now

UPSTREAMS = {source.asset: source.upstream_asset for source in SOURCES.values()}


def published_checks(profile: Profile) -> list[dg.AssetChecksDefinition]:
    """Return the checks of every asset that the profile switches on."""
    return [_checks_of(inspection) for inspection in of_profile(profile)]


def _checks_of(inspection: Inspection) -> dg.AssetChecksDefinition:
    rules = {rule.name: rule for rule in inspection.rules}
    upstream = UPSTREAMS.get(inspection.asset)

    @dg.multi_asset_check(
        name=f"{inspection.asset}_checks",
        specs=[
            dg.AssetCheckSpec(rule.name, asset=inspection.asset, description=rule.description, blocking=rule.blocking)
            for rule in inspection.rules
        ]
        + state_specs(inspection.asset, has_upstream=upstream is not None),
        can_subset=True,
        pool=inspection.asset,  # the asset's own, so that no other run replaces what is being judged
    )
    def checks(context: dg.AssetCheckExecutionContext, storage: Storage) -> Iterator[dg.AssetCheckResult]:
        from maxsight_assets.defs import metadata

        with as_failures(), disk.explaining(inspection.directory(storage.places)):
            judging = inspection.judging(storage.places, anew=not _is_made(context, inspection.asset))
        said = now()
        for key in sorted(context.selected_asset_check_keys):
            if key.name in STATE:
                reports = REFRESH if key.name == STUCK else f"{upstream}_sensor"
                yield state_now(context.instance, key, sensor=reports)
                continue
            rule = rules[key.name]
            with as_failures(), disk.explaining(inspection.directory(storage.places)):
                known = None if judging is None else judging.judge(rule)
            verdict = None if known is None else known.verdict
            yield dg.AssetCheckResult(
                passed=verdict is not None and verdict.passed,
                asset_key=key.asset_key,
                check_name=key.name,
                severity=dg.AssetCheckSeverity.ERROR if rule.severity == "error" else dg.AssetCheckSeverity.WARN,
                description=_description(inspection.asset, known, before=said),
                metadata=metadata.of_verdict(verdict) if verdict else {},
            )
        if judging is not None:
            with as_failures(), disk.explaining(inspection.directory(storage.places)):
                judging.remember()

    return checks


def _is_made(context: dg.AssetCheckExecutionContext, asset: str) -> bool:
    """Return whether the run makes the asset too; a run of checks alone is asked to look, so nothing is recalled."""
    return dg.AssetKey(asset) in context.op_execution_context.job_def.asset_layer.executable_asset_keys


def _description(asset: str, known: "Known | None", *, before: str) -> str | None:
    if known is None:
        return f"Nothing is published; materialize {asset}."
    return None if known.at >= before else f"Looked at on {known.at}; nothing has changed since."
