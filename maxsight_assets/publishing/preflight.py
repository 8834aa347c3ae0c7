"""Checks before a byte moves: space, inodes, write access, and names that a drive would merge."""

import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from maxsight_assets import disk
from maxsight_assets.errors import PreflightFailed
from maxsight_assets.publishing.manifest import parents
from maxsight_assets.publishing.swap import StateDir

_SHOWN = 5


def preflight(target: Path, *, needed_bytes: int, needed_files: int, names: Iterable[str] = ()) -> None:
    """Check that a landing can succeed on the target's file system.

    Args:
        target: The directory that will be published.
        needed_bytes: Bytes that will be written, partial archives included; linked files need none.
        needed_files: Files that will be made.
        names: POSIX paths of all files that will be published, relative to the target.

    Raises:
        PreflightFailed: The landing cannot succeed; the text states why, with numbers, and what to do.
    """
    check_names(target, names)
    check_writable(target)
    check_space(target, needed_bytes=needed_bytes, needed_files=needed_files)


def check_space(target: Path, *, needed_bytes: int, needed_files: int) -> None:
    """Check free bytes and inodes; each file takes whole blocks.

    Raises:
        PreflightFailed: There are too few; the text states how many are needed and free.
    """
    state = StateDir.of(target)
    facts = os.statvfs(disk.existing(state.root))
    needed, free = needed_bytes + needed_files * facts.f_frsize, facts.f_bavail * facts.f_frsize
    if needed > free:
        raise PreflightFailed(
            f"{target}: too little space: {needed:,} bytes needed, {free:,} free; free some, take less, or set "
            "DATA_DIR to a larger disk"
        )
    if facts.f_files and needed_files > facts.f_favail:  # a file system without a fixed number states 0 of 0
        raise PreflightFailed(
            f"{target}: too few inodes: {needed_files:,} files to be made, {facts.f_favail:,} inodes free; delete "
            "files there, take less, or set DATA_DIR to another disk"
        )


def check_writable(target: Path) -> None:
    """Check that directories can be made and renamed beside the target, by doing it.

    Raises:
        PreflightFailed: They cannot, or the target is a mount point, which nothing can be swapped into.
    """
    state = StateDir.of(target)
    if state.target.is_mount():
        raise PreflightFailed(
            f"{target}: is a mount point, so a new version cannot be swapped in; set DATA_DIR to a directory on "
            "that drive"
        )
    missing_paths = [path for path in (state.root, *state.root.parents) if not path.exists()]
    try:
        state.root.mkdir(parents=True, exist_ok=True)
        probe = state.scratch()
        probe.mkdir()
        probe.rmdir()
        for path in missing_paths:  # the deepest first: nothing is left of having looked
            path.rmdir()
    except OSError as error:
        raise PreflightFailed(
            f"{target}: cannot be written ({error.strerror}, at {error.filename}); check the mount and its "
            "permissions, or set DATA_DIR"
        ) from error


def check_names(target: Path, names: Iterable[str]) -> None:
    """Check that no two paths, folders included, differ only by case or Unicode form.

    macOS, Windows and some mounted drives would merge them into one.

    Raises:
        PreflightFailed: Some do; the text lists the pairs.
    """
    seen: dict[str, str] = {}
    pairs = []
    paths = set(names)
    for name in sorted(paths | {folder for path in paths for folder in parents(path)}):
        first = seen.setdefault(_folded(name), name)
        if first != name:
            pairs.append(f"{first!a} and {name!a}")
    if pairs:
        more = f" and {len(pairs) - _SHOWN:,} more pairs" if len(pairs) > _SHOWN else ""
        raise PreflightFailed(
            f"{target}: names that differ only by case or Unicode form: {'; '.join(pairs[:_SHOWN])}{more}. Some file "
            "systems keep only one of each; leave one out of the selection"
        )


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())
