"""Read the published raw datasets into the common table model, for training and for evaluation."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import polars as pl

from maxsight_assets.cleaning.config import Tolerance
from maxsight_assets.datasets.source import Source
from maxsight_assets.disk import HASHED
from maxsight_assets.errors import FormatError, LandingError
from maxsight_assets.evaluation.build import ANNOTATIONS
from maxsight_assets.formats.tables import IMAGES, Tables, conform
from maxsight_assets.images.facts import examine, of_files
from maxsight_assets.publishing.manifest import problems
from maxsight_assets.publishing.stage import recovered_manifest
from maxsight_assets.splitting.build import Evaluation

_SHOWN = 5
"""Largest number of files that an error names; the others are only counted."""


@dataclass(frozen=True, slots=True)
class Records:
    """Images, boxes and facts of the image files.

    Attributes:
        tables: Images and boxes, as published.
        facts: FILE_FACTS table, one row per existing image file.
        inputs: Data version of the raw asset that was read, by its name.
        tolerance: The number of records that may be damaged, from the raw asset's selection.
    """

    tables: Tables
    facts: pl.DataFrame
    inputs: Mapping[str, str]
    tolerance: Tolerance


def read(source: Source, splits: frozenset[str], *, data_dir: Path, cache: Path) -> Records:
    """Read the published records of some of a raw dataset's splits.

    Args:
        source: The dataset.
        splits: Names of the publisher's splits.
        data_dir: Root of all datasets.
        cache: Parquet file of what is known of images by content.

    Raises:
        LandingError: The dataset is not published yet.
        FormatError: Its annotations cannot be read.
    """
    root = data_dir / source.directory
    manifest = recovered_manifest(root)
    if manifest is None:
        raise LandingError(f"{source.asset}: nothing is published in {root}; materialize {source.asset} first")
    try:
        tables = source.read(root, manifest, cache=cache)
    except FileNotFoundError as error:
        raise FormatError(
            f"{source.asset}: {error.filename} is gone; run `maxsight-assets repair {source.asset}`"
        ) from None
    images = tables.images.filter(pl.col("split").is_in(list(splits)))
    boxes = tables.boxes.filter(pl.col("split").is_in(list(splits)))
    wanted = set(images["path"])
    listed = manifest.rows.selected().sums()
    files = {path: each.sha256 for each in listed if (path := f"{source.directory}/{each.path}") in wanted}
    found = examine([(digest, data_dir / path) for path, digest in files.items()], cache=cache)
    tolerance = Tolerance.model_validate(manifest.info.selection.get("tolerance", {}))
    chosen = replace(tables, images=images, boxes=boxes)
    return Records(chosen, of_files(found, files), {source.asset: manifest.info.data_version}, tolerance)


def read_evaluation(root: Path, *, data_dir: Path, cache: Path) -> tuple[Evaluation, str]:
    """Read the images that the published evaluation sets hold.

    Args:
        root: The directory of `inference_eval_set`.
        data_dir: Root of all datasets.
        cache: Parquet file of what is known of images by content.

    Returns: The images with the facts of their files, and the data version of the sets.

    Raises:
        LandingError: The evaluation sets are not published yet, or one of their files or pictures changed or cannot be
            read. Then near copies of evaluation images could not be kept out of training.
    """
    manifest = recovered_manifest(root)
    if manifest is None:
        raise LandingError(f"inference_eval_set: nothing is published in {root}; materialize inference_eval_set first")
    sets = [each for each in manifest.rows.selected().sums() if each.path.endswith(f"/{ANNOTATIONS}")]
    if changed := problems(root, sets, hashed=HASHED):
        named = "; ".join(f"{path}: {fault}" for path, fault in changed.items())
        raise LandingError(f"inference_eval_set: changed since it was published ({named}); materialize it again")
    rows = [
        {
            "source": image["source"],
            "split": PurePosixPath(row.path).parent.name,
            "image_id": image["source_id"],
            "path": image["file_name"],
            "flickr_id": image["flickr_id"],
            "sha256": image["sha256"],
        }
        for row in sets
        for image in json.loads((root / row.path).read_bytes())["images"]
    ]
    digests = {row["path"]: row["sha256"] for row in rows}
    found = examine([(digest, data_dir / path) for path, digest in digests.items()], cache=cache)
    facts = of_files(found, digests)
    if (unread := facts.filter(pl.col("error").is_not_null())).height:
        named = "; ".join(unread.head(_SHOWN).select(pl.format("{}: {}", "path", "error")).to_series())
        raise LandingError(
            f"inference_eval_set: {unread.height:,} of its pictures cannot be compared with training, so copies could "
            f"be trained on ({named}). Repair the raw asset that they belong to, or materialize it and then "
            "inference_eval_set"
        )
    images = conform(pl.DataFrame(rows, infer_schema_length=None), IMAGES)
    return Evaluation(images, facts), manifest.info.data_version
