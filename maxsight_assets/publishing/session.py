"""The directory of one run beside its target: the tree under construction, partial archives, a journal of whole files.

What a killed run left is taken over by the next one; `publishing.stage` fills and publishes it.
"""

import json
from contextlib import suppress
from pathlib import Path

from maxsight_assets import disk
from maxsight_assets.publishing.manifest import FileRow, problems
from maxsight_assets.publishing.swap import State

JOURNAL = "rows.jsonl"
"""The file of a session that its whole files are recorded in, a row a line."""

FROM = "from"
"""Key in such a line, beside the row: the fingerprint of the upstream file that it came from."""


def open_session(state: State, source: str, *, alone: bool) -> Path:
    """A directory of this run's own: an interrupted run's one, with all that it had staged, where there is one."""
    mine = state.sessions / f"{source}~{disk.unique_name()}"
    left = [path for path in state.sessions.iterdir() if alone or not disk.made_by_living(path.name)]
    fit = [path for path in left if path.name.startswith(f"{source}~")]
    if fit:
        best = max(fit, key=lambda path: (_size(path / JOURNAL), path.name))
        left.remove(best)
        with suppress(FileNotFoundError):  # where locks do nothing, another run may have taken it over
            best.rename(mine)
    for path in left:
        state.trash(path)
    for folder in ("tree", "downloads"):
        (mine / folder).mkdir(parents=True, exist_ok=True)
    return mine


def drop_if_unused(state: State, session: Path) -> None:
    """Remove the directory of a run that staged and fetched nothing, so that looking alone leaves no trace."""
    if session.exists() and not any(_size(path) for path in session.rglob("*") if path.is_file()):
        state.trash(session)


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0


def resumed_rows(session: Path) -> tuple[dict[str, FileRow], dict[str, str | None]]:
    """The rows that an interrupted run recorded and whose files are there with these very bytes, by path.

    Beside them the fingerprint of the upstream file that each came from, None where it was not told.

    Files that share their bytes with the published version are dropped: carrying them again costs little, and nothing
    can be written into the published version by way of them.
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
