"""Defects that are put in on purpose: each is in the ledger under its rule, and records in = records out + ledger."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maxsight_assets.cleaning.apply import clean
from maxsight_assets.cleaning.config import CleaningConfig, Tolerance
from maxsight_assets.formats.coco import read_instances
from maxsight_assets.formats.tables import Tables
from maxsight_assets.images.facts import FILE_FACTS, PHASH
from maxsight_assets.labels.mapping import to_space
from maxsight_assets.labels.space import load_space
from maxsight_assets.splitting.build import build_splits
from maxsight_assets.splitting.config import SplitConfig
from maxsight_assets_tests.cleaning.records import LABELS, box, boxes_of, facts_of, image, images_of
from maxsight_assets_tests.places import SHARED
from maxsight_assets_tests.splitting.worlds import NOTHING

ALL = Tolerance(share=1)

BOX_DEFECTS: dict[str, tuple[str, dict[str, Any]]] = {
    "sound": ("", {}),
    "of no image": ("orphan", {"image_id": "unlisted"}),
    "of a missing image": ("image_dropped", {"image_id": "missing"}),
    "of a broken image": ("image_dropped", {"image_id": "broken"}),
    "not a number": ("unreadable_geometry", {"x": float("nan")}),
    "infinite": ("unreadable_geometry", {"h": float("inf")}),
    "without a width": ("unreadable_geometry", {"w": None}),
    "of no width": ("zero_area", {"w": 0.0}),
    "of negative height": ("zero_area", {"h": -3.0}),
    "far outside": ("mostly_outside", {"x": 5000.0}),
    "over the edge": ("out_of_bounds", {"x": -5.0}),
    "of an unknown class": ("label_outside_space", {"label": "zebra"}),
    "of no class": ("unknown_class", {"label": None}),
    "unreadable": ("unreadable_record", {"fault": "id: null"}),
    "with an odd field": ("unreadable_field", {"unread": "iscrowd: []"}),
    "a depiction": ("depiction", {"depiction": True}),
    "of no area": ("unusable_area", {"area": -1.0}),
    "with an odd polygon": ("unusable_segmentation", {"segmentation": "[[1,2,3,4,5]]"}),
    "with an empty mask": ("unusable_segmentation", {"segmentation": "[]"}),
}


@settings(max_examples=120, deadline=None)
@given(st.lists(st.sampled_from(sorted(BOX_DEFECTS)), max_size=30), st.booleans(), st.booleans())
def test_every_defect_is_in_the_ledger_under_its_rule(defects: list[str], wrong_size: bool, listed_twice: bool) -> None:
    listed = [image("1"), image("missing"), image("broken"), image("sized", width=999 if wrong_size else 640)]
    images = images_of(*listed, *([image("1", title="again")] if listed_twice else []))
    rows = [
        box(f"b{number}", **{"x": 100.0, "y": float(number)} | BOX_DEFECTS[name][1])
        for number, name in enumerate(defects)
    ]
    rows += [box("first", y=300.0), box("other", image_id="sized")]
    boxes = boxes_of(*rows)
    facts = facts_of(images.unique("path"), without=["missing"], ibroken={"error": "does not decode: truncated"})

    result = clean(images, boxes, facts, labels=LABELS, config=CleaningConfig(tolerance=ALL))

    said = {row["box_id"]: row["rule"] for row in result.ledger.filter(kind="box").iter_rows(named=True)}
    with_its_image = {"other": "image_dropped"} if wrong_size else {}
    assert said == with_its_image | {f"b{n}": rule for n, name in enumerate(defects) if (rule := BOX_DEFECTS[name][0])}
    expected = {"missing_file": 1, "undecodable": 1, "wrong_size": int(wrong_size), "repeated_image": int(listed_twice)}
    found = Counter(result.ledger.filter(kind="image")["rule"].to_list())
    assert found == {rule: count for rule, count in expected.items() if count}
    dropped = result.ledger.filter(action="drop")
    assert result.boxes.height + dropped.filter(kind="box").height == boxes.height
    assert result.images.height + dropped.filter(kind="image").height == images.height


TOOL = SHARED / "tools/gen_coco_instances.py"
BEFORE = {"orphan", "zero_area", "mostly_outside", "off_its_mask", "unknown_class", "label_outside_space"}
"""Rules that drop a box before its area, mask or id is looked at: some of the file's boxes are of elephants."""

UNDER = {  # the tool's word for a defect, and the rules that may find it
    "orphan_image_id": {"orphan"},
    "unknown_category": {"unknown_class"},
    "zero_width": {"zero_area"},
    "zero_height": {"zero_area"},
    "negative_xy": {"out_of_bounds", "off_its_mask", "mostly_outside"},
    "out_of_bounds": {"out_of_bounds", "off_its_mask", "mostly_outside"},
    "nan_area": {"unusable_area", *BEFORE},
    "empty_segmentation": {"unusable_segmentation", *BEFORE},
    "duplicate_annotation_id": {"duplicate_box_id", *BEFORE},
}


def generated(path: Path, *, seed: int) -> dict[str, list[int]]:
    """An annotation file with six defects of each kind, and the ids that they were put into."""
    if not TOOL.is_file():
        pytest.skip("gen_coco_instances.py is not beside the checkout")
    sizes = ["--images", "300", "--annotations", "2000", "--defects", "6", "--seed", str(seed)]
    ledger = path.with_suffix(".ledger.json")
    subprocess.run([sys.executable, TOOL, path, *sizes, "--defects-ledger", ledger], check=True, capture_output=True)
    loaded: dict[str, list[int]] = json.loads(ledger.read_text(encoding="utf-8"))
    return loaded


def facts_as_stated(tables: Tables) -> pl.DataFrame:
    images = tables.images.unique("path").sort("path").with_row_index("row", offset=1)
    return images.select(
        "path",
        sha256=pl.format("{}", "row").str.zfill(64),
        error=pl.lit(None, dtype=pl.String),
        width="width",
        height="height",
        mode=pl.lit("RGB"),
        orientation=pl.lit(1, dtype=pl.Int32),
        pixels=pl.format("p{}", "row").str.zfill(64),
        phash=pl.lit(None, dtype=PHASH),
    ).cast(FILE_FACTS)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_defects_of_a_generated_file_are_in_the_ledger_under_their_rules(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "instances.json"
    seeded = generated(path, seed=seed)
    tables = read_instances(path, split="train2017", image_dir="coco_raw/train2017").tables()
    space = load_space()

    splits = build_splits(
        tables.images,
        tables.boxes,
        facts_as_stated(tables),
        evaluation=NOTHING,
        space=space.names,
        labels={"coco": to_space("coco", space)},
        config=SplitConfig(near_radius=-1),
        cleaning=CleaningConfig(tolerance=ALL),
    )

    ledger = splits.ledger.filter(kind="box")
    said: dict[str, set[str]] = {}
    for box_id, rule in ledger.select("box_id", "rule").iter_rows():
        said.setdefault(box_id, set()).add(rule)
    for defect, rules in UNDER.items():
        assert [number for number in seeded[defect] if not said.get(str(number), set()) & rules] == [], defect
    copies = splits.ledger.filter(rule="repeated_image")["image_id"].sort()
    assert copies.to_list() == sorted(map(str, seeded["duplicate_image_id"]))
    assert splits.boxes["box_id"].is_unique().all()
    dropped = splits.ledger.filter(action="drop")
    assert splits.boxes.height + dropped.filter(kind="box").height == tables.boxes.height
    assert splits.images.height + dropped.filter(kind="image").height == tables.images.height
