"""Refuse words of a selection that a publisher does not have (classes, licences, annotators), before a byte moves.

A misspelt class would choose nothing, or silently less than the user meant.
"""

import difflib
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from maxsight_assets.catalog import model as catalogs
from maxsight_assets.datasets.selection import Selection
from maxsight_assets.datasets.source import Source
from maxsight_assets.errors import SettingsError
from maxsight_assets.labels import mapping

CLASSES = "classes"
EVALUATION = "evaluation_"


@dataclass(frozen=True, slots=True)
class Unknown:
    """A word of a selection that its publisher does not have.

    Attributes:
        field: The field that holds it.
        place: Its place in the field, from 0.
        text: The word, and what the user may have meant.
    """

    field: str
    place: int
    text: str


def unknown(source: Source, selection: Selection) -> Iterator[Unknown]:
    """Find the words of a selection that the publisher of the dataset does not have."""
    for field in type(selection).model_fields:
        kind = field.removeprefix(EVALUATION)
        known = _known(source, kind)
        if known is None:
            continue
        for place, word in enumerate(getattr(selection, field) or ()):
            if word not in known and not (kind == CLASSES and source.class_ids and source.class_ids.match(word)):
                yield Unknown(field, place, f"{word}: not in {source.catalog.title}{_meant(source, kind, word, known)}")


def require_known(source: Source, selection: Selection, *, stated: Collection[str]) -> None:
    """Refuse a selection with a word that the publisher does not have.

    Args:
        source: The dataset.
        selection: The selection of the next version.
        stated: Fields that the user states for this run; the others were stored with the version, or are the profile's.

    Raises:
        SettingsError: The selection has such a word; the text names the field, and the nearest words.
    """
    for each in unknown(source, selection):
        if each.field in stated:
            raise SettingsError(f"run config, {each.field}: {each.text}")
        raise SettingsError(f"{source.asset}, stored selection, {each.field}: {each.text}; state {each.field} anew")


def _known(source: Source, kind: str) -> Collection[str | int] | None:
    """Return the words that a field may hold; None if it may hold any."""
    if kind == CLASSES:
        return [row.label for row in mapping.rows(source.dataset)]
    return source.words.get(kind)


def _meant(source: Source, kind: str, word: object, known: Collection[str | int]) -> str:
    """Return the datasets that have such a class, and the nearest words; all words if there are few."""
    texts = {str(each).lower(): str(each) for each in known}
    if kind != CLASSES:
        return f"; it has {', '.join(map(str, sorted(known, key=str)))}"
    said = "".join(
        f"; {catalog.title} has {row.label}"
        for catalog in catalogs.every()
        if catalog.dataset != source.dataset
        for row in mapping.rows(catalog.dataset)
        if row.label.lower() == str(word).lower()
    )
    near = difflib.get_close_matches(str(word).lower(), texts)
    return said + (f"; nearest: {', '.join(texts[each] for each in near)}" if near else "")
