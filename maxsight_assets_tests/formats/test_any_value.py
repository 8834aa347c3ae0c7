"""Any value in any field of BDD100K, ADE20K and Open Images costs its record at most; COCO's test is in `test_odd`."""

import io
import json
from collections.abc import Collection
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from maxsight_assets.cleaning.apply import Cleaned, clean
from maxsight_assets.cleaning.config import CleaningConfig
from maxsight_assets.datasets.ade20k.format import read_instances
from maxsight_assets.datasets.bdd100k.format import read_labels
from maxsight_assets.datasets.openimages.format import read_split
from maxsight_assets.formats.tables import Tables
from maxsight_assets_tests.cleaning.records import facts_of
from maxsight_assets_tests.formats.test_odd import JSON

COUNT = 12
ODD = st.integers(1, 3)  # records; fewer than the five that are tolerated in any case
ROWS = st.integers(0, COUNT - 1)


def cleaned(tables: Tables, words: Collection[str]) -> Cleaned:
    """Clean with the bounds as they are by default, so that a refusal fails the test."""
    facts = facts_of(tables.images.filter(pl.col("path").is_not_null()))
    labels = {str(source): {word: word for word in words} for source in tables.images["source"].unique()}
    config = CleaningConfig(drop_empty_images=False)
    return clean(tables.images, tables.boxes, facts, labels=labels, config=config)


def accounts_for_all(tables: Tables, result: Cleaned) -> bool:
    dropped = result.ledger.filter(action="drop")
    return all(
        stayed.height + dropped.filter(kind=kind).height == came.height
        for kind, came, stayed in (("image", tables.images, result.images), ("box", tables.boxes, result.boxes))
    )


def assert_others_are_as_without(odd: Cleaned, plain: Cleaned, others: Collection[str]) -> None:
    apart = pl.col("image_id").is_in(list(others))
    assert odd.images.filter(apart).equals(plain.images.filter(apart))
    assert odd.boxes.filter(apart).equals(plain.boxes.filter(apart))


def frame(number: int) -> dict[str, Any]:
    sides = {"x1": 10 + number, "y1": 20.5, "x2": 60, "y2": 90.25}
    label = {"id": str(number), "category": "car", "attributes": {"occluded": True}, "box2d": sides}
    return {"name": f"frame-{number}.jpg", "labels": [label]}


PLACES = ("record", "name", "labels", "label", "id", "category", "attributes", "box2d", "x1")


@st.composite
def spoilt_frames(draw: st.DrawFn) -> tuple[list[Any], set[int]]:
    frames: list[Any] = [frame(number) for number in range(COUNT)]
    touched = {draw(ROWS) for _ in range(draw(ODD))}
    for row in touched:
        where = draw(
            st.sampled_from(["record", "name", "labels", "label", "id", "category", "attributes", "box2d", "x1"])
        )
        value = draw(JSON)
        label = frames[row]["labels"][0]
        if where == "record":
            frames[row] = value
        elif where in ("name", "labels"):
            frames[row][where] = value
        elif where == "label":
            frames[row]["labels"][0] = value
        else:
            (label["box2d"] if where == "x1" else label)[where] = value
    return frames, touched


@settings(max_examples=40, deadline=None)
@given(spoilt_frames())
def test_any_value_in_a_field_of_bdd100k_costs_its_record_at_most(
    tmp_path_factory: pytest.TempPathFactory, drawn: tuple[list[Any], set[int]]
) -> None:
    frames, touched = drawn
    path = tmp_path_factory.mktemp("odd") / "det_val.json"

    def read(content: list[Any]) -> Tables:
        path.write_text(json.dumps(content), encoding="utf-8")
        return read_labels(path, image_dir="bdd100k/images/100k/val")

    tables = read(frames)
    result = cleaned(tables, ["car"])

    assert tables.images.height == COUNT
    assert accounts_for_all(tables, result)
    others = [f"frame-{row}" for row in range(COUNT) if row not in touched]
    assert_others_are_as_without(result, cleaned(read([frame(row) for row in range(COUNT)]), ["car"]), others)


def mask(number: int) -> bytes:
    pixels = np.zeros((480, 640, 3), np.uint8)
    pixels[100 : 200 + number, 100:200] = (8, 1, 0)
    return png(Image.fromarray(pixels))


def png(picture: Image.Image, form: str = "PNG") -> bytes:
    stream = io.BytesIO()
    picture.save(stream, form)
    return stream.getvalue()


MODES = st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16"])
MASKS = st.one_of(
    st.none(),
    st.binary(max_size=40),
    st.integers(0, 400).map(lambda size: mask(0)[:size]),
    MODES.map(lambda mode: png(Image.new("L", (64, 48), 3).convert(mode if mode != "I;16" else "I"))),
    st.tuples(st.integers(0, 255), st.integers(0, 255)).map(lambda rg: png(Image.new("RGB", (640, 480), (*rg, 0)))),
    st.just(png(Image.new("RGB", (640, 480)), "JPEG")),
)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(ROWS, MASKS, min_size=1, max_size=3))
def test_any_file_in_place_of_an_ade20k_mask_costs_its_image_at_most(
    tmp_path_factory: pytest.TempPathFactory, drawn: dict[int, bytes | None]
) -> None:
    root = tmp_path_factory.mktemp("odd")
    folder = root / "annotations_instance/validation"
    folder.mkdir(parents=True)
    for number in range(COUNT):
        (folder / f"{number:02}.png").write_bytes(mask(number))

    def read() -> Tables:
        return read_instances(root, [f"{number:02}" for number in range(COUNT)], place="ade20k")

    plain = cleaned(read(), ["chair"])
    for number, content in drawn.items():
        (folder / f"{number:02}.png").unlink() if content is None else (folder / f"{number:02}.png").write_bytes(
            content
        )
    tables = read()
    result = cleaned(tables, ["chair"])

    assert tables.images.height == COUNT
    assert accounts_for_all(tables, result)
    assert_others_are_as_without(result, plain, [f"{n:02}" for n in range(COUNT) if n not in drawn])


COLUMNS = ("ImageID", "Source", "LabelName", "Confidence", "XMin", "XMax", "YMin", "YMax", "IsOccluded", "IsGroupOf")
ABOUT = ("ImageID", "OriginalLandingURL", "License", "Author", "Title", "Rotation")
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters='\n\r"\0'), max_size=9) | st.sampled_from(
    ["", "NA", "1e5", "nan", "-1", "2", "0,5", "1.5", "/m/01g317", "x" * 300]
)


def rows(number: int) -> tuple[list[str], list[str]]:
    """The box and the metadata of an image of Open Images."""
    image_id = f"{number:016x}"
    box = [image_id, "xclick", "/m/01g317", "1", f"0.{number:02}", "0.75", "0.1", "0.9", "0", "0"]
    return box, [image_id, "https://www.flickr.com/photos/a/1", "by", "A", "T", "0.0"]


@st.composite
def spoilt_rows(draw: st.DrawFn) -> tuple[list[list[str]], list[list[str]], set[int]]:
    boxes, about = ([rows(number)[part] for number in range(COUNT)] for part in (0, 1))
    touched = {draw(ROWS) for _ in range(draw(ODD))}
    for row in touched:
        columns, table = draw(st.sampled_from([(COLUMNS, boxes), (ABOUT, about)]))
        table[row][draw(st.integers(0, len(columns) - 1))] = draw(TEXT)
    return boxes, about, touched


@settings(max_examples=40, deadline=None)
@given(spoilt_rows())
def test_any_text_in_a_field_of_open_images_costs_its_row_at_most(
    tmp_path_factory: pytest.TempPathFactory, drawn: tuple[list[list[str]], list[list[str]], set[int]]
) -> None:
    boxes, about, touched = drawn
    root = tmp_path_factory.mktemp("odd")
    ids = [f"{number:016x}" for number in range(COUNT)]

    def read(boxes: list[list[str]], about: list[list[str]]) -> Tables:
        for name, header, table in (("boxes.csv", COLUMNS, boxes), ("about.csv", ABOUT, about)):
            lines = [",".join(header), *(",".join(row) for row in table), ""]
            (root / name).write_text("\n".join(lines), encoding="utf-8")
        return read_split(
            root / "boxes.csv",
            root / "about.csv",
            split="train",
            class_names={"/m/01g317": "Person"},
            sizes=dict.fromkeys(ids, (640, 480)),
            image_dir="open_images_v6/train",
            landed=ids,
        )

    tables = read(boxes, about)
    result = cleaned(tables, ["Person"])

    assert tables.boxes.height == COUNT
    assert accounts_for_all(tables, result)
    plain = cleaned(read(*([rows(number)[part] for number in range(COUNT)] for part in (0, 1))), ["Person"])
    assert_others_are_as_without(result, plain, [ids[row] for row in range(COUNT) if row not in touched])
