"""Where each published directory of a project is."""

from dataclasses import dataclass
from pathlib import Path

from maxsight_assets.settings import Settings


@dataclass(frozen=True, slots=True)
class Places:
    """Directories of one project, as absolute paths.

    Attributes:
        data_dir: Root of all datasets; `file_name` in every split is relative to it.
        splits: The published directory of the training splits.
        state: Caches that can be made again.
        audio: Root of audio files that go with images; None where there are none.
    """

    data_dir: Path
    splits: Path
    state: Path
    audio: Path | None = None

    @classmethod
    def of(cls, settings: Settings) -> "Places":
        """The places that the settings name."""
        return cls(settings.data_dir, settings.splits_dir, settings.state_dir, settings.audio_dir)

    @property
    def evaluation(self) -> Path:
        """The published directory of the evaluation sets."""
        return self.data_dir / "inference_eval"

    @property
    def facts(self) -> Path:
        """Cache of what is in each image file, by content."""
        return self.state / "image_facts.parquet"

    @property
    def world(self) -> Path:
        """Where the embedded upstream is kept."""
        return self.state / "sample_upstream"
