"""Rules about the tables that a raw directory's annotations are read into, whatever their format.

Single bad records are warnings, since cleaning drops or repairs them and says so in the ledger; what makes the whole
unusable (annotations that do not parse, ambiguous ids) blocks.
"""

import difflib
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import wraps
from typing import TypeVar

import polars as pl

from maxsight_assets.cleaning.misread import TOLERANCE_PX
from maxsight_assets.labels import mapping
from maxsight_assets.verdict import NOT_JUDGED, Found, Rule, Severity, rule
from maxsight_assets.verification.raw import FILE_RULES, IMAGE_RULES
from maxsight_assets.verification.views import RawView

KNOWN_FLAT_BOXES = ("918", "2206849")
"""Ids of the only two COCO 2017 boxes without height, in images 200365 and 550395 (seen in the published files)."""

KNOWN_DUPLICATES = ("99844",)
"""COCO 2017 images known to hold annotation rows twice (seen in the published files)."""

_WORDS = 20  # undeclared labels that are counted one by one

BOX_NAME = pl.format("box {} of image {}", "box_id", "image_id")


RawViewT = TypeVar("RawViewT", bound=RawView)


def table_rule(
    remedy: str, *, severity: Severity, blocking: bool = False, reads_images: bool = False
) -> Callable[[Callable[[RawViewT], Found]], Rule[RawViewT]]:
    """A rule about the tables, which fails where the annotations cannot be read (rather than pass on empty tables)."""

    def made(find: Callable[[RawViewT], Found]) -> Rule[RawViewT]:
        @wraps(find)
        def looked(view: RawViewT) -> Found:
            return find(view) if view.problem is None else NOT_JUDGED

        return rule(remedy, severity=severity, blocking=blocking, reads_images=reads_images)(looked)

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


def odd_fields(odd: pl.DataFrame) -> Iterator[str]:
    """Describe each odd field on one line: in how many records, which first, and what comes of them.

    Args:
        odd: Schema `formats.tables.ODD`.
    """
    for _, section, name, read, unread, records, first in odd.iter_rows():
        what = f"{section}, {name or 'the record itself'}"
        come = [f"{read:,} read as meant"] * (read > 0) + [f"{unread:,} unreadable"] * (unread > 0)
        yield f"{what}: {read + unread:,} of {records:,} records ({', '.join(come)}): {', '.join(first)}"


@table_rule(
    "What is read as meant needs nothing. Cleaning names the others in the ledger; correct them at the publisher's.",
    severity="warn",
)
def fields_are_of_their_type(view: RawView) -> Found:
    """Every field that is needed has the JSON type that its format states."""
    odd = view.tables.odd
    lines = (f"{split}: {text}" for split, text in zip(odd["split"], odd_fields(odd), strict=True))
    kinds = pl.format("{}.{}", "section", "field")
    counts = odd.group_by(kind=kinds).agg(pl.col("read").sum() + pl.col("unread").sum()).sort("kind")
    records = view.images.height + view.boxes.height
    return Found(lines, max(records, odd.height), dict(counts.iter_rows()))  # few records may have more odd fields


@table_rule(
    "The annotation files are not usable as they are; fetch them again or report this to the publisher.",
    severity="error",
    blocking=True,
)
def image_ids_are_unique(view: RawView) -> Found:
    """No id stands for two images, because boxes refer to them by it."""
    paths = view.images.group_by("source", "image_id").agg(pl.col("file").unique().sort())
    twice = paths.filter(pl.col("file").list.len() > 1)
    names = twice.select(pl.format("image {}: {}", "image_id", pl.col("file").list.join(" and ", ignore_nulls=True)))
    return Found(names.to_series(), view.images.height)


@table_rule(
    "Nothing breaks: cleaning keeps one of each and names the rest in the ledger.",
    severity="warn",
)
def images_are_listed_once(view: RawView) -> Found:
    """No image is listed again with the same file."""
    again = view.images.filter(~pl.struct("source", "image_id", "file").is_first_distinct())
    return Found(again.select(pl.format("image {}", "image_id")).to_series(), view.images.height)


_JUDGED_BY_THEIR_OWN = ("missing_file", "undecodable")


@table_rule(
    "Have it corrected at the source, or set a mirror that has it whole; if it is as it should be, raise `tolerance`.",
    severity="error",
    blocking=True,
    reads_images=True,
)
def damage_is_bounded(view: RawView) -> Found:
    """No rule of cleaning would drop or repair more records for damage than `tolerance` allows.

    Single damaged records cost just themselves; many mean that the dataset is damaged, and the last good version stays.
    """
    damage = view.cleaned.damage
    beyond = [
        str(each)
        for each in damage
        if each.rule.name not in _JUDGED_BY_THEIR_OWN and view.tolerance.is_exceeded(each.damaged, each.total)
    ]
    found = {f"{each.kind}, {each.rule.name}": each.damaged for each in damage}
    return Found(beyond, len(damage), found)


_MISREAD = ("in_shares", "off_its_mask")
"""Rules of cleaning against boxes that do not mean what they should."""


@table_rule(
    "Cleaning drops these boxes and names them in the ledger. Many of them mean another form, such as corners.",
    severity="warn",
    reads_images=True,
)
def boxes_fit_their_masks(view: RawView) -> Found:
    """Every box is in pixels, as x, y, width and height, and lies around its polygons or mask if it has one."""
    misread = view.cleaned.ledger.filter(pl.col("rule").is_in(_MISREAD))
    text = pl.format("{}: {} {}", BOX_NAME, "rule", "before")
    return Found(misread.select(text).to_series(), view.boxes.height, dict(Counter(misread["rule"])))


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
    """The dataset holds at least one image and one box, unless its selection lands no boxes."""
    sizes = {"images": view.images.height} | ({"boxes": view.boxes.height} if view.tables.has_boxes else {})
    return Found([f"no {name}" for name, size in sizes.items() if not size], len(sizes))


@table_rule(
    "Nothing breaks: cleaning drops boxes of unknown classes and names them in the ledger.",
    severity="warn",
)
def classes_are_declared(view: RawView) -> Found:
    """Every box has a class that the publisher declares, in the publisher's own words."""
    undeclared = view.boxes.join(_declared(view), on=["source", "label"], how="anti")
    name = pl.when(pl.col("label").is_null()).then(BOX_NAME).otherwise(pl.format("{}: {}", BOX_NAME, "label"))
    counts = undeclared.drop_nulls("label").group_by("source", "label").len().sort("len", "label", descending=True)
    facts = {f"{label}{_nearest(source, label)}": count for source, label, count in counts.head(_WORDS).iter_rows()}
    return Found(
        undeclared.select(name).to_series(), view.boxes.height, {"classes": view.boxes["label"].n_unique()} | facts
    )


def _declared(view: RawView) -> pl.DataFrame:
    words = [(s, row.label) for s in view.boxes["source"].unique().sort() for row in mapping.rows(s)]
    return pl.DataFrame(words, schema={"source": pl.String, "label": pl.String}, orient="row")


def _nearest(source: str, label: str) -> str:
    words = {row.label.lower(): row.label for row in mapping.rows(source)}
    near = difflib.get_close_matches(label.lower(), words, n=1)
    return f" (nearest: {words[near[0]]})" if near else ""


@table_rule(
    "What is known of the other edition is read as it is meant; for the rest get the edition that the catalog names.",
    severity="warn",
)
def labels_are_of_this_edition(view: RawView) -> Found:
    """No box has a label that only another edition of the annotations has."""
    counts = view.boxes.drop_nulls("label").group_by("label").len().sort("label")
    offenders = [
        f"{label}: {count:,} boxes, of {edition}"
        for label, count in counts.iter_rows()
        for pattern, edition in view.editions.items()
        if re.fullmatch(pattern, label)
    ]
    return Found(offenders, counts.height)


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
    fields_are_of_their_type,
    not_empty,
    image_ids_are_unique,
    images_are_listed_once,
    damage_is_bounded,
    box_ids_are_unique,
    landed_images_are_listed,
    boxes_have_an_image,
    classes_are_declared,
    labels_are_of_this_edition,
    boxes_have_area,
    boxes_are_inside,
    boxes_fit_their_masks,
    boxes_are_distinct,
)
"""Rules for whatever annotations have been read into tables."""

ANNOTATED_RULES: tuple[Rule[RawView], ...] = (*FILE_RULES, *IMAGE_RULES, *TABLE_RULES)
"""Rules of a raw directory with nothing of its own: BDD100K and ADE20K."""
