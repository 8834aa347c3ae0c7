"""What Dagster loads: a snapshot of every spec, and the code location as its own tools see it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_representation.external_data import RepositorySnap

from maxsight_assets import settings
from maxsight_assets.build import build_defs
from maxsight_assets_tests.places import REPOSITORY

SNAPSHOT = Path(__file__).with_name("definitions_snapshot.json")


def described(defs: dg.Definitions) -> dict[str, Any]:
    """Every definition as plain JSON values, sorted."""
    graph = defs.resolve_asset_graph()
    assets = {
        key.to_user_string(): {
            "deps": sorted(parent.to_user_string() for parent in graph.get(key).parent_keys),
            "group": graph.get(key).group_name,
            "owners": sorted(graph.get(key).owners),
            "kinds": sorted(graph.get(key).kinds),
            "pools": sorted(graph.get(key).pools or ()) if graph.get(key).is_materializable else [],
            "materializable": graph.get(key).is_materializable,
            "automation": getattr(graph.get(key).automation_condition, "name", None),
        }
        for key in graph.get_all_asset_keys()
    }
    checks = {
        key.to_user_string(): graph.get_check_spec(key).blocking
        if hasattr(graph, "get_check_spec")
        else graph.get(key).blocking
        for key in graph.asset_check_keys
    }
    return {
        "assets": dict(sorted(assets.items())),
        "checks": dict(sorted(checks.items())),
        "sensors": {
            sensor.name: [sensor.default_status.value, sensor.minimum_interval_seconds]
            for sensor in sorted(defs.sensors or (), key=lambda each: each.name)
        },
        "schedules": {
            schedule.name: [schedule.cron_schedule, schedule.default_status.value] for schedule in defs.schedules or ()
        },
    }


@pytest.mark.parametrize("profile", ["sample", "starter", "full"])
def test_every_definition_is_as_reviewed(profile: str, tmp_path: Path) -> None:
    """Run with UPDATE_SNAPSHOT=1 to accept a change, and read the diff."""
    found = described(build_defs(settings.load({"MAXSIGHT_PROFILE": profile, "DATA_DIR": str(tmp_path)})))
    reviewed = json.loads(SNAPSHOT.read_text(encoding="utf-8")) if SNAPSHOT.exists() else {}
    if os.environ.get("UPDATE_SNAPSHOT"):
        reviewed[profile] = found
        SNAPSHOT.write_text(json.dumps(reviewed, indent=2, sort_keys=True) + "\n", encoding="utf-8")

    assert found == reviewed[profile]


def test_assets_that_a_profile_switches_off_are_not_in_the_graph(tmp_path: Path) -> None:
    defs = build_defs(settings.load({"MAXSIGHT_PROFILE": "starter", "DATA_DIR": str(tmp_path)}))

    names = {key.to_user_string() for key in defs.resolve_asset_graph().get_all_asset_keys()}
    assert "bdd100k_raw" not in names
    assert "bdd100k_upstream" not in names
    assert {"coco_raw", "openimages_subset", "inference_eval_set", "cleaned_splits"} <= names


@pytest.mark.parametrize("profile", ["sample", "full"])
def test_checks_share_the_pool_of_the_landing_that_would_exchange_what_they_look_at(
    profile: str, tmp_path: Path
) -> None:
    defs = build_defs(settings.load({"MAXSIGHT_PROFILE": profile, "DATA_DIR": str(tmp_path)}))
    graph = defs.resolve_asset_graph()

    for checks in defs.asset_checks or ():
        (asset,) = {key.asset_key for key in checks.check_keys}
        assert checks.node_def.pools == graph.get(asset).pools == {asset.to_user_string()}


def validated(environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [Path(sys.executable).with_name("dagster"), "definitions", "validate", "-w", "workspace.yaml"],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_code_location_validates(tmp_path: Path) -> None:
    done = validated({"DATA_DIR": str(tmp_path / "data"), "DAGSTER_HOME": str(tmp_path)})

    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "data").exists()


def test_a_wrong_setting_is_one_clear_line_when_the_location_loads(tmp_path: Path) -> None:
    done = validated({"COCO_MIRROR": "nowhere", "DAGSTER_HOME": str(tmp_path)})

    assert done.returncode != 0
    assert "SettingsError: COCO_MIRROR=nowhere: is no address of a mirror" in done.stderr + done.stdout


def test_a_secret_is_shown_by_the_name_of_its_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "canary-7f3a")
    defs = build_defs(
        settings.load({"HF_TOKEN": "canary-7f3a", "MAXSIGHT_PROFILE": "starter", "DATA_DIR": str(tmp_path)})
    )

    configured = json.dumps(defs.resources["upstreams"].model_dump(mode="json"), default=repr)
    assert "canary-7f3a" not in configured
    assert "HF_TOKEN" in configured


@pytest.mark.filterwarnings("ignore:Property `ScheduleDefinition.environment_vars` is deprecated")
def test_no_address_is_in_what_dagster_stores_and_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = ("COCO_MIRROR", "OPENIMAGES_IMAGES_MIRROR", "AWS_ENDPOINT_URL_S3")
    for variable in variables:
        monkeypatch.setenv(variable, "http://me:canary-7f3a@127.0.0.1:9/x?sig=canary-7f3a ")
    monkeypatch.setenv("MAXSIGHT_PROFILE", "starter")
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    defs = build_defs(settings.load())

    stored = dg.serialize_value(RepositorySnap.from_def(defs.get_repository_def()))
    assert "canary-7f3a" not in stored
    assert all(variable in stored for variable in variables)
    with defs.resources["upstreams"].process_config_and_initialize_cm() as ready, ready.open("coco") as upstream:
        assert upstream.catalog.base == "http://me:canary-7f3a@127.0.0.1:9/x?sig=canary-7f3a"
