"""Every thing that can stand in a scene, as `things.yaml` says, and the few that are drawn by a function.

A thing's name is COCO's where COCO has one ("dining table"), else Open Images' in lower case ("door handle").
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from random import Random

import yaml
from pydantic import BaseModel, ConfigDict, PositiveFloat

from maxsight_assets.sample_upstream.drawing.recipes import Draw, Palette, colors, read
from maxsight_assets.sample_upstream.drawing.shapes import Drawing, Part, oval, rect, shade


@dataclass(frozen=True, slots=True)
class Kind:
    """What a thing looks like and how large it is.

    Attributes:
        height: Its height in metres.
        aspect: Width over height.
        draw: Draws one into the unit square.
    """

    height: float
    aspect: float
    draw: Draw


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Size(_Model):
    height: PositiveFloat
    aspect: PositiveFloat


class _Entry(_Model):
    size: _Size
    choose: dict[str, str] = {}
    draw: str = ""


class _Sheet(_Model):
    colors: dict[str, str]
    groups: dict[str, tuple[str, ...]]
    things: dict[str, _Entry]


@cache
def sheet() -> _Sheet:
    """What `things.yaml` says."""
    return _Sheet.model_validate(yaml.safe_load(files(__package__).joinpath("things.yaml").read_text("utf-8")))


@cache
def palettes() -> dict[str, Palette]:
    """The colors of the file by name."""
    known: dict[str, Palette] = {}
    for name, text in sheet().colors.items():
        known[name] = colors(text, known)
    return known


def palette(name: str) -> Palette:
    """The colors of one name."""
    return palettes()[name]


def group(name: str) -> tuple[str, ...]:
    """The names of things that a scene chooses from."""
    return sheet().groups[name]


@cache
def kind(name: str) -> Kind:
    """The thing of a name in the file.

    Raises:
        ValueError: The file says something of it that cannot be drawn.
    """
    entry = sheet().things[name]
    try:
        draw = _FUNCTIONS.get(name) or read(entry.choose, entry.draw, palettes())
    except ValueError as error:
        raise ValueError(f"things.yaml: {name}: {error}") from error
    return Kind(entry.size.height, entry.size.aspect, draw)


def _crowd(rng: Random) -> Drawing:
    """Three rows of people, the nearest in front."""
    parts: Drawing = []
    for row, count in enumerate((8, 7, 6)):
        for place in range(count):
            left = (place + rng.uniform(0, 0.4)) / (count + 0.4)
            width, top = 1.15 / (count + 0.4), 0.04 + 0.13 * row + rng.uniform(0, 0.05)
            for part in kind("person").draw(rng):
                points = tuple((left + x * width * 0.86, top + y * (0.68 - top * 0.2)) for x, y in part.points)
                parts.append(Part(points, part.color))
    return parts


def _stairs(rng: Random) -> Drawing:
    stone, steps = rng.choice(palette("stone")), rng.choice((6, 7, 8))
    parts: Drawing = []
    for step in range(steps):
        inset, top, edge, low = 0.24 * (1 - step / steps), step / steps, step / steps + 0.4 / steps, (step + 1) / steps
        parts.append(Part(rect(inset, top, 1 - inset, edge), shade(stone, 1.12)))
        parts.append(Part(rect(inset, edge, 1 - inset, low), shade(stone, 0.72 + 0.02 * step)))
    return parts


def _traffic_light(rng: Random) -> Drawing:
    lit, lamps = rng.randrange(3), palette("lamps")
    shown = [shade(color, 1 if place == lit else 0.3) for place, color in enumerate(lamps)]
    box = Part(rect(0.04, 0.01, 0.96, 0.99), (28, 30, 32))
    return [box, *(Part(oval(0.5, 0.19 + 0.31 * place, 0.27, 0.115), color) for place, color in enumerate(shown))]


def _traffic_sign(rng: Random) -> Drawing:
    return kind("traffic sign, round" if rng.random() < 0.5 else "traffic sign, square").draw(rng)


_FUNCTIONS: dict[str, Draw] = {
    "crowd": _crowd,
    "stairs": _stairs,
    "traffic light": _traffic_light,
    "traffic sign": _traffic_sign,
}
