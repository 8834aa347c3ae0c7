"""What a command answers: sentences, one table and hints, for people, for scripts (`--json`) or bare (`--quiet`).

A command makes an `Answer` and gives it; how it looks is decided here alone. A table for people ends after `MOST_ROWS`
rows, so that no answer scrolls away; `--all` and `--json` show every row.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from maxsight_assets.commands.context import out

MOST_ROWS = 25

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only the first column.")]
Everything = Annotated[bool, typer.Option("--all", help="Print every row.")]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command answers.

    Attributes:
        columns: Names of the table's columns.
        rows: Its rows; whole numbers stand at the right.
        said: Sentences above the table.
        hints: Lines below it: what it comes to, and what to type next.
    """

    columns: Sequence[str] = ()
    rows: Sequence[Sequence[object]] = ()
    said: Sequence[str] = ()
    hints: Sequence[str] = ()


def give(answer: Answer, *, as_json: bool = False, quiet: bool = False, everything: bool = False) -> None:
    """Print an answer.

    Args:
        answer: The answer.
        as_json: As one JSON object: `said`, `rows` (each an object by column) and `hints`.
        quiet: Only the first column, every row.
        everything: Every row of the table; otherwise the first `MOST_ROWS`.
    """
    if as_json:
        rows = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
        value = {"said": list(answer.said), "rows": rows, "hints": list(answer.hints)}
        typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))
        return
    if quiet:
        for row in answer.rows:
            out.print(_text(row[0]))
        return
    for line in answer.said:
        out.print(line)
    shown = answer.rows if everything else answer.rows[:MOST_ROWS]
    for line in table(answer.columns, shown) if shown else ():
        out.print(line)
    if len(shown) < len(answer.rows):
        out.print(f"... and {len(answer.rows) - len(shown):,} more; --all prints them")
    for line in answer.hints:
        out.print(line)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterable[str]:
    """Return the lines of a table: texts at the left, whole numbers at the right."""
    numbers = [all(isinstance(row[place], int) or row[place] is None for row in rows) for place in range(len(columns))]
    cells = [list(columns), *([_text(cell) for cell in row] for row in rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(columns))]
    for row in cells:
        placed = (
            text.rjust(width) if number else text.ljust(width)
            for text, width, number in zip(row, widths, numbers, strict=True)
        )
        yield "  ".join(placed).rstrip()


def _text(cell: object) -> str:
    if cell is None:
        return ""
    return f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell)


def size(count: int) -> str:
    """Return a number of bytes as text: MB up to a GB, then GB."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"
