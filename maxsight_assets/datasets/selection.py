"""What a version of a raw directory is asked to hold.

The profile gives the first selection; the launchpad changes it field by field; it is stored with the version, and a run
that states nothing keeps it.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from maxsight_assets.cleaning.config import Tolerance
from maxsight_assets.errors import SettingsError

SEED = 42
"""Seed of MaxSight's own training scripts, kept so that samples can be compared."""


class Selection(BaseModel):
    """What a version of one raw directory is asked to hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def stored(cls, said: Mapping[str, Any]) -> Self:
        """Read the selection of a published version, whichever release stored it."""
        return cls.model_validate(said)


class RawSelection(Selection):
    """What a version of the directory of one upstream is asked to hold."""

    tolerance: Tolerance = Field(
        default=Tolerance(),
        description="How many images may be missing or broken, and records damaged, before nothing is published.",
    )


Seed = Annotated[int, Field(description="Decides which images a count takes; a larger count only adds images.")]


Count = Annotated[int, Field(ge=0)]

Limit = Annotated[Count | None, AfterValidator(lambda count: count or None)]
"""A largest number; null leaves a field as it is, so the user states 0 to remove an earlier limit."""


class ChosenSelection(RawSelection):
    """A selection with filters and budgets for training; the evaluated split has fields of its own.

    So a choice for training never changes what is measured.
    """

    evaluation_classes: tuple[str, ...] | None = Field(
        default=None, description="As `classes`, for the evaluated split; an empty list: any."
    )
    evaluation_max_images: Limit = Field(
        default=None,
        description="Largest number of images of the evaluated split, shared evenly by classes, rare ones first; with "
        "as many as there are classes, each is represented; 0: no limit.",
    )

    @classmethod
    def stored(cls, said: Mapping[str, Any]) -> Self:
        """Read a stored selection; one of an earlier release, which chose evaluation images too, goes on doing so."""
        before = {} if "evaluation_classes" in said else {f"evaluation_{name}": said.get(name) for name in _FILTERS}
        return cls.model_validate({**before, **said})


_FILTERS = ("classes", "licences")


class ValidationSelection(RawSelection):
    """How much of a validation set to land."""

    max_images: Limit = Field(default=None, description="Largest number of images; 0: no limit.")
    seed: Seed = SEED


Model = TypeVar("Model", bound=BaseModel)


def with_stated(model: Model, stated: Mapping[str, Any]) -> Model:
    """Return a copy of a configuration with the fields that the user stated replaced; null leaves a field as it is.

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
