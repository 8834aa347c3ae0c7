"""A detections file that the user drops is noticed, evaluated and shown; a broken or deleted one says so."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.sensor_definition import SensorExecutionData

from maxsight_assets.build import published_in
from maxsight_assets.defs.automation.detections import SENSOR
from maxsight_assets.defs.automation.records import DATA_VERSION_TAG
from maxsight_assets.defs.reporting import report_verdicts
from maxsight_assets.pipeline.inspection import EVALUATION as INSPECTION
from maxsight_assets.pipeline.inspection import Told
from maxsight_assets.verification.evaluation import EVALUATION_RULES
from maxsight_assets_tests.automation import Automation
from maxsight_assets_tests.evaluation.cases import truth_as_detections
from maxsight_assets_tests.pipeline.evaluated import Ground, a_set
from maxsight_assets_tests.project import Project

METRICS = dg.AssetKey("detection_metrics")
EVALUATION = dg.AssetKey("inference_eval_set")
NAME = "amd/coco_val2017"


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    made = Ground(tmp_path)
    made.publish("coco_val2017", a_set)
    return made


@pytest.fixture
def automation(ground: Ground) -> Iterator[Automation]:
    with dg.DagsterInstance.ephemeral() as instance:
        project = Project(ground.root, instance)
        version = published_in(project.settings)(EVALUATION)
        assert version
        instance.report_runless_asset_event(dg.AssetMaterialization(EVALUATION, tags={DATA_VERSION_TAG: version}))
        sound = [Told(EVALUATION.to_user_string(), rule.name, True, rule.severity, 0, "") for rule in EVALUATION_RULES]
        report_verdicts(instance, INSPECTION, project.places, sound)
        yield Automation(project)


def look(automation: Automation) -> SensorExecutionData:
    """One tick of the sensor; what it reports goes to the event log, as the daemon does it."""
    project = automation.project
    sensor = project.defs.resolve_sensor_def(SENSOR)
    storage = project.defs.resources["storage"]
    with dg.build_sensor_context(instance=project.instance, resources={"storage": storage}) as context:
        result = sensor.evaluate_tick(context)
    for event in result.asset_events:
        project.instance.report_runless_asset_event(event)
    return result


def page(automation: Automation) -> dict[str, object]:
    event = automation.project.instance.get_latest_materialization_event(METRICS)
    assert event is not None
    assert event.asset_materialization is not None
    return {name: value.value for name, value in event.asset_materialization.metadata.items()}


def as_predictions(folder: Path) -> dict[str, object]:
    found = truth_as_detections(a_set(folder))
    rows = zip(found.image.tolist(), found.category.tolist(), found.boxes.tolist(), strict=True)
    return {
        "predictions": [
            {
                "image_id": f"a{image}",
                "detections": [
                    {
                        "box": [(x + w / 2) / 320, (y + h / 2) / 240, w / 320, h / 240],
                        "class": category - 1,
                        "confidence": 0.9,
                    }
                ],
            }
            for image, category, (x, y, w, h) in rows
        ]
    }


def test_without_detections_nothing_is_asked_for(automation: Automation) -> None:
    result = look(automation)
    assert (list(result.run_requests or ()), list(result.asset_events)) == ([], [])
    assert "No file in" in str(result.skip_message)


def test_a_dropped_file_of_either_form_is_on_the_page_two_ticks_later_and_a_broken_or_deleted_one_says_so(
    automation: Automation, ground: Ground
) -> None:
    path = ground.drop(NAME, as_predictions(ground.root / "copy"))
    first = look(automation)
    assert [request.asset_selection for request in first.run_requests or []] == [[METRICS]]  # the user has asked
    assert automation.project.run("detection_metrics").success
    assert page(automation)[f"AP {NAME}"] == pytest.approx(1.0)
    assert not look(automation).asset_events
    assert automation.settle() == []

    ground.drop(NAME, list(truth_as_detections(a_set(ground.root / "copy")).results())[::2])
    assert not look(automation).run_requests
    assert automation.tick() == ["detection_metrics"]
    shown = page(automation)
    assert shown[f"AP {NAME}"] == pytest.approx(0.5, abs=0.1)
    assert [row.data["verdict"] for row in shown["is it real"].records] == ["real"]  # type: ignore[attr-defined]
    assert shown["precision and recall"].startswith("![")  # type: ignore[attr-defined]

    ground.drop(NAME, [{"image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5], "score": 7.0}])
    look(automation)
    outcome = automation.project.run("detection_metrics")
    (failed,) = [told for told in outcome.checks if told.rule == "detections_fit"]
    assert (failed.passed, failed.severity) == (False, "error")
    assert failed.examples == f"{NAME}: record 0: score 7.0 is not from 0 to 1"

    path.unlink()
    look(automation)
    assert automation.tick() == ["detection_metrics"]
    shown = page(automation)
    assert f"AP {NAME}" not in shown
    assert "its file was deleted; the last good AP" in str(shown["what needs the user"])
    assert len(shown["history"].records) == 2  # type: ignore[attr-defined]
