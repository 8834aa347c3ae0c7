"""Rules that every raw directory keeps: its files are there, whole, and hold pictures that decode.

Rules about what annotations say are in `boxes` and in the folder of each dataset.
"""

import re
from collections import Counter

import polars as pl

from maxsight_assets.catalog.model import SplitCounts
from maxsight_assets.cleaning.rules import PLACEHOLDER_IDS
from maxsight_assets.formats.names import REMEDIES
from maxsight_assets.images.groups import group
from maxsight_assets.verdict import NOT_JUDGED, Found, Rule, rule
from maxsight_assets.verification.views import RawView

UNKNOWN = "no reason is noted"
"""Why images are missing in a directory whose landing noted nothing of them."""

WEAK_LEVELS = ("size", "unverified")
"""Verification levels that say nothing about a file's content."""


@rule(
    "Run `maxsight-assets repair` on the asset: it fetches just these files.",
    severity="error",
    blocking=True,
)
def files_complete(view: RawView) -> Found:
    """Every file of the manifest is on disk with its size; MaxSight trains on random noise for a missing one."""
    offenders = [
        f"{path}: missing"
        if path not in view.on_disk
        else f"{path}: {size:,} bytes expected, {view.on_disk[path]:,} found"
        for path, size in view.files.select("path", "bytes").iter_rows()
        if view.on_disk.get(path) != size
    ]
    return Found(offenders, view.files.height, {"bytes": int(view.files["bytes"].sum())})


@rule(
    "Run `maxsight-assets repair` on the asset: it fetches just these files.",
    severity="error",
    blocking=True,
    reads_images=True,
)
def hashes_match(view: RawView) -> Found:
    """Every file on disk has the sha256 that it was landed with, so nothing was edited or decayed since."""
    levels = Counter(view.files["level"])
    offenders = [f"{path}: {problem}" for path, problem in view.changed.items()]
    return Found(offenders, view.files.height, {f"level {level}": count for level, count in sorted(levels.items())})


@rule(
    "Move them out of the directory: the selection names none of them. Images of this dataset are taken over in place "
    "once a run states a selection that names them.",
    severity="warn",
)
def no_unlisted_files(view: RawView) -> Found:
    """The directory holds nothing but what was landed; foreign files are left alone, but nobody vouches for them."""
    return Found(view.on_disk.keys() - view.manifest.rows.keys(), len(view.on_disk))


@rule(
    "They came over plain http, differ from S3's ETag (size), or have no stated length (unverified): set a mirror "
    "with TLS, or pin a sha256 in the catalog once you have checked the file against another source.",
    severity="warn",
)
def how_verified(view: RawView) -> Found:
    """Every file was compared with a checksum, or came over TLS and whole, so that its hash of then holds.

    The embedded upstream is exempt: it is part of this project and never leaves the machine.
    """
    if view.manifest.info.source == "embedded":
        return Found((), view.files.height)
    weak = view.files.filter(pl.col("level").is_in(WEAK_LEVELS))
    return Found(weak.select(pl.format("{}: {}", "path", "level")).to_series(), view.files.height)


def _undecodable(view: RawView) -> pl.DataFrame:
    return view.facts.filter(pl.col("error").is_not_null())


@rule(
    "Nothing breaks: splits and evaluation sets leave these out. `maxsight-assets repair` fetches damaged ones.",
    severity="warn",
    reads_images=True,
)
def every_image_decodes(view: RawView) -> Found:
    """Every image decodes in full; cleaning quarantines those that do not."""
    return Found(_undecodable(view).select(pl.format("{}: {}", "path", "error")).to_series(), view.facts.height)


@rule(
    "Look at one of these files: a login page or another archive's content points at the upstream or a mirror.",
    severity="error",
    blocking=True,
    reads_images=True,
)
def enough_images_decode(view: RawView) -> Found:
    """No more images fail to decode than `tolerance` allows; more means a systematic fault, not a damaged file.

    Neither COCO nor Open Images is known to hold one. Login pages named .jpg, a wrong archive or a proxy that rewrites
    pictures spoil most of them.
    """
    bad = _undecodable(view)
    named = bad["path"] if _too_many(view, bad.height, view.facts.height) else ()
    return Found(named, view.facts.height, {"undecodable": bad.height})


@rule(
    "Compare the image with its page upstream; a resized or rotated copy shifts every box on it.",
    severity="warn",
    reads_images=True,
)
def stated_sizes_match(view: RawView) -> Found:
    """Every image has the width and height that manifest and annotations state, so boxes fall where they should."""
    stated = view.images.select(path="file", said_width="stated_width", said_height="stated_height").unique("path")
    sizes = (
        view.facts.filter(pl.col("error").is_null())
        .join(view.files.select("path", header_width="width", header_height="height"), on="path", how="left")
        .join(stated, on="path", how="left")
    )
    differs = pl.any_horizontal(
        pl.col("said_width") != pl.col("width"),
        pl.col("said_height") != pl.col("height"),
        pl.col("header_width") != pl.col("width"),
        pl.col("header_height") != pl.col("height"),
    )
    said = pl.format("{}x{}", pl.coalesce("said_width", "header_width"), pl.coalesce("said_height", "header_height"))
    offenders = sizes.filter(differs).select(pl.format("{}: {} stated, {}x{} found", "path", said, "width", "height"))
    return Found(offenders.to_series(), sizes.height)


@rule(
    "Boxes lie on the pixels as stored: read them so, as Pillow does (OpenCV: IMREAD_IGNORE_ORIENTATION).",
    severity="warn",
    reads_images=True,
)
def pictures_are_upright(view: RawView) -> Found:
    """No picture is to be turned: neither its EXIF orientation nor the publisher's `rotation` says so.

    Splits and evaluation sets state both with each image.
    """
    rotations = view.images.select(path="file", rotation=pl.col("rotation").fill_null(0)).unique("path")
    sound = view.facts.filter(pl.col("error").is_null()).join(rotations, on="path", how="left")
    by_exif, by_publisher = pl.col("orientation") != 1, pl.col("rotation").fill_null(0) != 0
    text = pl.format("{}: orientation {}, rotation {}", "path", "orientation", pl.col("rotation").fill_null(0))
    facts = {"turned by EXIF": sound.filter(by_exif).height, "with a rotation": sound.filter(by_publisher).height}
    return Found(sound.filter(by_exif | by_publisher).select(text).to_series(), sound.height, facts)


@rule(
    "Look at them: two ids of one photograph weigh twice; from three ids with one content on, cleaning drops them all.",
    severity="warn",
    reads_images=True,
)
def pictures_have_one_id(view: RawView) -> Found:
    """No picture, and no near copy of one, is there under several ids.

    Splits keep such images together. One content under three ids or more is a placeholder for photographs that are
    gone; cleaning drops these images with their boxes, and above `tolerance` nothing is published.
    """
    nodes = view.facts.filter(pl.col("error").is_null()).with_columns(
        key="path", flickr_id=pl.lit(None, dtype=pl.String)
    )
    edges = group(nodes).edges
    again = edges.unique("right", keep="first", maintain_order=True)
    placeholders = nodes.filter(pl.len().over("sha256") >= PLACEHOLDER_IDS)
    facts = dict(again.group_by("reason").len().sort("reason").iter_rows()) | {"placeholders": placeholders.height}
    return Found(again.select(pl.format("{}: as {} ({})", "right", "left", "reason")).to_series(), nodes.height, facts)


@rule(
    "A publisher's correction is accepted with `maxsight-assets accept`; otherwise fetch the annotation files again.",
    severity="error",
)
def counts_match(view: RawView) -> Found:
    """Each split's annotations hold the number of images and boxes that the publisher states."""
    if view.counts and view.problem is not None:
        return NOT_JUDGED
    offenders = []
    for split, stated in sorted(view.counts.items()):
        have = view.counted.get(split, SplitCounts(images=0, boxes=0))
        if have.images != stated.images:
            offenders.append(f"{split}: {stated.images:,} images stated, {have.images:,} found")
        if stated.boxes not in (None, have.boxes):
            offenders.append(f"{split}: {stated.boxes:,} boxes stated, {have.boxes:,} found")
    facts = {f"{split} images": have.images for split, have in sorted(view.counted.items())}
    facts |= {f"{split} boxes": have.boxes or 0 for split, have in sorted(view.counted.items())}
    figures = sum(1 + (stated.boxes is not None) for stated in view.counts.values())
    return Found(offenders, figures, facts)


@rule(
    "They are left out; missing.csv has the reasons. Open Images: what upstream refused (404, another 4xx) or its "
    "directory lacks is asked for again by a run that states a field of the selection, for instance splits, anything "
    "else by the next run.",
    severity="warn",
)
def every_image_landed(view: RawView) -> Found:
    """Every image that the selection asks for has been landed."""
    return Found(_with_reasons(view), _wanted(view), _by_reason(view))


@rule(
    "The message and missing.csv say why, by reason, and what to do about each.",
    severity="error",
    blocking=True,
)
def enough_images_landed(view: RawView) -> Found:
    """No more of the selected images are missing than `tolerance` allows; with fewer it is not what was asked for."""
    missing, by_reason = view.missing.len(), _by_reason(view)
    facts = {"missing": missing} | by_reason
    if not _too_many(view, missing, _wanted(view)):
        return Found((), _wanted(view), facts)
    told = [f"{count:,}: {reason}. {_remedy(reason)}" for reason, count in by_reason.items()]
    return Found(_with_reasons(view), _wanted(view), facts, remedy=" ".join(told))


def _with_reasons(view: RawView) -> list[str]:
    return [f"{path}: {view.reasons[path]}" if path in view.reasons else path for path in view.missing]


def _by_reason(view: RawView) -> dict[str, int]:
    """Number of missing images by reason, the commonest first."""
    counts = Counter(view.reasons.get(path, UNKNOWN) for path in view.missing)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _remedy(reason: str) -> str:
    if reason == UNKNOWN:
        return "Materialize again: it looks for them and notes why they do not come."
    if reason in REMEDIES:
        return REMEDIES[reason]
    if re.match(r"4\d\d\b", reason):
        return "Upstream refuses them or has them no more; leave them out, or set the dataset's mirror variable."
    if re.search(r"\(\d+ tries\)", reason):
        return "Upstream may be down; materialize again, or set the dataset's mirror variable."
    return "Other bytes came than those: look at one of them, then materialize again, or set the mirror variable."


def _wanted(view: RawView) -> int:
    return view.images.filter("landed").height + view.missing.len()


def _too_many(view: RawView, bad: int, total: int) -> bool:
    """Whether so many of so many are more than the selection tolerates, or most of a few."""
    return view.tolerance.is_exceeded(bad, total) or (2 * bad > total and view.tolerance.share < 1)


FILE_RULES: tuple[Rule[RawView], ...] = (files_complete, hashes_match, no_unlisted_files, how_verified)
"""Rules for a directory of any files, checkpoints for instance."""

IMAGE_RULES: tuple[Rule[RawView], ...] = (
    every_image_decodes,
    enough_images_decode,
    stated_sizes_match,
    pictures_are_upright,
    pictures_have_one_id,
    counts_match,
    every_image_landed,
    enough_images_landed,
)
"""Rules for a directory that holds annotated images, beside `FILE_RULES`."""
