"""JSON documents of a few sections, some of them long lists of records: the form of COCO's files.

A long list is read and decoded a piece at a time. Each piece is dropped when its columns are made, so that a sound
file is never held whole in memory. The format modules know what the records mean.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from io import BufferedReader
from operator import attrgetter
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import UNSET, Raw

from maxsight_assets.errors import FormatError
from maxsight_assets.formats import strict_json
from maxsight_assets.formats.odd import Oddities, Reader, RecordReader

T = TypeVar("T")
_Value = TypeVar("_Value")

_PIECE_BYTES = 8 * 2**20
_PIECE_RECORDS = 20_000
_BETWEEN = re.compile(rb"\}\s*,\s*\{")
_TRAILING = re.compile(r"trailing characters \(byte (\d+)\)")  # the place at which a list ends and more text follows
_NEAR_END = 2**16  # bytes at the end of a piece that are searched first for a record's end or a list's head
_FAR = 2**26  # bytes without either, after which the slow way takes less time
_TAKEN = b'"taken out"'


@dataclass(frozen=True, slots=True)
class Long(Generic[T]):
    """A section that is a long list.

    Attributes:
        record: msgspec type of one record.
        make: Returns what to keep of some records, and the number of keys in their JSON (see `count_keys`).
        readers: Readers of values of another type than stated, by field (`formats.odd`).
    """

    record: type[msgspec.Struct]
    make: Callable[[list[Any]], tuple[T, int]]
    readers: Mapping[str, Reader] = field(default_factory=dict)


class Sections(Generic[T]):
    """A document that was read: for each long section what `Long.make` returned, for the others their text.

    Attributes:
        made: Results for the pieces of each long section, in their order; at least one piece, which may be empty.
        values: The other top-level values by key.
        oddities: Fields of another type than their format states. A record may lose such a field; the file is read.
    """

    def __init__(self, path: Path, longs: Mapping[str, Long[T]], *, absent: Collection[str] = ()) -> None:
        """Read a document.

        Args:
            path: The file.
            longs: The long sections by their key.
            absent: Keys of sections that may be missing; a missing one is an empty list.

        Raises:
            FormatError: The syntax is broken, a section is missing or no list, or an object of a long section has a
                key twice (`check_keys` checks the other sections). The text names the place.
        """
        self._path = path
        self._name = path.name
        self._state = strict_json.state_of(path)
        self._absent = {name: Raw(b"[]") for name in absent}
        self._begin(longs)
        values = self._quickly(longs)
        if values is None:
            self._begin(longs)
            values = self._slowly(longs)
        self._check_unchanged()
        self._keys += len(values)
        self.values = {name: value for name, value in (self._absent | values).items() if name not in longs}

    def value(self, name: str, type_: type[_Value]) -> _Value:
        """Decode one of the other sections."""
        return self._decode(self.values, name, type_)  # type: ignore[no-any-return]

    def small(self, name: str, type_: type[_Value], readers: Mapping[str, Reader]) -> list[_Value]:
        """Decode the records of a short list; odd ones are read as in long lists. Empty if there is no such list."""
        if bytes(self.values.get(name, b""))[:1] != b"[":
            return []
        reader = RecordReader(type_, readers, name, self._name, self.oddities)
        return reader.read(self._decode(self.values, name, list[Raw]), 0)[0]

    def as_list(self, name: str) -> list[Any]:
        """Return the items of a list that no reader needs; empty if there is no such list."""
        value = self._value(name)
        return value if isinstance(value, list) else []

    def as_object(self, name: str) -> dict[str, Any]:
        """Return an object that no reader needs; an empty one if there is none."""
        value = self._value(name)
        return value if isinstance(value, dict) else {}

    def _value(self, name: str) -> Any:
        """Return one of the other sections; None if it is missing or holds a number out of range."""
        try:
            return msgspec.json.decode(self.values.get(name, b"null"))
        except msgspec.ValidationError:
            return None

    def records(self, name: str) -> list[Raw]:
        """Return the records of a long section as the exact bytes of the file, which is read again.

        Raises:
            FormatError: The file has changed.
            OSError: The file is missing.
        """
        return self._decode(self._absent | self._top(self._whole()), name, list[Raw])  # type: ignore[no-any-return]

    def check_keys(self) -> None:
        """Refuse a document in which one object has a key twice."""
        others = sum(strict_json.count_keys(self._value(name)) for name in self.values)
        if self._in_text != self._keys + others:
            strict_json.check_keys(self._whole(), self._keys + others, name=self._name)

    def _begin(self, longs: Mapping[str, Long[T]]) -> None:
        self.made: dict[str, list[T]] = {name: [] for name in longs}
        self.oddities = Oddities()
        self._keys = 0  # that were seen in objects
        self._in_text = 0  # that the text has

    def _quickly(self, longs: Mapping[str, Long[T]]) -> dict[str, Raw] | None:
        """Read a sound document; return None if anything is odd, so that `_slowly` reads it or names the fault."""
        try:
            rest = self._take_out(longs)
            values = None if rest is None else msgspec.json.decode(rest, type=dict[str, Raw])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        if rest is None or values is None:
            return None
        if any(bytes(values[name]) != _TAKEN if name in values else name not in self._absent for name in longs):
            return None
        self._in_text += strict_json.keys_in(rest)
        return values

    def _take_out(self, longs: Mapping[str, Long[T]]) -> bytes | None:
        """Keep the records of the long lists; return the document with a mark in place of each list."""
        wanted, rest, text, seen = dict(longs), [], b"", 0
        with self._path.open("rb") as file:
            while wanted:
                begins = rb'"(%s)"\s*:\s*\[' % "|".join(wanted).encode()
                found = re.compile(begins).search(text, seen)
                if found:
                    rest += [text[: found.end() - 1], _TAKEN]
                    name = found[1].decode()
                    after = self._take_list(file, text[found.end() :], name, wanted.pop(name))
                    if after is None:
                        return None
                    text, seen = after, 0
                    continue
                more = file.read(_PIECE_BYTES)
                if not more and wanted.keys() <= self._absent.keys():
                    break
                if not more or len(text) > _FAR:
                    return None
                text, seen = text + more, max(0, len(text) - _NEAR_END)
            for name, long in wanted.items():
                self._keep(name, long, [])
            return b"".join((*rest, text, file.read()))

    def _take_list(self, file: BufferedReader, text: bytes, name: str, long: Long[T]) -> bytes | None:
        """Keep the records of a list that begins with this text; return the text after its end.

        Each piece is cut where a record seems to end. If none ends there, the piece is no sound JSON, and raises.
        """
        decoder = msgspec.json.Decoder(list[long.record])  # type: ignore[name-defined]
        while True:
            more = file.read(_PIECE_BYTES)
            cut = _last_between(more)
            if more and cut is None:
                if len(text) > _FAR:
                    return None
                text += more
                continue
            piece = b"".join((b"[", text, memoryview(more)[: cut.start() + 1 if cut else 0], b"]"))
            try:
                self._keep(name, long, decoder.decode(piece), piece)
            except msgspec.DecodeError as error:
                trailing = _TRAILING.search(str(error))
                if trailing is None:
                    return None
                end = int(trailing[1]) - 1
                self._keep(name, long, decoder.decode(piece[:end]), piece[:end])
                return (text + more)[end - 1 :]
            if cut is None:
                return None
            text = more[cut.end() - 1 :]

    def _slowly(self, longs: Mapping[str, Long[T]]) -> dict[str, Raw]:
        """Read record by record, so that an error names its record."""
        data = self._whole()
        values = self._top(data)
        self._in_text = strict_json.keys_in(data)
        for name, long in longs.items():
            raws = self._decode(self._absent | values, name, list[Raw])
            reader = RecordReader(long.record, long.readers, name, self._name, self.oddities)
            for start in range(0, max(len(raws), 1), _PIECE_RECORDS):
                chunk = raws[start : start + _PIECE_RECORDS]
                records, odd = reader.read(chunk, start)
                self._keep(name, long, records)
                if odd:  # their text may have other keys than their records
                    self._keys += sum(strict_json.keys_of(chunk[row - start]) for row in odd)
                    self._keys -= long.make([records[row - start] for row in odd])[1]
        return values

    def _keep(self, name: str, long: Long[T], records: list[Any], text: bytes = b"") -> None:
        made, keys = long.make(records)
        self.made[name].append(made)
        self._keys += keys
        self._in_text += strict_json.keys_in(text)

    def _whole(self) -> memoryview:
        data = strict_json.read_bytes(self._path)
        self._check_unchanged()
        return data

    def _check_unchanged(self) -> None:
        if strict_json.state_of(self._path) != self._state:
            raise FormatError(f"{self._name}: has changed since it was read first; read it again")

    def _top(self, data: memoryview) -> dict[str, Raw]:
        return strict_json.decode_tolerant(data, msgspec.json.Decoder(dict[str, Raw]), name=self._name)

    def _decode(self, values: Mapping[str, Raw], name: str, type_: Any) -> Any:
        if name not in values:
            raise FormatError(f"{self._name}: $.{name}: missing; this is not a COCO annotation file of the asked kind")
        return strict_json.decode(values[name], msgspec.json.Decoder(type_), name=self._name, at=f"$.{name}")


def _last_between(text: bytes) -> re.Match[bytes] | None:
    """Return the last place that looks like the border of two records."""
    for start in (max(0, len(text) - _NEAR_END), 0):
        if found := list(_BETWEEN.finditer(text, start)):
            return found[-1]
    return None


def count_keys(records: list[Any], record: type[msgspec.Struct]) -> int:
    """Return the number of keys in the JSON of these records that their struct knows."""
    names = record.__struct_fields__
    optional = names[len(names) - len(record.__struct_defaults__) :]
    missing = (list(map(attrgetter(name), records)).count(UNSET) for name in optional)
    return len(records) * len(names) - sum(missing)
