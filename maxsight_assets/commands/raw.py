"""Commands about raw datasets: check COCO anywhere, take over what is on disk, mend, accept a change, free space."""

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maxsight_assets.commands.context import complete_assets, err, loaded_settings, out
from maxsight_assets.commands.report import tell
from maxsight_assets.errors import FormatError, SettingsError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from maxsight_assets.datasets.coco.verify import Level
    from maxsight_assets.datasets.places import Upstream
    from maxsight_assets.datasets.selection import Selection
    from maxsight_assets.datasets.source import Source
    from maxsight_assets.datasets.upstreams import Access
    from maxsight_assets.places import Places
    from maxsight_assets.profiles.model import Profile
    from maxsight_assets.publishing.maintenance import PruneReport
    from maxsight_assets.settings import Settings

app = typer.Typer()

Asset = Annotated[str, typer.Argument(help="Name of a raw asset.")]


def verify_coco(
    settings: "Settings", directory: Path | None, *, level: "Level", as_json: bool, ask_upstream: bool
) -> int:
    """Check a COCO directory, landed here or not, and print what was found.

    Returns:
        The exit status: 1 where a rule of severity error fails.
    """
    from maxsight_assets.datasets.coco import source as coco
    from maxsight_assets.datasets.coco.verify import verify_coco_dataset
    from maxsight_assets.places import Places

    places = Places.of(settings)
    root = directory or places.data_dir / coco.DIRECTORY
    if not root.is_dir():
        raise FormatError(f"{root}: no such directory; name the one that holds annotations/ and val2017/")
    with ExitStack() as stack:
        upstream = None
        if ask_upstream:
            source, access, _, _ = _opened(settings, "coco_raw")
            opened = stack.enter_context(_upstream(source, access))
            upstream = replace(opened, target=places.data_dir / coco.DIRECTORY)  # what was accepted for it holds here
        report = verify_coco_dataset(root, level=level, cache=places.facts, upstream=upstream)
    if as_json:
        told = asdict(report) | {"directory": str(root), "passed": report.passed}
        typer.echo(json.dumps(told, indent=2, default=lambda counts: counts.model_dump()))
        return 0 if report.passed else 1
    for text, severity in report.lines():
        out.print(text, style={"error": "red", "warn": "yellow"}.get(severity or ""))
    return 0 if report.passed else 1


@app.command(epilog="Example: maxsight-assets adopt coco_raw")
def adopt(
    asset: Asset = "coco_raw",
    given: Annotated[
        Path | None, typer.Option("--from", help="A directory with files or archives of the dataset, in any layout.")
    ] = None,
) -> None:
    """Take over what DATA_DIR, or another directory, holds of a dataset; what is missing is fetched, nothing else."""
    with loaded_settings() as settings:
        source, access, places, profile = _opened(settings, asset)
        from maxsight_assets.datasets.given import Given
        from maxsight_assets.pipeline.inspection import RAW
        from maxsight_assets.pipeline.raw import refresh

        looked_in = places.data_dir / source.directory if given is None else given.expanduser().absolute()
        if given is not None and not looked_in.is_dir():
            raise SettingsError(f"--from {given}: no such directory; name the one that holds what you have")
        found = Given.of(looked_in)
        if given is not None and not found.by_name:
            raise SettingsError(f"--from {given}: no file is in it; name the directory that holds what you have")

        with _upstream(source, access) as upstream:
            version = refresh(
                source,
                replace(upstream, given=found, placed_first=True),
                data_dir=places.data_dir,
                cache=places.facts,
                default=profile.selections[source.dataset],
                stated={},
                gate=RAW[source.dataset].gate(places),
            )
        tally = version.tally
        out.print(
            f"{source.asset}: {tally.adopted_files:,} files taken over, {tally.reused_files:,} known already, "
            f"{tally.fetched_files:,} fetched ({tally.fetched_bytes / 1e6:,.1f} MB)"
        )
        for key, place in sorted(tally.served.items()):
            out.print(f"  {key} came from {place}")
        adopted = f"adopted: {tally.adopted_files:,} files taken over, {tally.fetched_files:,} fetched"
        raise typer.Exit(tell(settings, source.asset, adopted, seen=version.fingerprint))


@app.command(epilog="Example: maxsight-assets repair coco_raw")
def repair(asset: Asset = "coco_raw") -> None:
    """Fetch exactly the files of a published dataset that are missing or damaged; what was there is set aside."""
    with loaded_settings() as settings:
        source, access, places, _ = _opened(settings, asset)
        from maxsight_assets.pipeline import upkeep
        from maxsight_assets.publishing.maintenance import published

        target = places.data_dir / source.directory
        published(target)  # otherwise the upstream would be drawn for nothing
        with _upstream(source, access) as upstream:
            mended = upkeep.repair(source, upstream, target)
        out.print(f"{source.asset}: {len(mended):,} files mended")
        for path in mended:
            out.print(f"  {path}")
        details = {"mended files": "\n".join(mended[:10])} if mended else {}
        raise typer.Exit(tell(settings, source.asset, f"repaired: {len(mended):,} files mended", details=details))


@app.command(epilog="Example: maxsight-assets accept zips/val2017.zip")
def accept(file: Annotated[str, typer.Argument(help="Key of the upstream file, as the error names it.")]) -> None:
    """Accept that a pinned upstream file changed: its present bytes are the right ones from now on."""
    with loaded_settings() as settings:
        from maxsight_assets.datasets.registry import SOURCES
        from maxsight_assets.pipeline import upkeep

        source, access, places, _ = _opened(settings, SOURCES[upkeep.dataset_of(file)].asset)
        with _upstream(source, access) as upstream:
            said = upkeep.accept(upstream, file, places.data_dir / source.directory)
        digest = next(
            f"{name} {value}"
            for name in ("sha256", "md5", "sha1", "index_sha256")
            if (value := getattr(said.file, name)) is not None
        )
        out.print(f"{file}: {said.file.bytes or 0:,} bytes with {digest} accepted, known {said.how}")
        details = {"file": file, "digest": digest, "known": said.how}
        tell(settings, source.asset, f"accepted a change of {file} upstream", details=details, judge=False)
        out.print(f"it is not landed yet: maxsight-assets materialize {source.asset}")


@app.command(epilog="Example: maxsight-assets prune coco_raw --really")
def prune(
    assets: Annotated[
        list[str] | None, typer.Argument(help="Names of assets; none for coco_raw.", autocompletion=complete_assets)
    ] = None,
    really: Annotated[bool, typer.Option("--really", "--yes", help="Delete without asking.")] = False,
) -> None:
    """Delete, after asking, what nothing needs any more.

    That is images of earlier selections that no split or evaluation set names, the previous version, and files that
    somebody edited and that were set aside when their place was written anew.
    """
    with loaded_settings() as settings:
        from maxsight_assets.pipeline import upkeep
        from maxsight_assets.pipeline.inspection import named
        from maxsight_assets.places import Places
        from maxsight_assets.profiles import model as profiles

        places = Places.of(settings)
        made = (places.splits, places.evaluation)
        meant = [named(profiles.of(settings), name) for name in assets or ["coco_raw"]]
        directories = {each.asset: each.directory(places) for each in meant}
        found = {
            asset: said
            for asset, target in directories.items()
            if (said := _freed(upkeep.prune(target, made, noted=places.noted, really=really)))
        }
        for asset in directories:
            if asset not in found:
                out.print(f"{asset}: there is nothing to delete")
        if found and not really:
            for asset, said in found.items():
                out.print(f"{asset}: {said} would go")
            if not (sys.stdin.isatty() and typer.confirm("Delete them?")):
                out.print("nothing was deleted; say --really to delete them")
                return
            found = {
                asset: _freed(upkeep.prune(directories[asset], made, noted=places.noted, really=True))
                for asset in found
            }
        for asset, said in found.items():
            out.print(f"{asset}: {said} deleted")
            tell(settings, asset, f"pruned: {said} deleted", judge=False)


def _freed(report: "PruneReport") -> str:
    """What a prune deletes, in words; empty where it is nothing."""
    parts = []
    if report.files:
        parts.append(f"{len(report.files):,} files of earlier selections ({report.bytes / 1e6:,.1f} MB)")
    if report.previous:
        parts.append("the previous version")
    if report.set_aside:
        names = ", ".join(report.set_aside[:3]) + (", ..." if len(report.set_aside) > 3 else "")
        parts.append(f"{len(report.set_aside):,} edited files in {report.quarantine} ({names})")
    return ", ".join(parts)


@contextmanager
def asked_upstream(settings: "Settings", asset: str) -> "Iterator[tuple[Upstream, Selection]]":
    """Yield the upstream of a raw asset, to be asked, and the profile's selection of it."""
    source, access, places, profile = _opened(settings, asset)
    with _upstream(source, access) as upstream:
        yield replace(upstream, target=places.data_dir / source.directory), profile.selections[source.dataset]


def fingerprints_now(settings: "Settings", source: "Source", selection: "BaseModel") -> dict[str, str]:
    """Return the fingerprint that upstream states now for each file that a selection is made from."""
    from maxsight_assets.datasets.seen import fingerprints

    with asked_upstream(settings, source.asset) as (upstream, _):
        return fingerprints(upstream.probe(source.files(selection)))


@contextmanager
def _upstream(source: "Source", access: "Access") -> "Iterator[Upstream]":
    """The upstream of a dataset, with a bar for each download."""
    from maxsight_assets.datasets.upstreams import open_upstream
    from maxsight_assets.transport.progress import progress_bars

    with progress_bars(err.console) as progress, open_upstream(source.dataset, access, progress=progress) as upstream:
        yield upstream


def _opened(settings: "Settings", asset: str) -> "tuple[Source, Access, Places, Profile]":
    """A raw asset by name, how its upstream is reached, where things are, and the profile."""
    from maxsight_assets import sample
    from maxsight_assets.datasets.upstreams import Access
    from maxsight_assets.pipeline.inspection import named
    from maxsight_assets.places import Places
    from maxsight_assets.profiles import model as profiles

    profile, places = profiles.of(settings), Places.of(settings)
    named(profile, asset)
    source = next((each for each in profile.sources if asset in {each.asset, each.dataset}), None)
    if source is None:
        raise SettingsError(
            f"{asset}: is made from others, not landed; give one of {', '.join(each.asset for each in profile.sources)}"
        )
    return source, Access.of(settings, sample.embedded_of(profile, places)), places, profile
