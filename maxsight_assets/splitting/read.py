"""Read published splits and evaluation sets, for notebooks, training code and commands.

The files have COCO's format, so other readers work too. These functions do not read the masks.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import polars as pl
from numpy.typing import NDArray

from maxsight_assets.errors import FormatError, UnknownName
from maxsight_assets.splitting.config import SPLITS
from maxsight_assets.splitting.write import split_path


class _Image(msgspec.Struct, gc=False):
    id: int
    file_name: str
    width: int
    height: int
    license: int | None  # null in an evaluation set whose publisher states none
    source: str
    source_id: str
    page: str | None = None
    flickr_id: str | None = None
    orientation: int = 1
    rotation: int = 0
    audio_path: str | None = None


class _Annotation(msgspec.Struct, gc=False):
    id: int
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    area: float
    iscrowd: int
    source_id: str


class _Category(msgspec.Struct):
    id: int
    name: str


class _Licence(msgspec.Struct):
    id: int
    url: str


class _Document(msgspec.Struct):
    licenses: list[_Licence]
    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category]


def load_split(name: str, splits_dir: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read a split as two tables.

    Args:
        name: train, val or test.
        splits_dir: The published directory, for example `datasets/cleaned_splits`.

    Returns:
        Images (`id`, `file_name` relative to DATA_DIR, `width`, `height`, `license`, `source`, `source_id`, `page`,
        `flickr_id`, `orientation`, `rotation`, `audio_path`) and annotations (`id`, `image_id`, `category_id`,
        `category`, `x`, `y`, `w`, `h` in absolute pixels with the origin at the top left, `area`, `iscrowd`,
        `source_id`), in the order of the file.

    Raises:
        FormatError: The split does not exist, or this project did not write its file.
    """
    return frames(_split(name, splits_dir))


def frames(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the file of a split or of an evaluation set as two tables; see `load_split`.

    Raises:
        FormatError: The file does not exist, or this project did not write it.
    """
    document = _read(path)
    names = {category.id: category.name for category in document.categories}
    images = pd.DataFrame(map(msgspec.structs.astuple, document.images), columns=_Image.__struct_fields__)
    rows = [
        (a.id, a.image_id, a.category_id, names[a.category_id], *a.bbox, a.area, a.iscrowd, a.source_id)
        for a in document.annotations
    ]
    columns = ["id", "image_id", "category_id", "category", "x", "y", "w", "h", "area", "iscrowd", "source_id"]
    return images, pd.DataFrame(rows, columns=columns)


def read_tables(path: Path) -> tuple[pl.DataFrame, pl.DataFrame, tuple[str, ...]]:
    """Read what training needs of a split or an evaluation set.

    Args:
        path: Its file; see `split_path`.

    Returns:
        Images (`id`, `path`, `width`, `height`, `source`, `license`: its address, empty if unknown), boxes (`image`,
        `label`, `x`, `y`, `w`, `h` in absolute pixels, `crowd`), both in the order of the file, and the label space.

    Raises:
        FormatError: As `load_split` does.
    """
    document = _read(path)
    names = {category.id: category.name for category in document.categories}
    licences = {licence.id: licence.url for licence in document.licenses}
    images = pl.DataFrame(
        [
            (each.id, each.file_name, each.width, each.height, each.source, licences.get(each.license or 0, ""))
            for each in document.images
        ],
        schema={
            "id": pl.Int64,
            "path": pl.String,
            "width": pl.Int32,
            "height": pl.Int32,
            "source": pl.String,
            "license": pl.String,
        },
        orient="row",
    )
    geometry = dict.fromkeys("xywh", pl.Float64)
    boxes = pl.DataFrame(
        [(a.image_id, names[a.category_id], *a.bbox, bool(a.iscrowd)) for a in document.annotations],
        schema={"image": pl.Int64, "label": pl.String, **geometry, "crowd": pl.Boolean},
        orient="row",
    )
    return images, boxes, tuple(names[number] for number in sorted(names))


def iter_samples(path: Path, data_dir: Path) -> Iterator[tuple[Path, NDArray[np.float64], list[str]]]:
    """Yield a split or an evaluation set image by image.

    Args:
        path: Its file; see `split_path`.
        data_dir: The directory that the image names in the files are relative to.

    Yields:
        The image's file, its boxes of shape (n, 4) as xywh in absolute pixels, and their n labels; crowds are included.

    Raises:
        FormatError: As `load_split` does.
    """
    document = _read(path)
    names = {category.id: category.name for category in document.categories}
    of_image: dict[int, list[_Annotation]] = {image.id: [] for image in document.images}
    for annotation in document.annotations:
        of_image[annotation.image_id].append(annotation)
    for image in document.images:
        boxes = np.array([each.bbox for each in of_image[image.id]], dtype=np.float64).reshape(-1, 4)
        yield data_dir / image.file_name, boxes, [names[each.category_id] for each in of_image[image.id]]


def _split(name: str, splits_dir: Path) -> Path:
    """Return the file of a split.

    Raises:
        UnknownName: There is no such split.
    """
    if name not in SPLITS:
        raise UnknownName("split", name, SPLITS)
    return split_path(splits_dir, name)


def _read(path: Path) -> _Document:
    try:
        document = msgspec.json.decode(path.read_bytes(), type=_Document)
    except FileNotFoundError:
        raise FormatError(f"{path}: is not there; materialize cleaned_splits and inference_eval_set first") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise FormatError(f"{path}: not a split that MaxSight Assets wrote ({error}); materialize it again") from None
    images, categories = ({each.id for each in some} for some in (document.images, document.categories))
    for box in document.annotations:
        if box.image_id not in images or box.category_id not in categories:
            raise FormatError(f"{path}: annotation {box.id} has no image or category there; materialize it again")
    return document
