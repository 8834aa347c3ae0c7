"""Coloured polygons, the only thing that the embedded upstream draws with, and seeded dice.

Everything is a polygon, round things too, so that what is drawn is exactly what is annotated. Coordinates are in a unit
square (x right, y down) until a scene places them.
"""

import math
import random
from dataclasses import dataclass
from typing import TypeAlias

Point: TypeAlias = tuple[float, float]
Color: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Part:
    """One filled polygon."""

    points: tuple[Point, ...]
    color: Color


Drawing: TypeAlias = list[Part]

BLACK: Color = (30, 30, 34)
WHITE: Color = (242, 240, 234)
STEEL: Color = (168, 174, 180)
GLASS: Color = (172, 205, 222)
WOOD: tuple[Color, ...] = ((134, 90, 56), (164, 116, 72), (98, 66, 46), (196, 152, 104))
PAINT: tuple[Color, ...] = (
    (196, 52, 46),
    (42, 92, 158),
    (238, 188, 62),
    (66, 128, 84),
    (232, 228, 218),
    (84, 60, 110),
    (222, 118, 52),
    (58, 62, 70),
    (92, 170, 186),
    (206, 110, 140),
)
SKIN: tuple[Color, ...] = ((240, 204, 174), (214, 164, 126), (160, 108, 76), (104, 68, 50))
LEAF: tuple[Color, ...] = ((62, 116, 62), (94, 142, 66), (44, 92, 70), (122, 152, 76))


def dice(*seed: object) -> random.Random:
    """A generator that depends on the seed's text alone, on any machine and Python version."""
    return random.Random("/".join(map(str, seed)))  # noqa: S311 (pictures, not secrets)


def shade(color: Color, factor: float) -> Color:
    """The color, darker (factor below 1) or lighter."""
    red, green, blue = (max(0, min(255, round(channel * factor))) for channel in color)
    return red, green, blue


def poly(color: Color, *numbers: float) -> Part:
    """A polygon from `x, y, x, y, ...`."""
    return Part(tuple(zip(numbers[::2], numbers[1::2], strict=True)), color)


def rect(color: Color, left: float, top: float, right: float, bottom: float) -> Part:
    """An upright rectangle."""
    return poly(color, left, top, right, top, right, bottom, left, bottom)


def oval(color: Color, x: float, y: float, rx: float, ry: float, start: float = 0, end: float = 360) -> Part:
    """An ellipse around (x, y), or the segment of it from `start` to `end` degrees (clockwise from the right)."""
    return Part(_arc(x, y, (rx, ry), (start, end)), color)


def ring(color: Color, x: float, y: float, rx: float, ry: float, *, rim: float = 0.2) -> Part:
    """An ellipse with a hole; `rim` is the width of the band as a share of the radius."""
    inner = _arc(x, y, (rx * (1 - rim), ry * (1 - rim)), (360, 0))
    return Part(_arc(x, y, (rx, ry), (0, 360)) + inner, color)


def line(color: Color, start: Point, end: Point, *, wide: float, tall: float | None = None) -> Part:
    """A bar from `start` to `end`, `wide` across in x and `tall` (default: as wide) in y."""
    (x0, y0), (x1, y1) = start, end
    length = math.hypot(x1 - x0, y1 - y0) or 1.0
    dx, dy = -(y1 - y0) / length * wide / 2, (x1 - x0) / length * (wide if tall is None else tall) / 2
    return poly(color, x0 + dx, y0 + dy, x1 + dx, y1 + dy, x1 - dx, y1 - dy, x0 - dx, y0 - dy)


def _arc(x: float, y: float, radii: Point, degrees: tuple[float, float], steps: int = 20) -> tuple[Point, ...]:
    start, end = (math.radians(angle) for angle in degrees)
    angles = (start + (end - start) * step / steps for step in range(steps + 1))
    return tuple((x + radii[0] * math.cos(angle), y + radii[1] * math.sin(angle)) for angle in angles)
