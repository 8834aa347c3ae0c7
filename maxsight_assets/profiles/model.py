"""A profile: how much of each upstream a run takes when the user states nothing else."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from maxsight_assets.cleaning.config import CleaningConfig
from maxsight_assets.datasets.registry import SOURCES
from maxsight_assets.datasets.selection import Selection
from maxsight_assets.datasets.source import Source
from maxsight_assets.errors import SettingsError
from maxsight_assets.splitting.config import SplitConfig


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


class Profile(BaseModel):
    """One profile file.

    Attributes:
        profile: Its name.
        upstream: `embedded` for the drawn world on loopback, `publisher` for the real thing.
        selections: Default selection by dataset, in the order of the graph; a dataset that the file does not name is
            switched off, and its assets are not in the graph. In the file each is a key of its own (`coco: ...`).
        cleaned_splits: How the training splits are cleaned and divided.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    profile: str
    upstream: Literal["embedded", "publisher"]
    selections: Mapping[str, Selection] = Field(min_length=1)
    cleaned_splits: SplitsSelection = SplitsSelection()

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, values: Any) -> Any:
        """Bring the datasets' own keys together."""
        if not isinstance(values, dict):
            raise ValueError("is no mapping")  # noqa: TRY004 -- pydantic reports ValueErrors
        stated = {name: values[name] for name in SOURCES if values.get(name) is not None}
        return {name: value for name, value in values.items() if name not in SOURCES} | {"selections": stated}

    @field_validator("selections", mode="before")
    @classmethod
    def _typed(cls, stated: Mapping[str, Any]) -> Mapping[str, Selection]:
        return {name: SOURCES[name].selection.model_validate(value) for name, value in stated.items()}

    @property
    def sources(self) -> tuple[Source, ...]:
        """The datasets that are switched on, in the order of the graph."""
        return tuple(SOURCES[name] for name in self.selections)


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
