"""The tables of docs/reference/odd-input.md are made by reading odd records; run this module to write them anew."""

import json
import math
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from PIL import Image

from maxsight_assets.cleaning.apply import clean
from maxsight_assets.cleaning.config import CleaningConfig
from maxsight_assets.datasets.ade20k.format import read_instances as read_masks
from maxsight_assets.datasets.bdd100k.format import read_labels
from maxsight_assets.datasets.openimages.format import read_boxes
from maxsight_assets.errors import FormatError
from maxsight_assets.formats.tables import Tables
from maxsight_assets_tests.cleaning.records import facts_of
from maxsight_assets_tests.formats import test_odd as coco

DOCUMENT = Path(__file__).parents[2] / "docs/reference/odd-input.md"
START, END = "<!-- made by `python -m maxsight_assets_tests.formats.test_odd_docs` -->\n", "<!-- end -->"
MISSING = object()

Outcomes = Iterator[tuple[str, str, str]]
"""Field, what stands there, what becomes of it."""


def variants(sound: Any) -> dict[str, Any]:
    """What is put in the place of a sound value, by how the page calls it."""
    odd: dict[str, Any] = {"`null`": None, "missing": MISSING, "`{}`": {}, "`[]`": [], '`"x"`': "x", "`NaN`": math.nan}
    if isinstance(sound, int | float):
        whole = int(sound)
        return {
            f"`{float(whole)}`": float(whole),
            f'`"{whole}"`': str(whole),
            f"`[{whole}]`": [whole],
            "`true`": True,
            "`1.5`": 1.5,
            **odd,
        }
    return odd | {"`7`": 7}


def becoming(tables: Tables, known: dict[str, str]) -> str:
    """What becomes of the one odd record of some tables."""
    facts = facts_of(tables.images.filter(pl.col("path").is_not_null()))
    source = tables.images["source"][0]
    config = CleaningConfig(drop_empty_images=False)
    ledger = clean(tables.images, tables.boxes, facts, labels={source: known}, config=config).ledger
    for action, rule in ledger.filter(pl.col("rule") != "image_dropped").select("action", "rule").sort("action").rows():
        return f"{'dropped' if action == 'drop' else 'repaired'}: `{rule}`"
    return "as if not stated" if tables.odd["unread"].sum() else "read"


def without_missing(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if value is not MISSING}


def of_coco(folder: Path) -> Outcomes:
    for section in ("images", "annotations"):
        sound = coco.document()[section][1] | ({"flickr_url": "x"} if section == "images" else {})
        for field in sound:
            for called, value in variants(sound[field]).items():
                content = coco.document()
                content[section][1] = without_missing(sound | {field: value})
                yield f"{section}: `{field}`", called, becoming(coco.read(folder, content), {"dog": "dog"})
    for field, sound in (("id", 1), ("name", "dog")):
        for called, value in variants(sound).items():
            content = coco.document(categories=[without_missing({"id": 1, "name": "dog"} | {field: value})])
            yield f"categories: `{field}`", called, becoming(coco.read(folder, content), {"dog": "dog"})
    for field in ("info", "licenses", "images", "annotations", "categories"):
        for called, value in variants(coco.document()[field]).items():
            content = without_missing(coco.document() | {field: value})
            yield f"`{field}`", called, refused_or(lambda content=content: coco.read(folder, content))


def refused_or(read: Callable[[], Tables]) -> str:
    try:
        return becoming(tables, {"dog": "dog"}) if (tables := read()).images.height else "read"
    except FormatError:
        return "refused"


def of_bdd100k(folder: Path) -> Outcomes:
    sound = {
        "id": "1",
        "category": "car",
        "attributes": {"occluded": False},
        "box2d": {"x1": 1, "y1": 2, "x2": 5, "y2": 8},
    }
    path = folder / "val.json"
    for field in ("name", "labels", *sound):
        values = variants(sound.get(field, "a.jpg"))
        if field == "attributes":
            values |= {
                '`{"occluded": "true"}`': {"occluded": "true"},
                '`{"occluded": "perhaps"}`': {"occluded": "perhaps"},
            }
        if field == "box2d":
            values |= {
                '`{"x1": "1", ...}`': sound["box2d"] | {"x1": "1"},
                '`{"x1": null, ...}`': sound["box2d"] | {"x1": None},
            }
        for called, value in values.items():
            frame: dict[str, Any] = {"name": "a.jpg", "labels": [without_missing(sound | {field: value})]}
            if field in ("name", "labels"):
                frame = without_missing({"name": "a.jpg", "labels": [sound]} | {field: value})
            path.write_text(json.dumps([{"name": "b.jpg"}, frame]), encoding="utf-8")
            owner = "frames" if field in ("name", "labels") else "labels"
            yield f"{owner}: `{field}`", called, becoming(read_labels(path, image_dir="x"), {"car": "car"})


def of_ade20k(folder: Path) -> Outcomes:
    place = folder / "annotations_instance/validation"
    place.mkdir(parents=True)
    pixels = np.zeros((480, 640, 3), np.uint8)
    pixels[100:200, 100:200] = (8, 1, 0)
    for mode in ("RGB", "RGBA", "L", "P"):
        Image.fromarray(pixels).convert(mode).save(place / "a.png")
        yield "instance mask", f"mode {mode}", becoming(read_masks(folder, ["a"], place="ade20k"), {"chair": "chair"})
    (place / "a.png").write_bytes((place / "a.png").read_bytes()[:200])
    yield "instance mask", "cut short", becoming(read_masks(folder, ["a"], place="ade20k"), {"chair": "chair"})
    (place / "a.png").unlink()
    yield "instance mask", "missing", becoming(read_masks(folder, ["a"], place="ade20k"), {"chair": "chair"})


def of_openimages(folder: Path) -> Outcomes:
    header = ["ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax", "IsGroupOf"]
    sound = ["000e100000000000", "/m/01g317", "0.25", "0.5", "0.1", "0.9", "0"]
    odd = {"ImageID": ["", "x" * 300], "LabelName": ["", "dog"], "XMin": ["", "left", "nan", "-0.1", "1.5", " 0.25"]}
    odd["IsGroupOf"] = ["", "2", "true", "-1"]
    path = folder / "boxes.csv"
    for column, values in odd.items():
        for value in values:
            row = [value if name == column else text for name, text in zip(header, sound, strict=True)]
            path.write_text("\n".join([",".join(header), ",".join(row), ""]), encoding="utf-8")
            rows = read_boxes(path, split="train", class_names={})
            called = "empty" if not value else f"`{value}`" if len(value) < 20 else "300 characters"
            yield f"`{column}`", called, "read" if rows.table.height else "dropped: `unreadable_record`"


FORMATS = {
    "COCO": (of_coco, "`instances_<split>.json`, three records of which the second is odd."),
    "BDD100K": (of_bdd100k, "`det_val.json`, two frames of which the second is odd."),
    "ADE20K": (of_ade20k, "`annotations_instance/validation/<image>.png`."),
    "Open Images": (of_openimages, "`<split>-annotations-bbox.csv`; a row that cannot be used costs itself."),
}


def tables() -> str:
    parts = []
    for name, (outcomes, what) in FORMATS.items():
        with tempfile.TemporaryDirectory() as folder:
            by_field: dict[str, dict[str, list[str]]] = {}
            for field, called, outcome in outcomes(Path(folder)):
                by_field.setdefault(field, {}).setdefault(outcome, []).append(called)
        rows = [
            f"| {field} | {outcome} | {', '.join(called)} |"
            for field, of_field in by_field.items()
            for outcome, called in sorted(of_field.items())
        ]
        parts.append(
            "\n".join([f"## {name}\n", f"{what}\n", "| field | becomes | what stands there |", "|---|---|---|", *rows])
        )
    return "\n\n".join(parts) + "\n"


def test_the_documented_outcomes_are_those_of_the_code() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")

    assert text.partition(START)[2].partition(END)[0] == tables(), f"run `python -m {__spec__.name}`"


if __name__ == "__main__":
    head, _, _ = DOCUMENT.read_text(encoding="utf-8").partition(START)
    DOCUMENT.write_text(head + START + tables() + END + "\n", encoding="utf-8")
    sys.exit()
