"""What the graph needs to know about a dataset: one `Source` each, which the dataset's folder defines."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from maxsight_assets.catalog import model as catalogs
from maxsight_assets.catalog.model import Catalog, SplitCounts
from maxsight_assets.datasets.selection import Selection
from maxsight_assets.formats.tables import Tables
from maxsight_assets.publishing.acceptance import accepted
from maxsight_assets.publishing.manifest import Manifest
from maxsight_assets.verdict import Rule
from maxsight_assets.verification.views import IMAGE_SUFFIXES, RawView

Table = tuple[Sequence[str], Sequence[Sequence[object]]]
"""Names of columns, and rows."""


@dataclass(frozen=True, slots=True)
class Source:
    """One raw dataset.

    Attributes:
        dataset: Name of the dataset, and of its folder.
        selection: Type of its selection.
        files: Keys of the upstream files that a selection is made from.
        land: Lands what a selection names in a staged tree.
        tables: Images and boxes of a published or staged directory, by its path and manifest; see `read`.
        rules: The rules that must hold for its directory.
        whole_splits: The publisher's splits that a selection lands with all their records, so that they can be counted.
        view_type: Type of the view that the rules take.
        editions: Other editions of the annotations, by the pattern of the labels that only they have.
        words: The words that fields of the selection may hold, by field; those for classes are in `labels.csv`.
        class_ids: Pattern of the ids by which a class may be named instead of its name.
        second_paths: Where landed files lie a second time, by the beginning of their path below the directory.
        listed: All images that the landed lists of the publisher name, chosen or not: `split` and `image_id`. None: no
            list is landed.
        are_tables_kept: Whether `tables` takes `parsed`, the folder of what was parsed before.
        details: Further tables of the asset's page, by title: column names and rows, from the published directory.
    """

    dataset: str
    selection: type[Selection]
    files: Callable[[Any], tuple[str, ...]]
    land: Callable[..., None]
    tables: Callable[..., Tables]
    rules: tuple[Rule[Any], ...]
    whole_splits: Callable[[Any], Collection[str]]
    view_type: type[RawView] = RawView
    editions: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, Collection[str | int]] = field(default_factory=dict)
    class_ids: re.Pattern[str] | None = None
    second_paths: Mapping[str, str] = field(default_factory=dict)
    listed: Callable[[Path, Manifest], pl.DataFrame] | None = None
    are_tables_kept: bool = False
    details: Callable[[Path, Manifest], Mapping[str, Table]] | None = None

    @property
    def catalog(self) -> Catalog:
        """Return what its publisher offers, and its names in the graph."""
        return catalogs.load(self.dataset)

    @property
    def asset(self) -> str:
        """Return the name of its asset."""
        return self.catalog.asset

    @property
    def directory(self) -> str:
        """Return its directory below DATA_DIR."""
        return self.catalog.directory

    @property
    def upstream_asset(self) -> str:
        """Return the name of the asset that represents its upstream."""
        return self.catalog.upstream_asset

    def second_path(self, path: str) -> str | None:
        """Return where a landed file lies a second time; None if it lies in one place."""
        found = ((begin, other) for begin, other in self.second_paths.items() if path.startswith(begin))
        return next((other + path.removeprefix(begin) for begin, other in found), None)

    def read(self, root: Path, manifest: Manifest, *, cache: Path | None = None) -> Tables:
        """Return the images and boxes of a published or staged directory.

        Args:
            root: The directory.
            manifest: Its manifest.
            cache: Parquet file of facts of images by content; tables that were parsed before are kept beside it.

        Raises:
            FormatError: The annotations cannot be read.
        """
        if cache is None or not self.are_tables_kept:
            return self.tables(root, manifest)
        return self.tables(root, manifest, parsed=cache.parent / "parsed")

    def view(self, root: Path, manifest: Manifest, *, cache: Path | None = None) -> RawView:
        """Return the view that the rules take of the directory; the publisher's counts hold only for whole splits.

        They do not hold for annotations of a file that the user accepted in place of the catalog's.

        Args:
            root: The published or staged directory.
            manifest: Its manifest.
            cache: Parquet file of facts of images by content.
        """
        counts: Mapping[str, SplitCounts] = {}
        if manifest.info.source == "upstream" and not self._of_accepted_files(root, manifest):
            whole = self.whole_splits(self.selection.stored(manifest.info.selection))
            stated = self.catalog.counts
            counts = {split: count for split, count in stated.items() if split in whole}
        return self.view_type(
            root=root,
            manifest=manifest,
            place=self.directory,
            read=partial(self.read, cache=cache),
            counts=counts,
            editions=self.editions,
            cache=cache,
        )

    @staticmethod
    def _of_accepted_files(root: Path, manifest: Manifest) -> bool:
        """Return whether annotations came from an upstream file whose change the user accepted."""
        keys = accepted(root).keys()
        return bool(keys) and any(
            not row.path.lower().endswith(IMAGE_SUFFIXES) and (row.origin or "").partition("!")[0] in keys
            for row in manifest.selected()
        )
