"""Reports to Dagster what a command did to a published directory, or what is found there; says what comes next.

A command that has done its work never fails because Dagster cannot be told: it says how to do that later.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from maxsight_assets.commands.context import complete_assets, dagster_home, err, loaded_settings, out
from maxsight_assets.errors import MaxSightAssetsError

if TYPE_CHECKING:
    from maxsight_assets.pipeline.inspection import Told
    from maxsight_assets.settings import Settings

app = typer.Typer()


@app.command(epilog="Example: maxsight-assets report")
def report(
    assets: Annotated[
        list[str] | None, typer.Argument(help="Names of assets; none for all.", autocompletion=complete_assets)
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep these versions until their inputs change: after a rollback, say.")
    ] = False,
) -> None:
    """Report to Dagster what is published in DATA_DIR, wherever its event log says otherwise, and judge that."""
    with loaded_settings(writable=False) as settings:
        from maxsight_assets.build import Log
        from maxsight_assets.commands import printing
        from maxsight_assets.commands.doctor import has_records
        from maxsight_assets.defs.reporting import Change
        from maxsight_assets.pipeline import inspection
        from maxsight_assets.places import Places
        from maxsight_assets.profiles import model as profiles

        profile, places = profiles.of(settings), Places.of(settings)
        named = {inspection.named(profile, name).asset for name in assets or []}
        meant = [each for each in inspection.of_profile(profile) if not named or each.asset in named]
        landed = any(each.directory(places).exists() for each in meant)
        dagster_home(settings, make=landed)
        if not landed and not has_records(dagster_home(settings, make=False)):
            raise typer.Exit(printing.conclude(out, []))
        log, told = Log(settings), []
        for asset in [each.asset for each in meant]:
            difference = log.difference(asset)
            if difference is None:
                out.print(f"{asset}: as the event log says")
                told += log.verdicts(asset)
                continue
            verdicts = _judged(settings, asset)
            log.report(asset, Change(f"found in DATA_DIR: {difference}", verdicts, stays=keep))
            out.print(f"{asset}: reported: {difference}")
            told += verdicts
        raise typer.Exit(printing.conclude(out, told))


def tell(
    settings: "Settings",
    asset: str,
    said: str,
    *,
    details: Mapping[str, str] | None = None,
    seen: str | None = None,
    stays: bool = False,
    judge: bool = True,
) -> int:
    """Report what a command did to what an asset has published, and print what comes next.

    Args:
        settings: What the environment says.
        asset: Name of the asset.
        said: What was done, in words.
        details: Further entries of the asset's page.
        seen: The fingerprint of the upstream that was landed from just now.
        stays: Whether the user chose this version, so that it stays until its inputs change once more.
        judge: Whether the rules are asked of it anew.

    Returns:
        The exit status: 1 if a rule of severity error fails.
    """
    from maxsight_assets.build import Log
    from maxsight_assets.commands import printing
    from maxsight_assets.defs.reporting import Change

    verdicts = _judged(settings, asset) if judge else []
    try:
        dagster_home(settings)
        new = Log(settings).report(asset, Change(said, verdicts, details=details or {}, seen=seen, stays=stays))
    except MaxSightAssetsError as error:
        later = f"maxsight-assets report {asset}{' --keep' if stays else ''}"
        err.print(f"Dagster does not know of this: {error}. Once it can: {later}", style="yellow")
        new = True
    below = _made_from(settings, asset)
    if new and below:
        out.print(
            f"behind it now: {', '.join(below)}; a running daemon makes them anew, or: "
            f"maxsight-assets materialize {' '.join(below)}",
        )
    return printing.conclude(out, verdicts) if judge else 0


def _judged(settings: "Settings", asset: str) -> "list[Told]":
    """What the rules say of what an asset has published; nothing if nothing is."""
    from maxsight_assets.pipeline import inspection
    from maxsight_assets.places import Places
    from maxsight_assets.profiles import model as profiles
    from maxsight_assets.publishing.manifest import info_of

    profile, places = profiles.of(settings), Places.of(settings)
    directories = {each.asset: each.directory(places) for each in inspection.of_profile(profile)}
    return inspection.verify(profile, places, [asset]) if info_of(directories[asset]) else []


def _made_from(settings: "Settings", asset: str) -> list[str]:
    """The published assets that were made from another one, in the order of the graph."""
    from maxsight_assets.pipeline import inspection
    from maxsight_assets.places import Places
    from maxsight_assets.profiles import model as profiles
    from maxsight_assets.publishing.manifest import info_of

    places = Places.of(settings)
    inspections = inspection.of_profile(profiles.of(settings))
    infos = {each.asset: info_of(each.directory(places)) for each in inspections}
    return [name for name, info in infos.items() if info is not None and asset in info.inputs]
