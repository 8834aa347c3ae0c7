"""The schedules: a refresh and two verifications of what is landed, at fixed times.

They ignore assets that were never landed. The refresh also finds changes that no fingerprint shows (other bytes under
the same name, size and time). If its run fails, the refresh condition requests what did not land. A verification only
runs the checks and moves no data.
"""

from collections.abc import Set
from datetime import timedelta
from itertools import islice, pairwise

import dagster as dg
from dagster._utils.schedules import cron_string_iterator

from maxsight_assets.defs.automation.records import SCHEDULED_REFRESH, Published, records_of

REFRESH_AT = "0 3 * * 6"
"""When the scheduled refresh runs if the user names no other time: Saturdays at 3:00."""

LATE = timedelta(days=1)
"""Time after a refresh was due within which it is asked for again, and lands, before an asset counts as stale."""

TICKS = 60
"""Times of a schedule whose longest gap is taken for its period; a cron expression repeats within a year."""


def freshness(cron: str = REFRESH_AT, *, timezone: str = "UTC") -> dg.FreshnessPolicy:
    """Return the policy by which an asset is stale a day after the scheduled refresh should have landed it again.

    Args:
        cron: When the schedule runs.
        timezone: The time zone of `cron`.
    """
    times = list(islice(cron_string_iterator(0.0, cron, timezone), TICKS))
    period = max(after - before for before, after in pairwise(times))
    return dg.FreshnessPolicy.time_window(fail_window=period + LATE)


def scheduled_refresh(
    selection: dg.AssetSelection,
    *,
    published: Published,
    cron: str = REFRESH_AT,
    timezone: str = "UTC",
    default_status: dg.DefaultScheduleStatus = dg.DefaultScheduleStatus.STOPPED,
) -> dg.ScheduleDefinition:
    """Return a schedule that lands the selected landed assets again, in one run, with what is made from them.

    Args:
        selection: The raw assets; their descendants are included.
        published: Reads what an asset has published in this DATA_DIR.
        cron: When, in cron's five fields.
        timezone: The time zone of `cron`, for instance "Europe/Madrid".
        default_status: Stopped by default: it reads every byte of every dataset, which the user should choose.
    """
    target = selection.downstream()

    @dg.schedule(
        name=SCHEDULED_REFRESH,
        cron_schedule=cron,
        execution_timezone=timezone,
        target=target,
        default_status=default_status,
        description="Lands again what was landed before, and what is made from it.",
    )
    def refresh(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        keys = _landed(context, target, published)
        if not keys:
            return dg.SkipReason("Nothing is landed yet; the first landing is yours to ask for.")
        return dg.RunRequest(asset_selection=keys)

    return refresh


def scheduled_verification(
    selection: dg.AssetSelection,
    *,
    published: Published,
    name: str = "scheduled_verification",
    only: Set[dg.AssetCheckKey] | None = None,
    cron: str = "0 3 * * 0",
    timezone: str = "UTC",
    default_status: dg.DefaultScheduleStatus = dg.DefaultScheduleStatus.STOPPED,
) -> dg.ScheduleDefinition:
    """Return a schedule that runs checks of the selected landed assets, and nothing else.

    Args:
        selection: The assets whose checks are run.
        published: Reads what an asset has published in this DATA_DIR.
        name: Name of the schedule.
        only: The checks that are run; None for all.
        cron: When, in cron's five fields.
        timezone: The time zone of `cron`, for instance "Europe/Madrid".
        default_status: Stopped by default, like the refresh.
    """
    target = selection - selection.without_checks()

    @dg.schedule(
        name=name,
        cron_schedule=cron,
        execution_timezone=timezone,
        target=target,
        default_status=default_status,
        description="Runs checks of what is landed, and nothing else.",
    )
    def verification(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        landed = set(_landed(context, selection, published))
        checks = sorted(
            key
            for key in target.resolve_checks(_repository(context).asset_graph)
            if key.asset_key in landed and (only is None or key in only)
        )
        if not checks:
            return dg.SkipReason("Nothing is landed yet, so there is nothing to verify.")
        return dg.RunRequest(asset_selection=[], asset_check_keys=checks)

    return verification


def _repository(context: dg.ScheduleEvaluationContext) -> dg.RepositoryDefinition:
    if context.repository_def is None:
        raise dg.DagsterInvariantViolationError("A schedule of this project runs only inside its code location.")
    return context.repository_def


def _landed(
    context: dg.ScheduleEvaluationContext, selection: dg.AssetSelection, published: Published
) -> list[dg.AssetKey]:
    """Return the selected assets that are landed in this DATA_DIR, unless one above them is gone from it.

    An asset above that was never landed does not matter: what is below was made without it.
    """
    graph = _repository(context).asset_graph
    above = {
        key: graph.get_ancestor_asset_keys(key, include_self=True) & graph.materializable_asset_keys
        for key in selection.resolve(graph)
    }
    known = set().union(*above.values())
    landed = {key for key in known if published(key) is not None}
    gone = records_of(context.instance, known).keys() - landed
    return sorted(key for key, ancestors in above.items() if key in landed and not ancestors & gone)
