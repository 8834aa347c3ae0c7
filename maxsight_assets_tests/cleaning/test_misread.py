"""Boxes that do not mean what they should: corners, shares of the picture, another scale than their masks."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maxsight_assets.cleaning.apply import Cleaned, clean
from maxsight_assets.cleaning.config import CleaningConfig, Tolerance
from maxsight_assets.errors import NotPublished
from maxsight_assets.formats.masks import examine_mask, names_edges
from maxsight_assets_tests.cleaning.records import LABELS, box, boxes_of, facts_of, image, images_of

WIDTH, HEIGHT = 640, 480
Form = Callable[[float, float, float, float], tuple[float, float, float, float]]

FORMS: Mapping[str, Form] = {
    "sound": lambda x, y, w, h: (x, y, w, h),
    "corners": lambda x, y, w, h: (x, y, x + w, y + h),
    "shares": lambda x, y, w, h: (x / WIDTH, y / HEIGHT, w / WIDTH, h / HEIGHT),
    "centres": lambda x, y, w, h: (x + w / 2, y + h / 2, w, h),
    "halves": lambda x, y, w, h: (x / 2, y / 2, w / 2, h / 2),
    "turned": lambda x, y, w, h: (y, x, h, w),
}
"""How a box may be written, by a word for it."""


def sound(number: int) -> tuple[float, float, float, float]:
    """A box of a thing inside the picture, unlike that of other numbers."""
    return 60.25 + 15 * number, 15.5 + 7 * number, 40.0 + 2 * number, 60.75 + number


def row(number: int, form: str = "sound", *, mask: bool = True, **changes: Any) -> dict[str, Any]:
    """A box of image 1 in some form, with the triangle that it surrounds."""
    x, y, w, h = sound(number)
    sides = dict(zip("xywh", FORMS[form](x, y, w, h), strict=True))
    triangle = json.dumps([[x, y, x + w, y, x + w, y + h]]) if mask else None
    return box(str(number), segmentation=triangle, **sides, **changes)


def cleaned(*rows: dict[str, Any], records: int = 5, **config: Any) -> Cleaned:
    images = images_of(image("1"))
    settings_ = CleaningConfig(tolerance=Tolerance(records=records), **config)
    return clean(images, boxes_of(*rows), facts_of(images), labels=LABELS, config=settings_)


@pytest.mark.parametrize("form", ["corners", "centres", "halves", "turned"])
def test_fault_82_a_box_off_its_polygon_costs_itself(form: str) -> None:
    result = cleaned(row(1), row(2, form), row(3))

    assert result.ledger.select("box_id", "rule", "action").rows() == [("2", "off_its_mask", "drop")]
    assert result.boxes["box_id"].to_list() == ["1", "3"]
    assert {"x", "mask_left", "mask_bottom"} <= json.loads(result.ledger["before"][0]).keys()


@pytest.mark.parametrize("mask", [True, False])
def test_fault_82_a_box_in_shares_is_found_with_and_without_its_polygon(mask: bool) -> None:
    result = cleaned(row(1), row(2, "shares", mask=mask), row(3))

    assert result.ledger.select("box_id", "rule", "action").rows() == [("2", "in_shares", "drop")]


@pytest.mark.parametrize(
    ("form", "mask", "look"),
    [
        ("corners", True, "boxes look like corners (x1, y1, x2, y2)"),
        ("corners", False, "boxes look like corners (x1, y1, x2, y2)"),
        ("shares", True, "boxes look like shares of the picture (0 to 1)"),
        ("shares", False, "boxes look like shares of the picture (0 to 1)"),
        ("centres", True, "boxes look like centres (cx, cy, w, h)"),
        ("halves", True, "boxes look like those of another scale than their masks"),
        ("turned", True, "boxes look like (y, x, h, w)"),
    ],
)
def test_fault_82_many_such_boxes_are_not_published_and_the_error_names_their_form(
    form: str, mask: bool, look: str
) -> None:
    with pytest.raises(NotPublished) as refused:
        cleaned(*(row(number, form, mask=mask) for number in range(30)))

    assert look in str(refused.value)


def test_sizes_of_pictures_that_were_turned_are_named_as_such() -> None:
    images = images_of(*(image(str(number), width=WIDTH, height=HEIGHT) for number in range(8)))
    turned = images.with_columns(width="height", height="width")

    with pytest.raises(NotPublished, match=r"wrong_size: 8 of 8 images of coco: widths and heights are swapped"):
        clean(
            turned,
            boxes_of(box("1")),
            facts_of(images),
            labels=LABELS,
            config=CleaningConfig(tolerance=Tolerance(records=5)),
        )


def test_boxes_that_merely_do_not_fit_are_counted_without_a_guess() -> None:
    rows = [row(number) | {"x": 500.0 - 14 * number, "y": 9.0 * number} for number in range(8)]

    with pytest.raises(NotPublished, match=r"off_its_mask: 8 of 8 boxes of coco \("):
        cleaned(*rows)


def test_a_run_length_mask_is_compared_too() -> None:
    before, between = HEIGHT * 100 + 50, HEIGHT - 30  # 30 pixels each of two columns
    runs = [before, 30, between, 30]
    text = json.dumps({"counts": [*runs, WIDTH * HEIGHT - sum(runs)], "size": [HEIGHT, WIDTH]})

    fits = cleaned(box("1", x=100.0, y=50.0, w=2.0, h=30.0, crowd=True, segmentation=text))
    off = cleaned(box("1", x=300.0, y=50.0, w=20.0, h=30.0, crowd=True, segmentation=text))

    assert fits.ledger.is_empty()
    assert off.ledger["rule"].to_list() == ["off_its_mask", "no_boxes"]
    assert json.loads(off.ledger["before"][0])["mask_right"] == 102


@pytest.mark.parametrize("change", [{"x": 76.2}, {"w": 44.0}, {"h": 62.0}])
def test_a_pixel_off_is_rounding(change: dict[str, float]) -> None:
    assert cleaned(row(1) | change).ledger.is_empty()


def test_a_hair_of_a_mask_is_no_other_thing_than_its_box() -> None:
    thin = box("1", x=10.0, y=10.0, w=1.0, h=90.0, segmentation="[[10.1,10,10.3,60,10.2,100]]")

    assert cleaned(thin).ledger.is_empty()


def test_masks_that_are_not_kept_are_compared_all_the_same() -> None:
    result = cleaned(row(1), row(2, "corners"), keep_segmentations=False)

    assert result.ledger["rule"].to_list() == ["off_its_mask"]
    assert result.boxes["segmentation"].to_list() == [None]


def test_a_mask_is_compared_at_the_size_of_a_resized_picture() -> None:
    images = images_of(image("1", width=WIDTH // 2, height=HEIGHT // 2))
    settings_ = CleaningConfig()

    result = clean(images, boxes_of(row(1), row(2, "corners")), facts_of(images), labels=LABELS, config=settings_)

    assert result.ledger.filter(pl.col("rule") == "off_its_mask")["box_id"].to_list() == ["2"]


POINTS = st.tuples(st.integers(0, 63_999), st.integers(0, 47_999)).map(lambda at: (at[0] / 100, at[1] / 100))


def test_a_form_whose_edges_stand_in_the_text_of_the_mask_is_found_by_the_sample() -> None:
    rows = [row(number % 20, "turned") | {"box_id": str(number)} for number in range(1_500)]
    images = images_of(image("1"))
    config = CleaningConfig(tolerance=Tolerance(share=1), drop_duplicates=False)

    result = clean(images, boxes_of(*rows), facts_of(images), labels=LABELS, config=config)

    assert pl.DataFrame(rows).select(names_edges("segmentation").all()).item()
    assert result.ledger.filter(rule="off_its_mask").height == 1_500


@settings(max_examples=100, deadline=None)
@given(st.lists(POINTS, min_size=3, max_size=8))
def test_the_text_of_polygons_names_the_edges_of_the_box_around_them(
    points: list[tuple[float, float]],
) -> None:
    text = json.dumps([[side for point in points for side in point]])
    _, bounds = examine_mask(text, WIDTH, HEIGHT)
    assert bounds is not None
    left, top, right, bottom = bounds
    boxed = pl.DataFrame({"s": text, "x": left, "y": top, "w": round(right - left, 2), "h": round(bottom - top, 2)})

    assert boxed.select(names_edges("s")).item()
