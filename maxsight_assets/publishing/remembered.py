"""Remember the versions before the previous one by their small files: the manifest's page, and the report beside it.

So a user can list them, compare with them, and land one again. A remembered version is a directory of the same form as
a published one, without its large files and without the rows of its manifest.
"""

import logging
import shutil
from pathlib import Path

from maxsight_assets import disk
from maxsight_assets.publishing.manifest import PAGE, info_of

MOST = 100
"""Versions that are remembered of a directory, the newest: a page and a report are some ten kilobytes."""

REPORTS = ("report.json", "contract.json")
"""Reports of the splits and of the evaluation sets, which say what a version held."""

_log = logging.getLogger(__name__)


def remember(tree: Path, memory: Path, *, scratch: Path) -> None:
    """Copy the small files of a version that is about to be deleted; a failure is logged, and nothing else fails.

    Args:
        tree: The version's directory; nothing happens if it holds none.
        memory: The directory of remembered versions.
        scratch: A free name on the same disk.
    """
    info = info_of(tree)
    if info is None:
        return
    try:
        memory.mkdir(exist_ok=True)
        (scratch / PAGE).parent.mkdir(parents=True)
        for name in (PAGE, *REPORTS):
            if (tree / name).is_file():
                shutil.copyfile(tree / name, scratch / name)
        place = memory / info.data_version[:12]
        disk.discard([place])
        scratch.rename(place)
        disk.discard(remembered(memory)[MOST:])
    except OSError as error:
        disk.discard([scratch])
        _log.warning("%s: version %s is not remembered (%s)", tree, info.data_version[:12], error.strerror)


def remembered(memory: Path) -> list[Path]:
    """Return the remembered versions, newest first."""
    times = {path: info.published_at or "" for path in memory.glob("*/") if (info := info_of(path)) is not None}
    return sorted(times, key=lambda path: (times[path], path.name), reverse=True)
