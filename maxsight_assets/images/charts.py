"""Line charts and tables of shades for the UI, as SVG that depends only on its arguments.

The paper is drawn, so that both read the same on a light page and on a dark one. Text is escaped, whatever it contains.
"""

from collections.abc import Mapping, Sequence
from html import escape

PAPER, INK, GRID = "#ffffff", "#141414", "#d0d0d0"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's, which people with a colour deficiency tell apart."""

_LEFT, _TOP, _RIGHT, _BOTTOM = 48, 12, 150, 36


def line_chart(
    lines: Mapping[str, Sequence[float]], *, across: str, up: str, width: int = 640, height: int = 320
) -> str:
    """Draw lines over shares from 0 to 1; a line with a negative value is left out, since it has no value.

    Args:
        lines: Values from 0 to 1 by name, at equal distances.
        across: What is shown from left to right.
        up: What is shown from bottom to top.
        width: Pixels.
        height: Pixels.

    Returns:
        An SVG document.
    """
    wide, high = width - _LEFT - _RIGHT, height - _TOP - _BOTTOM
    grid = [
        f'<path d="M{_LEFT} {y:.1f}h{wide}M{x:.1f} {_TOP}v{high}" stroke="{GRID}" fill="none"/>'
        f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{step / 5:.1f}</text>'
        f'<text x="{x:.1f}" y="{_TOP + high + 16}" text-anchor="middle">{step / 5:.1f}</text>'
        for step in range(6)
        for x, y in [(_LEFT + wide * step / 5, _TOP + high * (1 - step / 5))]
    ]
    drawn = {name: values for name, values in lines.items() if values and min(values) >= 0}
    paths = [
        f'<polyline points="{_points(values, wide, high)}" fill="none" stroke="{colour}" stroke-width="2"/>'
        f'<text x="{_LEFT + wide + 12}" y="{_TOP + 14 + 18 * row}" fill="{colour}">{escape(name)}</text>'
        for row, (name, values) in enumerate(drawn.items())
        for colour in [COLOURS[row % len(COLOURS)]]
    ]
    names = (
        f'<text x="{_LEFT + wide / 2}" y="{height - 4}" text-anchor="middle">{escape(across)}</text>'
        f'<text transform="translate(12 {_TOP + high / 2}) rotate(-90)" text-anchor="middle">{escape(up)}</text>'
    )
    return _document(width, height, "".join([*grid, names, *paths]))


def shade_table(names: Sequence[str], counts: Mapping[tuple[str, str], int], *, cell: int = 26) -> str:
    """Draw counts as a square of shades, the darkest the largest of its row.

    Args:
        names: What the rows and the columns are, in their order.
        counts: Count by row and column; a pair that is missing is 0.
        cell: Side of a cell in pixels.

    Returns:
        An SVG document.
    """
    left, top = 150, 110
    cells, words = [], []
    for row, name in enumerate(names):
        y = top + row * cell
        most = max(1, *(counts.get((name, other), 0) for other in names))
        words.append(f'<text x="{left - 6}" y="{y + cell - 9}" text-anchor="end">{escape(name)}</text>')
        words.append(
            f'<text transform="translate({left + row * cell + 16} {top - 6}) rotate(-60)">{escape(name)}</text>'
        )
        for column, other in enumerate(names):
            count = counts.get((name, other), 0)
            cells.append(
                f'<rect x="{left + column * cell}" y="{y}" width="{cell}" height="{cell}" stroke="{GRID}" '
                f'fill="{COLOURS[0]}" fill-opacity="{count / most:.2f}"><title>{count:,}</title></rect>'
            )
    side = cell * len(names)
    return _document(left + side + 80, top + side + 8, "".join([*cells, *words]))


def _points(values: Sequence[float], wide: int, high: int) -> str:
    step = wide / max(1, len(values) - 1)
    return " ".join(f"{_LEFT + step * index:.1f},{_TOP + high * (1 - value):.1f}" for index, value in enumerate(values))


def _document(width: int, height: int, body: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" '
        f'font-size="12" fill="{INK}"><rect width="{width}" height="{height}" fill="{PAPER}"/>{body}</svg>'
    )
