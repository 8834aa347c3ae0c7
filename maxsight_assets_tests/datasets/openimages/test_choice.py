"""Which Open Images are chosen: budgets that only add, rare classes first, classes and what is below them."""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxsight_assets.datasets.openimages import choice as openimages_choice
from maxsight_assets.datasets.openimages import format as formats
from maxsight_assets.datasets.openimages.choice import Choice, Tables, choose, take, wanted_mids
from maxsight_assets.datasets.openimages.selection import OpenImagesSelection
from maxsight_assets.datasets.sampling import in_turns
from maxsight_assets.errors import SettingsError
from maxsight_assets.labels import mapping
from maxsight_assets.profiles import model as profiles

MIDS = ("/m/1", "/m/2", "/m/3")
Classes = Mapping[str, set[str]]
BUDGET = st.none() | st.integers(1, 40)
IMAGES = st.dictionaries(
    st.integers(0, 10**6).map("{:016x}".format), st.sets(st.sampled_from(MIDS), min_size=1), max_size=40
)
WORLD = st.dictionaries(st.sampled_from(["train", "test"]), IMAGES, min_size=1)


def pairs_of(images: Classes) -> pl.DataFrame:
    rows = [(image_id, mid) for image_id, mids in sorted(images.items()) for mid in sorted(mids)]
    return pl.DataFrame(rows, schema={"image_id": pl.String, "label": pl.String}, orient="row")


def taken(world: Mapping[str, Classes], **budgets: object) -> set[tuple[str, str]]:
    """Splits and ids that are chosen; `splits` defaults to all of each."""
    selection = OpenImagesSelection.model_validate({"splits": dict.fromkeys(world), **budgets})
    orders = {split: in_turns(pairs_of(images), seed=selection.seed) for split, images in world.items()}
    return {(split, image_id) for split, ids in take(orders, selection).items() for image_id in ids}


def at_most(a: int | None, b: int | None) -> bool:
    return b is None or (a is not None and a <= b)


@given(world=WORLD, data=st.data())
def test_larger_budgets_only_add(world: dict[str, Classes], data: st.DataObject) -> None:
    small: dict[str, int | None] = {name: data.draw(BUDGET) for name in ("max_images", "max_per_class", *world)}
    large = {name: data.draw(BUDGET.filter(partial(at_most, a))) for name, a in small.items()}

    fewer, more = (
        taken(
            world,
            max_images=each["max_images"],
            max_per_class=each["max_per_class"],
            splits={split: each[split] for split in world},
        )
        for each in (small, large)
    )

    assert fewer <= more
    assert at_most(len(fewer), small["max_images"])
    assert all(at_most(sum(1 for split, _ in fewer if split == name), small[name]) for name in world)


@given(images=IMAGES, budget=st.integers(1, 60))
def test_no_class_waits_for_a_more_frequent_one(images: Classes, budget: int) -> None:
    chosen = {image_id for _, image_id in taken({"train": images}, max_images=budget)}
    have = {mid: sum(mid in images[image_id] for image_id in chosen) for mid in MIDS}
    there = {mid: sum(mid in mids for mids in images.values()) for mid in MIDS}

    assert len(chosen) == min(budget, len(images))
    # classes share evenly: one is short of another's count only by what it lacks, or by images that the other shares
    alone = {mid: sum(images[image_id] == {mid} for image_id in chosen) for mid in MIDS}
    for rare in MIDS:
        for other in MIDS:
            assert have[rare] == there[rare] or alone[other] <= have[rare] + 1


def test_rare_classes_are_complete_first() -> None:
    images = {f"{n:016x}": {"/m/1"} for n in range(500)} | {f"{n:016x}": {"/m/2"} for n in range(1000, 1005)}

    chosen = taken({"train": images}, max_images=10)

    assert sum(images[image_id] == {"/m/2"} for _, image_id in chosen) == 5
    assert len(taken({"train": images}, max_per_class=7)) == 7 + 5
    assert len(taken({"train": images, "test": images}, splits={"train": 10, "test": None}, max_images=500)) == 10 + 250
    assert len(taken({"train": images, "test": images}, splits={"train": 3, "test": None}, max_images=10)) == 3 + 5


@given(images=IMAGES, limits=st.fixed_dictionaries(dict.fromkeys(("max_images", "max_per_class"), BUDGET)))
def test_budgets_of_training_leave_the_evaluated_split_as_it_is(images: Classes, limits: dict[str, int | None]) -> None:
    world = {"train": {}, "validation": images}

    assert {image_id for _, image_id in taken(world, **limits)} == set(images)
    assert len(taken(world, **limits, splits={"train": None, "validation": 3})) == min(3, len(images))


@given(images=IMAGES, fewer=st.integers(3, 40), more=st.integers(3, 40))
def test_an_evaluation_budget_keeps_every_class_and_a_larger_one_only_adds(
    images: Classes, fewer: int, more: int
) -> None:
    small, large = (taken({"validation": images}, evaluation_max_images=most) for most in sorted((fewer, more)))

    assert small <= large
    assert len(small) == min(fewer, more, len(images))
    kept = [images[image_id] for _, image_id in small]
    assert set().union(*kept) == set().union(*images.values())


def test_filters_of_training_leave_the_evaluated_split_as_it_is(tables: dict[str, Tables]) -> None:
    tables = tables | {"validation": tables["train"]}
    training = {"annotators": ["activemil"], "group_of": "only", "licences": ["by"], "max_images": 1}
    everything = {"splits": {"train": None, "validation": None}}

    narrowed = chosen(tables, **everything, **training).images
    licensed = chosen(tables, **everything, evaluation_licences=["by"]).images

    assert (narrowed["train"], len(narrowed["validation"])) == ([], 3)
    assert (len(licensed["train"]), [each[-2:] for each in licensed["validation"]]) == (3, ["a1"])


def test_a_selection_that_an_earlier_release_stored_goes_on_choosing_what_is_evaluated() -> None:
    before = OpenImagesSelection.stored({"splits": {"validation": None}, "classes": ["Door"], "licences": ["by"]})
    now = OpenImagesSelection.stored({"splits": {"validation": None}, "classes": ["Door"], "evaluation_classes": None})

    assert (before.evaluation_classes, before.evaluation_licences) == (("Door",), ("by",))
    assert now.evaluation_classes is None


def test_classes_are_named_by_name_or_mid_with_what_is_below_them_or_without() -> None:
    names = {"/m/1": "Door", "/m/2": "Door handle", "/m/3": "Garage door", "/m/4": "Car"}
    below = {
        "/m/1": frozenset({"/m/3", "/m/new"})
    }  # of a later edition, too; a door handle is a part of a door, no door

    def mids(**selection: object) -> set[str]:
        asked = OpenImagesSelection.model_validate({"splits": {"train": None}, **selection})
        return wanted_mids(names, below, asked, split="train")

    assert mids(classes=["Door", "/m/4"]) == {"/m/1", "/m/3", "/m/4"}
    assert mids(classes=["Door"], subclasses=False) == {"/m/1"}
    assert mids() == mids(classes=[]) == {"/m/1", "/m/2", "/m/4"}
    with pytest.raises(SettingsError, match="run config, classes: Open Images has no boxes of Mouse trap, Zebra;"):
        mids(classes=["Zebra", "Door", "Mouse trap"])


@pytest.mark.parametrize("profile", ["sample", "starter", "full"])
def test_profiles_ask_for_classes_that_open_images_has(profile: str) -> None:
    selection = profiles.load(profile).openimages
    assert selection is not None
    assert {row.label for row in mapping.rows("openimages")} >= set(selection.classes or ())


BOXES = """ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside
00000000000000a1,xclick,/m/1,1,0,1,0,1,0,0,0,0,0
00000000000000a2,xclick,/m/1,1,0,1,0,1,0,0,1,0,0
00000000000000a2,xclick,/m/2,1,0,1,0,1,0,0,0,0,0
00000000000000a3,activemil,/m/1,1,0,1,0,1,0,0,0,1,0
1e5,xclick,/m/1,1,0,1,0,1,0,0,0,0,0
"""
METADATA = """ImageID,OriginalLandingURL,License,Author,Title,Rotation
00000000000000a1,,by,A,T,0.0
00000000000000a2,,by-nc,A,T,0.0
"""


@pytest.fixture
def tables(tmp_path: Path) -> dict[str, Tables]:
    boxes, images = tmp_path / "boxes.csv", tmp_path / "images.csv"
    boxes.write_text(BOXES, encoding="utf-8")
    images.write_text(METADATA, encoding="utf-8")
    return {"train": Tables(boxes=boxes, images=images, digest="d1")}


def chosen(tables: dict[str, Tables], kept: Path | None = None, **selection: object) -> Choice:
    asked = OpenImagesSelection.model_validate({"splits": {"train": None}, **selection})
    return choose(tables, dict.fromkeys(tables, ("/m/1", "/m/2")), asked, kept=kept)


def ids(choice: Choice) -> list[str]:
    return [image_id[-2:] for image_id in choice.images["train"]]


def test_filters_and_licences_decide_which_boxes_count(tables: dict[str, Tables]) -> None:
    assert ids(chosen(tables)) == ["a1", "a2", "a3"]
    assert ids(chosen(tables, group_of="only")) == ["a2"]
    assert ids(chosen(tables, group_of="without", depiction="without")) == ["a1", "a2"]
    assert ids(chosen(tables, annotators=["activemil"])) == ["a3"]
    assert ids(chosen(tables, licences=["by"])) == ["a1"]
    assert chosen(tables, group_of="without", max_images=1).classes == {"/m/1": (2, 0), "/m/2": (1, 1)}


def test_fault_61_what_is_no_image_id_is_an_item(tables: dict[str, Tables]) -> None:
    assert chosen(tables).unfit == {"train": ["1e5"]}


def test_the_same_choice_is_made_once(
    tables: dict[str, Tables], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "choices"
    first = chosen(tables, kept)
    with monkeypatch.context() as patch:
        patch.setattr(formats, "class_images", lambda *_, **__: pytest.fail("the table is read again"))

        assert chosen(tables, kept) == first
        assert chosen(tables, kept, images_from="s3") == first
        for other in ({"seed": 1}, {"max_images": 1}, {"inside": "only"}):
            with pytest.raises(pytest.fail.Exception, match="read again"):
                chosen(tables, kept, **other)
        moved = {"train": Tables(tables["train"].boxes, tables["train"].images, digest="d2")}
        with pytest.raises(pytest.fail.Exception, match="read again"):
            chosen(moved, kept)
        patch.setattr(openimages_choice, "RULES", openimages_choice.RULES + 1)
        with pytest.raises(pytest.fail.Exception, match="read again"):
            chosen(tables, kept)


def test_a_kept_choice_that_was_cut_short_is_made_again(tables: dict[str, Tables], tmp_path: Path) -> None:
    kept = tmp_path / "choices"
    first = chosen(tables, kept)
    (path,) = kept.iterdir()
    path.write_bytes(path.read_bytes()[:20])

    assert chosen(tables, kept) == first
    assert json.loads(path.read_bytes())["images"] == first.images
