"""A sample of a set: stable, nested, and with the shares of the whole."""

from dataclasses import replace
from pathlib import Path

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from maxsight_assets.evaluation.build import build_sets
from maxsight_assets.evaluation.sample import places
from maxsight_assets.formats.tables import LEDGER
from maxsight_assets_tests.evaluation.test_build import SPACE, box, image, source_of

STRATA = st.lists(st.sampled_from(["dog, night", "dog, -", "cat, -", "-, -"]), min_size=1, max_size=60)


def placed(strata: list[str], seed: int) -> pl.DataFrame:
    ids = [f"{number:03}" for number in range(len(strata))]
    return places(pl.DataFrame({"source": "x", "image_id": ids, "stratum": strata}), seed=seed).sort("place")


@given(STRATA, st.integers(0, 3), st.integers(1, 60))
def test_every_part_has_the_share_of_each_stratum_give_or_take_one_image(
    strata: list[str], seed: int, most: int
) -> None:
    whole = placed(strata, seed)
    part = whole.head(most)

    reached = float(part["place"][-1])
    for stratum in set(strata):
        share = reached * strata.count(stratum)
        assert abs(part.filter(stratum=stratum).height - share) <= 1


def test_the_order_depends_on_seed_and_ids_and_not_on_the_order_of_rows() -> None:
    rows = pl.DataFrame({"source": "x", "image_id": list("abcdefgh"), "stratum": ["s", "t"] * 4})

    first = places(rows, seed=1).sort("place")

    assert first.equals(places(rows.reverse(), seed=1).sort("place"))
    assert not first.equals(places(rows, seed=2).sort("place"))


def test_a_larger_number_only_adds_images_and_the_ledger_names_the_others(tmp_path: Path) -> None:
    images = [image(str(number)) for number in range(1, 41)]
    labels = ["person"] * 30 + ["dog"] * 10
    boxes = [box(str(100 + number), str(number), label) for number, label in enumerate(labels, start=1)]
    source = source_of(images, boxes)
    kept = {}
    for most in (8, 12):
        root = tmp_path / str(most)
        contract = build_sets({"coco": replace(source, most=most)}, root, space=SPACE, seed=42)
        promise = contract["sets"]["coco_val2017"]
        assert promise["images"] == promise["boxes"] == most
        assert abs(promise["boxes_per_class"]["dog"] - most / 4) <= 1
        assert promise["excluded_images"] == {}
        ledger = pl.read_parquet(root / "ledger.parquet")
        assert ledger.schema == LEDGER
        assert ledger.group_by("kind", "rule").len().sort("kind").rows() == [
            ("box", "image_dropped", 40 - most),
            ("image", "over_the_sample", 40 - most),
        ]
        kept[most] = {row["image_id"] for row in images} - set(ledger["image_id"])
    assert kept[8] < kept[12]
