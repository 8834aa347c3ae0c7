"""Write the directory of an export beside its place, record it, and put it there in one step.

The user chooses the place of an export, among the user's own files. So only an untouched export of the same format is
replaced, and nothing is kept beside it. `publishing` is for the project's own directories, where earlier versions stay.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from maxsight_assets import disk
from maxsight_assets.errors import LandingError, Refused, VerificationFailed, some
from maxsight_assets.export.version import Version
from maxsight_assets.places import Places
from maxsight_assets.publishing.manifest import FileRow, Manifest, problems
from maxsight_assets.publishing.swap import foreign
from maxsight_assets.settings import reserved

_ELSEWHERE = "choose another directory (--out)"


def put(out: Path, form: str, version: Version, *, selection: dict[str, str], write: Callable[[Path], None]) -> None:
    """Write an export and put it into place.

    Args:
        out: The directory of the export; its parents are made.
        form: Name of the format.
        version: The splits that are exported.
        selection: The request, for the manifest.
        write: Writes and judges all files in an empty directory; if it raises, `out` stays as it was.

    Raises:
        Refused: The directory holds anything but an untouched export of this format.
        LandingError: The disk failed; the text states how.
    """
    target = Path(os.path.realpath(out))
    with disk.explaining(target):
        _refuse_foreign(target, _asset(form))
        target.parent.mkdir(parents=True, exist_ok=True)
        disk.discard(_left_behind(target))
        beside = target.with_name(f"{_prefix(target)}{disk.unique_name()}")
        beside.mkdir()
        descriptor = os.open(beside, os.O_RDONLY)
        try:
            write(beside)
            _manifest(beside, form, version, selection).write(beside, scratch=beside / "MANIFEST")
            disk.sync_file_system(descriptor)
            _swap(beside, target)
        finally:
            os.close(descriptor)
            disk.discard([beside])


def refuse_reserved(out: Path, places: Places) -> None:
    """Refuse a directory that the project publishes or keeps, or that lies in such a directory.

    Raises:
        Refused: It is such a directory.
    """
    target = Path(os.path.realpath(out))
    clash = next(filter(target.is_relative_to, [places.splits.resolve(), *reserved(places.data_dir)]), None)
    if clash is not None:
        raise Refused(f"{out}: is the place of {clash} or lies in it; {_ELSEWHERE}")


def exported_version(out: Path, form: str) -> str | None:
    """Return the data version of the exported splits in a directory; None if it is not an export of the format."""
    try:
        manifest = Manifest.read(out)
    except LandingError:  # damaged, or of a later release
        return None
    if manifest is None or manifest.info.asset != _asset(form):
        return None
    return manifest.info.inputs["cleaned_splits"]


def _asset(form: str) -> str:
    return f"export {form}"


def _prefix(target: Path) -> str:
    return f".{target.name}.{disk.SCRATCH}"


def _left_behind(target: Path) -> Iterator[Path]:
    """Return what killed exports of this machine left beside their place."""
    for path in target.parent.glob(f"{_prefix(target)}{disk.host()}~*"):
        if not disk.made_by_living(path.name):
            yield path


def _manifest(root: Path, form: str, version: Version, selection: dict[str, str]) -> Manifest:
    files = [(name, Path(entry.path)) for name, entry in disk.walk(root) if not entry.is_symlink()]
    digests = disk.in_threads(lambda named: disk.sha256_of(named[1]), files)
    rows = [
        FileRow(path=name, bytes=size, sha256=sha256, level="made")
        for (name, _), (size, sha256) in zip(files, digests, strict=True)
    ]
    inputs = {"cleaned_splits": version.data_version}
    return Manifest.of(rows, asset=_asset(form), source=version.source, selection=selection, inputs=inputs)


def _swap(beside: Path, target: Path) -> None:
    if not os.path.lexists(target):
        beside.rename(target)
    elif not disk.exchange(beside, target):
        old = target.with_name(f"{_prefix(target)}{disk.unique_name()}")
        target.rename(old)
        beside.rename(target)
        disk.discard([old])
    disk.sync_directory(target.parent)


def _refuse_foreign(target: Path, asset: str) -> None:
    """Refuse to replace anything but an untouched export; a link holds nothing and may be replaced."""
    if not target.is_dir():
        if os.path.lexists(target):
            raise Refused(f"{target}: is a file; {_ELSEWHERE}")
        return
    try:
        present = Manifest.read(target)
    except VerificationFailed:
        raise Refused(f"{target}: the record of what it holds is damaged; move it away, or {_ELSEWHERE}") from None
    if present is None:
        if next(disk.walk(target), None) is not None:
            raise Refused(f"{target}: holds files that no export wrote; {_ELSEWHERE}")
        return
    if present.info.asset != asset:
        raise Refused(f"{target}: holds {present.info.asset}, not {asset}; {_ELSEWHERE}")
    differing = problems(target, present.rows.sums())
    touched = [path for path in differing if os.path.lexists(target / path)]
    touched += [path for path in foreign(target, present) if not (target / path).is_symlink()]
    if touched:
        raise Refused(
            f"{target}: {some(sorted(touched))} were changed or added since it was exported; "
            f"move them away, or {_ELSEWHERE}"
        )
