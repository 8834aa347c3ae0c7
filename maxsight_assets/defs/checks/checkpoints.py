"""Asset checks of the conditions' checkpoints: the rules over all synced conditions, judged together."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from maxsight_assets import disk
from maxsight_assets.checkpoints.rules import CHECKPOINT_RULES, CheckpointsView
from maxsight_assets.defs.assets.checkpoints import NAME, UPSTREAM
from maxsight_assets.defs.automation.records import LOOKED
from maxsight_assets.defs.automation.state import state_now, state_specs
from maxsight_assets.defs.failures import as_failures


def checkpoint_checks(checkpoints: Path) -> dg.AssetChecksDefinition:
    """Return the checks of `condition_checkpoints`.

    Args:
        checkpoints: CHECKPOINTS_DIR.
    """
    rules = {rule.name: rule for rule in CHECKPOINT_RULES}
    looked = [spec for spec in state_specs(NAME, has_upstream=True) if spec.name == LOOKED]

    @dg.multi_asset_check(
        name=f"{NAME}_checks",
        specs=[
            dg.AssetCheckSpec(rule.name, asset=NAME, description=rule.description, blocking=rule.blocking)
            for rule in CHECKPOINT_RULES
        ]
        + looked,
        can_subset=True,
        pool=NAME,  # the asset's own, so that no other run replaces what is being judged
    )
    def checks(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        from maxsight_assets.defs import metadata

        with as_failures(), disk.explaining(checkpoints):
            view = CheckpointsView.of(checkpoints)
        for key in sorted(context.selected_asset_check_keys):
            if key.name == LOOKED:
                yield state_now(context.instance, key, sensor=f"{UPSTREAM}_sensor")
                continue
            rule = rules[key.name]
            with as_failures(), disk.explaining(checkpoints):
                verdict = rule.judge(view)
            yield dg.AssetCheckResult(
                passed=verdict.passed and bool(view.synced),
                asset_key=key.asset_key,
                check_name=key.name,
                severity=dg.AssetCheckSeverity.ERROR if rule.severity == "error" else dg.AssetCheckSeverity.WARN,
                description=None if view.synced else f"Nothing is synced; materialize {NAME}.",
                metadata=metadata.of_verdict(verdict),
            )

    return checks
