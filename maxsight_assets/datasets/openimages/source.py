"""Open Images: boxes of chosen classes, and just the images that carry them, one by one from the public bucket.

`open_images_v6/<split>/<two hex>/<id>.jpg` and `<split>-annotations-bbox.csv`, as MaxSight's inference loader reads
them. The publisher's own files land in `metadata/`; the CSV beside the images holds the rows of the landed images only.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from pathlib import Path, PurePosixPath

import polars as pl

from maxsight_assets.catalog import model as catalogs
from maxsight_assets.datasets.landing import Tally, land_file, record_made
from maxsight_assets.datasets.openimages import format as formats
from maxsight_assets.datasets.openimages.choice import Choice, choose, wanted_mids
from maxsight_assets.datasets.openimages.choice import Tables as PublishersTables
from maxsight_assets.datasets.openimages.format_csv import MID, SetAside
from maxsight_assets.datasets.openimages.images import MIRROR, Images, images_of
from maxsight_assets.datasets.openimages.rules import (
    COVERAGE,
    COVERAGE_COLUMNS,
    OPENIMAGES_RULES,
    REJECTED,
    REJECTED_COLUMNS,
)
from maxsight_assets.datasets.openimages.selection import OpenImagesSelection
from maxsight_assets.datasets.places import Upstream
from maxsight_assets.datasets.source import Source, Table
from maxsight_assets.disk import in_threads
from maxsight_assets.errors import Cancelled, LandingError, TransientError
from maxsight_assets.formats.names import NO_ID, NOT_IN_DIRECTORY
from maxsight_assets.formats.tables import Tables
from maxsight_assets.labels.mapping import rows as judged
from maxsight_assets.labels.mapping import to_space
from maxsight_assets.labels.space import load_space
from maxsight_assets.publishing.expected import Expected
from maxsight_assets.publishing.manifest import FileRow, Manifest, now
from maxsight_assets.publishing.preflight import preflight
from maxsight_assets.publishing.stage import Stage
from maxsight_assets.publishing.swap import StateDir
from maxsight_assets.remote import Missing, RemoteFile
from maxsight_assets.transport.client import DOWN
from maxsight_assets.verification.views import MISSING

DIRECTORY = catalogs.load("openimages").directory
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
ATTRIBUTION = "ATTRIBUTION.csv"
"""Who made each image: path, author, title, license, page; every field is quoted text."""

PARTS_BOXED = "train-parts-boxed.csv"
"""Landed train images on which human parts and mammals were boxed at all (path).

The publisher boxed `PARTS` on only 95,335 of the train images: on any other image, a missing box means nothing.
Validation and test images have them throughout.
"""

PARTS = r"^(Human (arm|beard|body|ear|eye|face|foot|hair|hand|head|leg|mouth|nose)|Mammal)$"
"""Classes of that rule, by name."""

MEAN_BYTES = 310_000
"""Bytes of an image on average, rounded up: 561 GB for 1,910,098 images (FiftyOne's page on the dataset)."""

LICENCES = ("https://creativecommons.org/licenses/by/2.0/",)
"""What the publisher lists its photographs under (column `License` of the image-metadata CSVs)."""

ANNOTATORS = ("activemil", "freeform", "xclick")
"""How boxes were made (column `Source` of the bounding-box CSVs)."""

BUCKET_ETAG = re.compile(r'"([0-9a-f]{32})"')
"""ETag of an object that was not uploaded in parts: the md5 of its bytes, over S3 and https alike."""

GONE = re.compile(r"4\d\d\b")  # a server may state no reason beside it
"""Refusals, which stay; whatever else came in place of an image (a web page, other bytes) may be it next time."""

ID_SHOWN = 40
"""Characters of something that is no image id that are noted."""


def files(selection: OpenImagesSelection) -> tuple[str, ...]:
    """Return the keys of the upstream files that the selection is made from."""
    return (CLASSES, HIERARCHY, *(each[split] for split in sorted(selection.splits) for each in (BOXES, IMAGES)))


def land(
    stage: Stage, upstream: Upstream, selection: OpenImagesSelection, *, moved: frozenset[str], tally: Tally
) -> None:
    """Land the publisher's tables, choose images by them, land those, and write the tables of what arrived."""
    images = images_of(selection.images_from, upstream.catalog.image("").url.rstrip("/"))
    for key in files(selection):
        land_file(stage, upstream, key, path=_metadata(key), moved=key in moved, tally=tally)
    names = formats.read_class_names(stage.root / _metadata(CLASSES))
    below = formats.read_hierarchy(stage.root / _metadata(HIERARCHY))
    wanted = {str(split): wanted_mids(names, below, selection, split=split) for split in selection.splits}
    tables = {str(split): _tables_of(stage, split) for split in sorted(selection.splits)}
    kept = StateDir.of(upstream.target).root / "choices" if upstream.target else None
    choice = choose(tables, wanted, selection, kept=kept)

    missing = {f"{split}/{image_id[:ID_SHOWN]}": NO_ID for split, ids in choice.unfit.items() for image_id in ids}
    _look_ahead(stage, upstream, choice)
    absent: dict[str, str] = {}
    for split, ids in choice.images.items():
        absent |= _land_split(stage, upstream, images, (split, ids), tally=tally)
    _insist_given(stage, absent)
    missing |= absent
    tally.missing += [f"{path}: {reason}" for path, reason in sorted(missing.items())]
    _write_tables(stage, choice, names, missing=missing)


def shards(files: Iterable[RemoteFile]) -> Iterator[list[RemoteFile]]:
    """Divide images in the order of their ids by the first digit, as the publisher's own archives do.

    Each part can be landed by itself.
    """
    return (list(shard) for _, shard in groupby(files, key=lambda file: PurePosixPath(file.key).name[0]))


def tables(root: Path, manifest: Manifest) -> Tables:
    """Return the landed images, with all their boxes in absolute pixels of the picture as stored."""
    selection = OpenImagesSelection.stored(manifest.info.selection)
    names = formats.read_class_names(root / _metadata(CLASSES))
    rows = [row for row in manifest.selected() if row.path.endswith(".jpg")]
    sizes = {PurePosixPath(row.path).stem: (row.width, row.height) for row in rows if row.width is not None}
    parts = [
        formats.read_split(
            root / _boxes_path(split),
            root / _metadata(IMAGES[split]),
            split=split,
            class_names=names,
            sizes=sizes,
            image_dir=f"{DIRECTORY}/{split}",
            landed=[PurePosixPath(row.path).stem for row in rows if row.path.startswith(f"{split}/")],
        )
        for split in sorted(selection.splits)
    ]
    return Tables(images=pl.concat(part.images for part in parts), boxes=pl.concat(part.boxes for part in parts))


def listed(root: Path, manifest: Manifest) -> pl.DataFrame:
    """Return all images of the splits that are landed, chosen or not: `split` and `image_id`."""
    selection = OpenImagesSelection.stored(manifest.info.selection)
    parts = [
        pl.read_csv(root / _metadata(IMAGES[split]), columns=["ImageID"], infer_schema=False).select(
            split=pl.lit(str(split)), image_id="ImageID"
        )
        for split in sorted(selection.splits)
    ]
    return pl.concat(parts)


def label_coverage(root: Path, manifest: Manifest) -> list[tuple[str, int, int]]:
    """How many of the detector's names have a training class: without Open Images, with it, and with what is landed.

    Returns:
        What is looked at, names of it, and how many of these COCO does not have.
    """
    space = load_space()
    coco = {name for name in to_space("coco", space).values() if name}
    same = {row.name for row in judged("openimages") if row.name and row.relation == "exact"}
    mapped = to_space("openimages", space)
    labels = tables(root, manifest).boxes["label"].unique()
    landed = {name for label in labels if (name := mapped.get(label))}
    stages: dict[str, set[str]] = {
        "COCO alone": set(),
        "with Open Images classes of the same name": same,
        "with all that Open Images classes map to": {name for name in mapped.values() if name},
        "with the boxes landed here": landed,
    }
    counts = [(text, len(coco | names), len(names - coco)) for text, names in stages.items()]
    return [*counts, ("names of the detector", len(space.names), len(set(space.names) - coco))]


def class_coverage(root: Path) -> tuple[tuple[str, ...], list[tuple[str | int, ...]]]:
    """Return the counts of each requested class: the names of the columns, and one row per class."""
    with (root / COVERAGE).open(encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    return tuple(header), [(*row[:3], *map(int, row[3:])) for row in rows]


def coverage(root: Path, manifest: Manifest) -> dict[str, Table]:
    """What the landed images add to the detector's words, and how each class that was asked for fared."""
    return {
        "coverage of the label space": (("classes", "names", "not in COCO"), label_coverage(root, manifest)),
        "coverage by class": class_coverage(root),
    }


def image_path(split: str, image_id: str) -> str:
    """Return the path of an image in the published directory; the two leading hex digits keep folders small."""
    return f"{split}/{image_id[:2]}/{image_id}.jpg"


def _tables_of(stage: Stage, split: str) -> PublishersTables:
    paths = _metadata(BOXES[split]), _metadata(IMAGES[split])
    digest = "".join(stage.rows[path].sha256 for path in paths)
    return PublishersTables(boxes=stage.root / paths[0], images=stage.root / paths[1], digest=digest)


def _look_ahead(stage: Stage, upstream: Upstream, choice: Choice) -> None:
    """Refuse what there is no room for, before the first image moves; no table says how large each of them is."""
    paths = [image_path(split, image_id) for split, ids in choice.images.items() for image_id in ids]
    there = stage.present.rows.keys() if stage.present else frozenset()
    new = sum(1 for path in paths if path not in there and stage.have(path) is None)
    if upstream.target is not None and upstream.origin == "upstream":
        preflight(upstream.target, needed_bytes=new * MEAN_BYTES, needed_files=new, names={*paths, *stage.names()})


def _land_split(
    stage: Stage, upstream: Upstream, images: Images, wanted: tuple[str, Sequence[str]], *, tally: Tally
) -> dict[str, str]:
    """Land the missing images; return the paths that upstream does not serve, with the reason."""
    split, ids = wanted
    todo = [each for each in sorted(ids) if not stage.obtain(Expected(image_path(split, each)), moved=False)]
    tally.reused_files += len(ids) - len(todo)
    missing = {image_path(split, image_id): NOT_IN_DIRECTORY for image_id in todo}
    absent: dict[str, str] = {}
    for shard in shards(images.files(split, todo)):
        for file in shard:
            del missing[_path_of(file.key)]
        absent |= _land_shard(stage, upstream, shard, tally=tally)
        if len(absent) >= DOWN:
            _insist_given(stage, absent)
    return missing | absent


def _insist_given(stage: Stage, missing: Mapping[str, str]) -> None:
    """Stop where upstream gives no image at all and refuses each; single ones that it refuses are gone.

    S3 answers 403 instead of 404 for a missing object if the bucket cannot be listed publicly.
    """
    if not missing or not all(reason.startswith("403") for reason in missing.values()):
        return
    there = chain(stage.rows, stage.present.rows if stage.present else ())
    if not any(path.endswith(".jpg") for path in there):
        raise LandingError(
            f"{next(iter(missing)).split('/')[0]}: upstream refuses every image (403 Forbidden); "
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for a private bucket, AWS_REGION for one elsewhere, "
            f"or {MIRROR} for another place"
        )


def _land_shard(stage: Stage, upstream: Upstream, files: Sequence[RemoteFile], *, tally: Tally) -> dict[str, str]:
    """Adopt or fetch each image; return the paths that upstream does not serve, with the reason."""
    missing: dict[str, str] = {}
    adopted = _adopt(stage, upstream, files)
    tally.adopted_files += len(adopted)
    todo = [(file, stage.root / _path_of(file.key)) for file in files if file.key not in adopted]
    for file, landed in upstream.client.download_many(todo):
        path = _path_of(file.key)
        if isinstance(landed, Missing):
            missing[path] = landed.reason.removeprefix(f"{file.key}: ").partition(";")[0]  # equal ones are counted
            tally.failed += GONE.match(landed.reason) is None
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


def _adopt(stage: Stage, upstream: Upstream, files: Iterable[RemoteFile]) -> set[str]:
    """Take the images that the user has in place and whose md5 is the bucket's ETag; return their keys.

    Another file at an image's path is never overwritten: publishing names it and stops, unless its bytes are equal.
    """
    failed = 0

    def taken(file: RemoteFile) -> bool:
        nonlocal failed
        if failed >= DOWN:  # in a row: upstream is down, as fetching finds soon
            return False
        try:
            probe = upstream.client.probe(file)
        except Cancelled:
            raise
        except LandingError as error:  # fetching it meets the same, and says so
            failed = failed + 1 if isinstance(error, TransientError) else 0
            return False
        failed = 0
        md5 = BUCKET_ETAG.fullmatch(probe.etag or "")
        if md5 is None or probe.bytes is None:
            return False
        expected = Expected(_path_of(file.key), probe.bytes, md5=md5[1], origin=file.key)
        return upstream.obtain(stage, expected, moved=True) is not None

    def is_there(path: str) -> bool:
        in_place = upstream.target is not None and (upstream.target / path).is_file()
        return in_place or (upstream.given is not None and upstream.given.has(path))

    there = [file for file in files if is_there(_path_of(file.key))]
    return {file.key for file, answer in zip(there, in_threads(taken, there), strict=True) if answer}


def _write_tables(stage: Stage, choice: Choice, names: Mapping[str, str], *, missing: Mapping[str, str]) -> None:
    """Write the tables of what was landed of each split, its authors, the counts by class, and what is missing."""
    found, authors = [], []
    aside = dict(choice.aside)
    parts: list[tuple[str]] = []
    for split, ids in choice.images.items():
        landed = [image_id for image_id in ids if image_path(split, image_id) not in missing]
        formats.write_rows_of(stage.root / _metadata(BOXES[split]), stage.root / _boxes_path(split), landed)
        record_made(stage, _boxes_path(split))
        boxes = formats.read_boxes(stage.root / _boxes_path(split), split=split, class_names=names).table
        found.append(boxes.select("image_id", "mid"))
        stated = formats.read_images(
            stage.root / _metadata(IMAGES[split]), split=split, image_dir=split, image_ids=landed
        )
        authors.append(_credits(stated.table, split, landed))
        aside.setdefault(PurePosixPath(IMAGES[split]).name, stated.aside())
        if split == "train":
            looked_for = boxes.filter(pl.col("label").str.contains(PARTS))["image_id"].unique().sort()
            parts = [(image_path(split, image_id),) for image_id in looked_for]
    pl.concat(authors).sort("path").write_csv(stage.root / ATTRIBUTION, quote_style="always")
    record_made(stage, ATTRIBUTION)
    _write(stage, COVERAGE, COVERAGE_COLUMNS, _coverage_rows(choice, names, pl.concat(found)))
    _write(stage, REJECTED, REJECTED_COLUMNS, _rejected_rows(aside))
    _write(stage, PARTS_BOXED, ("path",), parts)
    _write(stage, MISSING, ("path", "reason"), sorted(missing.items()))


def _credits(stated: pl.DataFrame, split: str, ids: Sequence[str]) -> pl.DataFrame:
    """Return one row per image, all text: path, author, title, licence, landing page; empty if not published."""
    paths = [image_path(split, image_id) for image_id in ids]
    return (
        pl.DataFrame({"path": paths, "image_id": ids}, schema={"path": pl.String, "image_id": pl.String})
        .join(stated.unique("image_id", keep="first").drop("path"), on="image_id", how="left")
        .select("path", "author", "title", "license", "page")
    )


def _coverage_rows(choice: Choice, names: Mapping[str, str], found: pl.DataFrame) -> list[tuple[object, ...]]:
    per_class = found.group_by("mid").agg(images=pl.col("image_id").n_unique(), boxes=pl.len())
    landed = {mid: (images, boxes) for mid, images, boxes in per_class.iter_rows()}
    known = to_space("openimages", load_space())
    return [
        (mid, names[mid], known.get(names[mid]) or "", *counts, *landed.get(mid, (0, 0)))
        for mid, counts in sorted(choice.classes.items(), key=lambda item: names[item[0]])
    ]


def _rejected_rows(aside: Mapping[str, SetAside]) -> Iterator[tuple[object, ...]]:
    for name, each in sorted(aside.items()):
        for place, count, reason in each.reasons or (("", 0, ""),):
            yield name, each.rows, count, place, reason


def _write(stage: Stage, path: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with (stage.root / path).open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([columns, *rows])
    record_made(stage, path)


def _path_of(key: str) -> str:
    return image_path(PurePosixPath(key).parent.name, PurePosixPath(key).stem)


def _metadata(key: str) -> str:
    return f"metadata/{PurePosixPath(key).name}"


def _boxes_path(split: str) -> str:
    return f"{split}-annotations-bbox.csv"


SOURCE = Source(
    dataset="openimages",
    selection=OpenImagesSelection,
    files=files,
    land=land,
    tables=tables,
    listed=listed,
    rules=OPENIMAGES_RULES,
    editions={MID: "another version than the list of classes, or of the labels that have no boxes"},
    words={"licences": LICENCES, "annotators": ANNOTATORS},
    class_ids=re.compile(r"/m/\w+$"),
    details=coverage,
    whole_splits=lambda _: (),  # only images with a class that was asked for
)
"""The dataset's row in the registry."""
