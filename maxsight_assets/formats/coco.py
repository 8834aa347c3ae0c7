"""COCO annotation files: read into the table model, and written back with every field that they had.

A document with broken JSON is refused. Odd records are tolerated: a field of another type is read if nothing is lost,
else it counts as not stated; a box without area, or of an unknown image, is read as it is. Cleaning decides on them
and records it in the ledger. Masks stay JSON text; `segmentation_fault` decides whether pycocotools may get one.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain, islice, pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
from msgspec import UNSET, Meta, Raw, UnsetType
from numpy.typing import NDArray

from maxsight_assets.errors import FormatError
from maxsight_assets.formats.masks import PLAIN_MASK
from maxsight_assets.formats.odd import Reader, integer, nothing, real_or_infinite, reals
from maxsight_assets.formats.sections import Long, Sections, count_keys
from maxsight_assets.formats.tables import BOXES, IMAGES, ODD, Tables, conform

SOURCE = "coco"
Kind = Literal["instances", "person_keypoints", "captions"]

_T = TypeVar("_T")
_Int = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
_CHUNK = 20_000  # records encoded or decoded at a time
_SECTIONS = ("info", "licenses", "images", "annotations", "categories")
_FLICKR_PHOTO = r"/(\d+)_[0-9a-f]+(?:_[a-z0-9]+)?\.[a-z]+$"  # .../<photo id>_<secret>_z.jpg
_NO_BOX = (np.nan, np.nan, np.nan, np.nan)
_IMAGE_COLUMNS = (  # columns of the images table that follow from an image's record alone
    pl.col("image_id").cast(pl.String),
    pl.col("width", "height").clip(-(2**31), 2**31 - 1).cast(pl.Int32),  # an impossible size stays impossible
    pl.col("page").str.extract(_FLICKR_PHOTO).alias("flickr_id"),
)
_BOX_COLUMNS = (  # columns of the boxes table that follow from an annotation alone
    pl.col("image_id", "box_id").cast(pl.String),
    pl.col("x", "y", "w", "h", "area").fill_nan(None),
    pl.col("crowd") != 0,
    PLAIN_MASK,
)


class _Image(msgspec.Struct, gc=False):
    id: _Int
    file_name: str
    width: _Int | UnsetType | None = UNSET
    height: _Int | UnsetType | None = UNSET
    license: _Int | UnsetType | None = UNSET
    flickr_url: str | UnsetType | None = UNSET
    coco_url: Raw | UnsetType = UNSET
    date_captured: Raw | UnsetType = UNSET


class _Annotation(msgspec.Struct, gc=False):
    id: _Int
    image_id: _Int
    category_id: _Int
    bbox: tuple[float, float, float, float] | UnsetType | None = UNSET
    area: float | UnsetType | None = UNSET
    iscrowd: _Int | UnsetType | None = UNSET
    segmentation: Raw | UnsetType = UNSET


class _Masked(msgspec.Struct, gc=False):
    segmentation: Raw | UnsetType = UNSET


class _Keypoints(_Annotation, gc=False, kw_only=True):
    keypoints: list[float]
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


_READERS: Mapping[str, Reader] = MappingProxyType(
    {
        **dict.fromkeys(("id", "image_id", "category_id", "iscrowd", "width", "height", "license"), integer),
        **dict.fromkeys(("file_name", "name", "caption", "keypoints"), nothing),
        "bbox": reals(4),
        "area": real_or_infinite,
    }
)
"""Readers of fields that have another type than stated, in every section; fields without a reader are not needed."""

_IDENTITY = {"images": frozenset({"id", "file_name"}), "annotations": frozenset({"image_id"})}
"""Fields without which a record of a section cannot be used."""

_JUDGED = frozenset({"bbox", "area", "category_id", "license"})
"""Fields whose loss shows in the tables and is judged by its own rule, or does not matter to a detector."""

_ANNOTATION_TYPES: Mapping[Kind, type[msgspec.Struct]] = {
    "instances": _Annotation,
    "person_keypoints": _Keypoints,
    "captions": _Caption,
}


@dataclass(frozen=True, slots=True)
class CocoDocument:
    """One `instances_*.json`.

    Attributes:
        info: The `info` object; empty if there is none.
        licenses: The `licenses` records with all their fields.
        licence_addresses: The licences' addresses by id.
        categories: The `categories` records with all their fields.
        extra: Further top-level values by key, as the bytes of the file.
    """

    info: Mapping[str, Any]
    licenses: list[dict[str, Any]]
    licence_addresses: Mapping[int, str | None]
    categories: list[dict[str, Any]]
    extra: Mapping[str, Raw] = field(repr=False)
    _sections: Sections[Future[pl.DataFrame]] = field(repr=False)
    _tables: Tables = field(repr=False)

    def tables(self) -> Tables:
        """Return the images and boxes; boxes in absolute pixels, xywh, as published.

        `label` is null if no category has the annotation's `category_id`; `x`, `y`, `w`, `h` are null if it has no
        `bbox`. A missing `iscrowd` is False, as in pycocotools.
        """
        return self._tables

    def images(self) -> list[Raw]:
        """Return the `images` records as the exact bytes of the file; record i is row i of `tables().images`.

        The file is read again, as for `annotations` and `masks`.

        Raises:
            FormatError: The file has changed.
            OSError: The file is missing.
        """
        return self._sections.records("images")

    def annotations(self) -> list[Raw]:
        """Return the `annotations` records as the exact bytes of the file; record i is row i of `tables().boxes`."""
        return self._sections.records("annotations")

    def masks(self, rows: pl.Series) -> pl.DataFrame:
        """Return the mask columns for some rows of `tables().boxes`, for a document that was read without them."""
        annotations, decode = self.annotations(), msgspec.json.Decoder(_Masked).decode
        parts = [
            _texts(*_joined([decode(annotations[row]).segmentation for row in rows[start : start + _CHUNK]]))
            for start in range(0, max(len(rows), 1), _CHUNK)
        ]
        return pl.concat(parts, rechunk=False).to_frame("segmentation").with_columns(PLAIN_MASK)


@dataclass(frozen=True, slots=True)
class Counts:
    """The number of records in a COCO file, and their odd fields (schema `formats.tables.ODD`)."""

    images: int
    annotations: int
    odd: pl.DataFrame = field(default_factory=ODD.to_frame, compare=False)


def read_instances(
    path: Path, *, split: str, image_dir: str, annotated: bool = True, masks: bool = True
) -> CocoDocument:
    """Read an `instances_*.json`, or an `image_info_*.json`, which lists images without annotations.

    Args:
        path: The file.
        split: Value of the tables' `split` column, for example "val2017".
        image_dir: Directory of the images relative to DATA_DIR, for example "coco_raw/val2017".
        annotated: False for an `image_info_*.json`, which has no annotations.
        masks: False leaves `segmentation` and `plain_mask` null in the tables, which saves most of their memory;
            `CocoDocument.masks` reads them later.

    Raises:
        FormatError: The syntax is broken, an object has a key twice, or a section is missing or no list. The text
            names the place.
    """
    sections = _sections(path, annotated=annotated, masks=masks)
    licenses = sections.small("licenses", _License, _READERS)
    addresses = {each.id: each.url for each in licenses if each.id is not None}
    sections.value("categories", list[Raw])  # it must be a list
    names = _names(sections.small("categories", _Category, _READERS), path.name)
    sections.check_keys()
    images = pl.concat(each.result() for each in sections.made.pop("images"))
    boxes = pl.concat((each.result() for each in sections.made.pop("annotations")), rechunk=False)
    odd = sections.oddities
    images = _placed(images, "image_id", split, "images").with_columns(
        *odd.columns("images", identity=_IDENTITY["images"], judged=_JUDGED),
        source=pl.lit(SOURCE),
        split=pl.lit(split),
        path=image_dir + "/" + pl.col("file_name"),
        license=_named("license", addresses),
    )
    boxes = _placed(boxes, "box_id", split, "annotations").with_columns(
        *odd.columns("annotations", identity=_IDENTITY["annotations"], judged=_JUDGED),
        source=pl.lit(SOURCE),
        split=pl.lit(split),
        label=_named("category_id", names),
    )
    records = {
        "images": images.height,
        "annotations": boxes.height,
        **{name: len(sections.as_list(name)) for name in ("categories", "licenses")},
    }
    return CocoDocument(
        info=sections.as_object("info"),
        licenses=[each for each in sections.as_list("licenses") if isinstance(each, dict)],
        licence_addresses=addresses,
        categories=[each for each in sections.as_list("categories") if isinstance(each, dict)],
        extra={key: value for key, value in sections.values.items() if key not in _SECTIONS},
        _sections=sections,
        _tables=Tables(conform(images, IMAGES), conform(boxes, BOXES), odd.table(split, records)),
    )


def _sections(path: Path, *, annotated: bool, masks: bool) -> Sections[Future[pl.DataFrame]]:
    """Read the sections; those of images and annotations become tables piece by piece."""

    def later(made: tuple[pl.DataFrame, int], *columns: pl.Expr) -> tuple[Future[pl.DataFrame], int]:
        frame, keys = made
        return pool.submit(frame.with_columns, *columns), keys

    with ThreadPoolExecutor(1, thread_name_prefix="columns") as pool:  # Polars works while the next piece is decoded
        longs = {
            "annotations": Long(
                _Annotation, lambda records: later(_box_rows(records, masks=masks), *_BOX_COLUMNS), _READERS
            ),
            "images": Long(_Image, lambda records: later(_image_rows(records), *_IMAGE_COLUMNS), _READERS),
        }
        return Sections(path, longs, absent=() if annotated else ("annotations", "categories"))


def _names(categories: list[_Category], file: str) -> dict[int, str]:
    """Return the categories' names by id; the boxes of a category that cannot be read have no known class."""
    named = {(each.id, each.name) for each in categories if each.id is not None and each.name is not None}
    names = dict(named)
    if len(names) < len(named):
        raise FormatError(f"{file}: $.categories: two have one id, so the class of its boxes is unknown")
    return names


def _placed(frame: pl.DataFrame, column: str, split: str, section: str) -> pl.DataFrame:
    """Identify records whose id could not be read by their place, which is unique in the dataset."""
    if not frame[column].null_count():
        return frame
    place = pl.format("{}:{}[{}]", pl.lit(split), pl.lit(section), pl.int_range(pl.len()))
    return frame.with_columns(pl.coalesce(column, place).alias(column))


def check_parses(path: Path, kind: Kind) -> Counts:
    """Check that one of COCO's files can be read; count its records and odd fields.

    Raises:
        FormatError: As `read_instances`.
    """

    def counted(record: type[msgspec.Struct]) -> Long[int]:
        return Long(record, lambda records: (len(records), count_keys(records, record) + nested(records)), _READERS)

    def nested(records: list[Any]) -> int:
        return _rle_keys(*_joined([each.segmentation for each in records if isinstance(each, _Annotation)]))

    sections = Sections(path, {"annotations": counted(_ANNOTATION_TYPES[kind]), "images": counted(_Image)})
    sections.check_keys()
    counts = {name: sum(made) for name, made in sections.made.items()}
    return Counts(**counts, odd=sections.oddities.table("", counts))


def write_instances(path: Path, document: CocoDocument) -> None:
    """Write a document back: every record and field that was read, known or not, with its numbers as in the file."""
    write_document(
        path,
        info=document.info,
        licenses=document.licenses,
        images=document.images(),
        annotations=document.annotations(),
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
        licenses: Records of `licenses`: mappings, msgspec structs or `msgspec.Raw` bytes, as in the other sections.
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


def _image_rows(records: list[_Image]) -> tuple[pl.DataFrame, int]:
    def given(values: list[Any]) -> list[Any]:
        return [None if value is UNSET else value for value in values]

    frame = pl.DataFrame(
        {
            "image_id": pl.Series([each.id for each in records], dtype=pl.Int64),
            "file_name": pl.Series([each.file_name for each in records], dtype=pl.String),
            "width": pl.Series(given([each.width for each in records]), dtype=pl.Int64),
            "height": pl.Series(given([each.height for each in records]), dtype=pl.Int64),
            "license": pl.Series(given([each.license for each in records]), dtype=pl.Int64),
            "page": pl.Series(given([each.flickr_url for each in records]), dtype=pl.String),
        }
    )
    return frame, count_keys(records, _Image)


def _box_rows(records: list[_Annotation], *, masks: bool) -> tuple[pl.DataFrame, int]:
    boxes, no_boxes = _boxes([each.bbox for each in records])
    areas, no_areas = _numbers([each.area for each in records], np.float64, missing=np.nan)
    crowds, no_crowds = _numbers([each.iscrowd for each in records], np.int64, missing=0)
    raws = [each.segmentation for each in records]
    texts, offsets = _joined(raws)
    frame = pl.DataFrame(
        {
            "image_id": pl.Series([each.image_id for each in records], dtype=pl.Int64),
            "box_id": pl.Series([each.id for each in records], dtype=pl.Int64),
            "category_id": pl.Series([each.category_id for each in records], dtype=pl.Int64),
            **{name: pl.Series(boxes[:, i]) for i, name in enumerate("xywh")},
            "area": pl.Series(areas),
            "crowd": pl.Series(crowds),
            "segmentation": _texts(texts, offsets) if masks else pl.Series([None] * len(records), dtype=pl.String),
        }
    )
    missing = no_boxes + no_areas + no_crowds + raws.count(UNSET)
    return frame, len(records) * len(_Annotation.__struct_fields__) - missing + _rle_keys(texts, offsets)


def _rle_keys(texts: bytes, offsets: NDArray[np.int64]) -> int:
    """Return the number of keys in those joined masks that are objects: an RLE has counts and a size."""
    return 2 * int(np.count_nonzero(_firsts(texts, offsets) == ord("{")))


def _boxes(values: list[Any]) -> tuple[NDArray[np.float64], int]:
    """Return boxes as an array (n, 4), NaN for a record without one, and the number of records without the field."""
    try:
        numbers, missing = np.fromiter(chain.from_iterable(values), np.float64, 4 * len(values)), 0
    except TypeError:  # some have none
        given = chain.from_iterable(value or _NO_BOX for value in values)
        numbers, missing = np.fromiter(given, np.float64, 4 * len(values)), values.count(UNSET)
    return numbers.reshape(-1, 4), missing


def _numbers(values: list[Any], dtype: type[np.number[Any]], *, missing: float) -> tuple[NDArray[Any], int]:
    """Return a field as an array, and the number of records without it."""
    try:
        return np.fromiter(values, dtype, len(values)), 0
    except TypeError:  # some have none
        given = [missing if value is UNSET or value is None else value for value in values]
        return np.fromiter(given, dtype, len(values)), values.count(UNSET)


def _named(column: str, names: Mapping[int, str | None]) -> pl.Expr:
    """Return names instead of ids; null for an id that has none."""
    return pl.col(column).replace_strict(list(names), list(names.values()), default=None, return_dtype=pl.String)


def _joined(raws: list[Any]) -> tuple[bytes, NDArray[np.int64]]:
    """Return JSON texts joined into one, and n + 1 offsets; masks are copied at once, being most of a file's bytes."""
    given = [b"" if raw is UNSET else raw for raw in raws] if UNSET in raws else raws
    offsets = np.zeros(len(given) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, given), np.int64, len(given)), out=offsets[1:])
    return b"".join(given), offsets


def _firsts(joined: bytes, offsets: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the first byte of each text; 0 for an empty one."""
    firsts = np.zeros(len(offsets) - 1, np.uint8)
    given = np.diff(offsets) > 0
    firsts[given] = np.frombuffer(joined, np.uint8)[offsets[:-1][given]]
    return firsts


def _texts(joined: bytes, offsets: NDArray[np.int64]) -> pl.Series:
    """Return masks as JSON text; null if the field is missing or is the word null, the only text that begins so."""
    given = ~np.isin(_firsts(joined, offsets), (0, ord("n")))
    if not joined.isascii():  # then pycocotools cannot read some mask; text must be valid UTF-8
        parts = (joined[start:end].decode("utf-8", "replace") for start, end in pairwise(offsets))
        values = [part if there else None for part, there in zip(parts, given, strict=True)]
        return pl.Series(values, dtype=pl.String)
    valid = pa.py_buffer(np.packbits(given, bitorder="little"))
    array = pa.LargeStringArray.from_buffers(len(given), pa.py_buffer(offsets), pa.py_buffer(joined), valid)
    return pl.Series(array, dtype=pl.String)
