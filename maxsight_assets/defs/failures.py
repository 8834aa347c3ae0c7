"""Turn this project's errors into Dagster's: retry what a retry may repair; fail at once with the reason otherwise."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from maxsight_assets import disk
from maxsight_assets.defs.automation.records import MISCONFIGURED, NOT_HAD
from maxsight_assets.errors import (
    Busy,
    Cancelled,
    LandingError,
    MaxSightAssetsError,
    NotPublished,
    PreflightFailed,
    Refused,
    SettingsError,
)

RETRIES = 2
"""Retries of a step that reads from the network; `landing` has by then used up its own retries."""

DELAY_S = 30.0
"""Seconds before the first retry, plus or minus half; each later retry waits twice as long."""


_OF_THIS_MACHINE = (Busy, Cancelled, PreflightFailed, Refused)
"""Errors of a landing for other reasons than its dataset."""


@contextmanager
def as_failures(attempt: int = RETRIES) -> Iterator[None]:
    """Turn an error of this project into a `dg.Failure`, or into a request for a retry if one makes sense.

    The request is made here because a retry policy would let Dagster retry what the user stopped.

    Args:
        attempt: Number of retries of the step so far.
    """
    try:
        yield
    except MaxSightAssetsError as error:
        metadata: dict[str, dg.MetadataValue] = {}
        if isinstance(error, SettingsError):
            metadata = {MISCONFIGURED: dg.MetadataValue.text("an automatic refresh does not wait because of it")}
        if isinstance(error, LandingError) and not isinstance(error, _OF_THIS_MACHINE):
            metadata[NOT_HAD] = dg.MetadataValue.text("evaluation sets and splits are made without it")
        if isinstance(error, NotPublished):
            failed = [verdict for verdict in error.verdicts if not verdict.passed]
            metadata |= {
                verdict.rule: dg.MetadataValue.text(
                    f"{verdict.offenders:,} of {verdict.checked:,}: {', '.join(verdict.examples)}. {verdict.remedy}"
                )
                for verdict in failed
            }
        failure = dg.Failure(f"{type(error).__name__}: {error}", metadata, allow_retries=False)
        if attempt < RETRIES and isinstance(error, LandingError) and error.retryable:
            wait_s = DELAY_S * 2**attempt * random.uniform(0.5, 1.5)  # noqa: S311 -- so that steps do not meet again
            raise dg.RetryRequested(RETRIES, wait_s) from failure
        raise failure from None
    except OSError as error:
        said = disk.explained(error, Path(error.filename)) if error.filename else None
        raise dg.Failure(description=f"{type(said or error).__name__}: {said or error}", allow_retries=False) from error
    except Exception as error:
        # A fault of this project or of the machine: a retry would only hide it.
        raise dg.Failure(description=f"{type(error).__name__}: {error}", allow_retries=False) from error
