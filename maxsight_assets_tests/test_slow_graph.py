"""The whole graph on the embedded upstream, in process: what lands, what is found, and that a rerun changes nothing."""

import json

import polars as pl

from maxsight_assets.labels.space import load_space
from maxsight_assets.publishing.stage import recovered_manifest
from maxsight_assets_tests.project import Project
from maxsight_assets_tests.test_graph import tree


def test_what_a_person_states_of_the_splits_is_done_stored_and_kept(project: Project) -> None:
    stated = {
        "label_space": "coco80",
        "detector_lists": True,
        "splitting": {
            "strategy": "stratified",
            "order_boxes": "urgency",
            "sizes": {"train": 40, "val": 10.0, "test": 10.0},
        },
        "cleaning": {"licences": ["commercial"]},
    }
    assert project.run().success

    first = project.run("cleaned_splits", cleaned_splits=stated)
    again = project.run("cleaned_splits")

    assert first.success, first.failures
    assert again.materialized == first.materialized
    manifest = recovered_manifest(project.places.splits)
    assert manifest is not None
    assert manifest.info.selection["splitting"]["order_boxes"] == "urgency"
    sizes = manifest.info.selection["splitting"]["sizes"]
    assert json.dumps(sizes, sort_keys=True) == '{"test": 10, "train": 40, "val": 10}'
    document = json.loads((project.places.splits / "maxsight_train.json").read_bytes())
    assert len(document["images"]) == 40
    assert [each["name"] for each in document["categories"]] == list(load_space("coco80").names)
    assert not [each for each in document["licenses"] if "-nc" in each["url"]]
    assert len(json.loads((project.places.splits / "detector_list_val.json").read_bytes())) == 10


def test_a_rule_that_is_to_stop_the_run_leaves_the_last_good_splits(project: Project) -> None:
    assert project.run().success
    before = tree(project.places.splits)

    stopped = project.run("cleaned_splits", cleaned_splits={"cleaning": {"stop_on": ["label_outside_space"]}})
    unknown = project.run("cleaned_splits", cleaned_splits={"cleaning": {"stop_on": ["orphans"]}})

    assert len(stopped.failures) == len(unknown.failures) == 1
    assert "label_outside_space: " in stopped.failures[0]
    assert "elephant" in stopped.failures[0]
    assert "no rule is named orphans" in unknown.failures[0]
    assert tree(project.places.splits) == before
    flagged = project.run("cleaned_splits", cleaned_splits={"cleaning": {"drop_flagged": ["occluded"], "stop_on": []}})
    assert flagged.success, flagged.failures
    ledger = pl.read_parquet(project.places.splits / "ledger.parquet")
    assert ledger.filter(rule="occluded").height > 0
    assert ledger.filter(rule="label_outside_space").height > 0


def test_every_strategy_makes_splits_and_one_that_is_asked_for_as_nothing_is_empty(project: Project) -> None:
    assert project.run().success

    for splitting in (
        {"strategy": "official"},
        {"strategy": "stratified"},
        {"strategy": "hash", "sizes": {"val": 0.2, "test": 0}},
    ):
        outcome = project.run("cleaned_splits", cleaned_splits={"splitting": splitting})
        assert outcome.success, outcome.failures
        counts = {
            split: len(json.loads((project.places.splits / f"maxsight_{split}.json").read_bytes())["images"])
            for split in ("train", "val", "test")
        }
        assert [split for split, count in counts.items() if not count] == (["test"] if "sizes" in splitting else [])


def test_an_evaluation_picture_that_cannot_be_compared_stops_the_splits(project: Project) -> None:
    assert project.run().success
    before = tree(project.places.splits)
    listed = json.loads(next(project.places.evaluation.glob("*/annotations.json")).read_bytes())["images"]
    path = project.places.data_dir / listed[0]["file_name"]
    path.write_bytes(path.read_bytes()[:500])
    project.places.facts.unlink()

    outcome = project.run("cleaned_splits", cleaned_splits={"anew": True})  # else it is what it was made from

    assert [f"{listed[0]['file_name']}: the file's bytes are not those" in text for text in outcome.failures] == [True]
    assert tree(project.places.splits) == before
