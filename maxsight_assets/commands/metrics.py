"""Commands about detections: their metrics, and the conversion of a predictions document."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from maxsight_assets.commands.answer import Answer, AsJson, give
from maxsight_assets.commands.context import err, loaded_settings, out
from maxsight_assets.errors import LandingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from maxsight_assets.evaluation.results import Standing

app = typer.Typer()
_EXAMPLE = "Example: maxsight-assets detections convert p.json --set coco_val2017 --out r.json"
detections = typer.Typer(no_args_is_help=True, help="Turn detections from one form into another.", epilog=_EXAMPLE)
app.add_typer(detections, name="detections")


@app.command(epilog="Example: maxsight-assets metrics --condition amd --against glaucoma")
def metrics(
    condition: Annotated[str | None, typer.Option(help="Only detections of this condition.")] = None,
    evaluated: Annotated[str | None, typer.Option("--set", help="Only this evaluation set.")] = None,
    against: Annotated[str | None, typer.Option(help="Compare with the detections of this condition, too.")] = None,
    engine: Annotated[
        Literal["hotcoco", "pycocotools"] | None,
        typer.Option(help="Evaluate the kept detections anew with this program; takes minutes with pycocotools."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print what the page of detection_metrics shows: the metrics of every detections file, and which drop is real."""
    with loaded_settings(writable=False) as settings:
        from maxsight_assets.evaluation.results import read_standings
        from maxsight_assets.pipeline import metrics as pipeline
        from maxsight_assets.places import Places

        places = Places.of(settings)
        every = read_standings(places.results)
        chosen = [
            each for each in every.values() if condition in {None, each.condition} and evaluated in {None, each.set}
        ]
        if not chosen:
            raise LandingError(
                f"no metrics {'of these ' if every else ''}in {places.results}; put detections at "
                f"{places.detections}/<condition>/<set>.json, then materialize {pipeline.METRICS_ASSET}"
            )
        chosen = [pipeline.compared_anew(places, each, every, to=against) for each in chosen] if against else chosen
        chosen = [pipeline.evaluated_anew(places, each, engine=engine) for each in chosen] if engine else chosen
        if as_json:
            typer.echo(json.dumps([asdict(each) for each in chosen], indent=2))
            return
        give(_answer(chosen, pipeline.waiting(places, every)), everything=True)


@detections.command(epilog=_EXAMPLE)
def convert(
    file: Annotated[Path, typer.Argument(help="A predictions document of MaxSight's inference run.")],
    evaluated: Annotated[str, typer.Option("--set", help="The evaluation set that the detector was run on.")],
    out_file: Annotated[Path, typer.Option("--out", help="The file to write, in COCO's form.")],
) -> None:
    """Turn MaxSight's predictions into COCO results; exit status 1 if some are of no image of the set."""
    with loaded_settings(writable=False) as settings:
        from maxsight_assets.evaluation.detections import convert_file
        from maxsight_assets.pipeline.metrics import named_set
        from maxsight_assets.places import Places

        converted = convert_file(file, named_set(Places.of(settings), evaluated))
        out_file.write_text(json.dumps(list(converted.detections.results())), encoding="utf-8")
        out.print(f"{out_file}: {converted.detections.count:,} detections")
        for stem, count in converted.unmatched.items():
            err.print(f"{stem}: no image of {evaluated}; {count:,} detections left out", style="yellow")
        raise typer.Exit(1 if converted.unmatched else 0)


_SHOWN = ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large", "AR_100")


def _answer(standings: "Sequence[Standing]", waiting: "Sequence[str]") -> Answer:
    """Return a row a file; below, what differs and what needs the user."""
    rows = [
        (each.name, each.state, *(f"{each.result.numbers[name]:.4f}" if each.result else "" for name in _SHOWN))
        for each in standings
    ]
    more = [line for each in standings for line in _more(each)]
    asks = [f"{name}: not evaluated yet: maxsight-assets materialize detection_metrics" for name in waiting]
    return Answer(("condition/set", "state", *_SHOWN), rows, hints=[*more, *asks])


def _more(standing: "Standing") -> "Iterator[str]":
    result = standing.result
    for other in result.comparisons if result else ():
        yield f"{standing.name}: {other.text}; smallest drop that shows: {other.smallest:.4f}"
    if result and result.open_images is not None:
        yield f"{standing.name}: mean AP by Open Images' own rules: {result.open_images:.4f}"
    for name, (images, value) in result.slices.items() if result else ():
        yield f"{standing.name}: {name}: AP {value:.4f} ({images:,} images)"
    for fault in standing.faults:
        yield f"{standing.name}: {fault}"
    if standing.state == "gone":
        yield f"{standing.name}: its file was deleted; its last good numbers and its history are kept"
