"""Tell boxes that do not mean what they should: corners or shares of the picture in place of pixels, another scale.

A box is compared with what its mask covers. All expressions are over the table of `cleaning.rules.box_rules`; x, y, w
and h are in absolute pixels, origin at the top left.
"""

import polars as pl

GEOMETRY = ("x", "y", "w", "h")
MASK_EDGES = ("mask_left", "mask_top", "mask_right", "mask_bottom")

TOLERANCE_PX = 1.0
"""How far an edge may be off before it counts as damage: publishers round, and count the last pixel either way."""

MIN_OVERLAP = 0.75
"""Smallest overlap (intersection over union) of a box and its mask: the stricter one of COCO's two own (AP50, AP75)."""

_MOST = 0.9  # of the boxes have to look alike for the text of an error to name what they look like
_ONE_SCALE = 0.02  # by how much the scales of single boxes may differ; a box of 50 pixels is off by one of them

_X, _Y, _W, _H = (pl.col(name) for name in GEOMETRY)
_LEFT, _TOP, _RIGHT, _BOTTOM = (pl.col(name) for name in MASK_EDGES)


def is_in_shares() -> pl.Expr:
    """Return whether all numbers of a box are shares; in pixels it would be a speck in the corner of the picture."""
    return pl.max_horizontal(*GEOMETRY) <= 1


def is_off_its_mask() -> pl.Expr:
    """Return whether box and mask differ by more than rounding; false for a box without a mask to compare with.

    The box lies in its picture; what a polygon covers beyond it does not count. Most boxes have no mask's edges beside
    them (see `apply._with_mask_facts`), so only the others are computed.
    """
    row, has_edges = pl.int_range(pl.len()), _LEFT.is_not_null()
    names = (*GEOMETRY, *MASK_EDGES, "image_width", "image_height")
    x, y, w, h, left, top, right, bottom, width, height = (pl.col(name).filter(has_edges) for name in names)
    left, top, right, bottom = (
        left.clip(0),
        top.clip(0),
        pl.min_horizontal(right, width),
        pl.min_horizontal(bottom, height),
    )
    off = ~_are(x, left, y, top, x + w, right, y + h, bottom)
    common_width = pl.min_horizontal(x + w, right) - pl.max_horizontal(x, left)
    common_height = pl.min_horizontal(y + h, bottom) - pl.max_horizontal(y, top)
    common = common_width.clip(0) * common_height.clip(0)
    together = w * h + (right - left) * (bottom - top) - common
    off &= (common < MIN_OVERLAP * together) | _are(w, right, h, bottom)
    return row.is_in(row.filter(has_edges).filter(off.fill_null(value=False)).implode())


def look_of(damaged: pl.DataFrame, looked_at: pl.DataFrame) -> str:
    """Return what damaged boxes look like, for the text of an error; empty if most of them look like nothing known.

    Args:
        damaged: The boxes that a rule about geometry found.
        looked_at: All boxes that it looked at; without masks, corners can only be told from all of them.
    """
    masked = damaged.filter(_LEFT.is_not_null())
    in_picture = _W.is_between(_X, "image_width", closed="right") & _H.is_between(_Y, "image_height", closed="right")
    scale = pl.concat_list((_X + _W) / _RIGHT, (_Y + _H) / _BOTTOM)
    looks = (
        ("shares of the picture (0 to 1)", damaged, is_in_shares()),
        ("corners (x1, y1, x2, y2)", masked, _are(_W, _RIGHT, _H, _BOTTOM)),
        ("centres (cx, cy, w, h)", masked, _are(_X, (_LEFT + _RIGHT) / 2, _Y, (_TOP + _BOTTOM) / 2)),
        ("(y, x, h, w)", masked, _are(_X, _TOP, _Y, _LEFT)),
        ("those of another scale than their masks", masked, scale.list.max() / scale.list.min() - 1 <= _ONE_SCALE),
        ("corners (x1, y1, x2, y2)", looked_at.clear() if masked.height else looked_at, in_picture),
    )
    for look, boxes, fits in looks:
        if boxes.height and boxes.select(fits.fill_null(value=False).mean()).item() >= _MOST:
            return f"boxes look like {look}"
    return ""


def look_of_sizes(damaged: pl.DataFrame) -> str:
    """Return what stated sizes of pictures look like that are not those of the files; empty if like nothing known."""
    turned = (pl.col("width") == pl.col("file_height")) & (pl.col("height") == pl.col("file_width"))
    if damaged.select(turned.mean()).item() < _MOST:
        return ""
    return "widths and heights are swapped: the records are of the pictures as their EXIF orientation turns them"


def _are(*pairs: pl.Expr) -> pl.Expr:
    """Return whether the numbers of each pair are the same but for rounding."""
    return pl.all_horizontal(
        (one - other).abs() <= TOLERANCE_PX for one, other in zip(pairs[::2], pairs[1::2], strict=True)
    )
