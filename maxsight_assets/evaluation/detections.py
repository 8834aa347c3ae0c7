"""Read a detections file in either form, and name every record that does not fit the evaluation set.

COCO's results are a list of `{image_id, category_id, bbox, score}`; the box is xywh in absolute pixels. MaxSight's own
inference run writes a predictions document: the image is the stem of its file, the box cxcywh in shares of the image,
and the class counts from 0. It is turned into the first form, so that all else knows only one.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from maxsight_assets.errors import FormatError, some
from maxsight_assets.evaluation.sets import EvaluationSet
from maxsight_assets.formats.strict_json import decode, read_bytes

RESULTS, PREDICTIONS = "coco", "maxsight"
"""The names of the two forms."""

REMEDY = "Correct the program that wrote the file, or drop the records, and put the file in place again."

_NAMED = 1_000
"""Records of one fault that are named; the rest are only counted."""


class _Result(msgspec.Struct, gc=False):
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    score: float


class _Detection(msgspec.Struct, gc=False):
    box: tuple[float, float, float, float]
    category: int = msgspec.field(name="class")
    confidence: float


class _Prediction(msgspec.Struct, gc=False):
    image_id: str
    detections: list[_Detection]
    dataset: str | None = None


class _Predictions(msgspec.Struct):
    predictions: list[_Prediction]


@dataclass(frozen=True, slots=True)
class Detections:
    """What a detector found in an evaluation set.

    Attributes:
        image: Ids of the images, int64 of shape (n,).
        category: Category ids, int64 of shape (n,).
        boxes: float64 of shape (n, 4), xywh in absolute pixels.
        score: float64 of shape (n,), from 0 to 1.
    """

    image: NDArray[np.int64]
    category: NDArray[np.int64]
    boxes: NDArray[np.float64]
    score: NDArray[np.float64]

    @property
    def count(self) -> int:
        """Number of detections."""
        return int(self.image.size)

    def table(self) -> pl.DataFrame:
        """Return them as a table of the columns image, category, x, y, w, h, score."""
        columns = {"image": self.image, "category": self.category}
        corners = {name: np.ascontiguousarray(self.boxes[:, index]) for index, name in enumerate("xywh")}
        return pl.DataFrame(columns | corners | {"score": self.score})

    @classmethod
    def of(cls, table: pl.DataFrame) -> "Detections":
        """Return the detections of such a table."""
        return cls(
            table["image"].to_numpy().astype(np.int64),
            table["category"].to_numpy().astype(np.int64),
            table.select("x", "y", "w", "h").to_numpy().astype(np.float64).reshape(-1, 4),
            table["score"].to_numpy().astype(np.float64),
        )

    def where(self, kept: NDArray[np.bool_]) -> "Detections":
        """Return some of them."""
        return Detections(self.image[kept], self.category[kept], self.boxes[kept], self.score[kept])

    def array(self) -> NDArray[np.float64]:
        """Return them as both engines take them: image, x, y, w, h, score, category; shape (n, 7)."""
        return np.column_stack([self.image, self.boxes, self.score, self.category])

    def results(self) -> Iterator[dict[str, Any]]:
        """Return them as COCO results, in their order."""
        columns = (self.image.tolist(), self.category.tolist(), self.boxes.tolist(), self.score.tolist())
        for image, category, box, score in zip(*columns, strict=True):
            yield {"image_id": image, "category_id": category, "bbox": box, "score": score}


class DetectionsUnfit(FormatError):
    """A detections file does not fit its evaluation set.

    Attributes:
        records: Name and fault of the records, in the order of the file; the first thousand of each fault.
        count: Number of all faults.
    """

    def __init__(self, file: str, records: Sequence[str], count: int) -> None:
        super().__init__(f"{file}: {count:,} records do not fit ({some(records)}). {REMEDY}")
        self.records = tuple(records)
        self.count = count


@dataclass(frozen=True, slots=True)
class Converted:
    """A predictions document as detections.

    Attributes:
        detections: Those whose image is in the set, in the order of the document.
        names: A name for each of them in messages.
        unmatched: Stems of images that the set does not have, or has more than once, with the number of their
            detections.
    """

    detections: Detections
    names: Sequence[str]
    unmatched: Mapping[str, int]


def read_detections(path: Path, evaluated: EvaluationSet, *, name: str | None = None) -> Detections:
    """Read a detections file of either form.

    Args:
        path: The file.
        evaluated: The set that the detector was run on.
        name: What to call the file in messages.

    Raises:
        DetectionsUnfit: Records of the file do not fit the set.
        FormatError: The file is of neither form; the text names the place.
    """
    data, called = read_bytes(path), name or path.name
    if form_of(data) == RESULTS:
        found = _results(data, called)
        _require_fit(found, evaluated, called)
        return found
    converted = convert(_predictions(data, called), evaluated)
    absent = [f"image {stem}: not in {evaluated.name}" for stem in converted.unmatched]
    _require_fit(converted.detections, evaluated, called, names=converted.names, faults=absent)
    return converted.detections


def form_of(data: bytes | memoryview) -> str:
    """Return the form of a document: a list is COCO's results, an object is MaxSight's predictions."""
    return PREDICTIONS if bytes(data[:64]).lstrip()[:1] == b"{" else RESULTS


def convert_file(path: Path, evaluated: EvaluationSet) -> Converted:
    """Turn MaxSight's predictions document into detections; see `convert`.

    Raises:
        FormatError: The file is no such document; the text names the place.
    """
    return convert(_predictions(read_bytes(path), path.name), evaluated)


def convert(predictions: Sequence[_Prediction], evaluated: EvaluationSet) -> Converted:
    """Turn MaxSight's predictions into detections: stem -> image id, shares -> pixels, class -> class + 1."""
    known = evaluated.images.filter(pl.col("stem").is_unique()).select("stem", "id", "width", "height")
    images = {stem: (number, width, height) for stem, number, width, height in known.iter_rows()}
    unmatched: dict[str, int] = {}
    image, shares, size, classes, score, names = [], [], [], [], [], []
    for each in predictions:
        found = images.get(each.image_id)
        if found is None:
            unmatched[each.image_id] = unmatched.get(each.image_id, 0) + len(each.detections)
            continue
        number, width, height = found
        for position, detection in enumerate(each.detections):
            image.append(number)
            shares.append(detection.box)
            size.append((width, height))
            classes.append(detection.category)
            score.append(detection.confidence)
            names.append(f"image {each.image_id}, detection {position}")
    centres = np.array(shares, np.float64).reshape(-1, 4) * np.tile(np.array(size, np.float64).reshape(-1, 2), 2)
    boxes = np.hstack([centres[:, :2] - centres[:, 2:] / 2, centres[:, 2:]])
    made = Detections(
        np.array(image, np.int64), np.array(classes, np.int64) + 1, boxes, np.array(score, np.float64).reshape(-1)
    )
    return Converted(made, names, unmatched)


def _results(data: memoryview, name: str) -> Detections:
    """Decode COCO results into columns."""
    try:
        records = msgspec.json.decode(data, type=list[_Result])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        records = [each for each, _ in _one_by_one(data, name, _Result, key=None)]
    count = len(records)
    return Detections(
        np.fromiter((each.image_id for each in records), np.int64, count),
        np.fromiter((each.category_id for each in records), np.int64, count),
        np.array([each.bbox for each in records], np.float64).reshape(-1, 4),
        np.fromiter((each.score for each in records), np.float64, count),
    )


def _predictions(data: memoryview, name: str) -> list[_Prediction]:
    try:
        return msgspec.json.decode(data, type=_Predictions).predictions
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return [each for each, _ in _one_by_one(data, name, _Prediction, key="predictions")]


def _one_by_one(data: memoryview, name: str, record: type[Any], *, key: str | None) -> Iterator[tuple[Any, int]]:
    """Decode a document that is no sound one, record by record: NaN is read, and every other fault is named.

    Python's own reader takes NaN and Infinity, which detectors write, and which are no JSON.

    Raises:
        DetectionsUnfit: Records are not of their form.
        FormatError: The document as a whole is not.
    """
    try:
        document = json.loads(bytes(data))
    except (ValueError, RecursionError):
        decode(data, msgspec.json.Decoder(), name=name)  # it names the place
        raise FormatError(f"{name}: is no JSON document") from None
    values = document.get(key) if key is not None and isinstance(document, dict) else document
    if not isinstance(values, list):
        wanted = "a list of results" if key is None else f"an object with the list `{key}`"
        raise FormatError(f"{name}: is neither COCO results nor MaxSight's predictions; {wanted} was expected")
    made, faults = [], []
    for index, value in enumerate(values):
        try:
            made.append((msgspec.convert(value, record), index))
        except msgspec.ValidationError as error:
            faults.append(f"record {index}: {error}")
    if faults:
        raise DetectionsUnfit(name, faults[:_NAMED], len(faults))
    yield from made


def _require_fit(
    found: Detections,
    evaluated: EvaluationSet,
    name: str,
    *,
    names: Sequence[str] | None = None,
    faults: Sequence[str] = (),
) -> None:
    """Raise DetectionsUnfit if a detection does not fit the set."""
    named: list[tuple[int, str]] = []
    count = len(faults)
    for says, wrong in _faults(found, evaluated):
        rows = np.flatnonzero(wrong)
        count += rows.size
        called = (f"record {row}" if names is None else names[row] for row in rows[:_NAMED].tolist())
        named += [(row, f"{label}: {says(row)}") for row, label in zip(rows[:_NAMED].tolist(), called, strict=True)]
    if count:
        raise DetectionsUnfit(name, [*faults[:_NAMED], *(text for _, text in sorted(named))], count)


def _faults(found: Detections, evaluated: EvaluationSet) -> Iterator[tuple[Any, NDArray[np.bool_]]]:
    """Return each kind of fault, as a function that says it of a row, with the rows that have it.

    A box that reaches over the edge fits, since detectors draw such boxes; one that lies outside does not.
    """
    numbers = np.isfinite(found.boxes).all(axis=1) & np.isfinite(found.score)
    yield (lambda row: f"box {found.boxes[row].tolist()}, score {found.score[row]}: not a number"), ~numbers
    ids = evaluated.images["id"].to_numpy()
    order = np.argsort(ids)
    place = np.minimum(np.searchsorted(ids, found.image, sorter=order), max(ids.size - 1, 0))
    known = ids[order][place] == found.image if ids.size else np.zeros(found.count, np.bool_)
    yield (lambda row: f"image_id {found.image[row]} is not in {evaluated.name}"), ~known
    labels = np.array(sorted(evaluated.categories), np.int64)
    yield (lambda row: f"category_id {found.category[row]} is no label"), ~np.isin(found.category, labels)
    beyond = numbers & ((found.score < 0) | (found.score > 1))
    yield (lambda row: f"score {found.score[row]} is not from 0 to 1"), beyond
    sized = evaluated.images.select("width", "height").to_numpy()[order[place]] if ids.size else np.zeros((0, 2))
    sizes = sized if found.count else np.zeros((0, 2))
    with np.errstate(invalid="ignore"):
        negative = (found.boxes[:, 2:] < 0).any(axis=1)
        over = found.boxes[:, :2] > sizes if ids.size else np.zeros((found.count, 2), np.bool_)
        under = found.boxes[:, :2] + found.boxes[:, 2:] < 0
    outside = numbers & known & (negative | over.any(axis=1) | under.any(axis=1))
    yield (lambda row: f"box {found.boxes[row].tolist()} is outside of the image"), outside
