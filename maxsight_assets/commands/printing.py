"""What the command line tells a person: directories, verdicts, and what a profile adds to them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from maxsight_assets.commands.answer import size
from maxsight_assets.commands.answer import table as lines_of
from maxsight_assets.commands.context import Stream
from maxsight_assets.errors import LandingError
from maxsight_assets.export.notes import Export, noted
from maxsight_assets.pipeline import history
from maxsight_assets.pipeline.derived import SPLITS_ASSET
from maxsight_assets.pipeline.inspection import Told, of_profile
from maxsight_assets.places import Places
from maxsight_assets.profiles.model import Profile
from maxsight_assets.publishing.manifest import Manifest, ManifestInfo, info_of
from maxsight_assets.publishing.stage import recovered_manifest
from maxsight_assets.publishing.swap import StateDir
from maxsight_assets.sample import Section
from maxsight_assets.verdict import unlooked

FAILED = 12
"""Rules that do not hold that a command lists, errors first."""

EXAMPLES = 160
"""Characters of a verdict's examples that the line of a warning shows; `--json` and the asset's page have all."""


@dataclass(frozen=True, slots=True)
class Published:
    """What an asset has published.

    Attributes:
        asset: Its name.
        directory: Where.
        files: Number of files; 0 where nothing is published. The same for `bytes`.
        data_version: Digest of what is published; empty where nothing is.
        source: `embedded` or `upstream`; `damaged` if the manifest cannot be read, `not reachable` if its drive cannot.
        published_at: Time when it was published, ISO 8601, UTC; None if that is not known.
        images: Number of images; those of raw datasets are the landed ones.
        boxes: Number of boxes of splits and evaluation sets; None of a raw dataset, whose tables are not read.
        previous: Data version that `rollback` brings back; empty if there is none.
        behind: Assets that have another version now than the one that this was made from.
        exports: What was exported of it.
    """

    asset: str
    directory: Path
    files: int = 0
    bytes: int = 0
    data_version: str = ""
    source: str = ""
    published_at: str | None = None
    images: int = 0
    boxes: int | None = None
    previous: str = ""
    behind: tuple[str, ...] = ()
    exports: tuple[Export, ...] = ()


def published(profile: Profile, places: Places) -> list[Published]:
    """What every asset of the profile has published, upstream first."""
    infos = {each.asset: info_of(each.directory(places)) for each in of_profile(profile)}
    rows = [_published(each.asset, each.directory(places), infos) for each in of_profile(profile)]
    try:
        exports = tuple(noted(places))
    except OSError:  # the drive with the notes went away; the rows say so
        exports = ()
    return [replace(row, exports=exports) if row.asset == SPLITS_ASSET else row for row in rows]


def _published(asset: str, directory: Path, infos: Mapping[str, ManifestInfo | None]) -> Published:
    try:
        manifest = recovered_manifest(directory)
        if manifest is None:
            return Published(asset, directory)
        info, past = manifest.info, info_of(StateDir.of(directory).previous)
        images, boxes = _counted(directory, manifest)
    except LandingError:  # a damaged manifest, which `verify` names
        return Published(asset, directory, source="damaged")
    except OSError:  # its drive went away, say: the other rows are told all the same
        return Published(asset, directory, source="not reachable")
    return Published(
        asset,
        directory,
        files=info.files,
        bytes=info.bytes,
        data_version=info.data_version,
        source=info.source,
        published_at=info.published_at,
        images=images,
        boxes=boxes,
        previous=past.data_version if past else "",
        behind=tuple(
            name for name, version in info.inputs.items() if (now := infos.get(name)) and now.data_version != version
        ),
    )


def _counted(directory: Path, manifest: Manifest) -> tuple[int, int | None]:
    """Return the numbers of images and boxes of a published directory."""
    parts = history.parts_of(directory)
    if parts:
        return sum(each["images"] for each in parts.values()), sum(each["boxes"] for each in parts.values())
    return len(manifest.rows.selected().pictures()), None


def print_published(console: Stream, rows: Iterable[Published], told: Iterable[Told] = ()) -> None:
    """Print what is published, a line an asset, with what its checks came to if they are given."""
    judged = list(told)
    cells = [(row, [each for each in judged if each.asset == row.asset]) for row in rows]
    columns = ("asset", "published", "images", "boxes", "size", "version", "previous", "checks", "stands")
    table = [
        (
            row.asset,
            (row.published_at or "")[:16].replace("T", " "),
            row.images if row.data_version else None,
            row.boxes,
            size(row.bytes) if row.data_version else "",
            row.data_version[:12] or row.source or "none yet",
            row.previous[:12],
            f"{sum(each.passed for each in mine)}/{len(mine)}" if mine else "",
            f"behind {', '.join(row.behind)}" if row.behind else row.source if row.data_version else "",
        )
        for row, mine in cells
    ]
    for line in lines_of(columns, table):
        console.print(line)
    for row, _ in cells:
        for each in row.exports:
            text = f"  export {each.form}, {each.data_version[:12]}  {each.directory} {_standing(each, row)}"
            console.print(text.rstrip())


def _standing(export: Export, of: Published) -> str:
    """What a user should know of an export; empty if it is there and of what is published."""
    if not export.is_there:
        return "(no longer there)"
    return "" if export.data_version == of.data_version else "(of another version: export it again)"


def print_verdicts(console: Stream, profile: Profile, verdicts: Iterable[Told]) -> None:
    """Print how many checks passed for each asset, upstream first, and each one that did not."""
    told = list(verdicts)
    failing = [each for each in told if not each.passed and each.judged]
    shown = sorted(failing, key=lambda each: each.severity != "error")[:FAILED]
    for inspection in of_profile(profile):
        asset, mine = inspection.asset, [each for each in told if each.asset == inspection.asset]
        if not mine:
            continue
        failed = [each for each in mine if not each.passed]
        console.print(f"{asset}: {len(mine) - len(failed)} of {len(mine)} checks passed")
        for each in (each for each in failed if each in shown):
            style = "red" if each.severity == "error" else "yellow"
            kind = "ERROR" if each.severity == "error" else "NOTE"
            examples = each.examples if each.severity == "error" else _first(each.examples)
            number = f"{each.offenders:,} of {each.checked:,}" if each.checked else f"{each.offenders:,} offend"
            text = f"  {kind:5} {each.rule}: {number}{f': {examples}' if examples else ''}"
            console.print(text, style=style)
            if each.remedy:
                console.print(f"        {each.remedy}")
        for line in unlooked(sum(not each.judged for each in failed)):
            console.print(f"  {line}")
    if len(failing) > len(shown):
        console.print(f"... and {len(failing) - len(shown):,} more that do not hold: maxsight-assets verify --json")


def _first(examples: str) -> str:
    """Return the first examples of a verdict, as far as they fit into a line."""
    fitting = examples if len(examples) <= EXAMPLES else examples[:EXAMPLES].rpartition(", ")[0]
    return f"{fitting}, ..." if fitting and fitting != examples else examples


def print_section(console: Stream, section: Section) -> None:
    """Print a table that the profile adds."""
    for row in (tuple(section.columns), *section.rows):
        texts = zip(row, section.columns.values(), strict=True)
        console.print("".join(f"{text:{width}}" for text, width in texts))


def conclude(console: Stream, verdicts: Iterable[Told], *, published: Iterable[str] = ()) -> int:
    """Print what the verdicts come to, and whether the data is fit to train on: the end of each command that judges.

    Args:
        console: Where to print.
        verdicts: What the rules say.
        published: Names of assets that should have verdicts.

    Returns:
        The exit status: 1 if a rule of severity error fails.
    """
    told = list(verdicts)
    errors = [f"{each.asset}.{each.rule}" for each in told if each.is_error and each.judged]
    unjudged = sorted(set(published) - {each.asset for each in told})
    parts = [f"{sum(each.passed for each in told)} of {len(told)} rules hold"] if told else []
    parts += [f"{len(errors)} fail: {', '.join(errors)}"] if errors else []
    parts += unlooked(sum(not each.judged for each in told))
    parts += [f"no verdict is recorded of {', '.join(unjudged)}: maxsight-assets report"] if unjudged else []
    console.print("; ".join(parts) or "nothing is published yet", style="red" if errors else None)
    console.print(fitness(told, unjudged=unjudged), style="red" if errors else None)
    return 1 if errors else 0


def fitness(told: Sequence[Told], *, unjudged: Sequence[str] = ()) -> str:
    """Return in one sentence whether what was judged is fit to train on."""
    errors = sum(each.is_error and each.judged for each in told)
    notes = sum(not each.passed and not each.is_error and each.judged for each in told)
    assets = {each.asset for each in told}
    if not told and not unjudged:
        answer = "no, nothing is published yet: maxsight-assets materialize"
    elif errors:
        answer = "no"
    elif unjudged or not all(each.judged for each in told):
        answer = "not known, because not every rule was looked at"
    elif SPLITS_ASSET not in assets:
        answer = f"not known, because {SPLITS_ASSET} is not among these"
    else:
        answer = "yes"
    counts = (
        f", {errors:,} error{'' if errors == 1 else 's'}, {notes:,} note{'' if notes == 1 else 's'}" if told else ""
    )
    return f"Fit to train: {answer}{counts}"
