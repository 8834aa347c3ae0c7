"""Small worlds for tests: images with boxes and facts, split and written."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from maxsight_assets.cleaning.config import CleaningConfig
from maxsight_assets.formats.tables import IMAGES
from maxsight_assets.images.facts import FILE_FACTS
from maxsight_assets.splitting.build import Evaluation, Splits, build_splits
from maxsight_assets.splitting.config import SplitConfig
from maxsight_assets.splitting.write import write_splits
from maxsight_assets_tests.cleaning.records import LABELS, box, boxes_of, facts_of, image, images_of

SPACE = ("person", "dog", "door")
NOTHING = Evaluation(IMAGES.to_frame(), FILE_FACTS.to_frame())

World = tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]


def world(number: int, *, source: str = "coco", **changes: dict[str, Any]) -> World:
    """Images "1" to "<number>" with two boxes each; `changes` are those of facts by image id, with an `i` before it."""
    ids = [str(i) for i in range(1, number + 1)]
    images = images_of(*(image(each, source) for each in ids))
    label = "person" if source == "coco" else "Man"
    boxes = boxes_of(
        *(box(f"{each}:{n}", each, source, x=float(n), label=label, segmentation=None) for each in ids for n in (0, 1))
    )
    return images, boxes, facts_of(images, **changes)


def shuffled(tables: World, seed: int) -> World:
    images, boxes, facts = (frame.sample(fraction=1, shuffle=True, seed=seed) for frame in tables)
    return images, boxes, facts


def split(
    tables: World,
    *,
    evaluation: Evaluation = NOTHING,
    space: Iterable[str] = SPACE,
    labels: Mapping[str, Mapping[str, str | None]] = LABELS,
    **config: Any,
) -> Splits:
    """Split with SplitConfig fields; those of CleaningConfig are taken too."""
    cleaning = {key: config.pop(key) for key in list(config) if key in CleaningConfig.model_fields}
    return build_splits(
        *tables,
        evaluation=evaluation,
        space=space,
        labels=labels,
        config=SplitConfig.model_validate(config),
        cleaning=CleaningConfig(**cleaning),
    )


def subset_of(splits: Splits) -> dict[str, str]:
    """The split of each image, by "<source>/<image id>"."""
    rows = splits.images.select(pl.format("{}/{}", "source", "image_id"), "subset").rows()
    return dict(rows)


def written(splits: Splits, directory: Path) -> dict[str, bytes]:
    """The files that a result is written as, by name."""
    directory.mkdir()
    write_splits(splits, directory, inputs={"coco_raw": "v1"})
    return {path.name: path.read_bytes() for path in directory.iterdir()}
