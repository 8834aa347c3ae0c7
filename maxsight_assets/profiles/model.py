"""The typed form of a profile: how much of each upstream a run lands if the user states nothing else."""

import tomllib
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, create_model

from maxsight_assets.cleaning.config import CleaningConfig
from maxsight_assets.datasets.registry import SOURCES
from maxsight_assets.datasets.selection import SEED, Limit, Seed, Selection
from maxsight_assets.datasets.source import Source
from maxsight_assets.datasets.words import unknown
from maxsight_assets.errors import SettingsError
from maxsight_assets.evaluation.build import set_name
from maxsight_assets.settings import Settings
from maxsight_assets.splitting.config import SplitConfig


class MadeSelection(Selection):
    """What a run of a derived asset is asked for."""

    anew: bool = Field(
        default=False,
        description="Make it although the inputs, the settings and the code are those that it was made from.",
    )

    def lasting(self) -> dict[str, Any]:
        """Return, as JSON values, what is stored with the version: all but what concerns one run."""
        return self.model_dump(mode="json", exclude={"anew"})


def _known_sets(numbers: Mapping[str, int | None]) -> Mapping[str, int | None]:
    evaluated = {name: source.catalog.evaluated for name, source in SOURCES.items()}
    known = sorted(set_name(name, split) for name, split in evaluated.items() if split)
    if unknown_sets := sorted(numbers.keys() - set(known)):
        raise ValueError(f"no set {', '.join(unknown_sets)}; there are {', '.join(known)}")
    return numbers


class EvaluationSample(MadeSelection):
    """How much of each publisher's validation images is evaluated."""

    max_images: Annotated[Mapping[str, Limit], AfterValidator(_known_sets)] = Field(
        default={},
        description="Largest number of images by set, for instance `openimages_validation: 5000`; sets that are not "
        "named keep all. The sample has the whole's share of each rarest class and time of day; a larger number only "
        "adds images.",
    )
    seed: Seed = SEED


class EvaluationSelection(EvaluationSample):
    """What the evaluation sets hold, and what a run of them is allowed."""

    evaluation_may_change: bool = Field(
        default=False,
        description="Let the sets of this run hold other images or boxes than those before, though upstream did not "
        "change; scores do not compare then.",
    )


class SplitsSelection(MadeSelection):
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

    It also has a field for each dataset of the registry (`coco: ...`), which holds the default selection. A dataset
    that the file does not name is switched off, and its assets are not in the graph.

    Attributes:
        profile: Its name.
        upstream: `embedded` for the drawn world on loopback, `publisher` for the publishers' servers.
        inference_eval_set: How many images each evaluation set has.
        cleaned_splits: How the training splits are cleaned and divided.
        first_landing_bytes: Free space that a first landing needs, with a margin: images, annotation files, archives.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: str
    upstream: Literal["embedded", "publisher"]
    inference_eval_set: EvaluationSample = EvaluationSample()
    cleaned_splits: SplitsSelection = SplitsSelection()
    first_landing_bytes: int | None = None

    _left_out: frozenset[str] = PrivateAttr(frozenset())

    @property
    def selections(self) -> Mapping[str, Selection]:
        """Return the default selection of each dataset that is switched on, in the order of the graph."""
        stated = {name: getattr(self, name) for name in SOURCES}
        return {
            name: selection
            for name, selection in stated.items()
            if selection is not None and name not in self._left_out
        }

    @property
    def sources(self) -> tuple[Source, ...]:
        """Return the datasets that are switched on, in the order of the graph."""
        return tuple(SOURCES[name] for name in self.selections)

    @property
    def evaluated(self) -> tuple[Source, ...]:
        """Return the datasets that the evaluation sets are made of."""
        return tuple(source for source in self.sources if source.catalog.evaluated)

    @property
    def trained_on(self) -> tuple[Source, ...]:
        """Return the datasets that the training splits are made of."""
        return tuple(source for source in self.sources if source.catalog.trained_on)

    @property
    def left_out(self) -> frozenset[str]:
        """Return the datasets that the file switches on and the user's settings leave out."""
        return self._left_out

    def only(self, datasets: Collection[str]) -> "Profile":
        """Return the profile with some of its datasets; the others are switched off."""
        narrowed = self.model_copy()
        narrowed._left_out = frozenset(self.selections) - set(datasets)  # noqa: SLF001 -- its own
        return narrowed


def of(settings: Settings) -> Profile:
    """Return the profile that the settings name, with the datasets that they ask for.

    Raises:
        SettingsError: As `load`; or the settings ask for a dataset that the profile does not name.
    """
    profile = load(settings.profile)
    if settings.datasets is None:
        return profile
    if foreign := [name for name in settings.datasets if name not in profile.selections]:
        raise SettingsError(
            f"MAXSIGHT_DATASETS={','.join(settings.datasets)}: the profile {profile.profile} does not land "
            f"{', '.join(foreign)}; it lands {', '.join(profile.selections)}. Name some of these, or set "
            "MAXSIGHT_PROFILE to one that lands it"
        )
    return profile.only(settings.datasets)


_FORM: type[Profile] = create_model(
    "Profile",
    __base__=Profile,
    **{name: (source.selection | None, None) for name, source in SOURCES.items()},  # type: ignore[call-overload]
)
"""The model of a profile file, with a field for each dataset of the registry."""


@cache
def load(name: str) -> Profile:
    """Read one profile.

    Args:
        name: The name of a profile in the package, or the absolute path of a YAML file, or of a project file whose
            table `selections` changes the profile that it names.

    Raises:
        SettingsError: The file does not have the form of a profile; the text names the line.
    """
    path = Path(name) if Path(name).is_absolute() else Path(__file__).with_name(f"{name}.yaml")
    line_of = _toml_line if path.suffix == ".toml" else _line
    try:
        text = path.read_text(encoding="utf-8")
        profile = _FORM.model_validate(_changed(path, text) if path.suffix == ".toml" else yaml.safe_load(text))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path}: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = first["loc"]
        stated = ".".join(map(str, place)) or "the file"
        raise SettingsError(f"{path}:{line_of(text, place)}: {stated}: {first['msg']}") from None
    for name, selection in profile.selections.items():
        for each in unknown(SOURCES[name], selection):
            line = line_of(text, (name, each.field, each.place))
            raise SettingsError(f"{path}:{line}: {name}.{each.field}: {each.text}")
    return profile


def _changed(path: Path, text: str) -> object:
    """Return the profile that a project file names, changed by the table `selections`."""
    stated = tomllib.loads(text)
    base = Path(stated.get("profile", "sample"))
    profile = load(str(path.parent / base.expanduser()) if base.suffix else str(base))
    return _merged(profile.model_dump(exclude_unset=True), stated["selections"])


def _merged(below: object, above: object) -> object:
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    return {**below, **{key: _merged(below.get(key), value) for key, value in above.items()}}


def _toml_line(text: str, place: Sequence[int | str]) -> int:
    """Return the line, from 1, of the key of a project file that is nearest to a place in the profile."""
    table, shared = [], []
    for line in text.splitlines():
        key = line.partition("=")[0].strip()
        if key.startswith("["):
            table = key.strip("[] ").split(".")
        path = [*table, *([] if key.startswith("[") else [part.strip() for part in key.split(".")])]
        pairs = zip(path, ["selections", *map(str, place)], strict=False)
        shared.append(len(list(takewhile(lambda pair: pair[0] == pair[1], pairs))))
    return shared.index(max(shared)) + 1


def _line(text: str, place: Sequence[int | str]) -> int:
    """Return the line, from 1, of a value in a YAML document, or of the innermost existing part of its place."""
    node = yaml.compose(text)
    line = node.start_mark.line if node else 0
    for part in place:
        if isinstance(node, yaml.MappingNode):
            pair = next((pair for pair in node.value if pair[0].value == part), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line
    return int(line) + 1
