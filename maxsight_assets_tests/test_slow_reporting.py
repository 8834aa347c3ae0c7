"""What a command does to a published directory beside any run is reported, so that the page is right."""

import dagster as dg

from maxsight_assets.defs.automation.records import DATA_VERSION_TAG
from maxsight_assets.defs.reporting import difference, report_change, report_verdicts, verdicts_of
from maxsight_assets.pipeline.inspection import RAW, verify
from maxsight_assets.profiles.model import load
from maxsight_assets.publishing.maintenance import rollback
from maxsight_assets.sample_upstream.touch import touch
from maxsight_assets.sample_upstream.world import publish
from maxsight_assets_tests.automation import Automation
from maxsight_assets_tests.project import Project
from maxsight_assets_tests.test_reporting import COCO, change_of


def _page(project: Project, asset: str) -> dg.AssetMaterialization:
    event = project.instance.get_latest_materialization_event(dg.AssetKey(asset))
    assert event is not None
    assert event.asset_materialization is not None
    return event.asset_materialization


def test_fault_91_after_a_rollback_the_page_is_right_and_what_is_below_follows_but_it_is_not_landed_again(
    project: Project,
) -> None:
    assert project.run("coco_raw", "openimages_subset", "bdd100k_raw", "ade20k_raw", "inference_eval_set").success
    automation = Automation(project)
    automation.look("coco")
    assert automation.settle() == []
    touch(publish(project.places.world), "coco")
    automation.look("coco")
    assert automation.settle() == [["coco_raw"], ["inference_eval_set"]]

    manifest = rollback(COCO.directory(project.places))
    held = automation.settle()
    change = change_of(project, "coco_raw", "rolled back", stays=True)
    assert report_change(project.instance, COCO, project.places, change)
    automation.look("coco")

    assert held == []
    assert _page(project, "coco_raw").tags[DATA_VERSION_TAG] == manifest.data_version
    assert _page(project, "coco_raw").description == "rolled back"
    assert "pictures" in _page(project, "coco_raw").metadata
    assert automation.settle() == [["inference_eval_set"]]
    told = verdicts_of(project.instance, COCO, project.places)
    assert {each.rule for each in told} == {rule.name for rule in COCO.rules}
    assert difference(project.instance, COCO, project.places) is None


def test_verdicts_of_a_command_are_those_of_the_page(project: Project) -> None:
    assert project.run("ade20k_raw").success
    inspection = RAW["ade20k"]
    picture = next((inspection.directory(project.places) / "images/validation").glob("*.jpg"))
    picture.unlink()
    told = verify(load("sample"), project.places, ["ade20k_raw"])
    report_verdicts(project.instance, inspection, project.places, told)

    shown = verdicts_of(project.instance, inspection, project.places)
    assert [each.rule for each in shown if each.is_error] == [each.rule for each in told if each.is_error] != []
    assert [each.passed for each in shown] == [each.passed for each in told]
