"""What a run skipped because a dataset could not be had is asked for, and nothing else is."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import pytest

from maxsight_assets.defs.automation.records import NOT_HAD
from maxsight_assets.defs.automation.without import goes_on_sensor

LANDED = {dg.AssetKey("photos_raw"): "v1"}


def definitions(away: BaseException | None) -> dg.Definitions:
    """Two raw assets, of which the second fails in some way, and two that are made of both."""

    @dg.asset
    def photos_raw() -> None: ...

    @dg.asset
    def scenes_raw() -> None:
        if away is not None:
            raise away

    @dg.asset(deps=[photos_raw, scenes_raw], config_schema={"anew": dg.Field(bool, is_required=False)})
    def evaluation() -> None: ...

    @dg.asset(deps=[photos_raw, evaluation])
    def splits() -> None: ...

    return dg.Definitions([photos_raw, scenes_raw, evaluation, splits], sensors=[goes_on_sensor(published=LANDED.get)])


def requested(
    defs: dg.Definitions, *select: str, config: Mapping[str, Any] | None = None, published: Any = LANDED.get
) -> dg.RunRequest | dg.SkipReason:
    """What the sensor asks for after a run of these assets, or of all."""
    keys = [dg.AssetKey(name) for name in select] or None
    with dg.DagsterInstance.ephemeral() as instance:
        ended = defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance, raise_on_error=False, asset_selection=keys, run_config=dict(config or {})
        )
        (failure,) = [event for event in ended.all_events if event.is_job_failure]
        sensor = goes_on_sensor(published=published)
        context = dg.build_run_status_sensor_context(
            sensor_name=sensor.name,
            dagster_event=failure,
            dagster_instance=instance,
            dagster_run=ended.dagster_run,
            repository_def=defs.get_repository_def(),
        )
        asked = sensor(context)
    assert isinstance(asked, dg.RunRequest | dg.SkipReason)
    return asked


def away() -> dg.Failure:
    return dg.Failure("its host is gone", {NOT_HAD: dg.MetadataValue.text("")}, allow_retries=False)


def test_fault_88_what_was_skipped_is_asked_for_with_what_was_stated_of_it() -> None:
    stated = {"ops": {"evaluation": {"config": {"anew": True}}}}

    asked = requested(definitions(away()), config=stated)

    assert isinstance(asked, dg.RunRequest)
    assert set(asked.asset_selection or ()) == {dg.AssetKey("evaluation"), dg.AssetKey("splits")}
    assert asked.run_config == stated
    assert (
        definitions(None)
        .resolve_implicit_global_asset_job_def()
        .execute_in_process(asset_selection=list(asked.asset_selection or ()), run_config=asked.run_config)
        .success
    )


@pytest.mark.parametrize(
    ("defs", "select", "published"),
    [
        pytest.param(definitions(ValueError("a fault")), (), LANDED.get, id="a fault of another kind"),
        pytest.param(definitions(away()), ("photos_raw", "scenes_raw"), LANDED.get, id="nothing was to be made of it"),
        pytest.param(definitions(away()), (), lambda _: None, id="nothing is landed"),
    ],
)
def test_nothing_else_is_asked_for(defs: dg.Definitions, select: tuple[str, ...], published: Any) -> None:
    assert isinstance(requested(defs, *select, published=published), dg.SkipReason)
