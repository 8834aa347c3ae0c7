"""The composition root: settings -> every definition that Dagster loads; the UI, the CLI and the tests come here."""

import os
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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
from maxsight_assets.defs.automation.records import Published
from maxsight_assets.defs.automation.schedules import scheduled_refresh, scheduled_verification
from maxsight_assets.defs.automation.sensors import refresh_sensor, upstream_sensor
from maxsight_assets.defs.checks.published import published_checks
from maxsight_assets.defs.reporting import Change, difference, report_change, report_verdicts, verdicts_of
from maxsight_assets.defs.resources import Upstreams, storage_of
from maxsight_assets.defs.runs import RunOutcome
from maxsight_assets.defs.runs import materialize as run_graph
from maxsight_assets.defs.standing import standing_sensors
from maxsight_assets.defs.tidy import Limits, Tidied, tidy_sensor
from maxsight_assets.defs.tidy import tidy as clear_away
from maxsight_assets.errors import MaxSightAssetsError, NotReported, SettingsError
from maxsight_assets.pipeline.inspection import Inspection, Told, named, of_profile
from maxsight_assets.places import Places
from maxsight_assets.profiles import model as profiles
from maxsight_assets.profiles.model import Profile
from maxsight_assets.publishing.lock import hold
from maxsight_assets.publishing.manifest import info_of
from maxsight_assets.settings import Settings
from maxsight_assets.transport.redact import scrub

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
    directories = _directories(settings)
    published = published_in(settings)
    condition = refresh_condition(published=published)
    assets = [
        asset.map_asset_specs(
            lambda spec: _placed(spec, settings.profile, directories[spec.key]).replace_attributes(
                owners=OWNERS, automation_condition=condition
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
    upstream_specs = [
        _placed(upstream_spec(source.catalog), settings.profile, directories[dg.AssetKey(source.asset)])
        for source in profile.sources
    ]
    return dg.Definitions(
        assets=[*upstream_specs, *assets],
        asset_checks=published_checks(profile),
        sensors=[
            refresh,
            *reporting,
            *standing_sensors(published),
            tidy_sensor(partial(tidy, settings, budget_s=TICK_S)),
        ],
        schedules=[
            scheduled_refresh(dg.AssetSelection.assets(*raw_names), published=published),
            scheduled_verification(dg.AssetSelection.groups("raw", "evaluation", "training"), published=published),
        ],
        resources={**resources, **(overrides or {})},
        executor=dg.in_process_executor if settings.executor == "in_process" else dg.multiprocess_executor,
    )


def tidy(settings: Settings, instance: dg.DagsterInstance, *, budget_s: float) -> Tidied:
    """Clear away what runs and ticks left and is older than the settings' limits; what is landed stays."""
    profile, places = profiles.load(settings.profile), Places.of(settings)
    return clear_away(
        instance,
        Limits(settings.keep_runs_days, settings.keep_tick_logs_days, settings.keep_staging_days),
        checks=[key for checks in published_checks(profile) for key in checks.check_keys],
        targets=[inspection.directory(places) for inspection in of_profile(profile)],
        worlds=sample.outdated(places),
        budget_s=budget_s,
    )


def _placed(spec: dg.AssetSpec, profile: str, directory: Path) -> dg.AssetSpec:
    """The spec with a head that says whose state its page shows: one DAGSTER_HOME may have seen several."""
    return spec.replace_attributes(
        description=f"Profile `{profile}`, in `{directory}`.\n\n{spec.description or ''}",
        tags={**spec.tags, "profile": profile},
        metadata={
            **spec.metadata,
            "profile": dg.MetadataValue.text(profile),
            "directory": dg.MetadataValue.path(str(directory)),
        },
    )


def published_in(settings: Settings) -> Published:
    """Return what reads the settings' DATA_DIR: what is landed is what is on the disk, not what the event log says."""
    directories = _directories(settings)

    def published(key: dg.AssetKey) -> str | None:
        info = info_of(directories[key]) if key in directories else None
        return info.data_version if info else None

    return published


def _directories(settings: Settings) -> dict[dg.AssetKey, Path]:
    inspections = of_profile(profiles.load(settings.profile))
    return {dg.AssetKey(each.asset): each.directory(Places.of(settings)) for each in inspections}


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
    profile = profiles.load(settings.profile)
    assets = [named(profile, name).asset for name in select]
    with opened_instance(Path(os.environ["DAGSTER_HOME"])) as instance:
        return run_graph(build_defs(settings), assets, instance=instance, published=published_in(settings), say=say)


@dataclass(frozen=True, slots=True)
class Log:
    """The event log in DAGSTER_HOME, beside any run: what it says of the settings' DATA_DIR, and what it is told.

    Attributes:
        settings: What the environment says.
    """

    settings: Settings

    def report(self, asset: str, change: Change) -> bool:
        """Report what a command did to what an asset has published; see `report_change`.

        Raises:
            NotReported: The event log cannot be reached; so does every method here.
        """
        with self._reached(asset) as (instance, inspection, places):
            return report_change(instance, inspection, places, change)

    def report_verdicts(self, asset: str, verdicts: Sequence[Told]) -> None:
        """Report what the rules say of what an asset has published."""
        with self._reached(asset) as (instance, inspection, places):
            report_verdicts(instance, inspection, places, verdicts)

    def difference(self, asset: str) -> str | None:
        """Return how the event log differs from what an asset has published; None if it does not."""
        with self._reached(asset) as (instance, inspection, places):
            return difference(instance, inspection, places)

    def verdicts(self, asset: str) -> list[Told]:
        """Return what the checks said last of what an asset has published."""
        with self._reached(asset) as (instance, inspection, places):
            return verdicts_of(instance, inspection, places)

    @contextmanager
    def _reached(self, asset: str) -> Iterator[tuple[dg.DagsterInstance, Inspection, Places]]:
        inspections = {each.asset: each for each in of_profile(profiles.load(self.settings.profile))}
        try:
            with opened_instance(Path(os.environ["DAGSTER_HOME"])) as instance:
                yield instance, inspections[asset], Places.of(self.settings)
        except MaxSightAssetsError:
            raise
        except Exception as error:  # of any storage, and what a command did is done
            raise NotReported(f"the event log cannot be reached ({scrub(error) or type(error).__name__})") from error
