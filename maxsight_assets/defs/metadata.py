"""What the asset pages, the checks and the logs show: numbers, small tables, pictures.

Text that came from upstream (file names, class names) is shown as text, never as markdown or as a link.
"""

import base64
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    import polars as pl

    from maxsight_assets.sources.raw import Version
    from maxsight_assets.verification.verdict import Verdict

Metadata = dict[str, dg.MetadataValue]  # type: ignore[type-arg]

MAX_PICTURE_BYTES = 140_000
"""Base64 of a picture of this size stays below 200 kB, which the UI still shows quickly."""


def of_verdict(verdict: "Verdict", description: str) -> Metadata:
    """How many records a rule looked at, who offends and what to do."""
    shown: Metadata = {
        "what holds": dg.MetadataValue.text(description),
        "checked": dg.MetadataValue.int(verdict.checked),
        "offenders": dg.MetadataValue.int(verdict.offenders),
    }
    if verdict.examples:
        shown["first offenders"] = dg.MetadataValue.text("\n".join(verdict.examples))
    if verdict.remedy:
        shown["remedy"] = dg.MetadataValue.text(verdict.remedy)
    if verdict.facts:
        shown["facts"] = table(("name", "value"), sorted(verdict.facts.items()))
    return shown


def of_version(version: "Version", target: str) -> Metadata:
    """What one landing of a raw dataset came to."""
    info, tally = version.manifest.info, version.tally
    images = sum(1 for row in version.manifest.selected() if row.width is not None)
    levels: dict[str, int] = {}
    for row in version.manifest.selected():
        levels[row.level] = levels.get(row.level, 0) + 1
    return {
        "dagster/row_count": dg.MetadataValue.int(images),
        "path": dg.MetadataValue.path(target),
        "files": dg.MetadataValue.int(info.files),
        "bytes": dg.MetadataValue.int(info.bytes),
        "images": dg.MetadataValue.int(images),
        "fetched files": dg.MetadataValue.int(tally.fetched_files),
        "fetched bytes": dg.MetadataValue.int(tally.fetched_bytes),
        "reused files": dg.MetadataValue.int(tally.reused_files),
        "seconds": dg.MetadataValue.float(round(version.seconds, 3)),
        "MB per second": dg.MetadataValue.float(round(tally.fetched_bytes / 1e6 / max(version.seconds, 1e-3), 2)),
        "how verified": table(("level", "files"), sorted(levels.items())),
        "selection": dg.MetadataValue.json(dict(info.selection)),
        "not served by upstream": dg.MetadataValue.text("\n".join(sorted(tally.missing)[:10]) or "none"),
    }


def table(columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> dg.TableMetadataValue:
    """A small table; every value is a number or plain text."""
    records = [
        dg.TableRecord({name: value if isinstance(value, int | float) else str(value) for name, value in pairs})
        for pairs in (zip(columns, row, strict=True) for row in rows)
    ]
    schema = dg.TableSchema(columns=[dg.TableColumn(name, _type(records, name)) for name in columns])
    return dg.MetadataValue.table(records, schema)


def frame(rows: "pl.DataFrame") -> dg.TableMetadataValue:
    """A small Polars frame as a table."""
    return table(tuple(rows.columns), rows.iter_rows())


def picture(jpeg: bytes, *, title: str) -> dg.MarkdownMetadataValue:
    """A picture that the UI shows behind "Show Markdown".

    Args:
        jpeg: The encoded picture, at most `MAX_PICTURE_BYTES` bytes.
        title: Our own words, never text from upstream.
    """
    if len(jpeg) > MAX_PICTURE_BYTES:
        return dg.MetadataValue.md(f"{title}: {len(jpeg):,} bytes are too many to show here")
    return dg.MetadataValue.md(f"![{title}](data:image/jpeg;base64,{base64.b64encode(jpeg).decode()})")


def _type(records: list[dg.TableRecord], name: str) -> str:
    values: list[Mapping[str, Any]] = [record.data for record in records]
    if values and all(isinstance(value[name], int) for value in values):
        return "int"
    return "float" if values and all(isinstance(value[name], int | float) for value in values) else "string"
