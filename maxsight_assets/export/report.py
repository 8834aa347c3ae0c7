"""What an export came to, as numbers that a command prints."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from maxsight_assets.export.notes import Form
from maxsight_assets.export.version import SplitTables


@dataclass(frozen=True, slots=True)
class SplitCounts:
    """What an export holds of one split.

    Attributes:
        images: Images that it names.
        boxes: Boxes in them.
        crowds: Boxes among them that surround a group; the reader takes each for one thing.
        beyond: Images with more boxes than the written configuration keeps.
        skipped: Images of the split that it leaves out, because they have no box.
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
        form: What it was written for.
        directory: Where.
        data_version: Data version of the splits that were exported.
        splits: What it holds of each split.
    """

    form: Form
    directory: Path
    data_version: str
    splits: Mapping[str, SplitCounts]


def counts_of(split: SplitTables, *, beyond: int = 0, skipped: int = 0) -> SplitCounts:
    """Count what an export holds of a split."""
    crowds = int(split.boxes["crowd"].sum())
    return SplitCounts(split.images.height - skipped, split.boxes.height, crowds, beyond, skipped)
