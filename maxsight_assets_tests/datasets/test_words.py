"""Words of a selection that a publisher does not have: refused wherever they are stated, before a byte moves."""

from pathlib import Path
from typing import Any

import pytest

from maxsight_assets.datasets.registry import SOURCES
from maxsight_assets.datasets.words import require_known
from maxsight_assets.errors import SettingsError
from maxsight_assets.profiles import model as profiles

DOGGO = "doggo: not in COCO 2017; nearest: dog"
WHEELCHAIR = "wheelchair: not in COCO 2017; Open Images V6 has Wheelchair"


def refusal(dataset: str, *, stated: bool = True, **fields: Any) -> str:
    """What is said of a selection with these fields."""
    source = SOURCES[dataset]
    split = "val2017" if dataset == "coco" else "validation"
    selection = source.selection.model_validate({"splits": {split: None}, **fields})
    with pytest.raises(SettingsError) as refused:
        require_known(source, selection, stated=fields if stated else ())
    return str(refused.value)


def test_an_unknown_class_is_refused_with_the_nearest_ones_and_where_it_can_be_had() -> None:
    assert refusal("coco", classes=["dog", "doggo"]).startswith(f"run config, classes: {DOGGO}")
    assert refusal("coco", evaluation_classes=["wheelchair"]).startswith(
        f"run config, evaluation_classes: {WHEELCHAIR}"
    )
    assert "zebra crossing: not in Open Images V6" in refusal("openimages", classes=["zebra crossing"])
    assert "nearest: Door" in refusal("openimages", classes=["door"])


def test_unknown_licences_and_annotators_are_refused_with_those_that_there_are() -> None:
    assert refusal("coco", licences=[9]).endswith("licences: 9: not in COCO 2017; it has 1, 2, 3, 4, 5, 6, 7, 8")
    assert refusal("openimages", licences=["cc0"]).endswith("it has https://creativecommons.org/licenses/by/2.0/")
    assert refusal("openimages", annotators=["me"]).endswith("it has activemil, freeform, xclick")


def test_a_stored_word_is_refused_until_the_field_is_stated_anew() -> None:
    said = refusal("coco", stated=False, classes=["doggo"])

    assert said.startswith(f"coco_raw, stored selection, classes: {DOGGO}")
    assert said.endswith("; state classes anew")
    source = SOURCES["coco"]
    require_known(source, source.selection.model_validate({"splits": {"val2017": None}, "classes": ["dog"]}), stated=())


def test_a_class_of_open_images_may_be_named_by_its_id() -> None:
    selection = SOURCES["openimages"].selection.model_validate({"splits": {"train": None}, "classes": ["/m/02dgv"]})

    require_known(SOURCES["openimages"], selection, stated=["classes"])


def test_a_word_in_a_profile_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    text = "profile: mine\nupstream: publisher\ncoco:\n  splits: {val2017: null}\n  classes:\n  - dog\n  - {}\n"
    path.write_text(text.replace("{}", "wheelchair"), encoding="utf-8")

    with pytest.raises(SettingsError) as refused:
        profiles.load(str(path))

    assert str(refused.value).startswith(f"{path}:7: coco.classes: {WHEELCHAIR}")


@pytest.mark.parametrize("name", ["sample", "starter", "full"])
def test_profiles_ask_for_words_that_there_are(name: str) -> None:
    profile = profiles.load(name)

    for dataset, selection in profile.selections.items():
        require_known(SOURCES[dataset], selection, stated=())
