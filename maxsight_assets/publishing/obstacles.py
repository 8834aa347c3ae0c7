"""Files of the user's own that lie in a target where a version wants to put its files."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from maxsight_assets.errors import Refused, some
from maxsight_assets.publishing.manifest import FileRow, parents, problem


def refuse_in_the_way(target: Path, strange: Iterable[str], rows: Mapping[str, FileRow]) -> None:
    """Refuse a version whose files would replace, or lie below, files that no landing put there.

    Args:
        target: The published directory.
        strange: Paths of the files that no manifest names.
        rows: The version's files by path.

    Raises:
        Refused: Some hold other bytes than the version's, or lie where it needs a folder.
    """
    folders = {parent for path in rows for parent in parents(path)}
    blocked = []
    for path in strange:
        row = rows.get(path)
        differs = row is not None and problem(target, row) is not None
        if differs or path in folders or any(parent in rows for parent in parents(path)):
            blocked.append(path)
    if blocked:
        raise Refused(
            f"{target}: {len(blocked):,} files that were not landed here are in the way and hold other bytes: "
            f"{some(blocked)}; move them away, then rerun (nothing needs to be fetched again)"
        )
