"""Know the rules of each published directory, and open a directory for them.

The publishing gate, the asset checks and `maxsight-assets verify` all use this module, so that they judge alike.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from maxsight_assets import disk, verdict
from maxsight_assets.datasets.registry import SOURCES
from maxsight_assets.datasets.source import Source
from maxsight_assets.errors import FormatError, LandingError, SettingsError, UnknownName
from maxsight_assets.images.facts import are_of_content
from maxsight_assets.labels.space import load_space
from maxsight_assets.pipeline.derived import EVALUATION_ASSET, SPLITS_ASSET, training_tables
from maxsight_assets.pipeline.metrics import METRICS_ASSET, published_sets
from maxsight_assets.pipeline.verdicts import Basis, Known, note_of, recall, remember
from maxsight_assets.places import Places
from maxsight_assets.profiles.model import Profile, SplitsSelection
from maxsight_assets.publishing.acceptance import accepted
from maxsight_assets.publishing.manifest import Manifest, now
from maxsight_assets.publishing.stage import recovered_manifest
from maxsight_assets.publishing.swap import StateDir
from maxsight_assets.verdict import Rule, Verdict
from maxsight_assets.verification.evaluation import EVALUATION_RULES, EvaluationView
from maxsight_assets.verification.metrics import METRICS_RULES, MetricsView
from maxsight_assets.verification.splits import SPLIT_RULES, SplitsView


@dataclass(frozen=True, slots=True)
class Inspection:
    """One asset's directory and its rules.

    Attributes:
        asset: Name of the asset.
        rules: The rules that must hold, in the order in which they are reported.
        directory: The published directory.
        open: Opens a published or staged tree, with its manifest, as the view that the rules take.
        basis: Returns what verdicts on a published or staged tree follow from. None: every rule always looks.
    """

    asset: str
    rules: tuple[Rule[Any], ...]
    directory: Callable[[Places], Path]
    open: Callable[[Places, Path, Manifest], Any]
    basis: Callable[[Places, Path, Manifest], Basis] | None = None

    def view(self, places: Places) -> Any:
        """Return the view of the published directory; None if nothing is published."""
        root = self.directory(places)
        manifest = recovered_manifest(root)
        return None if manifest is None else self.open(places, root, manifest)

    def gate(self, places: Places) -> Callable[[Path, Manifest], Sequence[Verdict]]:
        """Return the function that judges a staged tree by the blocking rules."""
        blocking = tuple(rule for rule in self.rules if rule.blocking)

        def judge(root: Path, manifest: Manifest) -> Sequence[Verdict]:
            view = self.open(places, root, manifest)
            verdicts = verdict.run(blocking, view)
            if self.basis and all(each.passed for each in verdicts) and are_of_content(view.facts):
                remember(self._note(places), self.basis(places, root, manifest), verdicts, known={})
            return verdicts

        return judge

    def judging(self, places: Places, *, anew: bool) -> "Judging | None":
        """Open the published directory for its rules; None if nothing is published.

        Args:
            places: The published directories.
            anew: Whether every rule looks, although it has said its verdict on the same bytes.
        """
        root = self.directory(places)
        manifest = recovered_manifest(root)
        if manifest is None:
            return None
        basis, note = self.basis and self.basis(places, root, manifest), self._note(places)
        if anew:
            disk.HASHED.forget()
        known = {} if anew or basis is None else recall(note, basis)
        return Judging(partial(self.open, places, root, manifest), basis, note, known)

    def _note(self, places: Places) -> Path:
        return note_of(places.state, self.asset, self.directory(places))


class Judging:
    """The rules of one published directory at work."""

    def __init__(self, view: Callable[[], Any], basis: Basis | None, note: Path, known: Mapping[str, Known]) -> None:
        self._open = view
        self._view: Any = None
        self._basis, self._note, self._known = basis, note, known
        self._given: list[tuple[Rule[Any], Verdict]] = []

    def judge(self, rule: Rule[Any]) -> Known:
        """Return a rule's verdict, with the time when it was given."""
        if rule.name in self._known:
            return self._known[rule.name]
        if self._view is None:
            self._view = self._open()
        given = rule.judge(self._view)
        self._given.append((rule, given))
        return Known(now(), given)

    def remember(self) -> None:
        """Note the verdicts that were given, if nothing is broken: what is, is looked at again.

        Nothing is noted if no rule needed the images, now or for what is known: to note it, all would have to be read.
        """
        broken = any(not each.passed and (rule.severity == "error" or not each.judged) for rule, each in self._given)
        read = any(rule.reads_images for rule, _ in self._given)
        if self._basis and not broken and (are_of_content(self._view.facts) if read else self._known):
            remember(self._note, self._basis, [each for _, each in self._given], known=self._known)


def _raw(source: Source) -> Inspection:
    return Inspection(
        asset=source.asset,
        rules=source.rules,
        directory=lambda places: places.data_dir / source.directory,
        open=lambda places, root, manifest: source.view(root, manifest, cache=places.facts),
        basis=lambda places, root, manifest: Basis(
            said=(
                _page(manifest),
                {key: asdict(facts) for key, facts in accepted(places.data_dir / source.directory).items()},
            ),
            listed=((root, manifest.rows),),
            read=((root, manifest.rows.selected()),),
        ),
    )


RAW = {name: _raw(source) for name, source in SOURCES.items()}
"""Inspections of the raw datasets, by the name of their catalog file."""


def _digests(places: Places) -> dict[str, str]:
    """Return the sha256 of every landed image by its path relative to DATA_DIR, as the raw manifests state it."""
    manifests = {
        source.directory: manifest
        for source in SOURCES.values()
        if (manifest := recovered_manifest(places.data_dir / source.directory)) is not None
    }
    return {
        f"{directory}/{path}": sha256
        for directory, manifest in manifests.items()
        for path, _, sha256 in manifest.rows.pictures().sums()
    }


def _evaluation_view(places: Places, root: Path, manifest: Manifest | None) -> EvaluationView:
    state = StateDir.of(places.evaluation)
    published = root.resolve() == state.target
    view = EvaluationView(
        root=root,
        manifest=manifest,
        data_dir=places.data_dir,
        digests=_digests(places),
        space=load_space(),
        cache=places.facts,
    )
    root_before = state.previous if published else state.target
    manifest_before = None
    with contextlib.suppress(LandingError):  # it is damaged: there is nothing to compare with
        manifest_before = Manifest.read(root_before)
    if manifest_before is None:
        return view
    return replace(view, before=replace(view, root=root_before, manifest=manifest_before))


def _splits_view(places: Places, root: Path, manifest: Manifest) -> SplitsView:
    read = [source for source in SOURCES.values() if source.asset in manifest.info.inputs]
    present = {source.asset: recovered_manifest(places.data_dir / source.directory) for source in read}
    unmoved = all(
        each is not None and each.info.data_version == manifest.info.inputs[asset] for asset, each in present.items()
    )
    return SplitsView(
        root=root,
        manifest=manifest,
        data_dir=places.data_dir,
        digests=_digests(places),
        space=load_space(SplitsSelection.model_validate(manifest.info.selection).label_space),
        evaluation=_evaluation_view(places, places.evaluation, recovered_manifest(places.evaluation)),
        inputs=(lambda: training_tables(read, places)) if unmoved else None,
        cache=places.facts,
    )


def _page(manifest: Manifest) -> str:
    return manifest.page().decode()


def _landed(places: Places) -> dict[Path, Manifest]:
    """Return the manifests of all raw directories, by directory."""
    roots = [places.data_dir / source.directory for source in SOURCES.values()]
    return {root: manifest for root in roots if (manifest := recovered_manifest(root)) is not None}


def _basis_of_evaluation(places: Places, root: Path, manifest: Manifest) -> Basis:
    state = StateDir.of(places.evaluation)
    before = state.previous if root.resolve() == state.target else state.target
    was = Manifest.read(before)
    raw = _landed(places)
    own = {root: manifest} | ({before: was} if was is not None else {})
    return Basis(
        said=(_page(manifest), was and _page(was), {each.name: _page(landed) for each, landed in raw.items()}),
        listed=tuple((each, stated.rows) for each, stated in (own | raw).items()),
        read=tuple((each, stated.rows) for each, stated in own.items()),
    )


def _basis_of_splits(places: Places, root: Path, manifest: Manifest) -> Basis:
    evaluation = recovered_manifest(places.evaluation)
    raw = _landed(places)
    own = {root: manifest} | ({places.evaluation: evaluation} if evaluation is not None else {})
    words = load_space(SplitsSelection.model_validate(manifest.info.selection).label_space).names
    pages = {each.name: _page(landed) for each, landed in raw.items()}
    return Basis(
        said=(_page(manifest), evaluation and _page(evaluation), pages, words),
        listed=tuple((each, stated.rows) for each, stated in (own | raw).items()),
        read=(
            *((each, stated.rows) for each, stated in own.items()),
            *((each, landed.rows.selected().others()) for each, landed in raw.items()),
        ),
    )


EVALUATION = Inspection(
    asset=EVALUATION_ASSET,
    rules=EVALUATION_RULES,
    directory=lambda places: places.evaluation,
    open=_evaluation_view,
    basis=_basis_of_evaluation,
)
SPLITS = Inspection(
    asset=SPLITS_ASSET,
    rules=SPLIT_RULES,
    directory=lambda places: places.splits,
    open=_splits_view,
    basis=_basis_of_splits,
)
METRICS = Inspection(
    asset=METRICS_ASSET,
    rules=METRICS_RULES,
    directory=lambda places: places.results,
    open=lambda places, root, manifest: MetricsView(root, manifest, published_sets(places)),
)


def of_profile(profile: Profile) -> tuple[Inspection, ...]:
    """Return the inspection of every asset in the profile's graph, inputs first."""
    splits = (SPLITS,) if profile.trained_on else ()
    return (*(RAW[name] for name in profile.selections), EVALUATION, *splits, METRICS)


def named(profile: Profile, name: str) -> Inspection:
    """Return the inspection of an asset by its name, or by the short name of its dataset (`coco` for `coco_raw`).

    Raises:
        SettingsError: The profile's graph has no such asset; the text offers the nearest names.
    """
    inspections = {each.asset: each for each in of_profile(profile)}
    short = {source.dataset: source.asset for source in profile.sources}
    found = inspections.get(short.get(name, name))
    if found is None:
        raise UnknownName("asset", name, [*inspections, *short])
    return found


@dataclass(frozen=True, slots=True)
class Told:
    """The verdict of one rule, as commands print it in one line.

    Attributes:
        asset: The asset's name.
        rule: The rule's name.
        passed: Whether the rule holds.
        severity: "error" or "warn".
        offenders: Number of records that break the rule.
        examples: The first of these records.
        checked: Number of records that the rule looked at.
        remedy: What the user should do; empty if the rule holds.
        judged: As `Verdict.judged`.
    """

    asset: str
    rule: str
    passed: bool
    severity: str
    offenders: int
    examples: str
    checked: int = 0
    remedy: str = ""
    judged: bool = True

    @property
    def is_error(self) -> bool:
        """Return whether the rule fails so that the published version should not be used."""
        return not self.passed and self.severity == "error"


def verify(
    profile: Profile, places: Places, assets: Sequence[str], *, rule: str | None = None, anew: bool = True
) -> list[Told]:
    """Judge the published directories by every rule, or by one.

    Args:
        profile: Says which assets there are.
        places: The published directories.
        assets: Names of the assets to judge; empty for all published assets.
        rule: Only the rule of this name.
        anew: As for `Inspection.judging`.

    Raises:
        SettingsError: An asset does not exist, or has published nothing.
    """
    told = []
    for inspection in [named(profile, name) for name in assets] or of_profile(profile):
        asset = inspection.asset
        try:
            judging = inspection.judging(places, anew=anew)
            meant = [each for each in inspection.rules if rule in {None, each.name}]
            verdicts = [(each, judging.judge(each).verdict) for each in meant] if judging else []
            if judging and not anew:
                judging.remember()
        except (FormatError, LandingError, OSError) as error:  # its drive went away, say: the others are judged still
            text = str(disk.explained(error, inspection.directory(places)) or error)
            told.append(Told(asset, "can_be_opened", passed=False, severity="error", offenders=1, examples=text))
            continue
        if judging is None and assets:
            raise SettingsError(f"{asset}: nothing is published in {inspection.directory(places)}; materialize it")
        told += [_told(asset, each, verdict) for each, verdict in verdicts]
    return told


def _told(asset: str, rule: Rule[Any], verdict: Verdict) -> Told:
    return Told(
        asset,
        rule.name,
        verdict.passed,
        rule.severity,
        verdict.offenders,
        ", ".join(verdict.examples),
        checked=verdict.checked,
        remedy=verdict.remedy,
        judged=verdict.judged,
    )
