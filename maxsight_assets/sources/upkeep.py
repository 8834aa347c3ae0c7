"""Looking after a raw directory by hand: mend it, take over what is there, accept a change upstream, free space."""

import contextlib
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import msgspec

from maxsight_assets.catalog import model as catalogs
from maxsight_assets.errors import LandingError, SettingsError
from maxsight_assets.landing import maintenance
from maxsight_assets.landing.archive import Archive, open_archive
from maxsight_assets.landing.maintenance import PruneReport
from maxsight_assets.landing.manifest import FileRow
from maxsight_assets.landing.model import Landed
from maxsight_assets.landing.preflight import preflight
from maxsight_assets.sources.landing import Upstream
from maxsight_assets.sources.raw import WAIT_S, Source


class _Image(msgspec.Struct):
    file_name: str


class _Named(msgspec.Struct):
    images: list[_Image]


def repair(source: Source, upstream: Upstream, target: Path) -> tuple[str, ...]:
    """Fetch exactly the files of a published directory that are missing or not as they were landed.

    Returns:
        The paths that were mended, relative to the directory.

    Raises:
        LandingError: A damaged file was made here rather than landed, or upstream has other bytes now.
    """
    upstream = replace(upstream, target=target)
    with contextlib.ExitStack() as stack:
        downloads = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=target.parent, prefix=".repair-")))
        archives: dict[str, Archive] = {}

        def fetch(row: FileRow, dest: Path) -> None:
            if row.origin is None:
                raise LandingError(f"{row.path}: was made here, not landed; delete it and materialize {source.asset}")
            key, _, member = row.origin.partition("!")
            if not member:
                file = upstream.file(key) if key in upstream.catalog.files else upstream.catalog.image(key)
                upstream.client.download(file, dest)
                return
            if key not in archives:
                opened = open_archive(upstream.client, upstream.file(key), downloads=downloads)
                archives[key] = stack.enter_context(opened)
            if member not in archives[key].members:
                raise LandingError(f"{key}: upstream no longer holds {member}; materialize {source.asset} again")
            archives[key].extract({member: dest}, lambda *_: None)

        return maintenance.repair(target, fetch, wait_s=WAIT_S)


def accept(upstream: Upstream, key: str, target: Path) -> Landed:
    """Fetch an upstream file that changed and record that its present bytes are the right ones from now on.

    Args:
        upstream: Where it is.
        key: Its key in the catalog.
        target: The directory that is landed from it.

    Returns:
        What upstream has now; the copy that was fetched to learn its hash is not kept.
    """
    known = upstream.catalog.file(key)
    unpinned = replace(known, bytes=None, sha256=None, md5=None, sha1=None)
    preflight(target, needed_bytes=upstream.client.probe(unpinned).bytes or 0, needed_files=1)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".accept-") as folder:
        landed = upstream.client.download(unpinned, Path(folder) / Path(key).name)
    maintenance.accept(target, replace(unpinned, bytes=landed.bytes, sha256=landed.sha256))
    return landed


def dataset_of(key: str) -> str:
    """The dataset whose catalog lists an upstream file.

    Raises:
        SettingsError: None does.
    """
    for dataset in catalogs.DATASETS:
        if key in catalogs.load(dataset).files:
            return dataset
    raise SettingsError(f"{key}: no catalog lists such an upstream file; the error that asked for it names its key")


def prune(target: Path, made: Iterable[Path], *, really: bool) -> PruneReport:
    """Delete what earlier selections landed and no split or evaluation set names, and the previous version.

    Args:
        target: The published raw directory.
        made: Directories of the splits and evaluation sets, whose images stay.
        really: Delete; else only say what would go.
    """
    named: set[str] = set()
    for path in sorted(path for directory in made for path in directory.rglob("*.json")):
        try:
            document = msgspec.json.decode(path.read_bytes(), type=_Named)
        except msgspec.ValidationError:
            continue  # a report or the like
        named.update(image.file_name for image in document.images)
    ours = f"{target.name}/"
    protected = {name.removeprefix(ours) for name in named if name.startswith(ours)}
    return maintenance.prune(target, protected, really=really, wait_s=WAIT_S)
