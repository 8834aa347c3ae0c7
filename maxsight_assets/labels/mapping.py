"""What each publisher's class is called in the detector's label space, if anything.

The judgement is data: `datasets/<source>/labels.csv` has one row for every class that the publisher has. A class
that the detector has no name for is None, never a near miss: a false label is worse than no label.
"""

import csv
import io
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, cast, get_args

from maxsight_assets.errors import FormatError
from maxsight_assets.labels.space import LabelSpace, load_space

Relation = Literal["exact", "synonym", "narrower", "none"]


@dataclass(frozen=True, slots=True)
class Mapped:
    """One publisher's class.

    Attributes:
        label: What the publisher calls it.
        name: What the detector calls it; None where it has no name for it.
        relation: "exact" (the same words), "synonym" (other words for the same things), "narrower" (all that the
            publisher means is also what the detector means, which means more), "none".
        reason: Why, where it is not obvious; may be empty.
    """

    label: str
    name: str | None
    relation: Relation
    reason: str


@cache
def rows(source: str) -> tuple[Mapped, ...]:
    """All classes of a publisher, in the order of the data file.

    Args:
        source: "coco", "openimages", "bdd100k" or "ade20k".

    Raises:
        FormatError: The data file contradicts itself; the text names the line.
    """
    text = files("maxsight_assets.datasets").joinpath(source, "labels.csv").read_text(encoding="utf-8")
    reader = csv.DictReader(io.StringIO(text))
    mapped: dict[str, Mapped] = {}
    for row in reader:
        label, name, relation = row["label"], row["name"] or None, row["relation"]
        if label in mapped or relation not in get_args(Relation) or (name is None) != (relation == "none"):
            raise FormatError(
                f"datasets/{source}/labels.csv: line {reader.line_num}: {label!r} stands twice or contradicts itself"
            )
        mapped[label] = Mapped(label=label, name=name, relation=cast(Relation, relation), reason=row["reason"])
    return tuple(mapped.values())


def to_space(source: str, space: LabelSpace) -> dict[str, str | None]:
    """Map every class of a publisher to its name in a label space, or to None where the space lacks it.

    Annotation files hold labels that no class list has (BDD100K's "trailer"); ask with `.get`, they mean None too. A
    word that only another space than the detector's has (COCO's "zebra") means what the publisher calls so.
    """
    judged = load_space()

    def name_of(row: Mapped) -> str | None:
        words = (row.label, row.label.lower())
        names = (row.name, *(word for word in words if word not in judged))
        return next((name for name in names if name in space), None)

    return {row.label: name_of(row) for row in rows(source)}
