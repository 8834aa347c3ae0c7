"""Reads how a thing is drawn, in the words that `things.yaml` explains at its head, and draws it.

What the things are is in that file; what can be said of one is here.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple, TypeAlias, TypeVar

from maxsight_assets.sample_upstream.drawing.shapes import (
    Color,
    Drawing,
    Outline,
    Part,
    bar,
    oval,
    poly,
    rect,
    ring,
    shade,
)

Palette: TypeAlias = tuple[Color, ...]
Draw: TypeAlias = Callable[[Random], Drawing]

_SHAPES: dict[str, tuple[Callable[..., Outline], int | None]] = {
    "rect": (rect, 4),
    "oval": (oval, 4),
    "arc": (oval, 6),
    "ring": (ring, 5),
    "bar": (bar, 6),
    "poly": (poly, None),
}
"""What makes a shape of its numbers, and how many it takes; None for any that are pairs."""

_DIGITS = r"\d*\.?\d+"
_RANGE = re.compile(rf"({_DIGITS})\.\.({_DIGITS})")
_NUMBER = re.compile(rf"(-?{_DIGITS})?(?:((?<=\d)[+-]|(?<!\d)-?)(?:({_DIGITS})\*)?([a-z]+))?")
_T = TypeVar("_T")


class _Range(NamedTuple):
    """A number between two, chosen anew each time."""

    low: float
    high: float


class _Number(NamedTuple):
    """`base + factor * name`, where `name` is a number that was chosen; "" is 0."""

    base: float
    factor: float
    name: str


_Choices: TypeAlias = Mapping[tuple[str, ...], _Range | Palette]


@dataclass(frozen=True, slots=True)
class _Shape:
    """One polygon; `color` is one that was chosen for the whole thing, or a palette to choose from now."""

    outline: Callable[..., Outline]
    color: str | Palette
    factors: tuple[_Range | _Number, ...]
    numbers: tuple[_Number, ...]


def read(choose: Mapping[str, str], draw: str, palettes: Mapping[str, Palette]) -> Draw:
    """Make a function that draws one thing into the unit square, another one for each state of the dice.

    Args:
        choose: What differs from one such thing to the next, in the order of choosing.
        draw: A line for each shape.
        palettes: Colors by name.

    Raises:
        ValueError: One of them says something that cannot be drawn.
    """
    choices: _Choices = {tuple(names.split()): _range(text) or colors(text, palettes) for names, text in choose.items()}
    chosen = {each for names in choices for each in names}
    shapes: list[_Shape] = []
    for line in draw.splitlines():
        try:
            shapes += _shapes(line, chosen, palettes)
        except ValueError as error:
            raise ValueError(f"{line!r}: {error}") from error
    return lambda rng: _render(choices, shapes, rng)


def colors(text: str, palettes: Mapping[str, Palette]) -> Palette:
    """The colors that a text names, in its order."""
    return tuple(color for word in text.split() for color in palettes.get(word) or (_hex(word),))


def _shapes(line: str, chosen: set[str], palettes: Mapping[str, Palette]) -> list[_Shape]:
    """The shapes of a line: those after a comma share the first one's color."""
    words = line.split(maxsplit=2)
    if len(words) < 3 or words[0] not in _SHAPES:
        raise ValueError(f"begin with one of {', '.join(_SHAPES)}, then give a color, then numbers")
    shape, color, text = words
    outline, count = _SHAPES[shape]
    word, *factors = color.split("*")
    paint = word if word in chosen else colors(word, palettes)
    brightness = tuple(_range(factor) or _number(factor, chosen) for factor in factors)
    shapes = []
    for numbers in text.split(","):
        read = tuple(_number(number, chosen) for number in numbers.split())
        if len(read) != (count or max(6, len(read) // 2 * 2)):
            raise ValueError(f"{len(read)} numbers; a {shape} takes {count or 'at least three pairs'}")
        shapes.append(_Shape(outline, paint, brightness, read))
    return shapes


def _render(choices: _Choices, shapes: Sequence[_Shape], rng: Random) -> Drawing:
    chosen: dict[str, Color] = {}
    numbers = {"": 0.0}
    for names, options in choices.items():
        if isinstance(options, _Range):
            numbers[names[0]] = rng.uniform(*options)
        else:
            chosen.update(zip(names, _some(options, len(names), rng), strict=True))

    def value(of: _Range | _Number) -> float:
        return rng.uniform(*of) if isinstance(of, _Range) else of.base + of.factor * numbers[of.name]

    parts = []
    for shape in shapes:
        color = chosen[shape.color] if isinstance(shape.color, str) else _some(shape.color, 1, rng)[0]
        for factor in shape.factors:
            color = shade(color, value(factor))
        parts.append(Part(shape.outline(*map(value, shape.numbers)), color))
    return parts


def _some(options: Sequence[_T], count: int, rng: Random) -> Sequence[_T]:
    """Choose different ones; no dice are rolled for the only one."""
    if count > 1:
        return rng.sample(options, count)
    return options if len(options) == 1 else [rng.choice(options)]


def _hex(word: str) -> Color:
    if not re.fullmatch("#[0-9a-f]{6}", word):
        raise ValueError(f"{word} is neither a color of that name nor #rrggbb")
    red, green, blue = bytes.fromhex(word[1:])
    return red, green, blue


def _range(text: str) -> _Range | None:
    match = _RANGE.fullmatch(text)
    return _Range(float(match[1]), float(match[2])) if match else None


def _number(text: str, chosen: set[str]) -> _Number:
    match = _NUMBER.fullmatch(text)
    if not match or (match[4] and match[4] not in chosen):
        raise ValueError(f"{text} is no number, nor made of one that was chosen")
    return _Number(float(match[1] or 0), float(f"{match[2] or ''}{match[3] or 1}"), match[4] or "")
