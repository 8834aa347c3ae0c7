"""Land a new version of a raw dataset, in the same way for every `Source`.

Probe upstream; if the published version was made from what upstream has now, stop. Otherwise stage, choose, fetch,
verify, judge by the blocking rules, and publish.
"""

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from types import MappingProxyType

from maxsight_assets.datasets.landing import Gate, Tally, is_current, land_twice, measure_images
from maxsight_assets.datasets.places import Upstream
from maxsight_assets.datasets.seen import Seen, combined, fingerprints
from maxsight_assets.datasets.selection import Selection, with_stated
from maxsight_assets.datasets.source import Source
from maxsight_assets.datasets.words import require_known
from maxsight_assets.publishing.manifest import Manifest
from maxsight_assets.publishing.stage import recovered_manifest, staging
from maxsight_assets.transport.listing import Listed
from maxsight_assets.verification.views import MISSING

WAIT_S = 60.0
"""Seconds to wait for another process that lands the same directory before the step fails and is retried."""

UNFETCHED = "unfetched"
"""Key among a version's inputs: the number of images that no try brought. No probe of upstream equals such inputs."""


@dataclass(frozen=True, slots=True)
class Version:
    """The result of one landing.

    Attributes:
        manifest: Manifest of the version that is published now.
        changed: Whether its data version differs from the previous one.
        tally: Counts of what was fetched.
        seconds: Wall time of the whole landing.
        fingerprint: Fingerprint of the upstream files that the landing read.
    """

    manifest: Manifest
    changed: bool
    tally: Tally
    seconds: float
    fingerprint: str


def selection_of(source: Source, target: Path, *, default: Selection, stated: Mapping[str, object]) -> Selection:
    """Return the selection of the next version: the stored one, or the profile's at first, with the user's changes.

    Raises:
        SettingsError: A stated value does not fit.
    """
    present = recovered_manifest(target)
    stored = source.selection.stored(present.info.selection) if present else default
    return with_stated(stored, stated)


def look(
    source: Source,
    upstream: Upstream,
    target: Path,
    *,
    default: Selection,
    so_far: Mapping[str, Listed] = MappingProxyType({}),
    in_time: Callable[[], bool] = lambda: True,
) -> Seen:
    """Return what upstream has now of the files that the next version would be made from; see `Upstream.look`."""
    selection = selection_of(source, target, default=default, stated={})
    upstream = replace(upstream, target=target)
    return upstream.look(source.files(selection), so_far=so_far, in_time=in_time)


def fingerprint_of(manifest: Manifest) -> str:
    """Return the fingerprint that upstream had for the files that a version was made from, see `look`."""
    return combined({key: value for key, value in manifest.info.inputs.items() if key != UNFETCHED})


def refresh(
    source: Source,
    upstream: Upstream,
    *,
    data_dir: Path,
    cache: Path,
    default: Selection,
    stated: Mapping[str, object],
    gate: Gate,
    before_reading: Callable[[Seen], None] = lambda _: None,
) -> Version:
    """Bring a raw directory up to what upstream has and the selection asks for.

    Args:
        source: The dataset.
        upstream: Its upstream, open.
        data_dir: Root of all datasets.
        cache: Parquet file of facts of images by content.
        default: Selection of a first version.
        stated: Fields of the selection that the user stated for this run.
        gate: Runs the blocking rules on the staged tree.
        before_reading: Receives what upstream has before anything is fetched.

    Raises:
        LandingError: See its subclasses; the last good version stays.
        SettingsError: A stated value does not fit.
    """
    started = time.monotonic()
    target = data_dir / source.directory
    upstream = replace(upstream, target=target)
    with staging(target, asset=source.asset, source=upstream.origin, wait_s=WAIT_S, cancel=upstream.cancel) as stage:
        selection = selection_of(source, target, default=default, stated=stated)
        require_known(source, selection, stated=stated.keys())
        seen = Seen.of(upstream.probe(source.files(selection)))
        inputs, found = fingerprints(seen.files), seen.fingerprint
        before_reading(seen)
        tally = Tally()
        present = stage.present
        asked_again = stated and _lacks_images(target)
        whole = not asked_again and present is not None and _has_second_paths(source, present)
        if whole and present and is_current(present, target, selection=selection, inputs=inputs):
            tally.reused_files = present.info.files
            tally.served |= upstream.served
            return Version(present, False, tally, time.monotonic() - started, found)
        stage.made_from(inputs)
        known = present.info.inputs if present is not None else {}
        moved = frozenset(key for key, value in inputs.items() if known.get(key) != value)
        source.land(stage, upstream, selection, moved=moved, tally=tally)
        tally.served |= upstream.served
        measure_images(stage, stage.rows.values(), cache=cache)
        for row in stage.rows.values() if source.second_paths else ():
            if path := source.second_path(row.path):
                land_twice(stage, row, path)

        if tally.failed:
            inputs[UNFETCHED] = str(tally.failed)  # so that the next run does not treat this version as complete
        manifest = stage.publish(selection=selection.model_dump(mode="json"), inputs=inputs, gate=gate, keep=True)
    changed = present is None or present.info.data_version != manifest.info.data_version
    return Version(manifest, changed, tally, time.monotonic() - started, found)


def _has_second_paths(source: Source, present: Manifest) -> bool:
    """Return whether each file lies where it should a second time; an earlier release did not put it there."""
    if not source.second_paths:
        return True
    second = {source.second_path(row.path) for row in present.selected()} - {None}
    return second <= present.rows.keys()


def _lacks_images(root: Path) -> bool:
    """Return whether a landing noted missing images; a run that states a selection asks upstream for them again."""
    with contextlib.suppress(OSError), (root / MISSING).open(encoding="utf-8") as stream:
        return sum(1 for _ in islice(stream, 2)) > 1
    return False
