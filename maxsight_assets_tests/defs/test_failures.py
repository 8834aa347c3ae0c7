"""What becomes of an error of ours in a step."""

import contextlib
from pathlib import Path

import dagster as dg
import pytest

from maxsight_assets import settings
from maxsight_assets.build import build_defs
from maxsight_assets.defs.failures import DELAY_S, RETRIES, as_failures
from maxsight_assets.errors import SettingsError, TransientError


def test_what_a_retry_may_mend_is_retried_a_while_later_with_its_reason() -> None:
    for attempt in range(RETRIES):
        with pytest.raises(dg.RetryRequested) as caught, as_failures(attempt):
            raise TransientError("the line is down")
        assert caught.value.max_retries == RETRIES
        assert 0.5 <= caught.value.seconds_to_wait / (DELAY_S * 2**attempt) <= 1.5
        assert "the line is down" in str(caught.value.__cause__.description)  # type: ignore[union-attr]


@pytest.mark.parametrize("error", [SettingsError("no such class"), TransientError("the line is down"), OSError("full")])
def test_fault_49_what_no_retry_mends_fails_at_once(error: Exception) -> None:
    with pytest.raises(dg.Failure, match=str(error)) as caught, as_failures(RETRIES):
        raise error
    assert not caught.value.allow_retries


@pytest.mark.parametrize("stop", [KeyboardInterrupt, dg.DagsterExecutionInterruptedError])
def test_what_a_person_stops_is_not_tried_again(stop: type[BaseException]) -> None:
    tries = []

    @dg.asset
    def photos(context: dg.AssetExecutionContext) -> None:
        tries.append(context.retry_number)
        with as_failures(context.retry_number):
            raise stop

    with dg.DagsterInstance.ephemeral() as instance:
        with contextlib.suppress(KeyboardInterrupt, dg.DagsterExecutionInterruptedError):
            dg.materialize([photos], instance=instance, raise_on_error=False)
        (run,) = instance.get_runs()
        assert run.status != dg.DagsterRunStatus.SUCCESS
    assert tries == [0]


@pytest.mark.parametrize("profile", ["sample", "full"])
def test_no_step_has_a_policy_by_which_dagster_would_retry_what_was_stopped(profile: str, tmp_path: Path) -> None:
    defs = build_defs(settings.load({"MAXSIGHT_PROFILE": profile, "DATA_DIR": str(tmp_path)}))
    job = defs.resolve_implicit_global_asset_job_def()
    assert [node.name for node in job.nodes if node.definition.retry_policy or node.retry_policy] == []
