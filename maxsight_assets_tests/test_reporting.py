"""What a command does to a published directory beside any run is reported, so that the page is right."""

import dagster as dg
import pytest

from maxsight_assets.defs.reporting import Change, difference, report_change, verdicts_of
from maxsight_assets.pipeline.inspection import RAW, verify
from maxsight_assets.profiles.model import load
from maxsight_assets.publishing.maintenance import rollback
from maxsight_assets.sample_upstream.touch import touch
from maxsight_assets.sample_upstream.world import publish
from maxsight_assets_tests.automation import Automation
from maxsight_assets_tests.project import Project

COCO = RAW["coco"]


def change_of(project: Project, asset: str, said: str, *, stays: bool = False) -> Change:
    return Change(said, verify(load("sample"), project.places, [asset]), stays=stays)


def test_a_fresh_dagster_home_learns_what_is_on_the_disk_and_refreshes_what_is_behind(project: Project) -> None:
    assert project.run("coco_raw").success
    touch(publish(project.places.world), "coco")
    with dg.DagsterInstance.ephemeral() as fresh:
        project.instance = fresh
        automation = Automation(project)
        automation.look("coco")
        assert automation.settle() == []
        said = difference(fresh, COCO, project.places)
        assert report_change(fresh, COCO, project.places, change_of(project, "coco_raw", "found"))

        assert said is not None
        assert said.endswith("on the disk, nothing in the event log")
        assert difference(fresh, COCO, project.places) is None
        assert automation.settle() == [["coco_raw"]]


def test_what_is_gone_from_the_disk_is_reported_as_that(project: Project) -> None:
    assert project.run("ade20k_raw").success
    root = RAW["ade20k"].directory(project.places)
    root.rename(root.with_name("elsewhere"))

    said = difference(project.instance, RAW["ade20k"], project.places)
    assert not report_change(project.instance, RAW["ade20k"], project.places, Change("gone"))

    assert said is not None
    assert said.startswith("nothing on the disk, version ")
    record = project.instance.fetch_observations(dg.AssetKey("ade20k_raw"), limit=1).records[0]
    assert record.asset_observation is not None
    assert record.asset_observation.metadata["files"].value == 0
    assert verdicts_of(project.instance, RAW["ade20k"], project.places) == []


@pytest.mark.parametrize("stays", [True, False])
def test_a_version_that_a_person_chose_stays_and_one_that_was_found_is_brought_up_to_date(
    project: Project, *, stays: bool
) -> None:
    assert project.run("coco_raw").success
    automation = Automation(project)
    touch(publish(project.places.world), "coco")
    automation.look("coco")
    assert automation.settle() == [["coco_raw"]]
    rollback(COCO.directory(project.places))
    change = change_of(project, "coco_raw", "brought back", stays=stays)
    assert report_change(project.instance, COCO, project.places, change)

    assert automation.settle() == ([] if stays else [["coco_raw"]])
