"""One scan of a raw directory, shared by all of its rules.

Each part (names on disk, hashes, decoded pictures, tables) is computed when a rule first asks for it and kept for the
next one, so that a rule costs only what it looks at.
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import polars as pl

from maxsight_assets.catalog.model import SplitCounts
from maxsight_assets.cleaning.apply import Cleaned, clean
from maxsight_assets.cleaning.config import CleaningConfig, Tolerance
from maxsight_assets.disk import HASHED
from maxsight_assets.errors import FormatError
from maxsight_assets.formats.names import fault_of
from maxsight_assets.formats.tables import BOXES, IMAGES, Tables
from maxsight_assets.images.facts import examine, of_files
from maxsight_assets.labels import mapping
from maxsight_assets.publishing.manifest import FOLDER, Manifest, problems

MISSING = "missing.csv"
"""Where a landing of single images notes those that upstream lists and does not serve: columns path, reason."""

UNREADABLE = "changed since it was landed, and no table any more"
"""What is said of a landing's note that was damaged."""

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
ANNOTATION_DIRS = ("annotations/", "annotations_instance/", "labels/")
"""Where raw directories keep what the publisher says of the images; ADE20K's masks are PNGs, but no pictures."""


@dataclass(frozen=True)
class RawView:
    """One raw directory, published or staged.

    Attributes:
        root: The directory.
        manifest: What it should hold.
        place: The directory's path relative to DATA_DIR (`coco_raw`), which `path` in the tables begins with.
        read: Reads the images that were selected, landed or not, and their boxes; None where nothing is annotated.
        counts: What the publisher states of each split; only of splits that are there as a whole.
        editions: Other editions of the annotations, by the pattern of the labels that only they have.
        cache: Parquet file of decoding results by content hash, so that only new pictures are decoded.
        hashed_at: When somebody else began to hash the files, seconds since the epoch, and found all of them as the
            manifest says. None: nobody has.
    """

    root: Path
    manifest: Manifest
    place: str
    read: Callable[[Path, Manifest], Tables] | None = None
    counts: Mapping[str, SplitCounts] = field(default_factory=dict)
    editions: Mapping[str, str] = field(default_factory=dict)
    cache: Path | None = None
    hashed_at: float | None = None

    @cached_property
    def files(self) -> pl.DataFrame:
        """One row a selected file: path, bytes, sha256, level, origin, width and height (pixels), is_image."""
        names = ("path", "bytes", "sha256", "level", "origin", "width", "height")
        picture = pl.col("path").str.to_lowercase().str.extract(r"(\.[^./]*)$", 1).is_in(IMAGE_SUFFIXES)
        aside = pl.any_horizontal(pl.col("path").str.starts_with(directory) for directory in ANNOTATION_DIRS)
        second = pl.col("level") == "made"  # an image that lies at a second path is judged at its first
        files = pl.DataFrame(self.manifest.rows.selected().table.select(names))
        return files.with_columns(is_image=picture & ~aside & ~second)

    @cached_property
    def on_disk(self) -> Mapping[str, int]:
        """Size in bytes of each regular file below the root, by POSIX path; our own state directory is left out."""
        return {path: size for path, size in _walk(self.root) if not path.startswith(f"{FOLDER}/")}

    @cached_property
    def _hashing(self) -> tuple[float, Mapping[str, str]]:
        if self.hashed_at is not None:
            return self.hashed_at, {}
        began = time.time()
        listed = (each for each in self.manifest.rows.selected().sums() if each.path in self.on_disk)
        return began, problems(self.root, listed, hashed=HASHED)

    @property
    def changed(self) -> Mapping[str, str]:
        """What is wrong with each selected file that is on disk but not as its row says, by path.

        Every byte is read, once a process.
        """
        return self._hashing[1]

    @cached_property
    def facts(self) -> pl.DataFrame:
        """`images.facts.FILE_FACTS` of the selected images that are on disk and unchanged; paths are below the root."""
        hashed_at, changed = self._hashing
        there = {
            path: sha256
            for path, sha256 in self.files.filter("is_image").select("path", "sha256").iter_rows()
            if path in self.on_disk and path not in changed
        }
        files = [(sha256, self.root / path) for path, sha256 in there.items()]
        return of_files(examine(files, cache=self.cache, hashed_at=hashed_at), there)

    @property
    def tolerance(self) -> Tolerance:
        """How much may be missing or damaged, as the selection states."""
        return Tolerance.model_validate(self.manifest.info.selection.get("tolerance", {}))

    @cached_property
    def _reading(self) -> tuple[Tables, str | None]:
        nothing = Tables(images=IMAGES.to_frame(), boxes=BOXES.to_frame())
        if self.read is None:
            return nothing, None
        try:
            return self.read(self.root, self.manifest), None
        except (FormatError, OSError) as error:
            return nothing, str(error)

    @property
    def tables(self) -> Tables:
        """The tables as they are read; empty if the annotations cannot be read."""
        return self._reading[0]

    @property
    def problem(self) -> str | None:
        """Why the annotations cannot be read; None where they can."""
        return self._reading[1]

    @cached_property
    def images(self) -> pl.DataFrame:
        """The images table with `file` (path relative to the root), `landed`, and sizes filled from the manifest."""
        headers = self.files.filter("is_image").select(
            file="path", landed=pl.lit(value=True), header_width="width", header_height="height"
        )
        return (
            self.tables.images.with_columns(file=pl.col("path").str.strip_prefix(f"{self.place}/"))
            .join(headers, on="file", how="left", maintain_order="left")
            .with_columns(
                landed=pl.col("landed").fill_null(value=False),
                stated_width="width",
                stated_height="height",
                width=pl.coalesce("width", "header_width"),
                height=pl.coalesce("height", "header_height"),
            )
            .drop("header_width", "header_height")
        )

    @cached_property
    def cleaned(self) -> Cleaned:
        """What cleaning will do with the records: the ledger and the damage; the records that it keeps are left out.

        Every label that the publisher has counts as known to the detector, and any damage is tolerated.
        """
        tables = self.tables
        labels = {
            str(source): {row.label: row.label for row in mapping.rows(str(source))}
            for source in tables.boxes["source"].unique()
        }
        config = CleaningConfig(tolerance=Tolerance(share=1), keep_segmentations=False, drop_empty_images=False)
        facts = self.facts.with_columns(path=pl.format("{}/{}", pl.lit(self.place), "path"))
        cleaned = clean(tables.images, tables.boxes, facts, labels=labels, config=config)
        return replace(cleaned, images=IMAGES.to_frame(), boxes=BOXES.to_frame())

    @cached_property
    def missing(self) -> pl.Series:
        """Paths of selected images that are not there, those included that a landing noted as gone upstream.

        A note that cannot be read is named in their place.
        """
        noted = pl.Series("file", [], dtype=pl.String)
        if self._is_noted:
            note = self.note(MISSING, {"path": pl.String})
            noted = pl.Series("file", [f"{MISSING} ({UNREADABLE})"]) if note is None else note["path"].alias("file")
        usable = self.images.filter(pl.col("fault").is_null())
        return pl.concat([usable.filter(~pl.col("landed"))["file"], noted]).unique().sort()

    @cached_property
    def reasons(self) -> Mapping[str, str]:
        """Why each image that a landing noted did not land, by path; its name alone says why some others did not."""
        note = self.note(MISSING, {"path": pl.String, "reason": pl.String}) if self._is_noted else None
        said = {} if note is None else dict(note.drop_nulls().iter_rows())
        named = {path: fault_of(path) for path in self.missing if path not in said}
        return said | {path: fault for path, fault in named.items() if fault}

    @property
    def _is_noted(self) -> bool:
        """Whether there is a list of missing images; that of an earlier version says nothing of this one."""
        row = self.manifest.rows.get(MISSING)
        return MISSING in self.on_disk and not (row and row.kept)

    def note(self, name: str, columns: Mapping[str, type[pl.DataType]]) -> pl.DataFrame | None:
        """A table beside the images in which a landing noted something; None where it was damaged since."""
        try:
            table = pl.read_csv(self.root / name, infer_schema=False, schema_overrides=columns)
        except (OSError, pl.exceptions.PolarsError):
            return None
        return table.select(list(columns)) if columns.keys() <= set(table.columns) else None

    @cached_property
    def counted(self) -> Mapping[str, SplitCounts]:
        """Images and boxes of the annotations, by split."""
        boxes = Counter(self.boxes["split"])
        return {split: SplitCounts(images=n, boxes=boxes[split]) for split, n in Counter(self.images["split"]).items()}

    @cached_property
    def boxes(self) -> pl.DataFrame:
        """The boxes table with the image's `width`, `height` and `landed`; `listed` where its image is in the table."""
        images = self.images.unique(["source", "image_id"]).select(
            "source", "image_id", "width", "height", "landed", listed=pl.lit(value=True)
        )
        return self.tables.boxes.join(
            images, on=["source", "image_id"], how="left", maintain_order="left"
        ).with_columns(pl.col("landed", "listed").fill_null(value=False))


def _walk(root: Path, prefix: str = "") -> Iterator[tuple[str, int]]:
    """POSIX path and size of each regular file below `root`, links not followed."""
    with os.scandir(root / prefix) as entries:
        for entry in entries:
            name = f"{prefix}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(root, f"{name}/")
            elif entry.is_file(follow_symlinks=False):
                yield name, entry.stat(follow_symlinks=False).st_size
