"""The composition root: settings -> every definition that Dagster loads; the UI, the CLI and the tests come here."""

import os
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from maxsight_assets import sample
from maxsight_assets.datasets.selection import Selection
from maxsight_assets.datasets.source import Source
from maxsight_assets.defs import metadata
from maxsight_assets.defs.assets.evaluation import evaluation_asset
from maxsight_assets.defs.assets.raw import raw_asset
from maxsight_assets.defs.assets.training import splits_asset
from maxsight_assets.defs.assets.upstream import upstream_spec
from maxsight_assets.defs.automation.condition import refresh_condition
from maxsight_assets.defs.automation.schedules import scheduled_refresh, scheduled_verification
from maxsight_assets.defs.automation.sensors import refresh_sensor, upstream_sensor
from maxsight_assets.defs.checks.published import published_checks
from maxsight_assets.defs.resources import Upstreams, storage_of
from maxsight_assets.defs.runs import RunOutcome
from maxsight_assets.defs.runs import materialize as run_graph
from maxsight_assets.defs.tidy import Limits, Tidied, tidy_sensor
from maxsight_assets.defs.tidy import tidy as clear_away
from maxsight_assets.errors import SettingsError
from maxsight_assets.places import Places
from maxsight_assets.profiles import model as profiles
from maxsight_assets.profiles.model import Profile
from maxsight_assets.publishing.lock import hold
from maxsight_assets.settings import Settings

if TYPE_CHECKING:
    from maxsight_assets.datasets.upstreams import Embedded

OWNERS = ["team:maxsight-data"]

TICK_S = 30.0
"""Seconds that clearing away may take in a tick, which Dagster ends after 60."""

FIRST_S = 120.0
"""Seconds that a process waits for another one to make Dagster's databases, which takes one or two."""


class SampleUpstreams(Upstreams):
    """The sample's drawn upstreams, served on 127.0.0.1 while they are read."""

    world: str = Field(description="Where the drawn world is kept.")

    def embedded(self) -> "Embedded":
        """What serves them."""
        return sample.serving(Path(self.world))


def build_defs(settings: Settings, *, overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """All definitions of one code location.

    Args:
        settings: What the environment says.
        overrides: Resources that replace the ones made from the settings, by name; for tests.
    """
    profile = profiles.load(settings.profile)
    embedded = profile.upstream == "embedded"
    resources = {"storage": storage_of(settings), **_upstreams(settings, embedded=embedded, given=overrides or {})}
    upstreams = resources["upstreams"]
    raw_names = [source.asset for source in profile.sources]
    assets = [
        *(raw_asset(source, profile) for source in profile.sources),
        evaluation_asset(profile, [source.asset for source in profile.sources if source.catalog.evaluated]),
        splits_asset(
            profile, [source.asset for source in profile.sources if source.catalog.trained_on], more=_section(profile)
        ),
    ]
    assets = [
        asset.map_asset_specs(
            lambda spec: spec.replace_attributes(
                owners=OWNERS, automation_condition=refresh_condition(), tags={"profile": profile.profile}
            )
        )
        for asset in assets
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # the refresh sensor needs a beta flag, and says why
        refresh = refresh_sensor()
    reporting = [
        _reporting_sensor(source, upstreams, settings, profile.selections[source.dataset]) for source in profile.sources
    ]
    upstream_specs = [upstream_spec(source.catalog) for source in profile.sources]
    return dg.Definitions(
        assets=[*upstream_specs, *assets],
        asset_checks=published_checks(profile),
        sensors=[refresh, *reporting, tidy_sensor(partial(tidy, settings, budget_s=TICK_S))],
        schedules=[
            scheduled_refresh(dg.AssetSelection.assets(*raw_names)),
            scheduled_verification(dg.AssetSelection.groups("raw", "evaluation", "training")),
        ],
        resources={**resources, **(overrides or {})},
        executor=dg.in_process_executor if settings.executor == "in_process" else dg.multiprocess_executor,
    )


def tidy(settings: Settings, instance: dg.DagsterInstance, *, budget_s: float) -> Tidied:
    """Clear away what runs and ticks left and is older than the settings' limits; what is landed stays."""
    from maxsight_assets.pipeline.inspection import of_profile

    profile, places = profiles.load(settings.profile), Places.of(settings)
    return clear_away(
        instance,
        Limits(settings.keep_runs_days, settings.keep_tick_logs_days, settings.keep_staging_days),
        checks=[key for checks in published_checks(profile) for key in checks.check_keys],
        targets=[inspection.directory(places) for inspection in of_profile(profile)],
        worlds=sample.outdated(places),
        budget_s=budget_s,
    )


def _upstreams(settings: Settings, *, embedded: bool, given: Mapping[str, Any]) -> dict[str, Any]:
    """How the upstreams are reached: the embedded one, or the publishers' own, by S3 among others."""
    if embedded:
        return {"upstreams": SampleUpstreams(world=str(Places.of(settings).world))}
    from maxsight_assets.defs.s3 import publishers_upstreams_of, s3_of

    s3 = given.get("s3") or s3_of(settings)
    return {"s3": s3, "upstreams": publishers_upstreams_of(settings, s3)}


def _section(profile: Profile) -> Callable[[Places], metadata.Metadata]:
    """What the sample adds to the page of the splits."""

    def shown(places: Places) -> metadata.Metadata:
        section = sample.section_of(profile, places)
        return {section.title: metadata.table(tuple(section.columns), section.rows)} if section else {}

    return shown


def _reporting_sensor(
    source: Source, upstreams: Upstreams, settings: Settings, default: Selection
) -> dg.SensorDefinition:
    """The sensor that reports what one upstream has now."""

    def fingerprint(cancel: threading.Event) -> str:
        from maxsight_assets.pipeline import raw

        with (
            upstreams.process_config_and_initialize_cm() as ready,
            ready.open(source.dataset, cancel=cancel) as upstream,
        ):
            return raw.fingerprint(source, upstream, settings.data_dir / source.directory, default=default)

    return upstream_sensor(
        f"{source.upstream_asset}_sensor",
        dg.AssetKey(source.upstream_asset),
        fingerprint,
        landed_as=dg.AssetKey(source.asset),
        minimum_interval_s=30 if isinstance(upstreams, SampleUpstreams) else 3600,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )


def asset(settings: Settings, name: str) -> dg.AssetsDefinition:
    """One asset of the settings' graph.

    Raises:
        SettingsError: The profile has switched it off.
    """
    for each in build_defs(settings).assets or ():
        if isinstance(each, dg.AssetsDefinition) and dg.AssetKey(name) in each.keys:
            return each
    raise SettingsError(f"{name}: not in the graph of MAXSIGHT_PROFILE={settings.profile}")


@contextmanager
def opened_instance(home: Path) -> Iterator[dg.DagsterInstance]:
    """The Dagster instance of DAGSTER_HOME, its databases made.

    One process at a time makes them: two at once fail in SQLite.
    """
    with hold(home, target=home, wait_s=FIRST_S):
        instance = dg.DagsterInstance.from_config(str(home))
        instance.event_log_storage.get_concurrency_run_ids()
        instance.all_instigator_state()
    with instance:
        yield instance


def materialize(
    settings: Settings, select: Sequence[str] = (), *, say: Callable[[str], None] = lambda _: None
) -> RunOutcome:
    """Materialize assets of the settings' graph in this process; the record of the run is kept in DAGSTER_HOME.

    Args:
        settings: What the environment says.
        select: Names of assets; none for all.
        say: Is given each line that a person should read while the run is at work.

    Raises:
        SettingsError: There is no asset of a name in `select`.
    """
    with opened_instance(Path(os.environ["DAGSTER_HOME"])) as instance:
        return run_graph(build_defs(settings), select, instance=instance, say=say)
