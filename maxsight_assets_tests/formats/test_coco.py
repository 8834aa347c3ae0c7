"""COCO files: what they say reaches the tables, and comes back unchanged."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maxsight_assets.formats import coco
from maxsight_assets.formats.masks import segmentation_fault
from maxsight_assets.formats.tables import BOXES, IMAGES
from maxsight_assets_tests.places import SHARED

REAL = SHARED / "data" / "coco_mini" / "annotations"


def document(**changes: Any) -> dict[str, Any]:
    return {
        "info": {"year": 2017},
        "licenses": [{"id": 4, "name": "Attribution", "url": "http://creativecommons.org/licenses/by/2.0/"}],
        "images": [
            {
                "license": 4,
                "file_name": "000000000139.jpg",
                "coco_url": "http://images.cocodataset.org/val2017/000000000139.jpg",
                "height": 426,
                "width": 640,
                "date_captured": "2013-11-21 01:34:01",
                "flickr_url": "http://farm9.staticflickr.com/8035/8024364248_4e5a7e36c3_z.jpg",
                "id": 139,
            }
        ],
        "annotations": [
            {
                "segmentation": [[10.0, 10.5, 20, 10.5, 20, 30]],
                "area": 97.5,
                "iscrowd": 0,
                "image_id": 139,
                "bbox": [10, 10.5, 10, 19.5],
                "category_id": 1,
                "id": 7,
            }
        ],
        "categories": [{"supercategory": "person", "id": 1, "name": "person"}],
    } | changes


def annotation(**changes: Any) -> dict[str, Any]:
    first: dict[str, Any] = document()["annotations"][0]
    return {key: value for key, value in (first | changes).items() if value is not ...}


def read(path: Path, content: Any) -> coco.CocoDocument:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return coco.read_instances(path, split="val2017", image_dir="coco_raw/val2017")


def test_an_image_becomes_a_row(tmp_path: Path) -> None:
    images = read(tmp_path / "a.json", document()).tables().images

    assert images.schema == IMAGES
    assert images.to_dicts() == [
        {
            "source": "coco",
            "split": "val2017",
            "image_id": "139",
            "path": "coco_raw/val2017/000000000139.jpg",
            "width": 640,
            "height": 426,
            "license": "http://creativecommons.org/licenses/by/2.0/",
            "author": None,
            "title": None,
            "page": "http://farm9.staticflickr.com/8035/8024364248_4e5a7e36c3_z.jpg",
            "flickr_id": "8024364248",
            "rotation": None,
            "fault": None,
            "unread": None,
        }
    ]


def test_an_annotation_becomes_a_row(tmp_path: Path) -> None:
    boxes = read(tmp_path / "a.json", document()).tables().boxes

    assert boxes.schema == BOXES
    assert boxes.to_dicts() == [
        {
            "source": "coco",
            "split": "val2017",
            "image_id": "139",
            "box_id": "7",
            "label": "person",
            "x": 10.0,
            "y": 10.5,
            "w": 10.0,
            "h": 19.5,
            "area": 97.5,
            "crowd": False,
            "occluded": None,
            "truncated": None,
            "depiction": None,
            "inside": None,
            "segmentation": "[[10.0, 10.5, 20, 10.5, 20, 30]]",
            "plain_mask": True,
            "fault": None,
            "unread": None,
        }
    ]


def test_defects_that_cleaning_handles_are_read_as_they_are(tmp_path: Path) -> None:
    annotations = [
        annotation(id=0),
        annotation(id=-3, iscrowd=..., area=..., segmentation=...),
        annotation(id=900100581921, bbox=[5, 5, 0, 4], iscrowd=1, segmentation={"counts": [3], "size": [1, 3]}),
        annotation(id=2**53 + 1, image_id=10_000_139, bbox=None, area=None, segmentation=None),
        annotation(id=7, category_id=12, bbox=[-7.25, 0, 5000, 1e30]),
        annotation(id=7, bbox=...),
    ]

    boxes = read(tmp_path / "a.json", document(annotations=annotations)).tables().boxes

    assert boxes["box_id"].to_list() == ["0", "-3", "900100581921", "9007199254740993", "7", "7"]
    assert boxes["image_id"].to_list() == ["139", "139", "139", "10000139", "139", "139"]
    assert boxes["label"].to_list() == ["person", "person", "person", "person", None, "person"]
    assert boxes["crowd"].to_list() == [False, False, True, False, False, False]
    assert boxes["w"].to_list() == [10.0, 10.0, 0.0, None, 5000.0, None]
    assert boxes["area"].to_list() == [97.5, None, 97.5, None, 97.5, 97.5]
    assert boxes["segmentation"].to_list()[1:4] == [None, '{"counts": [3], "size": [1, 3]}', None]


def test_an_image_without_the_optional_fields_is_read(tmp_path: Path) -> None:
    images = [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg", "width": 10**12, "license": 99}]

    table = read(tmp_path / "a.json", document(images=images)).tables().images

    assert table.select("image_id", "width", "license", "page", "flickr_id").rows() == [
        ("1", None, None, None, None),
        ("2", 2**31 - 1, None, None, None),  # no picture is as wide, so cleaning sees that it is wrong
    ]


def test_a_document_without_records_has_empty_tables_of_the_same_schema(tmp_path: Path) -> None:
    tables = read(tmp_path / "a.json", {"images": [], "annotations": [], "categories": []}).tables()

    assert (tables.images.schema, tables.boxes.schema) == (IMAGES, BOXES)
    assert (len(tables.images), len(tables.boxes)) == (0, 0)


def test_round_trip_keeps_every_field_known_or_not(tmp_path: Path) -> None:
    content = document(
        annotations=[
            annotation(keypoints=[1, 2, 2], attributes={"a": None, "bbox": [1e-7, 0.1, 1e22]}),
            annotation(id=8, iscrowd=..., bbox=None, area=12),
        ],
        images=[*document()["images"], {"id": 2, "file_name": "b.jpg", "camera": {"iso": 100}}],
        categories=[{"id": 1, "name": "person", "keypoints": ["nose"], "weight": 1.0}],
        licenses=[{"id": 4, "url": None, "note": "\u00fcber \U0001f600"}],
        videos=[{"id": 1}],
        annotation_tool="v2",
    )

    written = tmp_path / "b.json"
    coco.write_instances(written, read(tmp_path / "a.json", content))

    text = written.read_text(encoding="utf-8")
    assert json.loads(text) == content
    assert text.endswith("}\n")
    assert "12.0" not in text
    assert coco.read_instances(written, split="x", image_dir="y").tables().boxes.height == 2


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    read_ = read(tmp_path / "a.json", document())
    coco.write_instances(tmp_path / "b.json", read_)
    coco.write_instances(tmp_path / "c.json", coco.read_instances(tmp_path / "b.json", split="", image_dir=""))
    assert (tmp_path / "b.json").read_bytes() == (tmp_path / "c.json").read_bytes()


def test_many_records_are_written_as_one_list(tmp_path: Path) -> None:
    path = tmp_path / "many.json"
    images = ({"id": number, "file_name": f"{number}.jpg"} for number in range(45_000))
    coco.write_document(path, info={}, licenses=[], images=images, annotations=[], categories=[])

    content = json.loads(path.read_text(encoding="utf-8"))
    assert [each["id"] for each in content["images"]] == list(range(45_000))
    assert list(content) == ["info", "licenses", "images", "annotations", "categories"]


@settings(deadline=None)  # the first example pays for imports, and the machine may be busy
@given(
    boxes=st.lists(
        st.lists(
            st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False), min_size=4, max_size=4
        ),
        max_size=5,
    )
)
def test_any_finite_number_survives_the_round_trip(
    tmp_path_factory: pytest.TempPathFactory, boxes: list[list[float]]
) -> None:
    folder = tmp_path_factory.mktemp("numbers")
    content = document(annotations=[annotation(id=number, bbox=box) for number, box in enumerate(boxes)])
    read_ = read(folder / "a.json", content)
    coco.write_instances(folder / "b.json", read_)

    assert json.loads((folder / "b.json").read_text(encoding="utf-8")) == content
    assert read_.tables().boxes.select("x", "y", "w", "h").rows() == [tuple(map(float, box)) for box in boxes]


@pytest.mark.parametrize("split", ["train2017", "val2017"])
def test_real_annotations_come_back_whole(tmp_path: Path, split: str) -> None:
    path = REAL / f"instances_{split}.json"
    if not path.exists():
        pytest.skip(f"no real annotations at {path}")
    plain = json.loads(path.read_text(encoding="utf-8"))

    read_ = coco.read_instances(path, split=split, image_dir=f"coco_raw/{split}")
    coco.write_instances(tmp_path / "out.json", read_)

    tables = read_.tables()
    names = {each["id"]: each["name"] for each in plain["categories"]}
    assert json.loads((tmp_path / "out.json").read_text(encoding="utf-8")) == plain
    assert (len(tables.images), len(tables.boxes)) == (len(plain["images"]), len(plain["annotations"]))
    assert tables.boxes["crowd"].sum() == sum(each["iscrowd"] for each in plain["annotations"])
    assert tables.boxes["label"].to_list() == [names[each["category_id"]] for each in plain["annotations"]]
    assert tables.boxes.select("x", "y", "w", "h").rows() == [tuple(each["bbox"]) for each in plain["annotations"]]
    assert tables.images["flickr_id"].null_count() == 0
    sizes = {each["id"]: (each["width"], each["height"]) for each in plain["images"]}
    for each in plain["annotations"]:
        assert segmentation_fault(json.dumps(each["segmentation"]), *sizes[each["image_id"]]) is None


def test_other_kinds_of_coco_files_are_checked_for_form(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document()), encoding="utf-8")
    assert coco.check_parses(path, "instances") == coco.Counts(images=1, annotations=1)

    path.write_text(
        json.dumps(document(annotations=[annotation(keypoints=[1, 2, 2] * 17, num_keypoints=17)])), encoding="utf-8"
    )
    assert coco.check_parses(path, "person_keypoints") == coco.Counts(images=1, annotations=1)

    captions = [{"id": 1, "image_id": 139, "caption": "A room <b>with</b> a chair."}]
    path.write_text(json.dumps(document(annotations=captions)), encoding="utf-8")
    assert coco.check_parses(path, "captions") == coco.Counts(images=1, annotations=1)
    odd = coco.check_parses(path, "instances").odd
    assert odd.select("section", "field", "unread").rows() == [("annotations", "category_id", 1)]
