"""Coloured polygons, the only thing that the embedded upstream draws with, and seeded dice.

Everything is a polygon, round things too, so that what is drawn is exactly what is annotated. Coordinates are in a unit
square (x right, y down) until a scene places them.
"""

import math
import random
from dataclasses import dataclass
from typing import TypeAlias

Point: TypeAlias = tuple[float, float]
Outline: TypeAlias = tuple[Point, ...]
Color: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Part:
    """One filled polygon."""

    points: Outline
    color: Color


Drawing: TypeAlias = list[Part]


def dice(*seed: object) -> random.Random:
    """A generator that depends on the seed's text alone, on any machine and Python version."""
    return random.Random("/".join(map(str, seed)))  # noqa: S311 (pictures, not secrets)


def shade(color: Color, factor: float) -> Color:
    """The color, darker (factor below 1) or lighter."""
    red, green, blue = (max(0, min(255, round(channel * factor))) for channel in color)
    return red, green, blue


def poly(*numbers: float) -> Outline:
    """A polygon from `x, y, x, y, ...`."""
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def rect(left: float, top: float, right: float, bottom: float) -> Outline:
    """An upright rectangle."""
    return poly(left, top, right, top, right, bottom, left, bottom)


def oval(x: float, y: float, rx: float, ry: float, start: float = 0, end: float = 360) -> Outline:
    """An ellipse around (x, y), or the segment of it from `start` to `end` degrees (clockwise from the right)."""
    steps = 20
    first, last = math.radians(start), math.radians(end)
    angles = (first + (last - first) * step / steps for step in range(steps + 1))
    return tuple((x + rx * math.cos(angle), y + ry * math.sin(angle)) for angle in angles)


def ring(x: float, y: float, rx: float, ry: float, rim: float) -> Outline:
    """An ellipse with a hole; `rim` is the width of the band as a share of the radius."""
    return oval(x, y, rx, ry) + oval(x, y, rx * (1 - rim), ry * (1 - rim), 360, 0)


def bar(x0: float, y0: float, x1: float, y1: float, wide: float, tall: float) -> Outline:
    """A line from (x0, y0) to (x1, y1), `wide` across in x and `tall` in y."""
    length = math.hypot(x1 - x0, y1 - y0) or 1.0
    dx, dy = -(y1 - y0) / length * wide / 2, (x1 - x0) / length * tall / 2
    return poly(x0 + dx, y0 + dy, x1 + dx, y1 + dy, x1 - dx, y1 - dy, x0 - dx, y0 - dy)
