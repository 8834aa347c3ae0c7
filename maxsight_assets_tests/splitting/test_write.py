import contextlib
import csv
import fcntl
import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from maxsight_assets.disk import explaining
from maxsight_assets.errors import FormatError, LandingError
from maxsight_assets.splitting import write
from maxsight_assets.splitting.audio import Pairing
from maxsight_assets.splitting.config import SPLITS
from maxsight_assets.splitting.read import iter_samples, load_split
from maxsight_assets.splitting.write import split_path
from maxsight_assets_tests.cleaning.records import box, boxes_of, facts_of, image, images_of
from maxsight_assets_tests.images.pictures import encoded, picture
from maxsight_assets_tests.splitting.detector import PRIORS, zone_and_urgency
from maxsight_assets_tests.splitting.worlds import SPACE, World, shuffled, split, world, written

SIZES = {"val": 0.3, "test": 0.3}
FULL = Path("/dev/full")
FILES = [f"maxsight_{name}.json" for name in SPLITS]


def mixed(number: int = 30) -> World:
    """Images of two sources, with masks, crowds, licences and defects."""
    coco, open_images = world(number), world(number, source="openimages")
    images, boxes, facts = (pl.concat(pair) for pair in zip(coco, open_images, strict=True))
    row = pl.int_range(pl.len())
    images = images.with_columns(
        license=pl.when(row % 3 == 0).then(None).otherwise("license"),
        author=pl.when(row % 4 == 0).then(pl.lit('Ann "A", B\n')),
        title=pl.when(row % 5 == 0).then(pl.lit("<b>=1+1</b>")),
        page=pl.when(row % 2 == 0).then(pl.lit("https://flickr.example/1")),
    )
    boxes = boxes.with_columns(
        crowd=row % 7 == 0,
        area=pl.when(row % 2 == 0).then("area"),
        segmentation=pl.when(row % 3 == 0)
        .then(pl.lit("[[1,20.50,31,20,5,60]]"))
        .when(row % 3 == 1)
        .then(pl.lit('{"counts":[307200],"size":[480,640]}')),
        w=pl.when(row == 8).then(0.0).otherwise("w"),
        label=pl.when(row == 10).then(pl.lit("zebra")).otherwise("label"),
    )
    return images, boxes, facts


def quiet(path: Path) -> COCO:
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


@pytest.mark.parametrize("name", FILES)
def test_files_are_what_the_schema_says(tmp_path: Path, name: str) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(Path(write.__file__).with_name("schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)

    document = json.loads(written(split(mixed(), sizes=SIZES), tmp_path / "out")[name])

    jsonschema.Draft202012Validator(schema).validate(document)
    assert document["annotations"]


def test_how_a_picture_is_to_be_turned_is_in_its_record(tmp_path: Path) -> None:
    images, boxes, facts = world(6, i2={"orientation": 3}, i3={"orientation": 6})
    images = images.with_columns(rotation=pl.when(pl.col("image_id") == "4").then(90).otherwise(0).cast(pl.Int32))

    files = written(split((images, boxes, facts), sizes={"val": 0, "test": 0}), tmp_path / "out")

    records = json.loads(files["maxsight_train.json"])["images"]
    said = {
        row["source_id"]: {name: row[name] for name in ("orientation", "rotation") if name in row} for row in records
    }
    assert said == {"1": {}, "2": {"orientation": 3}, "3": {"orientation": 6}, "4": {"rotation": 90}, "5": {}, "6": {}}
    table, _ = load_split("train", tmp_path / "out")
    assert dict(zip(table["source_id"], table["orientation"], strict=True))["3"] == 6


def test_the_same_files_are_written_each_time(tmp_path: Path) -> None:
    assert set(written(split(world(3)), tmp_path / "out")) == {
        *FILES,
        "groups.parquet",
        "ledger.parquet",
        "ATTRIBUTION.csv",
        "report.json",
        "class_weights.json",
    }


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_equal_inputs_give_equal_bytes_in_any_order(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    root = tmp_path_factory.mktemp("bytes")
    tables = mixed()

    first = written(split(tables, sizes=SIZES), root / "first")

    assert written(split(shuffled(tables, seed), sizes=SIZES), root / "second") == first


def test_categories_are_the_whole_label_space_in_all_files(tmp_path: Path) -> None:
    files = written(split(mixed(), sizes=SIZES), tmp_path / "out")

    for name in FILES:
        assert json.loads(files[name])["categories"] == [{"id": n + 1, "name": label} for n, label in enumerate(SPACE)]


def test_masks_are_the_text_that_came_in(tmp_path: Path) -> None:
    files = written(split(mixed(), sizes=SIZES), tmp_path / "out")

    assert b'"segmentation":[[1,20.50,31,20,5,60]]}' in files["maxsight_train.json"]
    assert b'"segmentation":{"counts":[307200],"size":[480,640]}}' in files["maxsight_train.json"]
    assert b'"segmentation":[]}' in files["maxsight_train.json"]


@pytest.mark.parametrize("number", [1, 2, 7])
def test_the_bytes_are_the_same_however_many_annotations_are_written_at_a_time(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = split(mixed(), sizes=SIZES)
    first = written(result, tmp_path / "first")

    monkeypatch.setattr(write, "_CHUNK", number)

    assert written(result, tmp_path / "second") == first


@settings(max_examples=30, deadline=None)
@given(
    published=st.text(st.characters(codec="utf-8"), min_size=1, max_size=6),
    mask=st.sampled_from(["[[1, 2,\n 3, 4, 5, 6]]", '{"size": [480, 640],\r\n "counts": ":}\\",\\""}', "[]"]),
    numbers=st.tuples(*[st.floats(0.001, 90)] * 4).filter(lambda four: max(four) > 1),  # else they are shares
)
def test_an_annotation_comes_back_as_it_was_whatever_its_text(
    published: str, mask: str, numbers: tuple[float, ...], tmp_path_factory: pytest.TempPathFactory
) -> None:
    images, boxes, facts = world(1)
    x, y, w, h = numbers
    row = boxes[:1].with_columns(box_id=pl.lit(published), x=x, y=y, w=w, h=h, area=w * h)
    result = split((images, row, facts))
    result = replace(result, boxes=result.boxes.with_columns(segmentation=pl.lit(mask)))
    (name,) = result.boxes["subset"]

    files = written(result, tmp_path_factory.mktemp("texts") / "out")

    (annotation,) = json.loads(files[f"maxsight_{name}.json"])["annotations"]
    assert annotation["source_id"] == published
    assert annotation["segmentation"] == json.loads(mask)
    assert (*annotation["bbox"], annotation["area"]) == (x, y, w, h, w * h)


@pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")
def test_a_disk_that_is_full_is_told_as_one(tmp_path: Path) -> None:
    result = split(mixed())
    boxes = result.boxes.with_columns(segmentation=pl.lit(f"[[{'1,' * 10_000}1]]"))

    file = FULL.open("wb")

    with pytest.raises(LandingError, match="no space left on its disk"), explaining(tmp_path):
        write._write_annotations(file, boxes, result.labels)

    with contextlib.suppress(OSError):
        file.close()


def test_the_file_is_closed_once_when_all_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A drive that uploads a file when a descriptor of it is closed takes nothing after that; a lock ends then too."""
    monkeypatch.setattr(write, "_CHUNK", 2)
    result = split(mixed())
    code = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'ab'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    other = [sys.executable, "-c", code, tmp_path / "a"]

    with (tmp_path / "a").open("wb") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        write._write_annotations(file, result.boxes, result.labels)
        locked_out = subprocess.run(other, stderr=subprocess.PIPE, text=True, check=False)

    assert "BlockingIOError" in locked_out.stderr
    assert json.loads(f"[{(tmp_path / 'a').read_text(encoding='utf-8')}]")
    subprocess.run(other, check=True)


def test_licences_are_named_and_every_image_has_one(tmp_path: Path) -> None:
    document = json.loads(written(split(mixed(), sizes=SIZES), tmp_path / "out")["maxsight_train.json"])

    assert document["licenses"] == [
        {"id": 1, "name": "CC BY 2.0", "url": "http://creativecommons.org/licenses/by/2.0/"},
        {"id": 2, "name": "unknown", "url": ""},
    ]
    assert {each["license"] for each in document["images"]} == {1, 2}


def test_fault_67_attribution_is_one_row_an_image_whatever_the_author_is_called(tmp_path: Path) -> None:
    result = split(mixed(), sizes=SIZES)
    text = written(result, tmp_path / "out")["ATTRIBUTION.csv"].decode()

    rows = list(csv.DictReader(io.StringIO(text)))

    assert [row["path"] for row in rows] == sorted(result.images["path"])
    assert {row["author"] for row in rows} == {"", 'Ann "A", B\n'}
    assert {row["title"] for row in rows} == {"", "<b>=1+1</b>"}


def test_the_report_accounts_for_all_records(tmp_path: Path) -> None:
    report = json.loads(written(split(mixed(), sizes=SIZES), tmp_path / "out")["report.json"])

    assert report["records"]["box"] == {"in": 120, "kept": 118, "dropped": 2}
    assert report["dropped"]["box"] == {"label_outside_space": 1, "zero_area": 1}
    assert sum(part["boxes"] for part in report["splits"].values()) == 118
    assert report["inputs"] == {"coco_raw": "v1"}
    assert list(report) == sorted(report)


def test_nothing_written_names_this_machine(tmp_path: Path) -> None:
    files = written(split(mixed(), sizes=SIZES), tmp_path / "out")

    assert not [name for name, content in files.items() if str(tmp_path).encode() in content]


@pytest.mark.parametrize("name", FILES)
def test_pycocotools_finds_every_id_and_a_file_scores_one_against_itself(tmp_path: Path, name: str) -> None:
    written(split(mixed(), sizes=SIZES), tmp_path / "out")
    document = json.loads((tmp_path / "out" / name).read_bytes())
    truth = quiet(tmp_path / "out" / name)

    assert sorted(truth.getImgIds()) == sorted(each["id"] for each in document["images"])
    assert sorted(truth.getAnnIds()) == sorted(each["id"] for each in document["annotations"])
    assert [each["id"] for each in truth.loadAnns([document["annotations"][0]["id"]])] == [
        document["annotations"][0]["id"]
    ]
    detections = [
        {"image_id": each["image_id"], "category_id": each["category_id"], "bbox": each["bbox"], "score": 0.9}
        for each in document["annotations"]
        if not each["iscrowd"]
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(truth, truth.loadRes(detections), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1.0)


def test_the_detectors_loader_finds_files_labels_and_boxes(tmp_path: Path) -> None:
    data_dir = tmp_path / "datasets"
    images = images_of(*(image(str(n), width=64, height=48) for n in range(1, 9)))
    for path in images["path"]:
        (data_dir / path).parent.mkdir(parents=True, exist_ok=True)
        (data_dir / path).write_bytes(encoded(picture(width=64, height=48)))
    boxes = boxes_of(*(box(f"{n}", str(n), x=1.0, y=2.0, w=10.0, h=20.0, label="dog") for n in range(1, 9)))
    facts = facts_of(images, **{f"i{n}": {"width": 64, "height": 48} for n in range(1, 9)})
    written(split((images, boxes, facts), sizes={"val": 0, "test": 0}), tmp_path / "out")

    document = json.loads((tmp_path / "out" / "maxsight_train.json").read_text(encoding="utf-8"))
    names = {each["id"]: each["name"] for each in document["categories"]}
    of_image: dict[int, list[dict[str, object]]] = {}
    for annotation in document["annotations"]:
        of_image.setdefault(annotation["image_id"], []).append(annotation)
    shown = [each for each in document["images"] if each["id"] in of_image]

    assert len(shown) == 8
    for each in shown:
        assert (data_dir / each["file_name"]).is_file()
        for annotation in of_image[each["id"]]:
            assert SPACE.index(names[annotation["category_id"]]) == annotation["category_id"] - 1 == 1  # type: ignore[index, operator]


def test_splits_are_read_as_tables(tmp_path: Path) -> None:
    result = split(mixed(), sizes=SIZES)
    written(result, tmp_path / "out")

    images, annotations = load_split("train", tmp_path / "out")

    expected = result.boxes.filter(subset="train")
    assert annotations["id"].to_list() == expected["id"].to_list()
    assert annotations["category"].to_list() == expected["label"].to_list()
    assert annotations["w"].to_list() == expected["w"].to_list()
    assert set(annotations["image_id"]) == set(images["id"])
    assert images["file_name"].to_list() == result.images.filter(subset="train")["path"].to_list()


def test_splits_are_read_sample_by_sample(tmp_path: Path) -> None:
    result = split(mixed(), sizes=SIZES)
    written(result, tmp_path / "out")

    samples = list(iter_samples(split_path(tmp_path / "out", "val"), Path("data")))

    assert [path.as_posix() for path, _, _ in samples] == [
        f"data/{p}" for p in result.images.filter(subset="val")["path"]
    ]
    assert sum(len(labels) for _, _, labels in samples) == result.boxes.filter(subset="val").height
    assert all(boxes.shape == (len(labels), 4) for _, boxes, labels in samples)


def test_a_split_that_is_not_there_or_not_ours_is_named(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"maxsight_val\.json.*materialize"):
        load_split("val", tmp_path)
    (tmp_path / "maxsight_val.json").write_text("[]", encoding="utf-8")
    with pytest.raises(FormatError, match=r"maxsight_val\.json"):
        next(iter_samples(split_path(tmp_path, "val"), tmp_path))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"category_id":', b'"category_id":9'),
        (b'"image_id":', b'"image_id":9'),
        (b'"source_id":"', b'"source_id":"\xff'),
    ],
)
def test_a_split_that_does_not_hold_together_is_refused(tmp_path: Path, old: bytes, new: bytes) -> None:
    written(split(mixed(), sizes=SIZES), tmp_path / "out")
    path = tmp_path / "out/maxsight_train.json"
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    with pytest.raises(FormatError, match=r"maxsight_train\.json"):
        load_split("train", tmp_path / "out")


def test_an_empty_split_is_read_as_empty_tables(tmp_path: Path) -> None:
    written(split(world(3), sizes={"val": 0, "test": 0}), tmp_path / "out")

    images, annotations = load_split("test", tmp_path / "out")

    assert (len(images), len(annotations)) == (0, 0)
    assert {"file_name", "category"} <= {*images.columns, *annotations.columns}


def test_detector_lists_state_what_the_detector_derives_of_none_itself(tmp_path: Path) -> None:
    result = split(mixed(), sizes=SIZES)
    first, *_ = result.images.filter(subset="val").select("source", "image_id").rows()
    heard = Pairing({first: "sounds/a.wav"}, unpaired_images=(), unpaired_files=(), unreadable={})
    (tmp_path / "out").mkdir()
    write.write_splits(result, tmp_path / "out", inputs={}, lists=True, audio=heard)

    document = json.loads((tmp_path / "out/maxsight_val.json").read_bytes())
    listed = json.loads((tmp_path / "out/detector_list_val.json").read_bytes())

    assert [(each["image_id"], each["image_path"]) for each in listed] == [
        (each["id"], each["file_name"]) for each in document["images"]
    ]
    assert [each["audio_path"] for each in listed] == [each.get("audio_path") for each in document["images"]]
    assert sum(each["audio_path"] is not None for each in listed) == 1
    for shown, each in zip(document["images"], listed, strict=True):
        mine = [one for one in document["annotations"] if one["image_id"] == shown["id"]]
        assert [one["class"] + 1 for one in each["objects"]] == [one["category_id"] for one in mine]
        assert [SPACE[one["class"]] for one in each["objects"]] == [one["category"] for one in each["objects"]]
        for (cx, cy, w, h), one in zip((one["box"] for one in each["objects"]), mine, strict=True):
            absolute = [(cx - w / 2) * 640, (cy - h / 2) * 480, w * 640, h * 480]
            assert absolute == pytest.approx(one["bbox"])
        for one in each["objects"]:
            found = (one["distance"], one["urgency"])
            assert found == zone_and_urgency(tuple(one["box"]), PRIORS[one["category"]])
        assert each["urgency"] == max(one["urgency"] for one in each["objects"])
        assert each["lighting"] == "normal"


def test_the_detector_list_of_an_empty_split_is_empty(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write.write_splits(split(world(3), sizes={"val": 0, "test": 0}), tmp_path / "out", inputs={}, lists=True)

    assert json.loads((tmp_path / "out/detector_list_test.json").read_bytes()) == []
