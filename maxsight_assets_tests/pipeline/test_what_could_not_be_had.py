"""A dataset that could not be had keeps neither the evaluation sets nor the splits from being made of the others."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from maxsight_assets import settings
from maxsight_assets.build import build_defs
from maxsight_assets.errors import LandingError, SettingsError
from maxsight_assets.pipeline.derived import Made, make_evaluation, make_splits
from maxsight_assets.pipeline.inspection import EVALUATION, SPLITS, named, of_profile, verify
from maxsight_assets.profiles import model as profiles
from maxsight_assets.profiles.model import Profile
from maxsight_assets_tests.datasets.bdd100k import world as bdd100k
from maxsight_assets_tests.pipeline.test_what_is_measured import SET, Ground
from maxsight_assets_tests.project import Project

BDD100K = "bdd100k_val"


def two_datasets(ground: Ground) -> Profile:
    """The profile of a project that lands Open Images, and would land BDD100K."""
    profile = ground.root / "two.yaml"
    text = "profile: two\nupstream: publisher\nopenimages:\n  splits: {validation: null}\nbdd100k: {}\n"
    profile.write_text(text, encoding="utf-8")
    return profiles.load(str(profile))


def evaluated(ground: Ground, profile: Profile) -> Made:
    return make_evaluation(profile, ground.places, gate=EVALUATION.gate(ground.places))


def contract(ground: Ground) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((ground.places.evaluation / "contract.json").read_text(encoding="utf-8"))
    return read


def failing(ground: Ground, profile: Profile) -> dict[str, str]:
    """Rules of the evaluation sets that do not hold, with their examples."""
    told = verify(profile, ground.places, ["inference_eval_set"])
    return {each.rule: each.examples for each in told if not each.passed}


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    made = Ground(tmp_path)
    made.land()
    return made


def test_fault_88_a_set_is_made_of_what_has_landed_and_says_what_it_lacks(ground: Ground) -> None:
    profile = two_datasets(ground)

    made = evaluated(ground, profile)

    assert list(made.report["sets"]) == [SET]
    lacks = {BDD100K: "bdd100k_raw: nothing is published in bdd100k/; materialize bdd100k_raw"}
    assert contract(ground)["lacking"] == lacks
    assert failing(ground, profile) == {"every_set_is_there": f"{BDD100K}: {lacks[BDD100K]}"}


def test_leaving_the_dataset_out_ends_the_complaint(ground: Ground) -> None:
    profile = two_datasets(ground)
    evaluated(ground, profile)
    narrowed = profile.only(["openimages"])

    evaluated(ground, narrowed)

    assert failing(ground, narrowed) == {}
    assert contract(ground)["left_out"] == [BDD100K]


def with_a_set_of_bdd100k(ground: Ground) -> dict[str, Any]:
    """Evaluation sets of both datasets, the directory of one of which is gone now; return their contract."""
    bdd100k.land(ground.places.data_dir, ground.root / "bdd100k")
    evaluated(ground, two_datasets(ground))
    before = contract(ground)
    assert set(before["sets"]) == {SET, BDD100K}
    shutil.rmtree(ground.places.data_dir / "bdd100k")
    return before


def test_a_set_of_the_version_before_is_not_lost_with_its_dataset(ground: Ground) -> None:
    profile, before = two_datasets(ground), with_a_set_of_bdd100k(ground)
    annotations = (ground.places.evaluation / BDD100K / "annotations.json").read_bytes()

    evaluated(ground, profile)

    assert contract(ground)["sets"] == before["sets"]
    assert (ground.places.evaluation / BDD100K / "annotations.json").read_bytes() == annotations
    said = failing(ground, profile)
    assert list(said) == ["every_set_is_there"]
    assert said["every_set_is_there"].endswith("the set of the version before is kept")


def test_a_set_that_the_user_leaves_out_goes_and_the_others_stay_as_they_were(ground: Ground) -> None:
    before = with_a_set_of_bdd100k(ground)

    evaluated(ground, two_datasets(ground).only(["openimages"]))

    assert contract(ground)["sets"] == {SET: before["sets"][SET]}


def test_without_any_dataset_there_is_nothing_to_make_and_it_says_what_to_do(tmp_path: Path) -> None:
    ground = Ground(tmp_path)

    with pytest.raises(LandingError, match=r"no set to make; openimages_subset: .* materialize openimages_subset"):
        evaluated(ground, two_datasets(ground))
    with pytest.raises(LandingError, match=r"cleaned_splits: coco_raw: .*; openimages_subset: "):
        make_splits(profiles.load("full"), ground.places, stated={}, gate=SPLITS.gate(ground.places))


def test_fault_88_a_run_goes_on_without_a_dataset_whose_host_is_gone(project: Project) -> None:
    project.environment["MAXSIGHT_DATASETS"] = "coco,bdd100k"
    for path in project.places.world.rglob("bdd100k/*.zip"):
        path.unlink()

    outcome = project.run()

    assert not outcome.success
    assert [failure.partition(":")[0] for failure in outcome.failures] == ["bdd100k_raw"]
    assert set(outcome.materialized) == {"coco_raw", "inference_eval_set", "cleaned_splits", "detection_metrics"}
    lacking = [told for told in outcome.checks if told.rule == "every_set_is_there" and not told.passed]
    assert [(told.asset, told.severity) for told in lacking] == [("inference_eval_set", "warn")]


def test_fault_55_a_rerun_lands_the_part_that_failed_and_leaves_the_others_as_they_are(project: Project) -> None:
    project.environment["MAXSIGHT_DATASETS"] = "coco,bdd100k"
    archives = sorted(project.places.world.rglob("bdd100k/*.zip"))
    for path in archives:
        path.rename(path.with_suffix(".away"))
    assert not project.run().success
    kept = {path: path.stat().st_ino for path in (project.places.data_dir / "coco_raw").rglob("*.jpg")}
    for path in archives:
        path.with_suffix(".away").rename(path)

    outcome = project.run("bdd100k_raw", "inference_eval_set", "cleaned_splits")

    assert outcome.success
    assert "coco_raw" not in outcome.materialized
    assert {path: path.stat().st_ino for path in kept} == kept != {}


def test_datasets_that_are_left_out_are_nowhere_in_the_graph() -> None:
    chosen = settings.load({"MAXSIGHT_PROFILE": "full", "MAXSIGHT_DATASETS": "coco,openimages"})
    repository = build_defs(chosen).get_repository_def()

    names = {key.to_user_string() for key in repository.asset_graph.get_all_asset_keys()}
    assert names == {
        *("coco_upstream", "openimages_upstream", "coco_raw", "openimages_subset"),
        *("inference_eval_set", "cleaned_splits", "detections", "detection_metrics"),
        *("checkpoints_upstream", "condition_checkpoints"),
    }
    assert not [name for name in repository.sensor_defs if "bdd100k" in name.name or "ade20k" in name.name]
    assert [each.asset for each in of_profile(profiles.of(chosen))] == [
        *("coco_raw", "openimages_subset", "inference_eval_set", "cleaned_splits", "detection_metrics")
    ]
    with pytest.raises(SettingsError, match=r"no asset bdd100k_raw; .*there are coco_raw"):
        named(profiles.of(chosen), "bdd100k_raw")


def test_without_a_dataset_to_train_on_there_are_no_splits_in_the_graph() -> None:
    chosen = settings.load({"MAXSIGHT_PROFILE": "full", "MAXSIGHT_DATASETS": "bdd100k"})

    made = [each.asset for each in of_profile(profiles.of(chosen))]
    assert made == ["bdd100k_raw", "inference_eval_set", "detection_metrics"]
    build_defs(chosen).get_repository_def()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("coco,openimage", "MAXSIGHT_DATASETS=coco,openimage: no dataset openimage; did you mean openimages?"),
        ("coco_raw", "MAXSIGHT_DATASETS=coco_raw: no dataset coco_raw; did you mean coco?"),
        ("lvis", "MAXSIGHT_DATASETS=lvis: no dataset lvis; there are ade20k, bdd100k, coco, openimages"),
    ],
)
def test_a_mistyped_dataset_is_refused_with_the_nearest(value: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        settings.load({"MAXSIGHT_DATASETS": value})

    assert str(refused.value).startswith(said)


def test_a_dataset_that_the_profile_does_not_land_is_refused() -> None:
    with pytest.raises(SettingsError, match="the profile starter does not land bdd100k; it lands coco, openimages"):
        profiles.of(settings.load({"MAXSIGHT_PROFILE": "starter", "MAXSIGHT_DATASETS": "coco,bdd100k"}))
