"""Rules about the tables that a raw directory's annotations are read into, whatever their format.

Single bad records are warnings, since cleaning drops or repairs them and says so in the ledger; what makes the whole
unusable (annotations that do not parse, ambiguous ids) blocks.
"""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

import polars as pl

from maxsight_assets.verdict import Found, Rule, Severity, rule
from maxsight_assets.verification.raw import FILE_RULES, IMAGE_RULES
from maxsight_assets.verification.views import RawView

TOLERANCE_PX = 1.0
"""How far a box may reach over its image's edge: publishers round, and count the last pixel's far edge either way."""

KNOWN_FLAT_BOXES = ("918", "2206849")
"""Ids of the only two COCO 2017 boxes without height, in images 200365 and 550395 (seen in the published files)."""

KNOWN_DUPLICATES = ("99844",)
"""COCO 2017 images known to hold annotation rows twice (seen in the published files)."""

BOX_NAME = pl.format("box {} of image {}", "box_id", "image_id")


RawViewT = TypeVar("RawViewT", bound=RawView)


def table_rule(
    remedy: str, *, severity: Severity, blocking: bool = False
) -> Callable[[Callable[[RawViewT], Found]], Rule[RawViewT]]:
    """A rule about the tables, which fails where the annotations cannot be read (rather than pass on empty tables)."""

    def made(find: Callable[[RawViewT], Found]) -> Rule[RawViewT]:
        @wraps(find)
        def looked(view: RawViewT) -> Found:
            return find(view) if view.problem is None else Found(["not looked at: the annotations do not parse"], 0)

        return rule(remedy, severity=severity, blocking=blocking)(looked)

    return made


@rule(
    "Run `maxsight-assets repair`; if the files are as published, the publisher changed the format.",
    severity="error",
    blocking=True,
)
def annotations_parse(view: RawView) -> Found:
    """The annotation files parse as what they claim to be."""
    offenders = [] if view.problem is None else [view.problem]
    return Found(offenders, 1, {"images": view.images.height, "boxes": view.boxes.height})


@table_rule(
    "The annotation files are not usable as they are; fetch them again or report this to the publisher.",
    severity="error",
    blocking=True,
)
def image_ids_are_unique(view: RawView) -> Found:
    """No two images have one id, by which boxes refer to them."""
    twice = view.images.filter(pl.struct("source", "image_id").is_duplicated())
    return Found(twice.select(pl.format("image {}", "image_id")).to_series(), view.images.height)


@table_rule(
    "Nothing breaks: cleaning gives the later ones another id and names them in the ledger.",
    severity="warn",
)
def box_ids_are_unique(view: RawView) -> Found:
    """No two boxes have one id; pycocotools would keep only the last of them."""
    twice = view.boxes.filter(pl.struct("source", "box_id").is_duplicated())
    return Found(twice.select(BOX_NAME).to_series(), view.boxes.height)


@table_rule(
    "Nothing breaks: cleaning drops these boxes and names them in the ledger.",
    severity="warn",
)
def boxes_have_an_image(view: RawView) -> Found:
    """Every box belongs to an image that the annotations list."""
    return Found(view.boxes.filter(~pl.col("listed")).select(BOX_NAME).to_series(), view.boxes.height)


@table_rule(
    "Images and annotations are of different editions: land both again.",
    severity="error",
    blocking=True,
)
def landed_images_are_listed(view: RawView) -> Found:
    """Every landed image is one that the annotations list; pictures of another edition would train on nothing."""
    files = view.files.filter("is_image")
    return Found(files.join(view.images, left_on="path", right_on="file", how="anti")["path"], files.height)


@table_rule(
    "The selection may leave nothing: widen its classes, licences or counts.",
    severity="error",
    blocking=True,
)
def not_empty(view: RawView) -> Found:
    """The dataset holds at least one image and one box."""
    sizes = {"images": view.images.height, "boxes": view.boxes.height}
    return Found([f"no {name}" for name, size in sizes.items() if not size], len(sizes))


@table_rule(
    "Nothing breaks: cleaning drops boxes of unknown classes and names them in the ledger.",
    severity="warn",
)
def classes_are_declared(view: RawView) -> Found:
    """Every box has a class that the publisher declares."""
    offenders = view.boxes.filter(pl.col("label").is_null()).select(BOX_NAME).to_series()
    return Found(offenders, view.boxes.height, {"classes": view.boxes["label"].n_unique()})


def _known_as(name: str, offenders: pl.DataFrame, known: pl.Expr) -> dict[str, int]:
    return {f"known upstream {name}": offenders.filter(known).height}


@table_rule(
    "Nothing breaks: cleaning drops boxes without area and names them in the ledger.",
    severity="warn",
)
def boxes_have_area(view: RawView) -> Found:
    """Every box has a positive width and height; COCO 2017's two known ones are counted apart."""
    flat = view.boxes.filter(~((pl.col("w") > 0) & (pl.col("h") > 0)).fill_null(value=False))  # null: no bbox at all
    known = (pl.col("source") == "coco") & pl.col("box_id").is_in(KNOWN_FLAT_BOXES)
    size = pl.format("{} x {} pixels", "w", "h").fill_null("no box")
    text = pl.format("{}: {}", BOX_NAME, size)
    return Found(flat.filter(~known).select(text).to_series(), view.boxes.height, _known_as("flat boxes", flat, known))


@table_rule(
    "Nothing breaks: cleaning clips these boxes and names them in the ledger. Many of them mean wrong sizes.",
    severity="warn",
)
def boxes_are_inside(view: RawView) -> Found:
    """No box reaches more than one pixel over its image's edge."""
    inside = pl.all_horizontal(
        pl.col("x") >= -TOLERANCE_PX,
        pl.col("y") >= -TOLERANCE_PX,
        pl.col("x") + pl.col("w") <= pl.col("width") + TOLERANCE_PX,
        pl.col("y") + pl.col("h") <= pl.col("height") + TOLERANCE_PX,
    )
    sized = view.boxes.filter(pl.col("width").is_not_null() & pl.col("height").is_not_null())
    text = pl.format("{}: [{}, {}, {}, {}] in {}x{} pixels", BOX_NAME, "x", "y", "w", "h", "width", "height")
    finite = pl.all_horizontal(pl.col("x", "y", "w", "h").is_finite())
    return Found(sized.filter(~(inside & finite)).select(text).to_series(), sized.height)


@table_rule(
    "Nothing breaks: cleaning keeps one of each and names the rest in the ledger.",
    severity="warn",
)
def boxes_are_distinct(view: RawView) -> Found:
    """No image holds the same box of the same class twice; those of COCO's image 99844 are known and counted apart."""
    row = ["source", "image_id", "label", "x", "y", "w", "h"]
    again = view.boxes.filter(~pl.struct(row).is_first_distinct())
    known = (pl.col("source") == "coco") & pl.col("image_id").is_in(KNOWN_DUPLICATES)
    offenders = again.filter(~known).select(BOX_NAME).to_series()
    return Found(offenders, view.boxes.height, _known_as("duplicates", again, known))


TABLE_RULES: tuple[Rule[RawView], ...] = (
    annotations_parse,
    not_empty,
    image_ids_are_unique,
    box_ids_are_unique,
    landed_images_are_listed,
    boxes_have_an_image,
    classes_are_declared,
    boxes_have_area,
    boxes_are_inside,
    boxes_are_distinct,
)
"""Rules for whatever annotations have been read into tables."""

ANNOTATED_RULES: tuple[Rule[RawView], ...] = (*FILE_RULES, *IMAGE_RULES, *TABLE_RULES)
"""Rules of a raw directory with nothing of its own: BDD100K and ADE20K."""
