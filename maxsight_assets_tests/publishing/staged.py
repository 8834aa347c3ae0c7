"""Landing small files from memory the way that a source does, for tests of the disk side."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from secrets import token_hex

from maxsight_assets.publishing.manifest import FileRow, Manifest
from maxsight_assets.publishing.stage import Stage, staging
from maxsight_assets.verdict import Verdict

Gate = Callable[[Path, Manifest], Sequence[Verdict]]


def row_of(path: str, data: bytes, *, etag: str | None = None) -> FileRow:
    """The row of a file with these bytes."""
    return FileRow(path, len(data), hashlib.sha256(data).hexdigest(), "sha256", etag=etag, origin=f"world.zip!{path}")


def write(root: Path, path: str, data: bytes) -> None:
    """Write a file like a download does: beside its place, then renamed."""
    dest = root / path
    dest.parent.mkdir(parents=True, exist_ok=True)
    partial = dest.with_name(f"{dest.name}.{token_hex(4)}.partial")
    partial.write_bytes(data)
    partial.replace(dest)


def passing(root: Path, manifest: Manifest) -> Sequence[Verdict]:
    """A gate that looks whether all rows are in the tree, and passes."""
    return [Verdict("there", all((root / path).is_file() for path in manifest.rows), len(manifest.rows))]


def bring(stage: Stage, files: Mapping[str, bytes], fetched: list[str] | None = None) -> None:
    """Stage files: what an interrupted run staged and what is published is used where it is the same."""
    for path, data in files.items():
        wanted = row_of(path, data)
        held = stage.have(path)
        if held is None and stage.present and (old := stage.present.rows.get(path)) and old.sha256 == wanted.sha256:
            held = stage.carry(path)
        if held is not None and held.sha256 == wanted.sha256:
            continue
        write(stage.root, path, data)
        if fetched is not None:
            fetched.append(path)
        stage.record(wanted)


def land(
    target: Path,
    files: Mapping[str, bytes],
    *,
    keep: bool = True,
    source: str = "upstream",
    gate: Gate = passing,
    fetched: list[str] | None = None,
    wait_s: float = 0.0,
    selection: Mapping[str, object] | None = None,
    inputs: Mapping[str, str] | None = None,
) -> Manifest:
    """Land files and publish them; paths that had to be written are added to `fetched`."""
    with staging(target, asset="world", source=source, wait_s=wait_s) as stage:
        bring(stage, files, fetched)
        return stage.publish(
            selection=selection if selection is not None else {"paths": sorted(files)},
            inputs=inputs or {},
            gate=gate,
            keep=keep,
        )
