"""The condition that asks for a refresh: an asset wants a run while it is not made from what its inputs are now.

It is a level, not an edge: what an asset was made from (Dagster records it with each materialization) is compared with
what its dependencies hold now, so nothing is lost while a sensor, the daemon or a run is down, and nothing is asked for
twice. Who reports a change upstream is in `sensors`; what a raw asset says of its upstream is in `inputs`.

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

from maxsight_assets.defs.automation.records import Published, Records
from maxsight_assets.defs.automation.state import STUCK, evaluation


def refresh_condition(*, published: Published, tries: int = 3, backoff_s: float = 300.0) -> "RefreshWhenBehind":
    """Return the condition of every asset that this project makes.

    Args:
        published: Reads what an asset has published.
        tries: Runs that are asked for per change before a person is needed.
        backoff_s: Seconds from the end of a run that did not land to the next ask; doubles with every ask.
    """
    on = dg.AutomationCondition
    ready = (
        PublishedHere(published)
        & (~on.in_progress()).with_label("no run of it is in progress")
        & (~on.any_deps_missing()).with_label("every input is known")
        & (~on.any_deps_in_progress()).with_label("no run of an input is in progress")
        & InputsChecked()
        & InputsReported(published)
    ).with_label("ready")
    return RefreshWhenBehind(ready=ready, tries=tries, backoff_s=backoff_s)


@dataclass(frozen=True)
class RefreshWhenBehind(dg.AutomationCondition[dg.AssetKey]):
    """Asks for a run of an asset that was made from other data than its inputs have now.

    A first landing is never asked for. Nothing is asked for while an ancestor is behind itself, so that no run reads
    half of a change. A refresh that does not land is asked for again, `tries` times in all, with a wait that doubles
    and counts from the end of the failed run; then a warning in the tick's log says so, and nothing more is asked for
    until the inputs change once more or a person's run lands. Where a person cancels a run, asked for or by hand, the
    same goes for it at once.

    Attributes:
        ready: Further conditions; all must hold when a run is asked for.
        tries: Runs that are asked for per change.
        backoff_s: Seconds from the end of a failed run to the next ask, before doubling.
    """

    ready: dg.AutomationCondition[Any]
    tries: int
    backoff_s: float

    @property
    def name(self) -> str:
        """What the Automation tab calls it."""
        return "refresh_when_behind"

    @property
    def description(self) -> str:
        """What the Automation tab says of it."""
        return (
            f"Made from other data than its inputs have now; asked for {self.tries} times, "
            f"{self.backoff_s:g} s or more after a failure"
        )

    @property
    def children(self) -> Sequence[dg.AutomationCondition[Any]]:
        """What the Automation tab shows below this one; each looks only at what the one before passed."""
        return (Behind(), AncestorsSettled(), self.ready, *IDLE)

    async def evaluate(  # type: ignore[override]  # Dagster awaits coroutine functions; its stub names the plain form only
        self, context: dg.AutomationContext[dg.AssetKey]
    ) -> dg.AutomationResult[dg.AssetKey]:
        """Decide for one asset at one tick; the cursor holds the asks made for the present change, nothing else."""
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
        if Asks.has_given_up(before) and not Asks.has_given_up(cursor):
            _show(context, passed=True, said="The refresh goes on.")
        return dg.AutomationResult(context, subset, cursor=cursor, child_results=children)

    def _decide(self, context: dg.AutomationContext[dg.AssetKey]) -> tuple[str | None, tuple["Reason", ...]]:
        """Return the cursor, and what speaks for and against a run now that all conditions hold."""
        # Read again, because a run that `ready` saw as ended may have landed after `Behind` looked.
        records = Records.of(context)
        moved = records.moved(context.key)
        if not moved or records.is_being_judged(context.key):
            return context.cursor, (IDLE[0].unless("one is"), *IDLE[1:])
        asks = Asks.from_cursor(context.cursor, moved)
        now = context.evaluation_time.timestamp()
        cancelled, failed = records.cancelled(context.key, moved), records.failed(context.key)
        wait_s = asks.not_before(failed.at, self.backoff_s, now=now) - now
        after = f" after run {failed.run_id[:8]}" if failed.run_id else " after the last ask"
        reasons = (
            IDLE[0],
            IDLE[1].unless(cancelled and f"run {cancelled[:8]} was; none is asked for until its inputs change"),
            IDLE[2].unless(asks.times >= self.tries and f"gave up after {self.tries}"),
            IDLE[3].unless(wait_s > 0 and f"until {_clock(now + wait_s)}{after}"),
        )
        if all(reason.met for reason in reasons):
            asks = Asks(moved, asks.times + 1, now)
        elif (cancelled or asks.times == self.tries) and not asks.given_up:
            said = self._giving_up(context.key, moved, cancelled=bool(cancelled))
            # context.log is a child logger that does not reach the log of the tick.
            context._root_log.warning(said)  # noqa: SLF001
            _show(context, passed=False, said=said)
            asks = replace(asks, given_up=True)
        return json.dumps(asdict(asks)) if asks.times or asks.given_up else None, reasons

    def _giving_up(self, key: dg.AssetKey, moved: Mapping[str, str], *, cancelled: bool) -> str:
        if cancelled:
            return (
                f"{key.to_user_string()}: a person cancelled its run for new data of {', '.join(sorted(moved))}; "
                "none is asked for until these change once more. To take them now, materialize it by hand; "
                "what is below it waits until then."
            )
        return (
            f"{key.to_user_string()}: {self.tries} refreshes for new data of {', '.join(sorted(moved))} did not land; "
            "no more are asked for. See why the last run failed, then materialize it by hand; "
            "what is below it waits until then."
        )


@dataclass(frozen=True)
class Behind(dg.AutomationCondition[dg.AssetKey]):
    """True while the asset was made from other data versions than its dependencies have now."""

    @property
    def name(self) -> str:
        """What the Automation tab calls it."""
        return "behind"

    def evaluate(self, context: dg.AutomationContext[dg.AssetKey]) -> dg.AutomationResult[dg.AssetKey]:
        """Compare the versions at this moment."""
        return _where(context, lambda records: bool(records.moved(context.key)))


@dataclass(frozen=True)
class AncestorsSettled(dg.AutomationCondition[dg.AssetKey]):
    """False while something above the asset is behind and will be refreshed; what reads it now would read one half."""

    @property
    def name(self) -> str:
        """What the Automation tab calls it."""
        return "ancestors_settled"

    def evaluate(self, context: dg.AutomationContext[dg.AssetKey]) -> dg.AutomationResult[dg.AssetKey]:
        """Compare the versions of all ancestors that have a condition; others move only when a person says so."""
        graph = context.asset_graph
        ancestors = [key for key in graph.get_ancestor_asset_keys(context.key) if graph.get(key).automation_condition]
        return _where(context, lambda records: not any(records.moved(key) for key in ancestors))


@dataclass(frozen=True)
class PublishedHere(dg.AutomationCondition[dg.AssetKey]):
    """True if the asset, and everything of ours that it is made from, is published in this DATA_DIR.

    The event log may be of another DATA_DIR: then nothing was landed here, and a person asks for a first landing.
    """

    published: Published

    @property
    def name(self) -> str:
        """What the Automation tab calls it."""
        return "published in this DATA_DIR, with its inputs"

    def evaluate(self, context: dg.AutomationContext[dg.AssetKey]) -> dg.AutomationResult[dg.AssetKey]:
        """Look at the manifests."""
        graph = context.asset_graph
        keys = [context.key, *(dep for dep in graph.get(context.key).parent_keys if graph.get(dep).is_materializable)]
        return _where(context, lambda _: all(self.published(key) is not None for key in keys))


@dataclass(frozen=True)
class InputsReported(dg.AutomationCondition[dg.AssetKey]):
    """True if what the asset's inputs have published is what the event log says; else a run would not settle anything.

    They differ after a rollback while DAGSTER_HOME was away, say: `maxsight-assets report` reports what is there.
    """

    published: Published

    @property
    def name(self) -> str:
        """What the Automation tab calls it."""
        return "inputs on the disk are those of the event log (else: maxsight-assets report)"

    def evaluate(self, context: dg.AutomationContext[dg.AssetKey]) -> dg.AutomationResult[dg.AssetKey]:
        """Compare the manifests with the event log."""
        graph = context.asset_graph
        ours = [dep for dep in graph.get(context.key).parent_keys if graph.get(dep).is_materializable]
        return _where(context, lambda records: all(records.version(key) == self.published(key) for key in ours))


@dataclass(frozen=True)
class InputsChecked(dg.AutomationCondition[dg.AssetKey]):
    """True where what the asset's inputs hold now passed their blocking checks.

    Dagster's own `all_deps_blocking_checks_passed` is false too after a run that failed, or was cancelled, before it
    landed or judged anything: one such run would hold all that is below for ever, without a word.
    """

    @property
    def name(self) -> str:
        """What the Automation tab calls it."""
        return "inputs_checked"

    def evaluate(self, context: dg.AutomationContext[dg.AssetKey]) -> dg.AutomationResult[dg.AssetKey]:
        """Look up the latest verdict of every blocking check of every input."""
        graph = context.asset_graph
        checks = [check for dep in graph.get(context.key).parent_keys for check in graph.get(dep).check_keys]
        blocking = [check for check in checks if graph.get(check).blocking]
        return _where(context, lambda records: all(records.passed(check) for check in blocking))


@dataclass(frozen=True)
class Reason(dg.AutomationCondition[dg.AssetKey]):
    """One thing that a run may have to wait for when all else is ready; its label says why, as long as it does.

    Attributes:
        label: What must hold.
        why_not: Why it does not; empty if it does.
    """

    label: str
    why_not: str = ""

    @property
    def met(self) -> bool:
        """Whether it holds."""
        return not self.why_not

    def unless(self, why_not: object) -> "Reason":
        """Return this one, not met if there is a reason why."""
        return replace(self, why_not=why_not) if isinstance(why_not, str) else self

    @property
    def name(self) -> str:
        """What the Automation tab calls it."""
        return self.label

    @property
    def description(self) -> str:
        """What the Automation tab says of it; an evaluation is stored when this changes."""
        return self.why_not or self.label

    def get_label(self) -> str:
        """What the Automation tab shows."""
        return f"{self.label} ({self.why_not})" if self.why_not else self.label

    def evaluate(self, context: dg.AutomationContext[dg.AssetKey]) -> dg.AutomationResult[dg.AssetKey]:
        """Pass the asset on if this holds."""
        return dg.AutomationResult(context, context.candidate_subset if self.met else context.get_empty_subset())


IDLE = (
    Reason("no run that lands or judges it is at work"),
    Reason("its run was not cancelled by a person"),
    Reason("tries are left"),
    Reason("no wait is left"),
)
"""The last conditions, in the order in which they are looked at."""


def _clock(at: float) -> str:
    """A time of day for a person, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M UTC")


def _show(context: dg.AutomationContext[dg.AssetKey], *, passed: bool, said: str) -> None:
    """Report the state of the refresh for the asset's page."""
    instance = context.asset_graph_view.instance
    instance.report_runless_asset_event(
        evaluation(instance, dg.AssetCheckKey(context.key, STUCK), passed=passed, said=said)
    )


def _where(
    context: dg.AutomationContext[dg.AssetKey], holds: Callable[[Records], bool]
) -> dg.AutomationResult[dg.AssetKey]:
    """The asset where it is a candidate still and `holds`; the event log is read only then."""
    true = not context.candidate_subset.is_empty and holds(Records.of(context))
    return dg.AutomationResult(context, context.candidate_subset if true else context.get_empty_subset())


@dataclass(frozen=True, slots=True)
class Asks:
    """The runs asked for so far because of one change.

    Attributes:
        moved: The inputs that moved and the data versions that they have now; another value is another change.
        times: Number of asks.
        at: When the last one was made, seconds since the epoch; 0 where none was.
        given_up: Whether the log says already that no more follow.
    """

    moved: Mapping[str, str]
    times: int = 0
    at: float = 0.0
    given_up: bool = False

    @classmethod
    def from_cursor(cls, cursor: str | None, moved: Mapping[str, str]) -> "Asks":
        """Take up the count for `moved`; begin at none where the cursor is lost, unreadable or of another change."""
        try:
            asks = msgspec.json.decode(cursor, type=cls) if cursor else cls(moved)
        except msgspec.MsgspecError:
            return cls(moved)
        return asks if asks.moved == moved else cls(moved)

    @staticmethod
    def has_given_up(cursor: str | None) -> bool:
        """Whether a cursor says that no more follow."""
        try:
            return bool(cursor) and msgspec.json.decode(cursor or "", type=Asks).given_up
        except msgspec.MsgspecError:
            return False

    def not_before(self, failed_at: float, backoff_s: float, *, now: float) -> float:
        """When the next ask may be made, seconds since the epoch.

        A new change too waits once after a run that failed: an upstream that says something else at every look would
        otherwise be asked for at every tick. A time that is still to come is of a clock that has been set back since.
        """
        since = min(max(self.at, failed_at), now)
        return since + backoff_s * 2.0 ** max(self.times - 1, 0) if since else 0.0
