"""What a directory holds, to compare it with another."""

from pathlib import Path


def tree(root: Path) -> dict[str, bytes]:
    """Return the bytes of each file by its path below `root`; links are not followed."""
    files = (path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}
