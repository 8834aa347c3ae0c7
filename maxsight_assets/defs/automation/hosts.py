"""The back-off that all upstreams of one host share: while it does not answer one of them, no other asks it either.

Each sensor has a cursor of its own. So the wait is a value under the host's name in Dagster's storage of runs.
"""

from dataclasses import dataclass

import dagster as dg
import msgspec

PREFIX = "maxsight_assets/hosts/"

KEPT_S = 12 * 3600.0
"""Time after a wait is over during which failures still count; by then each upstream has been asked once more."""


@dataclass(frozen=True, slots=True)
class Wait:
    """That a host does not answer.

    Attributes:
        not_before: When it may be asked again, in seconds since the epoch; 0 once it has answered.
        failures: Number of looks at it that failed, one after the other.
        why: Why the last one failed.
    """

    not_before: float = 0.0
    failures: int = 0
    why: str = ""


def wait_for(instance: dg.DagsterInstance, host: str, now: float) -> Wait:
    """Return the wait for a host; an old or unreadable one counts as none, and so does one of no host."""
    key = PREFIX + host
    value = instance.daemon_cursor_storage.get_cursor_values({key}).get(key) if host else None
    try:
        wait = msgspec.json.decode(value, type=Wait) if value else Wait()
    except msgspec.MsgspecError:
        return Wait()
    # A clock that was set back must not silence a host for longer than a wait.
    return wait if now - KEPT_S < wait.not_before < now + KEPT_S else Wait()


def keep(instance: dg.DagsterInstance, host: str, wait: Wait) -> None:
    """Keep the wait for a host."""
    if host:
        instance.daemon_cursor_storage.set_cursor_values({PREFIX + host: msgspec.json.encode(wait).decode()})
