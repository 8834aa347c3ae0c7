"""Stage, judge and publish what is made from the raw datasets: the evaluation sets and the training splits.

The work is in `evaluation` and `splitting`. This module reads the published inputs, passes them on, and publishes the
result. An output is not made again from what it was made from (`pipeline.made`); equal bytes are not published again.
"""

import csv
import json
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import polars as pl

from maxsight_assets.datasets.landing import Gate, record_made
from maxsight_assets.datasets.registry import SOURCES
from maxsight_assets.datasets.seen import combined
from maxsight_assets.datasets.selection import with_stated
from maxsight_assets.datasets.source import Source
from maxsight_assets.disk import discard
from maxsight_assets.errors import LandingError, NotPublished
from maxsight_assets.evaluation.build import CONTRACT, EvaluationSource, Lacking, build_sets, set_name
from maxsight_assets.formats.tables import Tables
from maxsight_assets.labels.mapping import to_space
from maxsight_assets.labels.space import load_space
from maxsight_assets.pipeline.made import Cause, is_made, remember
from maxsight_assets.pipeline.raw import WAIT_S
from maxsight_assets.pipeline.records import Records, read, read_evaluation
from maxsight_assets.places import Places
from maxsight_assets.profiles.model import EvaluationSample, EvaluationSelection, Profile, SplitsSelection
from maxsight_assets.publishing.manifest import Manifest
from maxsight_assets.publishing.stage import Stage, recovered_manifest, staging
from maxsight_assets.splitting.audio import pair
from maxsight_assets.splitting.build import build_splits
from maxsight_assets.splitting.write import write_splits
from maxsight_assets.verdict import Verdict
from maxsight_assets.verification.evaluation import MADE_OF, MAY_CHANGE
from maxsight_assets.verification.splits import REPORT_FILE
from maxsight_assets.verification.views import MISSING

EVALUATION_ASSET = "inference_eval_set"
SPLITS_ASSET = "cleaned_splits"


@dataclass(frozen=True, slots=True)
class Made:
    """The result of one run.

    Attributes:
        manifest: Manifest of the version that is published now.
        changed: Whether its data version differs from the previous one.
        report: The evaluation contract, or the report of the splits, as it was written.
        seconds: Wall time of the whole run.
    """

    manifest: Manifest
    changed: bool
    report: Mapping[str, Any]
    seconds: float


@dataclass(frozen=True, slots=True)
class _Written:
    """The result of writing into a staged tree.

    Attributes:
        report: The evaluation contract, or the report of the splits.
        inputs: Data versions that the tree was made from, by asset.
        selection: Stored with the version.
        facts: What was read of the images.
        is_whole: Whether no dataset was missing; otherwise the version before decides a part of this one.
    """

    report: Mapping[str, Any]
    inputs: Mapping[str, str]
    selection: Mapping[str, Any]
    facts: Sequence[pl.DataFrame] = ()
    is_whole: bool = False


def make_evaluation(
    profile: Profile, places: Places, *, stated: Mapping[str, Any] = MappingProxyType({}), gate: Gate
) -> Made:
    """Make and publish the evaluation sets of the profile's datasets.

    Args:
        profile: Says which datasets are on.
        places: Where they are published.
        stated: Fields of `EvaluationSelection` that the user states for this run; the others keep their stored values,
            or the profile's at first. `evaluation_may_change` is not kept.
        gate: Runs the blocking rules on the staged tree.

    Raises:
        LandingError: No raw dataset is published yet, or a blocking rule failed; the last good version stays.
    """
    present = recovered_manifest(places.evaluation)
    stored = present.info.selection if present else profile.inference_eval_set.model_dump()
    sample = {name: value for name, value in stored.items() if name in EvaluationSample.model_fields}
    allowed = with_stated(EvaluationSelection.model_validate(sample), stated)

    def write(stage: Stage) -> _Written:
        lacking = _lacking_sets(profile, places)
        read_from = _evaluated(profile, places, without=lacking.reasons, most=allowed.max_images)
        contract = build_sets(read_from.sources, stage.root, space=load_space(), lacking=lacking, seed=allowed.seed)
        if not contract["sets"]:
            raise LandingError(f"{EVALUATION_ASSET}: there is no set to make; {'; '.join(lacking.reasons.values())}")
        inputs, made_of = dict(read_from.inputs), dict(read_from.made_of)
        if stage.present is not None:  # a set of the version before that is kept was made of what it was made of then
            before = stage.present.info
            kept = [source for source in profile.evaluated if _set_of(source) in contract["sets"].keys() - made_of]
            inputs |= {each.asset: before.inputs[each.asset] for each in kept if each.asset in before.inputs}
            stated_before = before.selection.get(MADE_OF) or {}
            made_of |= {_set_of(each): stated_before[_set_of(each)] for each in kept if _set_of(each) in stated_before}
        said = allowed.lasting()
        if stage.present is not None and _same_sets(contract, places.evaluation):
            said |= {MAY_CHANGE: bool(stage.present.info.selection.get(MAY_CHANGE))}  # it says why the last one differs
        facts = [source.facts for source in read_from.sources.values()]
        return _Written(contract, inputs, {**said, MADE_OF: made_of}, facts, is_whole=not lacking.reasons)

    names = [source.dataset for source in profile.evaluated]
    sampled = allowed.model_dump(mode="json", include={"max_images", "seed"})
    cause = Cause(
        EVALUATION_ASSET,
        places.evaluation,
        inputs=tuple(places.data_dir / source.directory for source in profile.evaluated),
        settings={"of": names, "without": sorted(profile.left_out), "words": load_space().names, "sample": sampled},
    )
    asked = Asked(cause, state=places.state, report=CONTRACT, anew=allowed.anew)
    return _make(asked, _origin(profile), write=write, gate=_noting(gate, places, places.evaluation))


@dataclass(frozen=True, slots=True)
class _ReadFrom:
    """The validation splits of the landed datasets.

    Attributes:
        sources: What the sets are made of, by dataset.
        inputs: Data versions of the raw assets.
        made_of: What upstream had of each set, by its name.
    """

    sources: Mapping[str, EvaluationSource]
    inputs: Mapping[str, str]
    made_of: Mapping[str, str]


def _evaluated(
    profile: Profile, places: Places, *, without: Collection[str], most: Mapping[str, int | None]
) -> _ReadFrom:
    """Read the validation splits of the profile's datasets.

    Args:
        profile: Says which datasets are on.
        places: Where they are published.
        without: Datasets that are left out.
        most: Largest number of images, by set.
    """
    sources: dict[str, EvaluationSource] = {}
    inputs: dict[str, str] = {}
    made_of: dict[str, str] = {}
    for source in profile.evaluated:
        split = source.catalog.evaluated
        if split is None or source.dataset in without:
            continue
        records = read(source, frozenset({split}), data_dir=places.data_dir, cache=places.facts)
        inputs |= records.inputs
        made_of[_set_of(source)] = _upstream_of(source, split, places)
        sources[source.dataset] = EvaluationSource(
            split=split,
            exhaustive=source.catalog.exhaustive,
            tables=records.tables,
            facts=records.facts,
            labels=to_space(source.dataset, load_space()),
            tolerance=records.tolerance,
            ignored=source.catalog.ignored,
            hierarchy=source.catalog.hierarchy and f"{source.directory}/{source.catalog.hierarchy}",
            most=most.get(_set_of(source)),
        )
    return _ReadFrom(sources, inputs, made_of)


def _set_of(source: Source) -> str:
    return set_name(source.dataset, source.catalog.evaluated or "")


def _lacking_sets(profile: Profile, places: Places) -> Lacking:
    """Return which sets cannot be made, because nothing of their dataset is published, and which are left out."""
    return Lacking(
        reasons=_not_landed(profile.evaluated, places),
        splits={source.dataset: source.catalog.evaluated or "" for source in profile.evaluated},
        left_out=[_set_of(SOURCES[name]) for name in profile.left_out if SOURCES[name].catalog.evaluated],
        before=places.evaluation,
    )


def _not_landed(sources: Iterable[Source], places: Places) -> dict[str, str]:
    """Return the datasets of which nothing is published, with what to do."""
    return {
        source.dataset: f"{source.asset}: nothing is published in {source.directory}/; materialize {source.asset}"
        for source in sources
        if recovered_manifest(places.data_dir / source.directory) is None
    }


def _same_sets(contract: Mapping[str, Any], published: Path) -> bool:
    """Return whether the published contract promises the same sets."""
    try:
        there = json.loads((published / CONTRACT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(there, dict) and there.get("sets") == contract["sets"]


def _upstream_of(source: Source, split: str, places: Places) -> str:
    """What upstream had of the files that the evaluated split was landed from, as one fingerprint."""
    root = places.data_dir / source.directory
    manifest = recovered_manifest(root)
    if manifest is None:  # it was read a moment ago
        raise NotPublished(f"{source.asset}: is not published any more; materialize it")
    selection = source.selection.stored(manifest.info.selection)
    if "splits" in type(selection).model_fields:
        selection = selection.model_copy(update={"splits": {split: None}})
    files = {key: manifest.info.inputs.get(key, "") for key in source.files(selection)}
    return combined(files | {MISSING: ",".join(_refused(root, split))})


def _refused(root: Path, split: str) -> list[str]:
    """Return the images of a split that upstream did not serve, if it serves them one by one."""
    try:
        with (root / MISSING).open(encoding="utf-8", newline="") as stream:
            return sorted(row[0] for row in csv.reader(stream) if row and row[0].startswith(f"{split}/"))
    except FileNotFoundError:
        return []


def make_splits(profile: Profile, places: Places, *, stated: Mapping[str, Any], gate: Gate) -> Made:
    """Make and publish the training splits from the profile's datasets.

    Args:
        profile: Says which datasets are on.
        places: Where they are published.
        stated: Fields that the user states for this run; the others keep their stored values, or the profile's at
            first.
        gate: Runs the blocking rules on the staged tree.

    Raises:
        LandingError: No raw dataset is published yet, nor the evaluation sets; one that the version before was made of
            is not any more; or a blocking rule failed. The last good version stays.
        SettingsError: The strategy does not fit the publishers' splits, or a stated value does not fit its field.
        FormatError: The label space is missing, or it or the table of the audio files cannot be read.
    """
    present = recovered_manifest(places.splits)
    stored = SplitsSelection.model_validate(present.info.selection) if present else profile.cleaned_splits
    selection = with_stated(stored, stated)
    space = load_space(selection.label_space)

    def write(stage: Stage) -> _Written:
        lacking = _not_landed(profile.trained_on, places)
        landed = [source for source in profile.trained_on if source.dataset not in lacking]
        _require_what_was_there(stage.present, profile, lacking)
        parts = _training_records(landed, places)
        evaluation, version = read_evaluation(places.evaluation, data_dir=places.data_dir, cache=places.facts)
        inputs = {asset: data_version for part in parts for asset, data_version in part.inputs.items()}
        inputs[EVALUATION_ASSET] = version
        splits = build_splits(
            pl.concat([part.tables.images for part in parts]),
            pl.concat([part.tables.boxes for part in parts]),
            pl.concat([part.facts for part in parts]),
            evaluation=evaluation,
            space=space.names,
            labels={source.dataset: to_space(source.dataset, space) for source in landed},
            config=selection.splitting,
            cleaning=selection.cleaning,
        )
        facts = [evaluation.facts, *(part.facts for part in parts)]
        del parts  # the splits hold what they need of their inputs
        audio = None if places.audio is None else pair(splits.images, places.audio)
        report = write_splits(
            splits, stage.root, inputs=inputs, audio=audio, lists=selection.detector_lists, lacking=lacking
        )
        return _Written(report, inputs, selection.lasting(), facts, is_whole=not lacking and audio is None)

    raw = [places.data_dir / source.directory for source in profile.trained_on]
    cause = Cause(
        SPLITS_ASSET,
        places.splits,
        inputs=(*raw, places.evaluation),
        settings={"selection": selection.lasting(), "words": space.names, "audio": str(places.audio)},
    )
    asked = Asked(cause, state=places.state, report=REPORT_FILE, anew=selection.anew)
    return _make(asked, _origin(profile), write=write, gate=_noting(gate, places, places.splits))


def _require_what_was_there(present: Manifest | None, profile: Profile, lacking: Mapping[str, str]) -> None:
    """Refuse splits without any dataset, and splits without one that the version before was made of."""
    used = {source.asset for source in profile.trained_on if source.dataset in lacking}
    lost = used & present.info.inputs.keys() if present else set()
    if lost or len(lacking) == len(profile.trained_on):
        stays = " The last good version stays" if present else ""
        raise LandingError(f"{SPLITS_ASSET}: {'; '.join(lacking.values())}.{stays}")


def training_tables(sources: Iterable[Source], places: Places) -> Tables:
    """Return all records that the training splits of these datasets are made from."""
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
    """Return a gate that notes what passes it before it is published, so that `prune` never misses a split."""

    def judge(root: Path, manifest: Manifest) -> Sequence[Verdict]:
        verdicts = gate(root, manifest)
        if all(verdict.passed for verdict in verdicts):
            places.note(target)
        return verdicts

    return judge


@dataclass(frozen=True, slots=True)
class Asked:
    """Which output a run is asked for.

    Attributes:
        cause: What it is made from.
        state: The state directory.
        report: Name of the file that holds its report.
        anew: Whether it is made although it is there.
    """

    cause: Cause
    state: Path
    report: str
    anew: bool = False


def _make(
    asked: Asked, origin: Literal["embedded", "upstream"], *, write: Callable[[Stage], _Written], gate: Gate
) -> Made:
    """Stage, write, judge and publish one output, unless it is there."""
    started = time.monotonic()
    cause = asked.cause
    with staging(cause.target, asset=cause.asset, source=origin, wait_s=WAIT_S) as stage:
        present, before = stage.present, cause.digest()
        if present is not None and not asked.anew and is_made(cause, present, state=asked.state):
            report = json.loads((cause.target / asked.report).read_bytes())
            return Made(present, False, report, time.monotonic() - started)
        discard(stage.root.iterdir())  # an interrupted run may have left files made with other settings
        written = write(stage)
        for path in sorted(path for path in stage.root.rglob("*") if path.is_file()):
            record_made(stage, path.relative_to(stage.root).as_posix())
        manifest = stage.publish(selection=written.selection, inputs=written.inputs, gate=gate, keep=False)
    if written.is_whole and cause.is_as_landed(written.facts):
        remember(cause, before, state=asked.state)
    changed = present is None or present.info.data_version != manifest.info.data_version
    return Made(manifest, changed, written.report, time.monotonic() - started)
