"""The typed form of a profile: how much of each upstream a run takes when nobody says otherwise.

A selection is what one version of a raw directory is asked to hold. The profile gives the first one; the launchpad
changes it field by field; it is stored with the version, and a run that states nothing keeps it.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from maxsight_assets.cleaning.config import CleaningConfig
from maxsight_assets.errors import SettingsError
from maxsight_assets.splitting.config import SplitConfig

SEED = 42
"""Seed of MaxSight's own training scripts, kept so that samples can be compared."""


class Selection(BaseModel):
    """What a version of one raw directory is asked to hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")


_Seed = Annotated[int, Field(description="Decides which images a count takes; a larger count only adds images.")]


_Count = Annotated[int, Field(ge=0)]

_Limit = Annotated[_Count | None, AfterValidator(lambda count: count or None)]
"""A largest number; as null leaves a field as it is, 0 is how a person takes a stated one back."""

Flag = Literal["any", "only", "without"]
"""Which boxes a flag of the publisher lets count; one whose flag is unknown is neither `only` nor `without`."""


class CocoSelection(Selection):
    """Which COCO images to land; annotation files land whole."""

    splits: Mapping[Literal["train2017", "val2017", "test2017", "unlabeled2017"], _Count | None] = Field(
        min_length=1,
        description='Largest number of images by split, null for all, e.g. {"train2017": 14000, "val2017": null}; '
        "test2017 and unlabeled2017 hold no boxes and come beside another.",
    )
    classes: tuple[str, ...] | None = Field(
        default=None, description='Only images with a box of one of these, e.g. ["person", "dog"]; an empty list: any.'
    )
    licences: tuple[int, ...] | None = Field(
        default=None, description="Only images under these licence ids (1 to 8); an empty list: any."
    )
    seed: _Seed = SEED


class OpenImagesSelection(Selection):
    """Which Open Images to land: those with a box that counts, of a class that is asked for.

    Flags and annotators decide which boxes count towards choosing; an image that is landed always has all its boxes.
    """

    splits: Mapping[Literal["train", "validation", "test"], _Count | None] = Field(
        min_length=1, description='Largest number of images by split, null for all that match, e.g. {"train": 2000}.'
    )
    classes: tuple[str, ...] | None = Field(
        default=None,
        description='Class names or MIDs, e.g. ["Door handle", "/m/01lynh"]; '
        "an empty list: every class that the detector knows.",
    )
    subclasses: bool = Field(default=True, description="Whether a class stands for all classes below it too.")
    max_images: _Limit = Field(
        default=None,
        description="Largest number of images in all, shared evenly by classes, rare ones first; 0: no limit.",
    )
    max_per_class: _Limit = Field(
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
        default=None, description="Only images under these licence addresses; an empty list: any."
    )
    seed: _Seed = SEED
    images_from: Literal["address", "http", "s3", "fiftyone"] = Field(
        default="address",
        description="Where images come from: `http`, `s3`, or FiftyOne's zoo directory or package (`fiftyone`); "
        "`address`: whatever the catalog's or OPENIMAGES_IMAGES_MIRROR's address is.",
    )


class ValidationSelection(Selection):
    """How much of a validation set to land."""

    max_images: _Limit = Field(default=None, description="Largest number of images; 0: no limit.")
    seed: _Seed = SEED


class SplitsSelection(Selection):
    """What goes into the training splits, and how it is divided."""

    splitting: SplitConfig = Field(default=SplitConfig(), description="Sizes, strategy and seed.")
    cleaning: CleaningConfig = Field(default=CleaningConfig(), description="Switches and limits of the cleaning rules.")
    label_space: str = Field(
        default="maxsight",
        description="Whose words the boxes are labelled with: `maxsight` (the detector's 622), `coco80`, or a text "
        "file with a name a line.",
    )
    detector_lists: bool = Field(
        default=False,
        description="Also write detector_list_<split>.json, the detector's list form: boxes with their class, distance "
        "and urgency by its own formula, and the audio file of each image.",
    )


Model = TypeVar("Model", bound=BaseModel)


def with_stated(model: Model, stated: Mapping[str, Any]) -> Model:
    """A copy of a configuration in which what a person stated is replaced; null leaves a field as it is.

    Args:
        model: A selection, or the configuration of cleaning or splitting.
        stated: Values by field; for a field that is a model itself, a mapping of the same kind.

    Raises:
        SettingsError: A stated value does not fit its field.
    """
    try:
        return type(model).model_validate(_merged(model, stated))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"run config, {field}: {first['msg']}") from None


def _merged(model: BaseModel, stated: Mapping[str, Any]) -> dict[str, Any]:
    merged = model.model_dump()
    for name, value in stated.items():
        present = getattr(model, name, None)
        if isinstance(present, BaseModel) and isinstance(value, Mapping):
            merged[name] = _merged(present, value)
        elif value is not None:
            merged[name] = value
    return merged


class Profile(BaseModel):
    """One profile file.

    Attributes:
        profile: Its name.
        upstream: `embedded` for the drawn world on loopback, `publisher` for the real thing.
        coco: Default selection; null switches the dataset off, and its assets are not in the graph.
        openimages: As `coco`.
        bdd100k: As `coco`.
        ade20k: As `coco`.
        cleaned_splits: How the training splits are cleaned and divided.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: str
    upstream: Literal["embedded", "publisher"]
    coco: CocoSelection
    openimages: OpenImagesSelection | None = None
    bdd100k: ValidationSelection | None = None
    ade20k: ValidationSelection | None = None
    cleaned_splits: SplitsSelection = SplitsSelection()


@cache
def load(name: str) -> Profile:
    """Read one profile.

    Raises:
        SettingsError: The file does not have the form of a profile.
    """
    path = Path(__file__).with_name(f"{name}.yaml")
    try:
        return Profile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise SettingsError(f"profiles/{path.name}: {error}") from error
