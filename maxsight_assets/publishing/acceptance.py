"""Pinned upstream files that changed: what a run received of them, and what the user accepted instead of the catalog.

Both are small JSON files beside the target. A run that stops at a changed file notes what it received, so that
accepting it needs no second download.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from maxsight_assets import disk
from maxsight_assets.errors import LandingError, Received
from maxsight_assets.publishing.swap import StateDir
from maxsight_assets.remote import Probe, RemoteFile, strong

ACCEPTED = "accepted.json"
CHANGED = "changed.json"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The facts of a changed upstream file that the user accepted instead of the catalog's; see `RemoteFile`."""

    bytes: int | None
    sha256: str | None
    md5: str | None
    sha1: str | None
    index_sha256: str | None = None


def record(state: StateDir, file: RemoteFile) -> None:
    """Record that the user accepts a changed upstream file: its length and digests replace the catalog's from now on.

    Args:
        state: The places of the directory that is landed from it; the caller must hold the lock.
        file: The upstream file with the facts that it has now.

    Raises:
        LandingError: The file has no digest, so the accepted bytes cannot be identified.
    """
    if not any((file.sha256, file.md5, file.sha1, file.index_sha256)):
        raise LandingError(f"{file.key}: nothing to accept: its new hash is not known; download it first")
    facts = Accepted(file.bytes, file.sha256, file.md5, file.sha1, file.index_sha256)
    _write(state, ACCEPTED, _read(state, ACCEPTED) | {file.key: asdict(facts)})
    _write(state, CHANGED, {key: said for key, said in _read(state, CHANGED).items() if key != file.key})


def accepted(target: Path) -> dict[str, Accepted]:
    """Return the facts that the user accepted for this directory, by the key of the upstream file."""
    return {key: Accepted(**facts) for key, facts in _read(StateDir.of(target), ACCEPTED).items()}


def as_accepted(target: Path, file: RemoteFile) -> RemoteFile:
    """Return the upstream file with the facts that the user accepted; unchanged if the user accepted none."""
    facts = accepted(target).get(file.key)
    return file if facts is None else replace(file, **asdict(facts))


def note(state: StateDir, received: Received) -> None:
    """Record what a run received of a changed file when it stopped."""
    _write(state, CHANGED, _read(state, CHANGED) | {received.key: asdict(received)})


def received(target: Path, key: str, now: Probe) -> Received | None:
    """Return what a stopped run received of a changed file; None if that is incomplete or upstream has changed again.

    Args:
        target: The directory that is landed from it.
        key: The file's key.
        now: What upstream states about it now.
    """
    facts = _read(StateDir.of(target), CHANGED).get(key)
    if facts is None:
        return None
    seen = Received(**facts)
    known = seen.sha256 or seen.md5 or seen.sha1
    same = (seen.bytes, seen.etag, seen.last_modified) == (now.bytes, now.etag, now.last_modified)
    return seen if known and same and (strong(now) or now.last_modified) else None


def _read(state: StateDir, name: str) -> dict[str, Any]:
    try:
        said = json.loads((state.root / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return dict(said)


def _write(state: StateDir, name: str, said: Mapping[str, Any]) -> None:
    if not said:
        (state.root / name).unlink(missing_ok=True)
        return
    text = json.dumps(said, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    disk.write_atomic(state.root / name, text.encode(), scratch=state.scratch())
