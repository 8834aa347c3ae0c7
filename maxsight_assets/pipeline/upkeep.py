"""Maintain a raw directory on the user's request: repair it, accept a change upstream, free space."""

import contextlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from maxsight_assets import disk
from maxsight_assets.archives.archive import Archive, open_archive
from maxsight_assets.catalog import model as catalogs
from maxsight_assets.datasets.places import Upstream
from maxsight_assets.datasets.source import Source
from maxsight_assets.errors import FormatError, LandingError, SettingsError
from maxsight_assets.pipeline.raw import WAIT_S
from maxsight_assets.publishing import acceptance, maintenance
from maxsight_assets.publishing.maintenance import PruneReport
from maxsight_assets.publishing.manifest import FileRow
from maxsight_assets.publishing.preflight import preflight
from maxsight_assets.publishing.stage import opened, recovered_manifest
from maxsight_assets.publishing.swap import StateDir
from maxsight_assets.remote import Probe, RemoteFile

HASHED_BYTES = 1 << 30
"""A changed file up to this length is fetched to compute its hash, which takes minutes on an ordinary connection."""


class _Image(msgspec.Struct):
    file_name: str


class _Named(msgspec.Struct):
    images: list[_Image]


def repair(source: Source, upstream: Upstream, target: Path) -> tuple[str, ...]:
    """Fetch exactly the files of a published directory that are missing or changed since they were landed.

    Returns:
        The repaired paths, relative to the directory.

    Raises:
        LandingError: This project made the damaged file, rather than landing it, or upstream has other bytes now.
    """
    upstream = replace(upstream, target=target)
    with contextlib.ExitStack() as stack:
        downloads = StateDir.of(target).scratch()  # if this process is killed, the next opening removes it
        stack.callback(disk.discard, [downloads])
        archives: dict[str, Archive] = {}

        def fetch(row: FileRow, dest: Path) -> None:
            if row.origin is None:
                raise LandingError(f"{row.path}: was made here, not landed; delete it and materialize {source.asset}")
            key, _, member = row.origin.partition("!")
            if not member:
                if key in upstream.catalog.files:
                    upstream.first(key, lambda client, file: client.download(file, dest))
                else:
                    upstream.client.download(upstream.catalog.image(key), dest)
                return
            if key not in archives:
                archives[key] = upstream.first(
                    key, lambda client, file: stack.enter_context(open_archive(client, file, downloads=downloads))
                )
            if member not in archives[key].members:
                raise LandingError(f"{key}: upstream no longer holds {member}; materialize {source.asset} again")
            archives[key].extract({member: dest}, lambda *_: None)

        return maintenance.repair(target, fetch, wait_s=WAIT_S)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The accepted facts of an upstream file, and their origin.

    Attributes:
        file: The upstream file with the facts that are valid from now on.
        how: The origin of its digests, as text for the user.
    """

    file: RemoteFile
    how: str


def accept(upstream: Upstream, key: str, target: Path) -> Acceptance:
    """Record that an upstream file changed and that its present bytes are the expected ones from now on.

    The hash comes from the run that stopped at the file, if that run received all of it and upstream still has that
    version. Otherwise the file is fetched to compute its hash. Of a zip larger than `HASHED_BYTES` only the index is
    read and accepted; it states the size and CRC-32 of every member.

    Args:
        upstream: The upstream that has the file.
        key: The key of the file in the catalog.
        target: The directory that is landed from the file.

    Returns:
        The facts that upstream has now; a copy that was fetched for its hash is not kept.
    """
    unpinned = replace(upstream.catalog.file(key), bytes=None, sha256=None, md5=None, sha1=None)
    probe = upstream.client.probe(unpinned)
    received = acceptance.received(target, key, probe)
    with opened(target) as (state, _), tempfile.TemporaryDirectory(dir=state.root, prefix=disk.SCRATCH) as folder:
        if received is not None:
            file = replace(unpinned, bytes=received.bytes, sha256=received.sha256, md5=received.md5, sha1=received.sha1)
            how = "as the run that stopped received it"
        elif _by_index(key, probe):
            file, how = replace(unpinned, bytes=probe.bytes), "by its index: the size and CRC-32 of every member"
        else:
            preflight(target, needed_bytes=probe.bytes or 0, needed_files=1)
            landed = upstream.client.download(unpinned, Path(folder) / Path(key).name)
            file, how = replace(unpinned, bytes=landed.bytes, sha256=landed.sha256), "by a download of it"
        if key.endswith(".zip") and probe.ranges:
            with open_archive(upstream.client, unpinned, downloads=Path(folder)) as archive:
                file = replace(file, index_sha256=archive.index_sha256)
        acceptance.record(state, file)
    return Acceptance(file, how)


def _by_index(key: str, probe: Probe) -> bool:
    return key.endswith(".zip") and probe.ranges and (probe.bytes or 0) > HASHED_BYTES


def dataset_of(key: str) -> str:
    """Return the dataset whose catalog lists an upstream file.

    Raises:
        SettingsError: No catalog lists the file.
    """
    for catalog in catalogs.every():
        if key in catalog.files:
            return catalog.dataset
    raise SettingsError(f"{key}: no catalog lists such an upstream file; the error that asked for it names its key")


def prune(
    target: Path, made: Iterable[Path], *, noted: Callable[[], Mapping[Path, Path]] = dict, really: bool
) -> PruneReport:
    """Delete the files that no selection and no split needs: see `maintenance.prune`.

    Args:
        target: The published directory.
        made: Directories of the splits and evaluation sets; images that their present or previous version names are
            kept.
        noted: Returns further directories, which must exist, each with its note: see `Places.noted`.
        really: Delete; otherwise only report what would be deleted.

    Raises:
        SettingsError: One of the noted directories is missing, so that the images it names are unknown.
    """

    def protected() -> Iterator[str]:
        required = noted()
        for directory, note in required.items():
            _require_readable(directory, note)
        ours = f"{target.name}/"
        yield from (name.removeprefix(ours) for name in _named_by({*made, *required}) if name.startswith(ours))

    return maintenance.prune(target, protected, really=really, wait_s=WAIT_S)


def _require_readable(directory: Path, note: Path) -> None:
    manifest = recovered_manifest(directory)
    if manifest is None or any(not (directory / path).is_file() for path in manifest.rows if path.endswith(".json")):
        raise SettingsError(
            f"{directory}: splits or evaluation sets were published there and cannot be read now, so nothing is "
            f"deleted; mount it (SPLITS_DIR), or, if they are gone for good, delete {note}"
        )


def _named_by(directories: Iterable[Path]) -> set[str]:
    """Return the images that the present or the previous version of these directories names."""
    versions = [version for directory in directories for version in (directory, StateDir.of(directory).previous)]
    named: set[str] = set()
    for path in sorted(path for version in versions for path in version.rglob("*.json")):
        try:
            document = msgspec.json.decode(path.read_bytes(), type=_Named)
        except msgspec.ValidationError:
            continue  # for instance a report
        except msgspec.DecodeError as error:
            raise FormatError(f"{path}: {error}; nothing is deleted while it cannot be read") from None
        named.update(image.file_name for image in document.images)
    return named
