"""Which COCO images are chosen: filters of training leave the evaluated split as it is, which has its own."""

from pathlib import Path
from typing import Any

import pytest

from maxsight_assets.datasets.coco.selection import CocoSelection
from maxsight_assets.datasets.coco.source import EVALUATED, chosen_files
from maxsight_assets.formats.coco import read_instances
from maxsight_assets_tests.verification.directories import ANNOTATIONS, annotation, document, write_coco

EVERY = {f"{number:012}" for number in range(1, 41)}
DOGS, CATS = {f"{number:012}" for number in range(1, 31)}, {f"{number:012}" for number in range(31, 39)}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Dogs on 30 images, cats on 8, and 2 without a box."""
    contents = document(40)
    contents["annotations"] = [annotation(100 + n, n, category_id=18 if n <= 30 else 17) for n in range(1, 39)]
    return write_coco(tmp_path, contents)


def chosen(root: Path, split: str, **fields: Any) -> set[str]:
    """Names of the images that are chosen when the images are those of a split."""
    selection = CocoSelection.model_validate({"splits": {split: None}, **fields})
    read = read_instances(root / ANNOTATIONS, split=split, image_dir=f"coco_raw/{split}")
    return {Path(path).stem for path in chosen_files(read, selection, split=split)}


def test_a_class_for_training_does_not_shrink_what_is_evaluated(root: Path) -> None:
    assert EVALUATED == "val2017"
    assert chosen(root, "train2017", classes=["cat"]) == CATS
    assert chosen(root, "val2017", classes=["cat"]) == EVERY
    assert chosen(root, "val2017", licences=[1]) == EVERY
    assert chosen(root, "train2017", licences=[1]) == set()


def test_the_evaluated_split_has_filters_of_its_own_and_a_stated_count_holds(root: Path) -> None:
    assert chosen(root, "val2017", evaluation_classes=["cat"]) == CATS
    assert chosen(root, "train2017", evaluation_classes=["cat"], evaluation_max_images=3) == EVERY
    assert chosen(root, "val2017", evaluation_licences=[1]) == set()
    assert len(chosen(root, "val2017", splits={"val2017": 5})) == 5


@pytest.mark.parametrize("most", [3, 6, 20])
def test_an_evaluation_budget_keeps_every_class_and_a_larger_one_only_adds(root: Path, most: int) -> None:
    few = chosen(root, "val2017", evaluation_max_images=most)

    assert len(few) == most
    assert all((few & DOGS, few & CATS, few - DOGS - CATS))
    assert few <= chosen(root, "val2017", evaluation_max_images=most + 7)
    assert few == chosen(root, "val2017", evaluation_max_images=most)


def test_a_selection_that_an_earlier_release_stored_goes_on_choosing_what_is_evaluated() -> None:
    stored = CocoSelection.stored({"splits": {"val2017": None}, "classes": ["dog"], "licences": [4], "seed": 42})

    assert (stored.evaluation_classes, stored.evaluation_licences) == (("dog",), (4,))
