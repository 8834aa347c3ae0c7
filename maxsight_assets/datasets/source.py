"""What the graph needs to know of a dataset: one `Source` each, which its own folder fills in."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maxsight_assets.catalog import model as catalogs
from maxsight_assets.catalog.model import SplitCounts
from maxsight_assets.formats.tables import Tables
from maxsight_assets.profiles.model import Selection
from maxsight_assets.publishing.manifest import Manifest
from maxsight_assets.verdict import Rule
from maxsight_assets.verification.views import RawView


@dataclass(frozen=True, slots=True)
class Source:
    """One raw dataset.

    Attributes:
        dataset: Name of its catalog file.
        asset: Name of its asset.
        directory: Its directory below DATA_DIR.
        selection: Type of its selection.
        files: Keys of the upstream files that a selection is made from.
        land: Brings what a selection names into a staged tree.
        tables: Images and boxes of a published or staged directory.
        rules: What must hold for it.
        whole_splits: The publisher's splits whose records are all there under a selection, so that they can be counted.
        view_type: What the rules look at.
    """

    dataset: str
    asset: str
    directory: str
    selection: type[Selection]
    files: Callable[[Any], tuple[str, ...]]
    land: Callable[..., None]
    tables: Callable[[Path, Manifest], Tables]
    rules: tuple[Rule[Any], ...]
    whole_splits: Callable[[Any], Collection[str]]
    view_type: type[RawView] = RawView

    @property
    def upstream_asset(self) -> str:
        """Name of the asset that stands for its upstream."""
        return f"{self.dataset}_upstream"

    def view(self, root: Path, manifest: Manifest, *, cache: Path | None = None) -> RawView:
        """The directory as the rules look at it; the publisher's counts hold only for splits that are there as a whole.

        Args:
            root: The published or staged directory.
            manifest: Its manifest.
            cache: Parquet file of what is known of images by content.
        """
        counts: Mapping[str, SplitCounts] = {}
        if manifest.info.source == "upstream":
            whole = self.whole_splits(self.selection.model_validate(manifest.info.selection))
            stated = catalogs.load(self.dataset).counts
            counts = {split: count for split, count in stated.items() if split in whole}
        return self.view_type(
            root=root, manifest=manifest, place=self.directory, read=self.tables, counts=counts, cache=cache
        )
