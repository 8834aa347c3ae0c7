"""COCO annotation files, parsed once per content: their tables are kept as Parquet, the masks apart.

An entry is named after the file's sha256, the code of the parsers and the options. It can be deleted at any time: a
missing, damaged or swapped one is made again from the file.
"""

import hashlib
import json
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
from pyarrow.parquet import ParquetFile

from maxsight_assets import disk
from maxsight_assets.edition import edition
from maxsight_assets.formats.coco import CocoDocument, read_instances
from maxsight_assets.formats.tables import BOXES, Tables, conform

_INDEX = "index.json"
_MASKS = ("segmentation", "plain_mask")
_PART_ROWS = 20_000  # of a table that are read at once
_ENTRIES = 8  # that are kept: some versions of the files of one graph


@dataclass(frozen=True, slots=True)
class Parsed:
    """What `CocoDocument` says of an annotation file, but its records.

    Attributes:
        licence_addresses: As `CocoDocument.licence_addresses`.
    """

    licence_addresses: Mapping[int, str | None]
    _tables: Tables
    _masks: Path

    def tables(self) -> Tables:
        """Return the images and boxes, without masks; as `CocoDocument.tables`."""
        return self._tables

    def masks(self, rows: pl.Series) -> pl.DataFrame:
        """Return the mask columns for some rows of `tables().boxes`; ascending, each once."""
        with self._masks.open("rb") as file:  # part by part, since all masks take most of a document's memory
            parts, first = ParquetFile(file), 0
            found = [parts.schema_arrow.empty_table()]  # a file without annotations has no part
            for number in range(parts.num_row_groups):
                part = parts.read_row_group(number)
                mine = rows.filter((rows >= first) & (rows < first + part.num_rows)) - first
                found.append(part if mine.len() == part.num_rows else part.take(mine.to_arrow()))
                first += part.num_rows
        return pl.DataFrame(pa.concat_tables(found))


def read_parsed(path: Path, *, split: str, image_dir: str, annotated: bool, folder: Path) -> "Parsed | CocoDocument":
    """Read an annotation file as `read_instances` does, from its entry if there is one; else make the entry.

    Args:
        path: The file.
        split: As for `read_instances`; the same for `image_dir` and `annotated`.
        image_dir: Directory of the images relative to DATA_DIR.
        annotated: Whether the file has annotations.
        folder: Holds the entries. If it cannot be written, the document is read and nothing is kept.

    Raises:
        FormatError: As `read_instances`.
    """
    said = {"split": split, "image_dir": image_dir, "annotated": annotated, "parsers": edition(("formats",))}
    sha256 = disk.sha256_of(path, hashed=disk.HASHED)[1]
    key = hashlib.sha256(json.dumps([sha256, said], sort_keys=True).encode()).hexdigest()
    entry = folder / key
    known = _recall(entry)
    if known is not None:
        return known
    document = read_instances(path, split=split, image_dir=image_dir, annotated=annotated)
    if disk.sha256_of(path, hashed=disk.HASHED)[1] == sha256:
        with suppress(OSError):
            _keep(entry, document)
            del document  # before the entry is read: one of them is in memory at a time
    return _recall(entry) or read_instances(path, split=split, image_dir=image_dir, annotated=annotated)


def _keep(entry: Path, document: CocoDocument) -> None:
    disk.discard([entry])  # a damaged one
    tables = document.tables()
    parts = {
        "images": tables.images,
        "boxes": tables.boxes.drop(_MASKS),
        "masks": tables.boxes.select(_MASKS),
        "odd": tables.odd,
    }
    partial = entry.with_name(f".{uuid.uuid4().hex}")
    partial.mkdir(parents=True)
    try:
        for name, table in parts.items():
            table.write_parquet(
                _table(partial, name), compression="zstd", compression_level=1, row_group_size=_PART_ROWS
            )
        index = {
            "of": entry.name,
            "licences": list(document.licence_addresses.items()),
            "sha256": {name: disk.sha256_of(_table(partial, name))[1] for name in parts},
        }
        disk.note(partial / _INDEX, json.dumps(index).encode())
        partial.rename(entry)
    finally:
        disk.discard([partial])
    entries = sorted(entry.parent.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    disk.discard(entries[_ENTRIES:])


def _recall(entry: Path) -> Parsed | None:
    text = disk.noted(entry / _INDEX)
    index: dict[str, Any] = {} if text is None else json.loads(text)
    if index.get("of") != entry.name:
        return None
    paths = {name: _table(entry, name) for name in index["sha256"]}
    try:
        found = {name: disk.sha256_of(path, hashed=disk.HASHED)[1] for name, path in paths.items()}
        if found != index["sha256"]:
            return None
        images, boxes, odd = (pl.read_parquet(paths[name], memory_map=False) for name in ("images", "boxes", "odd"))
    except OSError:
        return None
    return Parsed(dict(index["licences"]), Tables(images, conform(boxes, BOXES), odd), paths["masks"])


def _table(entry: Path, name: str) -> Path:
    return entry / f"{name}.parquet"
