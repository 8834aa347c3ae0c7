"""Fields that have another JSON type than their format states: reads those that can be read without loss.

A sound record costs nothing here: a format's decoder tries first, and only a record that it refuses is read field by
field. Cleaning decides about a record that stays unreadable, and names it in the ledger.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec
import polars as pl
from msgspec import Raw

from maxsight_assets.formats import strict_json
from maxsight_assets.formats.tables import ODD

FIRST = 10
"""Places that are kept for each field; further ones are counted."""

_SHOWN = 40  # characters of a value that are shown
_NUMERAL = re.compile(r"[-+]?\d{1,20}(\.\d{1,20})?([eE][-+]?\d{1,3})?")
_EXACT = 2**53  # a float beyond it may stand for several integers
_FIELDS = msgspec.json.Decoder(dict[str, Raw])
_ANYTHING: msgspec.json.Decoder[Any] = msgspec.json.Decoder()

Reader = Callable[[Any], Any]
"""Returns the meaning of a value that has another type than its field; None, or an `Unread`, if it has no clear one."""


def number(value: object) -> int | float | None:
    """Read a number from a number, its text, a truth value, or a list of just one of these; else return None."""
    if isinstance(value, list) and len(value) == 1:
        return number(value[0]) if not isinstance(value[0], list) else None
    if isinstance(value, str) and _NUMERAL.fullmatch(value.strip()):
        value = float(value) if set(value) & set(".eE") else int(value)
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return value if value.bit_length() < 1024 else None
    return value if isinstance(value, float) and math.isfinite(value) else None


def integer(value: object) -> int | None:
    """Read a whole number of 64 bits, as `number` does: 13.0 gives 13, 13.5 gives None."""
    read = number(value)
    if read is None or read != int(read) or (isinstance(read, float) and abs(read) > _EXACT):
        return None
    return int(read) if -(2**63) <= read < 2**63 else None


def real(value: object) -> float | None:
    """Read a number as a float."""
    read = number(value)
    return None if read is None else float(read)


def truth(value: object) -> bool | None:
    """Read a truth value from a truth value, its word, 1 or 0."""
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    read = number(value)
    return bool(read) if read in (0, 1) else None


def real_or_infinite(value: object) -> "float | Unread":
    """Read a number as a float; infinity, which no file can state, stands in for a value that is no number."""
    read = real(value)
    return Unread(math.inf) if read is None else read


def reals(count: int) -> Reader:
    """Return a reader of a list of `count` numbers."""

    def read(value: object) -> tuple[float, ...] | None:
        items = [real(item) for item in value] if isinstance(value, list) and len(value) == count else []
        return tuple(item for item in items if item is not None) if items and None not in items else None

    return read


def nothing(_: object) -> None:
    """Return None: for this field, no value of another type has a clear meaning."""


@dataclass(frozen=True, slots=True)
class Unread:
    """What a reader returns for a value that cannot be read, if something other than None stands in for it."""

    stand_in: Any


@dataclass(slots=True)
class Oddities:
    """The odd fields of one document.

    Attributes:
        read: Number of records whose odd field was read without loss, by section and field.
        unread: Number of records whose odd field could not be read, by section and field.
        first: Places of the first odd values, with the values, by section and field.
        lost: Fields that could not be read, and their values as text, by section and row.
        places: Paths of the records of a section, by row; "section[row]" for a section without an entry.
    """

    read: Counter[tuple[str, str]] = field(default_factory=Counter)
    unread: Counter[tuple[str, str]] = field(default_factory=Counter)
    first: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    lost: dict[str, dict[int, dict[str, str]]] = field(default_factory=dict)
    places: dict[str, Sequence[str]] = field(default_factory=dict)

    def place(self, section: str, row: int) -> str:
        """Return the path of a record in the document."""
        return self.places[section][row] if section in self.places else f"{section}[{row}]"

    def note(self, section: str, row: int, name: str, value: Raw | None, *, is_read: bool) -> None:
        """Note one odd field of one record; the whole record if the name is empty."""
        text = "missing" if value is None else strict_json.as_written(value)[:_SHOWN]
        (self.read if is_read else self.unread)[section, name] += 1
        places = self.first.setdefault((section, name), [])
        if len(places) < FIRST:
            places.append(f"{self.place(section, row)} ({text})")
        if not is_read:
            self.lost.setdefault(section, {}).setdefault(row, {})[name] = text

    def table(self, split: str, records: Mapping[str, int]) -> pl.DataFrame:
        """Return the table `formats.tables.ODD`.

        Args:
            split: The publisher's split that the document belongs to.
            records: Number of records by section.
        """
        rows = [
            (split, section, name, self.read[section, name], self.unread[section, name], records.get(section, 0), first)
            for (section, name), first in sorted(self.first.items())
        ]
        return pl.DataFrame(rows, schema=ODD, orient="row")

    def columns(self, section: str, *, identity: frozenset[str], judged: frozenset[str]) -> list[pl.Expr]:
        """Return the columns `fault` and `unread` for the table of a section; row i of the table must be record i.

        Args:
            section: The section.
            identity: Fields without which a record cannot be used; the record itself is always one of them.
            judged: Fields whose loss shows in a column that its own rule judges.
        """
        lost = self.lost.get(section, {})

        def text(column: str, wanted: Callable[[str], bool]) -> pl.Expr:
            return _texts(column, {row: _named(fields, wanted) for row, fields in lost.items()})

        return [
            text("fault", lambda name: name in identity or not name),
            text("unread", lambda name: bool(name) and name not in identity | judged),
        ]


def _named(fields: Mapping[str, str], wanted: Callable[[str], bool]) -> str:
    return ", ".join(f"{name or 'record'}: {text}" for name, text in fields.items() if wanted(name))


def _texts(column: str, by_row: Mapping[int, str]) -> pl.Expr:
    rows = {row: text for row, text in by_row.items() if text}
    if not rows:
        return pl.lit(None, dtype=pl.String).alias(column)
    number = pl.int_range(pl.len(), dtype=pl.Int64)
    return number.replace_strict(list(rows), list(rows.values()), default=None, return_dtype=pl.String).alias(column)


_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class RecordReader(Generic[_T]):
    """Reads the records of one section one by one, so that an odd field affects only its record and errors name it.

    Attributes:
        record: msgspec type of one record.
        readers: Readers of values of another type, by field. A field without a reader is not needed: its odd value
            counts as missing and is not noted.
        section: Key of the section in the document.
        name: Name of the file in errors.
        oddities: Collects the odd fields.
    """

    record: type[_T]
    readers: Mapping[str, Reader]
    section: str
    name: str
    oddities: Oddities

    def read(self, raws: Sequence[Raw], first_row: int) -> tuple[list[_T], list[int]]:
        """Decode some records.

        Args:
            raws: Their texts.
            first_row: Row of the first of them in the section.

        Returns:
            The records, with None for each value that could not be read; and the rows of the odd records.

        Raises:
            FormatError: The text is not UTF-8, or is nested more deeply than any annotation. The error names the place.
        """
        decoder = msgspec.json.Decoder(self.record)
        records: list[_T] = []
        odd: list[int] = []
        for row, raw in enumerate(raws, first_row):
            try:
                records.append(decoder.decode(raw))
            except msgspec.ValidationError:
                records.append(self._mended(raw, row))
                odd.append(row)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                strict_json.decode(raw, decoder, name=self.name, at=self._at(row))
        return records, odd

    def _at(self, row: int) -> str:
        return f"$.{self.oddities.place(self.section, row)}"

    def _mended(self, raw: Raw, row: int) -> _T:
        """Read a record field by field."""
        fields: dict[str, Raw] = {}
        is_object = bytes(raw)[:1] == b"{"
        if is_object:
            fields = strict_json.decode(raw, _FIELDS, name=self.name, at=self._at(row))
        else:
            self.oddities.note(self.section, row, "", raw, is_read=False)
        values: dict[str, Any] = {}
        for known in msgspec.structs.fields(self.record):  # type: ignore[arg-type]  # a struct
            if known.name in fields:
                values[known.name] = self._value(known, fields[known.name], row)
                continue
            values[known.name] = None if known.required else known.default
            if known.required and is_object:
                self.oddities.note(self.section, row, known.name, None, is_read=False)
        return self.record(**values)

    def _value(self, known: msgspec.structs.FieldInfo, raw: Raw, row: int) -> Any:
        try:
            return msgspec.json.decode(raw, type=known.type)
        except msgspec.ValidationError:
            reader = self.readers.get(known.name, nothing)
        except (UnicodeDecodeError, RecursionError):
            return strict_json.decode(raw, _ANYTHING, name=self.name, at=f"{self._at(row)}.{known.name}")
        try:
            value = reader(msgspec.json.decode(raw))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):  # a number out of range, odd text
            value = reader(None)
        if known.name not in self.readers:
            return None
        is_read = value is not None and not isinstance(value, Unread)
        self.oddities.note(self.section, row, known.name, raw, is_read=is_read)
        return value.stand_in if isinstance(value, Unread) else value
