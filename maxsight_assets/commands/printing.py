"""What the command line tells a person: directories, verdicts, and what a profile adds to them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from maxsight_assets.errors import LandingError
from maxsight_assets.export.notes import Export, noted
from maxsight_assets.pipeline.derived import SPLITS_ASSET
from maxsight_assets.pipeline.inspection import Told, of_profile
from maxsight_assets.places import Places
from maxsight_assets.profiles.model import Profile
from maxsight_assets.publishing.stage import read_published
from maxsight_assets.sample import Section
from maxsight_assets.verdict import unlooked


@dataclass(frozen=True, slots=True)
class Published:
    """What an asset has published.

    Attributes:
        asset: Its name.
        directory: Where.
        files: Number of files; 0 where nothing is published. The same for `bytes`.
        data_version: Digest of what is published; empty where nothing is.
        source: `embedded` or `upstream`; `damaged` if the manifest cannot be read, `not reachable` if its drive cannot.
        exports: What was exported of it.
    """

    asset: str
    directory: Path
    files: int = 0
    bytes: int = 0
    data_version: str = ""
    source: str = ""
    exports: tuple[Export, ...] = ()


def published(profile: Profile, places: Places) -> list[Published]:
    """What every asset of the profile has published, upstream first."""
    rows = [_published(each.asset, each.directory(places)) for each in of_profile(profile)]
    try:
        exports = tuple(noted(places))
    except OSError:  # the drive with the notes went away; the rows say so
        exports = ()
    return [replace(row, exports=exports) if row.asset == SPLITS_ASSET else row for row in rows]


def _published(asset: str, directory: Path) -> Published:
    try:
        manifest = read_published(directory)
    except LandingError:  # a damaged manifest, which `verify` names
        return Published(asset, directory, source="damaged")
    except OSError:  # its drive went away, say: the other rows are told all the same
        return Published(asset, directory, source="not reachable")
    if manifest is None:
        return Published(asset, directory)
    info = manifest.info
    return Published(asset, directory, info.files, info.bytes, info.data_version, info.source)


def print_published(console: Console, rows: Iterable[Published]) -> None:
    """Print what is published, a line an asset."""
    console.print(f"{'asset':20}{'files':>8}{'size':>12}  {'version':14}where")
    for row in rows:
        size, version = f"{row.bytes / 1e6:,.1f} MB", row.data_version[:12] or row.source or "none yet"
        console.print(f"{row.asset:20}{row.files:>8,}{size:>12}  {version:14}{row.directory}", markup=False)
        for each in row.exports:
            text = f"  export {each.form:30}  {each.data_version[:12]:14}{each.directory} {_standing(each, row)}"
            console.print(text.rstrip(), markup=False)


def _standing(export: Export, of: Published) -> str:
    """What a user should know of an export; empty if it is there and of what is published."""
    if not export.is_there:
        return "(no longer there)"
    return "" if export.data_version == of.data_version else "(of another version: export it again)"


def print_verdicts(console: Console, profile: Profile, verdicts: Iterable[Told]) -> None:
    """Print how many checks passed for each asset, upstream first, and each one that did not."""
    told = list(verdicts)
    for inspection in of_profile(profile):
        asset, mine = inspection.asset, [each for each in told if each.asset == inspection.asset]
        if not mine:
            continue
        failed = [each for each in mine if not each.passed]
        console.print(f"{asset}: {len(mine) - len(failed)} of {len(mine)} checks passed")
        for each in (each for each in failed if each.judged):
            style = "red" if each.severity == "error" else "yellow"
            shown = f": {each.examples}" if each.examples else ""
            console.print(
                f"  {each.severity.upper():5} {each.rule}: {each.offenders:,} offenders{shown}",
                style=style,
                markup=False,
            )
        for line in unlooked(sum(not each.judged for each in failed)):
            console.print(f"  {line}")


def print_section(console: Console, section: Section) -> None:
    """Print a table that the profile adds."""
    for row in (tuple(section.columns), *section.rows):
        texts = zip(row, section.columns.values(), strict=True)
        console.print("".join(f"{text:{width}}" for text, width in texts), markup=False)


def conclude(console: Console, verdicts: Iterable[Told], *, published: Iterable[str] = ()) -> int:
    """Print in one line what the verdicts come to: the same line after each command that has any.

    Args:
        console: Where to print.
        verdicts: What the rules say.
        published: Names of assets that should have verdicts.

    Returns:
        The exit status: 1 if a rule of severity error fails.
    """
    told = list(verdicts)
    errors = [f"{each.asset}.{each.rule}" for each in told if each.is_error and each.judged]
    warnings = sum(not each.passed and not each.is_error and each.judged for each in told)
    unjudged = sorted(set(published) - {each.asset for each in told})
    parts = [f"{sum(each.passed for each in told)} of {len(told)} rules hold"] if told else []
    parts += [f"{len(errors)} fail: {', '.join(errors)}"] if errors else []
    parts += [f"{warnings} warn"] if warnings else []
    parts += unlooked(sum(not each.judged for each in told))
    parts += [f"no verdict is recorded of {', '.join(unjudged)}: maxsight-assets report"] if unjudged else []
    console.print("; ".join(parts) or "nothing is published yet", style="red" if errors else None, markup=False)
    return 1 if errors else 0
