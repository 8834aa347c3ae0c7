"""The state of a sensor on the asset's page, over records on disk: only there Dagster keeps the states of sensors."""

from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.test_utils import instance_for_test
from dagster_shared.error import SerializableErrorInfo

from maxsight_assets.defs.automation.records import LOOKED
from maxsight_assets_tests.defs.automation.story import landed_story
from maxsight_assets_tests.defs.automation.test_state import shown_of, watched
from maxsight_assets_tests.defs.running.test_findings import origin_of


def test_a_sensor_that_is_stopped_or_fails_fails_a_check_until_it_looks_again() -> None:
    with instance_for_test() as instance:
        story = landed_story(instance)
        state = InstigatorState(
            origin_of("photos_sensor"), InstigatorType.SENSOR, InstigatorStatus.STOPPED, SensorInstigatorData()
        )
        instance.add_instigator_state(state)
        story.tick()
        why = "The sensor photos_sensor is stopped, so a change is not noticed; start it on the Automation page."
        assert shown_of(story, LOOKED) == (False, why)
        assert watched(story) == f"its upstream answers, and a sensor looks at it ({why})"

        instance.update_instigator_state(state.with_status(InstigatorStatus.RUNNING))
        data = TickData(
            state.instigator_origin_id,
            "photos_sensor",
            InstigatorType.SENSOR,
            TickStatus.FAILURE,
            1.0,
            error=SerializableErrorInfo("the line is down", [], None),
            selector_id=state.selector_id,
        )
        tick = instance.create_tick(data)
        story.tick()
        failed = "The sensor photos_sensor failed at its last tick, which says how on the Automation page."
        assert shown_of(story, LOOKED) == (False, failed)

        instance.update_tick(tick.with_status(TickStatus.SKIPPED, error=None))
        story.tick()
        assert shown_of(story, LOOKED) == (True, "The sensor photos_sensor looks again.")
        assert watched(story) == "its upstream answers, and a sensor looks at it"
