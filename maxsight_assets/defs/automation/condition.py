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
from typing import Any

import dagster as dg
import msgspec

from maxsight_assets.defs.automation.records import Records


def refresh_condition(*, tries: int = 3, backoff_s: float = 300.0) -> "RefreshWhenBehind":
    """The condition of every asset that this project makes.

    Args:
        tries: Runs that are asked for per change before a person is needed.
        backoff_s: Seconds from the end of a run that did not land to the next ask; doubles with every ask.
    """
    on = dg.AutomationCondition
    ready = (
        ~on.missing() & ~on.in_progress() & ~on.any_deps_missing() & ~on.any_deps_in_progress() & InputsChecked()
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
        return (Behind(), AncestorsSettled(), self.ready)

    async def evaluate(  # type: ignore[override]  # Dagster awaits coroutine functions; its stub names the plain form only
        self, context: dg.AutomationContext[dg.AssetKey]
    ) -> dg.AutomationResult[dg.AssetKey]:
        """Decide for one asset at one tick; the cursor holds the asks made for the present change, nothing else."""
        subset, children = context.candidate_subset, []
        for index, child in enumerate(self.children):
            part = context.for_child_condition(child, child_indices=[index], candidate_subset=subset)
            children.append(await part.evaluate_async())
            subset = children[-1].true_subset
        ask, cursor = False, None if children[0].true_subset.is_empty else context.cursor
        if not subset.is_empty:
            ask, cursor = self._decide(context)
        return dg.AutomationResult(
            context, subset if ask else context.get_empty_subset(), cursor=cursor, child_results=children
        )

    def _decide(self, context: dg.AutomationContext[dg.AssetKey]) -> tuple[bool, str | None]:
        """Whether to ask now that all conditions hold, and the cursor."""
        # Read again, because a run that `ready` saw as ended may have landed after `Behind` looked.
        records = Records.of(context)
        if records.is_being_judged(context.key):
            return False, context.cursor
        moved = records.moved(context.key)
        asks = Asks.from_cursor(context.cursor, moved)
        now = context.evaluation_time.timestamp()
        cancelled = records.is_cancelled(context.key, moved)
        ask = bool(moved) and asks.times < self.tries and not cancelled
        ask = ask and now >= asks.not_before(records.failed_at(context.key), self.backoff_s, now=now)
        if ask:
            asks = Asks(moved, asks.times + 1, now)
        elif (cancelled or asks.times == self.tries) and not asks.given_up:
            # context.log is a child logger that does not reach the log of the tick.
            context._root_log.warning(self._giving_up(context.key, moved, cancelled=cancelled))  # noqa: SLF001
            asks = replace(asks, given_up=True)
        return ask, json.dumps(asdict(asks)) if asks.times or asks.given_up else None

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

    def not_before(self, failed_at: float, backoff_s: float, *, now: float) -> float:
        """When the next ask may be made, seconds since the epoch.

        A new change too waits once after a run that failed: an upstream that says something else at every look would
        otherwise be asked for at every tick. A time that is still to come is of a clock that has been set back since.
        """
        since = min(max(self.at, failed_at), now)
        return since + backoff_s * 2.0 ** max(self.times - 1, 0) if since else 0.0
