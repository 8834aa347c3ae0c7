"""What a selection would cost, before a byte moves; and the options that state one in short."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from maxsight_assets.commands.answer import Answer, AsJson, give, size
from maxsight_assets.commands.context import complete_assets, loaded_settings

if TYPE_CHECKING:
    from maxsight_assets.datasets.source import Source
    from maxsight_assets.pipeline.stated import Options
    from maxsight_assets.settings import Settings

app = typer.Typer()

Train = Annotated[int | None, typer.Option("--train", help="Largest number of images of the training split.")]
MaxImages = Annotated[int | None, typer.Option("--max-images", help="Largest number of images in all.")]
Classes = Annotated[str | None, typer.Option("--classes", help="Publisher's classes, between commas: Door,Window.")]
Licences = Annotated[str | None, typer.Option("--licences", help="Licences, between commas, as the field has them.")]


def options_of(train: int | None, max_images: int | None, classes: str | None, licences: str | None) -> "Options":
    """Return what the options of a command state; lists are between commas, and an empty text is an empty list."""

    def parts(text: str | None) -> list[str] | None:
        return None if text is None else [part.strip() for part in text.split(",") if part.strip()]

    return {"train": train, "max_images": max_images, "classes": parts(classes), "licences": parts(licences)}


@app.command(epilog="Example: maxsight-assets plan openimages_subset --train 50000")
def plan(
    asset: Annotated[str, typer.Argument(help="Name of a raw asset.", autocompletion=complete_assets)] = "coco_raw",
    train: Train = None,
    max_images: MaxImages = None,
    classes: Classes = None,
    licences: Licences = None,
    as_json: AsJson = False,
) -> None:
    """Tell what a landing would fetch before a byte moves: images, bytes, requests, room on the disk."""
    with loaded_settings(writable=False) as settings:
        from maxsight_assets.commands.raw import asked_upstream
        from maxsight_assets.datasets.selection import with_stated
        from maxsight_assets.pipeline.plan import plan as planned
        from maxsight_assets.pipeline.raw import selection_of
        from maxsight_assets.places import Places

        options = options_of(train, max_images, classes, licences)
        source, stated = stated_fields(settings, asset, options)
        places = Places.of(settings)
        target = places.data_dir / source.directory
        with asked_upstream(settings, source.asset) as (upstream, default):
            present = selection_of(source, target, default=default, stated={})
            found = planned(source, upstream, places.data_dir, with_stated(present, stated))
        rows = [
            (each.split, each.published, each.landed, each.asked, each.new, size(each.bytes or 0))
            for each in found.splits
        ]
        room = "not known before the publisher's lists are landed" if found.room is None else size(found.room)
        calls = f"{found.requests:,} requests at most" if found.requests is not None else "ranges of the archives"
        said = [f"{source.asset}: numbers are bounds; choosing by class or licence makes them smaller"]
        fits = "" if found.room is None or found.room < found.free else "; that does not fit"
        hints = [
            f"annotation files and lists to fetch: {size(found.tables)}; images come by {calls}",
            f"room needed: {room}, free: {size(found.free)}{fits}",
            f"land it: maxsight-assets materialize {source.asset}{_again(train, max_images, classes, licences)}",
        ]
        columns = ("split", "published", "landed", "asked at most", "to fetch", "about")
        give(Answer(columns, rows, said, hints), as_json=as_json)


def stated_fields(settings: "Settings", asset: str, options: "Options") -> "tuple[Source, dict[str, Any]]":
    """Return a dataset, and the fields of its selection that the options change."""
    from maxsight_assets.pipeline import stated
    from maxsight_assets.profiles import model as profiles

    profile = profiles.of(settings)
    source = stated.raw_source(profile, asset)
    target = settings.data_dir / source.directory
    return source, stated.fields_of(source, target, profile.selections[source.dataset], options)


def _again(train: int | None, max_images: int | None, classes: str | None, licences: str | None) -> str:
    """Return the options as the user typed them."""
    values = {"--train": train, "--max-images": max_images, "--classes": classes, "--licences": licences}
    return "".join(f" {name} {_quoted(value)}" for name, value in values.items() if value is not None)


def _quoted(value: object) -> str:
    text = str(value)
    return f"'{text}'" if " " in text or not text else text
