"""Commands about versions: which there are, what differs between two, and how to get one again."""

from typing import TYPE_CHECKING, Annotated

import typer

from maxsight_assets.commands.answer import Answer, AsJson, Everything, Quiet, give, size
from maxsight_assets.commands.context import complete_assets, err, loaded_settings, out
from maxsight_assets.errors import SettingsError

if TYPE_CHECKING:
    from maxsight_assets.pipeline.history import Past
    from maxsight_assets.pipeline.inspection import Inspection
    from maxsight_assets.places import Places
    from maxsight_assets.profiles.model import Profile
    from maxsight_assets.settings import Settings

app = typer.Typer()

Asset = Annotated[str, typer.Argument(help="Name of the asset.", autocompletion=complete_assets)]

STANDING = {"published": "published", "previous": "rollback brings it back", "remembered": "restore lands it again"}


@app.command(epilog="Example: maxsight-assets versions cleaned_splits")
def versions(
    asset: Asset = "cleaned_splits", as_json: AsJson = False, quiet: Quiet = False, everything: Everything = False
) -> None:
    """List the known versions of an asset, newest first, and what was exported of each."""
    with loaded_settings(writable=False) as settings:
        from maxsight_assets.export.notes import noted
        from maxsight_assets.pipeline import history
        from maxsight_assets.pipeline.inspection import named
        from maxsight_assets.places import Places
        from maxsight_assets.profiles import model as profiles

        places, inspection = Places.of(settings), named(profiles.of(settings), asset)
        exports = noted(places)
        rows = []
        for past in history.versions(inspection.directory(places)):
            parts = history.parts_of(past.root)
            rows.append(
                (
                    past.name,
                    (past.info.published_at or "")[:16].replace("T", " "),
                    sum(each["images"] for each in parts.values()) if parts else None,
                    past.info.files,
                    size(past.info.bytes),
                    STANDING[past.standing],
                    ", ".join(str(each.directory) for each in exports if each.data_version == past.info.data_version),
                )
            )
        columns = ("version", "published", "images", "files", "size", "how to have it", "exported to")
        said = [] if rows else [f"{inspection.asset}: nothing is published yet"]
        hints = [f"what differs: maxsight-assets diff {inspection.asset} A B"] if len(rows) > 1 else []
        give(Answer(columns, rows, said, hints), as_json=as_json, quiet=quiet, everything=everything)


@app.command(epilog="Example: maxsight-assets diff cleaned_splits")
def diff(
    asset: Asset = "cleaned_splits",
    before: Annotated[str | None, typer.Argument(help="A version; none for the one before.")] = None,
    after: Annotated[str | None, typer.Argument(help="Another; none for the published one.")] = None,
    as_json: AsJson = False,
    everything: Everything = False,
) -> None:
    """Tell what differs between two versions: inputs, selection, counts, classes, rules, files; evaluation or not."""
    with loaded_settings(writable=False) as settings:
        from maxsight_assets.pipeline import history
        from maxsight_assets.pipeline.inspection import named
        from maxsight_assets.places import Places
        from maxsight_assets.profiles import model as profiles

        profile, places = profiles.of(settings), Places.of(settings)
        inspection = named(profile, asset)
        target = inspection.directory(places)
        known = history.versions(target)
        if not known:
            raise SettingsError(f"{inspection.asset}: nothing is published in {target}; materialize it")
        other = history.version(target, after) if after else known[0]
        one = history.version(target, before) if before else next((past for past in known if past is not other), None)
        if one is None:
            give(Answer(said=[f"{inspection.asset}: {other.name} is the only version"]), as_json=as_json)
            return
        rows = list(history.difference(one, other))
        for name in sorted(one.info.inputs.keys() & other.info.inputs.keys()):
            rows += [(f"{name}: {what}", was, now) for what, was, now in _of_input(profile, places, name, one, other)]
        said = [
            f"{inspection.asset}: {one.name} ({_when(one)}) and {other.name} ({_when(other)})",
            *(f"evaluation unchanged: {same}" for same in history.evaluation_kept(one, other)),
            *([] if rows else ["nothing differs"]),
        ]
        give(Answer(("what", "before", "after"), rows, said), as_json=as_json, everything=everything)


def _when(past: "Past") -> str:
    return (past.info.published_at or "time not noted")[:16].replace("T", " ")


def _of_input(
    profile: "Profile", places: "Places", name: str, one: "Past", other: "Past"
) -> "list[tuple[str, str, str]]":
    """Return what differs between the versions of an input that two versions were made from, if both are known."""
    from maxsight_assets.pipeline import history
    from maxsight_assets.pipeline.inspection import of_profile

    directory = next((each.directory(places) for each in of_profile(profile) if each.asset == name), None)
    if directory is None or one.info.inputs[name] == other.info.inputs[name]:
        return []
    known = {past.info.data_version: past for past in history.versions(directory)}
    pair = [known.get(past.info.inputs[name]) for past in (one, other)]
    if pair[0] is None or pair[1] is None:
        return []
    return list(history.difference(pair[0], pair[1]))


@app.command(epilog="Example: maxsight-assets rollback cleaned_splits")
def rollback(asset: Annotated[str, typer.Argument(help="Name of the asset.", autocompletion=complete_assets)]) -> None:
    """Bring back the version that was published before; the present one becomes the previous."""
    with loaded_settings() as settings:
        from maxsight_assets.pipeline.inspection import named
        from maxsight_assets.profiles import model as profiles

        raise typer.Exit(_roll_back(settings, named(profiles.of(settings), asset)))


def _roll_back(settings: "Settings", inspection: "Inspection") -> int:
    from maxsight_assets.commands.report import tell
    from maxsight_assets.places import Places
    from maxsight_assets.publishing.maintenance import rollback as bring_back

    manifest = bring_back(inspection.directory(Places.of(settings)))
    version = manifest.info.data_version[:12]
    out.print(f"{inspection.asset}: version {version} is published again; it stays until its inputs change")
    return tell(settings, inspection.asset, f"rolled back to version {version}", stays=True)


@app.command(epilog="Example: maxsight-assets restore 6601613ad023")
def restore(
    version: Annotated[str, typer.Argument(help="A data version, or its beginning, as `versions` lists it.")],
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Land with its selection also if something of it cannot be had any more.")
    ] = False,
) -> None:
    """Publish an earlier version of an asset again: say first what of it cannot be had any more, then land it anew."""
    with loaded_settings() as settings:
        from maxsight_assets.commands.running import run
        from maxsight_assets.places import Places
        from maxsight_assets.profiles import model as profiles

        profile, places = profiles.of(settings), Places.of(settings)
        inspection, past = _found(profile, places, version)
        asset = inspection.asset
        if past.standing == "published":
            out.print(f"{asset}: version {past.name} is what is published")
            return
        if past.standing == "previous":
            raise typer.Exit(_roll_back(settings, inspection))
        lacking = _lacking(settings, inspection, past)
        for line in lacking:
            err.print(line, style="yellow")
        if lacking and not anyway:
            raise SettingsError(f"{asset}: version {past.name} cannot be had as it was; --anyway lands its selection")
        status = run(settings, [asset], {asset: _stated(past)}, anew=True)
        present = _found(profile, places, "", asset=asset)[1]
        same = present.info.data_version == past.info.data_version
        out.print(f"{asset}: {present.name} is published; {'it is' if same else 'it is not'} version {past.name}")
        raise typer.Exit(status if same or anyway else 1)


def _found(
    profile: "Profile", places: "Places", version: str, *, asset: str | None = None
) -> "tuple[Inspection, Past]":
    """Return the asset of a version, and the version; of the newest one if only the asset is given."""
    from maxsight_assets.errors import UnknownName
    from maxsight_assets.pipeline import history
    from maxsight_assets.pipeline.inspection import of_profile

    known = []
    for inspection in of_profile(profile):
        if asset in {None, inspection.asset}:
            known += [(inspection, past) for past in history.versions(inspection.directory(places))]
    matching = [each for each in known if each[1].info.data_version.startswith(version)]
    if not matching or (not version and asset is None):
        raise UnknownName("version", version, [past.name for _, past in known])
    if version and len(matching) > 1:
        raise SettingsError(f"version {version}: {len(matching)} versions begin so; give more of it")
    return matching[0]


def _stated(past: "Past") -> dict[str, object]:
    """Return the run config that asks for a version's selection again."""
    from maxsight_assets.verification.evaluation import MADE_OF, MAY_CHANGE

    return {
        name: value
        for name, value in past.info.selection.items()
        if value is not None and name not in {MADE_OF, MAY_CHANGE}
    }


def _lacking(settings: "Settings", inspection: "Inspection", past: "Past") -> list[str]:
    """Return what a version was made from and cannot be had now, a line each, with what to do."""
    from maxsight_assets.pipeline.inspection import of_profile
    from maxsight_assets.places import Places
    from maxsight_assets.profiles import model as profiles
    from maxsight_assets.publishing.manifest import info_of

    profile, places = profiles.of(settings), Places.of(settings)
    source = next((each for each in profile.sources if each.asset == inspection.asset), None)
    if source is not None:
        from maxsight_assets.commands.raw import fingerprints_now

        now = fingerprints_now(settings, source, source.selection.stored(past.info.selection))
        return [
            f"upstream has another {key} now than the one that this version was landed from"
            for key, value in past.info.inputs.items()
            if now.get(key, value) != value
        ]
    infos = {each.asset: info_of(each.directory(places)) for each in of_profile(profile)}
    return [
        f"{name}: {info.data_version[:12] if info else 'nothing'} is published, and it was made from {wanted[:12]}; "
        f"first: maxsight-assets restore {wanted[:12]}"
        for name, wanted in past.info.inputs.items()
        if (info := infos.get(name)) is None or info.data_version != wanted
    ]
