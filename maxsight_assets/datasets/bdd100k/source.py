"""BDD100K validation: dash-camera frames, laid out as MaxSight's inference loader reads them.

`bdd100k/images/100k/val/*.jpg` and `bdd100k/labels/bdd100k_labels_images_val.json`. The same files lie under
`validation` in place of `val` too, because MaxSight's inference run asks for the split by that name.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import polars as pl

from maxsight_assets.archives.archive import Member
from maxsight_assets.catalog import model as catalogs
from maxsight_assets.datasets.bdd100k.format import read_labels
from maxsight_assets.datasets.landing import Tally, land_images, land_members, note_missing
from maxsight_assets.datasets.places import Upstream
from maxsight_assets.datasets.sampling import take
from maxsight_assets.datasets.selection import ValidationSelection
from maxsight_assets.datasets.source import Source
from maxsight_assets.formats.names import placed
from maxsight_assets.formats.tables import Tables
from maxsight_assets.publishing.manifest import Manifest
from maxsight_assets.publishing.stage import Stage
from maxsight_assets.verification.boxes import ANNOTATED_RULES

DIRECTORY = catalogs.load("bdd100k").directory
IMAGES = "100k_images_val.zip"
LABELS = "bdd100k_det_20_labels_trainval.zip"
LABELS_MEMBER = "bdd100k/labels/det_20/det_val.json"
LABELS_PATH = "labels/bdd100k_labels_images_val.json"
IMAGES_PATH = "images/100k/val"


def files(selection: ValidationSelection) -> tuple[str, ...]:  # noqa: ARG001 (every source answers this)
    """Return the keys of the upstream files that the selection is made from."""
    return (IMAGES, LABELS)


def land(
    stage: Stage, upstream: Upstream, selection: ValidationSelection, *, moved: frozenset[str], tally: Tally
) -> None:
    """Land the labels, choose frames by them, and land only those frames."""

    def labels(members: Mapping[str, Member]) -> dict[str, str]:
        return {name: LABELS_PATH for name in members if name == LABELS_MEMBER}

    land_members(
        stage, upstream, LABELS, labels, moved=LABELS in moved, tally=tally, whole=True, needed=[LABELS_MEMBER]
    )
    wanted = {path.removeprefix(f"{DIRECTORY}/") for path in _chosen(stage.root, selection).images["path"].drop_nulls()}
    missing = land_images(stage, upstream, IMAGES, wanted, moved=IMAGES in moved, tally=tally, prefix="bdd100k/")
    note_missing(stage, missing)


def tables(root: Path, manifest: Manifest) -> Tables:
    """Return the frames of the published selection, with their boxes, whether or not each frame's file arrived."""
    return _chosen(root, ValidationSelection.stored(manifest.info.selection))


def listed(root: Path, manifest: Manifest) -> pl.DataFrame:  # noqa: ARG001  # every dataset's function takes it
    """Return all frames that the label file lists, chosen or not: `split` and `image_id`."""
    return read_labels(root / LABELS_PATH, image_dir=f"{DIRECTORY}/{IMAGES_PATH}").images.select("split", "image_id")


def _chosen(root: Path, selection: ValidationSelection) -> Tables:
    everything = read_labels(root / LABELS_PATH, image_dir=f"{DIRECTORY}/{IMAGES_PATH}")
    everything = replace(everything, images=placed(everything.images, f"{DIRECTORY}/{IMAGES_PATH}"))
    faulty = everything.images["fault"].is_not_null()
    ids = list(take(everything.images.filter(~faulty)["image_id"], selection.max_images, seed=selection.seed))
    ids += everything.images.filter(faulty)["image_id"].to_list()  # defects that cleaning must see
    return replace(
        everything,
        images=everything.images.filter(pl.col("image_id").is_in(ids)),
        boxes=everything.boxes.filter(pl.col("image_id").is_in(ids)),
    )


SOURCE = Source(
    dataset="bdd100k",
    selection=ValidationSelection,
    files=files,
    land=land,
    tables=tables,
    listed=listed,
    rules=ANNOTATED_RULES,
    editions={"person|bike|motor": "the labels of 2018"},  # det_20: pedestrian, bicycle, motorcycle
    whole_splits=lambda selection: () if selection.max_images else ("val",),
    second_paths={
        f"{IMAGES_PATH}/": "images/100k/validation/",
        LABELS_PATH: "labels/bdd100k_labels_images_validation.json",
    },
)
"""The dataset's row in the registry."""
