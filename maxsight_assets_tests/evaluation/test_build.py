"""Evaluation sets: what they hold, and that pycocotools, the judge, takes them as they are meant."""

import contextlib
import hashlib
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import hotcoco
import numpy as np
import polars as pl
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval, Params

from maxsight_assets.catalog import model as catalogs
from maxsight_assets.cleaning.config import Tolerance
from maxsight_assets.disk import sha256_of
from maxsight_assets.errors import NotPublished
from maxsight_assets.evaluation.build import EvaluationSettings, EvaluationSource, build_sets
from maxsight_assets.formats.coco import read_instances
from maxsight_assets.formats.tables import BOXES, IMAGES, LEDGER, Tables, conform
from maxsight_assets.images.facts import FILE_FACTS, examine, of_files
from maxsight_assets.labels.mapping import to_space
from maxsight_assets.labels.space import load_space
from maxsight_assets_tests.places import SHARED

REAL = SHARED / "data/coco_mini"
SPACE = load_space()
SPLITS = {catalog.dataset: catalog.evaluated for catalog in catalogs.every() if catalog.evaluated}
COCO_SET, OPEN_SET = "coco_val2017/annotations.json", "openimages_validation/annotations.json"


def image(image_id: str, source: str = "coco", split: str = "val2017", **changes: Any) -> dict[str, Any]:
    path = f"{source}/{image_id}.jpg"
    row = {"source": source, "split": split, "image_id": image_id, "path": path, "width": 100, "height": 80}
    return row | changes


def box(box_id: str, image_id: str, label: str = "dog", source: str = "coco", **changes: Any) -> dict[str, Any]:
    row = {
        "source": source,
        "split": SPLITS[source],
        "image_id": image_id,
        "box_id": box_id,
        "label": label,
        "crowd": False,
    }
    return row | {"x": 10.0, "y": 10.0, "w": 20.0, "h": 30.0} | changes


def digest(image_id: str) -> str:
    return hashlib.sha256(image_id.encode()).hexdigest()


def source_of(
    images: list[dict[str, Any]], boxes: list[dict[str, Any]], *, undecodable: tuple[str, ...] = (), name: Any = "coco"
) -> EvaluationSource:
    facts = pl.DataFrame(
        {
            "path": [row["path"] for row in images],
            "sha256": [digest(row["image_id"]) for row in images],
            "error": ["truncated" if row["image_id"] in undecodable else None for row in images],
            "width": [100] * len(images),
            "height": [80] * len(images),
        },
        schema_overrides={"error": pl.String},
    )
    return EvaluationSource(
        split=SPLITS[name],
        exhaustive=catalogs.load(name).exhaustive,
        tables=Tables(
            conform(pl.DataFrame(images, infer_schema_length=None), IMAGES),
            conform(pl.DataFrame(boxes, infer_schema_length=None), BOXES),
        ),
        facts=conform(facts, FILE_FACTS),
        labels=to_space(name, SPACE),
    )


def build(root: Path, images: list[dict[str, Any]], boxes: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """Build the COCO set alone and read it back."""
    build_sets({"coco": source_of(images, boxes, **more)}, root, space=SPACE)
    document: dict[str, Any] = json.loads((root / COCO_SET).read_text(encoding="utf-8"))
    return document


def test_how_a_picture_is_to_be_turned_is_in_its_record(tmp_path: Path) -> None:
    source = source_of([image("1"), image("2", rotation=270), image("3")], [box("5", "1"), box("6", "2")])
    turned = pl.when(pl.col("path") == "coco/3.jpg").then(6).otherwise(1).cast(pl.Int32)
    build_sets({"coco": replace(source, facts=source.facts.with_columns(orientation=turned))}, tmp_path, space=SPACE)

    records = json.loads((tmp_path / COCO_SET).read_text(encoding="utf-8"))["images"]

    said = {row["source_id"]: (row.get("orientation"), row.get("rotation")) for row in records}
    assert said == {"1": (None, None), "2": (None, 270), "3": (6, None)}
    assert {name for row in records for name, value in row.items() if value is None} == {"license", "flickr_id"}


def average_precision(path: Path, detections: list[dict[str, Any]]) -> float:
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(path))
        judge = COCOeval(truth, truth.loadRes(detections), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return float(judge.stats[0])


def perfect(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Detections that are the very boxes."""
    fields = ("image_id", "category_id", "bbox")
    return [
        {name: row[name] for name in fields} | {"score": 0.9} for row in document["annotations"] if not row["iscrowd"]
    ]


def test_categories_are_the_whole_label_space_in_order_and_none_is_zero(tmp_path: Path) -> None:
    document = build(tmp_path, [image("1")], [box("5", "1")])

    assert [row["name"] for row in document["categories"]] == list(SPACE.names)
    assert [row["id"] for row in document["categories"]] == list(range(1, 623))
    assert document["annotations"][0]["category_id"] == SPACE.index["dog"] + 1


def test_boxes_outside_the_label_space_are_dropped_counted_and_never_become_a_person(tmp_path: Path) -> None:
    document = build(tmp_path, [image("1")], [box("5", "1", "zebra"), box("6", "1", "tv")])

    assert [(row["source_id"], row["category_id"]) for row in document["annotations"]] == [("6", SPACE.index["tv"] + 1)]
    contract = json.loads((tmp_path / "contract.json").read_text(encoding="utf-8"))
    assert contract["sets"]["coco_val2017"]["boxes_outside_label_space"] == 1
    ledger = pl.read_parquet(tmp_path / "ledger.parquet")
    assert ledger.schema == LEDGER
    assert ledger.select("box_id", "rule", "action").rows() == [("5", "label_outside_space", "drop")]


def test_boxes_over_the_edge_are_clipped(tmp_path: Path) -> None:
    document = build(tmp_path, [image("1")], [box("6", "1", x=90.0, w=20.0)])

    assert [row["bbox"] for row in document["annotations"]] == [[90.0, 10.0, 10.0, 30.0]]
    assert document["annotations"][0]["area"] == 300.0


def test_an_image_that_does_not_decode_is_left_out_and_named(tmp_path: Path) -> None:
    document = build(tmp_path, [image("1"), image("2")], [box("5", "1"), box("6", "2")], undecodable=("2",))

    assert [row["source_id"] for row in document["images"]] == ["1"]
    contract = json.loads((tmp_path / "contract.json").read_text(encoding="utf-8"))
    assert contract["sets"]["coco_val2017"]["excluded_images"] == {"2": "undecodable"}


def test_images_of_other_splits_are_not_in_the_set(tmp_path: Path) -> None:
    images = [image("1"), image("2", split="train2017")]

    document = build(tmp_path, images, [box("5", "1"), box("6", "2", split="train2017")])

    assert [row["id"] for row in document["images"]] == [1]
    assert len(document["annotations"]) == 1
    assert pl.read_parquet(tmp_path / "ledger.parquet").is_empty()


def test_a_source_whose_evaluation_split_was_not_landed_gives_no_set(tmp_path: Path) -> None:
    source = source_of([image("1", split="train2017")], [box("5", "1", split="train2017")])

    assert build_sets({"coco": source}, tmp_path, space=SPACE)["sets"] == {}
    assert not (tmp_path / COCO_SET).exists()


def test_a_detection_on_a_crowd_or_a_depiction_is_neither_rewarded_nor_punished(tmp_path: Path) -> None:
    boxes = [
        box("5", "1"),
        box("6", "1", x=60.0, crowd=True),
        box("7", "1", y=45.0, depiction=True),
    ]
    document = build(tmp_path, [image("1")], boxes)
    on_the_others = [
        {"image_id": 1, "category_id": SPACE.index["dog"] + 1, "bbox": bbox, "score": 0.99}
        for bbox in ([60.0, 10.0, 20.0, 30.0], [10.0, 45.0, 20.0, 30.0])
    ]

    assert sorted(row["iscrowd"] for row in document["annotations"]) == [0, 1, 1]
    assert average_precision(tmp_path / COCO_SET, perfect(document) + on_the_others) == pytest.approx(1)


def test_an_image_without_boxes_stays_only_where_annotators_looked_for_everything(tmp_path: Path) -> None:
    sources = {
        "coco": source_of([image("1"), image("2")], [box("5", "1")]),
        "openimages": source_of(
            [image("0a", "openimages", "validation"), image("0b", "openimages", "validation")],
            [box("0a:0", "0a", "Dog", "openimages")],
            name="openimages",
        ),
    }

    contract = build_sets(sources, tmp_path, space=SPACE)

    assert contract["sets"]["coco_val2017"]["images"] == 2
    assert contract["sets"]["openimages_validation"]["images"] == 1
    assert contract["sets"]["openimages_validation"]["dropped"] == {"image no_boxes": 1}


def test_coco_keeps_its_image_ids_and_others_get_ids_that_do_not_depend_on_their_neighbours(tmp_path: Path) -> None:
    def ids(root: Path, *names: str) -> dict[str, int]:
        images = [image(name, "openimages", "validation") for name in names]
        boxes = [box(f"{name}:0", name, "Dog", "openimages") for name in names]
        build_sets({"openimages": source_of(images, boxes, name="openimages")}, root, space=SPACE)
        document = json.loads((root / OPEN_SET).read_text(encoding="utf-8"))
        return {row["source_id"]: row["id"] for row in document["images"]}

    assert build(tmp_path / "coco", [image("139")], [box("5", "139")])["images"][0]["id"] == 139
    assert ids(tmp_path / "a", "0b")["0b"] == ids(tmp_path / "b", "0a", "0b")["0b"]


def test_the_contract_states_what_the_files_hold_and_nothing_of_this_machine(tmp_path: Path) -> None:
    boxes = [box("5", "1"), box("6", "1", x=60.0, crowd=True), box("7", "1", "cat", x=40.0)]

    document = build(tmp_path, [image("1")], boxes)

    text = (tmp_path / "contract.json").read_text(encoding="utf-8")
    promise = json.loads(text)["sets"]["coco_val2017"]
    assert promise["annotations_sha256"] == sha256_of(tmp_path / promise["annotations"])[1]
    assert (promise["images"], promise["boxes"], promise["ignored_boxes"]) == (1, 3, 1)
    assert promise["boxes_per_class"] == {"cat": 1, "dog": 1}
    assert document["images"][0]["sha256"] == digest("1")
    assert str(tmp_path) not in text


def test_the_same_records_in_any_order_give_the_same_bytes(tmp_path: Path) -> None:
    images, boxes = [image(str(n)) for n in range(1, 30)], [box(str(100 + n), str(1 + n % 29)) for n in range(90)]

    build(tmp_path / "a", images, boxes)
    build(tmp_path / "b", images[::-1], boxes[::-1])

    files = [COCO_SET, "contract.json", "ledger.parquet"]
    assert [(tmp_path / "a" / name).read_bytes() for name in files] == [
        (tmp_path / "b" / name).read_bytes() for name in files
    ]


def test_every_publishers_set_evaluates_against_itself_to_one(tmp_path: Path) -> None:
    sources = {}
    for number, (name, split) in enumerate(SPLITS.items(), start=1):
        labels = [label for label, word in to_space(name, SPACE).items() if word is not None]  # type: ignore[arg-type]
        ids = [f"{number}1", f"{number}2"]
        images = [image(each, name, split) for each in ids]
        boxes = [box(f"{each}:{k}", each, label, name) for each in ids for k, label in enumerate(labels)]
        sources[name] = source_of(images, boxes, name=name)

    contract = build_sets(sources, tmp_path, space=SPACE)

    assert list(contract["sets"]) == ["ade20k_validation", "bdd100k_val", "coco_val2017", "openimages_validation"]
    for promise in contract["sets"].values():
        path = tmp_path / promise["annotations"]
        document = json.loads(path.read_text(encoding="utf-8"))
        assert promise["boxes"] == len(document["annotations"]) > 0
        assert average_precision(path, perfect(document)) == pytest.approx(1)


def test_the_contract_names_the_settings_that_pycocotools_has() -> None:
    params, stated = Params(iouType="bbox"), EvaluationSettings()

    thresholds = np.arange(stated.iou_from, stated.iou_to + stated.iou_step / 2, stated.iou_step)
    assert np.allclose(params.iouThrs, thresholds)
    assert tuple(params.maxDets) == stated.max_detections
    assert params.areaRng[1] == [0, stated.small_below]
    assert params.areaRng[3][0] == stated.large_from


@pytest.mark.skipif(not REAL.is_dir(), reason="no real COCO images beside the checkout")
def test_real_coco_evaluates_against_itself_to_one(tmp_path: Path) -> None:
    tables = read_instances(
        REAL / "annotations/instances_val2017.json", split="val2017", image_dir="coco_raw/val2017"
    ).tables()
    files = {path: sha256_of(path)[1] for path in sorted((REAL / "val2017").iterdir())}
    facts = examine([(sha256, path) for path, sha256 in files.items()], cache=None)
    by_path = of_files(facts, {f"coco_raw/val2017/{path.name}": sha256 for path, sha256 in files.items()})
    source = EvaluationSource("val2017", True, tables, by_path, to_space("coco", SPACE))

    contract = build_sets({"coco": source}, tmp_path, space=SPACE)

    promise = contract["sets"]["coco_val2017"]
    assert promise["images"] == 57
    assert promise["boxes"] + sum(n for name, n in promise["dropped"].items() if name.startswith("box ")) == 517
    document = json.loads((tmp_path / COCO_SET).read_text(encoding="utf-8"))
    assert average_precision(tmp_path / COCO_SET, perfect(document)) == pytest.approx(1)


DAMAGED: dict[str, dict[str, Any]] = {
    "unreadable_geometry": {"x": None},
    "zero_area": {"h": 0.0},
    "mostly_outside": {"x": 500.0},
    "off_its_mask": {"segmentation": "[[60, 60, 70, 60, 70, 70]]"},
    "in_shares": {"x": 0.1, "y": 0.1, "w": 0.2, "h": 0.3},
    "unknown_class": {"label": "dogg"},
    "unreadable_record": {"fault": "category_id: missing"},
}


@pytest.mark.parametrize("rule", DAMAGED)
def test_fault_83_an_image_that_lost_a_box_to_damage_is_excluded_and_no_negative(tmp_path: Path, rule: str) -> None:
    boxes = [box("5", "1"), box("6", "2", **DAMAGED[rule]), box("7", "2", "person")]
    document = build(tmp_path, [image("1"), image("2"), image("3")], boxes)

    assert [row["source_id"] for row in document["images"]] == ["1", "3"]
    assert [row["source_id"] for row in document["annotations"]] == ["5"]
    promise = json.loads((tmp_path / "contract.json").read_text(encoding="utf-8"))["sets"]["coco_val2017"]
    assert promise["excluded_images"] == {"2": "lost_a_box"}
    ledger = pl.read_parquet(tmp_path / "ledger.parquet")
    assert ledger.select("kind", "rule").rows() == [("box", rule), ("box", "image_dropped"), ("image", "lost_a_box")]


def test_an_image_whose_box_is_no_damage_stays(tmp_path: Path) -> None:
    boxes = [box("5", "1", "zebra"), box("6", "2"), box("6", "2"), box("7", "3", x=-2.0)]
    document = build(tmp_path, [image("1"), image("2"), image("3")], boxes)

    assert [row["source_id"] for row in document["images"]] == ["1", "2", "3"]


def test_where_annotators_did_not_look_for_every_class_a_lost_box_costs_itself(tmp_path: Path) -> None:
    images = [image("1", "openimages", "validation")]
    boxes = [box("5", "1", "Dog", "openimages"), box("6", "1", "Dog", "openimages", x=None)]
    build_sets({"openimages": source_of(images, boxes, name="openimages")}, tmp_path, space=SPACE)

    assert len(json.loads((tmp_path / OPEN_SET).read_text(encoding="utf-8"))["annotations"]) == 1


def test_fault_80_more_damage_than_is_tolerated_makes_no_set(tmp_path: Path) -> None:
    images = [image(str(n)) for n in range(20)]
    boxes = [box(str(n), str(n), **({"x": None} if n < 6 else {})) for n in range(20)]

    with pytest.raises(NotPublished, match=r"unreadable_geometry: 6 of 20 boxes of coco \(source coco image_id 0 "):
        build(tmp_path, images, boxes)
    source = replace(source_of(images, boxes), tolerance=Tolerance(records=6))
    build_sets({"coco": source}, tmp_path, space=SPACE)
    assert len(json.loads((tmp_path / COCO_SET).read_text(encoding="utf-8"))["images"]) == 14


@pytest.mark.parametrize("licence", ["http://creativecommons.org/licenses/by/2.0/", "https://example.org/terms", None])
def test_strict_readers_take_a_set_and_its_licences(tmp_path: Path, licence: str | None) -> None:
    document = build(tmp_path, [image("1", license=licence), image("2")], [box("5", "1"), box("6", "2")])

    assert [each["url"] for each in document["licenses"]] == ([licence] if licence else [])
    assert [each["license"] for each in document["images"]] == [1 if licence else None, None]
    assert len(hotcoco.COCO(str(tmp_path / COCO_SET)).get_img_ids()) == 2
