"""What the graph needs to know of a dataset: one `Source` each, which its own folder fills in."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
        dataset: Name of its folder, and of the dataset everywhere.
        selection: Type of its selection.
        files: Keys of the upstream files that a selection is made from.
        land: Brings what a selection names into a staged tree.
        tables: Images and boxes of a published or staged directory.
        rules: What must hold for it.
        whole_splits: The publisher's splits whose records are all there under a selection, so that they can be counted.
        view_type: What the rules look at.
        words: What fields of the selection may hold, by name; those of classes stand in `labels.csv`.
        class_ids: Pattern of the ids that a class may be named by beside its name.
        details: Further tables of the asset's page, by title: column names and rows, from the published directory.
    """

    dataset: str
    selection: type[Selection]
    files: Callable[[Any], tuple[str, ...]]
    land: Callable[..., None]
    tables: Callable[[Path, Manifest], Tables]
    rules: tuple[Rule[Any], ...]
    whole_splits: Callable[[Any], Collection[str]]
    view_type: type[RawView] = RawView
    words: Mapping[str, Collection[str | int]] = field(default_factory=dict)
    class_ids: re.Pattern[str] | None = None
    details: Callable[[Path, Manifest], Mapping[str, Table]] | None = None

    @property
    def catalog(self) -> Catalog:
        """What its publisher offers, and what the graph calls it."""
        return catalogs.load(self.dataset)

    @property
    def asset(self) -> str:
        """Name of its asset."""
        return self.catalog.asset

    @property
    def directory(self) -> str:
        """Its directory below DATA_DIR."""
        return self.catalog.directory

    @property
    def upstream_asset(self) -> str:
        """Name of the asset that stands for its upstream."""
        return self.catalog.upstream_asset

    def view(self, root: Path, manifest: Manifest, *, cache: Path | None = None) -> RawView:
        """The directory as the rules look at it; the publisher's counts hold only for splits that are there as a whole.

        They do not hold for annotations of a file that the user accepted in place of the catalog's.

        Args:
            root: The published or staged directory.
            manifest: Its manifest.
            cache: Parquet file of what is known of images by content.
        """
        counts: Mapping[str, SplitCounts] = {}
        if manifest.info.source == "upstream" and not self._of_accepted_files(root, manifest):
            whole = self.whole_splits(self.selection.stored(manifest.info.selection))
            stated = self.catalog.counts
            counts = {split: count for split, count in stated.items() if split in whole}
        return self.view_type(
            root=root, manifest=manifest, place=self.directory, read=self.tables, counts=counts, cache=cache
        )

    @staticmethod
    def _of_accepted_files(root: Path, manifest: Manifest) -> bool:
        """Whether annotations came from an upstream file whose change the user accepted."""
        keys = accepted(root).keys()
        return bool(keys) and any(
            not row.path.lower().endswith(IMAGE_SUFFIXES) and (row.origin or "").partition("!")[0] in keys
            for row in manifest.selected()
        )
