"""What the drawn sample publishes: layout, headers, counts, looks; and that it is the same each time."""

import csv
import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from maxsight_assets.images.phash import apart, fingerprints
from maxsight_assets.sample_upstream import coco, openimages, world
from maxsight_assets.sample_upstream.defects import BY_NAME, DEFECTS
from maxsight_assets_tests.places import SHARED

DATA = SHARED / "data"


def document(root: Path, split: str, kind: str = "instances") -> dict[str, Any]:
    with zipfile.ZipFile(root / "coco" / coco.ANNOTATIONS) as archive:
        read: dict[str, Any] = json.loads(archive.read(f"annotations/{kind}_{split}.json"))
        return read


def rows(root: Path, path: str) -> list[list[str]]:
    with (root / "openimages" / path).open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def pictures(root: Path) -> dict[str, bytes]:
    found = {path.stem: path.read_bytes() for path in (root / "open-images-dataset").rglob("*.jpg")}
    archives = ("coco/zips/train2017.zip", "coco/zips/val2017.zip", "bdd100k/100k_images_val.zip")
    for name in (*archives, "ade20k/ADEchallenge/ADEChallengeData2016.zip"):
        with zipfile.ZipFile(root / name) as archive:
            found |= {Path(n).stem: archive.read(n) for n in archive.namelist() if n.endswith(".jpg")}
    return found


def test_published_again_it_is_what_the_cache_holds(drawn_world: Path, sample: Path) -> None:
    def facts() -> tuple[int, int, int]:
        found = (sample / "coco/zips/val2017.zip").stat()
        return found.st_ino, found.st_size, found.st_mtime_ns

    before = facts()
    assert world.publish(drawn_world) == sample
    assert facts() == before


def test_zips_have_the_layout_of_the_real_ones(sample: Path) -> None:
    with zipfile.ZipFile(sample / "coco/zips/val2017.zip") as archive:
        names = archive.namelist()
        assert archive.testzip() is None
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
    assert names[0] == "val2017/"
    assert len(names) == 61
    with zipfile.ZipFile(sample / "coco" / coco.ANNOTATIONS) as archive:
        kinds = ("captions", "instances", "person_keypoints")
        assert sorted(archive.namelist()) == sorted(
            f"annotations/{k}_{s}.json" for k in kinds for s in ("train2017", "val2017")
        )


@pytest.mark.parametrize(("split", "images"), [("train2017", 240), ("val2017", 60)])
def test_pycocotools_loads_the_instances(
    sample: Path, tmp_path: Path, split: str, images: int, capsys: pytest.CaptureFixture[str]
) -> None:
    read = document(sample, split)
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(read), encoding="utf-8")
    loaded = COCO(path)
    capsys.readouterr()

    assert set(read) == {"info", "licenses", "images", "annotations", "categories"}
    assert (len(loaded.imgs), len(loaded.cats), len(read["licenses"])) == (images, 80, 8)
    assert len(loaded.anns) == len(read["annotations"])
    crowds = loaded.getAnnIds(iscrowd=True)
    assert crowds
    for annotation in loaded.loadAnns(crowds[:3]):
        encoded = coco_mask.frPyObjects(annotation["segmentation"], *annotation["segmentation"]["size"])
        assert coco_mask.area(encoded) == annotation["area"]
        assert np.allclose(coco_mask.toBbox(encoded), annotation["bbox"], atol=2)


def test_masks_and_boxes_of_coco_agree(sample: Path) -> None:
    read = document(sample, "val2017")
    sizes = {image["id"]: (image["height"], image["width"]) for image in read["images"]}
    for annotation in (a for a in read["annotations"] if not a["iscrowd"]):
        height, width = sizes[annotation["image_id"]]
        mask = coco_mask.merge(coco_mask.frPyObjects(annotation["segmentation"], height, width))
        assert 0 < annotation["area"] <= (annotation["bbox"][2] + 1) * (annotation["bbox"][3] + 1)
        assert np.allclose(coco_mask.toBbox(mask), annotation["bbox"], atol=2)
        assert min(annotation["bbox"]) >= 0
        assert annotation["bbox"][0] + annotation["bbox"][2] <= width + 0.01
        assert annotation["bbox"][1] + annotation["bbox"][3] <= height + 0.01


def test_coco_records_have_the_keys_of_the_real_ones(sample: Path) -> None:
    real = DATA / "coco_mini/annotations/instances_val2017.json"
    if not real.exists():
        pytest.skip("needs the real COCO records beside the checkout")
    wanted = json.loads(real.read_text(encoding="utf-8"))
    ours = document(sample, "val2017")

    assert ours["categories"] == wanted["categories"]
    assert ours["licenses"] == wanted["licenses"]
    for part in ("images", "annotations"):
        assert set(ours[part][0]) == set(wanted[part][0])


def test_captions_and_keypoints_are_there_too(sample: Path) -> None:
    poses = document(sample, "val2017", "person_keypoints")

    assert len(document(sample, "val2017", "captions")["annotations"]) == 60
    assert len(poses["categories"][0]["keypoints"]) == 17
    assert {len(pose["keypoints"]) for pose in poses["annotations"]} == {51}


def test_open_images_tables_have_the_real_headers(sample: Path) -> None:
    real = DATA / "openimages_slice"
    if not real.exists():
        pytest.skip("needs the real Open Images rows beside the checkout")
    with (real / "validation-annotations-bbox.csv").open(encoding="utf-8") as file:
        boxes = file.readline().strip().split(",")
    with (real / "validation-images-with-rotation.csv").open(encoding="utf-8") as file:
        metadata = file.readline().strip().split(",")

    assert rows(sample, openimages.BOXES["validation"])[0] == boxes
    assert rows(sample, openimages.BOXES["test"])[0] == boxes
    train = rows(sample, openimages.BOXES["train"])[0]
    assert train[:13] == boxes
    assert train[13:] == [f"XClick{n}{axis}" for axis in "XY" for n in (1, 2, 3, 4)]
    assert {tuple(rows(sample, path)[0]) for path in openimages.METADATA.values()} == {tuple(metadata)}
    assert (real / "class-descriptions-boxable.csv").read_bytes() == (
        sample / "openimages" / openimages.CLASSES
    ).read_bytes()


@pytest.mark.parametrize(("split", "images"), [("train", 60), ("validation", 40), ("test", 20)])
def test_open_images_rows_and_pictures_agree(sample: Path, split: str, images: int) -> None:
    known = {row[0] for row in rows(sample, openimages.CLASSES)}
    described = {row[0] for row in rows(sample, openimages.METADATA[split])[1:]}
    boxes = rows(sample, openimages.BOXES[split])[1:]

    assert len(described) == images
    assert described == {path.stem for path in (sample / "open-images-dataset" / split).glob("*.jpg")}
    assert {row[0] for row in boxes} == described
    assert {row[2] for row in boxes} <= known
    for row in boxes:
        left, right, top, bottom = map(float, row[4:8])
        assert 0 <= left < right <= 1
        assert 0 <= top < bottom <= 1
        assert set(row[8:13]) <= {"0", "1"}


def test_open_images_ids_include_those_that_read_as_numbers(sample: Path) -> None:
    ids = {path.stem for path in (sample / "open-images-dataset").rglob("*.jpg")}

    assert {"000e100000000000", "1234567890123456", "0000000000000e10"} <= ids


def test_hierarchy_has_subcategories_and_parts(sample: Path) -> None:
    names = dict(rows(sample, openimages.CLASSES))
    tree_text = (sample / "openimages" / openimages.HIERARCHY).read_text(encoding="utf-8")
    top = json.loads(tree_text)
    door = next(node for node in top["Subcategory"] if names[node["LabelName"]] == "Door")

    assert top["LabelName"] == "/m/0bl9f"
    assert [names[part["LabelName"]] for part in door["Part"]] == ["Door handle"]


def test_bdd100k_frames_and_labels_agree(sample: Path) -> None:
    with zipfile.ZipFile(sample / "bdd100k/100k_images_val.zip") as archive:
        frames = [Path(name).name for name in archive.namelist() if name.endswith(".jpg")]
    with zipfile.ZipFile(sample / "bdd100k/bdd100k_det_20_labels_trainval.zip") as archive:
        records = json.loads(archive.read("bdd100k/labels/det_20/det_val.json"))

    assert [record["name"] for record in records] == frames
    assert len(frames) == 40
    labels = [label for record in records for label in record.get("labels", [])]
    assert {"pedestrian", "rider", "car", "traffic light"} <= {label["category"] for label in labels}
    assert all(label["box2d"]["x1"] < label["box2d"]["x2"] <= 320 for label in labels)


def test_ade20k_masks_fit_their_pictures(sample: Path) -> None:
    base = "ADEChallengeData2016"
    with (
        zipfile.ZipFile(sample / "ade20k/ADEchallenge/ADEChallengeData2016.zip") as scenes,
        tarfile.open(sample / "ade20k/ChallengeData2017/annotations_instance.tar") as masks,
    ):
        names = [name for name in scenes.namelist() if name.startswith(f"{base}/images/validation/")]
        assert len(names) == 40
        for name in (Path(name).stem for name in names):
            picture = Image.open(io.BytesIO(scenes.read(f"{base}/images/validation/{name}.jpg")))
            semantic = Image.open(io.BytesIO(scenes.read(f"{base}/annotations/validation/{name}.png")))
            member = masks.extractfile(f"annotations_instance/validation/{name}.png")
            assert member is not None
            instance = np.asarray(Image.open(member))
            assert semantic.mode == "L"
            assert picture.size == semantic.size == instance.shape[1::-1]
            assert 0 < instance[..., 0].max() <= 100
            assert ((instance[..., 0] > 0) == (instance[..., 1] > 0)).all()
            assert (np.asarray(semantic)[instance[..., 0] > 0] > 0).all()


def test_different_scenes_look_different(sample: Path) -> None:
    copies = {
        f"{int(d.image_id):012d}" if d.dataset == "coco" else d.image_id
        for d in DEFECTS
        if d.twin or d.name in {"truncated_jpeg", "grayscale_jpeg"}
    }
    looks = {
        name: fingerprints(
            np.asarray(Image.open(io.BytesIO(content)).convert("L").resize((64, 64), Image.Resampling.BOX))[None]
        )[0]
        for name, content in pictures(sample).items()
        if name not in copies
    }

    assert None not in looks.values()
    marks = np.array(list(looks.values()), dtype=np.uint64)
    left, right = np.triu_indices(len(marks), 1)
    assert len(looks) == 503 - len(copies)
    assert apart(marks[left], marks[right]).min() > 10
    assert BY_NAME["missing_image"].image_id not in looks
