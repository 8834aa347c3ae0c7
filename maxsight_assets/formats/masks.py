"""Decides which COCO masks pycocotools may get, and where they lie.

Some masks make pycocotools crash the process or allocate without bound. The bounds of the others show whether their
boxes are what they claim to be.
"""

from itertools import chain
from typing import Annotated

import msgspec
import numpy as np
import polars as pl
from msgspec import Meta, Raw

_PLAIN_BELOW = 700
_POINT = r"[1-6]?[0-9]{1,2}(?:\.[0-9]+)?, ?[1-6]?[0-9]{1,2}(?:\.[0-9]+)?"
_POLYGON = rf"\[{_POINT}(?:, ?{_POINT}){{2,}}\]"
PLAIN_MASK = pl.col("segmentation").str.contains(rf"^\[{_POLYGON}(?:, ?{_POLYGON})*\]$").alias("plain_mask")
"""Whether the text of a mask is polygons of three points or more with all coordinates in [0, 700).

Nearly all of COCO's masks are, and matching a pattern is faster than reading numbers (docs/benchmarks.md).
"""

_MAX_PIXELS = 89_478_485  # where Pillow begins to warn of a decompression bomb (Image.MAX_IMAGE_PIXELS)


Bounds = tuple[float, float, float, float]
"""Left, top, right and bottom edge of what a mask covers, in absolute pixels."""


class _Rle(msgspec.Struct, gc=False):
    counts: list[Annotated[int, Meta(ge=0, le=2**32 - 1)]] | str
    size: tuple[int, int]


_MASK = msgspec.json.Decoder(list[list[float]] | _Rle)


def sound_by_form(width: str, height: str) -> pl.Expr:
    """Return whether a row's `plain_mask` alone shows that its mask is sound; then `segmentation_fault` is not needed.

    Args:
        width: Name of the column with the picture's width in pixels.
        height: Likewise of its height.
    """
    reaches = pl.min_horizontal(width, height) >= _PLAIN_BELOW / 2  # a polygon may lie as far out as a side is long
    pixels = pl.col(width).cast(pl.Int64) * pl.col(height)
    return (pl.col("plain_mask") & reaches & (pixels <= _MAX_PIXELS)).fill_null(value=False)


def names_edges(text: str) -> pl.Expr:
    """Return whether the text of a mask holds the right and the bottom edge of its box as numbers.

    COCO's boxes are made from the polygons, so all of these do; boxes in another form or scale have other edges there.
    To look for two short texts is many times faster than to read all numbers, as `examine_mask` does.

    Args:
        text: Name of the column with the text; the box is in `x`, `y`, `w` and `h`.
    """
    edges = (pl.col("x") + pl.col("w"), pl.col("y") + pl.col("h"))
    numbers = (edge.round(2).cast(pl.String) for edge in edges)  # "473.07", "480.0", as COCO writes them
    held = pl.all_horizontal(pl.col(text).str.contains(number, literal=True) for number in numbers)
    return held.fill_null(value=False)


def segmentation_fault(raw: str | bytes | Raw, width: int, height: int) -> str | None:
    """Return why pycocotools must not get a mask, as `examine_mask`; None if the mask is sound."""
    return examine_mask(raw, width, height)[0]


def examine_mask(raw: str | bytes | Raw, width: int, height: int) -> tuple[str | None, Bounds | None]:
    """Return why pycocotools must not get a mask, on some of which it crashes, and where a sound mask lies.

    Args:
        raw: The JSON text of a `segmentation`: a list of polygons (x, y, x, y, ... in absolute pixels) or an RLE.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.

    Returns:
        The fault in a few words, or None if the mask is sound; and the bounds of a sound mask that covers anything. A
        sound mask is either polygons of at least three points, none further outside the picture than the picture's own
        size; or an RLE of exactly the picture's size whose runs add up to it.
    """
    try:
        mask = _MASK.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "neither polygons nor an RLE", None
    if width * height > _MAX_PIXELS:
        return f"a mask of {width}x{height} pixels", None
    if isinstance(mask, _Rle):
        fault = _rle_fault(mask, width, height)
        return fault, None if fault else _rle_bounds(mask)
    if not mask:
        return "no polygon", None
    for polygon in mask:
        if len(polygon) < 6 or len(polygon) % 2:
            return f"a polygon of {len(polygon)} numbers", None
    points = mask[0] if len(mask) == 1 else list(chain.from_iterable(mask))
    xs, ys = points[::2], points[1::2]
    bounds = (min(xs), min(ys), max(xs), max(ys))
    if bounds[0] < -width or bounds[2] > 2 * width or bounds[1] < -height or bounds[3] > 2 * height:
        return "a polygon far out of the picture", None
    return None, bounds


def scaled_mask(text: str, width: int, height: int, to_width: int, to_height: int) -> str:
    """Scale a mask with its picture.

    Args:
        text: JSON text of polygons or an RLE, of a picture of `width` x `height` pixels.
        width: Width of the picture that the mask is made for, in pixels.
        height: Height of that picture.
        to_width: Width of the scaled picture, in pixels.
        to_height: Height of the scaled picture.

    Returns:
        The scaled mask; a text that is no sound mask is returned unchanged, as it is not sound at the new size either.
    """
    try:
        mask = _MASK.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return text
    if isinstance(mask, _Rle):
        return _scaled_rle(mask, to_width, to_height) if _rle_fault(mask, width, height) is None else text
    factors = (to_width / width, to_height / height)
    polygons = [[round(number * factors[i % 2], 2) for i, number in enumerate(polygon)] for polygon in mask]
    return msgspec.json.encode(polygons).decode()


def _scaled_rle(rle: _Rle, width: int, height: int) -> str:
    """Scale a sound run-length mask by its nearest pixels; its runs go down one column after the other."""
    old_height, old_width = rle.size
    runs = _runs(rle) or []
    pixels = np.repeat(np.arange(len(runs)) % 2, runs).reshape(old_width, old_height)
    scaled = pixels[np.arange(width) * old_width // width][:, np.arange(height) * old_height // height].ravel()
    edges = np.flatnonzero(np.diff(scaled, prepend=0, append=2))
    counts = np.diff(edges, prepend=0).tolist()
    return msgspec.json.encode({"counts": counts, "size": [height, width]}).decode()


def _rle_fault(rle: _Rle, width: int, height: int) -> str | None:
    if rle.size != (height, width):
        return f"an RLE of {rle.size[1]}x{rle.size[0]} pixels for a picture of {width}x{height}"
    runs = _runs(rle)
    if runs is None or min(runs, default=0) < 0 or sum(runs) != width * height:
        return "an RLE whose runs do not add up to its picture"
    return None


def _rle_bounds(rle: _Rle) -> Bounds | None:
    """Return the bounds of the pixels of a sound run-length mask."""
    height = rle.size[0]
    ends = np.cumsum(_runs(rle) or [])
    starts, stops = ends[::2][: len(ends) // 2], ends[1::2]  # every second run is of the mask
    starts, lasts = starts[stops > starts], stops[stops > starts] - 1
    if not len(starts):
        return None
    left, right = int(starts[0]) // height, int(lasts[-1]) // height + 1
    if (starts // height < lasts // height).any():  # a run goes on in the next column, so from edge to edge
        return float(left), 0.0, float(right), float(height)
    return float(left), float((starts % height).min()), float(right), float((lasts % height).max() + 1)


def _runs(rle: _Rle) -> list[int] | None:
    return _rle_runs(rle.counts) if isinstance(rle.counts, str) else rle.counts


def _rle_runs(text: str) -> list[int] | None:
    """Decode COCO's compressed counts; return None if the text is something else.

    Each run is a little-endian series of 5-bit digits, one character each, from "0" (48) on. The bit 32 marks that more
    digits follow; the bit 16 of the last digit marks a negative number. From the fourth run on, the number is the
    difference to the run before the last (`rleFrString` in maskApi.c of cocoapi).
    """
    runs: list[int] = []
    value = shift = 0
    for character in text:
        digit = ord(character) - 48
        if not 0 <= digit < 64 or shift > 30:
            return None
        value |= (digit & 31) << shift
        shift += 5
        if digit & 32:
            continue
        if digit & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    return None if shift else runs
