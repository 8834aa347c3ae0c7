"""Paths of the published directories of a project, and notes of all directories that splits were published in."""

import hashlib
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from maxsight_assets.settings import Settings


@dataclass(frozen=True, slots=True)
class Places:
    """Directories of one project, as absolute paths.

    Attributes:
        data_dir: Root of all datasets; `file_name` in every split is relative to it.
        splits: The published directory of the training splits.
        state: Caches that can be made again, and notes of where splits were published.
        audio: Root of the audio files that belong to images; None if there are none.
    """

    data_dir: Path
    splits: Path
    state: Path
    audio: Path | None = None

    @classmethod
    def of(cls, settings: Settings) -> "Places":
        """Return the places that the settings name."""
        return cls(settings.data_dir, settings.splits_dir, settings.state_dir, settings.audio_dir)

    @property
    def evaluation(self) -> Path:
        """The published directory of the evaluation sets."""
        return self.data_dir / "inference_eval"

    @property
    def detections(self) -> Path:
        """Where detectors' results are dropped, as `<condition>/<set>.json`."""
        return self.data_dir / "detections"

    @property
    def results(self) -> Path:
        """The published directory of the evaluations of these files."""
        return self.data_dir / "evaluation_results"

    @property
    def facts(self) -> Path:
        """Cache of the facts about each image's content."""
        return self.state / "image_facts.parquet"

    @property
    def world(self) -> Path:
        """Directory of the embedded upstream."""
        return self.state / "sample_upstream"

    @property
    def notes(self) -> Path:
        """Directory of notes, one for each directory that names images of this DATA_DIR."""
        return self.state / "published"

    def note(self, directory: Path) -> None:
        """Note that a published directory names images of this DATA_DIR; see `noted`."""
        inside = directory.is_relative_to(self.data_dir)  # then it moves with DATA_DIR
        text = str(directory.relative_to(self.data_dir) if inside else directory)
        note = self.notes / hashlib.sha256(os.fsencode(text)).hexdigest()[:16]
        if note.exists():
            return
        self.notes.mkdir(parents=True, exist_ok=True)
        partial = note.with_name(f".{uuid.uuid4().hex}")
        partial.write_bytes(os.fsencode(text))
        partial.replace(note)

    def noted(self) -> Mapping[Path, Path]:
        """Return every directory in which splits or evaluation sets were ever published, with its note.

        SPLITS_DIR may have another value today, or lie on a drive that is not mounted.
        """
        found = self.notes.iterdir() if self.notes.is_dir() else ()
        notes = sorted(note for note in found if not note.name.startswith("."))
        return {self.data_dir / os.fsdecode(note.read_bytes()): note for note in notes}
