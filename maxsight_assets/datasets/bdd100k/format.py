"""BDD100K's detection labels of 2020 (`det_20/det_val.json`), read into the table model.

Which label means what to the detector is in `labels`.
"""

from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
import polars as pl

from maxsight_assets.formats import strict_json
from maxsight_assets.formats.tables import BOXES, IMAGES, Tables, conform

SOURCE = "bdd100k"
SPLIT = "val"


class _Box(msgspec.Struct, gc=False):
    x1: float
    y1: float
    x2: float
    y2: float


class _Attributes(msgspec.Struct, gc=False):
    occluded: bool | None = None
    truncated: bool | None = None
    crowd: bool | None = None


class _Label(msgspec.Struct, gc=False):
    id: str | int
    category: str
    box2d: _Box | None = None
    attributes: _Attributes | None = None


class _Frame(msgspec.Struct, gc=False):
    name: str
    labels: list[_Label] | None = None


def read_labels(path: Path, *, image_dir: str) -> Tables:
    """Read the label list.

    A frame without `labels` is an image without boxes; a label without `box2d` (a lane, a drivable area) is no box.
    The corners are points between pixels, so a box is x2 - x1 wide. A crowd that is not stated is False.

    Args:
        path: The file: a list of frames.
        image_dir: Directory of the images relative to DATA_DIR, for example "bdd100k/images/100k/val".

    Returns:
        Images, whose size the labels do not state; boxes in absolute pixels, xywh. The image id is the file name
        without its suffix; a box id is that and the label's own, which is unique only within its frame.

    Raises:
        FormatError: Broken syntax, a key twice in one object or a wrong type. The text names the place.
    """
    data = strict_json.read_bytes(path)
    frames = strict_json.decode(data, msgspec.json.Decoder(list[_Frame]), name=path.name)
    strict_json.check_keys(data, strict_json.count_keys(msgspec.json.decode(data)), name=path.name)
    place = {"source": pl.lit(SOURCE), "split": pl.lit(SPLIT)}
    images = pl.DataFrame(
        {"image_id": [_id(frame) for frame in frames], "path": [f"{image_dir}/{frame.name}" for frame in frames]},
        schema={"image_id": pl.String, "path": pl.String},
    ).with_columns(**place)
    rows = [_row(frame, label, label.box2d) for frame in frames for label in frame.labels or () if label.box2d]
    boxes = pl.DataFrame(rows, schema={name: BOXES[name] for name in _COLUMNS}, orient="row").with_columns(**place)
    return Tables(images=conform(images, IMAGES), boxes=conform(boxes, BOXES))


_COLUMNS = ("image_id", "box_id", "label", "x", "y", "w", "h", "crowd", "occluded", "truncated")


def _row(frame: _Frame, label: _Label, box: _Box) -> tuple[Any, ...]:
    stated = label.attributes or _Attributes()
    size = (box.x1, box.y1, box.x2 - box.x1, box.y2 - box.y1)
    flags = (bool(stated.crowd), stated.occluded, stated.truncated)
    return (_id(frame), f"{_id(frame)}:{label.id}", label.category, *size, *flags)


def _id(frame: _Frame) -> str:
    return PurePosixPath(frame.name).stem
