"""Pictures of data for the UI: a contact sheet of images with their boxes, and a bar chart.

Both are small enough for a data URL and depend only on their arguments. Labels are drawn as plain text, whatever they
contain.
"""

import io
import zlib
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

MAX_BYTES = 100_000
"""Bytes that a contact sheet stays under if lowering its quality suffices, unless the caller says otherwise."""

_PAPER, _INK = (245, 245, 245), (20, 20, 20)
_COLOURS = (
    (0, 114, 178),
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (230, 159, 0),
    (86, 180, 233),
)  # Okabe and Ito's
_LABELLED = 16  # pixels of a cell: the label of a narrower box would hide the boxes beside it
_FARTHEST = 1e6  # pixels: a box without extent or further out, or of no numbers, cannot be drawn; the checks name it
_QUALITIES = (85, 70, 55, 40, 25, 10)

Item = tuple[Path, NDArray[np.float64], Sequence[str]]
"""An image file, its boxes of shape (n, 4) as xywh in absolute pixels, and their n labels."""


def contact_sheet(items: Sequence[Item], *, columns: int = 4, cell: int = 220, max_bytes: int = MAX_BYTES) -> bytes:
    """Draw images side by side, with their boxes and labels.

    Args:
        items: Images to draw, row by row. A file that does not decode gives a crossed cell.
        columns: Cells in a row.
        cell: Side of a cell in pixels.
        max_bytes: Bytes that the sheet stays under if lowering its quality suffices.

    Returns:
        A JPEG.
    """
    rows = max(1, -(-len(items) // columns))
    sheet = Image.new("RGB", (columns * cell, rows * cell), _PAPER)
    for index, (path, boxes, labels) in enumerate(items):
        row, column = divmod(index, columns)
        sheet.paste(_cell(path, boxes, labels, cell=cell), (column * cell, row * cell))
    data = b""
    for quality in _QUALITIES:
        buffer = io.BytesIO()
        sheet.save(buffer, "JPEG", quality=quality)
        data = buffer.getvalue()
        if len(data) < max_bytes:
            break
    return data


def bar_chart(counts: Mapping[str, int], *, width: int = 640) -> str:
    """Draw counts as horizontal bars, in the order of the mapping.

    Args:
        counts: Number by name, 0 or more.
        width: Width in pixels.

    Returns:
        An SVG document.
    """
    line, words, numbers = 18, 200, 80
    unit = (width - words - numbers) / max(1, *counts.values(), 1)
    bars = [
        f'<text x="{words - 6}" y="{top + 13}" text-anchor="end">{escape(name)}</text>'
        f'<rect x="{words}" y="{top + 2}" width="{count * unit:.1f}" height="{line - 4}" fill="#0072b2"/>'
        f'<text x="{words + count * unit + 5:.1f}" y="{top + 13}">{count:,}</text>'
        for top, (name, count) in zip(range(0, line * len(counts), line), counts.items(), strict=True)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{line * len(counts)}" '
        f'font-family="sans-serif" font-size="12" fill="#141414">{"".join(bars)}</svg>'
    )


def _cell(path: Path, boxes: NDArray[np.float64], labels: Sequence[str], *, cell: int) -> Image.Image:
    """Return one image, fitted into a square, with its boxes."""
    square = Image.new("RGB", (cell, cell), _PAPER)
    draw = ImageDraw.Draw(square)
    try:
        with Image.open(path, formats=["JPEG", "PNG"]) as image:
            scale = (cell - 4) / max(image.size)
            size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
            image.draft("RGB", size)
            square.paste(image.convert("RGB").resize(size), (2, 2))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        draw.line([(2, 2), (cell - 2, cell - 2)], fill=_INK)
        draw.line([(2, cell - 2), (cell - 2, 2)], fill=_INK)
        return square
    font = ImageFont.load_default(11)
    for (x, y, w, h), label in zip((boxes * scale + (2, 2, 0, 0)).tolist(), labels, strict=True):
        if not (0 < w <= _FARTHEST and 0 < h <= _FARTHEST and abs(x) <= _FARTHEST and abs(y) <= _FARTHEST):
            continue
        colour = _COLOURS[zlib.crc32(label.encode()) % len(_COLOURS)]
        draw.rectangle([x, y, x + w, y + h], outline=colour, width=2)
        if w < _LABELLED:
            continue
        draw.rectangle(draw.textbbox((x + 2, y + 1), label, font=font), fill=colour)
        draw.text((x + 2, y + 1), label, fill=_PAPER, font=font)
    return square
