"""The definitions of the conditions' checkpoints: asset, checks, sensor, and the resource that reaches their source."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dagster as dg

from maxsight_assets.defs.assets import checkpoints
from maxsight_assets.defs.automation.looking import LOOK_TRIES, Glance
from maxsight_assets.defs.automation.sensors import upstream_sensor
from maxsight_assets.defs.checks.checkpoints import checkpoint_checks
from maxsight_assets.defs.resources import Upstreams
from maxsight_assets.settings import Settings

if TYPE_CHECKING:
    from maxsight_assets.datasets.seen import Seen


@dataclass(frozen=True, slots=True)
class Part:
    """Definitions of one part of the graph.

    Attributes:
        assets: Its assets.
        checks: Their checks.
        sensors: Its sensors.
        resources: What these need, by name.
    """

    assets: Sequence[dg.AssetsDefinition | dg.AssetSpec] = ()
    checks: Sequence[dg.AssetChecksDefinition] = ()
    sensors: Sequence[dg.SensorDefinition] = ()
    resources: Mapping[str, Any] = field(default_factory=dict)


def checkpoints_of(settings: Settings, *, given: Mapping[str, Any]) -> Part:
    """Return the definitions; without CHECKPOINTS_URI, assets that say that nothing is configured.

    Args:
        settings: The settings from the environment.
        given: Resources, by name, that replace those made from the settings.
    """
    uri, directory = settings.checkpoints_uri, settings.checkpoints_dir
    if uri is None:
        return Part(assets=checkpoints.unconfigured())
    from maxsight_assets.defs.s3 import publishers_upstreams_of, s3_of

    def look(upstreams: Upstreams, glance: Glance) -> "Seen":
        from maxsight_assets.checkpoints.sync import CheckpointSource, seen
        from maxsight_assets.transport.options import Limits

        with upstreams.client(cancel=glance.cancel, limits=Limits(attempts=LOOK_TRIES)) as client:
            return seen(CheckpointSource(uri).files(client))

    def requests(now: "Seen") -> Iterator[dg.RunRequest]:
        from maxsight_assets.checkpoints.sync import behind

        for condition, mark in behind(now, directory).items():
            yield dg.RunRequest(run_key=f"{condition} {mark}", partition_key=condition)

    sensor = upstream_sensor(
        f"{checkpoints.UPSTREAM}_sensor",
        dg.AssetKey(checkpoints.UPSTREAM),
        look,
        landed_as=dg.AssetKey(checkpoints.NAME),
        default_status=dg.DefaultSensorStatus.RUNNING,
        requests=requests,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # backfill policies are a beta feature
        asset = checkpoints.checkpoints_asset(uri, directory)
    return Part(
        [checkpoints.upstream_spec(uri), asset],
        [checkpoint_checks(directory)],
        [sensor],
        {checkpoints.RESOURCE: publishers_upstreams_of(settings, given.get("s3") or s3_of(settings))},
    )
