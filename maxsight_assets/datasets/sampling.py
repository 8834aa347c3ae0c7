"""Take stable samples: a seed gives the same ids on any machine, and a larger sample contains the smaller one."""

import hashlib
from collections.abc import Iterable

import polars as pl


def take(ids: Iterable[str], count: int | None, *, seed: int) -> frozenset[str]:
    """Choose `count` of the ids.

    Each id gets a pseudo-random rank from the seed and itself alone, and the lowest ranks are taken: raising `count`
    only adds ids, and ids that upstream adds or removes move no other's rank.

    Args:
        ids: Ids to choose from.
        count: Number of ids to take; None, or more than there are, takes all.
        seed: Decides the ranks.
    """
    chosen = set(ids)
    if count is None or count >= len(chosen):
        return frozenset(chosen)
    return frozenset(sorted(chosen, key=lambda image_id: rank(image_id, seed))[:count])


def rank(image_id: str, seed: int) -> tuple[bytes, str]:
    """Return the pseudo-random rank of an id, which depends only on the seed and the id."""
    return hashlib.blake2b(f"{seed}:{image_id}".encode(), digest_size=8).digest(), image_id


def in_turns(pairs: pl.DataFrame, *, seed: int) -> pl.DataFrame:
    """Put the images of one split in the order in which budgets take them.

    In turns, each class takes its next image, the class with the fewest images first; an image that has several
    classes counts for all of them. So rare classes are complete before frequent ones are, any budget is a beginning of
    the same list, and a larger one only adds.

    Args:
        pairs: Columns `image_id`, `label`, each pair once.
        seed: Decides the order of a class's images.

    Returns:
        Columns `image_id`, `turn` (from 0), sorted.
    """
    ids = sorted(pairs["image_id"].unique(), key=lambda image_id: rank(image_id, seed))
    in_order = pl.Series(ids, dtype=pl.String)
    numbers = pairs.select(  # a class and an image as a number each: texts take far more memory
        "label", image=pl.col("image_id").cast(pl.Enum(in_order)).to_physical()
    )
    rarity = numbers.group_by("label").len().sort("len", "label").with_row_index("rarity").drop("len")
    turns = (
        numbers.sort("label", "image")
        .with_columns(turn=pl.int_range(pl.len(), dtype=pl.Int64).over("label"))
        .join(rarity, on="label", maintain_order="none")
        .sort("turn", "rarity")
        .unique("image", keep="first", maintain_order=True)
    )
    return pl.DataFrame({"image_id": in_order.gather(turns["image"]), "turn": turns["turn"]})
