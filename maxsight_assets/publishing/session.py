"""The directory of one run beside its target: the tree under construction, partial archives, a journal of whole files.

The next run takes over what a killed run left. `publishing.stage` fills the tree and publishes it.
"""

import json
from contextlib import suppress
from pathlib import Path

from maxsight_assets import disk
from maxsight_assets.publishing.manifest import FileRow, problems
from maxsight_assets.publishing.swap import StateDir

JOURNAL = "rows.jsonl"
"""The file in which a session records its whole files, one row a line."""

FROM = "from"
"""Key in such a line, beside the row's: the fingerprint of the upstream file that the file came from."""


def open_session(state: StateDir, source: str, *, alone: bool) -> Path:
    """Return a directory for this run alone; if an interrupted run left one, take it over with all that it staged."""
    mine = state.sessions / f"{source}~{disk.unique_name()}"
    left = [path for path in state.sessions.iterdir() if alone or not disk.made_by_living(path.name)]
    fit = [path for path in left if path.name.startswith(f"{source}~")]
    if fit:
        best = max(fit, key=lambda path: (_size(path / JOURNAL), path.name))
        left.remove(best)
        with suppress(FileNotFoundError):  # if locks do nothing, another run may have taken it over
            best.rename(mine)
    for path in left:
        state.trash(path)
    for folder in ("tree", "downloads"):
        (mine / folder).mkdir(parents=True, exist_ok=True)
    return mine


def drop_if_unused(state: StateDir, session: Path) -> None:
    """Remove the directory of a run that staged and fetched nothing, so that a mere look leaves no trace."""
    if session.exists() and not any(_size(path) for path in session.rglob("*") if path.is_file()):
        state.trash(session)


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0


def resumed_rows(session: Path) -> tuple[dict[str, FileRow], dict[str, str | None]]:
    """Return the rows that an interrupted run recorded and whose files still have exactly these bytes, by path.

    The second mapping has the fingerprint of the upstream file that each came from, None if it was not recorded.

    Files that share their bytes with the published version are dropped: carrying them again costs little, and a write
    to such a file would change the published version.
    """
    rows: dict[str, FileRow] = {}
    came_from: dict[str, str | None] = {}
    with suppress(FileNotFoundError):
        for line in (session / JOURNAL).read_bytes().splitlines():
            with suppress(ValueError, TypeError):  # a line that was cut short
                said = json.loads(line)
                fingerprint = said.pop(FROM, None)
                row = FileRow(**said)
                rows[row.path], came_from[row.path] = row, fingerprint
    tree = session / "tree"
    for path, entry in disk.walk(tree):
        if entry.stat(follow_symlinks=False).st_nlink > 1:
            Path(entry.path).unlink()
            rows.pop(path, None)
    bad = problems(tree, rows.values())
    for path in bad:
        (tree / path).unlink(missing_ok=True)
        del rows[path]
    return rows, came_from
