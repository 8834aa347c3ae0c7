"""Chooses which Open Images to land: by class, by the flags of their boxes, by licence, within budgets.

A choice depends on the publisher's tables and the selection alone. It is kept by the digest of both, so that it is made
once. What is chosen is brought by `openimages`.
"""

import hashlib
import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
import polars as pl

from maxsight_assets.datasets.openimages import format as formats
from maxsight_assets.datasets.openimages.format_csv import SetAside
from maxsight_assets.datasets.openimages.selection import OpenImagesSelection
from maxsight_assets.datasets.sampling import rank
from maxsight_assets.errors import FormatError, SettingsError
from maxsight_assets.labels.mapping import to_space
from maxsight_assets.labels.space import load_space

RULES = 3
"""Raise this with every change to what is chosen, so that no choice of older rules is taken for one of these."""

FLAGS = {
    "group_of": "crowd",
    "depiction": "depiction",
    "inside": "inside",
    "truncated": "truncated",
    "occluded": "occluded",
}
"""Fields of the selection and the columns that they look at."""

ID = r"^[0-9a-f]{16}$"


@dataclass(frozen=True, slots=True)
class Tables:
    """The publisher's tables of one split.

    Attributes:
        boxes: Bounding-box CSV.
        images: Image-metadata CSV.
        digest: Of both files' content.
    """

    boxes: Path
    images: Path
    digest: str


@dataclass(frozen=True, slots=True)
class Choice:
    """What a selection comes to.

    Attributes:
        images: Ids of the chosen images by split, in order.
        classes: By MID, the images that have the class and fit the selection, and how many of them are chosen.
        unfit: Ids by split that have a wanted class but are no ids; nothing is fetched for them.
        aside: By file name, which of the rows that were looked at cannot be used.
    """

    images: dict[str, list[str]]
    classes: dict[str, tuple[int, int]]
    unfit: dict[str, list[str]]
    aside: dict[str, SetAside]


def choose(
    tables: Mapping[str, Tables], wanted: Collection[str], selection: OpenImagesSelection, *, kept: Path | None
) -> Choice:
    """Choose the images of a selection, or recall what was chosen before for the same tables and selection.

    Args:
        tables: By split.
        wanted: MIDs of the classes, see `wanted_mids`.
        selection: Filters and budgets.
        kept: Directory of choices that were made before; None: choose anew.

    Raises:
        FormatError: A table is of the wrong kind, or none of its rows can be used.
    """
    asked = selection.model_dump(mode="json", exclude={"images_from"})
    digests = {split: each.digest for split, each in sorted(tables.items())}
    key = hashlib.sha256(msgspec.json.encode([RULES, asked, digests, sorted(wanted)])).hexdigest()
    place = kept / f"{key}.json" if kept else None
    if place is not None and place.exists():
        with suppress(msgspec.DecodeError):  # cut short by a crash: it is made again
            return msgspec.json.decode(place.read_bytes(), type=Choice)
    choice = _choose(tables, wanted, selection)
    if place is not None:
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = place.with_suffix(f".{os.getpid()}.new")
        draft.write_bytes(msgspec.json.encode(choice))
        draft.replace(place)
    return choice


def wanted_mids(
    names: Mapping[str, str], below: Mapping[str, Collection[str]], selection: OpenImagesSelection
) -> set[str]:
    """MIDs of the selected classes; where none is selected, of all that the detector has a name for.

    Args:
        names: Class names by MID.
        below: Subclasses by MID.
        selection: Names classes by name or MID, with their subclasses or without.

    Raises:
        SettingsError: Open Images has no such class.
    """
    if not selection.classes:
        known = to_space("openimages", load_space())
        return {mid for mid, name in names.items() if known.get(name) is not None}
    by_name = {name: mid for mid, name in names.items()}
    unknown = sorted(each for each in selection.classes if each not in names and each not in by_name)
    if unknown:
        raise SettingsError(
            f"run config, classes: Open Images has no boxes of {', '.join(unknown)}; "
            "its classes are in v5/class-descriptions-boxable.csv"
        )
    chosen = {each if each in names else by_name[each] for each in selection.classes}
    if selection.subclasses:
        chosen = chosen.union(*(below.get(mid, ()) for mid in chosen))
    return chosen & names.keys()  # a hierarchy of another edition has classes that the list has not


def order(pairs: pl.DataFrame, *, seed: int) -> pl.DataFrame:
    """Put the images of one split in the order in which budgets take them.

    In turns, each class takes its next image, the class with the fewest images first; an image that has several
    classes counts for all of them. So rare classes are complete before frequent ones are, any budget is a beginning of
    the same list, and a larger one only adds.

    Args:
        pairs: Columns `image_id`, `mid`, each pair once.
        seed: Decides the order of a class's images.

    Returns:
        Columns `image_id`, `turn` (from 0), sorted.
    """
    ids = sorted(pairs["image_id"].unique(), key=lambda image_id: rank(image_id, seed))
    in_order = pl.Series(ids, dtype=pl.String)
    numbers = pairs.select(  # a class and an image as a number each: texts take far more memory
        "mid", image=pl.col("image_id").cast(pl.Enum(in_order)).to_physical()
    )
    rarity = numbers.group_by("mid").len().sort("len", "mid").with_row_index("rarity").drop("len")
    turns = (
        numbers.sort("mid", "image")
        .with_columns(turn=pl.int_range(pl.len(), dtype=pl.Int64).over("mid"))
        .join(rarity, on="mid", maintain_order="none")
        .sort("turn", "rarity")
        .unique("image", keep="first", maintain_order=True)
    )
    return pl.DataFrame({"image_id": in_order.gather(turns["image"]), "turn": turns["turn"]})


def take(orders: Mapping[str, pl.DataFrame], selection: OpenImagesSelection) -> dict[str, list[str]]:
    """Apply the budgets: the images by split, sorted.

    Each budget is a limit of its own, and an image has to be within all of them: that is what makes a larger one only
    add. `max_images` is filled by all splits in turns.

    Args:
        orders: By split, see `order`.
        selection: The budgets.
    """
    parts = [
        frame.with_columns(split=pl.lit(split), place=pl.int_range(pl.len(), dtype=pl.Int64))
        for split, frame in sorted(orders.items())
    ]
    images = pl.concat(parts).sort("turn", "place", "split").with_row_index("total")
    if selection.max_images is not None:
        images = images.filter(pl.col("total") < selection.max_images)
    if selection.max_per_class is not None:
        images = images.filter(pl.col("turn") < selection.max_per_class)
    for split, most in selection.splits.items():
        if most is not None:
            images = images.filter((pl.col("split") != split) | (pl.col("place") < most))
    return {split: sorted(images.filter(pl.col("split") == split)["image_id"]) for split in sorted(orders)}


def _choose(tables: Mapping[str, Tables], wanted: Collection[str], selection: OpenImagesSelection) -> Choice:
    flags = {
        column: getattr(selection, field) == "only"
        for field, column in FLAGS.items()
        if getattr(selection, field) != "any"
    }
    pairs: dict[str, pl.DataFrame] = {}
    unfit: dict[str, list[str]] = {}
    aside: dict[str, SetAside] = {}
    for split, each in sorted(tables.items()):
        found, aside[each.boxes.name] = formats.class_images(
            each.boxes, wanted, flags=flags, annotators=selection.annotators or ()
        )
        is_id = pl.col("image_id").str.contains(ID)
        unfit[split] = found.filter(~is_id)["image_id"].unique().sort().to_list()
        found = found.filter(is_id)
        if selection.licences:
            licensed, aside[each.images.name] = formats.licensed(
                each.images, found["image_id"].unique(), selection.licences
            )
            found = found.filter(pl.col("image_id").is_in(licensed.implode()))
        pairs[split] = found
    if all(each.is_empty() for each in pairs.values()):
        _insist_usable(aside)
    chosen = take({split: order(each, seed=selection.seed) for split, each in pairs.items()}, selection)
    return Choice(images=chosen, classes=_counts(pairs, chosen, wanted), unfit=unfit, aside=aside)


def _insist_usable(aside: Mapping[str, SetAside]) -> None:
    """Where every row of a file is broken, it is the file that leaves nothing to choose, not the selection."""
    for name, each in aside.items():
        if each.reasons and each.count == each.rows:
            place, _, reason = each.reasons[0]
            raise FormatError(f"{name}: {place}: {reason}; none of its {each.rows:,} rows that matter can be used")


def _counts(
    pairs: Mapping[str, pl.DataFrame], chosen: Mapping[str, Sequence[str]], wanted: Collection[str]
) -> dict[str, tuple[int, int]]:
    counts = dict.fromkeys(sorted(wanted), (0, 0))
    for split, each in pairs.items():
        taken = pl.col("image_id").is_in(pl.Series(chosen[split], dtype=pl.String).implode())
        for mid, there, took in each.group_by("mid").agg(pl.len(), taken.sum().alias("took")).iter_rows():
            counts[mid] = (counts[mid][0] + there, counts[mid][1] + took)
    return counts
