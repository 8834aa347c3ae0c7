"""Build evaluation sets in COCO format, and the contract that an mAP run relies on.

A set accounts for every box that its publisher drew. A box that the detector cannot be measured on is dropped and named
in the ledger, or kept as a crowd, which pycocotools neither rewards nor punishes. `cleaning` decides which records are
unfit.
"""

import hashlib
import json
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from maxsight_assets.cleaning.apply import IMAGE_KEY, Cleaned, clean
from maxsight_assets.cleaning.config import CleaningConfig, Tolerance
from maxsight_assets.cleaning.rules import box_rules, lost_a_box, no_boxes
from maxsight_assets.disk import sha256_of
from maxsight_assets.evaluation.apart import IN_ANOTHER_SET, keep_apart
from maxsight_assets.evaluation.leave_out import without
from maxsight_assets.evaluation.sample import OVER_THE_SAMPLE, take
from maxsight_assets.evaluation.slices import slices
from maxsight_assets.formats.coco import write_document
from maxsight_assets.formats.ids import stable_ids
from maxsight_assets.formats.licences import licence_numbers, licence_records
from maxsight_assets.formats.tables import ATTRIBUTES, LEDGER, Tables, conform
from maxsight_assets.images.groups import NODES
from maxsight_assets.labels.space import LabelSpace

CONTRACT = "contract.json"
LEDGER_FILE = "ledger.parquet"
ANNOTATIONS = "annotations.json"

RULES = {
    "ignored_flags": "Boxes with one of these flags of the publisher have iscrowd 1: a detection on one is neither "
    "right nor wrong.",
    "hierarchy": "Where it is stated, the publisher's own metric counts a box for every class above its own too; the "
    "annotations hold only the class that was drawn.",
    "exhaustive": "If true, annotators looked for every class in every image, and an image without boxes shows none. "
    "If false, only classes that people confirmed in an image are boxed there, and images without boxes are left out.",
    "has_boxes": "If false, the publisher's boxes are not landed and none are made up: average precision is undefined.",
    "slices": "A slice of images holds those whose record has one of the values; of an image without the field nothing "
    "is known. A slice of boxes holds those with a smaller area, in square pixels.",
    "across_sets": "No picture, nor a near copy of one, is in two sets; ledger.parquet names those left out by "
    "in_another_set.",
}
"""What the fields of a set mean, for whoever computes a metric."""

UNWANTED = (no_boxes().name, IN_ANOTHER_SET.name, OVER_THE_SAMPLE.name)
"""Rules that leave out images which are not damaged."""


@dataclass(frozen=True, slots=True)
class EvaluationSettings:
    """How mAP is computed, as COCO defined it; pycocotools' own defaults.

    Attributes:
        iou_type: Boxes, not masks, are compared.
        iou_from: Lowest overlap that counts as a match.
        iou_to: Highest of these overlaps.
        iou_step: Distance between two of these overlaps.
        max_detections: Numbers of detections per image that are counted, most confident first; mAP uses the last.
        small_below: Objects of a smaller area (square pixels) are small.
        large_from: Objects of this area at least are large.
    """

    iou_type: str = "bbox"
    iou_from: float = 0.5
    iou_to: float = 0.95
    iou_step: float = 0.05
    max_detections: tuple[int, ...] = (1, 10, 100)
    small_below: int = 32**2
    large_from: int = 96**2


@dataclass(frozen=True, slots=True)
class EvaluationSource:
    """The landed validation images of one publisher.

    Attributes:
        split: The publisher's split that is evaluated.
        exhaustive: Whether its annotators looked for every class in every image, so that an image without boxes is a
            negative one. Open Images annotates only the classes that people confirmed in an image: there, an image
            without boxes may still show objects.
        tables: Its images and boxes; those of other splits are ignored.
        tolerance: The number of its records that may be damaged.
        facts: FILE_FACTS table (`images.facts.of_files`) of its files, paths relative to DATA_DIR.
        labels: The detector's label, or None, by the publisher's label.
        ignored: The publisher's flags of boxes that become crowds.
        hierarchy: Path, relative to DATA_DIR, of the publisher's tree of classes, if its classes are one.
        most: Largest number of images of its set; None: all.
    """

    split: str
    exhaustive: bool
    tables: Tables
    facts: pl.DataFrame
    labels: Mapping[str, str | None]
    tolerance: Tolerance = field(default_factory=Tolerance)
    ignored: tuple[str, ...] = ()
    hierarchy: str | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Lacking:
    """What the sets are not made of.

    Attributes:
        reasons: Why there is no data of a source, by its name.
        splits: The evaluated split of each of these sources, by its name.
        left_out: Names of the sets that the user's settings leave out.
        before: The directory of the version before, whose sets of these sources are kept.
    """

    reasons: Mapping[str, str] = field(default_factory=dict)
    splits: Mapping[str, str] = field(default_factory=dict)
    left_out: Collection[str] = ()
    before: Path | None = None

    @property
    def by_set(self) -> Mapping[str, str]:
        """Return the reasons by the name of the set."""
        return {set_name(name, self.splits[name]): reason for name, reason in sorted(self.reasons.items())}


NOTHING_LACKING = Lacking()


def build_sets(
    sources: Mapping[str, EvaluationSource],
    root: Path,
    *,
    space: LabelSpace,
    lacking: Lacking = NOTHING_LACKING,
    seed: int = 0,
) -> dict[str, Any]:
    """Write `<set>/annotations.json` for each source, `ledger.parquet` and `contract.json`.

    Of two sets that show one picture, the one whose annotators looked for every class keeps it, else the first.

    Args:
        sources: The sources by name (`coco`, `openimages`, ...); a source without an image in its evaluation split
            gives no set.
        root: The directory to write into.
        space: The detector's label space; the id of a category is its class index + 1.
        lacking: What the sets are not made of; the contract states it.
        seed: Decides which images a set that is asked for fewer takes.

    Returns:
        The contract as it was written.

    Raises:
        NotPublished: More records of a source are damaged than its tolerance allows.
    """
    kept, kept_ledger = _keep(lacking, root)
    judged = {name: _cleaned(name, source) for name, source in sorted(sources.items()) if _has_images(source)}
    in_order = dict(sorted(judged.items(), key=lambda item: not sources[item[0]].exhaustive))
    facts = {name: sources[name].facts for name in judged}
    apart = keep_apart(in_order, facts, kept=_nodes_of_sets(root, kept))
    sets: dict[str, Any] = {}
    ledgers = [LEDGER.to_frame(), kept_ledger]
    for name in judged:
        source, whole = sources[name], apart[name]
        cleaned = take(whole, source.tables.attributes, most=source.most, seed=seed)
        ledgers.append(cleaned.ledger)
        set_of_source = set_name(name, source.split)
        sets[set_of_source] = _write_set(root / set_of_source / ANNOTATIONS, cleaned, source, space)
    pl.concat(ledgers).sort(pl.all()).write_parquet(root / LEDGER_FILE)
    contract = {
        "image_root": "DATA_DIR",
        "label_space": {"names": len(space), "sha256": _digest(list(space.names))},
        "evaluation": asdict(EvaluationSettings()),
        "rules": RULES,
        "sets": sets | kept,
        "lacking": {
            name: f"{reason}; the set of the version before is kept" if name in kept else reason
            for name, reason in lacking.by_set.items()
        },
        "left_out": sorted(lacking.left_out),
    }
    (root / CONTRACT).write_text(json.dumps(contract, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return contract


def _write_set(path: Path, cleaned: Cleaned, source: EvaluationSource, space: LabelSpace) -> dict[str, Any]:
    """Write the annotation file of a set; return what the contract states about it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    images = _image_rows(cleaned, source)
    boxes = _box_rows(cleaned, images, space)
    licences = licence_numbers(images["license"].drop_nulls())
    write_document(
        path,
        info={"description": f"MaxSight evaluation set {path.parent.name}"},
        licenses=licence_records(licences),
        images=_image_records(images, licences),
        annotations=_annotation_records(boxes),
        categories=[{"id": index + 1, "name": each} for index, each in enumerate(space.names)],
    )
    return _promise(path, images, boxes, cleaned=cleaned, source=source)


def _has_images(source: EvaluationSource) -> bool:
    return not source.tables.images.filter(pl.col("split") == source.split).is_empty()


def _nodes_of_sets(root: Path, names: Iterable[str]) -> pl.DataFrame:
    """Return the images of sets that are written already, as grouping compares them: by content and Flickr id."""
    documents = [json.loads((root / name / ANNOTATIONS).read_bytes()) for name in sorted(names)]
    images = [image for document in documents for image in document["images"]]
    rows = {
        "key": [f"{image['source']}/{image['source_id']}" for image in images],
        "sha256": [image.get("sha256") for image in images],
        "flickr_id": [image.get("flickr_id") for image in images],
    }
    return conform(pl.DataFrame(rows, schema=dict.fromkeys(rows, pl.String)), NODES)


def _keep(lacking: Lacking, root: Path) -> tuple[dict[str, Any], pl.DataFrame]:
    """Copy the sets of the version before for which there is no data now; return their promises and ledger rows."""
    nothing: tuple[dict[str, Any], pl.DataFrame] = {}, LEDGER.to_frame()
    if lacking.before is None or not lacking.reasons:
        return nothing
    try:
        promised = json.loads((lacking.before / CONTRACT).read_text(encoding="utf-8"))["sets"]
        kept = {name: promised[name] for name in lacking.by_set if name in promised}
        ledger = pl.read_parquet(lacking.before / LEDGER_FILE, memory_map=False)
    except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError):  # `evaluation_is_the_same` says so
        return nothing
    for name in kept:
        (root / name).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(lacking.before / name / ANNOTATIONS, root / name / ANNOTATIONS)
    return kept, ledger.filter(pl.col("source").is_in(list(lacking.reasons)))


def set_name(dataset: str, split: str) -> str:
    """Name of the set that is made from a dataset's evaluated split, and of its folder."""
    return f"{dataset}_{split}"


def _cleaned(name: str, source: EvaluationSource) -> Cleaned:
    """Return the records to evaluate. Depictions become crowds: finding a painted dog is neither right nor wrong."""
    images = source.tables.images.filter(pl.col("split") == source.split)
    boxes = source.tables.boxes.filter(pl.col("split") == source.split).with_columns(
        crowd=pl.col("crowd").fill_null(value=False) | pl.col("depiction").fill_null(value=False)
    )
    config = CleaningConfig(
        drop_depictions=False,
        drop_empty_images=source.tables.has_boxes and not source.exhaustive,
        keep_segmentations=False,
        tolerance=source.tolerance,
    )
    cleaned = clean(images, boxes, source.facts, labels={name: source.labels}, config=config)
    return _without_incomplete(cleaned, config) if source.exhaustive else cleaned


def _without_incomplete(cleaned: Cleaned, config: CleaningConfig) -> Cleaned:
    """Leave out the images that lost a box to damage: a detection of the lost object would count as a mistake."""
    damaging = [rule.name for rule in box_rules(config) if rule.severity == "error" and rule.action == "drop"]
    dropped = pl.col("rule").is_in(damaging) & (pl.col("kind") == "box") & (pl.col("action") == "drop")
    lost = cleaned.ledger.filter(dropped).group_by(IMAGE_KEY).agg(lost=pl.col("rule").min())
    return without(cleaned, lost, lost_a_box())


def _image_rows(cleaned: Cleaned, source: EvaluationSource) -> pl.DataFrame:
    """Return the kept images with an `id`, the sha256 and EXIF orientation of their files, and what is said of each."""
    ids = stable_ids(cleaned.images["source"], cleaned.images["image_id"])
    files = source.facts.select("path", "sha256", "orientation").unique("path")
    said = source.tables.attributes.unique("image_id", keep="first")
    images = cleaned.images.with_columns(id=ids).join(files, on="path", how="left", maintain_order="left")
    return images.join(said, on="image_id", how="left", maintain_order="left").sort("id")


def _box_rows(cleaned: Cleaned, images: pl.DataFrame, space: LabelSpace) -> pl.DataFrame:
    """Return the kept boxes in the order of their images, with `id` (never 0), `image` and `category`."""
    numbers = {name: index + 1 for name, index in space.index.items()}
    return (
        cleaned.boxes.with_columns(
            id=stable_ids(cleaned.boxes["source"], cleaned.boxes["box_id"]),
            category=pl.col("label").replace_strict(numbers, return_dtype=pl.Int64),
            crowd=pl.col("crowd").cast(pl.Int8),
            area=pl.coalesce("area", pl.col("w") * pl.col("h")),
        )
        .join(images.select("source", "image_id", image="id"), on=["source", "image_id"])
        .sort("image", "id")
    )


def _image_records(images: pl.DataFrame, licences: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    columns: dict[str, str | pl.Expr] = {
        "id": "id",
        "file_name": "path",
        "width": "width",
        "height": "height",
        "source": "source",
        "source_id": "image_id",
        "sha256": "sha256",
        "license": pl.col("license").replace_strict(licences, return_dtype=pl.Int64),
        "flickr_id": "flickr_id",
    }
    if_stated = {  # as in a split, how a picture is turned is stated where it differs from these
        "orientation": pl.col("orientation").fill_null(1).replace(1, None),
        "rotation": pl.col("rotation").replace(0, None),
        **{name: pl.col(name) for name in ATTRIBUTES if name != "image_id"},
    }
    for record in images.select(**columns, **if_stated).iter_rows(named=True):
        yield {name: value for name, value in record.items() if name not in if_stated or value is not None}


def _annotation_records(boxes: pl.DataFrame) -> Iterator[dict[str, Any]]:
    columns = {
        "id": pl.col("id"),
        "image_id": pl.col("image"),
        "category_id": pl.col("category"),
        "bbox": pl.concat_list("x", "y", "w", "h"),
        "area": pl.col("area"),
        "iscrowd": pl.col("crowd"),
        "source_id": pl.col("box_id"),
    }
    return boxes.select(**columns).iter_rows(named=True)


def _promise(
    path: Path, images: pl.DataFrame, boxes: pl.DataFrame, *, cleaned: Cleaned, source: EvaluationSource
) -> dict[str, Any]:
    """Return what the contract states about one set."""
    dropped = cleaned.ledger.filter(pl.col("action") == "drop")
    damaged = (pl.col("kind") == "image") & ~pl.col("rule").is_in(UNWANTED)
    excluded = dropped.filter(damaged).select("image_id", "rule")
    outside = dropped.filter(pl.col("rule") == "label_outside_space").height
    counted = boxes.filter(pl.col("crowd") == 0).group_by("label").len().sort("label")
    annotations = sha256_of(path)[1]
    pictures = _digest(images.select("path", "sha256").sort("path").rows())
    return {
        "annotations": f"{path.parent.name}/{path.name}",
        "annotations_sha256": annotations,
        "images_sha256": pictures,
        "data_version": _digest([annotations, pictures]),
        "label_mapping": dict(sorted(source.labels.items())),
        "label_mapping_sha256": _digest(sorted(source.labels.items())),
        "exhaustive": source.exhaustive,
        "has_boxes": source.tables.has_boxes,
        "ignored_flags": list(source.ignored),
        "hierarchy": source.hierarchy,
        "slices": slices(images, boxes, small_below=EvaluationSettings().small_below),
        "images": images.height,
        "boxes": boxes.height,
        "ignored_boxes": boxes.filter(pl.col("crowd") == 1).height,
        "boxes_outside_label_space": outside,
        "boxes_per_class": dict(counted.iter_rows()),
        "dropped": dict(dropped.group_by(pl.format("{} {}", "kind", "rule")).len().sort(pl.all()).iter_rows()),
        "excluded_images": dict(excluded.sort(pl.all()).iter_rows()),
    }


def _digest(value: object) -> str:
    """Return the hex sha256 of a JSON value."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
