"""The typed form of a profile: how much of each upstream a run takes when nobody says otherwise.

A selection is what one version of a raw directory is asked to hold. The profile gives the first one; the launchpad
changes it field by field; it is stored with the version, and a run that states nothing keeps it.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from maxsight_assets.cleaning.config import CleaningConfig
from maxsight_assets.errors import SettingsError
from maxsight_assets.splitting.config import SplitConfig

SEED = 42
"""Seed of MaxSight's own training scripts, kept so that samples can be compared."""


class Selection(BaseModel):
    """What a version of one raw directory is asked to hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def with_stated(self, stated: Mapping[str, object]) -> Self:
        """This selection, with the fields that a person stated replaced.

        Raises:
            SettingsError: A stated value does not fit its field.
        """
        merged = self.model_dump() | {name: value for name, value in stated.items() if value is not None}
        try:
            return type(self).model_validate(merged)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(str(part) for part in first["loc"])
            raise SettingsError(f"run config, {field}: {first['msg']}") from None


class CocoSelection(Selection):
    """Which COCO images to land.

    Attributes:
        splits: Largest number of images by split (`train2017`, `val2017`); null takes all. Annotation files land whole.
        classes: Only images with a box of one of these classes; null takes every image.
        licences: Only images under these licence ids (1 to 8); null takes every image.
        seed: Decides which images a count takes. A larger count only adds images.
    """

    splits: Mapping[Literal["train2017", "val2017"], int | None] = Field(min_length=1)
    classes: tuple[str, ...] | None = None
    licences: tuple[int, ...] | None = None
    seed: int = SEED


class OpenImagesSelection(Selection):
    """Which Open Images to land.

    Attributes:
        splits: Largest number of images by split (`train`, `validation`, `test`); null takes all that match.
        classes: Class names or MIDs (with all their subclasses); null takes every class that the detector knows.
        seed: Decides which images a count takes. A larger count only adds images.
    """

    splits: Mapping[Literal["train", "validation", "test"], int | None] = Field(min_length=1)
    classes: tuple[str, ...] | None = None
    seed: int = SEED


class ValidationSelection(Selection):
    """How much of a validation set to land.

    Attributes:
        max_images: Largest number of images; null takes all.
        seed: Decides which images a count takes. A larger count only adds images.
    """

    max_images: int | None = Field(default=None, ge=1)
    seed: int = SEED


class Profile(BaseModel):
    """One profile file.

    Attributes:
        profile: Its name.
        upstream: `embedded` for the drawn world on loopback, `publisher` for the real thing.
        coco: Default selection; null switches the dataset off, and its assets are not in the graph.
        openimages: As `coco`.
        bdd100k: As `coco`.
        ade20k: As `coco`.
        cleaning: Cleaning rules' settings.
        cleaned_splits: Sizes, strategy and seed of the splits.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: str
    upstream: Literal["embedded", "publisher"]
    coco: CocoSelection
    openimages: OpenImagesSelection | None = None
    bdd100k: ValidationSelection | None = None
    ade20k: ValidationSelection | None = None
    cleaning: CleaningConfig = CleaningConfig()
    cleaned_splits: SplitConfig = SplitConfig()


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
