"""Where training runs leave checkpoints: the layouts in which a condition's files are looked for, in this order."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

from maxsight_assets.labels.conditions import CONDITIONS

BEST = "best_model.pt"
FILES = (BEST, "last_checkpoint.pt", "training_history.json", "training_history.csv", "resume_info.json")
"""Files of a condition; all but the first are there only sometimes."""

_ABOVE = ("", "checkpoints/", "backups/", "MaxSight/", "MaxSight/checkpoints/")
"""Folders that hold the folders of the conditions; `MaxSight/` is the one on a training drive."""

_BACKUPS = ("", "MaxSight/")
"""Folders that hold `best_models_backup/`."""

Stated = TypeVar("Stated")


def directory(condition: str) -> str:
    """Return the name of a condition's folder, at its source and below CHECKPOINTS_DIR."""
    return f"checkpoints_{condition}"


def keys() -> Iterator[str]:
    """Yield every path, relative to the source's address, at which a file of a condition may be."""
    for condition in CONDITIONS:
        for folder in _folders(condition):
            yield from (f"{folder}{name}" for name in FILES)
        yield from _backups(condition)


def found(condition: str, there: Mapping[str, Stated]) -> dict[str, tuple[str, Stated]]:
    """Return the files of a condition: its path at the source and what is stated there, by name.

    They come from the first folder that has a best model, else from the first that has any of them. If no folder has a
    best model, a backup of it takes its place.

    Args:
        condition: The condition.
        there: What the source states of each file that it has, by path.
    """
    folders = [folder for folder in _folders(condition) if any(f"{folder}{name}" in there for name in FILES)]
    folders.sort(key=lambda folder: f"{folder}{BEST}" not in there)
    places = {name: f"{folder}{name}" for folder in folders[:1] for name in FILES}
    if places.get(BEST) not in there:
        places[BEST] = next((key for key in _backups(condition) if key in there), "")
    return {name: (places[name], there[places[name]]) for name in FILES if places.get(name) in there}


def _folders(condition: str) -> Iterator[str]:
    return (f"{above}{directory(condition)}/" for above in _ABOVE)


def _backups(condition: str) -> Iterator[str]:
    return (f"{above}best_models_backup/best_model_{condition}.pt" for above in _BACKUPS)
