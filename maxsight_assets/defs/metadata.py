"""Make what the asset pages, the checks and the logs show: numbers, small tables, pictures.

Text from upstream (file names, class names) is shown as plain text, never as Markdown or as a link.
"""

import base64
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from maxsight_assets.checkpoints.sync import Synced
    from maxsight_assets.pipeline.derived import Made
    from maxsight_assets.pipeline.inspection import Told
    from maxsight_assets.pipeline.overview import Overview
    from maxsight_assets.pipeline.raw import Version
    from maxsight_assets.places import Places
    from maxsight_assets.publishing.manifest import Manifest
    from maxsight_assets.verdict import Verdict

Metadata = dict[str, dg.MetadataValue]

SPLIT_COUNTS = ("images", "boxes", "crowds", "images_above_10_boxes", "boxes_beyond_10")
"""Counts in the report that the page shows for each split."""

CHART_ROWS = 20
"""Largest number of bars of a chart; the table beside it has all rows."""

TABLE_ROWS = 20
"""Largest number of rows of what changed; `maxsight-assets diff` has all."""

MAX_PICTURE_BYTES = 140_000
"""Largest picture: its Base64 stays below 200 kB, which the UI still shows quickly."""


def of_verdict(verdict: "Verdict") -> Metadata:
    """Return how many records a rule looked at, which of them break it, and what to do."""
    shown: Metadata = {
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


def of_overview(seen: "Overview") -> Metadata:
    """Return the content of a raw dataset, in a few tables and pictures."""
    from maxsight_assets.formats.tables import BOXES, IMAGES
    from maxsight_assets.images.preview import bar_chart

    return {
        "splits": table(("split", "images", "boxes"), ((name, *counts) for name, counts in seen.splits.items())),
        "pictures": picture(seen.sheet, title="some images with their boxes"),
        "most frequent classes": chart(bar_chart(dict(list(seen.classes.items())[:CHART_ROWS])), title="classes"),
        "box sizes (root of the area)": chart(bar_chart(seen.sizes), title="sizes"),
        "images per licence": table(("licence", "images"), seen.licences.items()),
        "boxes per class": table(("class", "boxes"), seen.classes.items()),
        "dagster/column_schema": columns_of(BOXES),
        "columns of the images table": columns_of(IMAGES),
    }


def of_told(told: "Told") -> Metadata:
    """Return a verdict of the command line, as `of_verdict` shows it."""
    shown: Metadata = {
        "checked": dg.MetadataValue.int(told.checked),
        "offenders": dg.MetadataValue.int(told.offenders),
    }
    if told.examples:
        shown["first offenders"] = dg.MetadataValue.text(told.examples)
    if told.remedy:
        shown["remedy"] = dg.MetadataValue.text(told.remedy)
    return shown


def of_manifest(manifest: "Manifest | None", target: str) -> Metadata:
    """Return what a directory has published, by its manifest alone."""
    if manifest is None:
        return {"path": dg.MetadataValue.path(target), "files": dg.MetadataValue.int(0)}
    info = manifest.info
    images = len(manifest.rows.selected().pictures())
    return {
        "path": dg.MetadataValue.path(target),
        "files": dg.MetadataValue.int(info.files),
        "bytes": dg.MetadataValue.int(info.bytes),
        "selection": dg.MetadataValue.json(dict(info.selection)),
        **(dict.fromkeys(("images", "dagster/row_count"), dg.MetadataValue.int(images)) if images else {}),
    }


def of_story(target: "Path", *, changed: bool) -> Metadata:
    """Return the sentence that begins an asset's page, and what differs from the version before.

    What is published keeps every blocking rule; the other checks are beside it on the page.
    """
    from maxsight_assets.pipeline import history

    present, *before = history.versions(target)
    parts, info = history.parts_of(present.root), present.info
    counts = [f"{name} {each['images']:,} images and {each['boxes']:,} boxes" for name, each in parts.items()]
    held = "; ".join(counts) or f"{info.files:,} files, {info.bytes / 1e6:,.1f} MB"
    news = "a new version" if changed else "the same version as before"
    said = [f"**Published: every blocking rule holds.** `{present.name}`, {news}: {held}."]
    rows = list(history.difference(before[0], present)) if before else []
    if before:
        said.append(f"{len(rows):,} things differ from `{before[0].name}`, the version before.")
        said += [f"Evaluation unchanged: {same}." for same in history.evaluation_kept(before[0], present)]
    return {
        "in one sentence": dg.MetadataValue.md(" ".join(said)),
        **({"what changed": table(("what", "before", "after"), rows[:TABLE_ROWS])} if rows else {}),
    }


def of_version(version: "Version", target: str) -> Metadata:
    """Return the result of one landing of a raw dataset."""
    from maxsight_assets.publishing.manifest import ROWS

    info, tally = version.manifest.info, version.tally
    images = len(version.manifest.rows.selected().pictures())
    levels = Counter(version.manifest.rows.selected().table["level"].to_pylist())
    return {
        "dagster/row_count": dg.MetadataValue.int(images),
        "path": dg.MetadataValue.path(target),
        "files": dg.MetadataValue.int(info.files),
        "bytes": dg.MetadataValue.int(info.bytes),
        "images": dg.MetadataValue.int(images),
        "fetched files": dg.MetadataValue.int(tally.fetched_files),
        "fetched bytes": dg.MetadataValue.int(tally.fetched_bytes),
        "reused files": dg.MetadataValue.int(tally.reused_files),
        "adopted files": dg.MetadataValue.int(tally.adopted_files),
        "seconds": dg.MetadataValue.float(round(version.seconds, 3)),
        "MB per second": dg.MetadataValue.float(round(tally.fetched_bytes / 1e6 / max(version.seconds, 1e-3), 2)),
        "how verified": table(("level", "files"), sorted(levels.items())),
        "files below it": table(("path", "files", "MB"), _places(version.manifest)),
        "list of every file": dg.MetadataValue.path(f"{target}/{ROWS}"),
        "selection": dg.MetadataValue.json(dict(info.selection)),
        **({"served by": table(("file", "place"), sorted(tally.served.items()))} if tally.served else {}),
        "not served by upstream": dg.MetadataValue.text("\n".join(sorted(tally.missing)[:10]) or "none"),
    }


def of_checkpoints(synced: "Synced", target: "Path") -> Metadata:
    """Return the files of one condition, and which a condition may have and this one lacks."""
    from maxsight_assets.checkpoints.layout import FILES

    manifest = synced.manifest
    said = manifest.info.selection
    columns = ("file", "bytes", "written at the source", "verified at", "how verified", "sha256", "came from")
    rows = [
        (
            *(row.path, row.bytes, said[row.path]["modified"] or "", row.verified_at or ""),
            *(row.level, row.sha256, said[row.path]["from"]),
        )
        for row in manifest.selected()
    ]
    missing = [name for name in FILES if name not in manifest.rows]
    return {
        "path": dg.MetadataValue.path(str(target)),
        "data version": dg.MetadataValue.text(manifest.info.data_version),
        "bytes": dg.MetadataValue.int(manifest.info.bytes),
        "fetched bytes": dg.MetadataValue.int(synced.tally.fetched_bytes),
        "checkpoints": table(columns, rows),
        "missing": dg.MetadataValue.text(", ".join(missing) or "nothing"),
    }


def _places(manifest: "Manifest") -> list[tuple[str, int, float]]:
    """Return the path of each annotation file, and of each folder of other files with all that is below it."""
    files: Counter[str] = Counter()
    size: Counter[str] = Counter()
    for path, length, _ in manifest.rows.selected().sums():
        place = path if path.endswith((".json", ".csv")) else path.partition("/")[0]
        files[place] += 1
        size[place] += length
    return [(place, files[place], round(size[place] / 1e6, 2)) for place in sorted(files)]


def columns_of(schema: "pl.Schema") -> dg.MetadataValue:
    """Return the columns of a table of `formats.tables`."""
    from maxsight_assets.formats.tables import ABOUT

    return dg.MetadataValue.table_schema(
        dg.TableSchema(
            columns=[dg.TableColumn(name, str(dtype).lower(), ABOUT[name]) for name, dtype in schema.items()]
        )
    )


def of_evaluation(made: "Made", target: str) -> Metadata:
    """Return the content of the evaluation sets, one row per set."""
    sets = sorted(made.report["sets"].items())
    columns = ("images", "boxes", "ignored_boxes", "boxes_outside_label_space")
    return {
        **_of_made(made, target),
        "dagster/row_count": dg.MetadataValue.int(sum(each["images"] for _, each in sets)),
        "sets": table(("set", *columns), ((name, *(each[column] for column in columns)) for name, each in sets)),
        "left out": table(
            ("set", "records", "count"),
            ((name, what, count) for name, each in sets for what, count in sorted(each["dropped"].items())),
        ),
    }


def of_splits(made: "Made", places: "Places") -> Metadata:
    """Return the content of the splits and the fate of the other records, in tables for the user."""
    report = made.report
    splits = report["splits"]
    classes = sorted({label for each in splits.values() for label in each["classes"]})
    return {
        **_of_made(made, str(places.splits)),
        "dagster/row_count": dg.MetadataValue.int(sum(each["images"] for each in splits.values())),
        "splits": table(
            ("split", *SPLIT_COUNTS),
            ((name, *(each[count] for count in SPLIT_COUNTS)) for name, each in splits.items()),
        ),
        "limits of the detector": dg.MetadataValue.text("\n".join(report["detector_limits"])),
        "images and boxes per class": table(
            ("class", *(f"{split}: {what}" for split in splits for what in ("images", "boxes"))),
            (
                (label, *(each[kind].get(label, 0) for each in splits.values() for kind in ("class_images", "classes")))
                for label in classes
            ),
        ),
        "images per licence": table(("licence", *splits), _by_licence(splits)),
        "dropped": _by_rule(report["dropped"]),
        "repaired": _by_rule(report["repaired"]),
        "leaks into the evaluation": table(("found by", "images kept out"), sorted(report["leaks"].items())),
        "first of them": table(
            ("image", "shows", "found by"), (tuple(each.values()) for each in report["first_leaks"])
        ),
        "groups": dg.MetadataValue.json(report["groups"]),
        **_exports(places),
        "images short of the asked numbers": table(("split", "images"), sorted(report["missing"].items())),
        "classes with few boxes": table(
            ("split", "class", "boxes"),
            ((split, *each) for split, few in report["few_instances"].items() for each in sorted(few.items())),
        ),
        **({"audio": dg.MetadataValue.json(report["audio"])} if "audio" in report else {}),
        "selection": dg.MetadataValue.json(dict(made.manifest.info.selection)),
    }


def _exports(places: "Places") -> Metadata:
    """Return the exports of the splits up to now, so that the page of a new version shows what to export again."""
    from maxsight_assets.export.notes import noted

    rows = [(each.form, each.directory, each.data_version[:12]) for each in noted(places) if each.is_there]
    return {"exports so far": table(("form", "directory", "data version"), rows)} if rows else {}


def _of_made(made: "Made", target: str) -> Metadata:
    info = made.manifest.info
    return {
        "path": dg.MetadataValue.path(target),
        "files": dg.MetadataValue.int(info.files),
        "bytes": dg.MetadataValue.int(info.bytes),
        "seconds": dg.MetadataValue.float(round(made.seconds, 3)),
        "made from": table(
            ("asset", "data version"), ((asset, version[:12]) for asset, version in sorted(info.inputs.items()))
        ),
    }


def _by_rule(counts: Mapping[str, Mapping[str, int]]) -> dg.TableMetadataValue:
    from maxsight_assets.splitting.build import reasons

    because = reasons()
    kinds = sorted(counts.items())
    rows = ((kind, rule, count, because[rule]) for kind, rules in kinds for rule, count in sorted(rules.items()))
    return table(("records", "rule", "count", "because"), rows)


def _by_licence(splits: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Yield each split's images by the name of the licence: publishers give the same licence by http and by https."""
    from maxsight_assets.formats.licences import licence_name

    counts: dict[str, Counter[str]] = {}
    for split, each in splits.items():
        for address, images in each["licences"].items():
            counts.setdefault(licence_name(address), Counter())[split] += images
    return ((name, *(counts[name][split] for split in splits)) for name in sorted(counts))


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> dg.TableMetadataValue:
    """Return a small table; every value is a number or plain text."""
    records = [
        dg.TableRecord({name: value if isinstance(value, int | float) else str(value) for name, value in pairs})
        for pairs in (zip(columns, row, strict=True) for row in rows)
    ]
    schema = dg.TableSchema(columns=[dg.TableColumn(name, _type(records, name)) for name in columns])
    return dg.MetadataValue.table(records, schema)


def picture(jpeg: bytes, *, title: str) -> dg.MarkdownMetadataValue:
    """Return a picture that the UI shows behind "Show Markdown".

    Args:
        jpeg: The encoded picture, at most `MAX_PICTURE_BYTES` bytes.
        title: This project's own words, never text from upstream.
    """
    if len(jpeg) > MAX_PICTURE_BYTES:
        return dg.MetadataValue.md(f"{title}: {len(jpeg):,} bytes are too many to show here")
    return dg.MetadataValue.md(f"![{title}](data:image/jpeg;base64,{base64.b64encode(jpeg).decode()})")


def chart(svg: str, *, title: str) -> dg.MarkdownMetadataValue:
    """Return a chart that the UI shows behind "Show Markdown", as an image, so that no text in it is markup."""
    return dg.MetadataValue.md(f"![{title}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})")


def _type(records: list[dg.TableRecord], name: str) -> str:
    values: list[Mapping[str, Any]] = [record.data for record in records]
    if values and all(isinstance(value[name], int) for value in values):
        return "int"
    return "float" if values and all(isinstance(value[name], int | float) for value in values) else "string"
