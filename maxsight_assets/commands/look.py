"""Commands that look into the published splits and evaluation sets: how much of what, and what was left out."""

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maxsight_assets.commands.answer import Answer, AsJson, Everything, Quiet, give
from maxsight_assets.commands.context import loaded_settings, out

if TYPE_CHECKING:
    from maxsight_assets.images.preview import Item
    from maxsight_assets.places import Places

app = typer.Typer()

SHEET = Path("sheet.jpg")
SHEET_IMAGES = 24

Rule = Annotated[str | None, typer.Option("--rule", help="Only what this cleaning rule did.")]


@app.command(epilog="Example: maxsight-assets count wheelchair")
def count(
    label: Annotated[str, typer.Argument(metavar="CLASS", help="The detector's word, as in a split.")],
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Count a class: images and boxes in each split and evaluation set, by the dataset that they come from."""
    with loaded_settings(writable=False) as settings:
        from maxsight_assets.datasets.registry import SOURCES
        from maxsight_assets.labels.mapping import rows
        from maxsight_assets.pipeline import contents
        from maxsight_assets.places import Places

        counts = contents.counts_of(Places.of(settings), label)
        said = [f"{label}: {counts['boxes'].sum():,} boxes"]
        for name in SOURCES:
            own = [row.label for row in rows(name) if row.name == label]
            said += [f"{name} calls it {', '.join(own)}"] if own and own != [label] else []
        pictures = [f"pictures: maxsight-assets show --class '{label}' --split train"] if counts["boxes"].sum() else []
        give(Answer(counts.columns, counts.rows(), said, pictures), as_json=as_json, quiet=quiet, everything=True)


@app.command("list", epilog="Example: maxsight-assets list --dropped --rule leaks_into_evaluation")
def listed(
    dropped: Annotated[bool, typer.Option("--dropped", help="Images and boxes that were left out.")] = False,
    repaired: Annotated[bool, typer.Option("--repaired", help="Those that were repaired.")] = False,
    rule: Rule = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    everything: Everything = False,
) -> None:
    """List what was dropped or repaired of the training data: by rule, or record by record if an option says which."""
    with loaded_settings(writable=False) as settings:
        import polars as pl

        from maxsight_assets.pipeline import contents
        from maxsight_assets.places import Places
        from maxsight_assets.splitting.build import reasons

        table = contents.ledger(Places.of(settings), rule=rule)
        if dropped != repaired:
            table = table.filter((pl.col("action") == "repair") == repaired)
        if not (dropped or repaired or rule):
            found = table.group_by("rule", "action", "kind").len("records").sort("records", "rule", descending=True)
            rows = [(*row, reasons()[row[0]]) for row in found.select("rule", "action", "kind", "records").iter_rows()]
            hints = ["which ones: maxsight-assets list --rule NAME; one image: maxsight-assets explain ID"]
            give(Answer(("rule", "action", "kind", "records", "why"), rows, (), hints), as_json=as_json, quiet=quiet)
            return
        name = pl.when(pl.col("kind") == "image").then(pl.format("{}/{}", "source", "image_id"))
        shown = table.sort(pl.col("kind") == "box", "rule", "source", "image_id", maintain_order=True).select(
            record=name.otherwise(pl.format("{}/{} box {}", "source", "image_id", "box_id")),
            action="action",
            rule="rule",
            found="before",
        )
        images = table.filter(kind="image").height
        said = [f"{images:,} images and {table.height - images:,} boxes"]
        said += [f"{rule}: {reasons()[rule]}"] if rule else []
        hints = [f"one of them: maxsight-assets explain {shown['record'][0].split()[0]}"] if shown.height else []
        answer = Answer(shown.columns, shown.rows(), said, hints)
        give(answer, as_json=as_json, quiet=quiet, everything=everything)


@app.command(epilog="Example: maxsight-assets licences")
def licences(as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Count images by licence in each split and evaluation set, and tell which may be used commercially."""
    with loaded_settings(writable=False) as settings:
        from maxsight_assets.pipeline import contents
        from maxsight_assets.places import Places
        from maxsight_assets.profiles import model as profiles

        table = contents.licences(Places.of(settings))
        terms = [f"{source.asset}: {source.catalog.licence}" for source in profiles.of(settings).sources]
        hints = [
            "`commercial` is what a licence's own text says; these terms stand beside it:",
            *terms,
            "who made each image: ATTRIBUTION.csv; to train on some licences only: cleaning.licences of cleaned_splits",
        ]
        give(Answer(table.columns, table.rows(), (), hints), as_json=as_json, quiet=quiet)


@app.command(epilog="Example: maxsight-assets show --class wheelchair --split val")
def show(
    image_id: Annotated[str | None, typer.Argument(metavar="IMAGE", help="As `explain` takes it.")] = None,
    label: Annotated[str | None, typer.Option("--class", help="Images with a box of this class.")] = None,
    split: Annotated[str, typer.Option("--split", help="Name of a split or evaluation set.")] = "train",
    rule: Rule = None,
    to: Annotated[Path, typer.Option("--out", "-o", help="The JPEG to write.")] = SHEET,
) -> None:
    """Write a contact sheet: one image, images of a class, or what a cleaning rule dropped, with boxes drawn."""
    with loaded_settings(writable=False) as settings:
        from maxsight_assets.errors import SettingsError
        from maxsight_assets.images.preview import contact_sheet
        from maxsight_assets.pipeline import contents
        from maxsight_assets.places import Places
        from maxsight_assets.profiles import model as profiles

        places = Places.of(settings)
        if image_id is not None:
            from maxsight_assets.commands.explain import explain

            shown = _of_image([story.path for story in explain(image_id, profiles.of(settings), places)], places)
        elif rule is not None:
            dropped = islice(contents.dropped_files(places, rule=rule), SHEET_IMAGES)
            shown = contents.plain([places.data_dir / path for path, _ in dropped])
        else:
            shown = contents.items(places, split, label=label, most=SHEET_IMAGES)
        if not shown:
            raise SettingsError("no picture: no image file on the disk is one of these")
        sheet = contact_sheet(shown, columns=min(4, len(shown)), cell=640 if len(shown) == 1 else 320)
        try:
            to.write_bytes(sheet)
        except OSError as error:
            raise SettingsError(f"{to}: {error.strerror}; choose another place with --out") from None
        out.print(f"{to}: {len(shown):,} images")


def _of_image(paths: "list[str | None]", places: "Places") -> "list[Item]":
    """Return the pictures of an image, with its boxes if a split or evaluation set holds it."""
    from maxsight_assets.pipeline import contents

    found = [path for path in paths if path]
    held = [item for name in contents.documents(places) for item in contents.items_at(places, name, found)]
    return held or contents.plain([places.data_dir / path for path in found if (places.data_dir / path).is_file()])


@app.command(epilog="Example: maxsight-assets browse --split val --out pictures")
def browse(
    split: Annotated[
        str | None,
        typer.Option("--split", help="A split or evaluation set; none for all, and what was dropped."),
    ] = None,
    most: Annotated[int, typer.Option("--most", help="Largest number of pictures of each.")] = 200,
    to: Annotated[Path, typer.Option("--out", "-o", help="The directory to write.")] = Path("browse"),
) -> None:
    """Write a page of pictures with their boxes, to be filtered by class, split, rule, licence and source."""
    with loaded_settings(writable=False) as settings:
        from maxsight_assets.errors import SettingsError
        from maxsight_assets.pipeline import gallery
        from maxsight_assets.places import Places

        try:
            count = gallery.write(Places.of(settings), to, split=split, most=most)
        except FileExistsError:
            raise SettingsError(f"{to}: holds other files; choose another place with --out") from None
        out.print(f"{count:,} pictures; open {(to / gallery.PAGE).absolute().as_uri()} in a browser")
