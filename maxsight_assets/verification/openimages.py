"""Rules for `openimages_subset`: those of every annotated directory, and what only Open Images' files can break.

How many images are gone upstream is `raw.every_image_landed` and `raw.enough_images_landed`.
"""

import polars as pl

from maxsight_assets.verification.boxes import ANNOTATED_RULES, BOX_NAME, table_rule
from maxsight_assets.verification.verdict import Found, Rule
from maxsight_assets.verification.views import RawView

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
    bare = view.boxes.filter(pl.col("label").str.starts_with("/m/")).select(pl.format("{}: {}", BOX_NAME, "label"))
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
    return Found(offending, view.boxes.height, {f"{flag} unknown": share for flag, share in unknown.items()})


OPENIMAGES_RULES: tuple[Rule[RawView], ...] = (
    *ANNOTATED_RULES,
    ids_are_text,
    mids_are_known,
    images_have_boxes,
    flags_are_stated,
)
"""Rules of `openimages_subset`."""
