"""The sensors of alerts: two note what each ended run shows, and one sends what changed since its last message.

A cause is sent once, and once more when it is mended. If the receiver does not answer, the next tick sends it. No run
depends on any of this.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import dagster as dg
import msgspec

from maxsight_assets.defs.alerts import causes, watch
from maxsight_assets.defs.alerts.causes import Cause
from maxsight_assets.defs.alerts.runs import check_name, note_run
from maxsight_assets.defs.alerts.webhook import NotSent, Webhook
from maxsight_assets.disk import host

NAME = "alerts"
EVERY_S = 60

PATIENCE_S = 120.0
"""A cause that no run shows is sent once it has lasted so long: a restart of the code server fails every tick once."""

LINES = 20
"""Largest number of causes in one message; the others are counted."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the sensor remembers between two ticks.

    Attributes:
        causes: Each cause that was sent and is not mended yet, by name.
        since: When each cause that no run shows was first seen, in seconds since the epoch.
    """

    causes: Mapping[str, Cause] = field(default_factory=dict)
    since: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def from_cursor(cls, cursor: str | None) -> "Told":
        """Return what a cursor holds; nothing if it is lost or unreadable, as an error would repeat forever."""
        try:
            return msgspec.json.decode(cursor, type=cls) if cursor else cls()
        except msgspec.MsgspecError:
            return cls()

    def text(self) -> str:
        """Return it as a cursor."""
        return msgspec.json.encode(self).decode()


def alert_sensors(webhook: Webhook, *, ui: str, profile: str) -> list[dg.SensorDefinition]:
    """Return the sensors of alerts.

    Args:
        webhook: Where alerts are sent to.
        ui: Address of Dagster's UI, for links.
        profile: Named in each message.
    """

    @dg.sensor(
        name=NAME,
        description="Sends what went wrong, once, and once more when it is mended.",
        minimum_interval_seconds=EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def alerts(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        if context.repository_def is None:
            raise dg.DagsterInvariantViolationError("This sensor runs only inside its code location.")
        before = Told.from_cursor(context.cursor)
        now = _now(context.instance, context.repository_def, before, at=time.time())
        lines = _lines(before.causes, now.causes, ui)
        if not context.cursor:
            lines.insert(0, "Alerts are on. Each cause is sent once, and once more when it is mended.")
        said = "Nothing changed."
        if lines:
            try:
                webhook.post("\n".join([f"MaxSight Assets, profile {profile}, on {host()}", *lines]))
            except NotSent as error:
                context.log.warning(f"The receiver of alerts did not take {len(lines)} lines: {error}")
                kept = replace(now, causes=before.causes).text() if context.cursor else None
                return dg.SensorResult(skip_reason=f"Not sent, to be tried again: {error}", cursor=kept)
            said = " ".join(["Sent:", *lines])
        return dg.SensorResult(skip_reason=said, cursor=now.text())

    return [
        alerts,
        _noting("alerts_of_failures", dg.DagsterRunStatus.FAILURE),
        _noting("alerts_of_successes", dg.DagsterRunStatus.SUCCESS),
    ]


def _noting(name: str, status: dg.DagsterRunStatus) -> dg.SensorDefinition:
    @dg.run_status_sensor(
        run_status=status,
        name=name,
        description="Notes which steps and checks of a run failed or are mended; the sensor `alerts` sends it.",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        monitor_all_code_locations=True,  # runs of the command line belong to no code location
    )
    def note(context: dg.RunStatusSensorContext) -> None:
        note_run(context.instance, context.dagster_run, context.dagster_event)

    return note


def _now(instance: dg.DagsterInstance, repository: dg.RepositoryDefinition, before: Told, *, at: float) -> Told:
    """Return the causes that are to be known to the user now: those of runs, and those that have lasted."""
    steps = [node.name for node in repository.get_implicit_global_asset_job_def().nodes]
    names = [*steps, *map(check_name, repository.asset_graph.asset_check_keys)]
    of_runs = {name: note.cause for name, note in causes.read(instance, names).items() if note.cause}
    watched = watch.causes(instance, repository)
    since = {name: before.since.get(name, at) for name in watched}
    lasting = {
        name: cause for name, cause in watched.items() if name in before.causes or at >= since[name] + PATIENCE_S
    }
    return Told({**lasting, **of_runs}, since)


def _lines(before: Mapping[str, Cause], now: Mapping[str, Cause], ui: str) -> list[str]:
    """Return a line for each cause that came or went."""
    lines = [f"FAILED {now[name].text} {ui}{now[name].page}" for name in sorted(now.keys() - before.keys())]
    lines += [f"MENDED {name}: no longer so: {before[name].text}" for name in sorted(before.keys() - now.keys())]
    more = len(lines) - LINES
    return [*lines[:LINES], f"and {more:,} more; see {ui}"] if more > 0 else lines
