"""Read the published version of the splits for an export."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import polars as pl

from maxsight_assets.errors import SettingsError, VerificationFailed
from maxsight_assets.places import Places
from maxsight_assets.publishing.manifest import problem
from maxsight_assets.publishing.stage import recovered_manifest
from maxsight_assets.splitting.config import Split
from maxsight_assets.splitting.read import read_tables
from maxsight_assets.splitting.write import split_path


@dataclass(frozen=True, slots=True)
class SplitTables:
    """The tables of one split.

    Attributes:
        images: `id`, `path` (POSIX, relative to DATA_DIR), `width`, `height` in pixels, `source`, in the file's order.
        boxes: `image` (id of its image), `label`, `x`, `y`, `w`, `h` in absolute pixels, `crowd`, in the file's order.
    """

    images: pl.DataFrame
    boxes: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Version:
    """The published splits.

    Attributes:
        data_version: Digest of the published files.
        published_at: Time of publishing, ISO 8601, UTC.
        source: The origin of the images: `embedded` (the drawn world) or `upstream`.
        directory: The directory of the splits.
        data_dir: The directory that the images' paths are relative to.
        labels: The label space; the position of a name is its class index.
        splits: The three splits, by name.
    """

    data_version: str
    published_at: str
    source: str
    directory: Path
    data_dir: Path
    labels: tuple[str, ...]
    splits: Mapping[str, SplitTables]

    @property
    def name(self) -> str:
        """Return the name of the version that pages and commands show."""
        return self.data_version[:12]


def read_version(places: Places) -> Version:
    """Read the published splits.

    Raises:
        SettingsError: No splits are published, or another release published them.
        VerificationFailed: A split file was changed after publishing.
        FormatError: A split file cannot be read.
    """
    manifest = recovered_manifest(places.splits)
    if manifest is None:
        raise SettingsError(f"cleaned_splits: nothing is published in {places.splits}; materialize it")
    if manifest.info.published_at is None:
        raise SettingsError("cleaned_splits: an earlier release published it, and noted no time; materialize it again")
    splits: dict[str, SplitTables] = {}
    labels: tuple[str, ...] = ()
    for name in get_args(Split):
        path = split_path(places.splits, name)
        fault = problem(places.splits, manifest.rows[path.name])
        if fault is not None:
            raise VerificationFailed(f"{path}: not as it was published ({fault}); materialize cleaned_splits again")
        images, boxes, labels = read_tables(path)
        splits[name] = SplitTables(images, boxes)
    return Version(
        data_version=manifest.data_version,
        published_at=manifest.info.published_at,
        source=manifest.info.source,
        directory=places.splits,
        data_dir=places.data_dir,
        labels=labels,
        splits=splits,
    )
