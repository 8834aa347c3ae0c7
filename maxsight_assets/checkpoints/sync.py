"""Bring one condition's directory up to what the source has: fetch what moved, judge it, publish it in one exchange."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from maxsight_assets.checkpoints.layout import directory, found, keys
from maxsight_assets.checkpoints.rules import CHECKPOINT_RULES, CheckpointsView
from maxsight_assets.datasets.landing import Tally
from maxsight_assets.datasets.seen import Seen, combined, fingerprints
from maxsight_assets.errors import Cancelled, LandingError, TransientError
from maxsight_assets.labels.conditions import CONDITIONS
from maxsight_assets.publishing.expected import Expected
from maxsight_assets.publishing.manifest import FileRow, Manifest, now, problems
from maxsight_assets.publishing.stage import Stage, recovered_manifest, staging
from maxsight_assets.remote import Probe, RemoteFile
from maxsight_assets.transport.client import Client
from maxsight_assets.transport.transfer import NotGiven
from maxsight_assets.verdict import Verdict, run

ASSET = "condition_checkpoints"

VARIABLE = "CHECKPOINTS_URI"

WAIT_S = 60.0
"""Seconds to wait for another process that syncs the same condition."""


@dataclass(frozen=True, slots=True)
class CheckpointSource:
    """Where checkpoints come from.

    Attributes:
        uri: `s3://bucket/prefix`, `hf://models/<owner>/<name>@<revision>` or `file:///directory`.
    """

    uri: str

    def file(self, key: str, *, name: str, size: int | None = None) -> RemoteFile:
        """Return a file of the source.

        Args:
            key: Its path, relative to the address.
            name: What messages call it.
            size: Its length, if it is known.
        """
        return RemoteFile(key=name, url=f"{self.uri.rstrip('/')}/{key}", bytes=size, mirror_env=VARIABLE)

    def files(self, client: Client) -> Mapping[str, Probe]:
        """Return what the source states of each file of a condition that it has, by path.

        A directory may be a whole drive, so its files are asked for one by one; a store is listed.

        Raises:
            LandingError: The source does not answer, or has no file of any condition: the drive is not mounted, say.
        """
        there = self._on_disk(client) if self.uri.startswith("file:") else self._listed(client)
        if not there:
            raise LandingError(
                f"{VARIABLE}: no file of any condition lies there; mount the drive, or name the directory that holds "
                "checkpoints_<condition>/"
            )
        return there

    def _listed(self, client: Client) -> dict[str, Probe]:
        wanted = frozenset(keys())
        entries = client.entries(self.file("", name=VARIABLE))
        return {each.key: each.probe() for each in entries if each.key in wanted}

    def _on_disk(self, client: Client) -> dict[str, Probe]:
        there: dict[str, Probe] = {}
        for key in keys():
            try:
                there[key] = client.probe(self.file(key, name=key))
            except NotGiven as error:
                if error.status != 404:
                    raise
        return there


@dataclass(frozen=True, slots=True)
class Synced:
    """The result of syncing one condition.

    Attributes:
        manifest: Manifest of the version that is published now.
        changed: Whether its data version differs from the previous one.
        tally: Counts of what was fetched.
        seconds: Wall time.
    """

    manifest: Manifest
    changed: bool
    tally: Tally
    seconds: float


def seen(there: Mapping[str, Probe]) -> Seen:
    """Return what a source has of all conditions, by `checkpoints_<condition>/<name>`.

    Args:
        there: What it has, as `CheckpointSource.files` returned it.
    """
    return Seen.of(
        {
            f"{directory(condition)}/{name}": probe
            for condition in CONDITIONS
            for name, (_, probe) in found(condition, there).items()
        }
    )


def inputs_of(condition: str, there: Mapping[str, Probe]) -> dict[str, str]:
    """Return the fingerprint of each file that the source has of a condition, by name."""
    return fingerprints({name: probe for name, (_, probe) in found(condition, there).items()})


def behind(now: Seen, checkpoints: Path) -> dict[str, str]:
    """Return the synced conditions whose source has other files now, each with a mark of the change.

    A condition that was never synced is not among them, nor one of which the source has nothing any more.

    Args:
        now: What the source has, as `seen` returned it.
        checkpoints: CHECKPOINTS_DIR.
    """
    marks = {}
    for condition in CONDITIONS:
        folder = f"{directory(condition)}/"
        files = {key.removeprefix(folder): probe for key, probe in now.files.items() if key.startswith(folder)}
        inputs = fingerprints(files)
        present = recovered_manifest(checkpoints / directory(condition))
        if inputs and present is not None and dict(present.info.inputs) != inputs:
            marks[condition] = f"{present.info.published_at} {combined(inputs)}"
    return marks


def sync_all(
    conditions: Iterable[str],
    source: CheckpointSource,
    there: Mapping[str, Probe],
    *,
    client: Client,
    checkpoints: Path,
) -> tuple[dict[str, Synced], LandingError | None]:
    """Sync conditions one after the other; one that fails does not keep the others from being synced.

    Returns:
        What was synced, by condition; and the error that names each condition that was not, if there is one.

    Raises:
        Cancelled: The client's cancel event was set.
    """
    synced: dict[str, Synced] = {}
    failed: list[LandingError] = []
    for condition in conditions:
        try:
            synced[condition] = sync(condition, source, there, client=client, checkpoints=checkpoints)
        except Cancelled:
            raise
        except LandingError as error:
            failed.append(error)
    if len(failed) < 2:
        return synced, failed[0] if failed else None
    kind = TransientError if all(error.retryable for error in failed) else LandingError
    return synced, kind("; ".join(map(str, failed)))


def sync(
    condition: str, source: CheckpointSource, there: Mapping[str, Probe], *, client: Client, checkpoints: Path
) -> Synced:
    """Bring the directory of one condition up to what the source has.

    Args:
        condition: One of `CONDITIONS`.
        source: The source.
        there: What it has, as `CheckpointSource.files` returned it.
        client: Reaches it.
        checkpoints: CHECKPOINTS_DIR.

    Raises:
        NotPublished: A file is not whole; the text names it, and the version before stays.
        LandingError: The source has nothing of the condition, or a file did not come; what arrived is kept.
    """
    started = time.monotonic()
    files, target = found(condition, there), checkpoints / directory(condition)
    if not files:
        raise LandingError(f"{directory(condition)}: the source has no file of it; see docs/how-to/sync-checkpoints.md")
    inputs, tally = inputs_of(condition, there), Tally()
    with staging(target, asset=ASSET, source="upstream", wait_s=WAIT_S) as stage:
        present = stage.present
        if present is not None and dict(present.info.inputs) == inputs and not problems(target, present.selected()):
            tally.reused_files = present.info.files
            return Synced(present, False, tally, time.monotonic() - started)
        stage.made_from(inputs)
        known = present.info.inputs if present is not None else {}
        for name, (key, probe) in files.items():
            file = source.file(key, name=f"{directory(condition)}/{name}", size=probe.bytes)
            _land(stage, client, file, name, moved=known.get(name) != inputs[name], tally=tally)
        selection = {name: {"from": key, "modified": probe.last_modified} for name, (key, probe) in files.items()}

        def gate(root: Path, manifest: Manifest) -> tuple[Verdict, ...]:
            blocking = [rule for rule in CHECKPOINT_RULES if rule.blocking]
            return run(blocking, CheckpointsView({condition: (root, manifest)}))

        manifest = stage.publish(selection=selection, inputs=inputs, gate=gate, keep=False)
    changed = present is None or present.info.data_version != manifest.info.data_version
    return Synced(manifest, changed, tally, time.monotonic() - started)


def _land(stage: Stage, client: Client, file: RemoteFile, name: str, *, moved: bool, tally: Tally) -> None:
    if obtained := stage.obtain(Expected(name, file.bytes, origin=name), moved=moved):
        tally.took(obtained)
        return
    landed = client.download(file, stage.root / name)
    stage.record(
        FileRow(
            path=name,
            bytes=landed.bytes,
            sha256=landed.sha256,
            level=landed.level,
            etag=landed.probe.etag,
            origin=name,
            verified_at=now(),
        )
    )
    tally.fetched_files += 1
    tally.fetched_bytes += landed.bytes
