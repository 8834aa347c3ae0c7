"""What the contract states of each set beside its counts: slices, rules, and a set that has no boxes."""

import json
from dataclasses import replace
from pathlib import Path

import polars as pl

from maxsight_assets.evaluation.build import build_sets
from maxsight_assets.formats.tables import ATTRIBUTES
from maxsight_assets_tests.evaluation.test_build import SPACE, box, image, source_of


def test_slices_are_stated_where_the_publisher_says_so(tmp_path: Path) -> None:
    images = [image(name, "bdd100k", "val") for name in ("a", "b", "c")]
    boxes = [box(f"{name}:0", name, "car", "bdd100k") for name in ("a", "b")]
    boxes.append(box("b:1", "b", "car", "bdd100k", x=0.0, y=0.0, w=90.0, h=70.0))
    source = source_of(images, boxes, name="bdd100k")
    said = pl.DataFrame(
        [("a", "night", "rainy", "highway"), ("b", "daytime", None, None)], schema=ATTRIBUTES, orient="row"
    )
    sources = {
        "bdd100k": replace(source, tables=replace(source.tables, attributes=said)),
        "coco": source_of([image("1")], [box("5", "1")]),
    }

    sets = build_sets(sources, tmp_path, space=SPACE)["sets"]

    small = {"of": "boxes", "area_below": 1024, "images": 2, "boxes": 2}
    assert sets["bdd100k_val"]["slices"] == {
        "daytime": {"of": "images", "where": {"timeofday": ["daytime"]}, "images": 1, "boxes": 2},
        "dawn_or_dusk": {"of": "images", "where": {"timeofday": ["dawn/dusk"]}, "images": 0, "boxes": 0},
        "night": {"of": "images", "where": {"timeofday": ["night"]}, "images": 1, "boxes": 1},
        "rain": {"of": "images", "where": {"weather": ["rainy"]}, "images": 1, "boxes": 1},
        "small_objects": small,
    }
    assert sets["coco_val2017"]["slices"] == {"small_objects": small | {"images": 1, "boxes": 1}}
    records = json.loads((tmp_path / "bdd100k_val/annotations.json").read_bytes())["images"]
    stated = {row["source_id"]: (row.get("timeofday"), row.get("weather"), row.get("scene")) for row in records}
    assert stated == {"a": ("night", "rainy", "highway"), "b": ("daytime", None, None), "c": (None, None, None)}


def test_a_set_without_landed_boxes_says_so_and_keeps_its_images(tmp_path: Path) -> None:
    source = source_of([image("s", "ade20k", "validation")], [], name="ade20k")

    sets = build_sets(
        {"ade20k": replace(source, tables=replace(source.tables, has_boxes=False))}, tmp_path, space=SPACE
    )["sets"]

    promise = sets["ade20k_validation"]
    assert (promise["has_boxes"], promise["images"], promise["boxes"], promise["slices"]) == (False, 1, 0, {})
