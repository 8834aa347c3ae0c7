"""Remember verdicts: the same rules say the same of the same bytes.

A note in the state directory holds the verdicts on one published directory with a digest of all that they follow from.
They count only while every file that they rest on is on disk as it was judged. The note can be deleted at any time.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from maxsight_assets import disk
from maxsight_assets.edition import edition
from maxsight_assets.publishing.manifest import FOLDER, Rows, now, problems
from maxsight_assets.verdict import Verdict

NOTES = "verdicts"
"""Folder of the notes, in the state directory."""

_WHOLE_PACKAGE = (".",)  # a rule's words come from everywhere


@dataclass(frozen=True, slots=True)
class Basis:
    """What the verdicts on a directory follow from, beside the code.

    Attributes:
        said: Pages of the manifests, what the user accepted, and other values that rules look at, as JSON values.
        listed: Directories that must hold just the files of these rows, whatever their bytes.
        read: Directories whose files of these rows must have their bytes.
    """

    said: tuple[Any, ...]
    listed: tuple[tuple[Path, Rows], ...]
    read: tuple[tuple[Path, Rows], ...]

    def digest(self) -> str:
        """Return a digest of the code and of what is said."""
        return hashlib.sha256(json.dumps([edition(_WHOLE_PACKAGE), self.said], sort_keys=True).encode()).hexdigest()

    def holds(self) -> bool:
        """Return whether the files are as they are said to be; a file that this process has hashed is not read."""
        return all(_lists(root, rows) for root, rows in self.listed) and not any(
            problems(root, rows.sums(), hashed=disk.HASHED) for root, rows in self.read
        )


def _lists(root: Path, rows: Rows) -> bool:
    found = {path: entry for path, entry in disk.walk(root) if not path.startswith(f"{FOLDER}/")}
    return found.keys() == rows.keys() and all(entry.is_file(follow_symlinks=False) for entry in found.values())


class Known(msgspec.Struct, frozen=True):
    """A verdict, and when it was given: ISO 8601, UTC."""

    at: str
    verdict: Verdict


class _Note(msgspec.Struct):
    of: str
    verdicts: dict[str, Known]


def recall(note: Path, basis: Basis) -> Mapping[str, Known]:
    """Return the verdicts on just this, by rule; none if a file differs, or if the note cannot be used."""
    try:
        said = msgspec.json.decode(disk.noted(note) or b"", type=_Note)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return {}
    return said.verdicts if said.of == basis.digest() and basis.holds() else {}


def remember(note: Path, basis: Basis, verdicts: Iterable[Verdict], *, known: Mapping[str, Known]) -> None:
    """Note verdicts beside those that are known already, unless the directory is not as its basis says.

    Args:
        note: The note.
        basis: What the verdicts follow from.
        verdicts: The verdicts, just given.
        known: Verdicts on the same basis.
    """
    given = list(verdicts)
    if not given or not basis.holds():
        return
    at = now()
    said = _Note(basis.digest(), {**known, **{each.rule: Known(at, each) for each in given}})
    disk.note(note, msgspec.json.encode(said))


def note_of(state: Path, asset: str, root: Path) -> Path:
    """Return the path of the note on an asset's published directory."""
    return state / NOTES / f"{asset}-{hashlib.sha256(str(root).encode()).hexdigest()[:16]}.json"
