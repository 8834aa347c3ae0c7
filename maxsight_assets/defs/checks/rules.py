"""Asset checks made of the rules of `verification`: one scan of a directory answers all checks of its asset."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from maxsight_assets.defs.resources import Storage

if TYPE_CHECKING:
    from maxsight_assets.verification.verdict import Rule

Open = Callable[[Storage], Any]
"""Opens the view of what is published, or returns None where nothing is."""


def checks_of(asset: str, rules: "Sequence[Rule[Any]]", open_view: Open) -> dg.AssetChecksDefinition:
    """All checks of one asset; they can be run alone, so that verification can be scheduled.

    Args:
        asset: The asset's name.
        rules: What must hold; each becomes a check of the same name.
        open_view: Opens what the rules look at.
    """
    by_name = {rule.name: rule for rule in rules}

    @dg.multi_asset_check(
        name=f"{asset}_checks",
        specs=[
            dg.AssetCheckSpec(rule.name, asset=asset, description=rule.description, blocking=rule.blocking)
            for rule in rules
        ],
        can_subset=True,
    )
    def checks(context: dg.AssetCheckExecutionContext, storage: Storage) -> Iterable[dg.AssetCheckResult]:
        from maxsight_assets.defs import metadata

        view = open_view(storage)
        for key in sorted(context.selected_asset_check_keys):
            rule = by_name[key.name]
            severity = dg.AssetCheckSeverity.ERROR if rule.severity == "error" else dg.AssetCheckSeverity.WARN
            if view is None:
                yield dg.AssetCheckResult(
                    passed=False,
                    asset_key=key.asset_key,
                    check_name=key.name,
                    severity=severity,
                    description=f"Nothing is published; materialize {asset}.",
                )
                continue
            verdict = rule.judge(view)
            yield dg.AssetCheckResult(
                passed=verdict.passed,
                asset_key=key.asset_key,
                check_name=key.name,
                severity=severity,
                metadata=metadata.of_verdict(verdict, rule.description),
            )

    return checks
