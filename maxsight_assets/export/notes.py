"""Keep notes of the exports in the project's own cache directory, so that `status` can report them."""

import hashlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from maxsight_assets import disk
from maxsight_assets.export.directory import exported_version
from maxsight_assets.places import Places
from maxsight_assets.publishing.manifest import now

Form = Literal["maxsight", "yolo"]

_log = logging.getLogger(__name__)


class _Note(msgspec.Struct):
    form: Form
    directory: str
    data_version: str
    exported_at: str


@dataclass(frozen=True, slots=True)
class Export:
    """One export that was made of the splits of this project.

    Attributes:
        form: The format of the export.
        directory: The directory of the export.
        data_version: Data version of the splits that were exported.
        exported_at: Time of the export, ISO 8601, UTC.
        is_there: Whether the directory still holds that export.
    """

    form: Form
    directory: Path
    data_version: str
    exported_at: str
    is_there: bool


def note(places: Places, form: Form, out: Path, data_version: str) -> None:
    """Note an export; a later export to the same directory replaces the note.

    If DATA_DIR is mounted read-only, no note is kept, and the export succeeds nevertheless.
    """
    folder = _folder(places)
    said = _Note(form, str(out), data_version, now())
    name = hashlib.sha256(os.fsencode(out)).hexdigest()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        disk.write_atomic(folder / f"{name}.json", msgspec.json.encode(said), scratch=folder / f".{disk.unique_name()}")
    except OSError as error:
        _log.warning("%s: the export is not noted there (%s); it is whole", folder, error.strerror)


def noted(places: Places) -> list[Export]:
    """Return every noted export, by directory; a note that cannot be read is skipped."""
    found = []
    for path in _folder(places).glob("*.json"):
        try:
            said = msgspec.json.decode(path.read_bytes(), type=_Note)
        except (OSError, msgspec.MsgspecError):
            continue
        out = Path(said.directory)
        is_there = exported_version(out, said.form) == said.data_version
        found.append(Export(said.form, out, said.data_version, said.exported_at, is_there))
    return sorted(found, key=lambda export: export.directory)


def _folder(places: Places) -> Path:
    return places.state / "exports"
