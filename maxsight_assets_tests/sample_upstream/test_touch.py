"""Editions of the published sample: what a touch changes, and that it can be undone."""

import json
import zipfile
from pathlib import Path

import pytest
import requests

from maxsight_assets.sample_upstream import openimages, world
from maxsight_assets.sample_upstream.server import serve
from maxsight_assets.sample_upstream.touch import touch
from maxsight_assets_tests.files import tree
from maxsight_assets_tests.sample_upstream.test_world import document, rows


def tags(root: Path) -> dict[str, str]:
    """Entity tag of every published file, as the server states it."""
    with serve(root) as base, requests.Session() as session:
        names = [name for name in tree(root) if not name.startswith(".")]
        return {name: session.head(f"{base}/{name}", timeout=10).headers["ETag"] for name in names}


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def test_coco_touch_changes_the_train_zip_and_the_annotations_alone(own_sample: Path) -> None:
    before = tags(own_sample)
    said = touch(own_sample)

    assert said.startswith("coco: edition 2")
    assert changed(before, tags(own_sample)) == {
        "coco/zips/train2017.zip",
        "coco/annotations/annotations_trainval2017.zip",
    }
    images = {image["file_name"] for image in document(own_sample, "train2017")["images"]}
    with zipfile.ZipFile(own_sample / "coco/zips/train2017.zip") as archive:
        assert archive.testzip() is None
        new = {Path(name).name for name in archive.namelist()} & {"000000600001.jpg"}
    assert new <= images
    assert len(images) == 241
    assert any(a["image_id"] == 600_001 for a in document(own_sample, "train2017")["annotations"])


def test_open_images_touch_changes_the_train_tables_and_adds_a_picture(own_sample: Path) -> None:
    before = tags(own_sample)
    touch(own_sample, "openimages")

    added = "open-images-dataset/train/f000000000000001.jpg"
    assert changed(before, tags(own_sample)) == {
        f"openimages/{openimages.BOXES['train']}",
        f"openimages/{openimages.METADATA['train']}",
        added,
    }
    for path in (openimages.BOXES["train"], openimages.METADATA["train"]):
        assert {len(row) for row in rows(own_sample, path)} == {len(rows(own_sample, path)[0])}
        assert any(row[0] == "f000000000000001" for row in rows(own_sample, path))


def test_each_touch_is_one_more_edition_and_back_is_the_first(own_sample: Path) -> None:
    first = tags(own_sample)
    said = [touch(own_sample), touch(own_sample), touch(own_sample, "openimages")]
    third = tags(own_sample)
    touch(own_sample, back=True)
    touch(own_sample, "openimages", back=True)

    assert [line.partition(",")[0] for line in said] == ["coco: edition 2", "coco: edition 3", "openimages: edition 2"]
    assert len(changed(first, third)) == 5
    assert tags(own_sample) == first
    assert touch(own_sample).startswith("coco: edition 2")


def test_an_edition_has_the_same_bytes_each_time(own_sample: Path) -> None:
    touch(own_sample)
    once = tags(own_sample)
    touch(own_sample, back=True)
    touch(own_sample)

    assert tags(own_sample) == once


def test_touch_leaves_the_pristine_copy_alone(own_sample: Path) -> None:
    before = tree(world.pristine(own_sample))
    touch(own_sample)
    touch(own_sample, "openimages")

    assert tree(world.pristine(own_sample)) == before
    assert json.loads((own_sample / ".editions.json").read_text(encoding="utf-8")) == {"coco": 2, "openimages": 2}


def test_touch_of_another_dataset_says_what_there_is(own_sample: Path) -> None:
    with pytest.raises(ValueError, match="ade20k: there is no next edition of it; use one of coco, openimages"):
        touch(own_sample, "ade20k")
