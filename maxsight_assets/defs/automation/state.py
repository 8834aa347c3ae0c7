"""Show the state of the refresh as asset checks on the asset's page rather than in one of a day's 2,880 tick logs.

`refresh_is_not_stuck` fails while the refresh condition waits after a failed run, once it gives up, and once it finds
its run cancelled, until the asset lands or no longer needs to. `upstream_looked_at_recently` fails while an upstream is
away, or while no sensor looks at it. The sensors report the state. A run of the checks repeats the last report, unless
a landing has settled it. Neither check blocks anything.
"""

from collections.abc import Sequence

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, TickStatus

from maxsight_assets.defs.automation.records import LOOKED, STATE, STUCK, judged, records_of, sensor_states

REFRESH = "refresh"
"""Name of the sensor that evaluates the condition of every asset."""

NAMES = STATE


def state_specs(asset: str, *, has_upstream: bool) -> list[dg.AssetCheckSpec]:
    """Return the checks of one asset's state."""
    stuck = dg.AssetCheckSpec(STUCK, asset=asset, description="No automatic refresh waits, gave up or was cancelled.")
    looked = dg.AssetCheckSpec(LOOKED, asset=asset, description="Its upstream answers, and a sensor looks at it.")
    return [stuck, looked] if has_upstream else [stuck]


def evaluation(
    instance: dg.DagsterInstance, check: dg.AssetCheckKey, *, passed: bool, said: str
) -> dg.AssetCheckEvaluation:
    """Return the event that reports the state of an asset; it refers to the version that landed last."""
    record = records_of(instance, [check.asset_key]).get(check.asset_key)
    target = None
    if record is not None and record.landed_id is not None:
        target = AssetCheckEvaluationTargetMaterializationData(
            storage_id=record.landed_id, run_id=record.landed_by or "", timestamp=record.landed_at
        )
    return dg.AssetCheckEvaluation(
        check.asset_key,
        check.name,
        passed=passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=said,
        target_materialization_data=target,
        blocking=False,
    )


def state_now(instance: dg.DagsterInstance, check: dg.AssetCheckKey, *, sensor: str | None) -> dg.AssetCheckResult:
    """Return the result that a run of the checks gives for an asset's state.

    Args:
        instance: The instance that holds the reports.
        check: The check of the asset's state.
        sensor: Name of the sensor that reports the state; None if none does, or if it was examined already.
    """
    wrong = _reported_since_landing(instance, check)
    if wrong is None and sensor is not None:
        wrong = silence(instance, sensor, sensor_states(instance))
    return dg.AssetCheckResult(
        passed=wrong is None,
        asset_key=check.asset_key,
        check_name=check.name,
        severity=dg.AssetCheckSeverity.WARN,
        description=wrong or "Nothing was reported since it landed.",
    )


def _reported_since_landing(instance: dg.DagsterInstance, check: dg.AssetCheckKey) -> str | None:
    """Return what the last report found wrong; None if nothing, or if the asset has landed since."""
    record = records_of(instance, [check.asset_key]).get(check.asset_key)
    last = judged(instance, check, record) if record is not None else None
    return last.description if last is not None and not last.passed else None


def silence(instance: dg.DagsterInstance, sensor: str, states: Sequence[InstigatorState]) -> str | None:
    """Return why a sensor reports nothing: it was stopped, or its last tick failed. One that never ran is not meant."""
    states = [state for state in states if state.instigator_name == sensor]
    if any(state.status == InstigatorStatus.STOPPED for state in states):
        return f"The sensor {sensor} is stopped, so a change is not noticed; start it on the Automation page."
    for state in states:
        ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
        if ticks and ticks[0].status == TickStatus.FAILURE:
            return f"The sensor {sensor} failed at its last tick, which says how on the Automation page."
    return None


def is_silence(said: str | None, sensor: str) -> bool:
    """Return whether a report is about a sensor that reports nothing, see `silence`."""
    return bool(said) and str(said).startswith(f"The sensor {sensor} ")
