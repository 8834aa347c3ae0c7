"""Read BDD100K's detection labels of 2020 (`det_20/det_val.json`) into the table model.

`labels` maps these labels to the detector's.
"""

import math
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

import msgspec
import polars as pl
from msgspec import Raw

from maxsight_assets.formats import strict_json
from maxsight_assets.formats.odd import Oddities, Reader, RecordReader, Unread, integer, nothing, real, truth
from maxsight_assets.formats.tables import ATTRIBUTES, BOXES, IMAGES, Tables, conform

SOURCE = "bdd100k"
SPLIT = "val"


class _Box(msgspec.Struct, gc=False):
    x1: float
    y1: float
    x2: float
    y2: float


_NOWHERE = _Box(*[math.nan] * 4)


class _Attributes(msgspec.Struct, gc=False):
    occluded: bool | None = None
    truncated: bool | None = None
    crowd: bool | None = None


class _Label(msgspec.Struct, gc=False):
    id: str | int
    category: str
    box2d: _Box | None = None
    attributes: _Attributes | None = None


class _Whole(msgspec.Struct, gc=False):
    """What is said of a whole frame."""

    weather: str | None = None
    scene: str | None = None
    timeofday: str | None = None


class _Frame(msgspec.Struct, gc=False):
    name: str
    labels: list[Raw] | None = None
    attributes: _Whole | None = None


def _box(value: object) -> _Box | Unread:
    """Read the corners of a box of which one is of another type; a box it is in any case, if one that lies nowhere."""
    sides = (
        {side: real(value.get(side)) for side in _Box.__struct_fields__} if isinstance(value, dict) else {"x1": None}
    )
    read = {side: number for side, number in sides.items() if number is not None}
    return _Box(**read) if len(read) == len(_Box.__struct_fields__) else Unread(_NOWHERE)


def _attributes(value: object) -> _Attributes | Unread:
    """Read the flags of which one is of another type; one that cannot be read is unknown."""
    if not isinstance(value, dict):
        return Unread(_Attributes())
    stated = {flag: value[flag] for flag in _Attributes.__struct_fields__ if value.get(flag) is not None}
    flags = {flag: truth(each) for flag, each in stated.items()}
    return Unread(_Attributes(**flags)) if None in flags.values() else _Attributes(**flags)


def _whole(value: object) -> Unread:
    """Read what is said of a frame of which one part is of another type; that part is unknown."""
    stated = value if isinstance(value, dict) else {}
    said = {name: each for name in _Whole.__struct_fields__ if isinstance(each := stated.get(name), str)}
    return Unread(_Whole(**said))


_FRAME_READERS: Mapping[str, Reader] = MappingProxyType({"name": nothing, "labels": nothing, "attributes": _whole})
_LABEL_READERS: Mapping[str, Reader] = MappingProxyType(
    {"id": integer, "category": nothing, "box2d": _box, "attributes": _attributes}
)
_JUDGED = frozenset({"box2d", "category"})
"""Fields whose loss is visible in the tables, where their own rules judge it."""


def read_labels(path: Path, *, image_dir: str) -> Tables:
    """Read the label list.

    A frame without `labels` is an image without boxes; a label without `box2d` (a lane, a drivable area) is not a box.
    The corners are points between pixels, so a box is x2 - x1 wide. A crowd that is not stated is False.

    Args:
        path: The file: a list of frames.
        image_dir: Directory of the images relative to DATA_DIR, for example "bdd100k/images/100k/val".

    Returns:
        Images, whose size the labels do not state; boxes in absolute pixels, xywh. The image id is the file name
        without its suffix; a box id is that and the label's own, which is unique only within its frame.

    Raises:
        FormatError: The syntax is broken, an object has a key twice, or the file is not a list. The text names the
            place.
    """
    data = strict_json.read_bytes(path)
    raws = strict_json.decode_tolerant(data, msgspec.json.Decoder(list[Raw]), name=path.name)
    strict_json.check_keys(data, sum(map(strict_json.keys_of, raws)), name=path.name)
    oddities = Oddities()
    frames, _ = RecordReader(_Frame, _FRAME_READERS, "frames", path.name, oddities).read(raws, 0)
    place = {"source": pl.lit(SOURCE), "split": pl.lit(SPLIT)}
    ids = [PurePosixPath(frame.name).stem if frame.name else f"{SPLIT}:frames[{i}]" for i, frame in enumerate(frames)]
    paths = [f"{image_dir}/{frame.name}" if frame.name else None for frame in frames]
    images = pl.DataFrame({"image_id": ids, "path": paths}, schema={"image_id": pl.String, "path": pl.String})
    identity = frozenset({"name", "labels"})
    images = images.with_columns(**place).with_columns(oddities.columns("frames", identity=identity, judged=_JUDGED))
    boxes = _boxes(frames, ids, oddities, name=path.name).with_columns(**place)
    records = {"frames": images.height, "labels": sum(len(frame.labels or ()) for frame in frames)}
    said = _attributes_of(frames, ids)
    return Tables(conform(images, IMAGES), conform(boxes, BOXES), oddities.table(SPLIT, records), said)


def _attributes_of(frames: list[_Frame], ids: list[str]) -> pl.DataFrame:
    """Return what is said of whole frames; `undefined` says nothing."""
    said = [frame.attributes or _Whole() for frame in frames]
    rows = {name: [getattr(each, name) for each in said] for name in _Whole.__struct_fields__}
    table = conform(pl.DataFrame({"image_id": ids, **rows}, schema_overrides=ATTRIBUTES), ATTRIBUTES)
    return table.with_columns(pl.col(_Whole.__struct_fields__).replace("undefined", None))


_COLUMNS = ("image_id", "box_id", "label", "x", "y", "w", "h", "crowd", "occluded", "truncated")


def _boxes(frames: list[_Frame], ids: list[str], oddities: Oddities, *, name: str) -> pl.DataFrame:
    """Return the labels that are, or may be, boxes."""
    raws = [raw for frame in frames for raw in frame.labels or ()]
    owners = [(frame, number) for frame, each in enumerate(frames) for number in range(len(each.labels or ()))]
    oddities.places["labels"] = [f"frames[{frame}].labels[{number}]" for frame, number in owners]
    labels, _ = RecordReader(_Label, _LABEL_READERS, "labels", name, oddities).read(raws, 0)
    rows = [_row(ids[frame], number, label) for (frame, number), label in zip(owners, labels, strict=True)]
    schema = {each: BOXES[each] for each in _COLUMNS} | {"is_box": pl.Boolean}
    table = pl.DataFrame(rows, schema=schema, orient="row")
    table = table.with_columns(oddities.columns("labels", identity=frozenset(), judged=_JUDGED))
    return table.filter(pl.col("is_box") | pl.col("fault").is_not_null())


def _row(image_id: str, number: int, label: _Label) -> tuple[Any, ...]:
    """Return the row of a label; if its id cannot be read, its number in the frame takes its place."""
    box, stated = label.box2d or _NOWHERE, label.attributes or _Attributes()
    size = (box.x1, box.y1, box.x2 - box.x1, box.y2 - box.y1)
    flags = (bool(stated.crowd), stated.occluded, stated.truncated)
    box_id = f"{image_id}:{f'labels[{number}]' if label.id is None else label.id}"
    return (image_id, box_id, label.category, *size, *flags, label.box2d is not None)
