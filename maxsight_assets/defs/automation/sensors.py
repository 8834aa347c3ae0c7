"""The sensors: one evaluates the refresh condition, and one per upstream reports a change there.

An upstream sensor requests no run. It reports the upstream's fingerprint to the event log if that is not the last one
there; the condition does the rest. An upstream that does not answer affects no other.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.definitions.sensor_definition import SensorExecutionData
from dagster._daemon.asset_daemon import asset_daemon_cursor_from_instigator_serialized_cursor
from dagster._time import get_current_timestamp

from maxsight_assets.defs.automation import changes, hosts
from maxsight_assets.defs.automation.inputs import is_landing, last_reported, report
from maxsight_assets.defs.automation.looking import Look, Memory, Pace, looked
from maxsight_assets.defs.automation.records import LOOKED
from maxsight_assets.defs.automation.state import evaluation
from maxsight_assets.defs.resources import Upstreams
from maxsight_assets.errors import LandingError
from maxsight_assets.transport.redact import scrub

if TYPE_CHECKING:
    from maxsight_assets.datasets.seen import Seen

HOURLY = Pace()

FIRST_SHARE = 0.75
"""Share of the interval for which other upstreams of a host wait after its first failure; then it is asked anew."""

Requests = Callable[["Seen"], Iterable[dg.RunRequest]]


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
    return RefreshSensor(
        "refresh",
        target=target or dg.AssetSelection.all(),
        description="Refreshes what was landed before and is behind its inputs now. Never asks for a first landing.",
        default_status=default_status,
        minimum_interval_seconds=minimum_interval_s,
        # Without this, a custom condition is silently ignored: no tick, no error, no run.
        use_user_code_server=True,
    )


class RefreshSensor(dg.AutomationConditionSensorDefinition):
    """An automation sensor that begins its cursor anew if it is unreadable; Dagster's own would fail at every tick.

    The cursor holds how often runs were requested. What is behind is read from the event log.
    """

    def evaluate_tick(self, context: dg.SensorEvaluationContext) -> SensorExecutionData:
        """Evaluate the conditions."""
        try:
            asset_daemon_cursor_from_instigator_serialized_cursor(context.cursor, None)
        except Exception:  # noqa: BLE001  # whatever base64, zlib and the decoder raise
            context.log.warning("The cursor cannot be read and is begun anew; what is behind is asked for again.")
            # After `update_cursor`, Dagster accepts no cursor from the evaluation.
            context._cursor = None  # noqa: SLF001
        return super().evaluate_tick(context)


def upstream_sensor(
    name: str,
    asset_key: dg.AssetKey,
    look: Look,
    *,
    landed_as: dg.AssetKey,
    host: str = "",
    pace: Pace = HOURLY,
    default_status: dg.DefaultSensorStatus = dg.DefaultSensorStatus.STOPPED,
    requests: Requests | None = None,
) -> dg.SensorDefinition:
    """Return a sensor that reports what one upstream holds if that changed.

    Args:
        name: Name of the sensor.
        asset_key: The upstream's asset.
        look: Looks at the upstream by way of the resource `upstreams`; `checkpoints`, if runs are asked for.
        landed_as: The asset that lands from it. Nothing is reported during a landing: the landing reports what it
            reads, and its selection may differ from the published one, which the sensor uses.
        host: The host that is asked; while it does not answer, all its upstreams wait. Empty: this one waits alone.
        pace: How often, and for how long, it looks.
        default_status: Whether the sensor runs before the user has started it.
        requests: Returns the runs to ask for, from what a look saw; for an asset of partitions, which the refresh
            condition does not judge. None: no runs. During a landing none are asked for.
    """

    def work(context: dg.SensorEvaluationContext, upstreams: Upstreams) -> dg.SensorResult:
        tick = _Tick(context, asset_key, landed_as, pace)
        memory, now = Memory.of(context), get_current_timestamp()
        if memory.waits(now):
            return tick.away(memory, now)
        wait = hosts.wait_for(context.instance, host, now)
        if wait.not_before > now:
            return tick.away(memory.spared(wait, now), now)
        before = last_reported(context.instance, asset_key)
        try:
            seen = looked(upstreams, look, so_far=memory.listings, budget_s=pace.budget_s)
        except (LandingError, OSError) as error:
            why = scrub(error) or type(error).__name__
            failed = memory.joined(wait).failed(why, now, pace.interval_s)
            if not isinstance(error, LandingError) or error.retryable:  # else it is one file that is wrong
                until = failed.not_before or now + FIRST_SHARE * pace.interval_s
                hosts.keep(context.instance, host, hosts.Wait(until, failed.failures, why))
            return tick.away(failed, now)
        if wait.failures:
            hosts.keep(context.instance, host, hosts.Wait())
        result = tick.answered(memory, seen, before=before)
        if requests is None or not seen.fingerprint or is_landing(context.instance, landed_as):
            return result
        return result._replace(skip_reason=None, run_requests=asked) if (asked := list(requests(seen))) else result

    says = "Asks for no run itself." if requests is None else "Asks for a run of each partition that is behind it."
    decorated = dg.sensor(
        name=name,
        description=f"Reports a change of {asset_key.to_user_string()} upstream. {says}",
        asset_selection=None if requests is None else dg.AssetSelection.assets(landed_as),
        minimum_interval_seconds=pace.interval_s,
        default_status=default_status,
    )
    return decorated(_from_upstreams(work) if requests is None else _from_checkpoints(work))


_Work = Callable[[dg.SensorEvaluationContext, Upstreams], dg.SensorResult]


def _from_upstreams(work: _Work) -> Callable[..., dg.SensorResult]:
    def sense(context: dg.SensorEvaluationContext, upstreams: Upstreams) -> dg.SensorResult:
        return work(context, upstreams)

    return sense


def _from_checkpoints(work: _Work) -> Callable[..., dg.SensorResult]:
    def sense(context: dg.SensorEvaluationContext, checkpoints: Upstreams) -> dg.SensorResult:
        return work(context, checkpoints)

    return sense


@dataclass(frozen=True, slots=True)
class _Tick:
    """One tick of an upstream's sensor."""

    context: dg.SensorEvaluationContext
    upstream: dg.AssetKey
    landed_as: dg.AssetKey
    pace: Pace

    def away(self, memory: Memory, now: float) -> dg.SensorResult:
        """Return that the upstream does not answer, or is not asked yet because it did not; warn once it is late."""
        said = f"{self.upstream.to_user_string()} is away since {memory.since()}: {memory.why}"
        events = []
        if memory.is_late(now, self.pace.warn_after_s) and not memory.told:
            self.context.log.warning(f"{said} ({memory.failures} looks failed; what is landed stays as it is)")
            events = [self._shown(said, passed=False)]
            memory = replace(memory, told=True)
        return dg.SensorResult(skip_reason=said, asset_events=events, cursor=memory.text())

    def answered(self, memory: Memory, seen: "Seen", *, before: str | None) -> dg.SensorResult:
        """Report what the upstream holds, if that is not the last report in the event log.

        Args:
            memory: What was remembered before the look.
            seen: What the look saw.
            before: The last report before the look.
        """
        name, instance = self.upstream.to_user_string(), self.context.instance
        events = [self._shown(f"{name} answers again.", passed=True)] if memory.told else []
        latest = last_reported(instance, self.upstream)
        if not seen.fingerprint:
            objects = sum(listed.objects for listed in seen.listings.values())
            said = f"{objects:,} objects of {name} are listed so far; the next look goes on"
        elif is_landing(instance, self.landed_as):
            said = f"{self.landed_as.to_user_string()} lands and reports itself; the next look after that compares"
        elif latest != before:
            said = "A landing reported meanwhile; the next look compares"
        elif seen.fingerprint == latest:
            said = f"No change: fingerprint {latest}"
        else:
            was, now = changes.last_states(instance, self.upstream), changes.states(seen.files)
            said = f"{name} changed: {changes.in_words(was, now)}"
            reported = report(self.upstream, seen.fingerprint, **changes.entries(was, now))
            return dg.SensorResult(skip_reason=said, asset_events=[reported, *events], cursor=Memory().text())
        return dg.SensorResult(skip_reason=said, asset_events=events, cursor=Memory(listings=seen.listings).text())

    def _shown(self, said: str, *, passed: bool) -> dg.AssetCheckEvaluation:
        check = dg.AssetCheckKey(self.landed_as, LOOKED)
        return evaluation(self.context.instance, check, passed=passed, said=said)
