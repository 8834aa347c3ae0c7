"""The versions of a published directory: the present one, the previous one, and what is remembered of those before."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from maxsight_assets.errors import LandingError, SettingsError, UnknownName
from maxsight_assets.pipeline.derived import EVALUATION_ASSET
from maxsight_assets.publishing.manifest import Manifest, ManifestInfo, info_of
from maxsight_assets.publishing.remembered import REPORTS, remembered
from maxsight_assets.publishing.swap import StateDir

Standing = Literal["published", "previous", "remembered"]

SHORT = 12
"""Characters of a data version that commands show and take."""

_CLASSES = 12
"""Classes that a comparison lists, those that changed most."""

Row = tuple[str, str, str]
"""What is compared, before, and after."""


@dataclass(frozen=True, slots=True)
class Past:
    """One version of a published directory.

    Attributes:
        root: Where it is, or what is remembered of it.
        info: Its page.
        standing: `published`, `previous` (whole, `rollback` brings it back) or `remembered` (its small files).
    """

    root: Path
    info: ManifestInfo
    standing: Standing

    @property
    def name(self) -> str:
        """Return the name that commands show and take."""
        return self.info.data_version[:SHORT]


def versions(target: Path) -> list[Past]:
    """Return the known versions of a published directory, newest first; each data version once."""
    state = StateDir.of(target)
    places: list[tuple[Path, Standing]] = [(state.target, "published"), (state.previous, "previous")]
    places += [(path, "remembered") for path in remembered(state.memory)]
    found: dict[str, Past] = {}
    for root, standing in places:
        info = info_of(root)
        if info is not None:
            found.setdefault(info.data_version, Past(root, info, standing))
    return list(found.values())


def version(target: Path, name: str) -> Past:
    """Return a version by the beginning of its data version.

    Raises:
        UnknownName: No known version begins so.
        SettingsError: Several do.
    """
    known = versions(target)
    matching = [past for past in known if past.info.data_version.startswith(name)]
    if not matching or not name:
        raise UnknownName("version", name, [past.name for past in known])
    if len(matching) > 1:
        raise SettingsError(f"version {name}: {', '.join(past.name for past in matching)} begin so; give more of it")
    return matching[0]


def parts_of(root: Path) -> dict[str, dict[str, Any]]:
    """Return the counts of each split or evaluation set of a version: `images`, `boxes`, `classes`, `licences`.

    Empty for a raw dataset, and if the report cannot be read.
    """
    report = report_of(root)
    splits = report.get("splits") or {}
    sets = {
        name: {**each, "classes": each.get("boxes_per_class", {})} for name, each in (report.get("sets") or {}).items()
    }
    return {**splits, **sets}


def report_of(root: Path) -> dict[str, Any]:
    """Return the report of the splits, or the evaluation contract, of a version; empty if it has none."""
    for name in REPORTS:
        try:
            found = json.loads((root / name).read_bytes())
        except (OSError, ValueError):
            continue
        return found if isinstance(found, dict) else {}
    return {}


def difference(before: Past, after: Past) -> Iterator[Row]:
    """Yield what differs between two versions of one asset: inputs, selection, counts, classes, rules, files."""
    for key in sorted(before.info.inputs.keys() | after.info.inputs.keys()):
        yield from _row(f"input {key}", _input(before, key), _input(after, key))
    one, other = (dict(_flat(past.info.selection)) for past in (before, after))
    for field in sorted(one.keys() | other.keys()):
        yield from _row(f"selection {field}", one.get(field), other.get(field))
    yield from _row("files", f"{before.info.files:,}", f"{after.info.files:,}")
    yield from _row("bytes", f"{before.info.bytes:,}", f"{after.info.bytes:,}")
    yield from _of_reports(before.root, after.root)
    yield from _of_files(before, after)


def evaluation_kept(before: Past, after: Past) -> Iterator[str]:
    """Yield whether the splits of two versions were made beside the same evaluation sets, if they are splits."""
    one, other = (past.info.inputs.get(EVALUATION_ASSET) for past in (before, after))
    if one is not None and other is not None:
        yield "yes, scores compare" if one == other else "no, scores do not compare"


def _row(what: str, before: object, after: object) -> Iterator[Row]:
    if before != after:
        yield what, "" if before is None else str(before), "" if after is None else str(after)


def _input(past: Past, key: str) -> str | None:
    value = past.info.inputs.get(key)
    return None if value is None else value[:SHORT]


def _flat(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield the fields of a selection by their full names; those that are not stated are left out."""
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield from _flat(below, f"{name}.{key}" if name else str(key))
    else:
        yield name, json.dumps(value)


def _of_reports(before: Path, after: Path) -> Iterator[Row]:
    one, other = parts_of(before), parts_of(after)
    for part in [*one, *(name for name in other if name not in one)]:
        for count in ("images", "boxes"):
            yield from _row(f"{part} {count}", _count(one, part, count), _count(other, part, count))
        for digest in ("images_sha256", "annotations_sha256"):
            if one.get(part, {}).get(digest) != other.get(part, {}).get(digest):
                yield f"{part} {digest.partition('_')[0]}", "other", "content"
    yield from _most_changed(_classes(one), _classes(other))
    dropped, then = (report_of(root).get("dropped") or {} for root in (before, after))
    for kind in ("image", "box"):
        rules, rules_then = dropped.get(kind) or {}, then.get(kind) or {}
        for rule in sorted(rules.keys() | rules_then.keys()):
            yield from _row(f"dropped by {rule} ({kind})", rules.get(rule, 0), rules_then.get(rule, 0))
    licences, then = (_summed(parts, "licences") for parts in (one, other))
    for licence in sorted(licences.keys() | then.keys()):
        yield from _row(f"licence {licence}", licences.get(licence, 0), then.get(licence, 0))


def _count(parts: Mapping[str, Mapping[str, Any]], part: str, count: str) -> str | None:
    return f"{parts[part].get(count, 0):,}" if part in parts else None


def _classes(parts: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    return {
        f"{part} {name}": number for part, each in parts.items() for name, number in each.get("classes", {}).items()
    }


def _summed(parts: Mapping[str, Mapping[str, Any]], field: str) -> dict[str, int]:
    total: dict[str, int] = {}
    for each in parts.values():
        for name, number in each.get(field, {}).items():
            total[name] = total.get(name, 0) + number
    return total


def _most_changed(one: Mapping[str, int], other: Mapping[str, int]) -> Iterator[Row]:
    """Yield the classes whose number of boxes changed most, and how many more changed."""
    changes = {name: abs(other.get(name, 0) - one.get(name, 0)) for name in one.keys() | other.keys()}
    changed = sorted((name for name, change in changes.items() if change), key=lambda name: (-changes[name], name))
    for name in changed[:_CLASSES]:
        yield f"boxes of {name}", f"{one.get(name, 0):,}", f"{other.get(name, 0):,}"
    if len(changed) > _CLASSES:
        yield "boxes of further classes", "", f"{len(changed) - _CLASSES:,} classes differ"


def _of_files(before: Past, after: Past) -> Iterator[Row]:
    """Yield how many files came, went and changed, with the first of each, if both versions are on the disk."""
    try:
        one, other = Manifest.read(before.root), Manifest.read(after.root)
    except LandingError:  # a remembered version has no rows
        return
    if one is None or other is None:
        return
    was, now = (_digests(manifest) for manifest in (one, other))
    for what, paths in {
        "files that came": [path for path in now if path not in was],
        "files that went": [path for path in was if path not in now],
        "files that changed": [path for path in now if path in was and was[path] != now[path]],
    }.items():
        if paths:
            more = f" and {len(paths) - 3:,} more" if len(paths) > 3 else ""  # see the slice
            yield what, f"{len(paths):,}", f"{', '.join(paths[:3])}{more}"


def _digests(manifest: Manifest) -> dict[str, str]:
    """Return the sha256 of each file of the data version by its path."""
    table = manifest.rows.selected().table
    return dict(zip(table["path"].to_pylist(), table["sha256"].to_pylist(), strict=True))
