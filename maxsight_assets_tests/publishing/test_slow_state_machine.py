"""Hundreds of steps of the state machine of a target."""

from collections.abc import Callable

from maxsight_assets_tests.publishing.test_state_machine import live
from maxsight_assets_tests.publishing.victim import Victims


def test_target_survives_anything_in_any_order_in_500_steps(
    victims: Victims, record_property: Callable[[str, object], None]
) -> None:
    assert live(victims, record_property, examples=40, steps=25) >= 500
