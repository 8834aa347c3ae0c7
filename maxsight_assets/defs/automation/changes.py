"""State what changed upstream file by file: what it was at the last report, and what it is now.

The last report in the event log holds the files of that time, so no second memory can disagree with it.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import dagster as dg

from maxsight_assets.defs import metadata
from maxsight_assets.errors import some

if TYPE_CHECKING:
    from maxsight_assets.remote import Probe

FILES, CHANGED = "files", "what changed"
"""Entries on the page of an upstream asset."""

COLUMNS = ("file", "bytes", "last modified", "etag")

SHOWN = 200
"""Characters of one value that upstream states; an ETag has some 40."""

State = tuple[str, ...]
"""What upstream stated about a file: bytes, Last-Modified and ETag, as text; empty text if it stated none."""


def states(files: "Mapping[str, Probe]") -> dict[str, State]:
    """Return what upstream states about each file."""
    return {
        key: tuple(
            "" if value is None else str(value)[:SHOWN] for value in (probe.bytes, probe.last_modified, probe.etag)
        )
        for key, probe in sorted(files.items())
    }


def last_states(instance: dg.DagsterInstance, upstream: dg.AssetKey) -> dict[str, State]:
    """Return what the last report of an upstream holds of each file; empty if it names none."""
    entry = instance.get_latest_materialization_event(upstream)
    reported = entry.asset_materialization if entry else None
    table = reported.metadata.get(FILES) if reported else None
    if not isinstance(table, dg.TableMetadataValue):
        return {}
    rows = [[str(record.data.get(name, "")) for name in COLUMNS] for record in table.records]
    return {key: tuple(state) for key, *state in rows}


def differences(before: Mapping[str, State], now: Mapping[str, State]) -> list[tuple[str, str, str]]:
    """Return each file that differs, with what it was and what it is now; none if nothing was known before."""
    keys = sorted(before.keys() | now.keys()) if before else []
    return [(key, _text(before.get(key)), _text(now.get(key))) for key in keys if before.get(key) != now.get(key)]


def entries(before: Mapping[str, State], now: Mapping[str, State]) -> metadata.Metadata:
    """Return the entries of a report: the files, and which of them differ from the last report."""
    if not now:
        return {}
    changed = differences(before, now)
    shown: metadata.Metadata = {FILES: metadata.table(COLUMNS, ((key, *state) for key, state in now.items()))}
    return {**shown, CHANGED: metadata.table(("file", "before", "now"), changed)} if changed else shown


def in_words(before: Mapping[str, State], now: Mapping[str, State]) -> str:
    """Return the differences as one line."""
    changed = [f"{key}: {was} -> {new}" for key, was, new in differences(before, now)]
    return some(changed) if changed else "the files were not known before"


def _text(state: State | None) -> str:
    if state is None:
        return "not there"
    size, *rest = state
    return ", ".join(filter(None, [f"{int(size):,} bytes" if size.isdigit() else "", *rest])) or "nothing stated"
