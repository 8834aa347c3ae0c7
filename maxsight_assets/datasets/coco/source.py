"""COCO 2017: the files to land, and the directory that training scripts expect.

`coco_raw/{train2017,val2017,test2017,unlabeled2017}/*.jpg` and `coco_raw/annotations/*.json`, as the publisher's
archives unpack.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl

from maxsight_assets.archives.archive import Member
from maxsight_assets.catalog import model as catalogs
from maxsight_assets.datasets.coco.rules import COCO_RULES, CocoView
from maxsight_assets.datasets.coco.selection import CocoSelection
from maxsight_assets.datasets.landing import Tally, land_images, land_members, note_missing
from maxsight_assets.datasets.places import Upstream
from maxsight_assets.datasets.sampling import in_turns, take
from maxsight_assets.datasets.source import Source
from maxsight_assets.formats.coco import CocoDocument, read_instances
from maxsight_assets.formats.names import placed
from maxsight_assets.formats.parsed import Parsed, read_parsed
from maxsight_assets.formats.tables import Tables
from maxsight_assets.publishing.manifest import Manifest
from maxsight_assets.publishing.stage import Stage

DIRECTORY = catalogs.load("coco").directory
EVALUATED = catalogs.load("coco").evaluated
ANNOTATIONS = "annotations/annotations_trainval2017.zip"
IMAGE_LISTS: Mapping[str, str] = MappingProxyType(
    {split: f"annotations/image_info_{split}.zip" for split in ("test2017", "unlabeled2017")}
)
"""Archives that list the images of the splits that have no annotations."""

SPLITS = ("train2017", "val2017", *IMAGE_LISTS)

KINDS = ("instances", "person_keypoints", "captions")
"""The annotation files of each split; only `instances` is needed for detection, the others land with it."""


def files(selection: CocoSelection) -> tuple[str, ...]:
    """Return the keys of the upstream files that the selection is made from."""
    lists = {IMAGE_LISTS.get(split, ANNOTATIONS) for split in selection.splits}
    return (*sorted(lists), *(f"zips/{split}.zip" for split in sorted(selection.splits)))


def land(stage: Stage, upstream: Upstream, selection: CocoSelection, *, moved: frozenset[str], tally: Tally) -> None:
    """Land the annotation files, choose images by them, and land only those images.

    Args:
        stage: The tree under construction.
        upstream: COCO's.
        selection: What to land.
        moved: Keys of the upstream files that changed since the published version.
        tally: Counts what was fetched.
    """
    names = {f"annotations/{kind}_{split}.json" for split in selection.splits for kind in (*KINDS, "image_info")}

    def annotation_files(members: Mapping[str, Member]) -> dict[str, str]:
        return {name: name for name in members if name in names}

    for key in sorted({IMAGE_LISTS.get(split, ANNOTATIONS) for split in selection.splits}):
        in_it = [split for split in selection.splits if IMAGE_LISTS.get(split, ANNOTATIONS) == key]
        needed = [annotation_path(Path(), split).as_posix() for split in in_it]
        land_members(stage, upstream, key, annotation_files, moved=key in moved, tally=tally, whole=True, needed=needed)
    missing: dict[str, str] = {}
    for split in sorted(selection.splits):
        key = f"zips/{split}.zip"
        wanted = chosen_files(read_split(stage.root, split), selection, split=split)
        missing |= land_images(stage, upstream, key, wanted, moved=key in moved, tally=tally)
    note_missing(stage, missing)


def read_split(root: Path, split: str, *, masks: bool = False) -> CocoDocument:
    """Return the annotation document of one split of a published or staged directory, with masks if requested.

    Raises:
        FormatError: The file is missing or is not a COCO document; the text names the place in it.
    """
    return read_instances(annotation_path(root, split), **_options(split), masks=masks)


def _options(split: str) -> dict[str, Any]:
    return {"split": split, "image_dir": f"{DIRECTORY}/{split}", "annotated": split not in IMAGE_LISTS}


def annotation_path(root: Path, split: str) -> Path:
    """Return the file that lists the images of a split, and their boxes if it has any."""
    return root / f"annotations/{'image_info' if split in IMAGE_LISTS else 'instances'}_{split}.json"


def chosen_files(document: CocoDocument, selection: CocoSelection, *, split: str) -> list[str]:
    """Return the sorted paths, in the published directory, of the images that the selection takes from one split."""
    images = _chosen(document, selection, split=split).images.filter(pl.col("fault").is_null())
    return sorted(path.removeprefix(f"{DIRECTORY}/") for path in images["path"])


def tables(root: Path, manifest: Manifest, *, parsed: Path | None = None) -> Tables:
    """Return the images of the published selection, with their boxes, whether or not each image's file arrived.

    Boxes of images that were not selected are left out. Boxes of images that the document does not list, and records
    that cannot be used, stay in, because cleaning must account for these defects.

    Args:
        root: The published or staged directory.
        manifest: Its manifest.
        parsed: Folder of what was parsed before (`formats.parsed`); None: the files are parsed.
    """
    selection = CocoSelection.stored(manifest.info.selection)
    parts = [_with_masks(root, selection, split=split, parsed=parsed) for split in sorted(selection.splits)]
    return Tables(
        images=pl.concat(part.images for part in parts),
        boxes=pl.concat(part.boxes for part in parts),
        odd=pl.concat(part.odd for part in parts),
    )


def _with_masks(root: Path, selection: CocoSelection, *, split: str, parsed: Path | None) -> Tables:
    """Return the selection's images and boxes with their masks.

    Masks take most of the memory, so only the masks of the selected images are read.
    """
    narrowed = selection.splits[split] is not None or any(_filters(selection, split))  # type: ignore[index]
    whole = not narrowed and (split != EVALUATED or selection.evaluation_max_images is None)
    document: CocoDocument | Parsed
    if parsed is None:
        document = read_split(root, split, masks=whole)
    else:
        document = read_parsed(annotation_path(root, split), **_options(split), folder=parsed)
        whole = isinstance(document, CocoDocument)
    chosen = _chosen(document, selection, split=split)
    boxes = chosen.boxes if whole else chosen.boxes.with_columns(document.masks(chosen.boxes["row"]).get_columns())
    return Tables(images=chosen.images, boxes=boxes.drop("row"), odd=chosen.odd)


def _chosen(document: CocoDocument | Parsed, selection: CocoSelection, *, split: str) -> Tables:
    """Return the selection's images and boxes, the boxes with their `row` in the document and without masks."""
    everything = document.tables()
    everything = replace(everything, images=placed(everything.images, f"{DIRECTORY}/{split}"))
    images = everything.images.filter(pl.col("fault").is_null())
    classes, licences = _filters(selection, split)
    if classes and split not in IMAGE_LISTS:
        of_classes = everything.boxes.filter(pl.col("label").is_in(list(classes)))["image_id"].unique()
        images = images.filter(pl.col("image_id").is_in(of_classes.implode()))
    if licences:
        addresses = (document.licence_addresses.get(number) for number in licences)
        allowed = [address for address in addresses if address]
        images = images.filter(pl.col("license").is_in(allowed))
    ids = take(images["image_id"], selection.splits[split], seed=selection.seed)  # type: ignore[index]
    if split == EVALUATED and selection.evaluation_max_images is not None:
        ids = _of_every_class(everything, ids, selection.evaluation_max_images, seed=selection.seed)
    taken = pl.col("image_id").is_in(list(ids)) | pl.col("fault").is_not_null()
    not_taken = everything.images.filter(~taken)["image_id"]
    return Tables(
        images=everything.images.filter(taken),
        boxes=everything.boxes.with_row_index("row").filter(
            ~pl.col("image_id").is_in(not_taken.implode()).fill_null(value=False)
        ),
        odd=everything.odd,
    )


def listed(root: Path, manifest: Manifest) -> pl.DataFrame:
    """Return all images of the splits that are landed, chosen or not: `split` and `image_id`."""
    selection = CocoSelection.stored(manifest.info.selection)
    images = [read_split(root, split).tables().images for split in sorted(selection.splits)]
    return pl.concat(images).select("split", "image_id")


def _filters(selection: CocoSelection, split: str) -> tuple[Collection[str], Collection[int]]:
    """Return the classes and licences that choose the images of a split."""
    if split == EVALUATED:
        return selection.evaluation_classes or (), selection.evaluation_licences or ()
    return selection.classes or (), selection.licences or ()


def _of_every_class(tables: Tables, ids: Collection[str], most: int, *, seed: int) -> frozenset[str]:
    """Choose some of the images, class by class in turn; images without boxes count as a class of their own."""
    images = tables.images.filter(pl.col("image_id").is_in(list(ids))).select("image_id")
    pairs = images.join(tables.boxes.select("image_id", "label"), on="image_id", how="left")
    return frozenset(in_turns(pairs.fill_null("").unique(), seed=seed)["image_id"][:most])


SOURCE = Source(
    dataset="coco",
    selection=CocoSelection,
    files=files,
    land=land,
    tables=tables,
    listed=listed,
    are_tables_kept=True,
    rules=COCO_RULES,
    words={"licences": range(1, 9)},
    whole_splits=lambda selection: selection.splits,  # annotation files land whole
    view_type=CocoView,
)
"""The dataset's row in the registry."""
