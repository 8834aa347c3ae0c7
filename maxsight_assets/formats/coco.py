"""COCO annotation files: read into the table model, and written back with every field that they had.

Reading is strict about types and tolerant of values: a box without area, or of an unknown image, is read as it is,
because cleaning decides on it and writes down that it did. Masks stay JSON text; `segmentation_fault` says whether
pycocotools may be given one.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
from msgspec import UNSET, Meta, Raw, UnsetType

from maxsight_assets.errors import FormatError
from maxsight_assets.formats import strict_json
from maxsight_assets.formats.tables import BOXES, IMAGES, Tables, conform

SOURCE = "coco"
Kind = Literal["instances", "person_keypoints", "captions"]

_T = TypeVar("_T")
_Record = TypeVar("_Record", bound=msgspec.Struct)
_Int = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
_Number = _Int | float
_CHUNK = 20_000  # records decoded at a time, which bounds what is held beside the file and the tables
_SECTIONS = ("info", "licenses", "images", "annotations", "categories")
_FLICKR_PHOTO = r"/(\d+)_[0-9a-f]+(?:_[a-z0-9]+)?\.[a-z]+$"  # .../<photo id>_<secret>_z.jpg
_MAX_PIXELS = 89_478_485  # where Pillow begins to warn of a decompression bomb (Image.MAX_IMAGE_PIXELS)
_NO_BOX = (np.nan, np.nan, np.nan, np.nan)


class _Image(msgspec.Struct, gc=False):
    id: _Int
    file_name: str
    width: _Int | UnsetType | None = UNSET
    height: _Int | UnsetType | None = UNSET
    license: _Int | UnsetType | None = UNSET
    flickr_url: str | UnsetType | None = UNSET
    coco_url: str | UnsetType | None = UNSET
    date_captured: Raw | UnsetType = UNSET


class _Annotation(msgspec.Struct, gc=False):
    id: _Int
    image_id: _Int
    category_id: _Int
    bbox: tuple[_Number, _Number, _Number, _Number] | UnsetType | None = UNSET
    area: _Number | UnsetType | None = UNSET
    iscrowd: _Int | UnsetType | None = UNSET
    segmentation: Raw | UnsetType = UNSET


class _Masked(msgspec.Struct, gc=False):
    segmentation: Raw | UnsetType = UNSET


class _Keypoints(_Annotation, gc=False, kw_only=True):
    keypoints: list[_Number]
    num_keypoints: _Int | UnsetType = UNSET


class _Caption(msgspec.Struct, gc=False):
    id: _Int
    image_id: _Int
    caption: str


class _Category(msgspec.Struct, gc=False):
    id: _Int
    name: str


class _License(msgspec.Struct, gc=False):
    id: _Int
    url: str | None = None


class _Rle(msgspec.Struct, gc=False):
    counts: list[Annotated[int, Meta(ge=0, le=2**32 - 1)]] | str
    size: tuple[_Int, _Int]


_MASK = msgspec.json.Decoder(list[list[float]] | _Rle)
_ANNOTATION_TYPES: Mapping[Kind, type[msgspec.Struct]] = {
    "instances": _Annotation,
    "person_keypoints": _Keypoints,
    "captions": _Caption,
}


@dataclass(frozen=True, slots=True)
class CocoDocument:
    """One `instances_*.json`.

    Attributes:
        info: The `info` object, empty where there is none.
        licenses: The `licenses` records with all their fields.
        categories: The `categories` records with all their fields.
        images: The `images` records as the very bytes of the file; record i is row i of `tables().images`.
        annotations: The `annotations` records likewise; record i is row i of `tables().boxes`.
        extra: Further top-level values by key, as the bytes of the file.
    """

    info: Mapping[str, Any]
    licenses: list[dict[str, Any]]
    categories: list[dict[str, Any]]
    images: list[Raw] = field(repr=False)
    annotations: list[Raw] = field(repr=False)
    extra: Mapping[str, Raw] = field(repr=False)
    _tables: Tables = field(repr=False)

    def tables(self) -> Tables:
        """The images and boxes; boxes in absolute pixels, xywh, as published.

        `label` is null where no category has the annotation's `category_id`; `x`, `y`, `w`, `h` are null where it has
        no `bbox`; a missing `iscrowd` is False, which is how pycocotools takes it.
        """
        return self._tables

    def masks(self, rows: pl.Series) -> pl.Series:
        """The column `segmentation` of some rows of `tables().boxes`, for a document that was read without masks."""
        decode = msgspec.json.Decoder(_Masked).decode
        parts = [
            _texts([decode(self.annotations[row]).segmentation for row in rows[start : start + _CHUNK]])
            for start in range(0, max(len(rows), 1), _CHUNK)
        ]
        return pl.concat(parts, rechunk=False).alias("segmentation")


@dataclass(frozen=True, slots=True)
class Counts:
    """Number of records in a COCO file."""

    images: int
    annotations: int


def read_instances(
    path: Path, *, split: str, image_dir: str, annotated: bool = True, masks: bool = True
) -> CocoDocument:
    """Read an `instances_*.json`, or the list of images that stands in for one where nothing is annotated.

    Args:
        path: The file.
        split: Value of the tables' `split` column, for example "val2017".
        image_dir: Directory of the images relative to DATA_DIR, for example "coco_raw/val2017".
        annotated: False for an `image_info_*.json`, which has no annotations.
        masks: False leaves `segmentation` null in the tables, which spares a third of the memory;
        `CocoDocument.masks` has
            them.

    Raises:
        FormatError: Broken syntax, a key twice in one object, a missing part or a wrong type. The text names the place.
    """
    parts = _Parts(path, absent=() if annotated else ("annotations", "categories"))
    urls: dict[int | None, str | None] = {each.id: each.url for each in parts.small("licenses", _License)}
    names = {each.id: each.name for each in parts.small("categories", _Category)}
    images = pl.concat(_image_rows(chunk, urls) for chunk in parts.chunks("images", _Image))
    boxes = pl.concat(
        (_box_rows(chunk, names, masks=masks) for chunk in parts.chunks("annotations", _Annotation)), rechunk=False
    )
    parts.check_keys()
    place = {"source": pl.lit(SOURCE), "split": pl.lit(split)}
    return CocoDocument(
        info=parts.value("info", dict[str, Any]) if "info" in parts.values else {},
        licenses=parts.value("licenses", list[dict[str, Any]]) if "licenses" in parts.values else [],
        categories=parts.value("categories", list[dict[str, Any]]),
        images=parts.raws("images"),
        annotations=parts.raws("annotations"),
        extra={key: value for key, value in parts.values.items() if key not in _SECTIONS},
        _tables=Tables(
            images=conform(images.with_columns(**place, path=image_dir + "/" + pl.col("file_name")), IMAGES),
            boxes=conform(boxes.with_columns(**place), BOXES),
        ),
    )


def check_parses(path: Path, kind: Kind) -> Counts:
    """Read one of COCO's files for its form alone.

    Raises:
        FormatError: As `read_instances` does.
    """
    parts = _Parts(path)
    images = sum(len(chunk) for chunk in parts.chunks("images", _Image))
    annotations = sum(len(chunk) for chunk in parts.chunks("annotations", _ANNOTATION_TYPES[kind]))
    parts.small("licenses", _License)
    parts.small("categories", _Category)
    parts.check_keys()
    return Counts(images=images, annotations=annotations)


def segmentation_fault(raw: str | bytes | Raw, width: int, height: int) -> str | None:
    """Say why a mask must not be given to pycocotools, which crashes or allocates without bound on some.

    Args:
        raw: The JSON text of a `segmentation`: a list of polygons (x, y, x, y, ... in absolute pixels) or an RLE.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.

    Returns:
        The fault in a few words, or None where the mask is sound: polygons of at least three points, none further out
        of the picture than the picture's own size; an RLE of exactly this picture's size whose runs add up to it.
    """
    try:
        mask = _MASK.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "neither polygons nor an RLE"
    if width * height > _MAX_PIXELS:
        return f"a mask of {width}x{height} pixels"
    if isinstance(mask, _Rle):
        return _rle_fault(mask, width, height)
    if not mask:
        return "no polygon"
    for polygon in mask:
        if len(polygon) < 6 or len(polygon) % 2:
            return f"a polygon of {len(polygon)} numbers"
        xs, ys = polygon[::2], polygon[1::2]
        if min(xs) < -width or max(xs) > 2 * width or min(ys) < -height or max(ys) > 2 * height:
            return "a polygon far out of the picture"
    return None


def write_instances(path: Path, document: CocoDocument) -> None:
    """Write a document back: every record and field that was read, known or not, with its numbers as they stood."""
    write_document(
        path,
        info=document.info,
        licenses=document.licenses,
        images=document.images,
        annotations=document.annotations,
        categories=document.categories,
        extra=document.extra,
    )


def write_document(
    path: Path,
    *,
    info: Mapping[str, Any],
    licenses: Iterable[object],
    images: Iterable[object],
    annotations: Iterable[object],
    categories: Iterable[object],
    extra: Mapping[str, object] | None = None,
) -> None:
    """Write a COCO file as compact JSON that ends in a newline, without holding it in memory.

    The same records in the same order give the same bytes. A float is written in the shortest form that reads back as
    itself; NaN does not exist in JSON and would become null, so numbers must be finite.

    Args:
        path: The file to write.
        info: The `info` object.
        licenses: Records of `licenses`: mappings, msgspec structs or `msgspec.Raw` bytes; so too the other sections.
        images: Records of `images`.
        annotations: Records of `annotations`; boxes in absolute pixels, xywh.
        categories: Records of `categories`.
        extra: Further top-level values by key.
    """
    sections = {"licenses": licenses, "images": images, "annotations": annotations, "categories": categories}
    encode = msgspec.json.Encoder().encode
    with path.open("wb") as file:
        file.write(b'{"info":' + encode(info))
        for name, records in sections.items():
            file.write(b"," + encode(name) + b":[")
            remaining, comma = iter(records), b""
            while chunk := list(islice(remaining, _CHUNK)):
                file.write(comma + encode(chunk)[1:-1])
                comma = b","
            file.write(b"]")
        for name, value in (extra or {}).items():
            file.write(b"," + encode(name) + b":" + encode(value))
        file.write(b"}\n")


class _Parts:
    """A COCO file while it is read: its top-level values, still bytes, and the number of keys that were understood."""

    def __init__(self, path: Path, *, absent: Collection[str] = ()) -> None:
        self._name = path.name
        self._data = strict_json.read_bytes(path)
        self._lists: dict[str, list[Raw]] = {}
        self.values = strict_json.decode(self._data, msgspec.json.Decoder(dict[str, Raw]), name=self._name)
        self._keys = len(self.values)
        self.values = {name: Raw(b"[]") for name in absent} | self.values

    def value(self, name: str, type_: type[_T]) -> _T:
        """Decode one top-level value."""
        if name not in self.values:
            raise FormatError(f"{self._name}: $.{name}: missing; this is not a COCO annotation file of the asked kind")
        return strict_json.decode(self.values[name], msgspec.json.Decoder(type_), name=self._name, at=f"$.{name}")

    def small(self, name: str, type_: type[_Record]) -> list[_Record]:
        """Decode one of the small sections; an empty list where the file has none."""
        return self.value(name, list[type_]) if name in self.values else []  # type: ignore[valid-type]

    def raws(self, name: str) -> list[Raw]:
        """The records of a section, as the bytes of the file."""
        if name not in self._lists:
            self._lists[name] = self.value(name, list[Raw])
        return self._lists[name]

    def chunks(self, name: str, type_: type[_Record]) -> Iterator[list[_Record]]:
        """Decode a large section a bounded number of records at a time; at least one chunk, which may be empty."""
        raws = self.raws(name)
        decoder = msgspec.json.Decoder(type_)
        for start in range(0, max(len(raws), 1), _CHUNK):
            chunk = self._decode(raws[start : start + _CHUNK], decoder, at=f"$.{name}", start=start)
            self._keys += _count_keys(chunk, type_)
            yield chunk

    def _decode(self, raws: list[Raw], decoder: msgspec.json.Decoder[_Record], *, at: str, start: int) -> list[_Record]:
        decode = decoder.decode
        chunk: list[_Record] = []
        try:
            for raw in raws:
                chunk.append(decode(raw))  # noqa: PERF401 (its length tells which record is wrong)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            index = len(chunk)
            strict_json.decode(raws[index], decoder, name=self._name, at=f"{at}[{start + index}]")
            raise
        return chunk

    def check_keys(self) -> None:
        """Refuse keys that stand twice in one object. To be called when the large sections have been decoded."""
        small = sum(strict_json.count_keys(self.value(name, object)) for name in self.values if name not in self._lists)
        strict_json.check_keys(self._data, self._keys + small, name=self._name)


def _count_keys(chunk: list[_Record], type_: type[_Record]) -> int:
    """Number of keys in the JSON of these records, as far as the struct knows them."""
    names = type_.__struct_fields__
    total = len(chunk) * len(names)
    for name in names[len(names) - len(type_.__struct_defaults__) :]:
        values = list(map(attrgetter(name), chunk))
        total -= values.count(UNSET)
        if name == "segmentation":
            objects = b"".join(value for value in values if value is not UNSET).count(b"{")
            total += objects * len(_Rle.__struct_fields__)
    return total


def _rle_fault(rle: _Rle, width: int, height: int) -> str | None:
    if rle.size != (height, width):
        return f"an RLE of {rle.size[1]}x{rle.size[0]} pixels for a picture of {width}x{height}"
    runs = _rle_runs(rle.counts) if isinstance(rle.counts, str) else rle.counts
    if runs is None or min(runs, default=0) < 0 or sum(runs) != width * height:
        return "an RLE whose runs do not add up to its picture"
    return None


def _rle_runs(text: str) -> list[int] | None:
    """Decode COCO's compressed counts; None where the text is not that.

    Each run is a little-endian series of 5-bit digits, one a character from "0" (48) on, where 32 marks that more
    follow and 16 in the last digit marks a negative number; from the fourth run on it is the difference to the run
    before the last (`rleFrString` in maskApi.c of cocoapi).
    """
    runs: list[int] = []
    value = shift = 0
    for character in text:
        digit = ord(character) - 48
        if not 0 <= digit < 64 or shift > 30:
            return None
        value |= (digit & 31) << shift
        shift += 5
        if digit & 32:
            continue
        if digit & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    return None if shift else runs


def _image_rows(chunk: list[_Image], urls: Mapping[int | None, str | None]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "image_id": _ids([each.id for each in chunk]),
            "file_name": pl.Series([each.file_name for each in chunk], dtype=pl.String),
            "width": _pixels([_given(each.width) for each in chunk]),
            "height": _pixels([_given(each.height) for each in chunk]),
            "license": pl.Series([urls.get(_given(each.license)) for each in chunk], dtype=pl.String),
            "page": pl.Series([_given(each.flickr_url) for each in chunk], dtype=pl.String),
        }
    ).with_columns(flickr_id=pl.col("page").str.extract(_FLICKR_PHOTO))


def _box_rows(chunk: list[_Annotation], names: Mapping[int, str], *, masks: bool) -> pl.DataFrame:
    numbers = chain.from_iterable([each.bbox or _NO_BOX for each in chunk])
    boxes = np.fromiter(numbers, dtype=np.float64, count=4 * len(chunk)).reshape(-1, 4)
    return pl.DataFrame(
        {
            "image_id": _ids([each.image_id for each in chunk]),
            "box_id": _ids([each.id for each in chunk]),
            "label": pl.Series([names.get(each.category_id) for each in chunk], dtype=pl.String),
            **{name: pl.Series(boxes[:, i]).fill_nan(None) for i, name in enumerate("xywh")},
            "area": pl.Series([_given(each.area) for each in chunk], dtype=pl.Float64, strict=False),
            "crowd": pl.Series([bool(_given(each.iscrowd)) for each in chunk], dtype=pl.Boolean),
            "segmentation": _texts([each.segmentation if masks else UNSET for each in chunk]),
        }
    )


def _given(value: _T | UnsetType) -> _T | None:
    return None if value is UNSET else value


def _texts(raws: list[Raw | UnsetType]) -> pl.Series:
    """Masks as JSON text; null where there is none. All are copied at once, since they are most of a file's bytes."""
    given = [b"" if raw is UNSET else raw for raw in raws]
    joined = b"".join(given)
    if not joined.isascii():  # no mask that pycocotools can read; text must be sound UTF-8
        texts = pl.Series([str(memoryview(raw), "utf-8", "replace") for raw in given], dtype=pl.String)
    else:
        ends = np.zeros(len(given) + 1, dtype=np.int64)
        np.cumsum([len(raw) for raw in given], out=ends[1:])
        array = pa.LargeStringArray.from_buffers(len(given), pa.py_buffer(ends), pa.py_buffer(joined))
        texts = pl.Series(array, dtype=pl.String)
    return texts.set(texts.is_in(["", "null"]), None)


def _ids(values: list[int]) -> pl.Series:
    return pl.Series(values, dtype=pl.Int64).cast(pl.String)


def _pixels(values: list[int | None]) -> pl.Series:
    """Widths or heights; null where a value cannot be one."""
    return pl.Series(values, dtype=pl.Int64).cast(pl.Int32, strict=False)
