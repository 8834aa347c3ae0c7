"""Decide the split of each group of images.

Every strategy decides for a whole group: by a seeded hash of its name, by the publisher's split, or by the labels in
it. The order of rows never matters. `images.groups` finds the groups, and `splitting.build` accounts for images
without a split.
"""

from collections.abc import Collection, Iterator

import polars as pl

from maxsight_assets.errors import SettingsError
from maxsight_assets.formats.ids import draws
from maxsight_assets.splitting.config import SPLITS, Sizes, Split, SplitConfig
from maxsight_assets.splitting.stratify import stratify

HELD_OUT: tuple[Split, ...] = ("test", "val", "train")
"""Splits in the order in which they are filled if numbers of images are requested.

The most strictly held out split comes first. So if images are added, a held-out image may move to train, but a train
image never becomes a held-out one.
"""


def assign(images: pl.DataFrame, boxes: pl.DataFrame, config: SplitConfig) -> pl.DataFrame:
    """Decide the split of each group.

    With shares, the draw of a group alone decides, so other images change nothing. With numbers, whole groups are taken
    in the order of their draws; a group that exceeds the room left in a split goes to the next one. Numbers that exceed
    the available images are first shrunk in proportion (`affordable`). With `official`, images that a publisher held
    out keep the publisher's split. The other images are drawn between train and the splits for which no publisher has
    an image.

    Args:
        images: One row per image: `source`, `image_id`, `group`, and the publisher's `split`.
        boxes: One row per box: `source`, `image_id` and `label`; only `stratified` uses it.
        config: Strategy, sizes and seed.

    Returns:
        `group` and `subset` (train, val, test, or null if the sizes leave no room), sorted by group.

    Raises:
        SettingsError: The strategy is `official`, and a publisher's split is none of train, val and test.
    """
    groups = images.group_by("group").agg(size=pl.len()).sort("group")
    groups = groups.with_columns(draw=draws(groups["group"], config.seed))
    if config.strategy == "stratified":
        sizes = affordable(config.sizes, HELD_OUT, images.height)
        return stratify(groups.select("group", "size", "draw"), _labels(images, boxes), sizes)
    published: list[Split] = ["train"] * groups.height
    if config.strategy == "official":
        names = images.group_by("group").agg(pl.col("split").unique().sort()).sort("group")["split"]
        published = [_most_held_out(each) for each in names.to_list()]
    groups = groups.with_columns(published=pl.Series(published, dtype=pl.String))
    drawn = tuple(split for split in HELD_OUT if split == "train" or split not in published)
    sizes = affordable(config.sizes, drawn, int(groups.filter(published="train")["size"].sum()))
    subset = _by_count if sizes.are_counts else _by_share
    return groups.select("group", subset=subset(groups, drawn, sizes))


def affordable(sizes: Sizes, drawn: Collection[Split], images: int) -> Sizes:
    """Shrink numbers that exceed the available images in proportion, so that val and test leave images to train.

    Args:
        sizes: The requested sizes.
        drawn: The splits that share the images.
        images: The number of available images.

    Returns:
        The same sizes if they are shares, or if there are enough images. Otherwise numbers with val and test shrunk, to
        at least one image each as long as one image is left to train.
    """
    numbers = zip(SPLITS, (sizes.train or 0, sizes.val, sizes.test), strict=True)
    asked = {split: int(size) for split, size in numbers if split in drawn}
    total = sum(asked.values())
    if not sizes.are_counts or total <= images:
        return sizes
    room: dict[str, int] = {}
    left, others = images, total
    for split in sorted(asked.keys() - {"train"}):
        others -= asked[split]  # what train and the splits after this one can take
        room[split] = min(max(images * asked[split] // total, left - others, 1), asked[split], max(left - 1, 0))
        left -= room[split]
    return sizes.model_copy(update=room)


def _labels(images: pl.DataFrame, boxes: pl.DataFrame) -> pl.DataFrame:
    """Count the boxes (`boxes`) by `group` and `label`."""
    key = ["source", "image_id"]
    named = boxes.select(*key, "label").join(images.select(*key, "group"), on=key, how="inner")
    return named.group_by("group", "label").len("boxes")


def _by_share(groups: pl.DataFrame, drawn: tuple[Split, ...], sizes: Sizes) -> pl.Series:
    """Divide the numbers from 0 to 1 between the drawn splits, of which the last takes the rest."""
    end, choices = 0.0, [pl.when(pl.col("published") != "train").then("published")]
    for split in drawn[:-1]:
        end += sizes.test if split == "test" else sizes.val
        choices.append(pl.when(pl.col("draw") < end).then(pl.lit(split)))
    return groups.select(subset=pl.coalesce(*choices, pl.lit(drawn[-1])))["subset"]


def _by_count(groups: pl.DataFrame, drawn: tuple[Split, ...], sizes: Sizes) -> pl.Series:
    """Take groups, in the order of their draws, into the first of their splits that has room for all their images."""
    room = {"train": sizes.train or 0, "val": int(sizes.val), "test": int(sizes.test)}
    subset: list[Split | None] = [None] * groups.height
    members, published = groups["size"].to_list(), groups["published"].to_list()
    for index in groups["draw"].to_numpy().argsort(kind="stable").tolist():
        choices = drawn if published[index] == "train" else (published[index],)
        subset[index] = taken = next((split for split in choices if room[split] >= members[index]), None)
        if taken is not None:
            room[taken] -= members[index]
    return pl.Series(subset, dtype=pl.String)


def _most_held_out(published: list[str]) -> Split:
    """Return the publisher's split of a group; if its images are in several, the most strictly held out one."""
    return min(_of_publisher(published), key=HELD_OUT.index)


def _of_publisher(published: list[str]) -> Iterator[Split]:
    """Translate "train2017", "validation", "val", "test" and the like."""
    for name in published:
        if name.startswith("train"):
            yield "train"
        elif name.startswith("val"):
            yield "val"
        elif name.startswith("test"):
            yield "test"
        else:
            raise SettingsError(f"the publisher's split {name!r} is none of train, val and test; use strategy `hash`")
