"""`maxsight-assets doctor`: what would spoil a landing, or does already, and what to do about each.

The machine is looked at here: settings, versions, space, file systems, directories, upstreams. What Dagster's records
say is in `defs.running.findings`. Nothing is created by looking.
"""

import importlib.metadata
import os
import platform
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil
import yaml

from maxsight_assets import build, disk
from maxsight_assets.catalog import model as catalogs
from maxsight_assets.datasets.upstreams import Access, open_upstream
from maxsight_assets.defs.running import findings
from maxsight_assets.defs.running.findings import Finding
from maxsight_assets.defs.running.tidy import size
from maxsight_assets.errors import MaxSightAssetsError, SettingsError
from maxsight_assets.pipeline.inspection import of_profile
from maxsight_assets.places import Places
from maxsight_assets.profiles import model as profiles
from maxsight_assets.profiles.model import Profile
from maxsight_assets.publishing.manifest import Manifest
from maxsight_assets.publishing.swap import StateDir
from maxsight_assets.remote import RemoteFile
from maxsight_assets.settings import Settings, require_writable
from maxsight_assets.transport.options import Limits
from maxsight_assets.transport.redact import scrub

STYLES = {"OK": "green", "WARN": "yellow", "ERROR": "red"}

REMOTE = frozenset(
    "9p afs beegfs ceph cifs drvfs gpfs lustre ncpfs nfs nfs4 prl_fs smb3 smbfs vboxsf virtiofs vmhgfs wslfs".split()  # noqa: SIM905
)
"""File systems of another machine, or of this one's host; SQLite loses locks there (https://sqlite.org/faq.html#q5)."""

LOCAL_FUSE = frozenset(f"fuse.{name}" for name in ("bindfs", "exfat", "fuse-overlayfs", "lxcfs", "ntfs-3g"))
"""FUSE file systems over a local disk; every other one is taken for a mounted drive."""

HEAD_S = 5.0
"""Seconds that an upstream has for its answer."""

VARIABLES = (
    *("MAXSIGHT_PROFILE", "MAXSIGHT_DATASETS", "MAXSIGHT_EXECUTOR"),
    *("DATA_DIR", "SPLITS_DIR", "DAGSTER_HOME", "AWS_ENDPOINT_URL_S3"),
)
"""Variables that decide what a command does; those with secrets are listed apart, by name."""

PACKAGES = ("maxsight-assets", "dagster", "dagster-webserver", "dagster-aws", "polars", "pyarrow", "pycurl")

NEEDED_ENTRIES = {
    ("run_launcher",): "a run whose process died is noticed after two days only",
    ("run_monitoring", "enabled"): "a run whose process died is never noticed",
    ("run_monitoring", "free_slots_after_run_end_seconds"): "a dead run keeps its pool slot for ever",
    ("concurrency", "pools"): "two runs may write one directory at a time, and one of them fails",
}
"""Entries of dagster.yaml that the graph needs, and what happens without each."""


def examine(settings: Settings, home: Path) -> list[Finding]:
    """Look at everything that a landing depends on.

    Args:
        settings: What the environment says.
        home: Where Dagster keeps its records; it may be missing.
    """
    places = Places.of(settings)
    return [
        *_environment(settings),
        *_versions(),
        *_writable(settings),
        _space(profiles.of(settings), places.data_dir),
        *drives(settings, home),
        *_directories(settings, places),
        *_upstreams(settings),
        *_records(settings, home),
    ]


def drives(settings: Settings, home: Path) -> list[Finding]:
    """The part of `examine` that costs nothing: which drives are used, and how Dagster is set up."""
    found = [
        _drive("DAGSTER_HOME", home, "ERROR", "databases break there: set it to a directory on a local disk"),
        _drive("DATA_DIR", settings.data_dir, "WARN", "landing is slow there: stage on a local disk (docs/landing.md)"),
    ]
    return [*found, *_dagster_yaml(home)]


def mend(home: Path) -> list[str]:
    """Do what is safe about what `examine` found; return what was done, a line each."""
    if not has_records(home):
        return []
    with build.opened_instance(home) as instance:
        return findings.mend(instance)


def has_records(home: Path) -> bool:
    """Whether Dagster has kept records for this DAGSTER_HOME; asking for them would make its databases otherwise."""
    return (home / "history").is_dir() or "storage" in _configuration(home)


def _environment(settings: Settings) -> Iterator[Finding]:
    names = ", ".join(sorted(name for name in VARIABLES if os.environ.get(name, "").strip())) or "nothing"
    yield Finding("OK", f"{platform.platform()}, profile {settings.profile}; set: {names}")
    if settings.allowed_hosts:
        yield Finding("OK", f"ALLOWED_HOSTS: {', '.join(sorted(settings.allowed_hosts))}")
    secrets = {
        "ALERT_WEBHOOK_URL": settings.alert_webhook_url,
        "HF_TOKEN": settings.hf_token,
        "AWS_ACCESS_KEY_ID": settings.aws_access_key_id,
        "AWS_SESSION_TOKEN": settings.aws_session_token,
    }
    present = [name for name, value in secrets.items() if value is not None]
    yield Finding("OK", f"credentials: {', '.join(present) or 'none; public files need none'}")


def _versions() -> Iterator[Finding]:
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    said = ", ".join(f"{name} {version}" for name, version in versions.items())
    yield Finding("OK", f"Python {platform.python_version()}, {said}")
    if versions["dagster"] != versions["dagster-webserver"]:
        yield Finding("ERROR", "dagster and dagster-webserver differ in version: install from requirements.lock")


def _writable(settings: Settings) -> Iterator[Finding]:
    try:
        require_writable(settings)
    except SettingsError as error:
        yield Finding("ERROR", f"{error}; what is published there can be read, but nothing landed")


def _space(profile: Profile, data_dir: Path) -> Finding:
    free, needed = shutil.disk_usage(disk.existing(data_dir)).free, profile.first_landing_bytes
    said = f"{data_dir}: {free / 1e9:,.1f} GB free"
    if needed is None:
        return Finding("OK", said)
    said += f", a first landing of {profile.profile} takes about {needed / 1e9:,.1f} GB"
    return Finding("OK", said) if free > needed else Finding("WARN", f"{said}; free some or set DATA_DIR elsewhere")


def _drive(variable: str, path: Path, level: findings.Level, why: str) -> Finding:
    kind = file_system(path)
    if kind in REMOTE or (kind.startswith("fuse") and kind != "fuseblk" and kind not in LOCAL_FUSE):
        return Finding(level, f"{variable}={path} is on a mounted drive ({kind}); {why}")
    return Finding("OK", f"{variable}={path}{f' ({kind})' if kind else ''}")


def file_system(path: Path) -> str:
    """Type of the file system that a path is on, symbolic links resolved; empty if it is not known.

    psutil reads the table of mounts by getmntent(3), which knows that a blank stands there as an octal escape.
    """
    real = Path(os.path.realpath(path))
    try:
        mounts = psutil.disk_partitions(all=True)
    except OSError:
        return ""
    above = [mount for mount in mounts if real.is_relative_to(mount.mountpoint)]
    # of two mounts on one point the later hides the other
    return max(enumerate(above), key=lambda each: (len(each[1].mountpoint), each[0]))[1].fstype if above else ""


def _configuration(home: Path) -> dict[str, object]:
    with suppress(OSError, yaml.YAMLError):
        read = yaml.safe_load((home / "dagster.yaml").read_text(encoding="utf-8"))
        return read if isinstance(read, dict) else {}
    return {}


def _dagster_yaml(home: Path) -> Iterator[Finding]:
    path = home / "dagster.yaml"
    if home.is_dir() and not path.exists():
        yield Finding("ERROR", f"{home} has no dagster.yaml: copy the project's there, or use make")
        return
    configuration = _configuration(home)
    for keys, without in NEEDED_ENTRIES.items() if path.exists() else ():
        entry: object = configuration
        for key in keys:
            entry = entry.get(key) if isinstance(entry, dict) else None
        if not entry:
            yield Finding("ERROR", f"{path} lacks {'.'.join(keys)}: {without}; copy that entry from the project's")


def _directories(settings: Settings, places: Places) -> Iterator[Finding]:
    for inspection in of_profile(profiles.of(settings)):
        directory = inspection.directory(places)
        if directory.is_mount():
            yield Finding(
                "ERROR", f"{directory} is a mount point, so no version can be swapped in; set DATA_DIR below it"
            )
        try:
            manifest = Manifest.read(StateDir.of(directory).target)
        except MaxSightAssetsError as error:
            yield Finding("ERROR", f"{inspection.asset}: {error}")
            continue
        held = f"version {manifest.info.data_version[:12]}, {manifest.info.bytes / 1e6:,.1f} MB" if manifest else ""
        yield Finding("OK", f"{inspection.asset}: {directory}: {held or 'nothing published yet'}")
        yield from _half_built(inspection.asset, StateDir.of(directory))


def _half_built(asset: str, state: StateDir) -> Iterator[Finding]:
    again = f"`maxsight-assets materialize {asset}` goes on from it"
    if state.journal.exists():
        yield Finding("ERROR", f"{asset}: a version was being swapped in when its process ended; {again}")
    for session in sorted(state.sessions.iterdir()) if state.sessions.is_dir() else ():
        staged = f"{asset}: {size(session) / 1e6:,.1f} MB staged"
        if disk.made_by_living(session.name):
            yield Finding("OK", f"{staged} by a process that is at work")
        else:
            yield Finding(
                "WARN", f"{staged} by a process that ended; {again}, `maxsight-assets tidy` clears it away in time"
            )


def _upstreams(settings: Settings) -> list[Finding]:
    """Ask each upstream for the head of one file, all at the same time."""
    profile = profiles.of(settings)
    if profile.upstream == "embedded":
        return [Finding("OK", "upstreams: the embedded one, drawn here; no network is needed")]
    access = Access.of(settings, embedded=None)
    datasets = [source.dataset for source in profile.sources]
    with ThreadPoolExecutor(len(datasets)) as pool:
        return list(pool.map(lambda dataset: _reached(dataset, access), datasets))


def _reached(dataset: str, access: Access) -> Finding:
    """Ask the publisher, or the mirror that the user named; if it does not answer, the catalog's mirrors in turn."""
    key = next(iter(catalogs.load(dataset).files))
    with open_upstream(dataset, access) as upstream:
        places = upstream.places(key)
    why = ""
    for number, place in enumerate(places):
        said = _silent(dataset, access, place.file)
        if said is None and number == 0:
            return Finding("OK", f"{dataset}: upstream answers")
        if said is None:
            return Finding("WARN", f"{dataset}: upstream is not reached: {why}; {place.name} answers in its place")
        why = why or said
    return Finding("ERROR", f"{dataset}: upstream is not reached: {why}; check the network or set a mirror")


def _silent(dataset: str, access: Access, file: RemoteFile) -> str | None:
    """Return why a place of a file does not answer in time; None if it does."""
    late = threading.Event()
    timer = threading.Timer(HEAD_S, late.set)
    timer.start()
    limits = Limits(attempts=1, connect_timeout_s=HEAD_S, header_timeout_s=HEAD_S)
    try:
        with open_upstream(dataset, access, cancel=late, limits=limits) as upstream:
            upstream.client.probe(file)
    except (MaxSightAssetsError, OSError) as error:
        return f"no answer within {HEAD_S:g} s" if late.is_set() else scrub(error)
    finally:
        timer.cancel()
    return None


def _records(settings: Settings, home: Path) -> list[Finding]:
    if not has_records(home):
        return [Finding("OK", "Dagster has kept no records here yet")]
    repository = build.build_defs(settings).get_repository_def()
    return [Finding("OK", f"Dagster's records: {size(home) / 1e6:,.1f} MB"), *findings.examine_home(home, repository)]
