"""The functions that training code and notebooks import from `maxsight_assets`, with the settings filled in."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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

__all__ = [
    "export_maxsight",
    "export_yolo",
    "iter_samples",
    "land",
    "load_eval",
    "load_split",
    "verify_coco_dataset",
]


@dataclass(frozen=True, slots=True)
class Landing:
    """What `land` came to; prints as a few lines.

    Attributes:
        asset: The raw asset.
        directory: Its published directory.
        data_version: Digest of what is published.
        changed: Whether this differs from the version before.
        images: Number of landed images.
        fetched_bytes: Bytes that were fetched.
        missing: Images that could not be had, each with the reason.
        seconds: Wall time.
    """

    asset: str
    directory: Path
    data_version: str
    changed: bool
    images: int
    fetched_bytes: int
    missing: tuple[str, ...]
    seconds: float

    def __str__(self) -> str:
        state = "a new version" if self.changed else "as before"
        lacking = f", {len(self.missing):,} images could not be had" if self.missing else ""
        return (
            f"{self.asset}: version {self.data_version[:12]}, {state}, in {self.directory}\n"
            f"  {self.images:,} images; {self.fetched_bytes / 1e6:,.1f} MB fetched in {self.seconds:,.1f} s{lacking}"
        )

    __repr__ = __str__


def land(
    dataset: str,
    *,
    train: int | None = None,
    classes: Sequence[str] | None = None,
    licences: Sequence[str | int] | None = None,
    max_images: int | None = None,
) -> Landing:
    """Land a raw dataset in this process, with a bar for each download; what is landed already is not fetched again.

    The fields are stored with the version, as those of the Launchpad are. Dagster learns of the version by the command
    `maxsight-assets report`, or by the next run.

    Args:
        dataset: Its name, or that of its asset: "coco", "openimages_subset".
        train: Largest number of images of the training split.
        classes: Only training images with a box of one of these, in the publisher's words.
        licences: Only training images under these, as the dataset's selection states them.
        max_images: As `train` for COCO; for the others, their field of this name.

    Raises:
        SettingsError: There is no such dataset, field or class; the text offers the nearest.
        LandingError: See its subclasses; the last good version stays.
    """
    from maxsight_assets import sample
    from maxsight_assets.datasets.upstreams import Access, open_upstream
    from maxsight_assets.pipeline import stated as states
    from maxsight_assets.pipeline.inspection import RAW
    from maxsight_assets.pipeline.raw import refresh
    from maxsight_assets.profiles import model as profiles
    from maxsight_assets.transport.progress import progress_bars

    here = settings.load()
    profile, places = profiles.of(here), Places.of(here)
    source = states.raw_source(profile, dataset)
    target, default = places.data_dir / source.directory, profile.selections[source.dataset]
    options: states.Options = {"train": train, "max_images": max_images, "classes": classes, "licences": licences}
    stated = states.fields_of(source, target, default, options)
    access = Access.of(here, sample.embedded_of(profile, places))
    with progress_bars() as progress, open_upstream(source.dataset, access, progress=progress) as upstream:
        version = refresh(
            source,
            upstream,
            data_dir=places.data_dir,
            cache=places.facts,
            default=default,
            stated=stated,
            gate=RAW[source.dataset].gate(places),
        )
    return Landing(
        asset=source.asset,
        directory=target,
        data_version=version.manifest.data_version,
        changed=version.changed,
        images=len(version.manifest.rows.selected().pictures()),
        fetched_bytes=version.tally.fetched_bytes,
        missing=tuple(version.tally.missing),
        seconds=version.seconds,
    )


def load_split(name: str) -> "tuple[pd.DataFrame, pd.DataFrame]":
    """Return the images and annotations of a published split as tables; see `splitting.read.load_split`."""
    return read.load_split(name, settings.load(writable=False).splits_dir)


def load_eval(name: str) -> "tuple[pd.DataFrame, pd.DataFrame]":
    """Return the images and annotations of a published evaluation set as tables, as `load_split` does.

    Raises:
        UnknownName: There is no such set; the text names those that there are.
    """
    from maxsight_assets.pipeline import contents

    places = Places.of(settings.load(writable=False))
    return read.frames(contents.document(places, name, of=contents.sets(places)))


def iter_samples(name: str) -> "Iterator[tuple[Path, NDArray[np.float64], list[str]]]":
    """Yield a published split or evaluation set image by image: file, boxes, labels; see `splitting.read`."""
    from maxsight_assets.pipeline import contents

    places = Places.of(settings.load(writable=False))
    return read.iter_samples(contents.document(places, name), places.data_dir)


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
