"""Streets, parks and savannas, seen by a person who stands in them.

The eye is at 1.6 m over flat ground, so a thing of h metres whose foot is d pixels below the horizon is h / 1.6 * d
pixels tall: nothing here is to scale otherwise.
"""

from collections.abc import Callable
from functools import partial
from random import Random

from maxsight_assets.sample_upstream.drawing.canvas import Canvas
from maxsight_assets.sample_upstream.drawing.shapes import Color, Point, dice, oval, rect, shade
from maxsight_assets.sample_upstream.drawing.things import group, kind, palette

_EYE = 1.6  # metres
_SKIES: tuple[tuple[Color, float], ...] = (  # and how they fade to the horizon
    ((96, 152, 214), 1.6),
    ((150, 190, 226), 1.3),
    ((176, 180, 186), 1.15),
    ((92, 84, 132), 2.2),
    ((226, 150, 104), 1.35),
    ((26, 32, 62), 1.9),
)
_SUN: Color = (255, 240, 200)
_WATER: Color = (96, 146, 176)
_DRY_GRASS: Color = (198, 170, 104)
_TARMAC: Color = (92, 94, 100)
_POST: Color = (70, 74, 78)
_LINE: Color = (242, 240, 234)
_LAMPLIGHT: Color = (250, 214, 120)


def street(canvas: Canvas, rng: Random) -> None:
    """A row of houses, a pavement and a road, which runs away from the eye or across its view."""
    horizon = _sky(canvas, rng, canvas.height * rng.uniform(0.3, 0.52))
    _houses(canvas, rng, horizon)
    ground = rng.choice(palette("ground"))
    canvas.band("sidewalk", ground, horizon, canvas.height, fade=rng.choice((0.8, 1.25)))
    ahead = rng.random() < 0.6
    (_road_ahead if ahead else _road_across)(canvas, rng, horizon)
    _populate(canvas, rng, horizon, "street, ahead" if ahead else "street, across")
    _populate(canvas, rng, horizon, "street, walking", most=3)
    _signals(canvas, rng, horizon)
    _populate(canvas, rng, horizon, "street, near", most=2)
    if rng.random() < 0.35:
        _cyclist(canvas, rng, horizon)


def park(canvas: Canvas, rng: Random) -> None:
    """Grass, a path, trees, perhaps water."""
    horizon = _sky(canvas, rng, canvas.height * rng.uniform(0.26, 0.56))
    _hills(canvas, rng, horizon)
    grass = shade(rng.choice(palette("leaf")), rng.uniform(1.1, 1.5))
    canvas.band("grass", grass, horizon, canvas.height, fade=rng.choice((0.7, 1.2)))
    width, height = canvas.width, canvas.height
    if rng.random() < 0.5:
        x, far, near = rng.uniform(0, width), rng.uniform(4, 16), rng.uniform(0.2, 0.6) * width
        end = rng.uniform(0, width)
        path = ((x - far, horizon), (x + far, horizon), (end + near, height), (end - near, height))
        canvas.surface("path", rng.choice(palette("ground")), *path)
    else:
        x, y = rng.uniform(0, width), horizon + (height - horizon) * rng.uniform(0.2, 0.6)
        pond = oval(x, y, width * rng.uniform(0.2, 0.45), (y - horizon) * rng.uniform(0.3, 0.9))
        canvas.surface("water", _WATER, *pond)
    _trees(canvas, rng, horizon)
    _populate(canvas, rng, horizon, "park")
    for _ in range(rng.randrange(3)):
        size = height * rng.uniform(0.08, 0.18)
        canvas.stand("kite", rng, rng.uniform(0.1, 0.9) * width, horizon * rng.uniform(0.4, 0.9), height=size)


def savanna(canvas: Canvas, rng: Random, animal: str) -> None:
    """Dry grass, trees and one large animal."""
    horizon = _sky(canvas, rng, canvas.height * rng.uniform(0.3, 0.5))
    _hills(canvas, rng, horizon)
    canvas.band("field", _DRY_GRASS, horizon, canvas.height, fade=0.8)
    foot = horizon + (canvas.height - horizon) * rng.uniform(0.4, 0.7)
    x = canvas.width * rng.uniform(0.35, 0.65)
    canvas.stand(animal, rng, x, foot, height=canvas.height * rng.uniform(0.35, 0.5))
    _populate(canvas, rng, horizon, "savanna", most=3)
    _trees(canvas, rng, horizon)


def crowd(canvas: Canvas, rng: Random) -> None:
    """A square with a crowd that nobody would count, and a few people before it."""
    horizon = _sky(canvas, rng, canvas.height * rng.uniform(0.3, 0.45))
    _houses(canvas, rng, horizon)
    canvas.band("sidewalk", rng.choice(palette("ground")), horizon, canvas.height, fade=0.8)
    foot = horizon + (canvas.height - horizon) * rng.uniform(0.3, 0.5)
    height = kind("crowd").height / _EYE * (foot - horizon)
    canvas.stand("crowd", rng, canvas.width * rng.uniform(0.3, 0.7), foot, height=height)
    _populate(canvas, rng, horizon, "square")


OUTDOORS: dict[str, Callable[[Canvas, Random], None]] = {
    "street": street,
    "park": park,
    "crowd": crowd,
    "elephant": partial(savanna, animal="elephant"),
    "zebra": partial(savanna, animal="zebra"),
}
"""What draws a scene, by the scene's name."""


def _sky(canvas: Canvas, rng: Random, horizon: float) -> float:
    color, fade = rng.choice(_SKIES)
    width = canvas.width
    canvas.band("sky", color, 0, horizon, fade=fade)
    if rng.random() < 0.5:
        x, y = rng.uniform(0.1, 0.9) * width, horizon * rng.uniform(0.2, 0.7)
        canvas.detail(_SUN, *oval(x, y, width * 0.05, width * 0.05))
    for _ in range(rng.randrange(6)):
        x, y, size = rng.uniform(0, width), horizon * rng.uniform(0.05, 0.7), width * rng.uniform(0.05, 0.14)
        for shift in (-0.8, 0, 0.7):
            puff = oval(x + shift * size, y + abs(shift) * size * 0.15, size, size * 0.4)
            canvas.detail(shade(color, fade * 1.15), *puff)
    return horizon


def _houses(canvas: Canvas, rng: Random, horizon: float) -> None:
    x, lit = -rng.uniform(0, 0.1) * canvas.width, rng.random() < 0.3
    while x < canvas.width:
        width = canvas.width * rng.uniform(0.1, 0.3)
        top = horizon - canvas.height * rng.uniform(0.04, 0.5)
        if rng.random() < 0.88:
            _house(canvas, dice(rng.random()), (x, top, x + width, horizon + 1), lit=lit)
        x += width


def _house(canvas: Canvas, rng: Random, box: tuple[float, float, float, float], *, lit: bool) -> None:
    left, top, right, bottom = box
    wall = shade(rng.choice(palette("house")), rng.uniform(0.7, 1.15))
    canvas.surface("building", wall, *rect(*box), fade=rng.uniform(0.85, 1.1))
    pitch = canvas.height * rng.uniform(0.03, 0.09)
    if rng.random() < 0.5:
        canvas.surface("building", shade(wall, 0.55), (left, top), ((left + right) / 2, top - pitch), (right, top))
    else:
        canvas.bar(shade(wall, 0.7), left, top, right, top + 3)
    step, tall = rng.uniform(13, 22), rng.uniform(7, 12)
    y = top + 7
    while y + tall < bottom - 4:
        x = left + 5
        while x + step * 0.55 < right - 3:
            glow = lit and rng.random() < 0.5
            pane = _LAMPLIGHT if glow else shade(wall, rng.uniform(0.45, 0.6))
            canvas.bar(pane, x, y, x + step * 0.55, y + tall)
            x += step
        y += tall * 1.7


def _hills(canvas: Canvas, rng: Random, horizon: float) -> None:
    for distance in range(rng.randrange(1, 4)):
        color = shade(rng.choice(palette("leaf")), 1.3 - 0.2 * distance)
        x, size = rng.uniform(0, canvas.width), canvas.width * rng.uniform(0.3, 0.8)
        hill = oval(x, horizon + 2, size, canvas.height * rng.uniform(0.06, 0.28), 180, 360)
        canvas.surface("mountain", color, *hill)


def _trees(canvas: Canvas, rng: Random, horizon: float) -> None:
    ground = canvas.height - horizon
    for depth in sorted(rng.uniform(0.05, 0.5) for _ in range(rng.randrange(2, 6))):
        foot = horizon + depth * ground
        height = min(kind("tree").height / _EYE * depth * ground, foot * rng.uniform(0.8, 1.05))
        canvas.stand("tree", rng, rng.uniform(0, canvas.width), foot, height=height)


def _road_ahead(canvas: Canvas, rng: Random, horizon: float) -> None:
    vanish, middle = canvas.width * rng.uniform(0.2, 0.8), canvas.width * rng.uniform(0.2, 0.8)
    half, far = canvas.width * rng.uniform(0.4, 0.8), canvas.width * 0.02
    tarmac = shade(_TARMAC, rng.uniform(0.7, 1.2))

    def strip(left: float, right: float, near: float, end: float) -> list[Point]:
        """A piece of the road: sides from -1 to 1, depths from 0 (far) to 1."""
        corners = ((near, left), (near, right), (end, right), (end, left))
        return [
            (
                vanish + (middle - vanish) * depth + side * (far + (half - far) * depth),
                horizon + (canvas.height - horizon) * depth,
            )
            for depth, side in corners
        ]

    canvas.surface("road", tarmac, *strip(-1, 1, 0, 1), fade=0.8)
    for number in range(1, 7):
        near = number * number / 36
        canvas.detail(_LINE, *strip(-0.02, 0.02, near * 0.8, near))
    if rng.random() < 0.5:
        near = rng.uniform(0.35, 0.7)
        for stripe in range(-4, 5):
            canvas.detail(_LINE, *strip(stripe / 4.6, stripe / 4.6 + 0.1, near, near * 1.3))


def _road_across(canvas: Canvas, rng: Random, horizon: float) -> None:
    ground = canvas.height - horizon
    top, bottom = horizon + ground * rng.uniform(0.12, 0.3), horizon + ground * rng.uniform(0.5, 0.85)
    canvas.band("road", shade(_TARMAC, rng.uniform(0.7, 1.2)), top, bottom, fade=0.85)
    canvas.bar(shade(_LINE, 0.8), 0, bottom, canvas.width, bottom + 3)
    middle, x = (top + bottom) / 2, rng.uniform(-30, 0)
    while x < canvas.width:
        canvas.bar(_LINE, x, middle - 1, x + 22, middle + 1)
        x += 44


def _populate(canvas: Canvas, rng: Random, horizon: float, who: str, *, most: int = 6) -> None:
    """Stand up to `most` things of a group on the ground, far ones first."""
    ground = canvas.height - horizon
    for depth in sorted(rng.uniform(0.16, 1.0) ** 1.3 for _ in range(rng.randint(1 + most // 4, most))):
        name = rng.choice(group(who))
        foot = horizon + depth * ground
        height = kind(name).height / _EYE * depth * ground * rng.uniform(0.9, 1.1)
        if height * kind(name).aspect < canvas.width * 0.9:
            canvas.stand(name, rng, rng.uniform(0.03, 0.97) * canvas.width, foot, height=height)


def _signals(canvas: Canvas, rng: Random, horizon: float) -> None:
    ground = canvas.height - horizon
    for _ in range(rng.randrange(3)):
        name, depth = rng.choice(group("street, signals")), rng.uniform(0.15, 0.6)
        foot, x = horizon + depth * ground, rng.uniform(0.05, 0.95) * canvas.width
        metre = depth * ground / _EYE
        canvas.bar(_POST, x - metre * 0.05, foot - 2.6 * metre, x + metre * 0.05, foot)
        canvas.stand(name, rng, x, foot - 2.3 * metre, height=kind(name).height * metre)


def _cyclist(canvas: Canvas, rng: Random, horizon: float) -> None:
    depth = rng.uniform(0.35, 0.9)
    metre = depth * (canvas.height - horizon) / _EYE
    x, foot = rng.uniform(0.2, 0.8) * canvas.width, horizon + depth * (canvas.height - horizon)
    wheels = kind("bicycle")
    width = wheels.aspect * metre
    if canvas.stand("bicycle", rng, x, foot, height=wheels.height * metre):
        left, top = x - width * 0.28, foot - metre * 1.75
        drawing = kind("rider").draw(rng)
        canvas.draw("rider", drawing, lambda u, v: (left + u * width * 0.5, top + v * metre * 1.4))
