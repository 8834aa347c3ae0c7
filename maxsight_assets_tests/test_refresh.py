"""The refresh story on the real graph: upstream changes, the sensor reports, everything below follows, once."""

import json
from pathlib import Path

import dagster as dg
import pytest

from maxsight_assets import settings
from maxsight_assets.build import build_defs
from maxsight_assets.defs.automation.inputs import report
from maxsight_assets.publishing.stage import read_published
from maxsight_assets.sample_upstream.touch import touch
from maxsight_assets.sample_upstream.world import publish
from maxsight_assets_tests.project import Project

COCO_PATH = ("coco_raw", "inference_eval_set", "cleaned_splits")


class Automation:
    """Ticks of the sensors, and the runs that they ask for."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.cursor = None
        self.runs: list[list[str]] = []

    def look(self, dataset: str) -> dg.SensorResult:
        """One tick of an upstream's sensor; what it reports goes to the event log."""
        sensor = self.project.defs.resolve_sensor_def(f"{dataset}_upstream_sensor")
        upstreams = self.project.defs.resources["upstreams"]
        with dg.build_sensor_context(instance=self.project.instance, resources={"upstreams": upstreams}) as context:
            result = sensor.evaluate_tick(context)
        for event in result.asset_events:
            self.project.instance.report_runless_asset_event(event)
        return result

    def tick(self) -> list[str]:
        """One evaluation of all conditions; the assets that are asked for are materialized together."""
        result = dg.evaluate_automation_conditions(
            defs=self.project.defs, instance=self.project.instance, cursor=self.cursor
        )
        self.cursor = result.cursor
        asked = sorted(each.key.to_user_string() for each in result.results if not each.true_subset.is_empty)
        if asked:
            self.runs.append(asked)
            self.project.run(*asked)
        return asked

    def settle(self, ticks: int = 6) -> list[list[str]]:
        """Tick until nothing more is asked for; what was asked for, tick by tick."""
        before = len(self.runs)
        for _ in range(ticks):
            if not self.tick():
                break
        else:
            pytest.fail(f"not settled after {ticks} ticks: {self.runs}")
        return self.runs[before:]


def images_of(directory: Path) -> set[str]:
    manifest = read_published(directory)
    assert manifest is not None
    return {row.path for row in manifest.selected() if row.path.endswith(".jpg")}


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
    defs = build_defs(settings.load({"MAXSIGHT_PROFILE": profile, "DATA_DIR": str(tmp_path)}))

    for spec in defs.resolve_all_asset_specs():
        head = (spec.description or "").splitlines()[0]
        assert head.startswith(f"Profile `{profile}`, in `{tmp_path}/")
        assert spec.metadata["profile"] == dg.MetadataValue.text(profile)
        assert spec.metadata["directory"].value in head


def test_a_change_upstream_goes_through_the_graph_once_and_its_checks_pass(project: Project) -> None:
    assert project.run().success
    automation = Automation(project)
    before = images_of(project.places.data_dir / "coco_raw")
    splits_before = read_published(project.places.splits)
    assert automation.look("coco").asset_events == []
    assert automation.settle() == []

    touch(publish(project.places.world), "coco")
    reported = automation.look("coco").asset_events
    asked = automation.settle()

    assert [event.asset_key for event in reported] == [dg.AssetKey("coco_upstream")]
    assert sorted(name for names in asked for name in names) == sorted(COCO_PATH)
    assert len(images_of(project.places.data_dir / "coco_raw") - before) >= 1
    splits_after = read_published(project.places.splits)
    assert splits_before is not None
    assert splits_after is not None
    assert splits_after.info.data_version != splits_before.info.data_version
    for evaluation in _latest_checks(project, "cleaned_splits"):
        assert evaluation.passed or evaluation.severity == dg.AssetCheckSeverity.WARN
    assert automation.look("coco").asset_events == []
    assert automation.settle() == []


def test_a_failing_blocking_check_stops_what_is_below_until_it_is_mended(project: Project) -> None:
    assert project.run().success
    automation = Automation(project)
    automation.look("coco")
    assert automation.settle() == []
    victim = project.places.data_dir / "coco_raw" / min(images_of(project.places.data_dir / "coco_raw"))
    original = victim.read_bytes()

    touch(publish(project.places.world), "coco")
    automation.look("coco")
    assert automation.tick() == ["coco_raw"]
    victim.unlink()
    victim.write_bytes(b"not what was landed")
    _run_checks(project, "coco_raw")
    assert automation.settle() == []

    victim.write_bytes(original)
    _run_checks(project, "coco_raw")
    asked = automation.settle()
    assert sorted(name for names in asked for name in names) == ["cleaned_splits", "inference_eval_set"]


def test_a_staged_tree_that_fails_a_blocking_rule_is_not_published_and_stops_the_run(project: Project) -> None:
    assert project.run().success
    automation = Automation(project)
    automation.look("coco")
    published = read_published(project.places.data_dir / "coco_raw")
    _break_annotations(project)

    automation.look("coco")
    asked = automation.tick()

    still = read_published(project.places.data_dir / "coco_raw")
    assert asked == ["coco_raw"]
    assert published is not None
    assert still is not None
    assert still.info.data_version == published.info.data_version
    assert automation.settle() == []


def _break_annotations(project: Project) -> None:
    """Replace the upstream's annotation archive by one whose instances file is cut short."""
    import zipfile

    path = publish(project.places.world) / "coco/annotations/annotations_trainval2017.zip"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = "annotations/instances_train2017.json"
    members[name] = members[name][:-100]
    path.unlink()
    with zipfile.ZipFile(path, "w") as archive:
        for each, data in members.items():
            archive.writestr(each, data)


def _run_checks(project: Project, asset: str) -> None:
    job = project.defs.resolve_implicit_global_asset_job_def()
    keys = [key for key in job.asset_layer.asset_graph.asset_check_keys if key.asset_key == dg.AssetKey(asset)]
    subset = job.get_subset(asset_selection=set(), asset_check_selection=set(keys))
    subset.execute_in_process(instance=project.instance, raise_on_error=False)


def _latest_checks(project: Project, asset: str) -> list[dg.AssetCheckEvaluation]:
    graph = project.defs.resolve_asset_graph()
    keys = [key for key in graph.asset_check_keys if key.asset_key == dg.AssetKey(asset)]
    records = project.instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    assert len(records) == len(keys)
    return [record.event.dagster_event.asset_check_evaluation_data for record in records.values()]


def test_the_cursor_of_a_sensor_holds_no_address(project: Project) -> None:
    automation = Automation(project)

    assert "127.0.0.1" not in json.dumps(automation.look("coco").cursor)
