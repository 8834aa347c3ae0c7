"""Reads JSON as annotation files need it: typed, bounded in memory, and with the place of each fault.

msgspec does the work. It does not report where a syntax error is, or whether an object repeats a key; a slow scan finds
these, and runs only if something is wrong. The format modules know what the documents mean.
"""

import codecs
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from maxsight_assets.errors import FormatError

T = TypeVar("T")

MAX_BYTES = 2 * 2**30
"""Largest file that is read: over four times COCO's largest (instances_train2017.json, 448 MB)."""

_TOKEN = re.compile(rb'\[[-+.0-9eE,\s]*\]|"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},]', re.DOTALL)
_LITERAL = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|NaN|-?Infinity', re.DOTALL)
_STAND_IN = re.compile(rb"\{(\r+)\}")
_WRITTEN = {1: b"NaN", 6: b"Infinity", 7: b"-Infinity"}
_SPACED = re.compile(rb'"[ \t\r\n]+:')
_MAX_PLACE_PARTS = 8
_READ = 2**24
_BLOCK = 2**18  # bytes that stay in a processor's cache


def state_of(path: Path) -> tuple[int, int]:
    """Return a file's size in bytes and time of last change (ns), so that a later call can detect a change.

    Raises:
        FormatError: The file is larger than `MAX_BYTES`.
    """
    facts = path.stat()
    if facts.st_size > MAX_BYTES:
        raise FormatError(
            f"{path.name}: {facts.st_size:,} bytes, more than the {MAX_BYTES:,} that an annotation file may have"
        )
    return facts.st_size, facts.st_mtime_ns


def read_bytes(path: Path) -> memoryview:
    """Read a JSON file whole, by several threads, since new memory costs more time than the file.

    Raises:
        FormatError: The file is larger than `MAX_BYTES`.
    """
    size, _ = state_of(path)
    data = np.empty(size, np.uint8).data

    def fill(start: int) -> int:
        with path.open("rb", buffering=0) as file:
            file.seek(start)
            return file.readinto(data[start : start + _READ])

    with ThreadPoolExecutor(4) as pool:
        if sum(pool.map(fill, range(0, size, _READ))) != size:
            raise FormatError(f"{path.name}: changed while it was read; read it again")
    return data


def tolerate_literals(data: memoryview) -> bool:
    """Replace each literal NaN, Infinity and -Infinity, which Python's json writes, by an empty object.

    No field of ours is an object without fields, so the field counts as unreadable. The object is as long as the
    literal, so that places stay. It holds only carriage returns, which no publisher writes, so that `as_written` can
    turn it back.

    Args:
        data: The document; it is changed in place.

    Returns:
        Whether there was such a literal.
    """
    found = False
    for match in _LITERAL.finditer(data):
        start, end = match.span()
        if data[start] != ord('"'):
            data[start:end] = b"{" + b"\r" * (end - start - 2) + b"}"
            found = True
    return found


def as_written(value: msgspec.Raw) -> str:
    """Return the text of a value as it stands in the file, on one line."""
    text = _STAND_IN.sub(lambda match: _WRITTEN.get(len(match[1]), match[0]), bytes(value))
    return " ".join(text.decode("utf-8", "replace").split())


def decode(data: bytes | memoryview | msgspec.Raw, decoder: msgspec.json.Decoder[T], *, name: str, at: str = "$") -> T:
    """Decode JSON of a stated type.

    Args:
        data: The document, or a part of it.
        decoder: A msgspec decoder of the wanted type.
        name: Name of the file in errors.
        at: Path of `data` in the document, for example "$.annotations[17]".

    Raises:
        FormatError: The syntax is broken (a missing comma, a truncated file), a type is wrong, or the nesting is
            deeper than in any annotation. The text names the place.
    """
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        what, _, inner = str(error).partition(" - at `$")
        raise FormatError(f"{name}: {at}{inner.rstrip('`')}: {what}") from None
    except UnicodeDecodeError:
        raise FormatError(f"{name}: {at}: text that is not UTF-8") from None
    except RecursionError:
        raise FormatError(f"{name}: {at}: nested too deep for an annotation file") from None
    except msgspec.DecodeError as error:
        raw = bytes(data) if isinstance(data, msgspec.Raw) else data
        if bytes(raw[:3]) == codecs.BOM_UTF8:
            raise FormatError(f"{name}: {at}: a byte order mark, which is no JSON; save the file without it") from None
        offset = re.search(r"\(byte (\d+)\)", str(error))
        end = int(offset[1]) if offset else len(raw)
        place = at + (_scan(raw, end, until_duplicate=False) or "")
        raise FormatError(f"{name}: {place}: {error}; fetch the file again, or correct it there") from None


def decode_tolerant(data: memoryview, decoder: msgspec.json.Decoder[T], *, name: str) -> T:
    """Decode a document as `decode` does; if it is broken, decode it again with NaN and Infinity tolerated."""
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        tolerate_literals(data)
    return decode(data, decoder, name=name)


def keys_of(raw: msgspec.Raw) -> int:
    """Count the keys in a record's text; a number out of range makes the count too low, so that the text is scanned."""
    try:
        return count_keys(msgspec.json.decode(raw))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return 0


def check_keys(data: bytes | memoryview, expected: int, *, name: str) -> None:
    """Refuse a document in which an object has the same key twice, which JSON parsers resolve silently.

    Args:
        data: The document, syntactically sound.
        expected: Number of keys that were seen in all of its objects. If the text has as many `":`, and no blank before
            a colon, no key can have been lost, and the slow scan is not needed.
        name: Name of the file in errors.

    Raises:
        FormatError: An object has a key twice; the text names the place of the second occurrence.
    """
    if keys_in(data) == expected:
        return
    place = _scan(data, len(data), until_duplicate=True)
    if place is not None:
        raise FormatError(f"{name}: ${place}: this key stands twice in the same object; correct the file")


def keys_in(data: bytes | memoryview) -> int:
    """Return the number of colons after a quote, with or without blanks between: the keys, unless text holds such, too.

    Faster than `bytes.count` if there are many and no colon has a blank before it (docs/benchmarks.md).
    """
    codes = np.frombuffer(data, np.uint8)
    keys = blanks = 0
    for start in range(0, len(data), _BLOCK):
        before, colon = codes[start : start + _BLOCK], codes[start + 1 : start + _BLOCK + 1] == ord(":")
        keys += int(np.count_nonzero((before[: len(colon)] == ord('"')) & colon))
        blanks += int(np.count_nonzero((before[: len(colon)] <= ord(" ")) & colon))
    return keys + (len(_SPACED.findall(data)) if blanks else 0)


def count_keys(value: object) -> int:
    """Return the number of keys in all objects of a decoded value, for `check_keys`."""
    if isinstance(value, dict):
        return len(value) + sum(map(count_keys, value.values()))
    return sum(map(count_keys, value)) if isinstance(value, list) else 0


def _scan(data: bytes | memoryview, end: int, *, until_duplicate: bool) -> str | None:
    """Walk the tokens of a document up to byte `end`.

    Returns:
        With `until_duplicate`, the path of the first key that its object has already, or None; otherwise the path of
        byte `end`. Paths have the form ".annotations[17].bbox".
    """
    frames: list[_Frame] = []
    for match in _TOKEN.finditer(data, 0, end):
        token = match[0]
        top = frames[-1] if frames else None
        if token == b"{" or token == b"[":
            frames.append(_Frame(is_object=token == b"{"))
        elif token == b"}" or token == b"]":
            if frames:
                frames.pop()
        elif top is None:
            continue
        elif token == b",":
            top.advance()
        elif top.wants_key and token[:1] == b'"' and top.enter(token) and until_duplicate:
            return _place(frames)
    return None if until_duplicate else _place(frames)


class _Frame:
    """An object or array that the scan is inside."""

    __slots__ = ("at", "is_object", "seen", "wants_key")

    def __init__(self, *, is_object: bool) -> None:
        self.is_object = is_object
        self.wants_key = is_object
        self.at: Any = "" if is_object else 0
        self.seen: set[str] = set()

    def advance(self) -> None:
        if self.is_object:
            self.wants_key = True
        else:
            self.at += 1

    def enter(self, token: bytes) -> bool:
        """Take a key; return whether the object has it already."""
        self.at = token[1:-1].decode("utf-8", "replace")
        if "\\" in self.at:
            self.at = str(msgspec.json.decode(token))
        self.wants_key = False
        known = self.at in self.seen
        self.seen.add(self.at)
        return known


def _place(frames: list[_Frame]) -> str:
    parts = [f".{frame.at}" if frame.is_object else f"[{frame.at}]" for frame in frames]
    shown = [part[:80] for part in parts[:_MAX_PLACE_PARTS] if part != "."]
    return "".join(shown) + ("..." if len(parts) > _MAX_PLACE_PARTS else "")
