"""A cause of an alert, under a name that stays the same while it lasts, and the notes that ended runs leave of causes.

A note is a value under a key of its own in Dagster's storage of runs. So the sensors that write notes and the sensor
that reads them never overwrite each other's work, on SQLite as on PostgreSQL.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import dagster as dg
import msgspec

from maxsight_assets.transport.redact import scrub

PREFIX = "maxsight_assets/alerts/"

MAX_CHARACTERS = 500
"""Longest text of a cause; a channel is no place for a traceback."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Something that needs the user.

    Attributes:
        text: What failed, why, and what to do about it, on one line.
        page: Path of the page of Dagster's UI that shows it.
    """

    text: str
    page: str = ""

    @classmethod
    def of(cls, text: str, page: str) -> "Cause":
        """Return a cause with a text of one line, of a bounded length and without secrets."""
        line = " ".join(scrub(text).split())
        return cls(line if len(line) <= MAX_CHARACTERS else f"{line[:MAX_CHARACTERS]}...", page)


@dataclass(frozen=True, slots=True)
class Note:
    """How a step or a check ended in the latest run that had it.

    Attributes:
        at: When that run ended, in seconds since the epoch.
        passed: Whether it ended well.
        cause: What to alert of; None if it passed, or if it had failed before and is no news.
    """

    at: float
    passed: bool
    cause: Cause | None = None


def read(instance: dg.DagsterInstance, names: Iterable[str]) -> dict[str, Note]:
    """Return the notes under these names; an unreadable one counts as missing."""
    found = instance.daemon_cursor_storage.get_cursor_values({PREFIX + name for name in names})
    notes: dict[str, Note] = {}
    for key, value in sorted(found.items()):
        try:
            notes[key.removeprefix(PREFIX)] = msgspec.json.decode(value, type=Note)
        except msgspec.MsgspecError:
            continue
    return notes


def write(instance: dg.DagsterInstance, notes: Mapping[str, Note]) -> None:
    """Keep notes, each in place of the one under its name."""
    if notes:
        values = {PREFIX + name: msgspec.json.encode(note).decode() for name, note in notes.items()}
        instance.daemon_cursor_storage.set_cursor_values(values)
