"""Files that the user has, in whatever layout another tool put them: found by name, taken if the bytes are right.

Ultralytics keeps COCO in `images/val2017`, FiftyOne in `validation/data` and `raw`, others one folder deeper. The bare
name of a file leads to it in all of them, and its size and checksum decide whether it is the file.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from maxsight_assets import disk
from maxsight_assets.publishing.expected import Expected, examine
from maxsight_assets.publishing.manifest import FOLDER, FileRow, now
from maxsight_assets.publishing.stage import Stage


@dataclass(frozen=True, slots=True)
class Given:
    """A directory of the user.

    Attributes:
        root: The directory.
        by_name: Paths of its files, by bare name.
    """

    root: Path
    by_name: Mapping[str, Sequence[Path]]

    @classmethod
    def of(cls, root: Path) -> "Given":
        """Look through a directory; links to files are followed, links to directories are not."""
        by_name: dict[str, list[Path]] = defaultdict(list)
        for path, entry in disk.walk(root):
            if entry.is_file() and not path.startswith(f"{FOLDER}/"):
                by_name[entry.name].append(root / path)
        return cls(root, by_name)

    def has(self, path: str) -> bool:
        """Return whether the directory has a file of this bare name."""
        return path.rpartition("/")[2] in self.by_name

    def take(self, stage: Stage, expected: Expected) -> bool:
        """Link or copy a file into the tree if the directory has it with exactly the expected bytes."""
        if not expected.is_exact:
            return False
        for path in self.by_name.get(expected.path.rpartition("/")[2], ()):
            found = path.resolve()
            row = examine(found.parent, replace(expected, path=found.name))
            if isinstance(row, FileRow):
                disk.link_or_copy(found, stage.root / expected.path)
                stage.record(replace(row, path=expected.path, verified_at=now()))
                return True
        return False
