import math
from collections import Counter
from random import Random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from maxsight_assets.datasets.selection import with_stated
from maxsight_assets.errors import SettingsError
from maxsight_assets.formats.tables import BOXES, conform
from maxsight_assets.splitting.config import Sizes, SplitConfig
from maxsight_assets.splitting.strategies import HELD_OUT, assign

NO_BOXES = BOXES.to_frame()
GROUPS = st.dictionaries(st.integers(0, 500), st.integers(1, 4), min_size=1, max_size=60)


def images(groups: dict[int, int], published: str = "train2017") -> pl.DataFrame:
    """Groups by number, of so many images."""
    rows = [
        (f"g{number:04}", published, "coco", f"{number}-{n}") for number, size in groups.items() for n in range(size)
    ]
    return pl.DataFrame(rows, schema=["group", "split", "source", "image_id"], orient="row")


def subsets(groups: dict[int, int], **config: object) -> dict[str, str | None]:
    return dict(assign(images(groups), NO_BOXES, SplitConfig.model_validate(config)).rows())


def test_shares_come_out_about_right() -> None:
    counts = Counter(subsets(dict.fromkeys(range(20_000), 1), sizes={"val": 0.1, "test": 0.05}).values())

    assert counts["val"] == pytest.approx(2000, rel=0.1)
    assert counts["test"] == pytest.approx(1000, rel=0.1)
    assert counts.total() == 20_000


@settings(max_examples=50, deadline=None)
@given(GROUPS, GROUPS)
def test_with_shares_new_images_move_none(old: dict[int, int], new: dict[int, int]) -> None:
    before, after = subsets(old), subsets(new | old)

    assert before.items() <= after.items()


def test_a_draw_never_changes() -> None:
    assert [subsets({n: 1}, sizes={"val": 0.3, "test": 0.3})[f"g{n:04}"] for n in range(8)] == [
        "val",
        "test",
        "train",
        "test",
        "train",
        "train",
        "train",
        "test",
    ]


def test_another_seed_draws_others() -> None:
    groups = dict.fromkeys(range(500), 1)

    assert subsets(groups, seed=1) != subsets(groups, seed=2)


def test_counts_are_met_exactly_where_groups_allow() -> None:
    sizes = {"train": 100, "val": 20, "test": 10}

    groups = {number: 3 if number % 5 == 0 else 1 for number in range(200)}
    by_split: Counter[str | None] = Counter()
    for name, subset in subsets(groups, sizes=sizes).items():
        by_split[subset] += groups[int(name[1:])]

    assert {split: by_split[split] for split in HELD_OUT} == sizes


def test_a_group_that_does_not_fit_goes_on_to_the_next_split() -> None:
    assert set(subsets(dict.fromkeys(range(9), 4), sizes={"train": 100, "val": 3, "test": 2}).values()) == {"train"}


@pytest.mark.parametrize("strategy", ["hash", "stratified"])
@pytest.mark.parametrize(
    ("images_", "expected"),
    [
        (120, {"train": 93, "val": 18, "test": 9}),
        (3500, {"train": 2693, "val": 538, "test": 269}),
        (12_999, {"train": 10_000, "val": 2000, "test": 999}),
        (3, {"train": 1, "val": 1, "test": 1}),
        (1, {"train": 1}),
    ],
)
def test_numbers_beyond_what_there_is_are_shrunk_in_proportion_train_first(
    images_: int, expected: dict[str, int], strategy: str
) -> None:
    sizes = {"train": 10_000, "val": 2000, "test": 1000}
    counts = Counter(subsets(dict.fromkeys(range(images_), 1), sizes=sizes, strategy=strategy).values())

    assert counts == expected


def test_numbers_of_the_splits_that_no_publisher_gives_are_shrunk_alone() -> None:
    table = pl.concat([images(dict.fromkeys(range(30), 1)), images(dict.fromkeys(range(30, 50), 1), "val2017")])
    config = SplitConfig(strategy="official", sizes=Sizes(train=100, val=20, test=20))

    counts = Counter(assign(table, NO_BOXES, config)["subset"].to_list())

    assert counts == {"train": 25, "val": 20, "test": 5}


def test_what_the_counts_do_not_need_has_no_split() -> None:
    counts = Counter(subsets(dict.fromkeys(range(50), 1), sizes={"train": 5, "val": 2, "test": 1}).values())

    assert counts == {"train": 5, "val": 2, "test": 1, None: 42}


@settings(max_examples=50, deadline=None)
@given(st.sets(st.integers(0, 500), min_size=45), st.sets(st.integers(0, 500)))
def test_with_counts_new_images_never_take_one_out_of_train_to_hold_it_out(old: set[int], new: set[int]) -> None:
    sizes = {"train": 30, "val": 10, "test": 5}
    before, after = (subsets(dict.fromkeys(groups, 1), sizes=sizes) for groups in (old, old | new))

    order: list[str | None] = [*HELD_OUT, None]
    assert all(order.index(after[name]) >= order.index(subset) for name, subset in before.items())


@pytest.mark.parametrize(
    ("published", "expected"),
    [
        (["train2017"], "train"),
        (["val2017"], "val"),
        (["validation"], "val"),
        (["test"], "test"),
        (["train", "validation"], "val"),
        (["train", "val", "test"], "test"),
    ],
)
def test_the_publishers_split_decides_and_copies_go_to_the_most_held_out(published: list[str], expected: str) -> None:
    table = pl.DataFrame({"group": ["g"] * len(published), "split": published}).with_columns(
        source=pl.lit("coco"), image_id=pl.lit("1")
    )

    assert assign(table, NO_BOXES, SplitConfig(strategy="official")).rows() == [("g", expected)]


@pytest.mark.parametrize("held_out", ["val2017", "test"])
def test_a_split_that_no_publisher_gives_is_drawn_from_their_train(held_out: str) -> None:
    train, held = images(dict.fromkeys(range(1_000), 1)), images(dict.fromkeys(range(1_000, 1_050), 1), held_out)
    config = SplitConfig(strategy="official", sizes=Sizes(val=0.2, test=0.1))

    found = assign(pl.concat([train, held]), NO_BOXES, config)
    counts = Counter(found["subset"].to_list())

    assert counts.keys() == {"train", "val", "test"}
    given, drawn, share = ("val", "test", 0.1) if held_out == "val2017" else ("test", "val", 0.2)
    assert counts[given] == 50
    assert abs(counts[drawn] - share * 1_000) < 60
    assert set(held["group"]) == set(found.filter(subset=given)["group"])


def test_what_a_publisher_holds_out_stays_so_when_images_are_added() -> None:
    config = SplitConfig(strategy="official")
    few = pl.concat([images(dict.fromkeys(range(100), 1)), images(dict.fromkeys(range(200, 220), 1), "test")])
    more = pl.concat([few, images(dict.fromkeys(range(100, 200), 1))])

    before, after = (dict(assign(table, NO_BOXES, config).iter_rows()) for table in (few, more))

    assert before.items() <= after.items()


def test_counts_limit_the_publishers_splits() -> None:
    table = pl.concat([images(dict.fromkeys(range(20), 1)), images(dict.fromkeys(range(20, 30), 1), "val2017")])
    config = SplitConfig(strategy="official", sizes=Sizes(train=7, val=4, test=3))

    counts = Counter(assign(table, NO_BOXES, config)["subset"].to_list())

    assert counts == {"train": 7, "val": 4, "test": 3, None: 16}


def test_a_publishers_split_of_another_name_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"'minival'.*hash"):
        assign(images({1: 1}, "minival"), NO_BOXES, SplitConfig(strategy="official"))


def test_no_images_have_no_splits() -> None:
    assert assign(images({}).cast(pl.String), NO_BOXES, SplitConfig()).is_empty()


@pytest.mark.parametrize(
    "sizes",
    [
        {"val": 0.5, "test": 0.5},
        {"val": 2000, "test": 1000},
        {"train": 10, "val": 0.1, "test": 1},
        {"val": -0.1},
        {"val": math.inf},
    ],
)
def test_sizes_that_contradict_themselves_are_refused(sizes: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Sizes.model_validate(sizes)


def labelled(number: int, seed: int = 1) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Groups of one to three images, and boxes of classes from frequent to rare."""
    random = Random(seed)
    table = images({n: random.choice((1, 1, 1, 2, 3)) for n in range(number)})
    rows = [
        {"source": "coco", "image_id": image_id, "label": f"class {kind:02}"}
        for image_id in table["image_id"]
        for kind in range(20)
        for _ in range(random.choice((1, 1, 2, 5)) if random.random() < 0.6 / (kind + 1) else 0)
    ]
    return table, conform(pl.DataFrame(rows), BOXES)


def largest_deviation(
    table: pl.DataFrame, boxes: pl.DataFrame, assigned: pl.DataFrame, *, shares: list[float]
) -> float:
    """By how much of a class's boxes a split misses its share, at most, over classes with 50 boxes or more."""
    placed = boxes.join(table, on=["source", "image_id"]).join(assigned, on="group")
    found = 0.0
    for (_,), rows in placed.group_by("label"):
        counts = Counter(rows["subset"].to_list())
        if rows.height >= 50:
            pairs = zip(("train", "val", "test"), shares, strict=True)
            found = max(found, *(abs(counts[name] / rows.height - share) for name, share in pairs))
    return found


def test_stratified_divides_every_class_as_asked_and_better_than_the_hash() -> None:
    table, boxes = labelled(1500)
    sizes = Sizes(val=0.2, test=0.1)

    deviation = {
        strategy: largest_deviation(
            table, boxes, assign(table, boxes, SplitConfig(strategy=strategy, sizes=sizes)), shares=[0.7, 0.2, 0.1]
        )
        for strategy in ("hash", "stratified")
    }

    assert deviation["stratified"] < 0.03 < deviation["hash"]


def test_stratified_fills_the_asked_numbers_of_images() -> None:
    table, boxes = labelled(400)
    config = SplitConfig(strategy="stratified", sizes=Sizes(train=200, val=60, test=40))

    assigned = table.join(assign(table, boxes, config), on="group")

    assert Counter(assigned["subset"].to_list()) == {"train": 200, "val": 60, "test": 40, None: table.height - 300}


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 30),
    st.integers(0, 2**32),
    st.none() | st.tuples(st.integers(1, 20), st.integers(0, 20), st.integers(0, 20)),
)
def test_stratified_ignores_the_order_of_rows_and_keeps_the_numbers(
    number: int, seed: int, counts: tuple[int, int, int] | None
) -> None:
    table, boxes = labelled(number, seed)
    sizes = Sizes(train=counts[0], val=counts[1], test=counts[2]) if counts else Sizes()
    config = SplitConfig(strategy="stratified", sizes=sizes, seed=seed % 5)

    first = assign(table, boxes, config)

    shuffled = [frame.sample(fraction=1, shuffle=True, seed=seed) for frame in (table, boxes)]
    assert first.equals(assign(*shuffled, config))
    taken = Counter(table.join(first, on="group")["subset"].to_list())
    if counts:
        assert all(taken[name] <= most for name, most in zip(("train", "val", "test"), counts, strict=True))
    else:
        assert None not in taken


def test_whole_numbers_that_a_form_states_with_a_point_are_stored_whole() -> None:
    sizes = Sizes.model_validate({"train": 10, "val": 2000.0, "test": 1000.0})

    assert sizes.model_dump_json() == '{"train":10,"val":2000,"test":1000}'
    assert Sizes(val=0.1, test=0.25).model_dump() == {"train": None, "val": 0.1, "test": 0.25}


def test_a_form_can_go_back_from_numbers_to_shares() -> None:
    numbers = SplitConfig(sizes=Sizes(train=10_000, val=2_000, test=1_000))

    assert numbers.sizes.are_counts
    assert not with_stated(numbers, {"sizes": {"train": 0, "val": 0.1, "test": 0.1}}).sizes.are_counts
