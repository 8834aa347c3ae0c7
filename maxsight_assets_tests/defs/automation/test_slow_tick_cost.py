"""What a tick of the sensor `refresh` costs, and that it does not grow with history."""

import logging
from pathlib import Path

from dagster._core.test_utils import instance_for_test

from maxsight_assets import settings
from maxsight_assets.build import build_defs
from maxsight_assets_tests.defs.automation.history import History, tick_cost

STATEMENTS, CPU_S = 22, 0.2
FLAT = 1.2
"""How much more a tick may cost after a hundred times the history."""


def test_tick_costs_few_statements_and_little_cpu_at_any_length_of_history(tmp_path: Path) -> None:
    defs, costs = build_defs(settings.load({"DATA_DIR": str(tmp_path / "data")})), []
    with instance_for_test(temp_dir=str(tmp_path)) as instance:
        history = History(defs, instance)
        for runs in (10, 300, 1000):
            history.grow_to(runs)
            costs.append(tick_cost(defs, instance, ticks=20))

    logging.getLogger(__name__).info("%s", costs)
    assert [cost.statements for cost in costs] == [costs[0].statements] * 3
    assert costs[0].statements <= STATEMENTS
    assert max(cost.cpu_s for cost in costs) <= CPU_S
    assert costs[-1].cpu_s <= costs[0].cpu_s * FLAT
