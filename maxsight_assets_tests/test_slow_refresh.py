"""The refresh story on the real graph: upstream changes, the sensor reports, everything below follows, once."""

from pathlib import Path

import dagster as dg

from maxsight_assets.publishing.stage import recovered_manifest
from maxsight_assets.sample_upstream.touch import touch
from maxsight_assets.sample_upstream.world import publish
from maxsight_assets_tests.automation import Automation
from maxsight_assets_tests.project import Project

COCO_PATH = ("coco_raw", "inference_eval_set", "cleaned_splits")


def images_of(directory: Path) -> set[str]:
    manifest = recovered_manifest(directory)
    assert manifest is not None
    return {row.path for row in manifest.selected() if row.path.endswith(".jpg")}


def test_a_change_upstream_goes_through_the_graph_once_and_its_checks_pass(project: Project) -> None:
    assert project.run().success
    automation = Automation(project)
    before = images_of(project.places.data_dir / "coco_raw")
    splits_before = recovered_manifest(project.places.splits)
    assert automation.look("coco").asset_events == []
    assert automation.settle() == []

    touch(publish(project.places.world), "coco")
    reported = automation.look("coco").asset_events
    asked = automation.settle()

    assert [event.asset_key for event in reported] == [dg.AssetKey("coco_upstream")]
    assert sorted(name for names in asked for name in names) == sorted(COCO_PATH)
    assert len(images_of(project.places.data_dir / "coco_raw") - before) >= 1
    splits_after = recovered_manifest(project.places.splits)
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
    # What is evaluated is what it was, so the metrics are not behind.
    assert sorted(name for names in asked for name in names) == ["cleaned_splits", "inference_eval_set"]


def test_a_staged_tree_that_fails_a_blocking_rule_is_not_published_and_stops_the_run(project: Project) -> None:
    assert project.run().success
    automation = Automation(project)
    automation.look("coco")
    published = recovered_manifest(project.places.data_dir / "coco_raw")
    _break_annotations(project)

    automation.look("coco")
    asked = automation.tick()

    still = recovered_manifest(project.places.data_dir / "coco_raw")
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
