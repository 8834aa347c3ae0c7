"""What notebooks import: one line lands a dataset, and reads what is published."""

import re
from pathlib import Path

import pytest

import maxsight_assets
from maxsight_assets import settings
from maxsight_assets.commands import explain
from maxsight_assets.errors import SettingsError, UnknownName
from maxsight_assets.places import Places
from maxsight_assets.profiles import model as profiles
from maxsight_assets_tests.project import copy_world


@pytest.fixture
def fresh(tmp_path: Path, drawn_world: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DATA_DIR in which nothing is landed yet."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    for name in ("MAXSIGHT_PROFILE", "MAXSIGHT_DATASETS", "SPLITS_DIR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".maxsight").mkdir()
    copy_world(drawn_world, tmp_path / ".maxsight/sample_upstream")
    return tmp_path


def test_a_dataset_is_landed_in_one_line_and_what_is_landed_is_not_fetched_again(fresh: Path) -> None:
    first, again = (maxsight_assets.land("coco", train=20, classes=["dog", "cat"]) for _ in range(2))

    assert (first.changed, again.changed, again.fetched_bytes) == (True, False, 0)
    assert first.fetched_bytes > 0
    assert first.directory == fresh / "coco_raw"
    assert len(list((fresh / "coco_raw/train2017").glob("*.jpg"))) in range(1, 21)
    assert re.fullmatch(
        rf"coco_raw: version [0-9a-f]{{12}}, a new version, in {fresh}/coco_raw\n"
        r"  \d+ images; \d\.\d MB fetched in \d+\.\d s",
        str(first),
    )


def test_what_upstream_lists_and_the_selection_left_out_is_said_of_an_image(fresh: Path) -> None:
    maxsight_assets.land("coco", train=20)
    here = settings.load()
    landed = {int(path.stem) for path in (fresh / "coco_raw/train2017").glob("*.jpg")}
    left_out = next(number for number in (222094, 301837, 86220) if number not in landed)

    (story,) = explain._not_landed(f"coco/{left_out}", profiles.of(here), Places.of(here))

    said = story.facts["what became of it"]
    assert said.startswith("listed upstream in train2017, not in your selection (20 of 240, seed 42); ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"dataset": "cocoa"}, "no dataset cocoa; did you mean coco_raw"),
        ({"dataset": "coco", "classes": ["dgo"]}, "dgo: not in COCO 2017; nearest: dog"),
        ({"dataset": "bdd100k", "classes": ["car"]}, "no field of bdd100k_raw classes"),
        ({"dataset": "bdd100k", "train": 5}, "bdd100k_raw: is not trained on; "),
    ],
)
def test_a_wrong_word_is_refused_before_anything_is_fetched(
    arguments: dict[str, object], said: str, fresh: Path
) -> None:
    with pytest.raises(SettingsError, match=re.escape(said)):
        maxsight_assets.land(**arguments)  # type: ignore[arg-type]
    assert [path.name for path in fresh.iterdir()] == [".maxsight"]


def test_a_wrong_split_is_met_with_those_that_there_are(fresh: Path) -> None:
    with pytest.raises(UnknownName, match=r"no split training; did you mean train\? there are train, val, test"):
        maxsight_assets.load_split("training")
