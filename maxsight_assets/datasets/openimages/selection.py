"""Which Open Images to land: by class, by the flags of their boxes, by licence, within budgets."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from maxsight_assets.datasets.selection import SEED, ChosenSelection, Count, Limit, Seed

Flag = Literal["any", "only", "without"]
"""Which boxes a flag of the publisher lets count; one whose flag is unknown is neither `only` nor `without`."""


class OpenImagesSelection(ChosenSelection):
    """Which Open Images to land: those with a box that counts, of a class that is asked for.

    Flags and annotators decide which boxes count towards choosing; an image that is landed always has all its boxes.
    Filters and budgets are for train and test; validation, which is evaluated, has its count in `splits` and fields
    that begin with `evaluation_`.
    """

    splits: Mapping[Literal["train", "validation", "test"], Count | None] = Field(
        min_length=1, description='Largest number of images by split, null for all that match, e.g. {"train": 2000}.'
    )
    classes: tuple[str, ...] | None = Field(
        default=None,
        description='Class names or MIDs, e.g. ["Door handle", "/m/01lynh"]; '
        "an empty list: every class that the detector knows. For training splits.",
    )
    subclasses: bool = Field(default=True, description="Whether a class stands for all classes below it too.")
    max_images: Limit = Field(
        default=None,
        description="Largest number of training images in all, shared evenly by classes, rare ones first; 0: no limit.",
    )
    max_per_class: Limit = Field(
        default=None,
        description="Images to look for by class and split; frequent classes get more, from the others' images; "
        "0: no limit.",
    )
    group_of: Flag = Field(default="any", description="Boxes around more than five: `any`, `only` those, `without`.")
    depiction: Flag = Field(default="any", description="Boxes of drawings and toys: `any`, `only` those, `without`.")
    inside: Flag = Field(default="any", description="Boxes of interiors: `any`, `only` those, `without`.")
    truncated: Flag = Field(default="any", description="Boxes cut by the picture's edge: `any`, `only`, `without`.")
    occluded: Flag = Field(default="any", description="Boxes behind other things: `any`, `only`, `without`.")
    annotators: tuple[str, ...] | None = Field(
        default=None,
        description='Only boxes made in these ways (column `Source`), e.g. ["xclick"]; an empty list: any.',
    )
    licences: tuple[str, ...] | None = Field(
        default=None, description="Only training images under these licence addresses; an empty list: any."
    )
    evaluation_licences: tuple[str, ...] | None = Field(
        default=None, description="As `licences`, for the evaluated split; an empty list: any."
    )
    seed: Seed = SEED
    images_from: Literal["address", "http", "s3", "fiftyone"] = Field(
        default="address",
        description="Where images come from: `http`, `s3`, or FiftyOne's zoo directory or package (`fiftyone`); "
        "`address`: whatever the catalog's or OPENIMAGES_IMAGES_MIRROR's address is.",
    )
