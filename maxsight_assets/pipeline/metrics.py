"""Evaluate the detections files that are new or changed, and publish the results with those of all others.

The work on one file is in `evaluation`. This module finds the files, keeps what is still true, and publishes.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from maxsight_assets.datasets.landing import Gate, record_made
from maxsight_assets.datasets.openimages.format import read_class_names, read_hierarchy
from maxsight_assets.datasets.openimages.source import CLASSES
from maxsight_assets.disk import discard, sha256_of
from maxsight_assets.errors import FormatError, LandingError
from maxsight_assets.evaluation import results
from maxsight_assets.evaluation.build import ANNOTATIONS, CONTRACT
from maxsight_assets.evaluation.compare import compare
from maxsight_assets.evaluation.detections import Detections, DetectionsUnfit, read_detections
from maxsight_assets.evaluation.metrics import Engine, Metrics, evaluate
from maxsight_assets.evaluation.openimages_rules import score
from maxsight_assets.evaluation.results import Compared, Result, Standing
from maxsight_assets.evaluation.sets import EvaluationSet, read_set
from maxsight_assets.evaluation.slices import SMALL, images_of
from maxsight_assets.evaluation.suspects import diagnose
from maxsight_assets.pipeline.derived import EVALUATION_ASSET
from maxsight_assets.pipeline.raw import WAIT_S
from maxsight_assets.places import Places
from maxsight_assets.profiles.model import Profile
from maxsight_assets.publishing.manifest import Manifest
from maxsight_assets.publishing.stage import Stage, recovered_manifest, staging

METRICS_ASSET = "detection_metrics"
DETECTIONS_ASSET = "detections"

PREVIOUS = "previous"
"""What the file before is called in a comparison."""

_FAULTS = 100
"""Faults of a file that are kept with the results; the rest are only counted."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The result of one run.

    Attributes:
        manifest: Manifest of the version that is published now.
        changed: Whether its data version differs from the previous one.
        standings: What is true of each detections file, by its name.
        fresh: Names of the files that this run evaluated.
    """

    manifest: Manifest
    changed: bool
    standings: Mapping[str, Standing]
    fresh: Collection[str]


def files_of(places: Places) -> dict[str, Path]:
    """Return the detections files by `<condition>/<set>`; hidden files and unfinished uploads are none."""
    found = {f"{path.parent.name}/{path.stem}": path for path in places.detections.glob("*/*.json")}
    return {name: path for name, path in sorted(found.items()) if not any(p.startswith(".") for p in name.split("/"))}


def fingerprint(places: Places) -> str:
    """Return a digest of the names, sizes and times of the detections files; it moves if one of them does."""
    seen = []
    for name, path in files_of(places).items():
        try:
            facts = path.stat()
        except FileNotFoundError:  # deleted since it was listed
            continue
        seen.append((name, facts.st_size, facts.st_mtime_ns))
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()[:16]


def published_sets(places: Places) -> dict[str, Path]:
    """Return the file of each published evaluation set by its name.

    Raises:
        LandingError: None is published.
    """
    manifest = recovered_manifest(places.evaluation)
    if manifest is None:
        raise LandingError(f"{EVALUATION_ASSET}: nothing is published; materialize {EVALUATION_ASSET} first")
    paths = [places.evaluation / row.path for row in manifest.selected() if row.path.endswith(f"/{ANNOTATIONS}")]
    return {path.parent.name: path for path in paths}


def named_set(places: Places, name: str) -> EvaluationSet:
    """Return a published evaluation set.

    Raises:
        LandingError: There is no such set.
    """
    paths = published_sets(places)
    if name not in paths:
        raise LandingError(f"no evaluation set {name}; there are {', '.join(sorted(paths))}")
    return read_set(paths[name])


def make_metrics(profile: Profile, places: Places, *, baseline: str, gate: Gate) -> Evaluated:
    """Evaluate what is new or changed, and publish it with what is still true.

    Args:
        profile: Says where the data is from.
        places: Where everything is.
        baseline: Folder below the detections that the others are compared with.
        gate: Runs the blocking rules on the staged tree.

    Raises:
        LandingError: No evaluation set is published, or a blocking rule failed; the last good version stays.
    """
    seen = fingerprint(places)
    evaluation = recovered_manifest(places.evaluation)
    sets = published_sets(places)
    origin = "embedded" if profile.upstream == "embedded" else "upstream"
    with staging(places.results, asset=METRICS_ASSET, source=origin, wait_s=WAIT_S) as stage:
        discard(stage.root.iterdir())
        run = _Run(places, sets, _promised(places.evaluation), stage)
        standings = run.standings()
        standings = run.compared_to(baseline, standings)
        fresh = [standings[name] for name in run.fresh]
        history = pl.concat([results.read_history(places.results), results.history_rows(fresh)])
        history.write_parquet(stage.root / results.HISTORY)
        results.write_standings(stage.root, standings.values())
        written = {path.relative_to(stage.root).as_posix() for path in stage.root.rglob("*") if path.is_file()}
        for path in sorted(written - stage.rows.keys()):
            record_made(stage, path)
        inputs = {DETECTIONS_ASSET: seen, EVALUATION_ASSET: evaluation.info.data_version if evaluation else ""}
        manifest = stage.publish(selection={"baseline": baseline}, inputs=inputs, gate=gate, keep=False)
        before = stage.present.info.data_version if stage.present else None
    return Evaluated(manifest, before != manifest.info.data_version, standings, run.fresh)


def _promised(root: Path) -> Mapping[str, Mapping[str, Any]]:
    """Return what the contract states of each set."""
    try:
        sets: Mapping[str, Mapping[str, Any]] = json.loads((root / CONTRACT).read_text(encoding="utf-8"))["sets"]
    except (OSError, ValueError, KeyError):  # `contract_holds` says so
        return {}
    return sets


def _measured(
    evaluated: EvaluationSet, found: Detections, promise: Mapping[str, Any], *, engine: Engine = "hotcoco"
) -> Metrics:
    """Evaluate detections on a set and its slices; that of small boxes is among COCO's own numbers."""
    stated = promise.get("slices", {})
    metrics = evaluate(evaluated, found, engine=engine, slices=images_of(evaluated.images, stated))
    small = {SMALL: (int(stated[SMALL]["images"]), metrics.numbers["AP_small"])} if SMALL in stated else {}
    return replace(metrics, slices={**metrics.slices, **small})


def _by_open_images_rules(
    places: Places, promise: Mapping[str, Any], evaluated: EvaluationSet, found: Detections
) -> float | None:
    """Return the mean AP by Open Images' own rules; None if the set has no tree of classes, or it is not landed."""
    stated = promise.get("hierarchy")
    if not stated or not (tree := places.data_dir / stated).exists():
        return None
    ids = {name: number for number, name in evaluated.categories.items()}
    words, mapping = read_class_names(tree.with_name(CLASSES.rpartition("/")[2])), promise["label_mapping"]
    numbers = {mid: ids[name] for mid, word in words.items() if (name := mapping.get(word)) in ids}
    above: dict[int, set[int]] = {}
    for high, below in read_hierarchy(tree).items():
        for low in below & numbers.keys() if high in numbers else ():
            above.setdefault(numbers[low], set()).add(numbers[high])
    return score(evaluated, found, above).mean


class _Run:
    """One run over all detections files, into a staged tree."""

    def __init__(
        self,
        places: Places,
        sets: Mapping[str, Path],
        promised: Mapping[str, Mapping[str, Any]],
        stage: Stage,
    ) -> None:
        self.fresh: list[str] = []
        self._places, self._paths, self._promised, self._stage = places, sets, promised, stage
        self._before = results.read_standings(places.results)
        self._sets: dict[str, EvaluationSet] = {}
        self._versions = {name: sha256_of(path)[1] for name, path in sets.items()}

    def standings(self) -> dict[str, Standing]:
        """Return the standing of each file that is there or ever was, and write or carry the files behind it."""
        files = files_of(self._places)
        found = {name: self._of_file(name, path) for name, path in files.items()}
        for name, before in self._before.items():
            if name not in files:
                found[name] = replace(before, state="gone", faults=(), fault_count=0)
        for name in found.keys() - set(self.fresh):
            self._carry(name)
        return found

    def _of_file(self, name: str, path: Path) -> Standing:
        condition, _, evaluated = name.partition("/")
        before, version, sha256 = self._before.get(name), self._versions.get(evaluated, ""), ""
        try:
            sha256 = sha256_of(path)[1]
            known = before is not None and before.state != "gone" and before.sha256 == sha256
            if before is not None and known and before.set_sha256 == version:
                return before
            if evaluated not in self._paths:
                raise FormatError(f"{path.name}: no evaluation set {evaluated}; there are {', '.join(self._paths)}")
            found = read_detections(path, self._set(evaluated), name=f"{name}.json")
            if sha256_of(path)[1] != sha256:
                raise FormatError(f"{name}.json: changed while it was read; it is read again once it rests")
        except (FormatError, OSError) as error:
            faults = error.records if isinstance(error, DetectionsUnfit) else (str(error),)
            count = error.count if isinstance(error, DetectionsUnfit) else 1
            last = before.result if before else None
            return Standing(
                condition, evaluated, "unfit", sha256, version, tuple(faults[:_FAULTS]), fault_count=count, result=last
            )
        self.fresh.append(name)
        result = self._evaluated(name, found, sha256)
        return Standing(condition, evaluated, "evaluated", sha256, version, result=result)

    def _set(self, name: str) -> EvaluationSet:
        if name not in self._sets:
            self._sets[name] = read_set(self._paths[name])
        return self._sets[name]

    def _evaluated(self, name: str, found: Detections, sha256: str) -> Result:
        evaluated = self._set(name.partition("/")[2])
        promise = self._promised.get(evaluated.name, {})
        metrics = _measured(evaluated, found, promise)
        folder = self._stage.root / name
        folder.mkdir(parents=True)
        write_tables(folder, evaluated, found, metrics, exhaustive=promise.get("exhaustive", True))
        previous = self._compared(PREVIOUS, self._places.results / name, evaluated, found)
        return Result(
            evaluated_at=datetime.now(UTC).isoformat(timespec="seconds"),
            sha256=sha256,
            set_sha256=self._versions[evaluated.name],
            engine=metrics.engine,
            images=evaluated.images.height,
            detections=found.count,
            numbers=metrics.numbers,
            slices=metrics.slices,
            open_images=_by_open_images_rules(self._places, promise, evaluated, found),
            comparisons=(previous,) if previous else (),
        )

    def _compared(self, to: str, folder: Path, evaluated: EvaluationSet, found: Detections) -> Compared | None:
        """Return how AP differs from the detections kept in a folder of results; None if there are none."""
        other = self._before.get(f"{folder.parent.name}/{folder.name}")
        return compared_with(to, folder, other, evaluated, found)

    def _carry(self, name: str) -> None:
        for file in results.FILES:
            self._stage.carry(f"{name}/{file}")

    def compared_to(self, baseline: str, standings: Mapping[str, Standing]) -> dict[str, Standing]:
        """Return the standings, with every result compared with the baseline's on the same set."""
        made = dict(standings)
        for name, standing in standings.items():
            reference, result = standings.get(f"{baseline}/{standing.set}"), standing.result
            if standing.condition == baseline or reference is None or reference.result is None or result is None:
                continue
            there = {each.to: each for each in result.comparisons}
            stands = baseline in there and there[baseline].sha256 == reference.result.sha256
            if stands and not {name, reference.name} & set(self.fresh):
                continue
            if standing.set not in self._paths:
                continue
            found = Detections.of(pl.read_parquet(self._stage.root / name / results.DETECTIONS))
            folder = self._stage.root / reference.name
            compared = compared_with(baseline, folder, reference, self._set(standing.set), found)
            kept = tuple(each for each in result.comparisons if each.to == PREVIOUS)
            made[name] = replace(standing, result=replace(result, comparisons=(*kept, compared) if compared else kept))
        return made


def write_tables(
    folder: Path, evaluated: EvaluationSet, found: Detections, metrics: Metrics, *, exhaustive: bool = True
) -> None:
    """Write the tables behind the numbers of one detections file."""
    metrics.classes.write_parquet(folder / results.CLASSES)
    curves = dict(zip(("IoU=0.50", "IoU=0.75", "IoU=0.50:0.95"), metrics.precision, strict=True))
    recall = pl.Series("recall", [step / 100 for step in range(101)])
    pl.DataFrame({"recall": recall, **curves}).write_parquet(folder / results.CURVES)
    found.table().write_parquet(folder / results.DETECTIONS, compression="zstd")
    evaluated.images.select("id", "sha256").write_parquet(folder / results.IMAGES)
    diagnosis = diagnose(evaluated, found, exhaustive=exhaustive)
    diagnosis.suspects.write_parquet(folder / results.SUSPECTS)
    diagnosis.confused.write_parquet(folder / results.CONFUSED)


def compared_with(
    to: str, folder: Path, other: Standing | None, evaluated: EvaluationSet, found: Detections
) -> Compared | None:
    """Compare detections with those that a folder of results keeps.

    If those were of another version of the set, both are evaluated anew on the images that both versions have.

    Returns:
        The difference; None if the folder keeps no detections, or there is nothing to find.
    """
    if other is None or other.result is None or not (folder / results.DETECTIONS).exists():
        return None
    before = Detections.of(pl.read_parquet(folder / results.DETECTIONS, memory_map=False))
    images, same_set = None, other.result.set_sha256 == sha256_of(evaluated.path)[1]
    if not same_set:
        kept = pl.read_parquet(folder / results.IMAGES, memory_map=False)
        both = evaluated.images.join(kept, on=["id", "sha256"], how="semi", nulls_equal=True)
        images = both["id"].to_list()
    difference = compare(evaluated, before, found, images=images)
    if difference is None:
        return None
    return Compared(
        to=to,
        before=difference.before,
        after=difference.after,
        low=difference.low,
        high=difference.high,
        smallest=difference.smallest,
        images=difference.images,
        same_set=same_set,
        sha256=other.result.sha256,
    )


def compared_anew(places: Places, standing: Standing, every: Mapping[str, Standing], *, to: str) -> Standing:
    """Return a standing with a comparison to another condition, made now if the results have none.

    Raises:
        LandingError: Nothing of that condition was evaluated on the set.
    """
    other, result = every.get(f"{to}/{standing.set}"), standing.result
    if result is None or standing.condition == to:
        return standing
    if other is None or other.result is None:
        raise LandingError(f"{to}/{standing.set}: was not evaluated; there are {', '.join(sorted(every))}")
    if any(each.to == to for each in result.comparisons):
        return standing
    found = Detections.of(pl.read_parquet(places.results / standing.name / results.DETECTIONS))
    made = compared_with(to, places.results / other.name, other, named_set(places, standing.set), found)
    return replace(standing, result=replace(result, comparisons=(*result.comparisons, *([made] if made else ()))))


def evaluated_anew(places: Places, standing: Standing, *, engine: Engine) -> Standing:
    """Return a standing with numbers that an engine computes now from the detections that the results keep."""
    if standing.result is None:
        return standing
    found = Detections.of(pl.read_parquet(places.results / standing.name / results.DETECTIONS))
    evaluated = named_set(places, standing.set)
    metrics = _measured(evaluated, found, _promised(places.evaluation).get(standing.set, {}), engine=engine)
    return replace(
        standing,
        result=replace(standing.result, numbers=metrics.numbers, slices=metrics.slices, engine=metrics.engine),
    )


def waiting(places: Places, standings: Mapping[str, Standing]) -> list[str]:
    """Return the detections files that are new or changed since the last evaluation."""
    return [
        name
        for name, path in files_of(places).items()
        if name not in standings or standings[name].state == "gone" or standings[name].sha256 != sha256_of(path)[1]
    ]
