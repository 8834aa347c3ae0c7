"""Our errors as Dagster's: what a retry may mend is retried, everything else fails at once and says why."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from maxsight_assets.errors import LandingError, MaxSightAssetsError, NotPublished

RETRIES = dg.RetryPolicy(max_retries=2, delay=30, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
"""For steps that read from the network; `landing` has used up its own retries by then."""


@contextmanager
def as_failures() -> Iterator[None]:
    """Turn an error of ours into a `dg.Failure` that says whether a retry makes sense."""
    try:
        yield
    except MaxSightAssetsError as error:
        metadata = {}
        if isinstance(error, NotPublished):
            failed = [verdict for verdict in error.verdicts if not verdict.passed]
            metadata = {
                verdict.rule: dg.MetadataValue.text(
                    f"{verdict.offenders:,} of {verdict.checked:,}: {', '.join(verdict.examples)}. {verdict.remedy}"
                )
                for verdict in failed
            }
        raise dg.Failure(
            description=f"{type(error).__name__}: {error}",
            metadata=metadata,
            allow_retries=isinstance(error, LandingError) and error.retryable,
        ) from None
    except Exception as error:
        # A mistake of ours, or a machine in trouble: the same attempt again would only hide it.
        raise dg.Failure(description=f"{type(error).__name__}: {error}", allow_retries=False) from error
