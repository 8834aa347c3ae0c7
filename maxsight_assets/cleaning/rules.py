"""Define the cleaning rules: what makes one record unfit, and whether it is dropped or repaired.

A rule is a value: an expression over the table of images or boxes, and the changes that repair a record, if any.
Nothing here reads files; `cleaning.apply` runs the rules in the order of these functions and writes the ledger.
"""

from collections.abc import Mapping

import polars as pl

from maxsight_assets.cleaning.config import CleaningConfig, Flag
from maxsight_assets.cleaning.misread import GEOMETRY, MASK_EDGES, TOLERANCE_PX, is_in_shares, is_off_its_mask
from maxsight_assets.cleaning.rule import Rule

ROUNDING = 0.001
"""Pixels that a box may reach out of its picture unclipped: the rounding error of normalised coordinates."""

PLACEHOLDER_IDS = 3
"""From so many ids on with one content, the picture stands in for photographs that are gone.

Photographs that were uploaded twice are pairs, and a split keeps them together. The annotators of three photographs
saw three pictures, so the boxes of two at least cannot be right.
"""

COMMERCIAL = (
    "/licenses/by/",
    "/licenses/by-sa/",
    "/licenses/by-nd/",
    "/publicdomain/",
    "flickr.com/commons/usage",  # this page states "no known copyright restrictions"
    "usa.gov/copyright",
)
"""Parts of the addresses of licences that allow commercial use: those of COCO and Open Images without NC."""

_FLAGGED: Mapping[Flag, str] = {
    "inside": "The publisher says that the box shows the thing from within, such as a hall.",
    "occluded": "The publisher says that something stands before the thing.",
    "truncated": "The publisher says that the thing reaches out of the picture.",
}


def image_rules(config: CleaningConfig) -> tuple[Rule, ...]:
    """Return the rules over images, in the order of application.

    The table has IMAGES columns and, of the image's file, `sha256`, `error`, `file_width`, `file_height` and
    `orientation` (all null if there is no file).
    """
    always = (
        _unreadable_record(),
        Rule(
            name="repeated_image",
            matches=~pl.struct("source", "image_id").is_first_distinct(),
            values=("path",),
            reason="The publisher lists the image more than once; one row is kept.",
            severity="error",
        ),
        Rule(
            name="repeated_file",
            matches=~pl.col("path").is_first_distinct(),
            values=("path",),
            reason="Another image has the same file; one of them is kept, with its boxes.",
            severity="error",
        ),
        Rule(
            name="missing_file",
            matches=pl.col("sha256").is_null(),
            values=("path",),
            reason="The image's file is missing. The detector would silently train on random noise instead.",
            severity="error",
        ),
        Rule(
            name="undecodable",
            matches=pl.col("error").is_not_null(),
            values=("path", "error"),
            reason="The file does not decode in full. The detector would silently train on random noise instead.",
            severity="error",
        ),
        Rule(
            name="placeholder",
            matches=pl.len().over("source", "sha256") >= PLACEHOLDER_IDS,
            values=("path", "sha256"),
            reason=f"{PLACEHOLDER_IDS} or more images have this content: it stands in for photographs that are gone.",
            severity="error",
        ),
        *_sizes(config),
    )
    return (*always, *((_licence(config.licences),) if config.licences else ()), _unreadable_field())


def _sizes(config: CleaningConfig) -> tuple[Rule, ...]:
    """Return the rules about the stated size of an image and that of its file."""
    return (
        Rule(
            name="turned_by_exif",
            matches=(pl.col("orientation") >= 5)
            & (pl.col("width") == pl.col("file_height"))
            & (pl.col("height") == pl.col("file_width"))
            & (pl.col("width") != pl.col("height")),
            values=("width", "height", "file_width", "file_height", "orientation"),
            reason="The stated size is that of the picture as EXIF turns it: boxes do not lie on the stored pixels.",
            severity="error",
        ),
        Rule(
            name="resized",
            matches=is_resized() & config.repair_sizes,
            values=("width", "height"),
            reason="The file is a copy of the stated size at another scale; its boxes, areas and masks are scaled too.",
            severity="warn",
            changes={"width": pl.col("file_width"), "height": pl.col("file_height")},
        ),
        Rule(
            name="wrong_size",
            matches=differs_in_size(),
            values=("width", "height", "file_width", "file_height"),
            reason="The stated size is not that of the decoded file, so the places of its boxes are unknown.",
            severity="error",
        ),
    )


def differs_in_size() -> pl.Expr:
    """Return whether a picture has another size than stated; null if no size is stated."""
    return (pl.col("width") != pl.col("file_width")) | (pl.col("height") != pl.col("file_height"))


def is_resized() -> pl.Expr:
    """Return whether a picture with another size than stated is a copy at one scale, within a rounded pixel."""
    width, height, file_width, file_height = (
        pl.col(name).cast(pl.Float64) for name in ("width", "height", "file_width", "file_height")
    )
    off = pl.min_horizontal(  # in pixels of the file, and of the stated size
        (file_height - height * file_width / width).abs(),
        (file_width - width * file_height / height).abs(),
        (height - file_height * width / file_width).abs(),
        (width - file_width * height / file_height).abs(),
    )
    return differs_in_size() & (width > 0) & (height > 0) & (off <= 1)


def _unreadable_record() -> Rule:
    return Rule(
        name="unreadable_record",
        matches=pl.col("fault").is_not_null(),
        values=("fault",),
        reason="The publisher's record cannot be read, or a field without which it means nothing.",
        severity="error",
    )


def _unreadable_field() -> Rule:
    return Rule(
        name="unreadable_field",
        matches=pl.col("unread").is_not_null(),
        values=("unread",),
        reason="A field holds what it cannot hold; it counts as not stated.",
        severity="error",
        changes={"unread": pl.lit(None, dtype=pl.String)},
    )


def _licence(wanted: tuple[str, ...]) -> Rule:
    parts = [part for each in wanted for part in (COMMERCIAL if each.lower() == "commercial" else (each,))]
    address = pl.col("license").str.to_lowercase()
    allowed = pl.any_horizontal(address.str.contains(part.lower(), literal=True) for part in parts)
    return Rule(
        name="licence_not_wanted",
        matches=~allowed.fill_null(value=False),
        values=("license",),
        reason="The image is not under one of the licences that were asked for, or its licence is unknown.",
        severity="warn",
    )


def box_rules(config: CleaningConfig) -> tuple[Rule, ...]:
    """Return the rules over boxes, in the order of application.

    The table has BOXES columns and `image_known`, `image_rule` (why the image was dropped, or null), `image_width` and
    `image_height` (true pixels), `scale_x` and `scale_y` (of a resized picture, else null), `name` (the detector's
    label, or null), `declared` (whether the publisher has the label), `mask_fault` (why the mask cannot be used, or
    null) and `mask_left`, `mask_top`, `mask_right` and `mask_bottom` (what the mask covers, in pixels; null if there is
    no mask, or its box is known to fit it).
    """
    always = (
        _unreadable_record(),
        Rule(
            name="orphan",
            matches=~pl.col("image_known"),
            values=("image_id",),
            reason="The box belongs to an image that the publisher does not list.",
            severity="error",
        ),
        image_dropped(),
        *_geometry(config),
        Rule(
            name="unknown_class",
            matches=pl.col("label").is_null() | ~pl.col("declared").fill_null(value=False),
            values=("label",),
            reason="The box is of no class that the publisher declares, so what it shows is unknown.",
            severity="error",
        ),
        Rule(
            name="label_outside_space",
            matches=pl.col("name").is_null(),
            values=("label",),
            reason='The detector does not know the label and would silently take it for "person".',
            severity="warn",
        ),
    )
    return always + _wanted(config) + _repairs()


def _geometry(config: CleaningConfig) -> tuple[Rule, ...]:
    """Return the rules about where a box lies."""
    x, y, w, h = (pl.col(name) for name in GEOMETRY)
    left, top = x.clip(0), y.clip(0)
    right, bottom = pl.min_horizontal(x + w, "image_width"), pl.min_horizontal(y + h, "image_height")
    inside = (right - left).clip(0) * (bottom - top).clip(0)
    overhang = pl.max_horizontal(-x, -y, x + w - pl.col("image_width"), y + h - pl.col("image_height"))
    clipped = {
        "x": left,
        "y": top,
        "w": right - left,
        "h": bottom - top,
        "area": pl.min_horizontal("area", inside),
    }
    return (
        *_numbers(),
        Rule(
            name="mostly_outside",
            matches=((overhang > ROUNDING) & (inside < config.min_kept_fraction * w * h)) | (inside <= 0),
            values=(*GEOMETRY, "image_width", "image_height"),
            reason="Too little of the box lies inside the picture for it to be a truncated object: it is a mistake.",
            severity="error",
        ),
        Rule(
            name="out_of_bounds",
            matches=overhang > ROUNDING,
            values=(*GEOMETRY, "image_width", "image_height"),
            reason="The box reaches out of the picture.",
            severity="warn",
            counts=overhang > TOLERANCE_PX,
            changes=clipped if config.clip_boxes else {},
        ),
        Rule(
            name="off_its_mask",
            matches=is_off_its_mask(),
            values=(*GEOMETRY, *MASK_EDGES),
            reason="The box does not lie around its own mask, so that one of them is of something else.",
            severity="error",
        ),
    )


def _numbers() -> tuple[Rule, ...]:
    """Return the rules about the numbers of a box by themselves."""
    x, y, w, h = (pl.col(name) for name in GEOMETRY)
    return (
        Rule(
            name="unreadable_geometry",
            matches=~pl.all_horizontal(pl.col(name).is_finite().fill_null(value=False) for name in GEOMETRY),
            values=GEOMETRY,
            reason="A coordinate is missing, unreadable or infinite; pycocotools crashes on such.",
            severity="error",
        ),
        Rule(
            name="resized",
            matches=pl.col("scale_x").is_not_null(),
            values=(*GEOMETRY, "area", "scale_x", "scale_y"),
            reason="The file is a copy of the stated size at another scale; its boxes, areas and masks are scaled too.",
            severity="warn",
            changes={
                "x": x * pl.col("scale_x"),
                "y": y * pl.col("scale_y"),
                "w": w * pl.col("scale_x"),
                "h": h * pl.col("scale_y"),
                "area": pl.col("area") * pl.col("scale_x") * pl.col("scale_y"),
            },
        ),
        Rule(
            name="zero_area",
            matches=(w <= 0) | (h <= 0),
            values=GEOMETRY,
            reason="No loss can be computed from a box without area. COCO 2017 has two (images 200365, 550395).",
            severity="error",
        ),
        Rule(
            name="in_shares",
            matches=is_in_shares(),
            values=(*GEOMETRY, "image_width", "image_height"),
            reason="The box is of one pixel at most in the corner of the picture: its numbers are shares, not pixels.",
            severity="error",
        ),
    )


def image_dropped() -> Rule:
    """Return the rule that drops the boxes of dropped images, over a table with `image_rule`."""
    return Rule(
        name="image_dropped",
        matches=pl.col("image_rule").is_not_null(),
        values=("image_rule",),
        reason="The image of the box was dropped.",
        severity="warn",
    )


def lost_a_box() -> Rule:
    """Return the rule of exhaustively annotated evaluation sets, over a table with `lost`, the rule of the lost box."""
    return Rule(
        name="lost_a_box",
        matches=pl.col("lost").is_not_null(),
        values=("lost",),
        reason="A box of the evaluation image was dropped as damaged: finding its thing would count as a mistake.",
        severity="warn",
    )


def no_boxes() -> Rule:
    """Return the rule for images without a box, over a table with `boxes`, the number of boxes."""
    return Rule(
        name="no_boxes",
        matches=pl.col("boxes") == 0,
        values=("boxes",),
        reason="No box is left on the image, and the detector's loader never shows such images.",
        severity="warn",
    )


def _wanted(config: CleaningConfig) -> tuple[Rule, ...]:
    """Return the rules that the user may switch on or off: they drop sound boxes that are not wanted."""
    switched = (
        (
            config.min_side > 0,
            Rule(
                name="too_small",
                matches=pl.min_horizontal("w", "h") < config.min_side,
                values=("w", "h"),
                reason="A side of the box is shorter than the configured limit.",
                severity="warn",
            ),
        ),
        (
            config.drop_depictions,
            Rule(
                name="depiction",
                matches=pl.col("depiction"),
                values=("label",),
                reason="The box shows a drawing, statue or toy of the thing, not the thing.",
                severity="warn",
            ),
        ),
        *(
            (
                flag in (config.drop_flagged or ()),
                Rule(name=flag, matches=pl.col(flag), values=("label",), reason=reason, severity="warn"),
            )
            for flag, reason in _FLAGGED.items()
        ),
        (
            config.drop_crowds,
            Rule(
                name="crowd",
                matches=pl.col("crowd"),
                values=("label",),
                reason="The box surrounds a group, not one thing.",
                severity="warn",
            ),
        ),
        (
            config.drop_duplicates,
            Rule(
                name="duplicate_box",
                matches=~pl.struct("source", "image_id", "name", *GEOMETRY, "crowd").is_first_distinct(),
                values=("label", *GEOMETRY),
                reason="Another box of the image has the same label and geometry. COCO's image 99844 holds such rows.",
                severity="warn",
            ),
        ),
    )
    return tuple(rule for on, rule in switched if on)


def _repairs() -> tuple[Rule, ...]:
    """Return the repairs of what a kept box has beside its geometry and label."""
    nth = pl.int_range(pl.len()).over("source", "box_id")
    area = pl.col("area")
    return (
        Rule(
            name="duplicate_box_id",
            matches=~pl.struct("source", "box_id").is_first_distinct(),
            values=("box_id",),
            reason="Another box has the same id, and readers that index by id would lose one of them.",
            severity="error",
            changes={"box_id": pl.format("{}~{}", "box_id", nth + 1)},
        ),
        Rule(
            name="unusable_area",
            matches=area.is_not_null() & (~area.is_finite() | (area <= 0)),
            values=("area",),
            reason="The stated area is no positive number; that of the box is taken.",
            severity="error",
            changes={"area": pl.col("w") * pl.col("h")},
        ),
        Rule(
            name="unusable_segmentation",
            matches=pl.col("mask_fault").is_not_null(),
            values=("mask_fault", "image_width", "image_height"),
            reason="pycocotools would crash on the mask or allocate without bound; the box is kept without it.",
            severity="error",
            changes={"segmentation": pl.lit(None, dtype=pl.String)},
            counts=pl.col("segmentation") != "[]",  # exports of boxes alone write this for every box
        ),
        _unreadable_field(),
    )
