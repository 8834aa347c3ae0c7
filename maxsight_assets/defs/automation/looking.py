"""One look of a sensor at an upstream: its time limit, and what is remembered between looks.

Only what no event log holds is remembered: since when an upstream is away, when it may be asked again, and how far a
long listing has come.
"""

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg
import msgspec

from maxsight_assets.defs.automation.hosts import Wait
from maxsight_assets.transport.listing import Listed

if TYPE_CHECKING:
    from maxsight_assets.datasets.seen import Seen
    from maxsight_assets.defs.resources import Upstreams

CURSOR_VERSION = 2

LONGEST_WAIT_S = 4 * 3600.0
"""Longest wait between two looks at an upstream that is away: six looks a day find it back within hours."""

LOOK_TRIES = 2
"""Tries of one request of a look: the next look is another try."""

SPARE = 0.2
"""Share of a look's time that is kept for the request under way when the rest is used up."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often, and for how long, a sensor looks.

    Attributes:
        interval_s: Seconds between two looks.
        budget_s: Seconds that a look may take; Dagster ends a tick after 60.
        warn_after_s: Seconds that an upstream may be away before the sensor warns.
    """

    interval_s: int = 3600
    budget_s: float = 30.0
    warn_after_s: float = 3 * 3600.0


@dataclass(frozen=True, slots=True)
class Glance:
    """What one look may use.

    Attributes:
        cancel: Set when the time is over; all traffic then ends.
        so_far: How far listings came at the look before.
        in_time: Returns whether there is time to begin something more.
    """

    cancel: threading.Event
    so_far: Mapping[str, Listed]
    in_time: Callable[[], bool]


Look = Callable[["Upstreams", Glance], "Seen"]
"""Looks at what an upstream holds now. A `LandingError` or `OSError` means that the upstream does not answer."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What a sensor keeps between two ticks.

    Attributes:
        away_since: Time of the first look that failed and of none that succeeded since; 0 if the last look succeeded.
        failures: Number of failed looks since then.
        not_before: When the upstream may be asked again.
        why: Why the last look failed.
        told: Whether the warning was given.
        listings: How far listings have come.
        version: Of this form.
    """

    away_since: float = 0.0
    failures: int = 0
    not_before: float = 0.0
    why: str = ""
    told: bool = False
    listings: Mapping[str, Listed] = field(default_factory=dict)
    version: int = CURSOR_VERSION

    @classmethod
    def of(cls, context: dg.SensorEvaluationContext) -> "Memory":
        """Return what the cursor holds; nothing if it is unreadable or old, because an error would repeat forever."""
        if not context.cursor:
            return cls()
        try:
            memory = msgspec.json.decode(context.cursor, type=cls)
            if memory.version == CURSOR_VERSION:
                return memory
        except msgspec.MsgspecError:
            pass
        context.log.warning("The cursor cannot be read and is begun anew; what was reported is in the event log.")
        return cls()

    def text(self) -> str:
        """Return it as a cursor."""
        return msgspec.json.encode(self).decode()

    def waits(self, now: float) -> bool:
        """Return whether the upstream is not to be asked yet; a clock that was set back does not count."""
        return now < self.not_before <= now + 2 * LONGEST_WAIT_S

    def failed(self, why: str, now: float, interval_s: float) -> "Memory":
        """Return it after one more look that failed: each wait is twice as long, and jittered."""
        wait_s = min(interval_s * 2.0 ** min(self.failures, 30), LONGEST_WAIT_S) * random.uniform(0.75, 1.25)  # noqa: S311
        # The next tick comes after `interval_s`, a moment more or less: the first wait must not swallow it.
        not_before = now + wait_s if self.failures else 0.0
        return replace(
            self, away_since=self.away_since or now, failures=self.failures + 1, not_before=not_before, why=why
        )

    def joined(self, wait: Wait) -> "Memory":
        """Return it with what other upstreams of the host found: how often it failed."""
        return replace(self, failures=max(self.failures, wait.failures))

    def spared(self, wait: Wait, now: float) -> "Memory":
        """Return it after no look, because the host did not answer another upstream of it."""
        return replace(
            self.joined(wait),
            away_since=self.away_since or now,
            not_before=wait.not_before,
            why=self.why or wait.why,
        )

    def is_late(self, now: float, warn_after_s: float) -> bool:
        """Return whether the upstream has been away for longer than is passed over in silence."""
        return bool(self.away_since) and now - self.away_since >= warn_after_s

    def since(self) -> str:
        """Return since when the upstream is away, as text."""
        return datetime.fromtimestamp(self.away_since, UTC).strftime("%Y-%m-%d %H:%M UTC")


def looked(upstreams: "Upstreams", look: Look, *, so_far: Mapping[str, Listed], budget_s: float) -> "Seen":
    """Look, or raise TimeoutError when the time is used up."""
    late = threading.Event()
    enough = time.monotonic() + budget_s * (1 - SPARE)
    glance = Glance(late, so_far, lambda: time.monotonic() < enough)
    outcome: list[Seen | BaseException] = []

    def work() -> None:
        try:
            outcome.append(look(upstreams, glance))
        except BaseException as error:  # noqa: BLE001  # carried over to the sensor's thread
            outcome.append(error)

    thread = threading.Thread(target=work, name="look", daemon=True)
    thread.start()
    thread.join(budget_s)
    if not outcome:
        late.set()
        raise TimeoutError(f"no answer within {budget_s:g} s")
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]
