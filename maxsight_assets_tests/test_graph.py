"""The whole graph on the embedded upstream, in process: what lands, what is found, and that a rerun changes nothing."""

import csv
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import NoReturn

import dagster as dg
import polars as pl
import pytest
from pycocotools.coco import COCO

from maxsight_assets.commands.explain import explain
from maxsight_assets.defs.runs import RunOutcome
from maxsight_assets.errors import SettingsError
from maxsight_assets.evaluation.detections import read_detections
from maxsight_assets.evaluation.metrics import Engine, evaluate
from maxsight_assets.evaluation.sets import read_set
from maxsight_assets.labels.space import load_space
from maxsight_assets.pipeline.inspection import of_profile
from maxsight_assets.profiles.model import load
from maxsight_assets.publishing.stage import recovered_manifest
from maxsight_assets.sample_upstream.fates import fates
from maxsight_assets.verification import outputs, views
from maxsight_assets_tests.project import Project, copy_world

RAW = {"coco_raw", "openimages_subset", "bdd100k_raw", "ade20k_raw"}
ASSETS = RAW | {"inference_eval_set", "cleaned_splits", "detection_metrics"}


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory, drawn_world: Path) -> Iterator[tuple[Project, RunOutcome]]:
    """A project in which the whole graph was materialized once. Tests must leave it as it is."""
    with dg.DagsterInstance.ephemeral() as instance:
        project = Project(tmp_path_factory.mktemp("landed"), instance)
        project.places.world.parent.mkdir(parents=True)
        copy_world(drawn_world, project.places.world)
        yield project, project.run()


PUBLISHED_AT = re.compile(rb'"published_at": "[^"]*"')


def tree(root: Path) -> dict[str, str]:
    """sha256 of every file below a directory, by path; when a version was published is not part of what it is."""
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(PUBLISHED_AT.sub(b"", path.read_bytes())).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_one_run_materializes_the_whole_graph(landed: tuple[Project, RunOutcome]) -> None:
    _, outcome = landed

    assert outcome.failures == ()
    assert outcome.success
    assert set(outcome.materialized) == ASSETS


def test_fault_75_nothing_is_stored_as_a_pickle(landed: tuple[Project, RunOutcome]) -> None:
    project, _ = landed

    storage = Path(project.instance.storage_directory())
    files = [path for root in (project.root, storage) for path in root.rglob("*") if path.is_file()]

    assert len(files) > 500
    pickled = re.compile(
        rb"\x80[\x02-\x05]"
    )  # how protocols 2 to 5 begin: https://docs.python.org/3/library/pickletools.html
    assert [path for path in files if pickled.match(path.read_bytes())] == []


def test_no_check_of_severity_error_fails(landed: tuple[Project, RunOutcome]) -> None:
    _, outcome = landed

    failed = [told for told in outcome.checks if not told.passed]
    assert [told for told in failed if told.severity == "error"] == []
    assert {told.asset for told in outcome.checks} == ASSETS


def test_every_published_directory_is_what_its_manifest_says(landed: tuple[Project, RunOutcome]) -> None:
    project, _ = landed

    for directory in ("coco_raw", "open_images_v6", "bdd100k", "ade20k", "inference_eval", "cleaned_splits"):
        root = project.places.data_dir / directory
        manifest = recovered_manifest(root)
        assert manifest is not None
        found = {path: digest for path, digest in tree(root).items() if not path.startswith(".maxsight/")}
        assert found == {path: row.sha256 for path, row in manifest.rows.items()}


def test_pycocotools_loads_each_split_and_finds_every_image(landed: tuple[Project, RunOutcome]) -> None:
    project, _ = landed

    total = 0
    for split in ("train", "val", "test"):
        loaded = COCO(str(project.places.splits / f"maxsight_{split}.json"))
        images = loaded.loadImgs(loaded.getImgIds())
        assert images
        assert all((project.places.data_dir / image["file_name"]).is_file() for image in images)
        assert tuple(each["name"] for each in loaded.loadCats(sorted(loaded.getCatIds()))) == load_space().names
        total += len(images)
    assert total > 200


@pytest.mark.parametrize("name", ["ade20k_validation", "bdd100k_val", "coco_val2017", "openimages_validation"])
def test_a_set_that_is_found_as_it_is_has_an_ap_of_1(
    name: str, landed: tuple[Project, RunOutcome], tmp_path: Path
) -> None:
    project, _ = landed
    evaluated = read_set(project.places.evaluation / name / "annotations.json")
    boxes = evaluated.boxes.filter(~pl.col("crowd"))
    found = [
        {"image_id": image, "category_id": category, "bbox": bbox, "score": 0.5}
        for image, category, *bbox in boxes.select("image", "category", *"xywh").iter_rows()
    ]
    path = tmp_path / f"{name}.json"
    path.write_text(json.dumps(found), encoding="utf-8")

    engines: tuple[Engine, ...] = ("hotcoco", "pycocotools")
    for engine in engines:
        metrics = evaluate(evaluated, read_detections(path, evaluated), engine=engine)
        assert metrics.numbers["AP"] == pytest.approx(1.0, abs=1e-6)
        assert metrics.classes["AP"].min() == pytest.approx(1.0, abs=1e-6)


def test_loaders_that_glob_as_the_detectors_do_find_every_image_and_label(landed: tuple[Project, RunOutcome]) -> None:
    """MaxSight's inference loaders: `<root>/validation/<two hex>/<id>.jpg`, `images/100k/<split>/*.jpg` and so on."""
    project, _ = landed
    root = project.places.data_dir
    held = {
        path.parent.name: {image["file_name"] for image in json.loads(path.read_bytes())["images"]}
        for path in project.places.evaluation.glob("*/annotations.json")
    }

    with (root / "open_images_v6/validation-annotations-bbox.csv").open(encoding="utf-8") as rows:
        boxed = {row["ImageID"] for row in csv.DictReader(rows)}
    assert {f"open_images_v6/validation/{each[:2]}/{each}.jpg" for each in boxed} >= held["openimages_validation"]
    assert all((root / path).is_file() for path in held["openimages_validation"])

    for split in ("val", "validation"):
        frames = {path.name for path in (root / "bdd100k/images/100k" / split).glob("*.jpg")}
        labels = json.loads((root / f"bdd100k/labels/bdd100k_labels_images_{split}.json").read_bytes())
        assert frames == {frame["name"] for frame in labels} >= {Path(path).name for path in held["bdd100k_val"]}

    scenes = {path.stem for path in (root / "ade20k/images/validation").glob("*.jpg")}
    assert scenes == {path.stem for path in (root / "ade20k/annotations/validation").glob("*.png")}
    assert scenes >= {Path(path).stem for path in held["ade20k_validation"]}

    loaded = COCO(str(root / "coco_raw/annotations/instances_val2017.json"))
    known = {f"coco_raw/val2017/{each['file_name']}" for each in loaded.loadImgs(loaded.getImgIds())}
    assert known >= held["coco_val2017"]
    assert all((root / path).is_file() for path in held["coco_val2017"])
    assert all(held.values())
    assert len(held) == 4


def test_no_image_is_in_two_splits_or_in_an_evaluation_set(landed: tuple[Project, RunOutcome]) -> None:
    project, _ = landed
    files = [*project.places.splits.glob("maxsight_*.json"), *project.places.evaluation.glob("*/annotations.json")]

    names = [image["file_name"] for path in files for image in json.loads(path.read_bytes())["images"]]

    assert len(files) == 7
    assert len(names) == len(set(names))


def test_every_seeded_fault_is_told_what_became_of_it(landed: tuple[Project, RunOutcome]) -> None:
    project, _ = landed

    told = {defect.name: fate for defect, fate in fates(project.places)}

    assert "nothing is published that holds it" not in told.values()
    assert told["truncated_jpeg"] == "training: dropped by undecodable"
    assert told["missing_image"] == "training: dropped by missing_file"
    assert told["grayscale_jpeg"].startswith("kept in ")
    assert told["zero_height_box"] == "training: dropped by zero_area"
    assert told["unknown_label_elephant"] == "training: dropped by label_outside_space"
    assert told["evaluation_leak"] == "training: dropped by leaks_into_evaluation"
    assert told["exact_duplicate"] == told["near_duplicate"] == "training: dropped by leaks_into_evaluation"
    assert told["shared_photo"] in {f"kept in {split}, its twin in {split}" for split in ("train", "val", "test")}
    assert told["group_of_box"].endswith(" as a crowd")


def test_the_page_of_the_splits_tells_the_same_of_every_seeded_fault(landed: tuple[Project, RunOutcome]) -> None:
    project, _ = landed

    event = project.instance.get_latest_materialization_event(dg.AssetKey("cleaned_splits"))

    assert event is not None
    assert event.asset_materialization is not None
    shown = event.asset_materialization.metadata["seeded faults"]
    assert isinstance(shown, dg.TableMetadataValue)
    told = {row.data["seeded fault"]: row.data["what became of it"] for row in shown.records}
    assert told == {defect.name: fate for defect, fate in fates(project.places)}


def test_the_page_of_the_splits_tells_of_what_the_detector_does_not_keep(landed: tuple[Project, RunOutcome]) -> None:
    project, _ = landed
    report = json.loads((project.places.splits / "report.json").read_bytes())

    event = project.instance.get_latest_materialization_event(dg.AssetKey("cleaned_splits"))

    assert event is not None
    assert event.asset_materialization is not None
    shown = event.asset_materialization.metadata
    assert "first 10 boxes" in str(shown["limits of the detector"].value)
    assert isinstance(shown["splits"], dg.TableMetadataValue)
    told = {row.data["split"]: row.data["images_above_10_boxes"] for row in shown["splits"].records}
    assert told == {name: each["images_above_10_boxes"] for name, each in report["splits"].items()}


@pytest.mark.parametrize("asset", sorted(ASSETS))
def test_every_page_begins_with_a_sentence_that_says_what_it_is(asset: str, landed: tuple[Project, RunOutcome]) -> None:
    project, outcome = landed
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION
    records = project.instance.get_records_for_run(outcome.run_id, of_type=kind).records  # other tests run it again
    (page,) = [
        made.metadata
        for record in records
        if (made := record.event_log_entry.asset_materialization) and made.asset_key == dg.AssetKey(asset)
    ]

    name, said = next(iter(page.items()))
    assert name == "in one sentence"
    assert str(said.value).startswith("**Published: every blocking rule holds.** `")
    assert "a new version: " in str(said.value)


def test_ledger_and_splits_account_for_every_record(landed: tuple[Project, RunOutcome]) -> None:
    project, _ = landed
    report = json.loads((project.places.splits / "report.json").read_bytes())
    ledger = pl.read_parquet(project.places.splits / "ledger.parquet")

    for kind in ("image", "box"):
        dropped = ledger.filter((pl.col("kind") == kind) & (pl.col("action") == "drop")).height
        assert report["records"][kind]["in"] == report["records"][kind]["kept"] + dropped


@pytest.mark.parametrize("wanted", ["222094", "coco/222094", "000000222094"])
def test_an_image_is_explained_from_its_origin_to_its_boxes(wanted: str, landed: tuple[Project, RunOutcome]) -> None:
    project, _ = landed

    (story,) = explain(wanted, load("sample"), project.places)

    assert story.image == "coco/222094"
    assert story.facts["came from"].startswith("zips/train2017.zip!train2017/000000222094.jpg, verified by ")
    assert story.facts["licence"] == "http://creativecommons.org/licenses/by/2.0/"
    assert story.facts["group"] == "alone"
    split, _, number = story.facts["split"].partition(", as image ")
    images = json.loads((project.places.splits / f"maxsight_{split}.json").read_bytes())["images"]
    assert [image["source_id"] for image in images if str(image["id"]) == number] == ["222094"]
    assert any("box 22209401: repaired by out_of_bounds {" in text for text in story.boxes)
    assert "box 22209402: kept as dog" in story.boxes
    assert explain(number, load("sample"), project.places) == [story]


def test_an_image_that_was_left_out_is_explained_with_the_picture_that_it_repeats(
    landed: tuple[Project, RunOutcome],
) -> None:
    project, _ = landed

    (story,) = explain("301837", load("sample"), project.places)

    assert story.facts["split"] == "in none"
    assert story.facts["group"].startswith("evaluation:coco/")
    assert "dropped by leaks_into_evaluation" in story.facts["what became of it"]
    assert all("dropped by image_dropped" in text for text in story.boxes)
    watched = story.facts["group"].split()[0].removeprefix("evaluation:")
    (seen,) = explain(watched, load("sample"), project.places)
    assert seen.facts["evaluation"].startswith("in coco_val2017, as image ")
    assert seen.facts["came from"].startswith("zips/val2017.zip!val2017/")
    assert seen.facts["group"].startswith("coco/301837 (content")
    assert "split" not in seen.facts
    assert seen.boxes
    assert explain(f"{watched.removeprefix('coco/'):0>12}", load("sample"), project.places) == [seen]  # its file's name


def test_an_orphan_is_explained_by_the_image_that_it_names(landed: tuple[Project, RunOutcome]) -> None:
    project, _ = landed
    orphan = pl.read_parquet(project.places.splits / "ledger.parquet").filter(rule="orphan").row(0, named=True)

    (story,) = explain(orphan["image_id"], load("sample"), project.places)

    assert story.facts["file"] == "the dataset, as it is published now, does not list it"
    assert [text.split(":")[0] for text in story.boxes] == [f"box {orphan['box_id']}"]


def test_an_id_that_nothing_has_cannot_be_explained(landed: tuple[Project, RunOutcome]) -> None:
    project, _ = landed

    with pytest.raises(SettingsError, match="no image"):
        explain("no such image", load("sample"), project.places)


def test_the_rules_of_the_light_verification_read_no_image_and_all_others_do(
    landed: tuple[Project, RunOutcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    project, _ = landed

    def reads_images(*_: object, **__: object) -> NoReturn:
        raise AssertionError("an image is read")

    for module, name in ((views, "problems"), (views, "examine"), (outputs, "examine")):
        monkeypatch.setattr(module, name, reads_images)
    for inspection in of_profile(load("sample")):
        for rule in inspection.rules:
            view = inspection.view(project.places)
            assert view is not None
            expected = pytest.raises(AssertionError, match="an image is read") if rule.reads_images else nullcontext()
            with expected:
                rule.judge(view)


def test_a_second_run_fetches_nothing_and_changes_no_byte(landed: tuple[Project, RunOutcome]) -> None:
    project, first = landed
    before = tree(project.places.data_dir)

    second = project.run()

    assert second.success
    assert second.materialized == first.materialized
    assert tree(project.places.data_dir) == before
    for name in ("coco_raw", "openimages_subset", "bdd100k_raw", "ade20k_raw"):
        event = project.instance.get_latest_materialization_event(dg.AssetKey(name))
        assert event is not None
        assert event.asset_materialization is not None
        assert event.asset_materialization.metadata["fetched files"].value == 0


def test_two_directories_get_the_same_bytes(landed: tuple[Project, RunOutcome], project: Project) -> None:
    first, outcome = landed

    again = project.run()

    assert again.materialized == outcome.materialized
    assert tree(project.places.splits) == tree(first.places.splits)
    assert tree(project.places.evaluation) == tree(first.places.evaluation)


class Backwards:
    """What `os.scandir` gives, in the opposite order of names."""

    def __init__(self, folder: str | Path = ".") -> None:
        with SCANDIR(folder) as entries:
            self._entries = iter(sorted(entries, key=lambda entry: entry.name, reverse=True))

    def __enter__(self) -> "Backwards":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[os.DirEntry[str]]:
        return self._entries

    def __next__(self) -> os.DirEntry[str]:
        return next(self._entries)

    def close(self) -> None:
        pass


SCANDIR = os.scandir


def test_files_that_lie_in_another_order_on_disk_make_the_same_bytes(
    landed: tuple[Project, RunOutcome], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, outcome = landed
    for path in sorted(first.places.data_dir.rglob("*"), reverse=True):
        relative = path.relative_to(first.places.data_dir)
        made_from_others = relative.parts[0].startswith((".", "cleaned_splits", "inference_eval"))
        if path.is_file() and not made_from_others:
            (copy := project.places.data_dir / relative).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)
    monkeypatch.setattr(os, "scandir", Backwards)

    made = project.run("inference_eval_set", "cleaned_splits")

    assert made.success, made.failures
    assert set(made.materialized.items()) <= set(outcome.materialized.items())
    assert tree(project.places.splits) == tree(first.places.splits)
    assert tree(project.places.evaluation) == tree(first.places.evaluation)


def test_no_address_of_the_embedded_upstream_is_written(landed: tuple[Project, RunOutcome]) -> None:
    project, _ = landed

    for directory in ("coco_raw", "open_images_v6", "inference_eval", "cleaned_splits"):
        for path in (project.places.data_dir / directory).rglob("*"):
            if path.suffix in {".json", ".csv", ".parquet"}:
                assert b"127.0.0.1:" not in path.read_bytes(), path


def test_a_selection_stated_once_is_kept(project: Project) -> None:
    project.run("coco_raw", coco_raw={"splits": {"train2017": 20, "val2017": 5}})
    project.run("coco_raw")

    manifest = recovered_manifest(project.places.data_dir / "coco_raw")
    assert manifest is not None
    assert manifest.info.selection["splits"] == {"train2017": 20, "val2017": 5}
    assert sum(row.width is not None for row in manifest.selected()) in range(24, 26)


def test_a_smaller_selection_leaves_landed_images_in_place(project: Project) -> None:
    project.run("coco_raw", coco_raw={"splits": {"train2017": 20, "val2017": 5}})
    before = {path for path in tree(project.places.data_dir / "coco_raw") if path.endswith(".jpg")}
    outcome = project.run("coco_raw", coco_raw={"splits": {"train2017": 10, "val2017": 5}})

    after = {path for path in tree(project.places.data_dir / "coco_raw") if path.endswith(".jpg")}
    manifest = recovered_manifest(project.places.data_dir / "coco_raw")
    assert outcome.success
    assert before == after
    assert manifest is not None
    assert sum(row.kept for row in manifest.rows.values()) in range(9, 11)
    event = project.instance.get_latest_materialization_event(dg.AssetKey("coco_raw"))
    assert event is not None
    assert event.asset_materialization is not None
    changed = event.asset_materialization.metadata["what changed"]
    assert isinstance(changed, dg.TableMetadataValue)
    assert "selection splits.train2017" in {record.data["what"] for record in changed.records}


def test_a_rerun_mends_a_damaged_file_and_fetches_just_that(project: Project) -> None:
    project.run("coco_raw")
    victim = min((project.places.data_dir / "coco_raw/val2017").glob("*.jpg"))
    whole = victim.read_bytes()
    victim.unlink()
    victim.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))

    assert project.run("coco_raw").success

    event = project.instance.get_latest_materialization_event(dg.AssetKey("coco_raw"))
    assert event is not None
    assert event.asset_materialization is not None
    assert event.asset_materialization.metadata["fetched files"].value == 1
    assert victim.read_bytes() == whole


def test_a_selection_that_does_not_fit_is_one_clear_line_and_not_retried(project: Project) -> None:
    outcome = project.run("coco_raw", coco_raw={"splits": {"val2025": 5}})

    assert not outcome.success
    assert len(outcome.failures) == 1
    assert "SettingsError: run config, splits" in outcome.failures[0]
