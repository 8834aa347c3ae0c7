"""A small world of written splits and evaluation sets, sound by default; a test spoils one thing in it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from maxsight_assets.disk import sha256_of
from maxsight_assets.formats.tables import BOXES, IMAGES, LEDGER, Tables, conform
from maxsight_assets.labels.space import LabelSpace
from maxsight_assets.publishing.manifest import FileRow, Manifest
from maxsight_assets.verification.evaluation import EvaluationView
from maxsight_assets.verification.splits import SplitsView
from maxsight_assets_tests.verification.directories import HEIGHT, WIDTH, jpeg

SPACE = LabelSpace(("person", "dog", "door"))
SET = "coco_val2017"
Documents = dict[str, dict[str, Any]]


@dataclass
class Written:
    """Files on disk: `data` with images, `splits` and `inference_eval` with COCO files.

    Images 1 to 4 are in train, 5 in val, 6 in test, 7 and 8 in the evaluation set.
    """

    root: Path
    documents: Documents = field(default_factory=dict)
    ledger: list[dict[str, Any]] = field(default_factory=list)
    report: dict[str, Any] = field(
        default_factory=lambda: {"audio": {"paired": 6, "unreadable": {}, "unpaired_files": [], "unpaired_images": []}}
    )

    def __post_init__(self) -> None:
        for part, numbers in {"train": (1, 2, 3, 4), "val": (5,), "test": (6,), SET: (7, 8)}.items():
            self.documents[part] = document(*numbers)
        for number in range(1, 9):
            path = self.root / f"data/coco_raw/{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(jpeg(number))
        for row in self.documents[SET]["images"]:
            row["sha256"] = self.digests()[row["file_name"]]

    def digests(self) -> dict[str, str]:
        data = self.root / "data"
        return {path.relative_to(data).as_posix(): sha256_of(path)[1] for path in sorted(data.rglob("*.jpg"))}

    def evaluation_view(self, *, promise: Callable[[dict[str, Any]], object] = lambda _: None) -> EvaluationView:
        """Write the evaluation set and its contract, which `promise` may spoil."""
        root = self.root / "inference_eval"
        path = root / SET / "annotations.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        contents = self.documents[SET]
        path.write_text(json.dumps(contents), encoding="utf-8")
        boxes = contents["annotations"]
        names = {row["id"]: row["name"] for row in contents["categories"]}
        counted = [names[box["category_id"]] for box in boxes if not box["iscrowd"] and box["category_id"] in names]
        contract = {
            "annotations_sha256": sha256_of(path)[1],
            "images": len(contents["images"]),
            "boxes": len(boxes),
            "ignored_boxes": sum(box["iscrowd"] for box in boxes),
            "boxes_per_class": {name: counted.count(name) for name in sorted(set(counted))},
        }
        promise(contract)
        (root / "contract.json").write_text(json.dumps({"sets": {SET: contract}}), encoding="utf-8")
        return EvaluationView(
            root=root, manifest=manifest_of(root), data_dir=self.root / "data", digests=self.digests(), space=SPACE
        )

    def splits_view(self) -> SplitsView:
        """Write the splits; what came in is what is in them, as long as the documents are changed alike."""
        root = self.root / "splits"
        root.mkdir(exist_ok=True)
        for part in ("train", "val", "test"):
            (root / f"maxsight_{part}.json").write_text(json.dumps(self.documents[part]), encoding="utf-8")
        conform(pl.DataFrame(self.ledger), LEDGER).write_parquet(root / "ledger.parquet")
        (root / "report.json").write_text(json.dumps(self.report), encoding="utf-8")
        return SplitsView(
            root=root,
            manifest=manifest_of(root),
            data_dir=self.root / "data",
            digests=self.digests(),
            space=SPACE,
            evaluation=self.evaluation_view(),
            inputs=lambda: Tables(
                conform(pl.DataFrame([{"source": "coco", "image_id": str(n)} for n in range(1, 7)]), IMAGES),
                conform(
                    pl.DataFrame([{"source": "coco", "image_id": str(n), "box_id": str(100 + n)} for n in range(1, 7)]),
                    BOXES,
                ),
            ),
        )


def manifest_of(root: Path) -> Manifest:
    """What the directory holds now."""
    files = {path.relative_to(root).as_posix(): sha256_of(path) for path in sorted(root.rglob("*")) if path.is_file()}
    rows = [FileRow(path=path, bytes=size, sha256=sha256, level="made") for path, (size, sha256) in files.items()]
    return Manifest.of(rows, asset="", source="embedded", selection={}, inputs={})


def document(*numbers: int) -> dict[str, Any]:
    """A COCO file with these images, a dog on each."""
    return {
        "info": {
            "description": "",
            "contributor": "",
            "version": "0",
            "inputs": {},
            "seed": 42,
            "config": {"near_radius": 6, "min_instances": 1},
            "cleaning": {},
        },
        "licenses": [{"id": 1, "name": "unknown", "url": ""}],
        "categories": [{"id": number, "name": name} for number, name in enumerate(SPACE.names, start=1)],
        "images": [
            {
                "id": number,
                "file_name": f"coco_raw/{number}.jpg",
                "width": WIDTH,
                "height": HEIGHT,
                "license": 1,
                "source": "coco",
                "source_id": str(number),
                "flickr_id": f"9{number}",
            }
            for number in numbers
        ],
        "annotations": [box(100 + number, number) for number in numbers],
    }


def box(number: int, image: int, **changes: Any) -> dict[str, Any]:
    """A sound dog."""
    row = {"id": number, "image_id": image, "category_id": 2, "bbox": [1.0, 2.0, 30.0, 20.0]}
    return row | {"area": 500.0, "iscrowd": 0, "source_id": str(number), "segmentation": []} | changes


def dropped(kind: str, rule: str, **values: Any) -> dict[str, Any]:
    """A row of the ledger."""
    return {"source": "coco", "kind": kind, "rule": rule, "action": "drop", "image_id": "1", **values}
