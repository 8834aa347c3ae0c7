import io
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from maxsight_assets.images.preview import MAX_BYTES, Item, bar_chart, contact_sheet
from maxsight_assets_tests.images.pictures import encoded, picture


def items(directory: Path, number: int) -> list[Item]:
    made: list[Item] = []
    for seed in range(number):
        path = directory / f"{seed}.jpg"
        path.write_bytes(encoded(picture(seed)))
        made.append((path, np.array([[100.0, 100.0, 200.0, 150.0]]), ["<b>door</b>"]))
    return made


def test_a_sheet_shows_images_in_rows(tmp_path: Path) -> None:
    data = contact_sheet(items(tmp_path, 5), columns=3, cell=100)

    assert Image.open(io.BytesIO(data)).size == (300, 200)


def test_boxes_are_drawn_where_they_lie(tmp_path: Path) -> None:
    path = tmp_path / "gray.png"
    path.write_bytes(encoded(Image.new("RGB", (400, 400), (128, 128, 128)), "PNG"))

    data = contact_sheet([(path, np.array([[100.0, 100.0, 200.0, 200.0]]), ["x"])], columns=1, cell=404)

    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
    assert np.abs(pixels[200, 200] - 128).max() < 8
    assert np.abs(pixels[200, 102] - 128).max() > 30
    assert np.abs(pixels[200, 302] - 128).max() > 30


def test_a_large_sheet_stays_small_enough_for_metadata(tmp_path: Path) -> None:
    path = tmp_path / "noise.png"
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    path.write_bytes(encoded(Image.fromarray(noise), "PNG"))

    data = contact_sheet([(path, np.empty((0, 4)), [])] * 12, columns=4, cell=200)

    assert len(data) < MAX_BYTES


@pytest.mark.parametrize(
    "box",
    [
        [np.nan] * 4,
        [5, 5, np.nan, 9],
        [np.inf, 0, 9, 9],
        [5, 5, -9, 9],
        [5, 5, 0, 9],
        [1e300, 5, 9, 9],
        [5, 5, 1e300, 9],
    ],
)
def test_a_box_that_cannot_be_drawn_costs_no_sheet(tmp_path: Path, box: list[float]) -> None:
    (path, sound, labels), *_ = items(tmp_path, 1)

    data = contact_sheet([(path, np.concatenate([[box], sound]), ["odd", *labels])])

    assert data == contact_sheet([(path, sound, labels)])


def test_the_same_items_give_the_same_bytes(tmp_path: Path) -> None:
    shown = items(tmp_path, 3)

    assert contact_sheet(shown) == contact_sheet(shown)


def test_an_image_that_does_not_decode_leaves_a_cell(tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"<html>")

    data = contact_sheet([(bad, np.empty((0, 4)), []), (tmp_path / "gone.jpg", np.empty((0, 4)), [])], cell=50)

    assert Image.open(io.BytesIO(data)).size == (200, 50)


def test_fault_67_a_bar_chart_is_text_whatever_names_hold() -> None:
    chart = ET.fromstring(bar_chart({"<script>alert(1)</script>": 3, "a & b": 0}))

    texts = [element.text for element in chart.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["<script>alert(1)</script>", "3", "a & b", "0"]


def test_bars_are_as_long_as_their_counts() -> None:
    chart = ET.fromstring(bar_chart({"one": 10, "other": 20}))

    widths = [float(bar.attrib["width"]) for bar in chart.iter("{http://www.w3.org/2000/svg}rect")]
    assert widths[1] == 2 * widths[0]


def test_a_chart_of_nothing_is_a_chart() -> None:
    assert ET.fromstring(bar_chart({})).attrib["height"] == "0"
