"""Whether a checkpoint's file is whole, judged by its form alone: nothing is unpickled, for that would run its code.

PyTorch writes a checkpoint as a zip archive of stored members (pytorch.org, "Serialization semantics"), so its central
directory and the CRC-32 of each member tell a truncated or damaged one.
"""

import json
import zipfile
import zlib
from pathlib import Path

PICKLE = "data.pkl"
"""Name, below its only folder, of the member without which no checkpoint can be loaded."""

CHUNK_BYTES = 1 << 20

MAX_RATIO = 200
"""Extracted bytes for one byte of the file, above which an archive counts as a bomb; PyTorch compresses nothing."""


def problem(path: Path) -> str | None:
    """Return why a file of a condition is not whole; None if it is, or if its kind has no form to judge."""
    if path.suffix == ".pt":
        return _problem_of_archive(path)
    return _problem_of_json(path) if path.suffix == ".json" else None


def _problem_of_archive(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if sum(each.file_size for each in members) > MAX_RATIO * path.stat().st_size:
                return "its members are far larger than the file"
            if not any(each.filename.rpartition("/")[2] == PICKLE for each in members):
                return f"a zip archive without {PICKLE}, so no checkpoint of PyTorch"
            return next((bad for each in members if (bad := _problem_of_member(archive, each))), None)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        return f"truncated, or no zip archive as PyTorch 1.6 and later write it ({error})"


def _problem_of_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> str | None:
    try:
        with archive.open(member) as stream:
            while stream.read(CHUNK_BYTES):  # reading to the end compares the CRC-32
                pass
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        return f"{member.filename}: damaged ({error})"
    return None


def _problem_of_json(path: Path) -> str | None:
    try:
        json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        return f"truncated, or no JSON ({error})"
    return None
