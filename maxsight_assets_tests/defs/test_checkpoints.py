"""The asset `condition_checkpoints`: all partitions in one run, a run for one that changed, and no source at all."""

from pathlib import Path

import dagster as dg
import pytest

from maxsight_assets import settings
from maxsight_assets.build import build_defs
from maxsight_assets.defs.assets.checkpoints import NAME, UPSTREAM
from maxsight_assets.labels.conditions import CONDITIONS
from maxsight_assets_tests.checkpoints.made import files_of, lay
from maxsight_assets_tests.project import Project

pytestmark = pytest.mark.filterwarnings(
    "ignore:InitResourceContext.dagster_run is deprecated"  # Dagster's own use of it, where a resource holds another
)


def project_of(tmp_path: Path, instance: dg.DagsterInstance) -> Project:
    """A project whose source is a directory with all conditions."""
    for condition in CONDITIONS:
        lay(tmp_path / "drive", files_of(condition))
    names = {"CHECKPOINTS_URI": str(tmp_path / "drive"), "CHECKPOINTS_BASE": str(tmp_path / "checkpoints")}
    return Project(tmp_path, instance, environment=names)


def look(project: Project) -> dg.SensorResult:
    """One tick of the source's sensor; what it reports goes to the event log."""
    defs = project.defs
    resources = {"checkpoints": defs.resources["checkpoints"]}
    with dg.build_sensor_context(instance=project.instance, definitions=defs, resources=resources) as context:
        result = defs.resolve_sensor_def(f"{UPSTREAM}_sensor").evaluate_tick(context)
    for event in result.asset_events:
        project.instance.report_runless_asset_event(event)
    return result


def test_all_conditions_are_synced_in_one_run_and_a_change_asks_for_its_condition_alone(tmp_path: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        project = project_of(tmp_path, instance)

        outcome = project.run(NAME)

        assert (outcome.success, outcome.failures) == (True, ())
        assert {told.rule for told in outcome.checks if not told.passed} == set()
        assert instance.get_materialized_partitions(dg.AssetKey(NAME)) == set(CONDITIONS)
        assert len(instance.get_run_records()) == 1
        page = instance.fetch_materializations(dg.AssetKey(NAME), limit=1).records[0].asset_materialization
        assert page is not None
        assert page.metadata["missing"].value == "nothing"
        assert page.metadata["checkpoints"].value.records[0].data["file"] == "best_model.pt"
        assert look(project).run_requests == []

        lay(tmp_path / "drive", files_of("cvi", weights=b"better"))

        (asked,) = look(project).run_requests
        assert (asked.partition_key, asked.run_key.split()[0]) == ("cvi", "cvi")
        (again,) = look(project).run_requests
        assert again.run_key == asked.run_key
        assert project.run(NAME).success
        assert look(project).run_requests == []


def test_a_condition_that_fails_is_named_and_the_others_are_reported(tmp_path: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        project = project_of(tmp_path, instance)
        cut = tmp_path / "drive/checkpoints_cvi/best_model.pt"
        cut.write_bytes(cut.read_bytes()[:-20])

        outcome = project.run(NAME)

        assert not outcome.success
        assert "checkpoints_cvi/best_model.pt: truncated" in outcome.failures[0]
        assert instance.get_materialized_partitions(dg.AssetKey(NAME)) == set(CONDITIONS) - {"cvi"}


def test_without_a_source_the_graph_says_so_and_nothing_can_be_materialized(tmp_path: Path) -> None:
    graph = build_defs(settings.load({"DATA_DIR": str(tmp_path)})).resolve_asset_graph()

    for name in (NAME, UPSTREAM):
        assert "Nothing is configured" in (graph.get(dg.AssetKey(name)).description or "")
        assert not graph.get(dg.AssetKey(name)).is_materializable
    assert graph.get(dg.AssetKey(NAME)).partitions_def.get_partition_keys() == CONDITIONS
