"""The sensors: one that evaluates the refresh condition, and one per upstream that reports a change there.

An upstream sensor asks for no run. It reports the upstream's fingerprint to the event log when it is not the last one
there, and keeps no memory of its own; the condition does the rest. One upstream that is away hides no other.
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
"""Computes what an upstream holds now, as a short text; gives up soon after the event is set."""

CURSOR_VERSION = 1


def refresh_sensor(
    target: dg.AssetSelection | None = None,
    *,
    default_status: dg.DefaultSensorStatus = dg.DefaultSensorStatus.RUNNING,
    minimum_interval_s: int = 30,
) -> dg.AutomationConditionSensorDefinition:
    """The sensor that evaluates the condition of every asset.

    Args:
        target: The assets; all by default. It must take in every asset with a condition, or Dagster adds a default
            sensor for the rest, under which a custom condition is dead.
        default_status: Whether it runs before a person has said so.
        minimum_interval_s: Seconds between two ticks; a chain of three assets takes three.
    """
    return dg.AutomationConditionSensorDefinition(
        "refresh",
        target=target or dg.AssetSelection.all(),
        description="Refreshes what was landed before and is behind its inputs now. Never asks for a first landing.",
        default_status=default_status,
        minimum_interval_seconds=minimum_interval_s,
        # Without it a condition that is not Dagster's own is silently dead: no tick, no error, no run.
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
    """A sensor that reports what one upstream holds when that is news.

    Args:
        name: Name of the sensor.
        asset_key: The upstream's asset.
        fingerprint: Computes the upstream's fingerprint. A `LandingError` or `OSError` means that upstream is away.
        landed_as: The asset that lands from it. Nothing is reported while it lands: it says itself what it reads, which
            may be of another selection than the published one that a look goes by.
        minimum_interval_s: Seconds between two looks.
        budget_s: Seconds that a look may take; Dagster ends a tick after 60.
        warn_after: Looks in a row that fail before the tick's log warns.
        default_status: Whether it runs before a person has said so.
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
    """What a sensor remembers between two ticks: the looks in a row that failed."""

    failures: int = 0
    version: int = CURSOR_VERSION

    def text(self) -> str:
        return json.dumps(asdict(self))


def _failures(context: dg.SensorEvaluationContext) -> int:
    """Looks in a row that failed; a cursor that cannot be read is begun anew, because raising would repeat for ever."""
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
    """Compute a fingerprint, or raise TimeoutError once the budget is used up."""
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
