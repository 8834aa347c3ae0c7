"""The seven invariants of docs/explanation/architecture.md, as one function that a test calls after each fault."""

import os
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from maxsight_assets.publishing.manifest import FOLDER, PAGE, ROWS, Manifest, problems
from maxsight_assets.publishing.stage import previous, recovered_manifest
from maxsight_assets.publishing.swap import StateDir


def assert_invariants(
    target: Path,
    *,
    versions: Collection[str] | None = None,
    named: Iterable[str] = (),
    secrets: Iterable[str] = (),
    beside: Collection[str] = (),
    edited: Collection[str] = (),
    settled: bool = True,
) -> Manifest | None:
    """Assert what must hold for a target after any fault.

    Args:
        target: The published directory.
        versions: Data versions that may be published now; None where any may, "" for nothing.
        named: Paths that a split names: they must be there (7).
        secrets: Texts that no file of ours may hold (5).
        beside: Names that the test itself put beside the target; nothing else may be there (6).
        edited: Paths that the test itself edited while they were published: the previous version may lack them.
        settled: Whether a plain run has ended well since the fault; then nothing unfinished may be left (4).

    Returns:
        What is published.
    """
    state = StateDir.of(target)
    manifest = recovered_manifest(target)
    version = manifest.data_version if manifest else ""
    assert versions is None or version in versions, f"neither the old nor the new version is published: {version!r}"
    if manifest is not None:  # 1, 2, 3
        assert problems(target, manifest.rows.values()) == {}
        ours = {path.relative_to(target).as_posix() for path in (target / FOLDER).iterdir()}
        assert ours == {ROWS, PAGE}, f"unexpected files in {FOLDER}: {ours}"
        assert all((target / path).lstat().st_nlink >= 1 and not (target / path).is_symlink() for path in manifest.rows)
    past = previous(target)
    if past is not None:
        damaged = set(problems(state.previous, past.rows.values()))
        assert damaged <= set(edited), f"the previous version is damaged: {damaged}"
    if settled:  # 4
        left = {path.name for path in state.root.iterdir()} if state.root.exists() else set()
        left -= {"lock", "staging", "previous", "quarantine", "versions", "accepted.json", "changed.json"}
        assert left == set(), f"left unfinished: {left}"
        assert not state.sessions.exists() or not list(state.sessions.iterdir()), "a staged tree is left"
    canaries = [secret.encode() for secret in secrets]
    if canaries:  # 5
        for path in (path for root in (target, state.root) for path in root.rglob("*") if path.is_file()):
            assert not any(canary in path.read_bytes() for canary in canaries), f"a secret is in {path}"
    around = {path.name for path in target.parent.iterdir()} if target.parent.exists() else set()  # 6
    assert around <= {target.name, state.root.name, *beside}, f"written outside: {around}"
    gone = [path for path in named if not (target / path).is_file()]  # 7
    assert gone == []
    return manifest


_CHANGES = {
    "os.mkdir": 1,
    "os.rename": 2,
    "os.link": 2,
    "os.symlink": 2,
    "os.remove": 1,
    "os.rmdir": 1,
    "os.truncate": 1,
}
"""Audit events that change a file system, and how many of their first arguments are paths."""

_written: list[list[str]] = []
"""What is written while somebody watches; an audit hook cannot be taken away again."""


def _note(event: str, args: tuple[Any, ...]) -> None:
    if not _written:
        return
    if event == "open":
        writes = isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        paths = args[:1] if writes else ()
    else:
        paths = args[: _CHANGES.get(event, 0)]
    named = (os.fsdecode(path) for path in paths if isinstance(path, str | bytes | os.PathLike))
    for seen in _written:  # paths relative to an open directory are below one that was named before
        seen.extend(path for path in named if Path(path).is_absolute())


@contextmanager
def writes_only_below(*roots: Path) -> Iterator[None]:
    """Assert that no thread of this process writes, makes, renames or deletes anything elsewhere meanwhile (6)."""
    if _note not in _hooked:
        sys.addaudithook(_note)
        _hooked.append(_note)
    seen: list[str] = []
    _written.append(seen)
    try:
        yield
    finally:
        _written.remove(seen)
    allowed = [os.path.realpath(root) for root in roots]
    outside = {
        path
        for path in seen
        if not any(os.path.realpath(path).startswith(root) for root in allowed)
        and not path.endswith(".pyc")
        and "__pycache__" not in path
        and not path.startswith("/dev/")
    }
    assert outside == set(), f"written outside of {roots}: {sorted(outside)}"


_hooked: list[object] = []
