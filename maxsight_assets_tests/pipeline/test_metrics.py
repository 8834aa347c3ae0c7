"""What becomes of detections files: new and changed ones are evaluated, broken and deleted ones keep what they had."""

import json
from pathlib import Path

import polars as pl
import pytest

from maxsight_assets.errors import LandingError
from maxsight_assets.evaluation.results import CLASSES, read_history, read_standings
from maxsight_assets_tests.commands.typed import typed
from maxsight_assets_tests.evaluation.cases import detections, truth_as_detections
from maxsight_assets_tests.pipeline.evaluated import Ground, a_set

NAME = "amd/coco_val2017"
SLICES = {
    "night": {"of": "images", "where": {"timeofday": ["night"]}, "images": 2, "boxes": 6},
    "small_objects": {"of": "boxes", "area_below": 1024, "images": 0, "boxes": 0},
}


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    made = Ground(tmp_path)
    made.publish("coco_val2017", a_set, slices=SLICES)
    return made


def worse(ground: Ground, share: int = 3) -> object:
    """Return a detector that misses one box of `share` on most images."""
    found = truth_as_detections(a_set(ground.root / "copy"))
    return found.where(found.image % share != 0)


def test_a_new_file_is_evaluated_and_an_unchanged_one_is_not_again(ground: Ground) -> None:
    ground.drop(NAME, truth_as_detections(a_set(ground.root / "copy")))
    made = ground.run()
    assert made.fresh == [NAME]
    result = read_standings(ground.places.results)[NAME].result
    assert result is not None
    assert result.numbers["AP"] == pytest.approx(1.0)
    assert result.slices == {"night": (2, pytest.approx(1.0)), "small_objects": (0, -1.0)}
    assert pl.read_parquet(ground.places.results / NAME / CLASSES)["label"].to_list() == ["dog", "cat", "cup"]
    again = ground.run()
    assert (again.fresh, again.changed) == ([], False)
    assert read_history(ground.places.results).height == 1
    assert all(verdict.passed for verdict in ground.verdicts().values())


def test_a_changed_file_is_compared_with_the_one_before_and_a_real_drop_is_named(ground: Ground) -> None:
    ground.drop(NAME, truth_as_detections(a_set(ground.root / "copy")))
    ground.run()
    ground.drop(NAME, worse(ground))
    standing = ground.run().standings[NAME]
    assert standing.result is not None
    (compared,) = standing.result.comparisons
    assert (compared.to, compared.same_set, compared.images) == ("previous", True, 12)
    assert compared.before == pytest.approx(1.0)
    assert compared.after == pytest.approx(standing.result.numbers["AP"])
    assert compared.is_drop
    assert read_history(ground.places.results)["AP"].to_list() == [pytest.approx(1.0), pytest.approx(compared.after)]
    warned = ground.verdicts()["no_drop_is_real"]
    assert not warned.passed
    assert warned.examples[0].startswith(f"{NAME}: AP 1.0000 -> ")


def test_the_same_detections_in_another_order_raise_no_warning(ground: Ground) -> None:
    found = truth_as_detections(a_set(ground.root / "copy"))
    ground.drop(NAME, found)
    ground.run()
    ground.drop(NAME, list(found.results())[::-1])
    ground.run()
    assert ground.verdicts()["no_drop_is_real"].passed


def test_a_broken_file_is_named_and_the_last_good_numbers_stay(ground: Ground) -> None:
    ground.drop(NAME, truth_as_detections(a_set(ground.root / "copy")))
    ground.run()
    ground.drop(NAME, [{"image_id": 99, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}])
    standing = ground.run().standings[NAME]
    assert (standing.state, standing.fault_count) == ("unfit", 1)
    assert standing.result is not None
    assert standing.result.numbers["AP"] == pytest.approx(1.0)
    assert (ground.places.results / NAME / CLASSES).exists()
    failed = ground.verdicts()["detections_fit"]
    assert failed.examples == (f"{NAME}: record 0: image_id 99 is not in coco_val2017",)
    ground.drop(NAME, truth_as_detections(a_set(ground.root / "copy")))
    ground.run()
    assert ground.verdicts()["detections_fit"].passed


def test_a_file_of_no_known_set_says_which_sets_there_are(ground: Ground) -> None:
    ground.drop("amd/coco_val", [])
    standing = ground.run().standings["amd/coco_val"]
    assert standing.state == "unfit"
    assert "no evaluation set coco_val; there are coco_val2017" in standing.faults[0]


def test_a_deleted_file_is_said_to_be_gone_and_its_history_stays(ground: Ground) -> None:
    path = ground.drop(NAME, truth_as_detections(a_set(ground.root / "copy")))
    ground.run()
    path.unlink()
    made = ground.run()
    assert made.standings[NAME].state == "gone"
    assert read_history(ground.places.results).height == 1
    assert (ground.places.results / NAME / CLASSES).exists()


def test_every_file_is_compared_with_the_baseline_also_when_only_the_baseline_changes(ground: Ground) -> None:
    ground.drop(NAME, worse(ground))
    ground.drop("baseline/coco_val2017", truth_as_detections(a_set(ground.root / "copy")))
    result = ground.run().standings[NAME].result
    assert result is not None
    assert [each.to for each in result.comparisons] == ["baseline"]
    assert result.comparisons[0].is_drop
    ground.drop("baseline/coco_val2017", worse(ground))
    result = ground.run().standings[NAME].result
    assert result is not None
    assert result.comparisons[0].value == 0.0


def test_after_a_change_of_the_set_both_are_compared_on_the_images_that_both_versions_have(ground: Ground) -> None:
    ground.drop(NAME, truth_as_detections(a_set(ground.root / "copy")))
    ground.run()
    ground.publish("coco_val2017", lambda folder: a_set(folder, images=20))
    made = ground.run()
    assert made.fresh == [NAME]
    result = made.standings[NAME].result
    assert result is not None
    assert result.numbers["AP"] < 0.7
    (compared,) = result.comparisons
    assert (compared.same_set, compared.images, compared.value) == (False, 12, 0.0)
    assert "on the 12 images that both versions of the set have" in compared.text


def test_a_set_of_open_images_has_the_mean_by_its_own_rules_too(tmp_path: Path) -> None:
    ground = Ground(tmp_path)
    mapping = {"Dog": "dog", "Cat": "cat", "Animal": "cup", "Wheel": None}
    metadata = ground.places.data_dir / "open_images_v6/metadata"
    metadata.mkdir(parents=True)
    tree = {
        "LabelName": "/m/root",
        "Subcategory": [{"LabelName": "/m/a", "Subcategory": [{"LabelName": "/m/d"}, {"LabelName": "/m/c"}]}],
    }
    (metadata / "tree.json").write_text(json.dumps(tree), encoding="utf-8")
    words = "/m/a,Animal\n/m/d,Dog\n/m/c,Cat\n/m/w,Wheel\n"
    (metadata / "class-descriptions-boxable.csv").write_text(words, encoding="utf-8")
    ground.publish("oi", a_set, hierarchy="open_images_v6/metadata/tree.json", label_mapping=mapping, exhaustive=False)
    found = truth_as_detections(a_set(tmp_path / "copy"))
    ground.drop("amd/oi", found.where(found.category != 2))
    result = ground.run().standings["amd/oi"].result
    assert result is not None
    # All dogs and no cat; of the animals (dogs, cats and what is called cup) two thirds.
    assert result.open_images == pytest.approx((1 + 0 + 2 / 3) / 3)


def test_without_an_evaluation_set_nothing_is_evaluated(tmp_path: Path) -> None:
    with pytest.raises(LandingError, match="materialize inference_eval_set first"):
        Ground(tmp_path).run()


def test_the_command_prints_what_the_page_shows(ground: Ground) -> None:
    said = typed(ground.root, "metrics")
    assert said.exit_code == 2
    assert "put detections at" in said.output
    ground.drop(NAME, truth_as_detections(a_set(ground.root / "copy")))
    ground.drop("cvi/coco_val2017", worse(ground))
    ground.run()
    said = typed(ground.root, "metrics", "--against", "amd", "--engine", "pycocotools")
    assert said.exit_code == 0, said.output
    assert f"{NAME}" in said.output
    assert "1.0000" in said.output
    assert "cvi/coco_val2017: AP 1.0000 -> " in said.output
    assert "against amd: real" in said.output
    ground.drop("cvi/coco_val2017", [])
    assert "cvi/coco_val2017: not evaluated yet" in typed(ground.root, "metrics").output
    printed = json.loads(typed(ground.root, "metrics", "--condition", "amd", "--set", "coco_val2017", "--json").output)
    assert [(each["condition"], each["result"]["numbers"]["AP50"]) for each in printed] == [("amd", pytest.approx(1.0))]


def test_the_command_converts_predictions_and_names_what_matches_no_image(ground: Ground) -> None:
    detection = {"box": [0.5, 0.5, 0.5, 0.5], "class": 0, "confidence": 0.25}
    document = {"predictions": [{"image_id": stem, "detections": [detection]} for stem in ("a1", "nowhere")]}
    (ground.root / "predictions.json").write_text(json.dumps(document), encoding="utf-8")
    said = typed(
        ground.root, "detections", "convert", "predictions.json", "--set", "coco_val2017", "--out", "results.json"
    )
    assert said.exit_code == 1
    assert "nowhere: no image of coco_val2017; 1 detections left out" in said.output
    assert json.loads((ground.root / "results.json").read_text(encoding="utf-8")) == [
        {"image_id": 1, "category_id": 1, "bbox": [80.0, 60.0, 160.0, 120.0], "score": 0.25}
    ]
    assert list(detections().results()) == []
