"""The functions that training code and notebooks import from `maxsight_assets`, with the settings filled in."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from maxsight_assets import settings
from maxsight_assets.datasets.coco.verify import verify_coco_dataset
from maxsight_assets.places import Places
from maxsight_assets.splitting import read

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from maxsight_assets.export.report import Exported
    from maxsight_assets.splitting.config import Split

__all__ = ["export_maxsight", "export_yolo", "iter_samples", "load_split", "verify_coco_dataset"]


def load_split(name: "Split") -> "tuple[pd.DataFrame, pd.DataFrame]":
    """Return the images and annotations of a published split as tables; see `splitting.read.load_split`."""
    return read.load_split(name, settings.load(writable=False).splits_dir)


def iter_samples(name: "Split") -> "Iterator[tuple[Path, NDArray[np.float64], list[str]]]":
    """Yield a published split image by image: file, boxes, labels; see `splitting.read.iter_samples`."""
    here = settings.load(writable=False)
    return read.iter_samples(name, splits_dir=here.splits_dir, data_dir=here.data_dir)


def export_maxsight(out: Path | str, *, image_root: Path | str | None = None) -> "Exported":
    """Write the published splits for MaxSight's training program; see `export.maxsight.export_maxsight`."""
    from maxsight_assets.export import maxsight

    places = Places.of(settings.load(writable=False))
    return maxsight.export_maxsight(places, Path(out), image_root=Path(image_root) if image_root else None)


def export_yolo(out: Path | str, *, image_root: Path | str | None = None) -> "Exported":
    """Write the published splits for YOLO programs; see `export.yolo.export_yolo`."""
    from maxsight_assets.export import yolo

    places = Places.of(settings.load(writable=False))
    return yolo.export_yolo(places, Path(out), image_root=Path(image_root) if image_root else None)
