"""Turn what a user states in short (so many images, these classes) into fields of a dataset's selection."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from maxsight_assets.datasets.selection import Selection, with_stated
from maxsight_assets.datasets.source import Source
from maxsight_assets.datasets.words import require_known
from maxsight_assets.errors import SettingsError, UnknownName
from maxsight_assets.pipeline.raw import selection_of
from maxsight_assets.profiles.model import Profile


class Options(TypedDict, total=False):
    """What a user states in short; see `fields_of`."""

    train: int | None
    max_images: int | None
    classes: Sequence[str] | None
    licences: Sequence[str | int] | None


def raw_source(profile: Profile, name: str) -> Source:
    """Return a dataset by its name or that of its asset.

    Raises:
        UnknownName: The profile has no such dataset.
    """
    found = next((each for each in profile.sources if name in {each.asset, each.dataset}), None)
    if found is None:
        raise UnknownName("dataset", name, [each.asset for each in profile.sources])
    return found


def fields_of(source: Source, target: Path, default: Selection, options: Options) -> dict[str, Any]:
    """Return the fields of the next version's selection that the options change, as run config states them.

    Args:
        source: The dataset.
        target: Its published directory, whose selection is changed.
        default: Selection of a first version.
        options: `train`: largest number of images of the training split; `max_images`: the field of this name, or as
            `train` if the dataset has none; `classes` and `licences`: the fields of these names. None: as it is.

    Raises:
        SettingsError: The dataset has no such field, or a value does not fit; the text offers the nearest.
    """
    present = selection_of(source, target, default=default, stated={})
    known = type(present).model_fields
    wanted: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    count = wanted.pop("train", None)
    if count is None and "max_images" not in known:
        count = wanted.pop("max_images", None)
    if count is not None:
        splits: Mapping[str, int | None] = getattr(present, "splits", {})
        training = sorted(
            source.catalog.trained_on, key=lambda split: (split not in splits, "train" not in split, split)
        )
        if not training:
            raise SettingsError(f"{source.asset}: is not trained on; --max-images says how many images to land")
        wanted["splits"] = {**splits, training[0]: count}
    for name in wanted:
        if name not in known:
            raise UnknownName(f"field of {source.asset}", name, known)
    asked = with_stated(present, wanted)
    require_known(source, asked, stated=wanted.keys())
    return {name: asked.model_dump(mode="json")[name] for name in wanted}
