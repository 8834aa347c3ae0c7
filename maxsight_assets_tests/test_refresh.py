"""The refresh story on the real graph: upstream changes, the sensor reports, everything below follows, once."""

import json
from pathlib import Path

import dagster as dg
import pytest

from maxsight_assets import settings
from maxsight_assets.build import build_defs
from maxsight_assets.defs.automation.inputs import report
from maxsight_assets_tests.automation import Automation
from maxsight_assets_tests.project import Project


def test_nothing_lands_before_a_person_asked_for_it(project: Project) -> None:
    automation = Automation(project)
    for dataset in ("coco", "openimages", "bdd100k", "ade20k"):
        automation.look(dataset)

    assert automation.settle() == []
    assert not (project.places.data_dir / "coco_raw").exists()


def test_fault_90_records_of_one_profile_land_nothing_in_the_data_dir_of_another(project: Project) -> None:
    """`make run`, then the UI of another profile over the same DAGSTER_HOME, with a change upstream."""
    assert project.run("coco_raw").success
    data_dir = project.root / "others"
    nowhere = {f"{name}_MIRROR": "http://127.0.0.1:9" for name in ("COCO", "OPENIMAGES", "OPENIMAGES_IMAGES")}
    environment = {"MAXSIGHT_PROFILE": "starter", "DATA_DIR": str(data_dir), **nowhere}
    other = build_defs(settings.load(environment))
    project.instance.report_runless_asset_event(report(dg.AssetKey("coco_upstream"), "news"))

    asked = dg.evaluate_automation_conditions(defs=other, instance=project.instance)
    here = dg.evaluate_automation_conditions(defs=project.defs, instance=project.instance)

    assert asked.total_requested == 0
    assert here.total_requested == 1
    assert not data_dir.exists()


@pytest.mark.parametrize("profile", ["sample", "starter"])
def test_the_page_of_every_asset_begins_with_profile_and_directory(profile: str, tmp_path: Path) -> None:
    places = {"DATA_DIR": str(tmp_path), "CHECKPOINTS_DIR": str(tmp_path / "checkpoints")}
    defs = build_defs(settings.load({"MAXSIGHT_PROFILE": profile, **places}))

    for spec in defs.resolve_all_asset_specs():
        head = (spec.description or "").splitlines()[0]
        assert head.startswith(f"Profile `{profile}`, in `{tmp_path}/")
        assert spec.metadata["profile"] == dg.MetadataValue.text(profile)
        assert spec.metadata["directory"].value in head


def test_the_cursor_of_a_sensor_holds_no_address(project: Project) -> None:
    automation = Automation(project)

    assert "127.0.0.1" not in json.dumps(automation.look("coco").cursor)
