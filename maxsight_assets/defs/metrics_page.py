"""Make what the page of `detection_metrics` shows: tables over conditions and sets, curves, and numbers to plot."""

from pathlib import Path

import dagster as dg
import polars as pl

from maxsight_assets.defs.metadata import Metadata, chart, picture, table
from maxsight_assets.evaluation import results
from maxsight_assets.evaluation.metrics import NUMBERS
from maxsight_assets.evaluation.results import Standing
from maxsight_assets.pipeline.metrics import Evaluated

HISTORY_ROWS = 100
"""Evaluations that the page lists; `history.parquet` has all."""

SHADED, SUSPECTS_SHOWN = 16, 12
"""Labels of the confusion table, and images of the contact sheet; their files have all."""


def in_words(standing: Standing) -> str:
    """Return what is true of a detections file, in one line."""
    result = standing.result
    kept = f"; the last good AP, {result.numbers['AP']:.4f}, stays" if result else ""
    if standing.state == "gone":
        return f"{standing.name}: its file was deleted{kept}, and so does its history"
    if standing.state == "unfit":
        return f"{standing.name}: {standing.fault_count:,} records do not fit ({standing.faults[0]}){kept}"
    return f"{standing.name}: AP {result.numbers['AP']:.4f}" if result else standing.name


def of_metrics(made: Evaluated, root: Path) -> Metadata:
    """Return the numbers of every detections file; each headline is a plain float, which the UI plots over time."""
    standings = list(made.standings.values())
    scored = [(each, each.result) for each in standings if each.result is not None]
    current = [(each, result) for each, result in scored if each.state == "evaluated"]
    return {
        "path": dg.MetadataValue.path(str(root)),
        "dagster/row_count": dg.MetadataValue.int(len(scored)),
        **{f"AP {each.name}": dg.MetadataValue.float(result.numbers["AP"]) for each, result in current},
        "metrics": table(
            ("condition", "set", "state", *NUMBERS, "images", "detections", "evaluated at"),
            (
                (
                    *(each.condition, each.set, each.state),
                    *(round(result.numbers[name], 4) for name in NUMBERS),
                    *(result.images, result.detections, result.evaluated_at),
                )
                for each, result in scored
            ),
        ),
        "is it real": table(
            ("condition", "set", "against", "AP before", "AP", "difference", "low", "high", "smallest drop", "verdict"),
            (
                (
                    *(each.condition, each.set, other.to),
                    *(round(value, 4) for value in (other.before, other.after, other.value, other.low, other.high)),
                    *(round(other.smallest, 4), other.text.rpartition(": ")[2]),
                )
                for each, result in scored
                for other in result.comparisons
            ),
        ),
        "by Open Images' own rules": table(
            ("condition", "set", "mean AP"),
            (
                (each.condition, each.set, round(result.open_images, 4))
                for each, result in scored
                if result.open_images is not None
            ),
        ),
        "slices": table(
            ("condition", "set", "slice", "images", "AP"),
            (
                (each.condition, each.set, name, images, round(value, 4))
                for each, result in scored
                for name, (images, value) in result.slices.items()
            ),
        ),
        "what needs the user": dg.MetadataValue.text(
            "\n".join(in_words(each) for each in standings if each.state != "evaluated") or "nothing"
        ),
        "history": _history(root),
        **_of_newest(made, root),
    }


def _history(root: Path) -> dg.MetadataValue:
    newest = results.read_history(root).tail(HISTORY_ROWS)
    rows = newest.select("evaluated_at", "condition", "set", "AP", "AP50", "engine")
    return table(rows.columns, rows.with_columns(pl.col("AP", "AP50").round(4)).rows())


def _of_newest(made: Evaluated, root: Path) -> Metadata:
    """Return the pictures and the classes of the file that was evaluated last."""
    from maxsight_assets.images.charts import line_chart, shade_table

    scored = [each for each in made.standings.values() if each.result is not None]
    newest = max(scored, key=lambda each: each.result.evaluated_at if each.result else "", default=None)
    if newest is None:
        return {}
    curves = pl.read_parquet(root / newest.name / results.CURVES, memory_map=False)
    classes = pl.read_parquet(root / newest.name / results.CLASSES, memory_map=False)
    suspects = pl.read_parquet(root / newest.name / results.SUSPECTS, memory_map=False)
    confused = pl.read_parquet(root / newest.name / results.CONFUSED, memory_map=False)
    lines = {name: curves[name].to_list() for name in curves.columns[1:]}
    svg = line_chart(lines, across="recall", up="precision")
    return {
        "evaluated last": dg.MetadataValue.text(newest.name),
        "precision and recall": chart(svg, title="precision by recall"),
        "confused labels": chart(shade_table(*_shades(confused)), title="truth by row, detected as by column"),
        "labels to look at": picture(_sheet(suspects, root.parent), title="confident detections without a right box"),
        "label suspects": dg.MetadataValue.path(str(root / newest.name / results.SUSPECTS)),
        "AP by class": table(
            classes.columns,
            classes.sort("boxes", descending=True).with_columns(pl.col("AP", "AP50", "AR_100").round(4)).rows(),
        ),
    }


def _shades(confused: pl.DataFrame) -> tuple[list[str], dict[tuple[str, str], int]]:
    """Return the labels that are confused most, and how often each truth was detected as each of them."""
    wrong = confused.filter(pl.col("truth") != pl.col("label"))
    both = pl.concat([wrong.select("count", name="truth"), wrong.select("count", name="label")])
    names = both.group_by("name").agg(pl.col("count").sum()).sort("count", "name", descending=[True, False])["name"]
    shown = names.head(SHADED).to_list()
    kept = confused.filter(pl.col("truth").is_in(shown) & pl.col("label").is_in(shown))
    return shown, {(truth, label): count for truth, label, count in kept.iter_rows()}


def _sheet(suspects: pl.DataFrame, data_dir: Path) -> bytes:
    """Return a picture of the first suspects, one an image, each with its detected label."""
    from maxsight_assets.images.preview import contact_sheet

    first = suspects.unique("image", keep="first", maintain_order=True).head(SUSPECTS_SHOWN)
    boxes = first.select("x", "y", "w", "h").to_numpy().reshape(-1, 4)
    items = [
        (data_dir / image, boxes[row : row + 1], [label])
        for row, (image, label) in enumerate(first.select("image", "label").iter_rows())
    ]
    return contact_sheet(items)
