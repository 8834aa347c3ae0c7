"""What is kept of evaluations: the standing of each detections file, the last good numbers, and the history.

`standings.json` says what is true now, `history.parquet` has a row an evaluation, and the folder of each file has the
tables behind its last good numbers. A file that is deleted or broken keeps all of that.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec
import polars as pl

from maxsight_assets.errors import FormatError
from maxsight_assets.evaluation.compare import Difference
from maxsight_assets.evaluation.metrics import NUMBERS

STANDINGS, HISTORY = "standings.json", "history.parquet"
CLASSES, CURVES, DETECTIONS, IMAGES = "classes.parquet", "curves.parquet", "detections.parquet", "images.parquet"
SUSPECTS, CONFUSED = "label_suspects.parquet", "confused.parquet"
FILES = (CLASSES, CURVES, DETECTIONS, IMAGES, SUSPECTS, CONFUSED)
"""Files of one detections file, in its folder `<condition>/<set>/`."""

HISTORY_COLUMNS = pl.Schema(
    {
        "condition": pl.String,
        "set": pl.String,
        "evaluated_at": pl.String,
        "detections_sha256": pl.String,
        "set_sha256": pl.String,
        "engine": pl.String,
        "images": pl.Int64,
        "detections": pl.Int64,
        **dict.fromkeys(NUMBERS, pl.Float64),
    }
)

State = Literal["evaluated", "unfit", "gone"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared(Difference):
    """A difference of AP to other detections on the same set.

    Attributes:
        to: `previous`, or the name of the baseline.
        same_set: Whether both were evaluated on one version of the set; otherwise only images that both versions have
            count, and both were evaluated anew on these.
        sha256: Digest of the other detections.
    """

    to: str
    same_set: bool
    sha256: str

    @property
    def text(self) -> str:
        """The difference as a sentence."""
        where = "" if self.same_set else f", on the {self.images:,} images that both versions of the set have"
        verdict = "real" if self.is_real else "within chance"
        return (
            f"AP {self.before:.4f} -> {self.after:.4f} ({self.value:+.4f}, 95 % from {self.low:+.4f} to "
            f"{self.high:+.4f}) against {self.to}: {verdict}{where}"
        )


@dataclass(frozen=True, slots=True)
class Result:
    """The last good evaluation of a detections file.

    Attributes:
        evaluated_at: When, ISO 8601, UTC.
        sha256: Digest of the detections file.
        set_sha256: Digest of the set's annotations.
        engine: Name and version of the program.
        images: Number of images. `detections`: number of detections.
        numbers: The 12 numbers by name.
        slices: Number of images and AP by the name of the slice.
        open_images: Mean AP by Open Images' own rules; None for another set.
        comparisons: Against the file before, and against the baseline, if there are any.
    """

    evaluated_at: str
    sha256: str
    set_sha256: str
    engine: str
    images: int
    detections: int
    numbers: Mapping[str, float]
    slices: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    open_images: float | None = None
    comparisons: tuple[Compared, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """What is true of one detections file now.

    Attributes:
        condition: Folder of the file: a condition, or the name of a baseline.
        set: Name of the evaluation set.
        state: `evaluated`; `unfit` if its records do not fit the set, or `gone`. Then the result is the last good one.
        sha256: Digest of the file that was looked at last.
        set_sha256: Digest of the set that it was compared with.
        faults: The first faults, with the names of their records. `fault_count`: number of all.
        result: The last good result; None if there never was one.
    """

    condition: str
    set: str
    state: State
    sha256: str
    set_sha256: str
    faults: tuple[str, ...] = ()
    fault_count: int = 0
    result: Result | None = None

    @property
    def name(self) -> str:
        """`<condition>/<set>`, its folder below the results and, with `.json`, the file's below the detections."""
        return f"{self.condition}/{self.set}"


def read_standings(root: Path) -> dict[str, Standing]:
    """Return the standing of each detections file by name; none if nothing was evaluated.

    Raises:
        FormatError: The file is damaged.
    """
    try:
        found = msgspec.json.decode((root / STANDINGS).read_bytes(), type=list[Standing])
    except FileNotFoundError:
        return {}
    except msgspec.MsgspecError as error:
        raise FormatError(f"{root / STANDINGS}: {error}; materialize detection_metrics again") from None
    return {each.name: each for each in found}


def write_standings(root: Path, standings: Iterable[Standing]) -> None:
    """Write the standings, in the order of their names."""
    ordered = sorted(standings, key=lambda each: each.name)
    (root / STANDINGS).write_bytes(msgspec.json.format(msgspec.json.encode(ordered), indent=1) + b"\n")


def read_history(root: Path) -> pl.DataFrame:
    """Return a row for each evaluation that there ever was, the oldest first."""
    path = root / HISTORY
    return pl.read_parquet(path, memory_map=False) if path.exists() else HISTORY_COLUMNS.to_frame()


def history_rows(standings: Iterable[Standing]) -> pl.DataFrame:
    """Return a row of the history for each standing that has a result."""
    rows = [
        {
            "condition": each.condition,
            "set": each.set,
            "evaluated_at": each.result.evaluated_at,
            "detections_sha256": each.result.sha256,
            "set_sha256": each.result.set_sha256,
            "engine": each.result.engine,
            "images": each.result.images,
            "detections": each.result.detections,
            **each.result.numbers,
        }
        for each in standings
        if each.result is not None
    ]
    return pl.DataFrame(rows, HISTORY_COLUMNS)
