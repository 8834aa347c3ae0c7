"""Open Images: boxes of chosen classes, and just the images that carry them, one by one from the public bucket.

`open_images_v6/<split>/<two hex>/<id>.jpg` and `<split>-annotations-bbox.csv`, as MaxSight's inference loader reads
them. The publisher's own files land in `metadata/`; the CSV beside the images holds the rows of the landed images only.
"""

import csv
from pathlib import Path, PurePosixPath

import polars as pl

from maxsight_assets.errors import SettingsError
from maxsight_assets.formats import openimages as formats
from maxsight_assets.formats.tables import Tables
from maxsight_assets.labels.mapping import to_space
from maxsight_assets.labels.space import load_space
from maxsight_assets.landing.manifest import FileRow, Manifest
from maxsight_assets.landing.model import Missing
from maxsight_assets.landing.publish import Stage
from maxsight_assets.profiles.model import OpenImagesSelection
from maxsight_assets.sources.landing import IMAGE_NAME, Tally, Upstream, land_file, now, record_made
from maxsight_assets.sources.sampling import take

DIRECTORY = "open_images_v6"
CLASSES = "v5/class-descriptions-boxable.csv"
HIERARCHY = "2018_04/bbox_labels_600_hierarchy.json"
BOXES = {
    "train": "v6/oidv6-train-annotations-bbox.csv",
    "validation": "v5/validation-annotations-bbox.csv",
    "test": "v5/test-annotations-bbox.csv",
}
IMAGES = {
    "train": "2018_04/train/train-images-boxable-with-rotation.csv",
    "validation": "2018_04/validation/validation-images-with-rotation.csv",
    "test": "2018_04/test/test-images-with-rotation.csv",
}
MISSING = "missing.csv"
"""Images that upstream lists and does not serve: path, reason."""


def files(selection: OpenImagesSelection) -> tuple[str, ...]:
    """Keys of the upstream files that the selection is made from."""
    return (CLASSES, HIERARCHY, *(each[split] for split in sorted(selection.splits) for each in (BOXES, IMAGES)))


def land(
    stage: Stage, upstream: Upstream, selection: OpenImagesSelection, *, moved: frozenset[str], tally: Tally
) -> None:
    """Bring the publisher's tables, choose images by them, bring those, and write the tables of what arrived."""
    for key in files(selection):
        land_file(stage, upstream, key, path=_metadata(key), moved=key in moved, tally=tally)
    wanted = _wanted_mids(stage.root, selection)
    missing: dict[str, str] = {}
    for split in sorted(selection.splits):
        csv_path = stage.root / _metadata(BOXES[split])
        with_boxes = formats.image_ids(csv_path, wanted)
        ids = take(with_boxes, selection.splits[split], seed=selection.seed)
        missing |= _land_images(stage, upstream, split, ids, tally=tally)
        landed = [image_id for image_id in ids if image_path(split, image_id) not in missing]
        formats.write_rows_of(csv_path, stage.root / _boxes_path(split), landed)
        record_made(stage, _boxes_path(split))
    with (stage.root / MISSING).open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([("path", "reason"), *sorted(missing.items())])
    record_made(stage, MISSING)


def tables(root: Path, manifest: Manifest) -> Tables:
    """The images that landed, with all their boxes in absolute pixels of the picture as stored."""
    selection = OpenImagesSelection.model_validate(manifest.info.selection)
    names = formats.read_class_names(root / _metadata(CLASSES))
    sizes = {
        PurePosixPath(row.path).stem: (row.width, row.height)
        for row in manifest.selected()
        if row.width is not None and row.path.endswith(".jpg")
    }
    parts = [
        formats.read_split(
            root / _boxes_path(split),
            root / _metadata(IMAGES[split]),
            split=split,
            class_names=names,
            sizes=sizes,
            image_dir=f"{DIRECTORY}/{split}",
        )
        for split in sorted(selection.splits)
    ]
    return Tables(images=pl.concat(part.images for part in parts), boxes=pl.concat(part.boxes for part in parts))


def image_path(split: str, image_id: str) -> str:
    """Where an image lies in the published directory; the two leading hex digits keep folders small."""
    return f"{split}/{image_id[:2]}/{image_id}.jpg"


def _wanted_mids(root: Path, selection: OpenImagesSelection) -> frozenset[str]:
    """MIDs of the selected classes and all their subclasses."""
    names = formats.read_class_names(root / _metadata(CLASSES))
    if not selection.classes:
        known = to_space("openimages", load_space())
        return frozenset(mid for mid, name in names.items() if known.get(name) is not None)
    by_name = {name: mid for mid, name in names.items()}
    unknown = sorted(each for each in selection.classes if each not in names and each not in by_name)
    if unknown:
        raise SettingsError(f"run config, classes: Open Images has no class {', '.join(unknown)}; see {CLASSES}")
    chosen = {each if each in names else by_name[each] for each in selection.classes}
    below = formats.read_hierarchy(root / _metadata(HIERARCHY))
    return frozenset(chosen.union(*(below.get(mid, ()) for mid in chosen)))


def _land_images(stage: Stage, upstream: Upstream, split: str, ids: frozenset[str], *, tally: Tally) -> dict[str, str]:
    """Bring the images that are not there yet; returns the paths that upstream does not serve, with the reason."""
    todo = {}
    for image_id in sorted(ids):
        path = image_path(split, image_id)
        if not IMAGE_NAME.fullmatch(f"{image_id}.jpg"):
            tally.missing.append(f"{split}: {image_id!r} is no image id")
        elif stage.have(path) or stage.carry(path):
            tally.reused_files += 1
        else:
            todo[f"{split}/{image_id}.jpg"] = path
    missing = {}
    wanted = ((upstream.catalog.image(key), stage.root / path) for key, path in todo.items())
    for file, landed in upstream.client.download_many(wanted):
        path = todo[file.key]
        if isinstance(landed, Missing):
            missing[path] = landed.reason
            tally.missing.append(f"{path}: {landed.reason}")
            continue
        stage.record(
            FileRow(
                path=path,
                bytes=landed.bytes,
                sha256=landed.sha256,
                level=landed.level,
                etag=landed.probe.etag,
                origin=file.key,
                verified_at=now(),
            )
        )
        tally.fetched_files += 1
        tally.fetched_bytes += landed.bytes
    return missing


def _metadata(key: str) -> str:
    return f"metadata/{PurePosixPath(key).name}"


def _boxes_path(split: str) -> str:
    return f"{split}-annotations-bbox.csv"
