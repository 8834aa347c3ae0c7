"""The condition that requests a refresh: an asset needs a run while it is not made from what its inputs hold now.

It is a level, not an edge: it compares what an asset was made from (Dagster records it with each materialization) with
what its dependencies hold now. So nothing is lost while a sensor, the daemon or a run is down, and nothing is requested
twice. `sensors` reports a change upstream; `inputs` reports what a raw asset reads.

It is a custom condition, which Dagster evaluates only under a sensor with `use_user_code_server` (that of `sensors`). A
plain sensor returning run requests could compute the same level; a condition shows its reasons on the asset's
Automation tab, which is worth the one private name used here (`_root_log`, guarded by a test with the real daemon).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import msgspec

from maxsight_assets.defs.automation.records import LOOKED, STUCK, Published, Records
from maxsight_assets.defs.automation.state import evaluation, is_silence, silence


def refresh_condition(
    *,
    published: Published,
    sensor_of: Callable[[dg.AssetKey], str | None] = lambda _: None,
    tries: int = 3,
    backoff_s: float = 300.0,
) -> "RefreshWhenBehind":
    """Return the condition of every asset that this project makes.

    Args:
        published: Reads what an asset has published.
        sensor_of: Returns the name of the sensor that looks at an asset's upstream; None if it has none.
        tries: Number of runs that are requested per change before the user is needed.
        backoff_s: Seconds from the end of a run that did not land to the next request; doubles with every request.
    """
    on = dg.AutomationCondition
    ready = (
        PublishedHere(published)
        & (~on.in_progress()).with_label("no run of it is in progress")
        & (~on.any_deps_in_progress()).with_label("no run of an input is in progress")
        & InputsChecked()
        & InputsReported(published)
    ).with_label("ready")
    return RefreshWhenBehind(ready=ready, sensor_of=sensor_of, tries=tries, backoff_s=backoff_s)


@dataclass(frozen=True)
class RefreshWhenBehind(dg.AutomationCondition[dg.AssetKey]):
    """Requests a run of an asset that was made from other data than its inputs have now.

    A first landing is never requested. Nothing is requested while an ancestor is itself behind, so that no run reads
    half of a change. A refresh that does not land is requested again, `tries` times in all, with a wait that doubles
    and counts from the end of the failed run. Then the tick's log warns, and nothing is requested until the inputs
    change again or a run that the user started lands. If the user cancels a run, whoever started it, requests stop at
    once in the same way.

    Attributes:
        ready: Further conditions; all must hold when a run is requested.
        sensor_of: Returns the name of the sensor that looks at an asset's upstream, if any.
        tries: Number of runs that are requested per change.
        backoff_s: Seconds from the end of a failed run to the next request, before doubling.
    """

    ready: dg.AutomationCondition[Any]
    sensor_of: Callable[[dg.AssetKey], str | None]
    tries: int
    backoff_s: float

    @property
    def name(self) -> str:
        """Return its name on the Automation tab."""
        return "refresh_when_behind"

    @property
    def description(self) -> str:
        """Return its text on the Automation tab."""
        return (
            f"Made from other data than its inputs have now; asked for {self.tries} times, "
            f"{self.backoff_s:g} s or more after a failure"
        )

    @property
    def children(self) -> Sequence[dg.AutomationCondition[Any]]:
        """Return the conditions below this one on the Automation tab; each sees only what the one before it passed.

        The last one holds nothing back: it states that the upstream is away, or that no sensor looks at it.
        """
        return (Behind(), AncestorsSettled(), self.ready, *IDLE, WATCHED)

    async def evaluate(  # type: ignore[override]  # Dagster awaits coroutine functions; its stub names the plain form only
        self, context: dg.AutomationContext[dg.AssetKey]
    ) -> dg.AutomationResult[dg.AssetKey]:
        """Decide for one asset at one tick; the cursor holds only the requests made for the present change."""
        subset, children = context.candidate_subset, []
        for index, child in enumerate((Behind(), AncestorsSettled(), self.ready)):
            part = context.for_child_condition(child, child_indices=[index], candidate_subset=subset)
            children.append(await part.evaluate_async())
            subset = children[-1].true_subset
        before = cursor = context.cursor
        if children[0].true_subset.is_empty:
            cursor = None
        reasons: tuple[Reason, ...] = IDLE
        if not subset.is_empty:
            cursor, reasons = self._decide(context)
        for index, reason in enumerate(reasons, start=len(children)):
            part = context.for_child_condition(reason, child_indices=[index], candidate_subset=subset)
            children.append(reason.evaluate(part))
            subset = children[-1].true_subset
        if Asks.is_stuck(before) and not Asks.is_stuck(cursor):
            _show(context, STUCK, passed=True, said="The refresh goes on.")
        watched = self._watched(context)
        children.append(
            watched.evaluate(context.for_child_condition(watched, [len(children)], context.candidate_subset))
        )
        return dg.AutomationResult(context, subset, cursor=cursor, child_results=children)

    def _decide(self, context: dg.AutomationContext[dg.AssetKey]) -> tuple[str | None, tuple["Reason", ...]]:
        """Return the cursor, and the reasons for and against a run now that all conditions hold."""
        # Read again, because a run that `ready` saw as ended may have landed after `Behind` looked.
        records = Records.of(context)
        moved = records.moved(context.key)
        if not moved or records.is_being_judged(context.key):
            return context.cursor, (IDLE[0].unless("one is"), *IDLE[1:])
        asks = Asks.from_cursor(context.cursor, moved)
        now = context.evaluation_time.timestamp()
        cancelled, failed = records.cancelled(context.key, moved, asked_at=asks.at), records.failed(context.key)
        wait_s = asks.not_before(failed.at, self.backoff_s, now=now) - now
        after = f" after run {failed.run_id[:8]}" if failed.run_id else " after the last ask"
        waits = f"until {_clock(now + wait_s)}{after}"
        reasons = (
            IDLE[0],
            IDLE[1].unless(cancelled and f"run {cancelled[:8]} was; none is asked for until its inputs change"),
            IDLE[2].unless(asks.times >= self.tries and f"gave up after {self.tries}"),
            IDLE[3].unless(wait_s > 0 and waits),
        )
        stuck = ""
        if all(reason.met for reason in reasons):
            asks = replace(asks, times=asks.times + 1, at=now)
        elif cancelled or asks.times >= self.tries:
            stuck = self._giving_up(context.key, moved, cancelled=bool(cancelled))
            if not asks.given_up:
                # context.log is a child logger that does not reach the log of the tick.
                context._root_log.warning(stuck)  # noqa: SLF001
            asks = replace(asks, given_up=True)
        else:
            stuck = f"{context.key.to_user_string()}: its refresh waits {waits}."
        if stuck and stuck != asks.stuck:
            _show(context, STUCK, passed=False, said=stuck)
            asks = replace(asks, stuck=stuck)
        return json.dumps(asdict(asks)) if asks != Asks(moved) else None, reasons

    def _watched(self, context: dg.AutomationContext[dg.AssetKey]) -> "Reason":
        """Return whether the asset's upstream is looked at, and answers; show it on the asset's page if it changed."""
        sensor = self.sensor_of(context.key)
        if sensor is None:
            return WATCHED
        instance, check = context.asset_graph_view.instance, dg.AssetCheckKey(context.key, LOOKED)
        records = Records.at_tick(context)
        latest = records.latest.get(check)
        said = latest.evaluation if latest else None
        wrong, shown = (
            silence(instance, sensor, records.sensors),
            said.description if said and not said.passed else None,
        )
        if wrong and wrong != shown:
            _show(context, LOOKED, passed=False, said=wrong)
        elif not wrong and is_silence(shown, sensor):
            _show(context, LOOKED, passed=True, said=f"The sensor {sensor} looks again.")
            shown = None
        return WATCHED.unless(wrong or shown)

    def _giving_up(self, key: dg.AssetKey, moved: Mapping[str, str], *, cancelled: bool) -> str:
        if cancelled:
            return (
                f"{key.to_user_string()}: a user cancelled its run, due because of {', '.join(sorted(moved))}; "
                "none is asked for until these change once more. To take them now, materialize it by hand; "
                "what is below it waits until then."
            )
        return (
            f"{key.to_user_string()}: {self.tries} refreshes because of {', '.join(sorted(moved))} did not land; "
            "no more are asked for. See why the last run failed, then materialize it by hand; "
            "what is below it waits until then."
        )


@dataclass(frozen=True)
class Behind(dg.AutomationCondition[dg.AssetKey]):
    """True while the asset was made from other data versions than its dependencies have now."""

    @property
    def name(self) -> str:
        """Return its name on the Automation tab."""
        return "behind"

    def evaluate(self, context: dg.AutomationContext[dg.AssetKey]) -> dg.AutomationResult[dg.AssetKey]:
        """Compare the versions at this moment."""
        return _where(context, lambda records: bool(records.moved(context.key)), read=Records.at_tick)


@dataclass(frozen=True)
class AncestorsSettled(dg.AutomationCondition[dg.AssetKey]):
    """False while an ancestor is behind and will be refreshed; a run would read half of a change."""

    @property
    def name(self) -> str:
        """Return its name on the Automation tab."""
        return "ancestors_settled"

    def evaluate(self, context: dg.AutomationContext[dg.AssetKey]) -> dg.AutomationResult[dg.AssetKey]:
        """Compare the versions of all ancestors that have a condition; others change only when the user runs them."""
        graph = context.asset_graph
        ancestors = [key for key in graph.get_ancestor_asset_keys(context.key) if graph.get(key).automation_condition]
        return _where(context, lambda records: not any(records.moved(key) for key in ancestors), read=Records.at_tick)


@dataclass(frozen=True)
class PublishedHere(dg.AutomationCondition[dg.AssetKey]):
    """True if the asset is published in this DATA_DIR.

    The event log may belong to another DATA_DIR. Then nothing was landed here, and the user starts a first landing.
    An input may be missing: evaluation sets and splits are also made without a dataset that could not be had.
    """

    published: Published

    @property
    def name(self) -> str:
        """Return its name on the Automation tab."""
        return "published in this DATA_DIR"

    def evaluate(self, context: dg.AutomationContext[dg.AssetKey]) -> dg.AutomationResult[dg.AssetKey]:
        """Look at the manifest."""
        return _where(context, lambda _: self.published(context.key) is not None)


@dataclass(frozen=True)
class InputsReported(dg.AutomationCondition[dg.AssetKey]):
    """True if the event log has the version that each input has published; otherwise a run would settle nothing.

    They differ, for instance, after a rollback without DAGSTER_HOME. `maxsight-assets report` brings the log up to
    date.
    """

    published: Published

    @property
    def name(self) -> str:
        """Return its name on the Automation tab."""
        return "inputs on the disk are those of the event log (else: maxsight-assets report)"

    def evaluate(self, context: dg.AutomationContext[dg.AssetKey]) -> dg.AutomationResult[dg.AssetKey]:
        """Compare the manifests with the event log."""
        graph = context.asset_graph
        ours = [dep for dep in graph.get(context.key).parent_keys if graph.get(dep).is_materializable]
        return _where(context, lambda records: all(records.version(key) == self.published(key) for key in ours))


@dataclass(frozen=True)
class InputsChecked(dg.AutomationCondition[dg.AssetKey]):
    """True if what the asset's inputs hold now passed their blocking checks.

    Dagster's own `all_deps_blocking_checks_passed` is also false after a run that failed, or was cancelled, before it
    landed or judged anything. One such run would block all descendants forever, without a message.
    """

    @property
    def name(self) -> str:
        """Return its name on the Automation tab."""
        return "inputs_checked"

    def evaluate(self, context: dg.AutomationContext[dg.AssetKey]) -> dg.AutomationResult[dg.AssetKey]:
        """Look up the latest verdict of every blocking check of every input."""
        graph = context.asset_graph
        checks = [check for dep in graph.get(context.key).parent_keys for check in graph.get(dep).check_keys]
        blocking = [check for check in checks if graph.get(check).blocking]

        def hold(records: Records) -> bool:
            landed = [check for check in blocking if records.version(check.asset_key) is not None]
            return all(records.passed(check) for check in landed)

        return _where(context, hold)


@dataclass(frozen=True)
class Reason(dg.AutomationCondition[dg.AssetKey]):
    """One thing that a run may have to wait for when all else is ready; while it waits, the label states why.

    Attributes:
        label: What must hold.
        why_not: Why it does not hold; empty if it does.
    """

    label: str
    why_not: str = ""

    @property
    def met(self) -> bool:
        """Return whether it holds."""
        return not self.why_not

    def unless(self, why_not: object) -> "Reason":
        """Return this reason, not met if `why_not` states a cause."""
        return replace(self, why_not=why_not) if isinstance(why_not, str) else self

    @property
    def name(self) -> str:
        """Return its name on the Automation tab."""
        return self.label

    @property
    def description(self) -> str:
        """Return its text on the Automation tab; an evaluation is stored when this text changes."""
        return self.why_not or self.label

    def get_label(self) -> str:
        """Return the label on the Automation tab."""
        return f"{self.label} ({self.why_not})" if self.why_not else self.label

    def evaluate(self, context: dg.AutomationContext[dg.AssetKey]) -> dg.AutomationResult[dg.AssetKey]:
        """Pass the asset on if this holds."""
        return dg.AutomationResult(context, context.candidate_subset if self.met else context.get_empty_subset())


WATCHED = Reason("its upstream answers, and a sensor looks at it")

IDLE = (
    Reason("no run that lands or judges it is at work"),
    Reason("its run was not cancelled by a user"),
    Reason("tries are left"),
    Reason("no wait is left"),
)
"""The last conditions, in the order in which they are looked at."""


def _clock(at: float) -> str:
    """Return a time of day as text for the user, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M UTC")


def _show(context: dg.AutomationContext[dg.AssetKey], check: str, *, passed: bool, said: str) -> None:
    """Report the state of the refresh for the asset's page."""
    instance = context.asset_graph_view.instance
    instance.report_runless_asset_event(
        evaluation(instance, dg.AssetCheckKey(context.key, check), passed=passed, said=said)
    )


def _where(
    context: dg.AutomationContext[dg.AssetKey],
    holds: Callable[[Records], bool],
    *,
    read: Callable[[dg.AutomationContext[dg.AssetKey]], Records] = Records.of,
) -> dg.AutomationResult[dg.AssetKey]:
    """Pass the asset on if it is still a candidate and `holds`; only a candidate's event log is read."""
    true = not context.candidate_subset.is_empty and holds(read(context))
    return dg.AutomationResult(context, context.candidate_subset if true else context.get_empty_subset())


@dataclass(frozen=True, slots=True)
class Asks:
    """The runs requested so far because of one change.

    Attributes:
        moved: The inputs that moved, with their present data versions; another value is another change.
        times: Number of requests.
        at: Time of the last request, in seconds since the epoch; 0 if there was none.
        given_up: Whether the log already states that no more follow.
        stuck: What the asset's page states of it; empty if it states nothing.
    """

    moved: Mapping[str, str]
    times: int = 0
    at: float = 0.0
    given_up: bool = False
    stuck: str = ""

    @classmethod
    def from_cursor(cls, cursor: str | None, moved: Mapping[str, str]) -> "Asks":
        """Return the count for `moved`; it starts at none if the cursor is lost, unreadable or of another change."""
        try:
            asks = msgspec.json.decode(cursor, type=cls) if cursor else cls(moved)
        except msgspec.MsgspecError:
            return cls(moved)
        return asks if asks.moved == moved else cls(moved)

    @staticmethod
    def is_stuck(cursor: str | None) -> bool:
        """Return whether a cursor states that the asset's page shows a refresh that waits, or was given up."""
        try:
            asks = msgspec.json.decode(cursor, type=Asks) if cursor else None
        except msgspec.MsgspecError:
            return False
        return asks is not None and (asks.given_up or bool(asks.stuck))

    def not_before(self, failed_at: float, backoff_s: float, *, now: float) -> float:
        """Return when the next request may be made, in seconds since the epoch.

        A new change also waits once after a failed run. Otherwise an upstream with another fingerprint at every probe
        would cause a request at every tick. A time in the future comes from a clock that has since been set back.
        """
        since = min(max(self.at, failed_at), now)
        return since + backoff_s * 2.0 ** max(self.times - 1, 0) if since else 0.0
