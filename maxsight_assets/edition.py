"""The edition of the code that derived assets are made with: an edit of a rule, a parser or the splitter changes it."""

import hashlib
from functools import cache
from pathlib import Path

PACKAGES = (
    "cleaning",
    "datasets",
    "evaluation",
    "formats",
    "images",
    "labels",
    "pipeline",
    "splitting",
    "verification",
)
"""Packages that decide what is in an evaluation set or a split, or whether it may be published."""


@cache
def edition(packages: tuple[str, ...] = PACKAGES) -> str:
    """Return a digest of packages: their code, tables and lists.

    An edit that changes no result counts too. To make a derived asset anew needs no network, and equal bytes are not
    published again. A number that a developer must raise would be forgotten once.

    Args:
        packages: Folders of this project's package; by default those that decide what a derived asset is.
    """
    root = Path(__file__).parent
    paths = sorted(path for package in packages for path in (root / package).rglob("*") if _counts(path))
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.relative_to(root).as_posix()}\n{path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _counts(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts
