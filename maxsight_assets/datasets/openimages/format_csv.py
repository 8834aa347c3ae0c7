"""Read the rows of Open Images' bounding-box CSVs: the sound ones, and the faults of the others.

Lines are never held all at once; a field is text unless its column is a number. `format` interprets the rows.
"""

import csv
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import polars as pl

from maxsight_assets.errors import FormatError

REJECTED = pl.Schema(
    {"line": pl.Int64, "image_id": pl.String, "box_id": pl.String, "label": pl.String, "reason": pl.String}
)
"""Schema of rows that were set aside; `line` counts from 1, the header being line 1. Ids and label may be null."""


@dataclass(frozen=True, slots=True)
class SetAside:
    """The number of rows of a file that were set aside, and the reasons.

    Attributes:
        rows: Number of rows that were read, including sound ones.
        reasons: Where the first row of a reason is ("line 7"), how many there are, and the reason, in the file's order.
    """

    rows: int
    reasons: tuple[tuple[str, int, str], ...] = ()

    @property
    def count(self) -> int:
        """Return the number of rows that were set aside."""
        return sum(count for _, count, _ in self.reasons)


BLANK = "a blank row"
"""The reason for rows that hold nothing, and so are not records."""

COORDINATES: Mapping[str, str] = MappingProxyType({"XMin": "x_min", "XMax": "x_max", "YMin": "y_min", "YMax": "y_max"})
"""Columns that hold shares of the picture's width or height, and their names in our tables."""

FLAGS: Mapping[str, str] = MappingProxyType(
    {
        "IsGroupOf": "crowd",
        "IsOccluded": "occluded",
        "IsTruncated": "truncated",
        "IsDepiction": "depiction",
        "IsInside": "inside",
    }
)
"""Columns that hold 1, 0 or -1 (unknown), and their names in our tables; editions before V4 lack them."""

MID = r"^/[a-z]/\w+$"
"""A machine id of the Knowledge Graph: "/m/01g317"."""

_MAX_ID = 255  # bytes; an id becomes a file name, and common file systems take no more
_MAX_HEADER = 65_536
_EXCESS = "\0"  # no column can have this name


def header_of(path: Path, required: Iterable[str]) -> list[str]:
    """Return the column names in the first line of a CSV.

    Raises:
        FormatError: A required column is missing, a name occurs twice, or the line is not CSV.
    """
    with path.open("rb") as file:
        line = file.readline(_MAX_HEADER).decode("utf-8-sig", "replace")
    try:
        header = next(csv.reader([line.rstrip("\r\n")]), [])
    except csv.Error as error:
        raise FormatError(f"{path.name}: the header cannot be read ({error}); it begins {line[:80]!r}") from None
    missing = ", ".join(name for name in required if name not in header)
    if missing or len(set(header)) < len(header):
        problem = f"lacks {missing}" if missing else "names a column twice"
        raise FormatError(f"{path.name}: the header {problem}; it begins {line[:80]!r}")
    return header


def collect_boxes(
    path: Path, query: Callable[[pl.LazyFrame], pl.LazyFrame], *, mids: Collection[str] | None = None
) -> pl.DataFrame:
    """Run a query on the rows of a bounding-box CSV.

    Args:
        path: The CSV.
        query: Gets a frame with the columns `line`, `image_id`, `mid`, the values of `COORDINATES` (float64) and
            `FLAGS` (int8, null if the file lacks the column), `annotator` (text, column `Source`, the same), and
            `reason` (null if the row is sound).
        mids: Leave out lines that mention none of these anywhere; where few match, that is most of the work.

    Raises:
        FormatError: The header lacks columns; the text names them.
    """
    header = header_of(path, ("ImageID", "LabelName", *COORDINATES))
    return query(_rows(_lines(path, mids), header)).collect(engine="streaming")


def id_frame(image_ids: Collection[str] | pl.Series) -> pl.DataFrame:
    """Return image ids as a frame to join with."""
    ids = image_ids if isinstance(image_ids, pl.Series) else pl.Series(sorted(image_ids), dtype=pl.String)
    return ids.unique().to_frame("image_id")


def id_fault() -> pl.Expr:
    """Return the reason why a row's `image_id` is not valid; null if it is."""
    image_id = pl.col("image_id")
    return (
        pl.when(image_id.is_null() | (image_id.str.strip_chars() == ""))
        .then(pl.lit("no ImageID"))
        .when(image_id.str.len_bytes() > _MAX_ID)
        .then(pl.lit(f"an ImageID of more than {_MAX_ID} bytes"))
    )


def _lines(path: Path, mids: Collection[str] | None) -> pl.LazyFrame:
    """Return the lines after the header: columns `line` (counted from 1, the header being 1) and `text`."""
    lines = pl.scan_csv(
        path,
        schema={"text": pl.String},
        has_header=False,
        skip_rows=1,
        separator="\0",  # occurs in no line, so a line is one field
        quote_char=None,  # these files quote nothing, and a stray quote must not swallow the lines after it
        truncate_ragged_lines=True,  # but in a broken one; what is left of it is judged
        extra_columns="ignore",
        encoding="utf8-lossy",  # what is no text makes its row broken, not the file
        row_index_name="row",
    )
    if mids is not None:
        lines = lines.filter(
            pl.col("text").str.contains_any(pl.lit(pl.Series(sorted(mids), dtype=pl.String)).implode())
        )
    return lines.select("text", line=pl.col("row").cast(pl.Int64) + 2)


def _rows(lines: pl.LazyFrame, header: list[str]) -> pl.LazyFrame:
    """Return the lines split into fields, with the fault of each."""
    fields = pl.col("text").str.split_exact(",", len(header)).struct.rename_fields([*header, _EXCESS])
    numbers = dict.fromkeys(COORDINATES, pl.Float64) | {name: pl.Int8 for name in FLAGS if name in header}
    rows = lines.select("text", "line", fields=fields).unnest("fields")
    return (
        rows.rename({"ImageID": "image_id", "LabelName": "mid"})
        .with_columns(  # what is no number becomes null, which `_fault` names
            pl.col(name).str.strip_chars(" ").cast(kind, strict=False) for name, kind in numbers.items()
        )
        .select(
            "line",
            "image_id",
            "mid",
            reason=_fault(header),
            annotator=pl.col("Source") if "Source" in header else pl.lit(None, pl.String),
            **{ours: pl.col(theirs) for theirs, ours in COORDINATES.items()},
            **{ours: pl.col(name) if name in header else pl.lit(None, pl.Int8) for name, ours in FLAGS.items()},
        )
    )


def _fault(header: list[str]) -> pl.Expr:
    """Return the reason why a row cannot be used; null if it can."""
    blank = pl.col("text").str.strip_chars(",").fill_null("") == ""
    faults = [
        pl.when(pl.col(_EXCESS).is_not_null()).then(pl.lit("more fields than the header")),
        pl.when(blank).then(pl.lit(BLANK)),
        id_fault(),
    ]
    is_mid = pl.col("mid").str.contains(MID).fill_null(value=False)
    faults.append(pl.when(~is_mid).then(pl.lit("LabelName is no MID")))
    for name in COORDINATES:
        is_share = pl.col(name).is_between(0, 1).fill_null(value=False)
        faults.append(pl.when(~is_share).then(pl.lit(f"{name} is no number in 0..1")))
    for name in (each for each in FLAGS if each in header):
        is_flag = pl.col(name).is_between(-1, 1).fill_null(value=False)
        faults.append(pl.when(~is_flag).then(pl.lit(f"{name} is neither 1, 0 nor -1")))
    return pl.coalesce(faults)
