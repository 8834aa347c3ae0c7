"""Report what became of each deliberate fault of the embedded upstream, as the published files show it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from maxsight_assets.places import Places
from maxsight_assets.sample_upstream.defects import DEFECTS, Defect

_LEDGER = dict.fromkeys(("source", "kind", "image_id", "box_id", "action", "rule", "where"), pl.String)


@dataclass(frozen=True)
class _Outputs:
    """The published splits and evaluation sets, by record.

    Attributes:
        places: The directories of the project.
    """

    places: Places

    @cached_property
    def ledger(self) -> pl.DataFrame:
        parts = [
            pl.read_parquet(path).with_columns(where=pl.lit(where))
            for where, path in (
                ("training", self.places.splits / "ledger.parquet"),
                ("evaluation", self.places.evaluation / "ledger.parquet"),
            )
            if path.exists()
        ]
        return pl.concat(parts) if parts else pl.DataFrame(schema=_LEDGER)

    @cached_property
    def images(self) -> Mapping[tuple[str, str], str]:
        """Return the file that holds each image, by source and the publisher's id."""
        return {
            (image["source"], image["source_id"]): name for name, each in self._documents() for image in each["images"]
        }

    @cached_property
    def boxes(self) -> Mapping[str, tuple[str, int]]:
        """Return the file that holds each box and its crowd flag, by the publisher's id."""
        return {
            box["source_id"]: (name, box["iscrowd"]) for name, each in self._documents() for box in each["annotations"]
        }

    def _documents(self) -> Iterator[tuple[str, dict[str, list[dict[str, Any]]]]]:
        written = self.places.splits.glob("maxsight_*.json"), self.places.evaluation.glob("*/annotations.json")
        for path in sorted(path for paths in written for path in paths):
            yield _name(path), json.loads(path.read_bytes())


def _name(path: Path) -> str:
    return path.parent.name if path.name == "annotations.json" else path.stem.removeprefix("maxsight_")


def fates(places: Places) -> list[tuple[Defect, str]]:
    """Return each deliberate fault with a sentence that reports what became of it.

    Args:
        places: The directories of the published outputs.
    """
    outputs = _Outputs(places)
    return [(defect, _fate(defect, outputs)) for defect in DEFECTS]


def _fate(defect: Defect, outputs: _Outputs) -> str:
    record = defect.record_ids[0]
    ids = pl.col("box_id") if defect.kind == "box" else pl.col("image_id")
    found = outputs.ledger.filter(
        (pl.col("source") == defect.dataset) & (pl.col("kind") == defect.kind) & (ids == record)
    )
    said = [
        f"{where}: {'repaired' if action == 'repair' else 'dropped'} by {rule}"
        for where, action, rule in found.select("where", "action", "rule").unique().sort(pl.all()).iter_rows()
    ]
    if defect.kind == "image" and (defect.dataset, record) in outputs.images:
        said.append(f"kept in {outputs.images[defect.dataset, record]}{_beside(defect, outputs)}")
    elif defect.kind == "box" and record in outputs.boxes:
        name, crowd = outputs.boxes[record]
        said.append(f"kept in {name}{' as a crowd' if crowd else ''}")
    return "; ".join(said) or "nothing is published that holds it"


def _beside(defect: Defect, outputs: _Outputs) -> str:
    """Report the place of its twin, if it has one: the two must never be in different splits."""
    if defect.twin is None:
        return ""
    return f", its twin in {outputs.images.get(defect.twin, 'none')}"
