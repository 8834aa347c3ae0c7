"""Maps each publisher's class to its name in the detector's label space, if there is one.

The judgement is data: `datasets/<source>/labels.csv` has one row for every class of the publisher. A class without a
name in the detector's label space maps to None, never to a similar name: a false label is worse than no label.
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
        label: The publisher's name.
        name: The detector's name; None if it has none.
        relation: "exact" (the same words), "synonym" (other words for the same things), "narrower" (the publisher's
            class is a part of the detector's), "none".
        reason: Why, if it is not obvious; may be empty.
    """

    label: str
    name: str | None
    relation: Relation
    reason: str


@cache
def rows(source: str) -> tuple[Mapped, ...]:
    """Return all classes of a publisher, in the order of the data file.

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
    """Map every class of a publisher to its name in a label space, or to None if the space lacks it.

    Annotation files hold labels that no class list has (BDD100K's "trailer"); look up labels with `.get`, so that these
    give None, too. A name that is only in a space other than the detector's (COCO's "zebra") maps to itself.
    """
    judged = load_space()

    def name_of(row: Mapped) -> str | None:
        words = (row.label, row.label.lower())
        names = (row.name, *(word for word in words if word not in judged))
        return next((name for name in names if name in space), None)

    return {row.label: name_of(row) for row in rows(source)}
