"""The rules that an export must keep before it is put into place, judged by the written files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from maxsight_assets import verdict
from maxsight_assets.errors import NotPublished
from maxsight_assets.export.version import Version
from maxsight_assets.labels.assistive import SMALLEST_SIDE
from maxsight_assets.verdict import Found, Rule, rule

_TOLERANCE_PX = 0.002
"""Largest difference of a box: in a split it may cross the picture's edge by 0.001 px, in an export it may not."""

BOXES = pl.Schema(
    {"path": pl.String, "class": pl.Int64, "cx": pl.Float64, "cy": pl.Float64, "cw": pl.Float64, "ch": pl.Float64}
)
"""Schema of the boxes read back from an export: those of an image in their order, `path` as in the splits."""

_MISTAKE = "This is a mistake in MaxSight Assets; report it."


@dataclass(frozen=True, slots=True)
class ExportView:
    """An export, read back from its files.

    Attributes:
        version: The splits that were exported.
        image_root: The directory that holds the images.
        boxes: BOXES table of each split.
        records: Number of lines or files that were read.
        faults: The faults of their format, one sentence each.
    """

    version: Version
    image_root: Path
    boxes: Mapping[str, pl.DataFrame]
    records: int
    faults: tuple[str, ...]


@rule(_MISTAKE, severity="error", blocking=True)
def records_keep_the_form(view: ExportView) -> Found:
    """Every line and file has the form that its reader asks for."""
    return Found(view.faults, max(view.records, len(view.faults)))  # a file may have faults beside its lines


@rule(_MISTAKE, severity="error", blocking=True)
def boxes_are_those_of_the_splits(view: ExportView) -> Found:
    """Every image has the boxes and labels that it has in its split, in the same order."""
    offenders: list[str] = []
    checked = 0
    for name, split in view.version.splits.items():
        numbers = {label: number for number, label in enumerate(view.version.labels)}
        sizes = split.images.select("path", "width", "height", image="id")
        expected = _numbered(split.boxes.join(sizes, on="image", how="left", maintain_order="left")).with_columns(
            number=pl.col("label").replace_strict(numbers, return_dtype=pl.Int64)
        )
        both = expected.join(_numbered(view.boxes[name]), on=["path", "place"], how="full", coalesce=True)
        wrong = both.filter(~_is_same().fill_null(value=False))
        offenders.extend(wrong.select(pl.format(f"{name}: {{}}, box {{}}", "path", pl.col("place") + 1)).to_series())
        checked += both.height
    return Found(offenders, checked)


@rule(
    "Materialize or repair the raw asset, or name the directory that holds the images.", severity="error", blocking=True
)
def image_paths_resolve(view: ExportView) -> Found:
    """Every image is a file below the root of the images."""
    paths = [path for split in view.version.splits.values() for path in split.images["path"]]
    return Found([f"{view.image_root / path}" for path in paths if not (view.image_root / path).is_file()], len(paths))


RULES: tuple[Rule[ExportView], ...] = (image_paths_resolve, records_keep_the_form, boxes_are_those_of_the_splits)


def require(view: ExportView) -> None:
    """Judge an export.

    Raises:
        NotPublished: It breaks a rule; the text names the first offenders.
    """
    verdicts = verdict.run(RULES, view)
    failed = [each for each in verdicts if not each.passed]
    if failed:
        raise NotPublished(f"not exported: {verdict.in_words(failed)}", verdicts)


def _numbered(boxes: pl.DataFrame) -> pl.DataFrame:
    """Return the boxes with their position among the boxes of their image."""
    return boxes.with_columns(place=pl.int_range(pl.len()).over("path"))


def _is_same() -> pl.Expr:
    """Return whether a box that was read back is the box of the split."""
    parts = [pl.col("class") == pl.col("number")]
    for start, length, side, center, share in (("x", "w", "width", "cx", "cw"), ("y", "h", "height", "cy", "ch")):
        size = pl.col(side)
        middle = pl.col(start) + pl.col(length) / 2
        expected_length = pl.col(length).clip(size * SMALLEST_SIDE, size)
        parts.append((pl.col(center) * size - middle).abs() <= _TOLERANCE_PX)
        parts.append((pl.col(share) * size - expected_length).abs() <= _TOLERANCE_PX)
    return pl.all_horizontal(parts)
