"""Records with a field of another type: what is read, what is lost, and that it costs nothing but the record."""

import json
import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maxsight_assets.cleaning.apply import Cleaned, clean
from maxsight_assets.cleaning.config import CleaningConfig, Tolerance
from maxsight_assets.errors import FormatError, NotPublished
from maxsight_assets.formats import strict_json
from maxsight_assets.formats.coco import read_instances
from maxsight_assets.formats.tables import Tables
from maxsight_assets_tests.cleaning.records import facts_of

NAN, INFINITY = math.nan, math.inf


def image(number: int, **changes: Any) -> dict[str, Any]:
    return {"id": number, "file_name": f"{number}.jpg", "width": 640, "height": 480, "license": 4} | changes


def annotation(number: int, **changes: Any) -> dict[str, Any]:
    sound = {"id": number, "image_id": number, "category_id": 1, "bbox": [1, 2, 30, 40], "area": 900.5, "iscrowd": 0}
    return sound | {"segmentation": [[1, 2, 31, 2, 31, 42]]} | changes


def document(count: int = 3, **sections: Any) -> dict[str, Any]:
    numbers = range(1, count + 1)
    return {
        "info": {"year": 2017},
        "licenses": [{"id": 4, "name": "by", "url": "http://creativecommons.org/licenses/by/2.0/"}],
        "images": [image(number) for number in numbers],
        "annotations": [annotation(number) for number in numbers],
        "categories": [{"id": 1, "name": "dog"}],
    } | sections


def read(folder: Path, content: Any) -> Tables:
    path = folder / "a.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return read_instances(path, split="val2017", image_dir="coco_raw/val2017").tables()


def cleaned(tables: Tables, **config: Any) -> Cleaned:
    facts = facts_of(tables.images.filter(pl.col("path").is_not_null()))
    settings_ = CleaningConfig(drop_empty_images=False, **config)
    return clean(tables.images, tables.boxes, facts, labels={"coco": {"dog": "dog"}}, config=settings_)


def with_annotation(**changes: Any) -> dict[str, Any]:
    content = document()
    content["annotations"][1] |= changes
    return content


def with_image(**changes: Any) -> dict[str, Any]:
    content = document()
    content["images"][1] |= changes
    return content


@pytest.mark.parametrize(
    ("changes", "column", "expected"),
    [
        ({"id": 2.0}, "box_id", "2"),
        ({"id": "2"}, "box_id", "2"),
        ({"id": True}, "box_id", "1"),
        ({"image_id": 2.0}, "image_id", "2"),
        ({"image_id": " 2 "}, "image_id", "2"),
        ({"image_id": [2]}, "image_id", "2"),
        ({"category_id": "1"}, "label", "dog"),
        ({"category_id": True}, "label", "dog"),
        ({"iscrowd": 0.0}, "crowd", False),
        ({"iscrowd": False}, "crowd", False),
        ({"iscrowd": "1"}, "crowd", True),
        ({"iscrowd": 1.0}, "crowd", True),
        ({"area": "900.5"}, "area", 900.5),
        ({"area": [900]}, "area", 900.0),
        ({"area": "9e2"}, "area", 900.0),
        ({"bbox": ["1", 2.0, [3], True]}, "w", 3.0),
    ],
)
def test_what_loses_nothing_is_read_and_named(
    changes: dict[str, Any], column: str, expected: object, tmp_path: Path
) -> None:
    tables = read(tmp_path, with_annotation(**changes))
    (field,) = changes

    assert tables.boxes[column].to_list()[1] == expected
    assert tables.odd.select("section", "field", "read", "unread", "records").row(0) == ("annotations", field, 1, 0, 3)
    assert tables.odd["first"].to_list() == [[f"annotations[1] ({json.dumps(changes[field])})"]]
    assert tables.boxes.select("fault", "unread").rows() == [(None, None)] * 3


@pytest.mark.parametrize(
    ("changes", "rule", "action"),
    [
        ({"id": None}, "unreadable_field", "repair"),
        ({"id": 2.5}, "unreadable_field", "repair"),
        ({"id": 10**30}, "unreadable_field", "repair"),
        ({"id": {"a": 1}}, "unreadable_field", "repair"),
        ({"image_id": None}, "unreadable_record", "drop"),
        ({"image_id": "second"}, "unreadable_record", "drop"),
        ({"image_id": NAN}, "unreadable_record", "drop"),
        ({"category_id": 1.5}, "unknown_class", "drop"),
        ({"category_id": None}, "unknown_class", "drop"),
        ({"category_id": []}, "unknown_class", "drop"),
        ({"bbox": [1, 2, 3]}, "unreadable_geometry", "drop"),
        ({"bbox": [1, 2, 3, 4, 5]}, "unreadable_geometry", "drop"),
        ({"bbox": []}, "unreadable_geometry", "drop"),
        ({"bbox": [None] * 4}, "unreadable_geometry", "drop"),
        ({"bbox": None}, "unreadable_geometry", "drop"),
        ({"bbox": {"x": 1}}, "unreadable_geometry", "drop"),
        ({"bbox": [[1, 2], [3, 4]]}, "unreadable_geometry", "drop"),
        ({"bbox": [1, 2, NAN, 4]}, "unreadable_geometry", "drop"),
        ({"bbox": [1, 2, -INFINITY, 4]}, "unreadable_geometry", "drop"),
        ({"bbox": "1 2 3 4"}, "unreadable_geometry", "drop"),
        ({"area": [0], "bbox": [42, 0, 1, 0], "segmentation": []}, "zero_area", "drop"),
        ({"area": NAN}, "unusable_area", "repair"),
        ({"area": INFINITY}, "unusable_area", "repair"),
        ({"area": ""}, "unusable_area", "repair"),
        ({"area": {}}, "unusable_area", "repair"),
        ({"area": False}, "unusable_area", "repair"),
        ({"iscrowd": []}, "unreadable_field", "repair"),
        ({"iscrowd": "yes"}, "unreadable_field", "repair"),
        ({"segmentation": "x"}, "unusable_segmentation", "repair"),
        ({"segmentation": [[1, 2, NAN, 4, 5, 6]]}, "unusable_segmentation", "repair"),
    ],
)
def test_what_cannot_be_read_costs_the_field_or_the_record_and_is_in_the_ledger(
    changes: dict[str, Any], rule: str, action: str, tmp_path: Path
) -> None:
    result = cleaned(read(tmp_path, with_annotation(**changes)))

    assert result.ledger.select("rule", "action", "kind").rows() == [(rule, action, "box")]
    assert result.boxes.height == (3 if action == "repair" else 2)
    assert result.images.height == 3


@pytest.mark.parametrize(
    ("changes", "rule", "images"),
    [
        ({"id": None}, "unreadable_record", 2),
        ({"id": "two"}, "unreadable_record", 2),
        ({"id": [1, 2]}, "unreadable_record", 2),
        ({"file_name": None}, "unreadable_record", 2),
        ({"file_name": 7}, "unreadable_record", 2),
        ({"width": {}}, "unreadable_field", 3),
        ({"height": 480.5}, "unreadable_field", 3),
        ({"width": 640.0, "height": "480"}, None, 3),
        ({"width": None}, None, 3),
        ({"license": "by"}, None, 3),
        ({"license": 4.0}, None, 3),
        ({"flickr_url": 7, "coco_url": [], "date_captured": NAN, "note": {"x": NAN}}, None, 3),
    ],
)
def test_an_odd_image_costs_itself_and_its_boxes_or_nothing(
    changes: dict[str, Any], rule: str | None, images: int, tmp_path: Path
) -> None:
    result = cleaned(read(tmp_path, with_image(**changes)))

    assert result.images.height == images
    assert result.ledger.filter(kind="image")["rule"].to_list() == ([rule] if rule else [])


@pytest.mark.parametrize(
    "sections",
    [{"info": None}, {"licenses": None}, {"info": [7], "licenses": {}}, {"licenses": [None, {"id": "4"}], "x": NAN}],
)
def test_fields_that_nobody_needs_never_matter(sections: dict[str, Any], tmp_path: Path) -> None:
    tables = read(tmp_path, document(**sections))

    assert cleaned(tables).ledger.is_empty()
    assert (tables.images.height, tables.boxes.height) == (3, 3)


@pytest.mark.parametrize("record", [None, 7, "x", [], [1, 2], NAN])
@pytest.mark.parametrize("section", ["images", "annotations"])
def test_what_is_no_record_is_named_by_its_place(section: str, record: Any, tmp_path: Path) -> None:
    content = document()
    content[section].insert(1, record)
    result = cleaned(read(tmp_path, content))

    row = result.ledger.row(0, named=True)
    assert row["rule"] == "unreadable_record"
    assert row["image_id" if section == "images" else "box_id"] == f"val2017:{section}[1]"
    assert (result.images.height, result.boxes.height) == (3, 3)


def test_a_category_that_cannot_be_read_costs_its_boxes(tmp_path: Path) -> None:
    content = document(categories=[{"id": 1, "name": None}, {"id": "2", "name": "dog"}, 7])
    content["annotations"][0]["category_id"] = 2

    result = cleaned(read(tmp_path, content))

    assert result.boxes["box_id"].to_list() == ["1"]
    assert result.ledger["rule"].to_list() == ["unknown_class"] * 2


def test_ids_that_are_digits_are_read_in_the_whole_file(tmp_path: Path) -> None:
    content = document()
    for record in (*content["images"], *content["annotations"], *content["categories"]):
        record |= {name: str(value) for name, value in record.items() if name.endswith("id")}

    tables = read(tmp_path, content)

    assert cleaned(tables).ledger.is_empty()
    kinds = tables.odd.select("section", "field", "read").rows()
    assert ("images", "id", 3) in kinds
    assert ("annotations", "image_id", 3) in kinds


def test_literals_of_pythons_json_come_in_text_as_text(tmp_path: Path) -> None:
    content = document(info={"note": "NaN, Infinity"}, images=[image(1, file_name='"NaN",-Infinity: NaN.jpg')])
    content["annotations"] = [annotation(1, area=NAN)]

    assert read(tmp_path, content).images["path"].to_list() == ['coco_raw/val2017/"NaN",-Infinity: NaN.jpg']


def test_a_key_that_stands_twice_in_an_odd_record_is_refused(tmp_path: Path) -> None:
    text = json.dumps(document()).replace('"iscrowd": 0', '"iscrowd": 0.0, "iscrowd": 1', 1)
    (tmp_path / "a.json").write_text(text, encoding="utf-8")

    with pytest.raises(FormatError, match=r"annotations\[0\]\.iscrowd: .*stands twice"):
        read_instances(tmp_path / "a.json", split="v", image_dir="d")


def test_odd_records_do_not_make_the_keys_be_looked_for_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = with_annotation(area={"a": 1, "b": {"c": 2}}, iscrowd=[], segmentation={"counts": [1], "size": [1, 1]})
    content["images"].append(None)
    monkeypatch.setattr(strict_json, "_scan", None)

    assert read(tmp_path, content).boxes.height == 3


def test_fault_80_half_of_the_boxes_without_an_image_are_not_published(tmp_path: Path) -> None:
    content = document(20)
    for record in content["annotations"][::2]:
        record["image_id"] += 900_000

    with pytest.raises(NotPublished, match=r"orphan: 10 of 20 boxes of coco"):
        cleaned(read(tmp_path, content))


def test_an_image_record_that_stands_twice_letter_for_letter_counts_once(tmp_path: Path) -> None:
    content = document()
    content["images"].append(dict(content["images"][0]))

    result = cleaned(read(tmp_path, content))

    assert (result.images.height, result.boxes.height) == (3, 3)
    assert result.ledger.select("image_id", "rule", "action").rows() == [("1", "repeated_image", "drop")]


def test_numbers_of_another_type_leave_the_tables_as_they_are(tmp_path: Path) -> None:
    content = document()
    content["annotations"][0]["iscrowd"] = 0.0
    content["annotations"][1]["iscrowd"] = False
    content["annotations"][2] |= {"id": 3.0, "image_id": 3.0, "category_id": 1.0}

    odd, plain = read(tmp_path, content), read(tmp_path, document())

    assert odd.boxes.equals(plain.boxes)
    assert odd.odd.select("field", "read", "unread").rows() == [
        ("category_id", 1, 0),
        ("id", 1, 0),
        ("image_id", 1, 0),
        ("iscrowd", 2, 0),
    ]


def test_fault_80_more_odd_records_than_the_bound_are_not_cleaned_away(tmp_path: Path) -> None:
    content = document(20)
    for record in content["annotations"][:6]:
        record["bbox"] = []
    tables = read(tmp_path, content)

    with pytest.raises(NotPublished, match=r"unreadable_geometry: 6 of 20 boxes of coco"):
        cleaned(tables)
    assert cleaned(tables, tolerance=Tolerance(records=6)).boxes.height == 14


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(),
        st.text(max_size=6),
        st.sampled_from(["1", "2.0", "NaN", "-1", "true", "1e400"]),
    ),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
FIELDS = {
    "images": ("id", "file_name", "width", "height", "license", "flickr_url", "coco_url", "date_captured"),
    "annotations": ("id", "image_id", "category_id", "bbox", "area", "iscrowd", "segmentation"),
    "categories": ("id", "name", "supercategory"),
    "licenses": ("id", "name", "url"),
}


FIRST, COUNT = 100_001, 12  # ids that no drawn value is by chance


def numbered() -> dict[str, Any]:
    numbers = range(FIRST, FIRST + COUNT)
    return document(images=[image(each) for each in numbers], annotations=[annotation(each) for each in numbers])


@st.composite
def spoilt(draw: st.DrawFn) -> tuple[dict[str, Any], set[int]]:
    """A document with fields of up to three records replaced, and the numbers of the images concerned."""
    content, touched = numbered() | {"info": draw(JSON), "note": draw(JSON)}, set[int]()
    for _ in range(draw(st.integers(1, 3))):
        section = draw(st.sampled_from(sorted(FIELDS)))
        row = draw(st.integers(0, len(content[section]) - 1))
        if draw(st.integers(0, 9)) == 0:
            content[section][row] = draw(JSON)
        elif isinstance(content[section][row], dict):
            content[section][row] = content[section][row] | {draw(st.sampled_from(FIELDS[section])): draw(JSON)}
        touched |= {FIRST + row} if section in ("images", "annotations") else set(range(FIRST, FIRST + COUNT))
    return content, touched


@settings(max_examples=60, deadline=None)
@given(spoilt())
def test_any_value_in_any_field_costs_its_record_at_most(
    tmp_path_factory: pytest.TempPathFactory, drawn: tuple[dict[str, Any], set[int]]
) -> None:
    content, touched = drawn
    folder = tmp_path_factory.mktemp("odd")

    tables = read(folder, content)
    result = cleaned(tables, tolerance=Tolerance(records=COUNT))

    dropped = result.ledger.filter(action="drop")
    for kind, section, came, stayed in (
        ("image", "images", tables.images, result.images),
        ("box", "annotations", tables.boxes, result.boxes),
    ):
        assert came.height == len(content[section])
        assert stayed.height + dropped.filter(kind=kind).height == came.height
    plain = cleaned(read(folder, numbered()))
    apart = pl.col("image_id").is_in([str(FIRST + row) for row in range(COUNT) if FIRST + row not in touched])
    assert result.images.filter(apart).equals(plain.images.filter(apart))
    assert result.boxes.filter(apart).equals(plain.boxes.filter(apart))
