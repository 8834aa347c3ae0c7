"""Take a part of a set that has the shares of the whole: the same images each time, and more if asked for more.

Each image belongs to a stratum. The images of a stratum are spread evenly over the interval from 0 to 1, in an order
drawn by their ids alone, and the images with the smallest places are taken. So every part holds of each stratum its
share, give or take one image, and a smaller part is contained in a larger one.
"""

import polars as pl

from maxsight_assets.cleaning.apply import IMAGE_KEY, Cleaned
from maxsight_assets.cleaning.rule import Rule
from maxsight_assets.evaluation.leave_out import without
from maxsight_assets.formats.ids import draws

OVER_THE_SAMPLE = Rule(
    name="over_the_sample",
    matches=~pl.col("is_taken"),
    values=("stratum",),
    reason="The number of images that is asked of its set is reached without it.",
    severity="warn",
)

NONE = "-"
"""What stands in the name of a stratum for no label, and for no stated time of day."""


def take(cleaned: Cleaned, attributes: pl.DataFrame, *, most: int | None, seed: int) -> Cleaned:
    """Return at most `most` images of a set, with their boxes; None takes all.

    Args:
        cleaned: The records.
        attributes: ATTRIBUTES table.
        most: Number of images.
        seed: Decides the order within each stratum.
    """
    if most is None or most >= cleaned.images.height:
        return cleaned
    placed = places(strata(cleaned, attributes), seed=seed)
    is_taken = pl.int_range(pl.len()) < most
    marks = placed.sort("place", *IMAGE_KEY).select(*IMAGE_KEY, "stratum", is_taken=is_taken)
    return without(cleaned, marks, OVER_THE_SAMPLE)


def strata(cleaned: Cleaned, attributes: pl.DataFrame) -> pl.DataFrame:
    """Return the stratum of each image: its label that fewest images have, and its time of day if that is stated.

    Returns:
        `source`, `image_id`, `stratum`; one row per image.
    """
    labels = cleaned.boxes.select(*IMAGE_KEY, "label").unique()
    rarest = (
        labels.with_columns(images=pl.len().over("label"))
        .sort("images", "label")
        .unique(IMAGE_KEY, keep="first", maintain_order=True)
        .select(*IMAGE_KEY, "label")
    )
    said = attributes.select("image_id", "timeofday").unique("image_id", keep="first")
    joined = (
        cleaned.images.select(IMAGE_KEY).join(rarest, on=IMAGE_KEY, how="left").join(said, on="image_id", how="left")
    )
    stratum = pl.format("{}, {}", pl.col("label").fill_null(NONE), pl.col("timeofday").fill_null(NONE))
    return joined.select(*IMAGE_KEY, stratum=stratum)


def places(images: pl.DataFrame, *, seed: int) -> pl.DataFrame:
    """Return the place of each image between 0 and 1; a stratum of n images has one in each n-th of the interval.

    Where in each n-th is drawn for the stratum, so that strata of one image are as likely early as late.

    Args:
        images: As `strata` returns them.
        seed: Decides the order within each stratum.
    """
    drawn = images.with_columns(draw=draws(images["image_id"], seed), start=draws(images["stratum"], seed))
    in_order = drawn.sort("stratum", "draw", *IMAGE_KEY)
    number = pl.int_range(pl.len()).over("stratum")
    return in_order.with_columns(place=(number + pl.col("start")) / pl.len().over("stratum"))
