"""Every fault that the table of defects names is in the published bytes, and nowhere else."""

import io
import json
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from maxsight_assets.images.phash import apart, fingerprints
from maxsight_assets.sample_upstream import coco, openimages
from maxsight_assets.sample_upstream.defects import BY_NAME, DEFECTS
from maxsight_assets_tests.sample_upstream.test_world import document, rows


@pytest.fixture(scope="module")
def train(sample: Path) -> dict[str, Any]:
    return document(sample, "train2017")


def coco_file(root: Path, image_id: str, split: str = "train2017") -> bytes:
    with zipfile.ZipFile(root / f"coco/zips/{split}.zip") as archive:
        return archive.read(f"{split}/{int(image_id):012d}.jpg")


def box(train: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [a for a in train["annotations"] if str(a["id"]) in BY_NAME[name].record_ids]
    record: dict[str, Any] = found
    return record


def wild_file(root: Path, image_id: str) -> bytes:
    (path,) = (root / "open-images-dataset").rglob(f"{image_id}.jpg")
    return path.read_bytes()


def look(content: bytes) -> NDArray[np.uint64]:
    return np.array(fingerprints(np.asarray(Image.open(io.BytesIO(content)).convert("L"))[None]), dtype=np.uint64)


def test_names_are_unique_and_each_fault_has_records_of_its_own() -> None:
    records = Counter((d.dataset, d.image_id) for d in DEFECTS)

    assert len(BY_NAME) == len(DEFECTS)
    assert set(records.values()) == {1}


def test_just_one_coco_jpeg_is_truncated(sample: Path) -> None:
    broken = []
    with zipfile.ZipFile(sample / "coco/zips/train2017.zip") as archive:
        for name in archive.namelist()[1:]:
            try:
                Image.open(io.BytesIO(archive.read(name))).load()
            except OSError:
                broken.append(str(int(Path(name).stem)))

    assert tuple(broken) == BY_NAME["truncated_jpeg"].record_ids


def test_just_one_listed_image_is_missing(sample: Path, train: dict[str, Any]) -> None:
    with zipfile.ZipFile(sample / "coco/zips/train2017.zip") as archive:
        there = {Path(name).name for name in archive.namelist()}

    missing = [str(image["id"]) for image in train["images"] if image["file_name"] not in there]
    assert tuple(missing) == BY_NAME["missing_image"].record_ids


def test_grayscale_jpeg_has_one_channel(sample: Path) -> None:
    assert Image.open(io.BytesIO(coco_file(sample, BY_NAME["grayscale_jpeg"].image_id))).mode == "L"


def test_just_one_image_has_no_annotations(train: dict[str, Any]) -> None:
    annotated = {annotation["image_id"] for annotation in train["annotations"]}

    empty = [str(image["id"]) for image in train["images"] if image["id"] not in annotated]
    assert tuple(empty) == BY_NAME["image_without_annotations"].record_ids


def test_just_one_stated_size_is_wrong(sample: Path, train: dict[str, Any]) -> None:
    wrong = []
    for image in train["images"]:
        if str(image["id"]) != BY_NAME["missing_image"].image_id:
            size = Image.open(io.BytesIO(coco_file(sample, str(image["id"])))).size
            if size != (image["width"], image["height"]):
                wrong.append(str(image["id"]))

    assert tuple(wrong) == BY_NAME["wrong_image_size"].record_ids


def test_just_one_annotation_is_an_orphan(train: dict[str, Any]) -> None:
    known = {image["id"] for image in train["images"]}

    orphans = [str(a["id"]) for a in train["annotations"] if a["image_id"] not in known]
    assert tuple(orphans) == BY_NAME["orphan_annotation"].record_ids


def test_just_one_box_has_no_area_and_one_leaves_its_picture(sample: Path, train: dict[str, Any]) -> None:
    sizes = {image["id"]: (image["width"], image["height"]) for image in train["images"]}
    sizes |= {
        image["id"]: Image.open(io.BytesIO(coco_file(sample, str(image["id"])))).size
        for image in train["images"]
        if str(image["id"]) == BY_NAME["wrong_image_size"].image_id
    }
    flat = [str(a["id"]) for a in train["annotations"] if min(a["bbox"][2:]) <= 0]
    outside = [
        str(a["id"])
        for a in train["annotations"]
        if a["image_id"] in sizes
        and any(a["bbox"][i] + a["bbox"][i + 2] > sizes[a["image_id"]][i] + 0.01 for i in (0, 1))
    ]

    assert tuple(flat) == BY_NAME["zero_height_box"].record_ids
    assert tuple(outside) == BY_NAME["out_of_bounds_box"].record_ids


def test_just_one_annotation_is_there_twice(train: dict[str, Any]) -> None:
    seen: dict[str, int] = {}
    again = []
    for annotation in train["annotations"]:
        text = json.dumps({**annotation, "id": 0})
        if text in seen:
            again.append(str(annotation["id"]))
        seen[text] = annotation["id"]

    assert tuple(again) == BY_NAME["duplicate_annotation"].record_ids


@pytest.mark.parametrize("animal", ["elephant", "zebra"])
def test_just_one_box_is_of_the_unknown_animal(train: dict[str, Any], animal: str) -> None:
    (number,) = [category["id"] for category in train["categories"] if category["name"] == animal]

    found = [str(a["id"]) for a in train["annotations"] if a["category_id"] == number]
    assert tuple(found) == BY_NAME[f"unknown_label_{animal}"].record_ids


def test_exact_duplicate_has_the_bytes_of_its_twin(sample: Path) -> None:
    defect = BY_NAME["exact_duplicate"]

    assert coco_file(sample, defect.image_id) == coco_file(sample, defect.twin_image, "val2017")


def test_near_duplicates_look_like_their_twins_and_differ_in_bytes(sample: Path) -> None:
    near, leak, shared = (BY_NAME[name] for name in ("near_duplicate", "evaluation_leak", "shared_photo"))
    pairs = [
        (coco_file(sample, near.image_id), coco_file(sample, near.twin_image, "val2017")),
        (coco_file(sample, leak.image_id), wild_file(sample, leak.twin_image)),
        (wild_file(sample, shared.image_id), coco_file(sample, shared.twin_image)),
    ]

    assert all(one != other for one, other in pairs)
    assert max(apart(look(one), look(other))[0] for one, other in pairs) <= 6


def test_shared_photo_has_one_flickr_id_in_both_datasets(sample: Path, train: dict[str, Any]) -> None:
    defect = BY_NAME["shared_photo"]
    (image,) = [image for image in train["images"] if str(image["id"]) == defect.twin_image]
    pages = {row[0]: row[3] for row in rows(sample, openimages.METADATA["train"])}

    photo = image["flickr_url"].rsplit("/", 1)[1].partition("_")[0]
    assert pages[defect.image_id].rsplit("/", 1)[1] == photo
    assert sum(page.endswith(f"/{photo}") for page in pages.values()) == 1


def test_rotations_are_zero_but_for_the_two(sample: Path) -> None:
    turned = {
        row[0]: row[11] for path in openimages.METADATA.values() for row in rows(sample, path)[1:] if row[11] != "0.0"
    }

    assert turned == {BY_NAME["rotated_image"].image_id: "90.0", BY_NAME["rotation_unknown"].image_id: ""}


def test_group_and_depiction_flags_are_set_once(sample: Path) -> None:
    found: dict[str, list[str]] = {"group_of_box": [], "depiction_box": []}
    for path in openimages.BOXES.values():
        places: Counter[str] = Counter()
        for row in rows(sample, path)[1:]:
            for name, column in (("group_of_box", 10), ("depiction_box", 11)):
                if row[column] == "1":
                    found[name].append(f"{row[0]}:{places[row[0]]}")
            places[row[0]] += 1

    assert {name: tuple(ids) for name, ids in found.items()} == {name: BY_NAME[name].record_ids for name in found}


def test_just_one_frame_has_no_labels(sample: Path) -> None:
    with zipfile.ZipFile(sample / "bdd100k/bdd100k_det_20_labels_trainval.zip") as archive:
        records = json.loads(archive.read("bdd100k/labels/det_20/det_val.json"))

    bare = [Path(record["name"]).stem for record in records if "labels" not in record]
    assert tuple(bare) == BY_NAME["unlabelled_frame"].record_ids


def test_val2017_is_free_of_faults(sample: Path) -> None:
    read = document(sample, "val2017")
    annotated = {annotation["image_id"] for annotation in read["annotations"]}

    assert annotated == {image["id"] for image in read["images"]}
    assert coco.VAL == "val2017"
    for image in read["images"]:
        picture = Image.open(io.BytesIO(coco_file(sample, str(image["id"]), "val2017")))
        picture.load()
        assert (picture.size, picture.mode) == ((image["width"], image["height"]), "RGB")
