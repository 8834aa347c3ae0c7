"""What is measured changes only if upstream did, or if the user says so."""

from pathlib import Path
from typing import Any

import pytest

from maxsight_assets.errors import NotPublished, SettingsError
from maxsight_assets.pipeline.derived import Made, make_evaluation
from maxsight_assets.pipeline.inspection import EVALUATION
from maxsight_assets.places import Places
from maxsight_assets.profiles import model as profiles
from maxsight_assets.publishing.maintenance import rollback
from maxsight_assets.verdict import Verdict
from maxsight_assets.verification.evaluation import evaluation_is_the_same
from maxsight_assets_tests.datasets.openimages.world import land, world

SET = "openimages_validation"


class Ground:
    """A project whose only dataset is a small Open Images."""

    def __init__(self, root: Path) -> None:
        self.root = root
        data_dir = root / "data"
        self.places = Places(data_dir, data_dir / "cleaned_splits", data_dir / ".maxsight")
        profile = root / "mine.yaml"
        text = "profile: mine\nupstream: publisher\nopenimages:\n  splits: {validation: null}\n"
        profile.write_text(text, encoding="utf-8")
        self.profile = profiles.load(str(profile))
        self.upstream_has(6)

    def upstream_has(self, images: int) -> None:
        """Let upstream have so many images; the first ones are always the same."""
        world(self.root, images)

    def land(self, **stated: Any) -> None:
        land(self.places.data_dir, self.root / "tables", (self.root / "images").as_uri(), **stated)

    def evaluate(self, **stated: Any) -> Made:
        return make_evaluation(self.profile, self.places, stated=stated, gate=EVALUATION.gate(self.places))

    def verdict(self) -> Verdict:
        """What the check says of what is published."""
        return evaluation_is_the_same.judge(EVALUATION.view(self.places))


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


def test_a_selection_that_shrinks_what_is_measured_is_not_published_and_named(ground: Ground) -> None:
    ground.land()
    first = ground.evaluate()
    assert ground.verdict().passed
    assert first.report["sets"][SET]["images"] == 6
    ground.land(max_images=3)

    with pytest.raises(NotPublished) as refused:
        ground.evaluate()

    verdict = next(each for each in refused.value.verdicts if each.rule == "evaluation_is_the_same")
    images = first.report["sets"][SET]["boxes"] // 2
    assert verdict.facts == {f"{SET} boxes removed": images, f"{SET} images removed": 3}
    assert verdict.offenders == 3 + images
    assert verdict.examples[0].startswith(f"{SET}: box ")
    assert any(each.startswith(f"{SET}: image open_images_v6/validation/") for each in verdict.examples)
    assert "evaluation_may_change" in verdict.remedy
    assert EVALUATION.view(ground.places).manifest.info.data_version == first.manifest.info.data_version


def test_a_change_that_the_user_states_is_published_once_and_its_check_stays_green(ground: Ground) -> None:
    ground.land()
    ground.evaluate()
    ground.land(max_images=3)

    assert ground.evaluate(evaluation_may_change=True).changed
    assert ground.verdict().passed
    assert not ground.evaluate().changed
    assert ground.verdict().passed
    ground.land(max_images=2)
    with pytest.raises(NotPublished, match="evaluation_is_the_same"):
        ground.evaluate()
    rollback(ground.places.evaluation)
    assert ground.verdict().passed


def test_a_sample_is_stated_once_and_kept(ground: Ground) -> None:
    ground.land()
    first = ground.evaluate()
    with pytest.raises(NotPublished, match="evaluation_is_the_same"):
        ground.evaluate(max_images={SET: 4})

    sampled = ground.evaluate(max_images={SET: 4}, evaluation_may_change=True)
    again = ground.evaluate(anew=True)

    assert [each.report["sets"][SET]["images"] for each in (first, sampled, again)] == [6, 4, 4]
    assert not again.changed
    with pytest.raises(SettingsError, match="no set coco; there are ade20k_validation, bdd100k_val, coco_val2017"):
        ground.evaluate(max_images={"coco": 4})


def test_a_change_of_upstream_needs_no_statement(ground: Ground) -> None:
    ground.land()
    ground.evaluate()
    ground.upstream_has(8)
    ground.land()

    made = ground.evaluate()

    assert (made.changed, made.report["sets"][SET]["images"]) == (True, 8)
    assert ground.verdict().passed


def test_an_image_that_upstream_gives_again_needs_no_statement(ground: Ground) -> None:
    gone = min((ground.root / "images/validation").iterdir())
    data = gone.read_bytes()
    gone.unlink()
    ground.land()
    ground.evaluate()
    gone.write_bytes(data)
    ground.land(seed=1)

    assert ground.evaluate().report["sets"][SET]["images"] == 6
