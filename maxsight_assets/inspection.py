"""Which rules hold for which published directory, and how a directory is opened for them.

The publishing gate, the asset checks and `maxsight-assets verify` all come here, so that they mean the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maxsight_assets import verdict
from maxsight_assets.derived import EVALUATION_ASSET, SPLITS_ASSET, datasets_of, training_tables
from maxsight_assets.labels.space import load_space
from maxsight_assets.landing.manifest import Manifest
from maxsight_assets.landing.publish import read_published
from maxsight_assets.places import Places
from maxsight_assets.profiles.model import Profile, SplitsSelection
from maxsight_assets.sources import raw
from maxsight_assets.verdict import Rule, Verdict
from maxsight_assets.verification.evaluation import EVALUATION_RULES, EvaluationView
from maxsight_assets.verification.splits import SPLIT_RULES, SplitsView


@dataclass(frozen=True, slots=True)
class Inspection:
    """One asset's directory and its rules.

    Attributes:
        asset: Name of the asset.
        rules: What must hold, in the order in which it is told.
        directory: Where it is published.
        open: Opens a published or staged tree, with its manifest, as the rules look at it.
    """

    asset: str
    rules: tuple[Rule[Any], ...]
    directory: Callable[[Places], Path]
    open: Callable[[Places, Path, Manifest], Any]

    def view(self, places: Places) -> Any:
        """What is published, opened; None where nothing is."""
        root = self.directory(places)
        manifest = read_published(root)
        return None if manifest is None else self.open(places, root, manifest)

    def gate(self, places: Places) -> Callable[[Path, Manifest], Sequence[Verdict]]:
        """Judges a staged tree by the blocking rules."""
        blocking = tuple(rule for rule in self.rules if rule.blocking)
        return lambda root, manifest: verdict.run(blocking, self.open(places, root, manifest))


def _raw(source: raw.Source) -> Inspection:
    return Inspection(
        asset=source.asset,
        rules=source.rules,
        directory=lambda places: places.data_dir / source.directory,
        open=lambda places, root, manifest: raw.view(source, root, manifest, cache=places.facts),
    )


RAW = {name: _raw(source) for name, source in raw.SOURCES.items()}
"""Inspections of the raw datasets, by the name of their catalog file."""


def _digests(places: Places) -> dict[str, str]:
    """sha256 of every landed image by its path relative to DATA_DIR, as the raw manifests state it."""
    manifests = {
        source.directory: manifest
        for source in raw.SOURCES.values()
        if (manifest := read_published(places.data_dir / source.directory)) is not None
    }
    return {
        f"{directory}/{row.path}": row.sha256
        for directory, manifest in manifests.items()
        for row in manifest.rows.values()
        if row.width is not None
    }


def _evaluation_view(places: Places, root: Path, manifest: Manifest | None) -> EvaluationView:
    return EvaluationView(
        root=root,
        manifest=manifest,
        data_dir=places.data_dir,
        digests=_digests(places),
        space=load_space(),
        cache=places.facts,
    )


def _splits_view(places: Places, root: Path, manifest: Manifest) -> SplitsView:
    read = [source for source in raw.SOURCES.values() if source.asset in manifest.info.inputs]
    present = {source.asset: read_published(places.data_dir / source.directory) for source in read}
    unmoved = all(
        each is not None and each.info.data_version == manifest.info.inputs[asset] for asset, each in present.items()
    )
    names = [source.dataset for source in read]
    return SplitsView(
        root=root,
        manifest=manifest,
        data_dir=places.data_dir,
        digests=_digests(places),
        space=load_space(SplitsSelection.model_validate(manifest.info.selection).label_space),
        evaluation=_evaluation_view(places, places.evaluation, read_published(places.evaluation)),
        inputs=(lambda: training_tables(names, places)) if unmoved else None,
        cache=places.facts,
    )


EVALUATION = Inspection(
    asset=EVALUATION_ASSET,
    rules=EVALUATION_RULES,
    directory=lambda places: places.evaluation,
    open=_evaluation_view,
)
SPLITS = Inspection(asset=SPLITS_ASSET, rules=SPLIT_RULES, directory=lambda places: places.splits, open=_splits_view)


def of_profile(profile: Profile) -> tuple[Inspection, ...]:
    """The inspections of every asset that is in the profile's graph, upstream first."""
    return (*(RAW[name] for name in datasets_of(profile)), EVALUATION, SPLITS)
