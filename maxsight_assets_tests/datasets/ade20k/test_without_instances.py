"""ADE20K without its instance masks: scenes land, no box is made up, and the evaluation set says so."""

import json
from pathlib import Path

from maxsight_assets.catalog import model as catalogs
from maxsight_assets.datasets.ade20k.source import ScenesSelection
from maxsight_assets.datasets.registry import SOURCES
from maxsight_assets.pipeline.derived import make_evaluation
from maxsight_assets.pipeline.inspection import EVALUATION, RAW
from maxsight_assets.pipeline.raw import refresh
from maxsight_assets.places import Places
from maxsight_assets.profiles.model import load
from maxsight_assets.sample_upstream.world import publish
from maxsight_assets.verdict import run
from maxsight_assets_tests.datasets.bdd100k.world import upstream_of


def test_semantic_masks_alone_give_a_set_that_says_it_has_no_boxes(tmp_path: Path, drawn_world: Path) -> None:
    places = Places(tmp_path / "data", tmp_path / "data/cleaned_splits", tmp_path / "data/.maxsight")
    catalog = catalogs.load("ade20k").embedded(base=(publish(drawn_world) / "ade20k").as_uri())
    with upstream_of(catalog) as upstream:
        version = refresh(
            SOURCES["ade20k"],
            upstream,
            data_dir=places.data_dir,
            cache=places.facts,
            default=ScenesSelection(instances=False),
            stated={},
            gate=RAW["ade20k"].gate(places),
        )
    profile = load("full").only(["ade20k"])
    made = make_evaluation(profile, places, gate=EVALUATION.gate(places))

    assert not any(path.startswith("annotations_instance/") for path in version.manifest.rows)
    promise = made.report["sets"]["ade20k_validation"]
    assert (promise["has_boxes"], promise["boxes"]) == (False, 0)
    document = json.loads((places.evaluation / "ade20k_validation/annotations.json").read_bytes())
    assert len(document["images"]) == promise["images"] > 0
    verdicts = run(EVALUATION.rules, EVALUATION.view(places))
    assert [verdict.rule for verdict in verdicts if not verdict.passed] == []
