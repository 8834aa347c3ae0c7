"""The label space: the names that a detector knows, in the order of its outputs.

The names are data (`maxsight.txt` beside this module, one a line). `mapping` has the publishers' names.
"""

from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path

from maxsight_assets.errors import FormatError


@dataclass(frozen=True)
class LabelSpace:
    """The names that a detector knows.

    Attributes:
        names: The names, each once; a name's position is its class index.
    """

    names: tuple[str, ...]

    def __contains__(self, name: object) -> bool:
        return name in self.index

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def index(self) -> dict[str, int]:
        """Class index by name."""
        return {name: number for number, name in enumerate(self.names)}


def load_space(name_or_path: str | Path = "maxsight") -> LabelSpace:
    """Read a label space.

    Args:
        name_or_path: Name of a label space of this package ("maxsight": 622 names, "coco80": COCO's 80), or a text
            file with one name a line.

    Raises:
        FormatError: There is no such file, it is empty or no UTF-8 text, one of its lines is empty or padded, or it
            has a name twice.
    """
    own = files("maxsight_assets.labels").joinpath(f"{name_or_path}.txt")
    source = own if own.is_file() else Path(name_or_path)
    if not source.is_file():
        raise FormatError(f"label space {name_or_path}: neither maxsight nor coco80 nor a text file with a name a line")
    try:
        names = source.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise FormatError(f"{source.name}: not UTF-8; save the label space as UTF-8 text, a name a line") from None
    if not names:
        raise FormatError(f"{source.name}: empty; a label space has a name a line")
    seen: set[str] = set()
    for number, name in enumerate(names, start=1):
        if not name or name != name.strip() or name in seen:
            raise FormatError(f"{source.name}: line {number}: {name!r} is empty, padded with blanks, or a repetition")
        seen.add(name)
    return LabelSpace(names=tuple(names))
