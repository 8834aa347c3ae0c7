"""Looks for what would spoil a landing before one is tried: space, file systems, permissions, missing credentials."""

import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from maxsight_assets.disk import existing
from maxsight_assets.errors import MaxSightAssetsError, SettingsError
from maxsight_assets.pipeline.inspection import of_profile
from maxsight_assets.places import Places
from maxsight_assets.profiles import model as profiles
from maxsight_assets.profiles.model import Profile
from maxsight_assets.publishing.preflight import check_writable
from maxsight_assets.publishing.stage import read_published
from maxsight_assets.settings import Settings, require_writable

Level = Literal["OK", "WARN", "ERROR"]

STYLES = {"OK": "green", "WARN": "yellow", "ERROR": "red"}

NETWORK_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "fuse.gcsfuse", "fuse.drive", "9p"})
"""Where SQLite, which Dagster keeps its records in, loses locks."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        level: "OK", "WARN" (slower, or at your own risk), "ERROR" (a landing would fail).
        text: What was found and, where it is not OK, what to do.
    """

    level: Level
    text: str


def examine(settings: Settings, dagster_home: Path) -> list[Finding]:
    """Look at everything that a landing depends on.

    Args:
        settings: What the environment says.
        dagster_home: Where Dagster keeps its records.
    """
    places = Places.of(settings)
    return [
        Finding("OK", f"Python {platform.python_version()}, profile {settings.profile}"),
        *_writable(settings),
        _space(profiles.load(settings.profile), places.data_dir),
        *_directories(settings, places),
        _home(dagster_home),
    ]


def _writable(settings: Settings) -> Iterator[Finding]:
    try:
        require_writable(settings)
    except SettingsError as error:
        yield Finding("ERROR", f"{error}; what is published there can be read, but nothing landed")


def _space(profile: Profile, data_dir: Path) -> Finding:
    free, needed = shutil.disk_usage(existing(data_dir)).free, profile.first_landing_bytes
    said = f"{data_dir}: {free / 1e9:,.1f} GB free"
    if needed is None:
        return Finding("OK", said)
    said += f", a first landing of {profile.profile} takes about {needed / 1e9:,.1f} GB"
    return Finding("OK", said) if free > needed else Finding("WARN", f"{said}; free some or set DATA_DIR elsewhere")


def _directories(settings: Settings, places: Places) -> Iterator[Finding]:
    for inspection in of_profile(profiles.load(settings.profile)):
        directory = inspection.directory(places)
        try:
            check_writable(directory)
            manifest = read_published(directory)
        except MaxSightAssetsError as error:
            yield Finding("ERROR", f"{inspection.asset}: {error}")
            continue
        state = f"version {manifest.info.data_version[:12]}" if manifest else "nothing published yet"
        yield Finding("OK", f"{inspection.asset}: {directory} can be written; {state}")


def _home(home: Path) -> Finding:
    kind = _file_system(home)
    if kind in NETWORK_FILE_SYSTEMS:
        return Finding("WARN", f"DAGSTER_HOME={home} is on a network drive ({kind}): set it to a local directory")
    if not (home / "dagster.yaml").exists():
        return Finding("WARN", f"DAGSTER_HOME={home} has no dagster.yaml: copy the project's there, or use make")
    return Finding("OK", f"DAGSTER_HOME={home}")


def _file_system(path: Path) -> str:
    """Type of the file system that a path is on, by the longest mount point above it; empty where that is not known."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return ""
    entries = [line.split()[1:3] for line in mounts.read_text(encoding="utf-8").splitlines()]
    above = [(point, kind) for point, kind in entries if os.path.commonpath([point, path.absolute()]) == point]
    return max(above, default=("", ""), key=lambda entry: len(entry[0]))[1]
