"""Rules for `openimages_subset`: those of every annotated directory, and what only Open Images' files can break.

How many images are gone upstream is `raw.every_image_landed` and `raw.enough_images_landed`.
"""

import polars as pl

from maxsight_assets.datasets.openimages import format as formats
from maxsight_assets.datasets.openimages.format_csv import MID
from maxsight_assets.errors import FormatError
from maxsight_assets.verdict import Found, Rule
from maxsight_assets.verification.boxes import ANNOTATED_RULES, BOX_NAME, table_rule
from maxsight_assets.verification.views import UNREADABLE, RawView

COVERAGE = "coverage.csv"
"""Where a landing notes how each class that was asked for fared."""

COVERAGE_COLUMNS = ("mid", "class", "name", "images_upstream", "images_chosen", "images_landed", "boxes_landed")
"""Its columns: `name` is the detector's; `images_upstream` fit the selection, budgets apart."""

REJECTED = "rejected.csv"
"""Where a landing notes the rows of the publisher's tables that it looked at and could not use."""

REJECTED_COLUMNS = ("file", "rows", "rejected", "place", "reason")
"""Its columns: rows read; rows rejected for one reason; place of the first of them. All sound: one line."""

ID = r"^[0-9a-f]{16}$"
"""An Open Images id: sixteen hex digits; `000e100000000000` reads as a number too, and as one it is lost."""


@table_rule(
    "A spreadsheet or a reader that guesses types rewrote the file: fetch it again.",
    severity="error",
    blocking=True,
)
def ids_are_text(view: RawView) -> Found:
    """Every image id is sixteen hex digits of text, also where it looks like a number."""
    ids = pl.concat([view.images["image_id"], view.boxes["image_id"]]).unique()
    return Found(ids.filter(~ids.str.contains(ID)), ids.len())


@table_rule(
    "The class list is of another edition than the boxes: land both again.",
    severity="error",
)
def mids_are_known(view: RawView) -> Found:
    """Every box names a class that the class list explains; one that does not shows up as a bare MID."""
    bare = view.boxes.filter(pl.col("label").str.contains(MID)).select(pl.format("{}: {}", BOX_NAME, "label"))
    return Found(bare.to_series(), view.boxes.height)


@table_rule(
    "Nothing breaks: these images take part in no split and no evaluation set.",
    severity="warn",
)
def images_have_boxes(view: RawView) -> Found:
    """Every landed image has a box; one without was never annotated, which does not make it empty."""
    landed = view.images.filter("landed")
    bare = landed.join(view.boxes, on="image_id", how="anti").select(pl.format("image {}", "image_id"))
    return Found(bare.to_series(), landed.height)


@table_rule(
    "The file is of an edition without these columns (V3 has none): land it again from V5 or later.",
    severity="warn",
)
def flags_are_stated(view: RawView) -> Found:
    """For most boxes the publisher says whether they are groups and drawings, which decides how they may be used."""
    flags = ("crowd", "occluded", "truncated", "depiction", "inside")
    total = max(view.boxes.height, 1)
    unknown = {flag: view.boxes[flag].null_count() / total for flag in flags}
    offenders = [f"{flag}: unknown for {unknown[flag]:.0%} of the boxes" for flag in ("crowd", "depiction")]
    offending = [text for text, flag in zip(offenders, ("crowd", "depiction"), strict=True) if unknown[flag] > 1 / 2]
    return Found(offending, len(offenders), {f"{flag} unknown": share for flag, share in unknown.items()})


@table_rule(
    "Nothing breaks: these rows are left out. Many of them mean that the file was rewritten; fetch it again.",
    severity="warn",
)
def rows_are_sound(view: RawView) -> Found:
    """Every row has no more fields than the header, coordinates within 0..1, and flags that are 1, 0 or -1.

    Rows of landed images are looked at, and those of the publisher's tables that a landing looked at.
    """
    offenders: list[str] = []
    checked = 0
    for name in sorted(path for path in view.on_disk if path.endswith("-annotations-bbox.csv") and "/" not in path):
        try:
            rows = formats.read_boxes(view.root / name, split="", class_names={})
        except FormatError as error:  # a file of an earlier selection, or of a person
            offenders.append(str(error))
            checked += 1
            continue
        checked += rows.table.height + rows.rejected.height
        offenders += [
            f"{name}: line {line}: {reason}" for line, reason in rows.rejected[:, ["line", "reason"]].iter_rows()
        ]
    noted = _rejected(view)
    if noted is None:
        return Found([*offenders, f"{REJECTED}: {UNREADABLE}"], checked + 1)
    checked += int(noted.unique("file")["rows"].sum())
    for name, _, count, place, reason in noted.filter(pl.col("rejected") > 0).iter_rows():
        offenders.append(f"metadata/{name}: {place}: {reason}" + (f" ({count:,} rows)" if count > 1 else ""))
    return Found(offenders, checked)


@table_rule(
    "The file was rewritten or is of another form: fetch it again, or report it to the publisher.",
    severity="error",
)
def enough_rows_are_sound(view: RawView) -> Found:
    """Of none of the publisher's tables are more rows unusable than `tolerance` allows, of those that were looked at.

    These are the rows that mention a class that was asked for, and the metadata of landed images.
    """
    noted = _rejected(view)
    if noted is None:
        return Found([f"{REJECTED}: {UNREADABLE}"], 1)
    files = noted.group_by("file").agg(
        pl.col("rows").first(), pl.col("rejected").sum(), pl.col("place", "reason").first()
    )
    allowed = pl.max_horizontal(view.tolerance.share * pl.col("rows"), view.tolerance.records)
    bad = files.filter((pl.col("rejected") > allowed) | (pl.col("rejected") * 2 > pl.col("rows")))
    text = pl.format("metadata/{}: {} of {} rows; {}: {}", "file", "rejected", "rows", "place", "reason")
    return Found(bad.select(text).to_series(), int(files["rows"].sum()), {"rejected": int(files["rejected"].sum())})


def _rejected(view: RawView) -> pl.DataFrame | None:
    schema = dict.fromkeys(REJECTED_COLUMNS, pl.String) | {"rows": pl.Int64, "rejected": pl.Int64}
    return view.note(REJECTED, schema) if REJECTED in view.on_disk else pl.DataFrame(schema=schema)


@table_rule(
    "Nothing breaks: the leak guard then goes by the pictures alone for these images.",
    severity="warn",
)
def flickr_ids_are_known(view: RawView) -> Found:
    """Every image has the id of its Flickr photo, by which its twin in COCO is found."""
    bare = view.images.filter(pl.col("flickr_id").is_null()).select(pl.format("image {}", "image_id"))
    return Found(bare.to_series(), view.images.height)


@table_rule(
    "Raise the budgets or loosen the filters of the selection, or ask for other classes.",
    severity="warn",
)
def classes_are_covered(view: RawView) -> Found:
    """Every class that was asked for, and that upstream has under the selection, has a landed image."""
    if COVERAGE not in view.on_disk:
        return Found((), 0)
    asked = view.note(COVERAGE, {"class": pl.String, "images_upstream": pl.Int64, "images_landed": pl.Int64})
    if asked is None:
        return Found([f"{COVERAGE}: {UNREADABLE}"], 1)
    bare = asked.filter((pl.col("images_landed") == 0) & (pl.col("images_upstream") > 0))
    nowhere = asked.filter(pl.col("images_upstream") == 0).height
    text = pl.format("{}: none of {} images landed", "class", "images_upstream")
    return Found(bare.select(text).to_series(), asked.height, {"classes that upstream has no image of": nowhere})


OPENIMAGES_RULES: tuple[Rule[RawView], ...] = (
    *ANNOTATED_RULES,
    ids_are_text,
    mids_are_known,
    images_have_boxes,
    flags_are_stated,
    rows_are_sound,
    enough_rows_are_sound,
    flickr_ids_are_known,
    classes_are_covered,
)
"""Rules of `openimages_subset`."""
