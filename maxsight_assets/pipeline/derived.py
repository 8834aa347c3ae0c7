"""What is made from the raw datasets: the evaluation sets and the training splits, staged, judged and published.

The work is in `evaluation` and `splitting`; this module reads what is published, hands it over, and publishes the
result. Both are made anew at each run, which takes seconds: equal bytes are not published again.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl

from maxsight_assets.datasets.landing import Gate, record_made
from maxsight_assets.datasets.selection import with_stated
from maxsight_assets.datasets.source import Source
from maxsight_assets.disk import discard
from maxsight_assets.evaluation.build import EvaluationSource, build_sets
from maxsight_assets.formats.tables import Tables
from maxsight_assets.labels.mapping import to_space
from maxsight_assets.labels.space import load_space
from maxsight_assets.pipeline.raw import WAIT_S
from maxsight_assets.pipeline.records import Records, read, read_evaluation
from maxsight_assets.places import Places
from maxsight_assets.profiles.model import Profile, SplitsSelection
from maxsight_assets.publishing.manifest import Manifest
from maxsight_assets.publishing.stage import Stage, read_published, staging
from maxsight_assets.splitting.audio import pair
from maxsight_assets.splitting.build import build_splits
from maxsight_assets.splitting.write import write_splits
from maxsight_assets.verdict import Verdict

EVALUATION_ASSET = "inference_eval_set"
SPLITS_ASSET = "cleaned_splits"


@dataclass(frozen=True, slots=True)
class Made:
    """What one run came to.

    Attributes:
        manifest: Of what is published now.
        changed: Whether that is another data version than before.
        report: The evaluation contract, or the report of the splits, as it was written.
        seconds: Wall time of the whole.
    """

    manifest: Manifest
    changed: bool
    report: Mapping[str, Any]
    seconds: float


def make_evaluation(profile: Profile, places: Places, *, gate: Gate) -> Made:
    """Make and publish the evaluation sets of the profile's datasets.

    Args:
        profile: Says which datasets are on.
        places: Where they are published.
        gate: Runs the blocking rules on the staged tree.

    Raises:
        LandingError: A raw dataset is not published yet, or a blocking rule failed; the last good version stays.
    """

    def write(stage: Stage) -> tuple[Mapping[str, Any], Mapping[str, str]]:
        sources: dict[str, EvaluationSource] = {}
        inputs: dict[str, str] = {}
        for source in profile.sources:
            if (split := source.catalog.evaluated) is None:
                continue
            records = read(source, frozenset({split}), data_dir=places.data_dir, cache=places.facts)
            inputs |= records.inputs
            sources[source.dataset] = EvaluationSource(
                split=split,
                exhaustive=source.catalog.exhaustive,
                tables=records.tables,
                facts=records.facts,
                labels=to_space(source.dataset, load_space()),
                tolerance=records.tolerance,
            )
        return build_sets(sources, stage.root, space=load_space()), inputs

    noting = _noting(gate, places, places.evaluation)
    return _make(EVALUATION_ASSET, places.evaluation, _origin(profile), selection={}, write=write, gate=noting)


def make_splits(profile: Profile, places: Places, *, stated: Mapping[str, Any], gate: Gate) -> Made:
    """Make and publish the training splits from the profile's datasets.

    Args:
        profile: Says which datasets are on.
        places: Where they are published.
        stated: What a person stated for this run; what is left out keeps its stored value, or the profile's at first.
        gate: Runs the blocking rules on the staged tree.

    Raises:
        LandingError: An input is not published yet, or a blocking rule failed; the last good version stays.
        SettingsError: The strategy does not fit the publishers' splits, or a stated value does not fit its field.
        FormatError: There is no such label space, or it or the manifest of the audio files cannot be read.
    """
    present = read_published(places.splits)
    stored = SplitsSelection.model_validate(present.info.selection) if present else profile.cleaned_splits
    selection = with_stated(stored, stated)
    space = load_space(selection.label_space)

    def write(stage: Stage) -> tuple[Mapping[str, Any], Mapping[str, str]]:
        parts = _training_records(profile.sources, places)
        evaluation, version = read_evaluation(places.evaluation, data_dir=places.data_dir, cache=places.facts)
        inputs = {asset: data_version for part in parts for asset, data_version in part.inputs.items()}
        inputs[EVALUATION_ASSET] = version
        splits = build_splits(
            pl.concat([part.tables.images for part in parts]),
            pl.concat([part.tables.boxes for part in parts]),
            pl.concat([part.facts for part in parts]),
            evaluation=evaluation,
            space=space.names,
            labels={source.dataset: to_space(source.dataset, space) for source in profile.sources},
            config=selection.splitting,
            cleaning=selection.cleaning,
        )
        del parts  # the splits hold what they need of them
        audio = None if places.audio is None else pair(splits.images, places.audio)
        return write_splits(splits, stage.root, inputs=inputs, audio=audio, lists=selection.detector_lists), inputs

    stored_form = selection.model_dump(mode="json")
    noting = _noting(gate, places, places.splits)
    return _make(SPLITS_ASSET, places.splits, _origin(profile), selection=stored_form, write=write, gate=noting)


def training_tables(sources: Iterable[Source], places: Places) -> Tables:
    """All records that the training splits of these datasets are made from."""
    parts = _training_records(sources, places)
    return Tables(
        images=pl.concat([part.tables.images for part in parts]),
        boxes=pl.concat([part.tables.boxes for part in parts]),
    )


def _training_records(sources: Iterable[Source], places: Places) -> list[Records]:
    return [
        read(source, source.catalog.trained_on, data_dir=places.data_dir, cache=places.facts)
        for source in sources
        if source.catalog.trained_on
    ]


def _origin(profile: Profile) -> Literal["embedded", "upstream"]:
    return "embedded" if profile.upstream == "embedded" else "upstream"


def _noting(gate: Gate, places: Places, target: Path) -> Gate:
    """The gate; what passes it is noted before it is published, so that `prune` never misses a split."""

    def judge(root: Path, manifest: Manifest) -> Sequence[Verdict]:
        verdicts = gate(root, manifest)
        if all(verdict.passed for verdict in verdicts):
            places.note(target)
        return verdicts

    return judge


def _make(
    asset: str,
    target: Path,
    origin: Literal["embedded", "upstream"],
    *,
    selection: Mapping[str, Any],
    write: Callable[[Stage], tuple[Mapping[str, Any], Mapping[str, str]]],
    gate: Gate,
) -> Made:
    """Stage, write, judge, publish."""
    started = time.monotonic()
    with staging(target, asset=asset, source=origin, wait_s=WAIT_S) as stage:
        present = stage.present
        discard(stage.root.iterdir())  # what an interrupted run left may be of other settings
        report, inputs = write(stage)
        for path in sorted(path for path in stage.root.rglob("*") if path.is_file()):
            record_made(stage, path.relative_to(stage.root).as_posix())
        manifest = stage.publish(selection=selection, inputs=inputs, gate=gate, keep=False)
    changed = present is None or present.info.data_version != manifest.info.data_version
    return Made(manifest, changed, report, time.monotonic() - started)
