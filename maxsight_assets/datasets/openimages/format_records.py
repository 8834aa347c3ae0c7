"""Read the records of Open Images' image metadata: quoted CSV, columns found by name, fields of each record counted.

A block of the file is held at a time, and of it only what is asked for. What the columns mean is in `openimages`.
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
import pyarrow as pa
from pyarrow import csv

from maxsight_assets.datasets.openimages.format_csv import header_of, id_fault, id_frame
from maxsight_assets.errors import FormatError

BLOCK_BYTES = 1 << 20
"""Bytes that are read at a time; no record can be longer. Published records are shorter than 2 kB."""

TOGETHER = 32
"""Blocks that are looked through at a time: to look for a million ids takes about as long in one as in all of these."""

SHOWN = 200
"""Characters of a library's error that are passed on: some quote the file from the fault to its end."""


class _Misfits:
    """Records that have not as many fields as the header; pyarrow hands them over instead of reading them.

    `endless` is the number of the one that took the rest of the file for itself.
    """

    def __init__(self) -> None:
        self.rows: list[tuple[int, str, str]] = []
        self.endless: int | None = None

    def __call__(self, row: csv.InvalidRow) -> Literal["skip"]:
        reason = "more fields" if row.actual_columns > row.expected_columns else "fewer fields"
        image_id = row.text[:SHOWN].split(",", 1)[0].strip().strip('"')
        self.rows.append((row.number, image_id, f"{reason} than the header"))
        if row.text.count('"') % 2 and "\n" in row.text.strip():
            self.endless = row.number
        return "skip"


def collect_images(
    path: Path, columns: Sequence[str], *, image_ids: Collection[str] | pl.Series | None, where: pl.Expr | None = None
) -> pl.DataFrame:
    """Read some columns of some records of an image-metadata CSV.

    Args:
        path: The CSV.
        columns: Names in the header, `ImageID` apart.
        image_ids: Images to keep; None keeps all.
        where: Sound records to keep, of which the columns are then no more needed; all where None.

    Returns:
        The columns as text (null if empty), `image_id`, `line` (records counted from 1, the header being 1), and
        `reason` (null if the record is sound); sound records in the order of the file, then the others.

    Raises:
        FormatError: The header lacks columns, a quote does not close, a record is longer than `BLOCK_BYTES`, or
            something is no UTF-8.
    """
    header = header_of(path, ("ImageID", *columns))
    wanted = None if image_ids is None else id_frame(image_ids)
    misfits = _Misfits()
    count = 0
    parts = [pl.DataFrame(schema=dict.fromkeys(("image_id", *columns, "reason"), pl.String) | {"row": pl.UInt32})]
    blocks = _blocks(path, header, ["ImageID", *columns], misfits)
    while some := list(islice(blocks, TOGETHER)):
        block = pl.concat(some)
        rows = block.rename({"ImageID": "image_id"}).with_row_index("row", count)
        count += block.height
        rows = rows if wanted is None else rows.join(wanted, on="image_id", how="semi", maintain_order="left")
        rows = rows.with_columns(pl.when(pl.col(name) != "").then(name) for name in ("image_id", *columns))
        rows = rows.with_columns(reason=id_fault())
        parts.append(rows if where is None else rows.filter(pl.col("reason").is_not_null() | where).drop(columns))
    if misfits.endless:
        raise FormatError(f"{path.name}: record {misfits.endless}: a quote does not close")
    numbers = np.setdiff1d(
        np.arange(count + len(misfits.rows)) + 2, [number for number, _, _ in misfits.rows], assume_unique=True
    )
    broken = pl.DataFrame(
        misfits.rows, schema={"line": pl.Int64, "image_id": pl.String, "reason": pl.String}, orient="row"
    )
    if wanted is not None:
        broken = broken.join(wanted, on="image_id", how="semi", maintain_order="left")
    found = pl.concat(parts, how="diagonal").with_columns(
        line=pl.lit(pl.Series(numbers, dtype=pl.Int64)).gather(pl.col("row"))
    )
    return pl.concat([found.drop("row"), broken], how="diagonal")


def _blocks(path: Path, header: Sequence[str], columns: Sequence[str], misfits: _Misfits) -> Iterator[pl.DataFrame]:
    """Yield the sound records, a block at a time."""
    try:
        with csv.open_csv(
            path,
            read_options=csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES, column_names=header, skip_rows=1),
            parse_options=csv.ParseOptions(
                newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=misfits
            ),
            convert_options=csv.ConvertOptions(
                include_columns=columns, column_types=dict.fromkeys(columns, pa.string())
            ),
        ) as reader:
            for batch in reader:
                yield pl.DataFrame(pl.from_arrow(batch))
    except pa.ArrowInvalid as error:
        raise FormatError(
            f"{path.name}: not a CSV of image metadata, or a quote does not close, or a record has more than "
            f"{BLOCK_BYTES:,} bytes: {str(error)[:SHOWN]}"
        ) from None
