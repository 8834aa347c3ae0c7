"""Read ADE20K's instance masks of the Places Challenge 2017 into the table model.

In each PNG the red channel is the class, 1..100, and the green one the instance (CSAILVision/placeschallenge,
instancesegmentation/README.md). The class names are data: `ade20k_classes.txt`, line n names class n.
"""

from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from PIL import Image

from maxsight_assets.errors import FormatError
from maxsight_assets.formats.tables import BOXES, IMAGES, Tables, conform

SOURCE = "ade20k"
SPLIT = "validation"

_MAX_PIXELS = 89_478_485  # where Pillow begins to warn of a decompression bomb (Image.MAX_IMAGE_PIXELS)
_STATED = {"source": pl.lit(SOURCE), "split": pl.lit(SPLIT)}
_COLUMNS = ("image_id", "box_id", "label", "x", "y", "w", "h", "area", "crowd")


def class_names() -> tuple[str, ...]:
    """Return the 100 instance classes; class n of the red channel is item n - 1."""
    text = files("maxsight_assets.datasets.ade20k").joinpath("classes.txt").read_text(encoding="utf-8")
    return tuple(text.splitlines())


def read_instances(root: Path, image_ids: Iterable[str], *, place: str) -> Tables:
    """Read the scenes' instance masks, `annotations_instance/validation/<id>.png`.

    Args:
        root: The directory of the dataset.
        image_ids: Names of the scenes without suffix, for example "ADE_val_00000001".
        place: Path of that directory relative to DATA_DIR; every `path` begins with it.

    Returns:
        One image per scene, with the size of its mask, and one box per instance: the smallest that holds all its
        pixels, in absolute pixels, xywh. `label` is "class <number>" for a class without a name, null for class 0. An
        image whose mask is missing or cannot be read has a `fault`, because it is not an image without instances.
    """
    names = class_names()
    images: list[tuple[str, int | None, int | None, str | None]] = []
    boxes: list[tuple[Any, ...]] = []
    for image_id in sorted(image_ids):
        path = root / f"annotations_instance/{SPLIT}/{image_id}.png"
        try:
            mask = _read_mask(path)
        except FormatError as error:
            images.append((image_id, None, None, str(error)))
            continue
        images.append((image_id, mask.shape[1], mask.shape[0], None))
        boxes += _boxes_of(mask, image_id, names)
    frame = pl.DataFrame(
        images, schema={name: IMAGES[name] for name in ("image_id", "width", "height", "fault")}, orient="row"
    )
    table = pl.DataFrame(boxes, schema={name: BOXES[name] for name in _COLUMNS}, orient="row")
    return Tables(images=_placed(frame, place), boxes=conform(table.with_columns(**_STATED), BOXES))


def scenes_without_boxes(image_ids: Iterable[str], *, place: str) -> Tables:
    """Return the scenes of which no instance masks are landed; see `read_instances` for the arguments."""
    frame = pl.DataFrame({"image_id": sorted(image_ids)}, schema={"image_id": pl.String})
    return Tables(images=_placed(frame, place), boxes=BOXES.to_frame(), has_boxes=False)


def _placed(scenes: pl.DataFrame, place: str) -> pl.DataFrame:
    path = pl.format("{}/images/{}/{}.jpg", pl.lit(place), pl.lit(SPLIT), "image_id")
    return conform(scenes.with_columns(**_STATED, path=path), IMAGES)


def _read_mask(path: Path) -> npt.NDArray[np.uint8]:
    """Return the channels of a mask: height x width x 3."""
    if not path.exists():
        raise FormatError(f"{path.name}: no instance mask; land it again")
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            if picture.mode not in ("RGB", "RGBA") or picture.width * picture.height > _MAX_PIXELS:
                raise FormatError(f"{path.name}: a mask of mode {picture.mode}, {picture.size}; RGB expected")
            return np.asarray(picture)[:, :, :3]
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise FormatError(f"{path.name}: not a whole PNG ({error}); land it again") from None


def _boxes_of(mask: npt.NDArray[np.uint8], image_id: str, names: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    """Yield the instances of one mask, by instance number; number 0 is not an instance."""
    classes, instances = mask[:, :, 0], mask[:, :, 1]
    for number in np.unique(instances[instances > 0]):
        rows, columns = np.nonzero(instances == number)
        class_number = int(classes[rows[0], columns[0]])
        label = f"class {class_number}" if class_number else None
        if 1 <= class_number <= len(names):
            label = names[class_number - 1]
        x, y = int(columns.min()), int(rows[0])
        size = (float(x), float(y), float(columns.max() - x + 1), float(rows[-1] - y + 1))
        yield (image_id, f"{image_id}:{number}", label, *size, float(len(rows)), False)
