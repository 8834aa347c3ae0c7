"""The result of an export, as numbers that a command prints."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from maxsight_assets.export.notes import Form
from maxsight_assets.export.version import SplitTables


@dataclass(frozen=True, slots=True)
class SplitCounts:
    """The counts of one split in an export.

    Attributes:
        images: Images that the export names.
        boxes: Boxes in them.
        crowds: Boxes among them that surround a group; the reader takes each for one object.
        beyond: Images with more boxes than the written configuration keeps.
        skipped: Images of the split that the export leaves out, because they have no box.
    """

    images: int
    boxes: int
    crowds: int
    beyond: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Exported:
    """One export.

    Attributes:
        form: The format of the export.
        directory: The directory of the export.
        data_version: Data version of the splits that were exported.
        splits: The counts of each split.
    """

    form: Form
    directory: Path
    data_version: str
    splits: Mapping[str, SplitCounts]


def counts_of(split: SplitTables, *, beyond: int = 0, skipped: int = 0) -> SplitCounts:
    """Count the images and boxes of a split in an export."""
    crowds = int(split.boxes["crowd"].sum())
    return SplitCounts(split.images.height - skipped, split.boxes.height, crowds, beyond, skipped)
