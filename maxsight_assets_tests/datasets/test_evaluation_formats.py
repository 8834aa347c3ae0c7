"""BDD100K's label list and ADE20K's instance masks, read into the table model."""

import json
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from maxsight_assets.cleaning.apply import clean
from maxsight_assets.cleaning.config import CleaningConfig
from maxsight_assets.datasets.ade20k import format as ade20k
from maxsight_assets.datasets.bdd100k import format as bdd100k
from maxsight_assets.datasets.registry import SOURCES
from maxsight_assets.errors import FormatError
from maxsight_assets.formats.tables import BOXES, IMAGES
from maxsight_assets.labels import mapping
from maxsight_assets.labels.space import load_space
from maxsight_assets.verdict import run
from maxsight_assets.verification.boxes import ANNOTATED_RULES
from maxsight_assets.verification.views import RawView
from maxsight_assets_tests.cleaning.records import facts_of
from maxsight_assets_tests.verification.directories import jpeg, manifest_of

FRAMES = [
    {
        "name": "b1c66a42-6f7d68ca.jpg",
        "attributes": {"weather": "overcast", "scene": "city street", "timeofday": "daytime"},
        "timestamp": 10000,
        "labels": [
            {
                "id": "1",
                "category": "traffic sign",
                "attributes": {"occluded": False, "truncated": True, "trafficLightColor": "NA"},
                "box2d": {"x1": 1000.5, "y1": 281, "x2": 1040, "y2": 326.25},
            },
            {"id": 2, "category": "trailer", "box2d": {"x1": 5, "y1": 6, "x2": 5, "y2": 9}},
            {"id": "3", "category": "lane", "poly2d": [{"vertices": [[0, 1]]}]},
        ],
    },
    {"name": "b1c81faa-3df17267.jpg"},
    {"name": "b1c81faa-c80764c5.jpg", "labels": None},
]


def frames(path: Path, content: object) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_bdd100k_labels_become_tables(tmp_path: Path) -> None:
    tables = bdd100k.read_labels(frames(tmp_path / "val.json", FRAMES), image_dir="bdd100k/images/100k/val")

    assert (tables.images.schema, tables.boxes.schema) == (IMAGES, BOXES)
    assert tables.images.select("source", "split", "image_id", "path", "width", "height").rows() == [
        ("bdd100k", "val", name, f"bdd100k/images/100k/val/{name}.jpg", None, None)
        for name in ("b1c66a42-6f7d68ca", "b1c81faa-3df17267", "b1c81faa-c80764c5")
    ]
    columns = ("image_id", "box_id", "label", "x", "y", "w", "h", "crowd", "occluded", "truncated")
    assert tables.boxes.select(columns).rows() == [
        ("b1c66a42-6f7d68ca", "b1c66a42-6f7d68ca:1", "traffic sign", 1000.5, 281.0, 39.5, 45.25, False, False, True),
        ("b1c66a42-6f7d68ca", "b1c66a42-6f7d68ca:2", "trailer", 5.0, 6.0, 0.0, 3.0, False, None, None),
    ]


def test_what_bdd100k_says_of_a_whole_frame_is_read_and_undefined_says_nothing(tmp_path: Path) -> None:
    said = [
        {"weather": "rainy", "timeofday": "night", "scene": "highway"},
        {"weather": "undefined", "timeofday": "daytime"},
        {"weather": 7, "timeofday": "dawn/dusk"},
        None,
    ]
    content = [{"name": f"{number}.jpg", "attributes": each} for number, each in enumerate(said)]

    tables = bdd100k.read_labels(frames(tmp_path / "val.json", content), image_dir="x")

    assert tables.attributes.rows() == [
        ("0", "night", "rainy", "highway"),
        ("1", "daytime", None, None),
        ("2", "dawn/dusk", None, None),
        ("3", None, None, None),
    ]
    assert tables.images["unread"].is_not_null().to_list() == [False, False, True, False]


def test_bdd100k_frames_without_any_label_are_images(tmp_path: Path) -> None:
    tables = bdd100k.read_labels(frames(tmp_path / "val.json", FRAMES[1:]), image_dir="x")
    assert (len(tables.images), len(tables.boxes)) == (2, 0)
    assert tables.boxes.schema == BOXES


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('[{"name": "a", "labels": [{"id": 1, "category": "car", "box2d": {"x1": NaN', "$[0].labels[0].box2d.x1: "),
        ('[{"name": "a", "name": "b"}]', "$[0].name: this key stands twice"),
        ("{}", "$: "),
    ],
)
def test_fault_62_bdd100k_files_name_the_place(tmp_path: Path, text: str, place: str) -> None:
    with pytest.raises(FormatError) as caught:
        bdd100k.read_labels(frames(tmp_path / "val.json", text), image_dir="x")
    assert str(caught.value).startswith(f"val.json: {place}")


def mask(root: Path, name: str, pixels: np.ndarray) -> None:
    folder = root / "annotations_instance" / "validation"
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(folder / f"{name}.png")


def test_ade20k_instances_become_the_boxes_around_their_pixels(tmp_path: Path) -> None:
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[5:10, 7:20] = (8, 1, 0)  # chair
    pixels[20, 30] = (4, 2, 0)  # person
    pixels[0:2, 0:2] = (8, 3, 99)  # a chair of two parts
    pixels[39, 59] = (8, 3, 0)
    pixels[30:33, 10:12] = (0, 4, 0)  # a class without a name
    pixels[35, 0:5] = (8, 0, 0)  # no instance
    mask(tmp_path, "ADE_val_00000001", pixels)
    mask(tmp_path, "ADE_val_00000002", np.zeros((2, 3, 3), np.uint8))

    ids = ["ADE_val_00000003", "ADE_val_00000001", "ADE_val_00000002"]
    tables = ade20k.read_instances(tmp_path, ids, place="ade20k")

    assert (tables.images.schema, tables.boxes.schema) == (IMAGES, BOXES)
    assert tables.images.select("source", "split", "image_id", "path", "width", "height").rows() == [
        ("ade20k", "validation", name, f"ade20k/images/validation/{name}.jpg", *size)
        for name, size in zip(sorted(ids), [(60, 40), (3, 2), (None, None)], strict=True)
    ]
    assert tables.boxes.select("box_id", "label", "x", "y", "w", "h", "area").rows() == [
        ("ADE_val_00000001:1", "chair", 7.0, 5.0, 13.0, 5.0, 65.0),
        ("ADE_val_00000001:2", "person", 30.0, 20.0, 1.0, 1.0, 1.0),
        ("ADE_val_00000001:3", "chair", 0.0, 0.0, 60.0, 40.0, 5.0),
        ("ADE_val_00000001:4", None, 10.0, 30.0, 2.0, 3.0, 6.0),
    ]


def test_ade20k_class_names_are_those_that_are_mapped() -> None:
    names = ade20k.class_names()
    assert len(set(names)) == 100
    assert (names[0], names[3], names[7], names[99]) == ("bed", "person", "chair", "flag")
    assert [row.label for row in mapping.rows("ade20k")] == list(names)


def test_fault_66_a_mask_that_is_missing_or_no_whole_rgb_png_costs_its_image(tmp_path: Path) -> None:
    mask(tmp_path, "gray", np.zeros((4, 4), np.uint8))
    mask(tmp_path, "cut", np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8))
    path = tmp_path / "annotations_instance" / "validation" / "cut.png"
    path.write_bytes(path.read_bytes()[:3000])
    mask(tmp_path, "sound", np.full((4, 4, 3), 1, np.uint8))
    Image.fromarray(np.zeros((4, 4), np.uint8)).convert("P").save(path.with_name("palette.png"))

    with warnings.catch_warnings():
        tables = ade20k.read_instances(tmp_path, ["gray", "cut", "sound", "palette", "gone"], place="ade20k")

    faults = dict(tables.images.select("image_id", "fault").iter_rows())
    assert faults.pop("sound") is None
    expected = {
        "gray": "gray.png: a mask of mode L",
        "cut": "cut.png: not a whole PNG",
        "palette": "palette.png: a mask of mode P",
        "gone": "gone.png: no instance mask",
    }
    assert faults.keys() == expected.keys()
    assert all(faults[name].startswith(text) for name, text in expected.items())
    assert tables.boxes["image_id"].to_list() == ["sound"]


def test_an_opaque_alpha_channel_changes_no_mask(tmp_path: Path) -> None:
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[1:3, 1:3], pixels[:, :, 3] = (8, 1, 0, 0), 255
    mask(tmp_path, "alpha", pixels)

    tables = ade20k.read_instances(tmp_path, ["alpha"], place="ade20k")

    assert tables.boxes.select("label", "x", "y", "w", "h").rows() == [("chair", 1.0, 1.0, 2.0, 2.0)]


EDITION_2018 = ("person", "rider", "car", "bus", "truck", "bike", "motor", "traffic light", "traffic sign", "train")
"""Classes of BDD100K's labels of 2018; those of 2020 say pedestrian, bicycle and motorcycle."""


def view_of_labels(root: Path, categories: list[str]) -> RawView:
    """A landed directory of one frame with boxes of these categories."""
    sides = [{"x1": 10 * n, "y1": 1, "x2": 10 * n + 9, "y2": 30} for n in range(len(categories))]
    labels = [
        {"id": n, "category": word, "box2d": box} for n, (word, box) in enumerate(zip(categories, sides, strict=True))
    ]
    path = root / "labels/bdd100k_labels_images_val.json"
    path.parent.mkdir(parents=True)
    frames(path, [{"name": "a.jpg", "labels": labels}])
    picture = root / "images/100k/val/a.jpg"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(jpeg(1, width=640, height=480))
    return SOURCES["bdd100k"].view(root, manifest_of(root))


def test_fault_84_the_words_of_bdd100ks_edition_of_2018_are_named_and_read_as_they_are_meant(tmp_path: Path) -> None:
    view = view_of_labels(tmp_path, [*EDITION_2018, "bike"])
    found = {verdict.rule: verdict for verdict in run(ANNOTATED_RULES, view)}

    assert found["labels_are_of_this_edition"].examples == (
        "bike: 2 boxes, of the labels of 2018",
        "motor: 1 boxes, of the labels of 2018",
        "person: 1 boxes, of the labels of 2018",
    )
    assert found["classes_are_declared"].passed
    assert found["damage_is_bounded"].passed
    mapped = mapping.to_space("bdd100k", load_space())
    assert {mapped[word] for word in EDITION_2018} == {mapped[row.label] for row in mapping.rows("bdd100k")} - {None}


def test_fault_84_words_that_no_edition_has_are_counted_with_the_nearest_and_block(tmp_path: Path) -> None:
    view = view_of_labels(tmp_path, ["Car"] * 4 + ["traffic_light"] * 3 + ["pedestrian"])
    found = {verdict.rule: verdict for verdict in run(ANNOTATED_RULES, view)}

    assert found["classes_are_declared"].offenders == 7
    assert {"Car (nearest: car)": 4, "traffic_light (nearest: traffic light)": 3}.items() <= (
        found["classes_are_declared"].facts.items()
    )
    assert "unknown_class: 7 of 8 boxes of bdd100k: Car 4, traffic_light 3" in found["damage_is_bounded"].examples[0]


def test_fault_84_a_class_number_of_another_list_of_ade20k_is_named(tmp_path: Path) -> None:
    pixels = np.zeros((4, 4, 3), np.uint8)
    pixels[1:3, 1:3] = (151, 1, 0)
    mask(tmp_path, "full", pixels)

    tables = ade20k.read_instances(tmp_path, ["full"], place="ade20k")

    (label,) = tables.boxes["label"]
    assert label == "class 151"
    assert [edition for pattern, edition in SOURCES["ade20k"].editions.items() if re.fullmatch(pattern, label)]


def one_label(**changes: object) -> list[dict[str, object]]:
    sound = {"id": "1", "category": "car", "attributes": {"occluded": True, "truncated": False}}
    return [{"name": "a.jpg", "labels": [sound | {"box2d": {"x1": 1, "y1": 2, "x2": 5, "y2": 8}} | changes]}]


@pytest.mark.parametrize(
    ("changes", "column", "value"),
    [
        ({"id": 1.0}, "box_id", "a:1"),
        ({"id": None}, "box_id", "a:labels[0]"),
        ({"attributes": []}, "occluded", None),
        ({"attributes": "false"}, "occluded", None),
        ({"attributes": 0}, "crowd", False),
        ({"attributes": {"occluded": "true", "truncated": 1}}, "occluded", True),
        ({"attributes": {"occluded": "true", "truncated": 1}}, "truncated", True),
        ({"attributes": {"occluded": "perhaps", "truncated": 0}}, "occluded", None),
        ({"attributes": {"occluded": "perhaps", "truncated": 0}}, "truncated", False),
        ({"box2d": {"x1": "1", "y1": 2.0, "x2": [5], "y2": 8}}, "w", 4.0),
        ({"category": None}, "label", None),
        ({"category": 7}, "label", None),
        ({"poly2d": {"a": [float("nan")]}, "score": float("inf")}, "w", 4.0),
    ],
)
def test_an_odd_field_of_a_bdd100k_label_costs_at_most_itself(
    changes: dict[str, object], column: str, value: object, tmp_path: Path
) -> None:
    tables = bdd100k.read_labels(frames(tmp_path / "val.json", one_label(**changes)), image_dir="x")

    assert tables.boxes[column].to_list() == [value]
    assert tables.boxes["fault"].to_list() == [None]


@pytest.mark.parametrize(
    "box", [{}, [1, 2, 3, 4], "30", 7, {"x1": None, "y1": 2, "x2": 3, "y2": 4}, [float("nan")] * 4]
)
def test_a_bdd100k_box_that_cannot_be_read_is_a_box_that_lies_nowhere(box: object, tmp_path: Path) -> None:
    tables = bdd100k.read_labels(frames(tmp_path / "val.json", one_label(box2d=box)), image_dir="x")

    assert tables.boxes.height == 1
    assert not tables.boxes["x"].is_finite().any()
    assert tables.odd.select("section", "field", "unread").rows() == [("labels", "box2d", 1)]
    assert tables.odd["first"][0][0].startswith("frames[0].labels[0] (")


def test_two_odd_labels_of_bdd100k_cost_one_box_and_two_flags(tmp_path: Path) -> None:
    content = [frame for _ in range(20) for frame in one_label()]
    for number, frame in enumerate(content):
        frame["name"] = f"{number:02}.jpg"
    content[3]["labels"][0]["attributes"] = []  # type: ignore[index]
    content[4]["labels"][0]["box2d"] = {}  # type: ignore[index]
    tables = bdd100k.read_labels(frames(tmp_path / "val.json", content), image_dir="x")

    result = clean(
        tables.images,
        tables.boxes,
        facts_of(tables.images),
        labels={"bdd100k": {"car": "car"}},
        config=CleaningConfig(drop_empty_images=False),
    )

    assert result.ledger.select("image_id", "rule", "action").rows() == [
        ("03", "unreadable_field", "repair"),
        ("04", "unreadable_geometry", "drop"),
    ]
    flags = dict(result.boxes.select("image_id", "occluded").iter_rows())
    assert (flags.pop("03"), set(flags.values()), len(flags)) == (None, {True}, 18)


@pytest.mark.parametrize("frame", [None, 7, [], {"name": 7}, {"labels": []}, {"name": "b.jpg", "labels": {"a": 1}}])
def test_fault_83_a_bdd100k_frame_that_cannot_be_read_is_no_image_without_boxes(frame: object, tmp_path: Path) -> None:
    content = [*FRAMES, frame]
    tables = bdd100k.read_labels(frames(tmp_path / "val.json", content), image_dir="x")

    assert tables.images["fault"].is_not_null().to_list() == [False, False, False, True]
    assert tables.boxes.height == 2


def test_a_bdd100k_label_that_is_no_record_is_named(tmp_path: Path) -> None:
    tables = bdd100k.read_labels(
        frames(tmp_path / "val.json", [{"name": "a.jpg", "labels": [None, *FRAMES[0]["labels"]]}]), image_dir="x"
    )

    assert tables.boxes.select("box_id", "fault").rows() == [
        ("a:labels[0]", "record: null"),
        ("a:1", None),
        ("a:2", None),
    ]
