"""The `maxsight-assets` command: what a person does at a terminal rather than in the UI.

Modules of commands import at their heads only what `--help` needs; what a command works with is imported inside it.
"""

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from maxsight_assets.commands import export, history, look, metrics, space
from maxsight_assets.commands import plan as plans
from maxsight_assets.commands import raw as cli_raw
from maxsight_assets.commands import report as reports
from maxsight_assets.commands.answer import MOST_ROWS, AsJson, Quiet
from maxsight_assets.commands.context import DEBUG, complete_assets, dagster_home, err, out
from maxsight_assets.commands.context import loaded_settings as _settings
from maxsight_assets.commands.plan import Classes, Licences, MaxImages, Train, options_of, stated_fields
from maxsight_assets.commands.running import print_findings, run
from maxsight_assets.errors import NotReported, SettingsError, UnknownName

if TYPE_CHECKING:
    from maxsight_assets.pipeline.inspection import Told
    from maxsight_assets.settings import Settings


class Commands(TyperGroup):
    """The commands, each listed with the first clause of its description, which is never cut."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002  # Typer's form
        """Write the list of the commands."""
        helps = {name: " ".join((command.help or "").split()) for name, command in self.commands.items()}
        with formatter.section("Commands"):
            formatter.write_dl([(name, re.split(r"[:;(]|\. ", text)[0].rstrip(" .")) for name, text in helps.items()])


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Vision datasets for MaxSight: landed, verified, cleaned, split and kept fresh.",
)

Level = Annotated[
    Literal["names", "hashes", "decode"], typer.Option(help="How deep `verify coco` looks; each includes the former.")
]
AskUpstream = Annotated[
    bool,
    typer.Option(
        "--ask-upstream",
        help="Compare a COCO directory that was not landed here with the CRC-32s of the publisher's archives.",
    ),
]

Assets = Annotated[
    list[str] | None, typer.Argument(help="Names of assets; none for all.", autocompletion=complete_assets)
]


def _version(wanted: bool) -> None:  # Typer's form of a callback
    if wanted:
        from importlib.metadata import version

        typer.echo(f"maxsight-assets {version('maxsight-assets')}")
        raise typer.Exit


@app.callback()
def program(
    debug: Annotated[bool, typer.Option(DEBUG, help="Show the traceback of an error, too.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the release, and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Vision datasets for MaxSight: landed, verified, cleaned, split and kept fresh."""


@app.command(epilog="Example: maxsight-assets status")
def status(as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Say what is published, from which source, what its checks found, and whether it is fit to train on."""
    with _settings(writable=False) as settings:
        from maxsight_assets.commands import printing
        from maxsight_assets.places import Places
        from maxsight_assets.profiles import model as profiles

        profile, places = profiles.of(settings), Places.of(settings)
        rows = printing.published(profile, places)
        told = _recorded(settings, [row.asset for row in rows if row.data_version])
        there = [row.asset for row in rows if row.data_version]
        if as_json:
            here = {"profile": settings.profile, "data_dir": settings.data_dir}
            wrong = [each for each in told if each.is_error]
            printed = [
                here | asdict(row) | {"errors": [each.rule for each in wrong if each.asset == row.asset]}
                for row in rows
            ]
            typer.echo(json.dumps(printed, indent=2, default=str))
            return
        if not quiet:
            out.print(f"profile {settings.profile}, DATA_DIR {settings.data_dir}")
            apart = not places.splits.is_relative_to(places.data_dir)
            if apart:
                out.print(f"SPLITS_DIR {places.splits}")
            printing.print_published(out, rows, told)
        printing.conclude(out, told, published=there)


@app.command(epilog="Example: maxsight-assets materialize coco_raw cleaned_splits")
def materialize(
    assets: Assets = None,
    train: Train = None,
    max_images: MaxImages = None,
    classes: Classes = None,
    licences: Licences = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="Make evaluation sets and splits although nothing of theirs has changed.")
    ] = False,
) -> None:
    """Materialize assets in this process and say what they came to; the UI shows the run too.

    The options change the selection of one raw asset, and are stored with its version; `plan` says what they cost.
    """
    with _settings() as settings:
        options = options_of(train, max_images, classes, licences)
        if all(value is None for value in options.values()):
            raise typer.Exit(run(settings, assets or [], {}, anew=anew))
        if len(assets or []) != 1:
            raise SettingsError("--train, --max-images, --classes and --licences are about one raw asset; name just it")
        source, stated = stated_fields(settings, (assets or [])[0], options)
        raise typer.Exit(run(settings, [source.asset], {source.asset: stated}))


def _recorded(settings: "Settings", assets: list[str]) -> "list[Told]":
    """What was said last of what is published here; nothing if Dagster has no records, or none that can be read."""
    from maxsight_assets.commands.doctor import has_records

    if not has_records(dagster_home(settings, make=False)):
        return []
    from maxsight_assets.build import Log

    try:
        return Log(settings).verdicts(*assets)
    except NotReported as error:
        err.print(str(error), style="yellow")
        return []


def _record(settings: "Settings", told: "list[Told]") -> None:
    """Report verdicts to Dagster, so that the asset's page says the same; not if it has no records here."""
    from maxsight_assets.commands.doctor import has_records

    if not has_records(dagster_home(settings, make=False)):
        return
    from maxsight_assets.build import Log

    try:
        for asset in dict.fromkeys(each.asset for each in told):
            Log(settings).report_verdicts(asset, [each for each in told if each.asset == asset])
    except NotReported as error:
        err.print(f"Dagster does not know of these verdicts: {error}", style="yellow")


@app.command(epilog="Example: maxsight-assets verify cleaned_splits --rule evaluation_is_unseen")
def verify(
    assets: Assets = None,
    as_json: AsJson = False,
    level: Level = "hashes",
    ask_upstream: AskUpstream = False,
    rule: Annotated[str | None, typer.Option("--rule", help="Only this rule; says also what it looked at.")] = None,
) -> None:
    """Check what is published against every rule; exit status 1 where a rule of severity error fails.

    `verify coco [DIRECTORY]` checks any directory that looks like COCO 2017, landed here or not.
    """
    with _settings(writable=False) as settings:
        if assets and assets[0] == "coco":
            root = Path(assets[1]) if assets[1:] else None
            raise typer.Exit(
                cli_raw.verify_coco(settings, root, level=level, as_json=as_json, ask_upstream=ask_upstream)
            )
        from maxsight_assets.commands import printing
        from maxsight_assets.pipeline import inspection
        from maxsight_assets.places import Places
        from maxsight_assets.profiles import model as profiles

        profile = profiles.of(settings)
        if rule is not None:
            known = {each.name for inspected in inspection.of_profile(profile) for each in inspected.rules}
            if rule not in known:
                raise UnknownName("rule", rule, sorted(known))
        told = inspection.verify(profile, Places.of(settings), assets or [], rule=rule)
        _record(settings, told)
        if as_json:
            typer.echo(json.dumps([asdict(each) for each in told], indent=2))
            raise typer.Exit(1 if any(each.is_error for each in told) else 0)
        for each in told if rule else ():
            held = "holds" if each.passed else "does not hold"
            out.print(f"{each.asset}.{rule} {held}: {each.checked:,} looked at, {each.offenders:,} offend")
        printing.print_verdicts(out, profile, told)
        if rule:
            raise typer.Exit(1 if any(each.is_error for each in told) else 0)
        raise typer.Exit(printing.conclude(out, told))


@app.command("verify-coco", epilog="Example: maxsight-assets verify-coco ~/datasets/coco --level decode")
def verify_coco(
    directory: Annotated[Path | None, typer.Argument(help="The directory; none for the landed one.")] = None,
    as_json: AsJson = False,
    level: Level = "hashes",
    ask_upstream: AskUpstream = False,
) -> None:
    """Check any directory that looks like COCO 2017, landed here or not; `verify coco DIRECTORY` is the same."""
    with _settings(writable=False) as settings:
        raise typer.Exit(
            cli_raw.verify_coco(settings, directory, level=level, as_json=as_json, ask_upstream=ask_upstream)
        )


@app.command(epilog="Example: maxsight-assets explain coco/301837")
def explain(
    image_id: Annotated[
        str,
        typer.Argument(
            metavar="IMAGE", help="The publisher's id, <source>/<id>, a file's name or path, or the id in a split."
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Tell an image's story: where it came from, what became of it and its boxes by which rule, its group and split."""
    with _settings(writable=False) as settings:
        from maxsight_assets.commands.explain import explain as tell
        from maxsight_assets.places import Places
        from maxsight_assets.profiles import model as profiles

        stories = tell(image_id, profiles.of(settings), Places.of(settings))
        if as_json:
            typer.echo(json.dumps([asdict(story) for story in stories], indent=2))
            return
        for story in stories:
            out.print(story.image)
            for name, text in story.facts.items():
                out.print(f"  {name:18}{text}")
            for text in story.boxes[:MOST_ROWS]:
                out.print(f"  {text}")
            if len(story.boxes) > MOST_ROWS:
                out.print(f"  ... and {len(story.boxes) - MOST_ROWS:,} more boxes; --json has them")


@app.command(epilog="Example: maxsight-assets doctor --fix")
def doctor(
    as_json: AsJson = False,
    fix: Annotated[bool, typer.Option("--fix", help="First do what is safe: end dead runs, free their slots.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Only what takes no time, and print only problems.")] = False,
) -> None:
    """Look for what would spoil a landing, or does already; exit status 1 if anything does. Creates nothing."""
    with _settings(writable=False) as settings:
        from maxsight_assets.commands import doctor as doctors

        home = dagster_home(settings, make=False)
        for line in doctors.mend(home) if fix else ():
            err.print(f"fixed: {line}")
        findings = doctors.drives(settings, home) if quick else doctors.examine(settings, home)
        problems = [finding for finding in findings if finding.level != "OK"]
        if as_json:
            typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
        else:
            print_findings(problems if quick else findings)
        raise typer.Exit(1 if problems else 0)


@app.command(epilog="Example: maxsight-assets tidy")
def tidy() -> None:
    """Clear away old runs, logs of ticks, drawn worlds and unfinished landings; what is landed stays."""
    with _settings() as settings:
        from maxsight_assets import build
        from maxsight_assets.commands import doctor as doctors

        home = dagster_home(settings, make=False)
        if not doctors.has_records(home):
            raise SettingsError(f"DAGSTER_HOME={home}: Dagster has kept no records there; set DAGSTER_HOME")
        with build.opened_instance(home) as instance:
            out.print(str(build.tidy(settings, instance, budget_s=float("inf"))))


@app.command(epilog="Example: maxsight-assets init, then edit maxsight.toml")
def init() -> None:
    """Write maxsight.toml here: the settings of every command that is given in this directory or below."""
    with _settings(writable=False) as settings:
        from maxsight_assets.values import PROJECT_FILE

        path = Path.cwd() / PROJECT_FILE
        lines = [f"profile = {json.dumps(settings.profile)}", f"data_dir = {json.dumps(str(settings.data_dir))}"]
        try:
            with path.open("x", encoding="utf-8") as stream:
                note = "# Environment variables stand above these; secrets belong there only."
                stream.write("\n".join([note, *lines, ""]))
        except OSError as error:
            raise SettingsError(f"{path}: cannot be made ({error.strerror}); edit or delete it") from None
        out.print(f"{path}: {', '.join(lines)}")


@app.command(epilog="Example: maxsight-assets touch coco, then watch the UI")
def touch(
    dataset: Annotated[str, typer.Argument(help="coco or openimages.")] = "coco",
    back: Annotated[bool, typer.Option("--back", help="Return to the first edition.")] = False,
) -> None:
    """Change a file of the embedded upstream, so that a refresh can be watched."""
    with _settings() as settings:
        from maxsight_assets import sample
        from maxsight_assets.places import Places
        from maxsight_assets.profiles import model as profiles

        if profiles.of(settings).upstream != "embedded":
            raise SettingsError(
                f"MAXSIGHT_PROFILE={settings.profile}: only the sample's embedded upstream can be changed"
            )
        try:
            said = sample.touch(Places.of(settings), dataset, back=back)
        except ValueError as error:
            raise SettingsError(str(error)) from None
        out.print(said)


app.add_typer(plans.app)
app.add_typer(look.app)
app.add_typer(history.app)
app.add_typer(space.app)
app.add_typer(cli_raw.app)
app.add_typer(export.app, name="export")
app.add_typer(reports.app)
app.add_typer(metrics.app)

if __name__ == "__main__":
    app()
