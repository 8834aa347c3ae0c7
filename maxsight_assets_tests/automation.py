"""The refresh sensor and its conditions over the real project, ticking when a test says so."""

import dagster as dg
import pytest

from maxsight_assets_tests.project import Project


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
