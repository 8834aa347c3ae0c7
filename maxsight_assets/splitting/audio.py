"""Pair images with the audio files that the user keeps beside the datasets, and read the headers of these files.

Optional: reading the headers needs the `audio` extra (soundfile). Nothing here copies or changes a file.
"""

import csv
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path, PurePosixPath

import polars as pl

from maxsight_assets.errors import FormatError, SettingsError

MANIFEST = "audio.csv"
"""Optional table in AUDIO_DIR: `image_id` (the publisher's) and `audio_path` (relative to AUDIO_DIR)."""

ENDINGS = frozenset({".wav", ".flac", ".ogg", ".mp3", ".aiff"})


@dataclass(frozen=True, slots=True)
class Pairing:
    """The audio files of the images.

    Attributes:
        paths: POSIX path of the audio file relative to AUDIO_DIR, by (source, image id).
        unpaired_images: Images without a readable audio file, as "source/image id"; sorted.
        unpaired_files: Audio files that belong to no image; sorted.
        unreadable: The reason why an audio file cannot be read, by its path.
    """

    paths: Mapping[tuple[str, str], str]
    unpaired_images: tuple[str, ...]
    unpaired_files: tuple[str, ...]
    unreadable: Mapping[str, str]


def pair(images: pl.DataFrame, root: Path) -> Pairing:
    """Find the audio file of each image: by the table `audio.csv` if it exists, else by the publisher's id.

    Without that table, the name of an audio file without its suffix is compared with the image's id, and with the name
    of the image file without its suffix.

    Args:
        images: One row an image: `source`, `image_id`, `path`.
        root: AUDIO_DIR.

    Raises:
        SettingsError: AUDIO_DIR does not exist, or soundfile is not installed.
        FormatError: The table lacks a column, or names a file outside AUDIO_DIR.
    """
    if not root.is_dir():
        raise SettingsError(f"AUDIO_DIR={root}: no such directory; correct it, or unset it to go without audio")
    audio = (path for path in sorted(root.rglob("*")) if path.suffix.lower() in ENDINGS and path.is_file())
    files = {path.relative_to(root).as_posix(): path for path in audio}
    odd = {name for name in files if not _is_text(name)}
    files = {name: path for name, path in files.items() if name not in odd}
    by_image = _by_manifest(root / MANIFEST) if (root / MANIFEST).is_file() else _by_name(files)
    wanted: dict[tuple[str, str], str] = {}
    for source, image_id, path in images.select("source", "image_id", "path").sort(pl.all()).iter_rows():
        name = by_image.get(image_id) or by_image.get(PurePosixPath(path).stem)
        if name is not None:
            wanted[source, image_id] = name
    unreadable = {name: fault for name in sorted(set(wanted.values())) if (fault := _fault(files.get(name)))}
    unreadable |= {
        os.fsencode(name).decode("utf-8", "backslashreplace"): "its name is no UTF-8" for name in sorted(odd)
    }
    paths = {key: name for key, name in wanted.items() if name not in unreadable}
    keys = images.select("source", "image_id").sort(pl.all()).iter_rows()
    return Pairing(
        paths=paths,
        unpaired_images=tuple("/".join(key) for key in keys if key not in paths),
        unpaired_files=tuple(sorted(set(files) - set(wanted.values()))),
        unreadable=unreadable,
    )


def _by_manifest(path: Path) -> dict[str, str]:
    names: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for image_id, name in _rows(csv.DictReader(file)):
                if names.setdefault(image_id, name) != name:
                    raise FormatError(f"{MANIFEST}: image {image_id} stands there twice, with different files")
    except (UnicodeDecodeError, csv.Error) as error:
        raise FormatError(f"{MANIFEST}: not a table in UTF-8: {error}") from None
    return names


def _rows(reader: "csv.DictReader[str]") -> Iterator[tuple[str, str]]:
    if not {"image_id", "audio_path"} <= set(reader.fieldnames or ()):
        raise FormatError(f"{MANIFEST}: the columns image_id and audio_path are wanted")
    for row in reader:
        image_id, name = row["image_id"] or "", row["audio_path"] or ""
        if not image_id or not name or PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise FormatError(f"{MANIFEST}: line {reader.line_num}: an image id and a path inside AUDIO_DIR are wanted")
        yield image_id, PurePosixPath(name).as_posix()


def _is_text(name: str) -> bool:
    """Return whether the name of a file is valid UTF-8, so that it can be written into a file."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _by_name(files: Mapping[str, Path]) -> dict[str, str]:
    return {PurePosixPath(name).stem: name for name in sorted(files, reverse=True)}  # the first wins


def _fault(path: Path | None) -> str | None:
    """Return the reason why an audio file cannot be read, judged by its header; None if it can."""
    try:
        soundfile = import_module("soundfile")
    except ImportError:
        raise SettingsError(
            "AUDIO_DIR is set, but soundfile is not installed: pip install 'maxsight-assets[audio]', or unset it"
        ) from None
    if path is None:
        return "there is no such file"
    try:
        header = soundfile.info(str(path))
    except (soundfile.SoundFileError, OSError):
        return "its header is not that of an audio file"
    return None if header.frames > 0 and header.samplerate > 0 else "it has no samples"
