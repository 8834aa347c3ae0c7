"""The sensors: one evaluates the refresh condition, and one per upstream reports a change there.

An upstream sensor requests no run. It reports the upstream's fingerprint to the event log if that is not the last one
there; the condition does the rest. An upstream that does not answer affects no other.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass

import dagster as dg

from maxsight_assets.defs.automation.inputs import is_landing, last_reported, report
from maxsight_assets.defs.automation.state import LOOKED, evaluation
from maxsight_assets.errors import LandingError
from maxsight_assets.transport.redact import scrub

Fingerprint = Callable[[threading.Event], str]
"""Computes the fingerprint of what an upstream holds now, as a short text; stops soon after the event is set."""

CURSOR_VERSION = 1


def refresh_sensor(
    target: dg.AssetSelection | None = None,
    *,
    default_status: dg.DefaultSensorStatus = dg.DefaultSensorStatus.RUNNING,
    minimum_interval_s: int = 30,
) -> dg.AutomationConditionSensorDefinition:
    """Return the sensor that evaluates the condition of every asset.

    Args:
        target: The assets; all by default. It must include every asset with a condition. Otherwise Dagster adds a
            default sensor for the others, and that sensor does not evaluate a custom condition.
        default_status: Whether the sensor runs before the user has started it.
        minimum_interval_s: Seconds between two ticks; a chain of three assets takes three.
    """
    return dg.AutomationConditionSensorDefinition(
        "refresh",
        target=target or dg.AssetSelection.all(),
        description="Refreshes what was landed before and is behind its inputs now. Never asks for a first landing.",
        default_status=default_status,
        minimum_interval_seconds=minimum_interval_s,
        # Without this, a custom condition is silently ignored: no tick, no error, no run.
        use_user_code_server=True,
    )


def upstream_sensor(
    name: str,
    asset_key: dg.AssetKey,
    fingerprint: Fingerprint,
    *,
    landed_as: dg.AssetKey,
    minimum_interval_s: int = 3600,
    budget_s: float = 30.0,
    warn_after: int = 3,
    default_status: dg.DefaultSensorStatus = dg.DefaultSensorStatus.STOPPED,
) -> dg.SensorDefinition:
    """Return a sensor that reports what one upstream holds if that changed.

    Args:
        name: Name of the sensor.
        asset_key: The upstream's asset.
        fingerprint: Computes the upstream's fingerprint. A `LandingError` or `OSError` means that upstream does not
            answer.
        landed_as: The asset that lands from it. Nothing is reported during a landing: the landing reports what it
            reads, and its selection may differ from the published one, which the sensor uses.
        minimum_interval_s: Seconds between two probes.
        budget_s: Seconds that a probe may take; Dagster ends a tick after 60.
        warn_after: Number of failed probes in a row after which the tick's log warns.
        default_status: Whether the sensor runs before the user has started it.
    """
    looked = dg.AssetCheckKey(landed_as, LOOKED)

    @dg.sensor(
        name=name,
        description=f"Reports a change of {asset_key.to_user_string()} upstream. Asks for no run itself.",
        minimum_interval_seconds=minimum_interval_s,
        default_status=default_status,
    )
    def look(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        failures = _failures(context)
        if is_landing(context.instance, landed_as):
            reason = f"{landed_as.to_user_string()} lands and reports itself; the next look after that compares"
            return dg.SensorResult(skip_reason=reason, cursor=_Cursor(failures=failures).text())
        before = last_reported(context.instance, asset_key)
        try:
            now = _within(budget_s, fingerprint)
        except (LandingError, OSError) as error:
            reason = f"{asset_key.to_user_string()} is away: {scrub(error) or type(error).__name__}"
            shown = [evaluation(context.instance, looked, passed=False, said=reason)]
            if failures + 1 >= warn_after:
                context.log.warning(f"{reason} ({failures + 1} looks in a row failed; what is landed stays as it is)")
            return dg.SensorResult(
                skip_reason=reason,
                asset_events=shown if failures + 1 == warn_after else [],
                cursor=_Cursor(failures=failures + 1).text(),
            )
        cursor, back = _Cursor().text(), f"{asset_key.to_user_string()} answers again."
        shown = [evaluation(context.instance, looked, passed=True, said=back)] if failures >= warn_after else []
        latest = last_reported(context.instance, asset_key)
        if latest != before:
            return dg.SensorResult(
                skip_reason="A landing reported meanwhile; the next look compares", asset_events=shown, cursor=cursor
            )
        if now == latest:
            return dg.SensorResult(skip_reason=f"No change: fingerprint {now}", asset_events=shown, cursor=cursor)
        return dg.SensorResult(asset_events=[report(asset_key, now), *shown], cursor=cursor)

    return look


@dataclass(frozen=True, slots=True)
class _Cursor:
    """What a sensor keeps between two ticks: the number of failed probes in a row."""

    failures: int = 0
    version: int = CURSOR_VERSION

    def text(self) -> str:
        return json.dumps(asdict(self))


def _failures(context: dg.SensorEvaluationContext) -> int:
    """Return the number of failed probes in a row; 0 if the cursor is unreadable, as an error would repeat forever."""
    if not context.cursor:
        return 0
    try:
        cursor = _Cursor(**json.loads(context.cursor))
        if cursor.version == CURSOR_VERSION and isinstance(cursor.failures, int):
            return cursor.failures
    except (ValueError, TypeError):
        pass
    context.log.warning("The cursor cannot be read and is begun anew; what was reported is in the event log.")
    return 0


def _within(budget_s: float, fingerprint: Fingerprint) -> str:
    """Compute a fingerprint, or raise TimeoutError when the budget is used up."""
    late = threading.Event()
    outcome: list[str | BaseException] = []

    def work() -> None:
        try:
            outcome.append(fingerprint(late))
        except BaseException as error:  # noqa: BLE001  # carried over to the sensor's thread
            outcome.append(error)

    thread = threading.Thread(target=work, name="fingerprint", daemon=True)
    thread.start()
    thread.join(budget_s)
    if not outcome:
        late.set()
        raise TimeoutError(f"no answer within {budget_s:g} s")
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]
