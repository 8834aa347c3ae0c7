"""Find the training images that show the same picture as an evaluation image, and the reason.

Metrics are invalid if the detector was trained on a picture that they are measured on. So such images never enter a
split.
"""

import polars as pl

from maxsight_assets.cleaning.rule import Rule
from maxsight_assets.splitting.groups import distances

_REASONS = ("content", "pixels", "flickr", "near", "chain")  # the first that holds is reported

LEAKS = Rule(
    name="leaks_into_evaluation",
    matches=pl.col("evaluation_image").is_not_null(),
    values=("evaluation_image", "because"),
    reason="The picture, or a near copy of it, is in an evaluation set.",
    severity="warn",
)


def find(training: pl.DataFrame, evaluation: pl.DataFrame, *, radius: int) -> pl.DataFrame:
    """Pair each training image with an evaluation image of its group.

    Args:
        training: One row per image: `key`, `group`, `sha256`, `pixels`, `phash`, `flickr_id`.
        evaluation: The same columns of the evaluation images.
        radius: Largest number of bits by which the fingerprints of near copies may differ.

    Returns:
        `key`, `evaluation_image` (its key) and `because` (content, pixels, flickr, near, or chain: linked through other
        images of the group), one row per leak, sorted by key.
    """
    pairs = training.join(evaluation, on="group", how="inner", suffix="_there")
    pairs = pairs.with_columns(distance=distances(pairs["phash"], pairs["phash_there"]))
    holds = {
        "content": pl.col("sha256") == pl.col("sha256_there"),
        "pixels": pl.col("pixels") == pl.col("pixels_there"),
        "flickr": pl.col("flickr_id") == pl.col("flickr_id_there"),
        "near": pl.col("distance") <= radius,
        "chain": pl.lit(value=True),
    }
    because = pl.coalesce(pl.when(holds[reason]).then(pl.lit(reason)) for reason in _REASONS)
    strength = because.replace_strict({reason: rank for rank, reason in enumerate(_REASONS)}, return_dtype=pl.Int32)
    return (
        pairs.select("key", because.alias("because"), strength.alias("strength"), evaluation_image="key_there")
        .sort("key", "strength", "evaluation_image")
        .unique("key", keep="first", maintain_order=True)
        .select("key", "evaluation_image", "because")
    )
