"""Make every definition that Dagster loads from the settings, for the UI, the command line and the tests."""

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import dagster as dg
from pydantic import Field

from maxsight_assets import sample
from maxsight_assets.datasets.selection import Selection
from maxsight_assets.datasets.source import Source
from maxsight_assets.defs import metadata
from maxsight_assets.defs.alerts.sensors import alert_sensors
from maxsight_assets.defs.alerts.webhook import Webhook
from maxsight_assets.defs.assets import checkpoints
from maxsight_assets.defs.assets.evaluation import evaluation_asset
from maxsight_assets.defs.assets.metrics import detections_spec, metrics_asset
from maxsight_assets.defs.assets.raw import raw_asset
from maxsight_assets.defs.assets.training import splits_asset
from maxsight_assets.defs.assets.upstream import upstream_spec
from maxsight_assets.defs.automation.condition import refresh_condition
from maxsight_assets.defs.automation.detections import detections_sensor
from maxsight_assets.defs.automation.looking import LOOK_TRIES, Glance, Pace
from maxsight_assets.defs.automation.records import Published
from maxsight_assets.defs.automation.schedules import freshness, scheduled_refresh, scheduled_verification
from maxsight_assets.defs.automation.sensors import HOURLY, refresh_sensor, upstream_sensor
from maxsight_assets.defs.automation.without import goes_on_sensor
from maxsight_assets.defs.checkpoints import checkpoints_of
from maxsight_assets.defs.checks.published import published_checks
from maxsight_assets.defs.reporting import Change, difference, report_change, report_verdicts, verdicts_of
from maxsight_assets.defs.resources import Upstreams, storage_of
from maxsight_assets.defs.running.standing import standing_sensors
from maxsight_assets.defs.running.tidy import Limits, Tidied, tidy_sensor
from maxsight_assets.defs.running.tidy import tidy as clear_away
from maxsight_assets.defs.runs import RunOutcome
from maxsight_assets.defs.runs import materialize as run_graph
from maxsight_assets.errors import MaxSightAssetsError, NotReported, SettingsError
from maxsight_assets.pipeline.inspection import EVALUATION, METRICS, SPLITS, Inspection, Told, named, of_profile
from maxsight_assets.places import Places
from maxsight_assets.profiles import model as profiles
from maxsight_assets.profiles.model import Profile
from maxsight_assets.publishing.lock import hold
from maxsight_assets.publishing.manifest import info_of
from maxsight_assets.settings import Settings
from maxsight_assets.transport.redact import scrub
from maxsight_assets.verification.metrics import engines_agree

if TYPE_CHECKING:
    from maxsight_assets.datasets.seen import Seen
    from maxsight_assets.datasets.upstreams import Embedded

OWNERS = ["team:maxsight-data"]

TICK_S = 30.0
"""Seconds that `tidy` may take in a tick; Dagster ends a tick after 60."""

SAMPLE_PACE = Pace(interval_s=30, warn_after_s=90)
"""The embedded upstream is on this machine, and who tries the sample does not wait for an hour."""

SAMPLE_TICK_S = 10
"""Seconds between two ticks of the sample's refresh: a chain of three assets takes three."""

ENGINES_AT = "30 4 * * 1"
"""When both engines of mAP are compared: Mondays at 4:30."""

FIRST_S = 120.0
"""Seconds that a process waits while another process makes Dagster's databases."""


class SampleUpstreams(Upstreams):
    """The sample's drawn upstreams, served on 127.0.0.1 while they are read."""

    world: str = Field(description="Where the drawn world is kept.")

    def embedded(self) -> "Embedded":
        """What serves them."""
        return sample.serving(Path(self.world))


def build_defs(settings: Settings, *, overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Return all definitions of one code location.

    Args:
        settings: The settings from the environment.
        overrides: Resources, by name, that replace those made from the settings; for tests.
    """
    profile = profiles.of(settings)
    embedded = profile.upstream == "embedded"
    synced = checkpoints_of(settings, given=overrides or {})
    resources = {"storage": storage_of(settings), **_upstreams(settings, embedded=embedded, given=overrides or {})}
    upstreams = resources["upstreams"]
    assets = [
        *(raw_asset(source, profile) for source in profile.sources),
        evaluation_asset(profile),
        *([splits_asset(profile, more=_section(profile))] if profile.trained_on else []),
        metrics_asset(profile, baseline=settings.metrics_baseline),
    ]
    directories = _directories(settings)
    published = published_in(settings)
    sensors = {dg.AssetKey(source.asset): f"{source.upstream_asset}_sensor" for source in profile.sources}
    condition = refresh_condition(published=published, sensor_of=sensors.get)
    schedules = _schedules(settings, profile, published)
    fresh = _freshness(settings)
    assets = [
        asset.map_asset_specs(
            lambda spec: _placed(spec, settings.profile, directories[spec.key]).replace_attributes(
                owners=OWNERS, automation_condition=condition, freshness_policy=fresh
            )
        )
        for asset in assets
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # the refresh sensor needs a beta flag, see there
        refresh = refresh_sensor(minimum_interval_s=SAMPLE_TICK_S if embedded else 30)
    reporting = [
        _reporting_sensor(source, upstreams, settings, profile.selections[source.dataset]) for source in profile.sources
    ]
    upstream_specs = [
        _placed(upstream_spec(source.catalog), settings.profile, directories[dg.AssetKey(source.asset)])
        for source in profile.sources
    ]
    detections = _placed(detections_spec(), settings.profile, Places.of(settings).detections)
    checkpoints = dg.map_asset_specs(
        lambda spec: _placed(spec, settings.profile, settings.checkpoints_dir), synced.assets
    )
    return dg.Definitions(
        assets=[*upstream_specs, detections, *assets, *checkpoints],
        asset_checks=[*published_checks(profile), *synced.checks],
        sensors=[
            refresh,
            *reporting,
            *synced.sensors,
            detections_sensor(published=published, interval_s=SAMPLE_TICK_S if embedded else 30),
            *standing_sensors(published),
            goes_on_sensor(published=published),
            tidy_sensor(partial(tidy, settings, budget_s=TICK_S)),
            *_alerts(settings),
        ],
        schedules=schedules,
        resources={**resources, **synced.resources, **(overrides or {})},
        executor=dg.in_process_executor if settings.executor == "in_process" else dg.multiprocess_executor,
    )


def tidy(settings: Settings, instance: dg.DagsterInstance, *, budget_s: float) -> Tidied:
    """Delete what runs and ticks left if it is older than the settings' limits; landed files stay."""
    profile, places = profiles.of(settings), Places.of(settings)
    return clear_away(
        instance,
        Limits(settings.keep_runs_days, settings.keep_tick_logs_days, settings.keep_staging_days),
        checks=[key for checks in published_checks(profile) for key in checks.check_keys],
        targets=[inspection.directory(places) for inspection in of_profile(profile)],
        worlds=sample.outdated(places),
        budget_s=budget_s,
    )


def _schedules(settings: Settings, profile: Profile, published: Published) -> list[dg.ScheduleDefinition]:
    """Return the schedules; each runs by itself if its setting is not `off`, and can be started in the UI.

    Raises:
        SettingsError: A setting is no cron expression.
    """
    raw = dg.AssetSelection.assets(*(source.asset for source in profile.sources))
    everything = dg.AssetSelection.groups("raw", "evaluation", "training")
    light = {
        dg.AssetCheckKey(dg.AssetKey(inspection.asset), rule.name)
        for inspection in of_profile(profile)
        for rule in inspection.rules
        if not rule.reads_images
    }
    nightly = partial(scheduled_verification, everything, name="light_verification", only=light, cron="0 2 * * *")
    wanted = {
        "REFRESH_CRON": (settings.refresh_cron, partial(scheduled_refresh, raw)),
        "VERIFY_CRON": (settings.verify_cron, partial(scheduled_verification, everything)),
        "VERIFY_LIGHT_CRON": (settings.verify_light_cron, nightly),
    }
    schedules = []
    for variable, (cron, schedule) in wanted.items():
        status = dg.DefaultScheduleStatus.STOPPED if cron == "off" else dg.DefaultScheduleStatus.RUNNING
        times = {} if cron in {"off", "on"} else {"cron": cron}
        try:
            schedules.append(
                schedule(published=published, timezone=settings.schedule_timezone, default_status=status, **times)
            )
        except dg.DagsterInvalidDefinitionError:
            raise SettingsError(
                f"{variable}={cron}: is no cron expression; write five fields such as `0 3 * * 6`, `on` or `off`"
            ) from None
    weekly = scheduled_verification(
        everything,
        published=published,
        name="weekly_comparison_of_engines",
        only={dg.AssetCheckKey(dg.AssetKey(METRICS.asset), engines_agree.name)},
        cron=ENGINES_AT,
        timezone=settings.schedule_timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,  # it takes seconds and reads no picture
    )
    return [*schedules, weekly]


def _freshness(settings: Settings) -> dg.FreshnessPolicy | None:
    """Return how old an asset may be; None if no schedule lands it again."""
    match settings.refresh_cron:
        case "off":
            return None
        case "on":
            return freshness(timezone=settings.schedule_timezone)
        case cron:
            return freshness(cron, timezone=settings.schedule_timezone)


def _alerts(settings: Settings) -> list[dg.SensorDefinition]:
    address = settings.alert_webhook_url
    if address is None:
        return []
    return alert_sensors(Webhook(address), ui=settings.ui_url.rstrip("/"), profile=settings.profile)


def _placed(spec: dg.AssetSpec, profile: str, directory: Path) -> dg.AssetSpec:
    """Return the spec with a heading that names the profile and directory: one DAGSTER_HOME may serve several."""
    return spec.replace_attributes(
        description=f"Profile `{profile}`, in `{directory}`.\n\n{spec.description or ''}",
        tags={**spec.tags, "profile": Path(profile).stem},
        metadata={
            **spec.metadata,
            "profile": dg.MetadataValue.text(profile),
            "directory": dg.MetadataValue.path(str(directory)),
        },
    )


def published_in(settings: Settings) -> Published:
    """Return the function that reads a published version from the settings' DATA_DIR rather than from the event log."""
    directories = _directories(settings)

    def published(key: dg.AssetKey) -> str | None:
        info = info_of(directories[key]) if key in directories else None
        return info.data_version if info else None

    return published


def _directories(settings: Settings) -> dict[dg.AssetKey, Path]:
    inspections = of_profile(profiles.of(settings))
    return {dg.AssetKey(each.asset): each.directory(Places.of(settings)) for each in inspections}


def _upstreams(settings: Settings, *, embedded: bool, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the resources that reach the upstreams: the embedded one, or the publishers' own, over S3 among others."""
    if embedded:
        return {"upstreams": SampleUpstreams(world=str(Places.of(settings).world))}
    from maxsight_assets.defs.s3 import publishers_upstreams_of, s3_of

    s3 = given.get("s3") or s3_of(settings)
    return {"s3": s3, "upstreams": publishers_upstreams_of(settings, s3)}


def _section(profile: Profile) -> Callable[[Places], metadata.Metadata]:
    """Return the function that makes the sample's section on the page of the splits."""

    def shown(places: Places) -> metadata.Metadata:
        section = sample.section_of(profile, places)
        return {section.title: metadata.table(tuple(section.columns), section.rows)} if section else {}

    return shown


def _reporting_sensor(
    source: Source, upstreams: Upstreams, settings: Settings, default: Selection
) -> dg.SensorDefinition:
    """Return the sensor that reports what one upstream has now."""

    def look(upstreams: Upstreams, glance: Glance) -> "Seen":
        from maxsight_assets.pipeline import raw
        from maxsight_assets.transport.options import Limits

        limits = Limits(attempts=LOOK_TRIES)
        with upstreams.open(source.dataset, cancel=glance.cancel, limits=limits) as upstream:
            target = settings.data_dir / source.directory
            return raw.look(source, upstream, target, default=default, so_far=glance.so_far, in_time=glance.in_time)

    return upstream_sensor(
        f"{source.upstream_asset}_sensor",
        dg.AssetKey(source.upstream_asset),
        look,
        landed_as=dg.AssetKey(source.asset),
        host="" if isinstance(upstreams, SampleUpstreams) else _host(source, settings),
        pace=SAMPLE_PACE if isinstance(upstreams, SampleUpstreams) else HOURLY,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )


def _host(source: Source, settings: Settings) -> str:
    """Return the host that serves the files of a dataset: its publisher's, or that of the mirror in the settings."""
    base = settings.mirror(source.catalog.mirror) or source.catalog.base
    return urlsplit(base).hostname or ""


def asset(settings: Settings, name: str) -> dg.AssetsDefinition:
    """Return one asset of the settings' graph.

    Raises:
        SettingsError: The profile has switched the asset off.
    """
    for each in build_defs(settings).assets or ():
        if isinstance(each, dg.AssetsDefinition) and dg.AssetKey(name) in each.keys:
            return each
    raise SettingsError(f"{name}: not in the graph of MAXSIGHT_PROFILE={settings.profile}")


@contextmanager
def opened_instance(home: Path) -> Iterator[dg.DagsterInstance]:
    """Open the Dagster instance of DAGSTER_HOME, and make its databases if they are missing.

    Only one process at a time makes them, because two at once fail in SQLite.
    """
    with hold(home, target=home, wait_s=FIRST_S):
        instance = dg.DagsterInstance.from_config(str(home))
        instance.event_log_storage.get_concurrency_run_ids()
        instance.all_instigator_state()
    with instance:
        yield instance


def materialize(
    settings: Settings,
    select: Sequence[str] = (),
    *,
    stated: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    anew: bool = False,
    stacks: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> RunOutcome:
    """Materialize assets of the settings' graph in this process; the record of the run is kept in DAGSTER_HOME.

    Args:
        settings: The settings from the environment.
        select: Names of assets; empty for all.
        stated: The values that the user would state in the Launchpad, by asset.
        anew: Whether derived assets are made although they were made from what is there.
        stacks: Whether the terminal shows the stacks of errors too.
        say: Receives each line that the user should read during the run.

    Raises:
        SettingsError: `select` names an asset that does not exist.
    """
    profile = profiles.of(settings)
    assets = [name if name == checkpoints.NAME else named(profile, name).asset for name in select]
    derived = [inspection.asset for inspection in of_profile(profile) if inspection in (EVALUATION, SPLITS)]
    again = {name: {"anew": True} for name in derived if anew and (name in assets or not assets)}
    configs = {name: {**stated.get(name, {}), **again.get(name, {})} for name in {**stated, **again}}
    with opened_instance(Path(os.environ["DAGSTER_HOME"])) as instance:
        return run_graph(
            build_defs(settings),
            assets,
            instance=instance,
            published=published_in(settings),
            run_config={"ops": {name: {"config": config} for name, config in configs.items()}} if configs else None,
            stacks=stacks,
            say=say,
        )


@dataclass(frozen=True, slots=True)
class Log:
    """The event log in DAGSTER_HOME, outside of any run: reads and writes its records of the settings' DATA_DIR.

    Attributes:
        settings: The settings from the environment.
    """

    settings: Settings

    def report(self, asset: str, change: Change) -> bool:
        """Report a command's change of an asset's published directory; see `report_change`.

        Raises:
            NotReported: The event log cannot be reached. Every method here raises it.
        """
        with self._reached() as (instance, inspections, places):
            return report_change(instance, inspections[asset], places, change)

    def report_verdicts(self, asset: str, verdicts: Sequence[Told]) -> None:
        """Report the verdicts of the rules on an asset's published version."""
        with self._reached() as (instance, inspections, places):
            report_verdicts(instance, inspections[asset], places, verdicts)

    def difference(self, asset: str) -> str | None:
        """Return how the event log differs from an asset's published version; None if it does not."""
        with self._reached() as (instance, inspections, places):
            return difference(instance, inspections[asset], places)

    def verdicts(self, *assets: str) -> list[Told]:
        """Return the latest verdicts of the checks on the published versions of assets."""
        with self._reached() as (instance, inspections, places):
            return [told for asset in assets for told in verdicts_of(instance, inspections[asset], places)]

    @contextmanager
    def _reached(self) -> Iterator[tuple[dg.DagsterInstance, Mapping[str, Inspection], Places]]:
        inspections = {each.asset: each for each in of_profile(profiles.of(self.settings))}
        try:
            with opened_instance(Path(os.environ["DAGSTER_HOME"])) as instance:
                yield instance, inspections, Places.of(self.settings)
        except MaxSightAssetsError:
            raise
        except Exception as error:  # any storage may raise any error, and the command's work is done
            raise NotReported(f"the event log cannot be reached ({scrub(error) or type(error).__name__})") from error
