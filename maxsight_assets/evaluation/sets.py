"""Read a published evaluation set, as metrics need it: its images, its classes, and on demand its boxes.

A set is read from its `annotations.json`, on whose ids every detections file relies.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Annotated

import msgspec
import polars as pl

from maxsight_assets.formats.strict_json import decode, read_bytes


class _Image(msgspec.Struct, gc=False):
    id: int
    file_name: str
    width: Annotated[int, msgspec.Meta(gt=0)]
    height: Annotated[int, msgspec.Meta(gt=0)]
    sha256: str | None = None
    timeofday: str | None = None
    weather: str | None = None


class _Category(msgspec.Struct, gc=False):
    id: int
    name: str


class _Set(msgspec.Struct):
    images: list[_Image]
    categories: list[_Category]


class _Box(msgspec.Struct, gc=False):
    id: int
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    iscrowd: int = 0


class _Boxes(msgspec.Struct):
    annotations: list[_Box]


@dataclass(frozen=True)
class EvaluationSet:
    """The ground truth that detections are compared with.

    Attributes:
        name: Name of the set, for instance `coco_val2017`.
        path: Its file in COCO's form.
        images: One row an image: `id`, `stem` (of its file name), `file_name` relative to DATA_DIR, `width` and
            `height` in pixels, `sha256`, and `timeofday` and `weather` where the publisher states them.
        categories: The detector's labels by category id.
    """

    name: str
    path: Path
    images: pl.DataFrame
    categories: Mapping[int, str]

    @cached_property
    def boxes(self) -> pl.DataFrame:
        """One row a box: `id`, `image`, `category`, `x`, `y`, `w`, `h` in pixels, `crowd`; the file is read again."""
        found = decode(read_bytes(self.path), msgspec.json.Decoder(_Boxes), name=self.path.name).annotations
        corners = pl.DataFrame([box.bbox for box in found], schema=dict.fromkeys("xywh", pl.Float64), orient="row")
        columns: dict[str, list[int] | list[bool]] = {
            "id": [box.id for box in found],
            "image": [box.image_id for box in found],
            "category": [box.category_id for box in found],
            "crowd": [bool(box.iscrowd) for box in found],
        }
        return corners.with_columns(
            pl.Series(name, values, pl.Boolean if name == "crowd" else pl.Int64) for name, values in columns.items()
        )

    @cached_property
    def version(self) -> str:
        """Digest of the file: two sets of one version give every detections file the same numbers."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


def read_set(path: Path) -> EvaluationSet:
    """Read a set from its file in COCO's form; its folder is its name.

    Raises:
        FormatError: The file is not of this form; the text names the place.
    """
    found = decode(read_bytes(path), msgspec.json.Decoder(_Set), name=f"{path.parent.name}/{path.name}")
    images = pl.DataFrame(
        {
            "id": [image.id for image in found.images],
            "stem": [PurePosixPath(image.file_name).stem for image in found.images],
            "file_name": [image.file_name for image in found.images],
            "width": [image.width for image in found.images],
            "height": [image.height for image in found.images],
            **{name: [getattr(image, name) for image in found.images] for name in ("sha256", "timeofday", "weather")},
        },
        schema_overrides={"id": pl.Int64} | dict.fromkeys(("sha256", "timeofday", "weather"), pl.String),
    )
    return EvaluationSet(path.parent.name, path, images, {each.id: each.name for each in found.categories})
