"""Which COCO images to land."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from maxsight_assets.datasets.selection import SEED, ChosenSelection, Count, Seed


class CocoSelection(ChosenSelection):
    """Which COCO images to land; annotation files land whole.

    Classes and licences are for training; val2017, which is evaluated, has its count in `splits` and fields that begin
    with `evaluation_`.
    """

    splits: Mapping[Literal["train2017", "val2017", "test2017", "unlabeled2017"], Count | None] = Field(
        min_length=1,
        description='Largest number of images by split, null for all, e.g. {"train2017": 14000, "val2017": null}; '
        "test2017 and unlabeled2017 hold no boxes and come beside another.",
    )
    classes: tuple[str, ...] | None = Field(
        default=None,
        description='Only training images with a box of one of these, e.g. ["person", "dog"]; an empty list: any.',
    )
    licences: tuple[int, ...] | None = Field(
        default=None, description="Only training images under these licence ids (1 to 8); an empty list: any."
    )
    evaluation_licences: tuple[int, ...] | None = Field(
        default=None, description="As `licences`, for the evaluated split; an empty list: any."
    )
    seed: Seed = SEED
