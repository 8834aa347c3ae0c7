"""Choose the Open Images to land: by class, by the flags of their boxes, by licence, within budgets.

A choice depends only on the publisher's tables and the selection. It is stored under the digest of both, so that it is
made once. `source` lands the chosen images.
"""

import hashlib
import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
import polars as pl

from maxsight_assets.catalog import model as catalogs
from maxsight_assets.datasets.openimages import format as formats
from maxsight_assets.datasets.openimages.format_csv import SetAside
from maxsight_assets.datasets.openimages.selection import OpenImagesSelection
from maxsight_assets.datasets.sampling import in_turns
from maxsight_assets.errors import FormatError, SettingsError
from maxsight_assets.labels.mapping import to_space
from maxsight_assets.labels.space import load_space

RULES = 4
"""Raise this with every change to what is chosen, so that no choice made by older rules is used again."""

FLAGS = {
    "group_of": "crowd",
    "depiction": "depiction",
    "inside": "inside",
    "truncated": "truncated",
    "occluded": "occluded",
}
"""Fields of the selection and the columns that they look at."""

ID = r"^[0-9a-f]{16}$"

EVALUATED = catalogs.load("openimages").evaluated
"""The split that has filters and a budget of its own, so that a choice for training never changes what is measured."""


@dataclass(frozen=True, slots=True)
class Tables:
    """The publisher's tables of one split.

    Attributes:
        boxes: Bounding-box CSV.
        images: Image-metadata CSV.
        digest: Digest of the content of both files.
    """

    boxes: Path
    images: Path
    digest: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The images that a selection chooses.

    Attributes:
        images: Ids of the chosen images by split, in order.
        classes: By MID, the number of images that have the class and fit the selection, and how many of them are
            chosen.
        unfit: By split, ids with a wanted class that are not valid ids; nothing is fetched for them.
        aside: By file name, the rows that were read and cannot be used.
    """

    images: dict[str, list[str]]
    classes: dict[str, tuple[int, int]]
    unfit: dict[str, list[str]]
    aside: dict[str, SetAside]


def choose(
    tables: Mapping[str, Tables],
    wanted: Mapping[str, Collection[str]],
    selection: OpenImagesSelection,
    *,
    kept: Path | None,
) -> Choice:
    """Choose the images of a selection, or return the stored choice for the same tables and selection.

    Args:
        tables: The publisher's tables by split.
        wanted: MIDs of the classes by split, see `wanted_mids`.
        selection: Filters and budgets.
        kept: Directory of stored choices; None chooses anew.

    Raises:
        FormatError: A table has the wrong format, or none of its rows can be used.
    """
    asked = selection.model_dump(mode="json", exclude={"images_from"})
    digests = {split: each.digest for split, each in sorted(tables.items())}
    key = hashlib.sha256(msgspec.json.encode([RULES, asked, digests, _sorted(wanted)])).hexdigest()
    place = kept / f"{key}.json" if kept else None
    if place is not None and place.exists():
        with suppress(msgspec.DecodeError):  # truncated by a crash: it is made again
            return msgspec.json.decode(place.read_bytes(), type=Choice)
    choice = _choose(tables, wanted, selection)
    if place is not None:
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = place.with_suffix(f".{os.getpid()}.new")
        draft.write_bytes(msgspec.json.encode(choice))
        draft.replace(place)
    return choice


def _sorted(wanted: Mapping[str, Collection[str]]) -> list[tuple[str, list[str]]]:
    return [(split, sorted(mids)) for split, mids in sorted(wanted.items())]


def wanted_mids(
    names: Mapping[str, str], below: Mapping[str, Collection[str]], selection: OpenImagesSelection, *, split: str
) -> set[str]:
    """Return the MIDs of the classes selected for a split; by default all classes that the detector has a name for.

    Args:
        names: Class names by MID.
        below: Subclasses by MID.
        selection: Names classes by name or MID, with their subclasses or without.
        split: Training splits have other classes than the evaluated one.

    Raises:
        SettingsError: Open Images does not have a selected class.
    """
    classes = selection.evaluation_classes if split == EVALUATED else selection.classes
    if not classes:
        known = to_space("openimages", load_space())
        return {mid for mid, name in names.items() if known.get(name) is not None}
    by_name = {name: mid for mid, name in names.items()}
    unknown = sorted(each for each in classes if each not in names and each not in by_name)
    if unknown:
        raise SettingsError(
            f"run config, classes: Open Images has no boxes of {', '.join(unknown)}; "
            "its classes are in v5/class-descriptions-boxable.csv"
        )
    chosen = {each if each in names else by_name[each] for each in classes}
    if selection.subclasses:
        chosen = chosen.union(*(below.get(mid, ()) for mid in chosen))
    return chosen & names.keys()  # a hierarchy of another edition has classes that the list lacks


def take(orders: Mapping[str, pl.DataFrame], selection: OpenImagesSelection) -> dict[str, list[str]]:
    """Apply the budgets, and return the sorted images by split.

    Each budget is a limit of its own, and an image must be within all of them. So a larger budget only adds images.
    `max_images` is filled by all training splits in turns; the evaluated split has `evaluation_max_images`.

    Args:
        orders: By split, see `sampling.in_turns`.
        selection: The budgets.
    """
    schema = {"image_id": pl.String, "turn": pl.Int64, "split": pl.String, "place": pl.Int64}
    parts = [
        frame.with_columns(split=pl.lit(split), place=pl.int_range(pl.len(), dtype=pl.Int64))
        for split, frame in sorted(orders.items())
    ]
    images = pl.concat([pl.DataFrame(schema=schema), *parts]).sort("turn", "place", "split")
    evaluated = pl.col("split").eq_missing(pl.lit(EVALUATED))
    training = images.filter(~evaluated).with_row_index("total")
    if selection.max_images is not None:
        training = training.filter(pl.col("total") < selection.max_images)
    if selection.max_per_class is not None:
        training = training.filter(pl.col("turn") < selection.max_per_class)
    images = pl.concat([training.drop("total"), images.filter(evaluated)])
    limits = [*selection.splits.items(), (EVALUATED, selection.evaluation_max_images)]
    for split, most in limits:
        if most is not None:
            images = images.filter((pl.col("split") != split) | (pl.col("place") < most))
    return {split: sorted(images.filter(pl.col("split") == split)["image_id"]) for split in sorted(orders)}


def _choose(
    tables: Mapping[str, Tables], wanted: Mapping[str, Collection[str]], selection: OpenImagesSelection
) -> Choice:
    flags = {
        column: getattr(selection, field) == "only"
        for field, column in FLAGS.items()
        if getattr(selection, field) != "any"
    }
    pairs: dict[str, pl.DataFrame] = {}
    unfit: dict[str, list[str]] = {}
    aside: dict[str, SetAside] = {}
    for split, each in sorted(tables.items()):
        evaluated = split == EVALUATED
        found, aside[each.boxes.name] = formats.class_images(
            each.boxes,
            wanted[split],
            flags={} if evaluated else flags,
            annotators=() if evaluated else selection.annotators or (),
        )
        is_id = pl.col("image_id").str.contains(ID)
        unfit[split] = found.filter(~is_id)["image_id"].unique().sort().to_list()
        found = found.filter(is_id)
        if licences := selection.evaluation_licences if evaluated else selection.licences:
            licensed, aside[each.images.name] = formats.licensed(each.images, found["image_id"].unique(), licences)
            found = found.filter(pl.col("image_id").is_in(licensed.implode()))
        pairs[split] = found
    if all(each.is_empty() for each in pairs.values()):
        _insist_usable(aside)
    orders = {split: in_turns(each.rename({"mid": "label"}), seed=selection.seed) for split, each in pairs.items()}
    chosen = take(orders, selection)
    return Choice(images=chosen, classes=_counts(pairs, chosen, wanted), unfit=unfit, aside=aside)


def _insist_usable(aside: Mapping[str, SetAside]) -> None:
    """Refuse a file of which every row is broken: the file, not the selection, leaves nothing to choose."""
    for name, each in aside.items():
        if each.reasons and each.count == each.rows:
            place, _, reason = each.reasons[0]
            raise FormatError(f"{name}: {place}: {reason}; none of its {each.rows:,} rows that matter can be used")


def _counts(
    pairs: Mapping[str, pl.DataFrame], chosen: Mapping[str, Sequence[str]], wanted: Mapping[str, Collection[str]]
) -> dict[str, tuple[int, int]]:
    counts = dict.fromkeys(sorted(set().union(*wanted.values())), (0, 0))
    for split, each in pairs.items():
        taken = pl.col("image_id").is_in(pl.Series(chosen[split], dtype=pl.String).implode())
        for mid, there, took in each.group_by("mid").agg(pl.len(), taken.sum().alias("took")).iter_rows():
            counts[mid] = (counts[mid][0] + there, counts[mid][1] + took)
    return counts
