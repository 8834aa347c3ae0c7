"""Measure what the project keeps on the disk, and what each part needs to be freed.

Each file is counted once, where it is first met: the previous version shares most of its files with the published one
by hard links, and deleting it frees only what it holds alone.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from maxsight_assets import disk
from maxsight_assets.datasets.places import BY_HAND
from maxsight_assets.errors import LandingError
from maxsight_assets.pipeline.inspection import of_profile
from maxsight_assets.places import Places
from maxsight_assets.profiles.model import Profile
from maxsight_assets.publishing.stage import recovered_manifest
from maxsight_assets.publishing.swap import StateDir

HIDDEN = ".maxsight"


@dataclass(frozen=True, slots=True)
class Use:
    """One part of what is on the disk.

    Attributes:
        what: What it is; with its path where no asset names it.
        files: Number of files that were not counted before. The same for `bytes`.
        how: The command that frees it; empty if only another selection makes it smaller.
    """

    what: str
    files: int
    bytes: int
    how: str = ""


def usage(profile: Profile, places: Places, home: Path, exports: Iterable[Path]) -> list[Use]:
    """Return all that the project keeps: data, previous versions, quarantine, caches, exports, Dagster's records.

    Args:
        profile: Says which assets there are.
        places: Where they are published.
        home: Where Dagster keeps its records.
        exports: Directories of exports.
    """
    seen: set[tuple[int, int]] = set()
    uses = [use for each in of_profile(profile) for use in _of_asset(each.asset, each.directory(places), seen)]
    uses += [
        _use("facts of images (made again at need)", places.facts, seen, f"rm {places.facts}"),
        _use("drawn world of the sample", places.world, seen, "maxsight-assets tidy"),
        _use("notes and other caches", places.state, seen),
        _use("files placed by hand", places.data_dir / BY_HAND, seen, "delete what is landed"),
        *(_use(f"export in {each}", each, seen, "delete it") for each in exports),
        _use("Dagster's records", home, seen, "maxsight-assets tidy"),
    ]
    ours = [directory for each in of_profile(profile) for directory in _own(each.directory(places))]
    others = [path for path in _inside(places.data_dir) if path not in {*ours, places.state, places.data_dir / BY_HAND}]
    uses += [_use(f"not of this profile: {path}", path, seen, "yours to judge") for path in others]
    return [use for use in uses if use.files]


def _of_asset(asset: str, target: Path, seen: set[tuple[int, int]]) -> Iterator[Use]:
    state = StateDir.of(target)
    try:
        manifest = recovered_manifest(target)
    except LandingError:
        manifest = None
    kept = {row.path for row in manifest.rows.values() if row.kept} if manifest else set()
    own = [(path, entry) for path, entry in disk.walk(state.target)] if state.target.is_dir() else []
    yield _counted(asset, [entry for path, entry in own if path not in kept], seen)
    prune = f"maxsight-assets prune {asset}"
    loose = [entry for path, entry in own if path in kept]
    yield _counted(f"{asset}: earlier selections", loose, seen, f"{prune} (not what splits name)")
    yield _use(f"{asset}: previous version", state.previous, seen, prune)
    yield _use(f"{asset}: edited files set aside", state.quarantine, seen, prune)
    yield _use(f"{asset}: unfinished landing", state.sessions, seen, f"maxsight-assets materialize {asset}, or tidy")
    yield _use(f"{asset}: state", state.root, seen)


def _use(what: str, where: Path, seen: set[tuple[int, int]], how: str = "") -> Use:
    if where.is_file():
        status = where.stat()
        key, new = (status.st_dev, status.st_ino), (status.st_dev, status.st_ino) not in seen
        seen.add(key)
        return Use(what, int(new), status.st_size if new else 0, how)
    return _counted(what, [entry for _, entry in disk.walk(where)] if where.is_dir() else [], seen, how)


def _counted(what: str, entries: "list[os.DirEntry[str]]", seen: set[tuple[int, int]], how: str = "") -> Use:
    files = total = 0
    for entry in entries:
        status = entry.stat(follow_symlinks=False)
        key = (status.st_dev, status.st_ino)
        if key not in seen:
            seen.add(key)
            files, total = files + 1, total + status.st_size
    return Use(what, files, total, how)


def _own(target: Path) -> tuple[Path, Path]:
    return target, target.parent / f".{target.name}{HIDDEN}"


def _inside(data_dir: Path) -> list[Path]:
    return sorted(data_dir.iterdir()) if data_dir.is_dir() else []
