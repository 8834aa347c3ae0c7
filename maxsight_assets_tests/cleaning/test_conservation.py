"""Whatever defects come in, every record is accounted for, and no order of rows matters."""

from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from maxsight_assets.cleaning.apply import Cleaned, clean
from maxsight_assets.cleaning.config import CleaningConfig, Tolerance
from maxsight_assets.formats.tables import BOXES, IMAGES
from maxsight_assets_tests.cleaning.records import LABELS, box, boxes_of, facts_of, image, images_of

IDS = st.sampled_from(["1", "2", "3", "4"])
SOURCES = st.sampled_from(["coco", "openimages"])
NUMBERS = st.one_of(
    st.sampled_from([0.0, -1.0, 5.0, 30.0, 639.5, 640.0, 700.0, 1e300, float("nan"), float("inf"), None]),
    st.floats(min_value=-50, max_value=700),
)
MASKS = st.sampled_from([None, "[[1,2,3,4,5,6]]", "[[1]]", "{}", "[[1e9,2,3,4,5,6]]"])


@st.composite
def spoiled_images(draw: st.DrawFn) -> dict[str, Any]:
    source, image_id = draw(SOURCES), draw(IDS)
    return image(
        image_id,
        source,
        width=draw(st.sampled_from([640, 480, None, 0, -5])),
        path=f"{source}/{draw(st.sampled_from([image_id, 'other']))}.jpg",
    )


@st.composite
def spoiled_boxes(draw: st.DrawFn) -> dict[str, Any]:
    return box(
        draw(st.sampled_from(["a", "b", "c", "d", "e"])),
        draw(IDS),
        draw(SOURCES),
        **{side: draw(NUMBERS) for side in ("x", "y", "w", "h", "area")},
        label=draw(st.sampled_from(["person", "Man", "dog", "zebra", None])),
        crowd=draw(st.sampled_from([True, False, None])),
        depiction=draw(st.sampled_from([True, False, None])),
        segmentation=draw(MASKS),
    )


FACT_CHANGES = st.fixed_dictionaries(
    {
        "error": st.sampled_from([None, None, "does not decode: truncated"]),
        "width": st.sampled_from([640, 480]),
        "orientation": st.sampled_from([1, 6]),
    }
)
CONFIGS = st.builds(
    CleaningConfig,
    clip_boxes=st.booleans(),
    min_kept_fraction=st.sampled_from([0.0, 0.5, 1.0]),
    min_side=st.sampled_from([0.0, 6.0]),
    drop_duplicates=st.booleans(),
    drop_depictions=st.booleans(),
    drop_crowds=st.booleans(),
    drop_empty_images=st.booleans(),
    repair_sizes=st.booleans(),
    keep_segmentations=st.booleans(),
    tolerance=st.just(Tolerance(share=1)),
)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, CleaningConfig]:
    images = images_of(*draw(st.lists(spoiled_images(), min_size=1, max_size=6)))
    rows = draw(st.lists(spoiled_boxes(), max_size=12))
    rows += draw(st.lists(st.sampled_from(rows), max_size=3)) if rows else []
    changes = {f"i{image_id}": draw(FACT_CHANGES) for image_id in "1234"}
    facts = facts_of(images, without=draw(st.lists(IDS, max_size=1)), **changes)
    return images, boxes_of(*rows) if rows else BOXES.to_frame(), facts.unique("path"), draw(CONFIGS)


def run(images: pl.DataFrame, boxes: pl.DataFrame, facts: pl.DataFrame, config: CleaningConfig) -> Cleaned:
    return clean(images, boxes, facts, labels=LABELS, config=config)


@settings(max_examples=150, deadline=None)
@given(worlds())
def test_what_comes_in_is_what_stays_and_what_the_ledger_dropped(
    world: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, CleaningConfig],
) -> None:
    images, boxes, _, _ = world
    result = run(*world)

    dropped = result.ledger.filter(action="drop")
    for kind, came, stayed in (("image", images, result.images), ("box", boxes, result.boxes)):
        gone = dropped.filter(kind=kind)
        accounted = pl.concat([frame.select("source", "image_id") for frame in (stayed, gone)])
        assert accounted.sort(pl.all()).equals(came.select("source", "image_id").sort(pl.all()))


@settings(max_examples=100, deadline=None)
@given(worlds())
def test_what_stays_is_sound(world: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, CleaningConfig]) -> None:
    result = run(*world)

    images, boxes = result.images, result.boxes
    assert (images.schema, boxes.schema) == (IMAGES, BOXES)
    assert not images.select("source", "image_id").is_duplicated().any()
    assert not boxes.select("source", "box_id").is_duplicated().any()
    joined = boxes.join(images, on=["source", "image_id"], how="left", suffix="_of_image")
    assert joined["path"].null_count() == 0
    assert set(boxes["label"]) <= {"person", "dog"}
    inside = (
        (pl.col("w") > 0)
        & (pl.col("h") > 0)
        & (pl.col("x") >= -0.001)
        & (pl.col("y") >= -0.001)
        & (pl.col("x") + pl.col("w") <= pl.col("width") + 0.0011)
        & (pl.col("y") + pl.col("h") <= pl.col("height") + 0.0011)
        & (pl.col("area").is_null() | ((pl.col("area") > 0) & pl.col("area").is_finite()))
    )
    assert joined.select(inside.all()).item()


@settings(max_examples=60, deadline=None)
@given(worlds(), st.integers(0, 2**32))
def test_no_order_of_rows_matters(
    world: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, CleaningConfig], seed: int
) -> None:
    images, boxes, facts, config = world
    shuffled = [frame.sample(fraction=1, shuffle=True, seed=seed) for frame in (images, boxes, facts)]

    first, second = run(*world), run(shuffled[0], shuffled[1], shuffled[2], config)

    assert first.images.equals(second.images)
    assert first.boxes.equals(second.boxes)
    assert first.ledger.equals(second.ledger)
