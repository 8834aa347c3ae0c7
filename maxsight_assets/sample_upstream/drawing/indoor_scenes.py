"""Kitchens, laid tables, hallways and living rooms.

A kitchen and a living room are seen square on, with one scale for what stands at the wall; a hallway has one vanishing
point. Only proportions are meant to be right.
"""

from collections.abc import Callable
from random import Random

from maxsight_assets.sample_upstream.drawing.canvas import Canvas, View
from maxsight_assets.sample_upstream.drawing.shapes import rect, shade
from maxsight_assets.sample_upstream.drawing.things import group, kind, palette


def kitchen(canvas: Canvas, rng: Random) -> None:
    """A counter along a wall, what stands on it, appliances, and often a table in front."""
    width, height = canvas.width, canvas.height
    counter, floor = height * rng.uniform(0.44, 0.62), height * rng.uniform(0.8, 0.92)
    metre = (floor - counter) / 0.9
    _wall(canvas, rng, floor)
    _floor(canvas, rng, floor)
    if rng.random() < 0.75:
        x, size = width * rng.uniform(0.2, 0.8), metre * rng.uniform(0.5, 0.9)
        canvas.stand("window", rng, x, counter - metre * 0.25, height=size)
    for _ in range(rng.randrange(3)):
        x, size = width * rng.uniform(0, 1), metre * rng.uniform(0.4, 0.6)
        canvas.stand("cabinet", rng, x, counter - metre * 0.55, height=size)
    canvas.stand("clock", rng, width * rng.uniform(0.1, 0.9), counter - metre * 0.7, height=metre * 0.28)
    side = rng.choice((0.07, 0.93))
    fridge = rng.random() < 0.6 and canvas.stand("refrigerator", rng, width * side, floor + 4, height=metre * 1.9)
    _counter(canvas, rng, (counter, floor))
    if fridge:
        canvas.stand("oven", rng, width * rng.uniform(0.3, 0.7), floor + 2, height=metre * 0.84)
    _row(canvas, rng, "counter", foot=counter + 3, metre=metre * 1.5)
    if rng.random() < 0.4:
        x, size = width * rng.uniform(0.25, 0.75), height * rng.uniform(0.7, 0.85)
        canvas.stand("person", rng, x, height * 1.02, height=size)
    if rng.random() < 0.55:
        _seats(canvas, rng, height * rng.uniform(0.98, 1.08), height * rng.uniform(0.3, 0.45))


def table(canvas: Canvas, rng: Random) -> None:
    """A table close up, laid for a meal."""
    width, height = canvas.width, canvas.height
    edge = height * rng.uniform(0.3, 0.6)
    _wall(canvas, rng, edge)
    behind = rng.choice(("window", "painting", "cabinet"))
    x, size = width * rng.uniform(0.1, 0.9), edge * rng.uniform(0.4, 0.65)
    canvas.stand(behind, rng, x, edge * 0.75, height=size)
    top = rng.choice(palette("furniture"))
    left, right = width * rng.uniform(-0.2, 0.12), width * rng.uniform(0.88, 1.2)
    corners = ((left, edge), (right, edge), (right * 1.2, height), (left - width * 0.2, height))
    canvas.surface("table", top, *corners, fade=rng.choice((0.75, 1.2)))
    for stripe in range(rng.choice((0, 5, 9))):
        x = width * (stripe + 0.5) / 8
        near = width / 2 + (x - width / 2) * 1.3
        canvas.detail(shade(top, 0.9), (x, edge), (x + 2, edge), (near + 4, height), (near, height))
    for depth in sorted(rng.uniform(0.1, 1) for _ in range(rng.randint(4, 9))):
        foot = edge + (height - edge) * depth
        name = rng.choice(group("table"))
        size = kind(name).height * height * (1.1 + 1.3 * depth)
        canvas.stand(name, rng, rng.uniform(0.08, 0.92) * width, foot, height=min(size, height * 0.7))


def living_room(canvas: Canvas, rng: Random) -> None:
    """Couch or bed, screen, plants, pictures on the wall."""
    width, height = canvas.width, canvas.height
    floor = height * rng.uniform(0.55, 0.75)
    metre = height * rng.uniform(0.26, 0.36)
    _wall(canvas, rng, floor)
    _floor(canvas, rng, floor)
    if rng.random() < 0.6:
        cloth, x = rng.choice(palette("paint")), rng.uniform(0.2, 0.8) * width
        spread = width * rng.uniform(0.2, 0.4)
        far, near = floor + 12, floor + (height - floor) * 0.85
        corners = ((x - spread, far), (x + spread, far), (x + spread * 1.3, near), (x - spread * 1.3, near))
        canvas.surface("rug", cloth, *corners, fade=0.8)
    for name in rng.sample(group("living room, wall"), rng.randint(1, 3)):
        size = metre * kind(name).height * rng.uniform(0.9, 1.3)
        canvas.stand(name, rng, rng.uniform(0.1, 0.9) * width, floor - metre * rng.uniform(0.8, 1.0), height=size)
    _row(canvas, rng, "living room, back", foot=floor + height * 0.05, metre=metre)
    for name in rng.sample(group("living room, front"), rng.randint(1, 3)):
        foot = height * rng.uniform(0.85, 1.05)
        canvas.stand(name, rng, rng.uniform(0.08, 0.92) * width, foot, height=metre * 1.35 * kind(name).height)


def gallery(canvas: Canvas, rng: Random) -> None:
    """A painted person on a wall, and what stands below."""
    floor = canvas.height * rng.uniform(0.65, 0.75)
    _wall(canvas, rng, floor)
    _floor(canvas, rng, floor)
    canvas.stand("portrait", rng, canvas.width / 2, floor * 0.68, height=floor * 0.55)
    foot, metre = floor + canvas.height * 0.08, canvas.height * 0.25
    _row(canvas, rng, "gallery", foot=foot, metre=metre)


def hallway(canvas: Canvas, rng: Random) -> None:
    """A corridor with doors and their handles, at times stairs at its end."""
    width, height = canvas.width, canvas.height
    x, y = width * rng.uniform(0.25, 0.75), height * rng.uniform(0.34, 0.56)
    reach = rng.uniform(0.18, 0.42)
    left, right = x - width * reach * rng.uniform(0.4, 0.9), x + width * reach * rng.uniform(0.4, 0.9)
    top, bottom = y * (1 - reach), y + (height - y) * reach
    paint = shade(rng.choice(palette("wall")), rng.uniform(0.75, 1.0))
    canvas.surface("ceiling", shade(paint, 1.12), (0, 0), (width, 0), (right, top), (left, top), fade=0.85)
    corners = ((0, height), (width, height), (right, bottom), (left, bottom))
    canvas.surface("floor", rng.choice(palette("floor")), *corners, fade=1.15)
    for line in range(-6, 7):
        near, far = width / 2 + line * width / 7, (left + right) / 2 + line * (right - left) / 13
        canvas.detail((90, 84, 80), (near, height), (near + 1.5, height), (far, bottom))
    canvas.surface("wall", shade(paint, 0.8), (0, 0), (left, top), (left, bottom), (0, height))
    canvas.surface("wall", shade(paint, 0.92), (width, 0), (right, top), (right, bottom), (width, height))
    canvas.surface("wall", paint, *rect(left, top, right, bottom), fade=0.9)
    for lamp in (0.25, 0.6):
        x0, upper, lower = left * lamp + (right - left * lamp) * 0.5, top * lamp, top * (lamp + 0.12)
        canvas.detail((255, 248, 220), (x0 - 14, upper), (x0 + 14, upper), (x0 + 9, lower), (x0 - 9, lower))
    _end_wall(canvas, rng, (left, top, right, bottom))
    for wall in ((0.0, left, True), (float(width), right, False)):
        _side_doors(canvas, rng, wall, (top, bottom))
    for depth in sorted(rng.uniform(0.3, 0.95) for _ in range(rng.randint(1, 4))):
        name = rng.choice(group("hallway"))
        foot = bottom + (height - bottom) * depth
        metre = (foot - y) / 1.6
        canvas.stand(name, rng, rng.uniform(0.15, 0.85) * width, foot, height=metre * kind(name).height)


INDOORS: dict[str, Callable[[Canvas, Random], None]] = {
    "kitchen": kitchen,
    "table": table,
    "living room": living_room,
    "gallery": gallery,
    "hallway": hallway,
}
"""What draws a scene, by the scene's name."""


def _end_wall(canvas: Canvas, rng: Random, wall: tuple[float, float, float, float]) -> None:
    left, top, right, bottom = wall
    width, height = right - left, bottom - top
    middle = left + width * rng.uniform(0.35, 0.65)
    name = rng.choice(group("hallway, end"))
    if name in {"door", "stairs"}:
        share = 0.82 if name == "door" else 0.6
        canvas.stand(name, rng, middle, bottom + 2, height=min(height * share, width * 0.8 / kind(name).aspect))
        return
    canvas.stand(name, rng, middle, top + height * 0.6, height=min(height * 0.4, width * 0.6 / kind(name).aspect))


def _side_doors(canvas: Canvas, rng: Random, wall: tuple[float, float, bool], end: tuple[float, float]) -> None:
    """Doors in a wall that runs from a picture edge (`wall[0]`) to the corridor's end (`wall[1]`)."""
    near, far, mirrored = wall
    top, bottom = end

    def on_wall(start: float, stop: float, rise: tuple[float, float]) -> View:
        def view(u: float, v: float) -> tuple[float, float]:
            along = start + (stop - start) * (1 - u if mirrored else u)
            upper, lower = top * along, canvas.height + (bottom - canvas.height) * along
            level = rise[0] + (rise[1] - rise[0]) * v
            return near + (far - near) * along, upper + (lower - upper) * level

        return view

    start = rng.uniform(0.05, 0.35)
    while start < 0.8:
        stop = start + rng.uniform(0.2, 0.32)
        if stop > 0.97 or abs(far - near) < 30:
            return
        canvas.draw("door", kind("door").draw(rng), on_wall(start, stop, (0.24, 1.0)))
        knob = start + (stop - start) * 0.82
        handle = kind("door handle").draw(rng)
        canvas.draw("door handle", handle, on_wall(knob, knob + (stop - start) * 0.15, (0.6, 0.67)))
        start = stop + rng.uniform(0.1, 0.3)


def _wall(canvas: Canvas, rng: Random, bottom: float) -> None:
    paint = shade(rng.choice(palette("wall")), rng.uniform(0.7, 1.05))
    width = canvas.width
    canvas.band("wall", paint, 0, bottom, fade=rng.choice((0.75, 1.0, 1.2)))
    pattern, seam = rng.choice(("plain", "tiles", "stripes", "boards")), shade(paint, 0.88)
    step = rng.uniform(14, 30)
    rows = int(bottom / step) + 1 if pattern in {"tiles", "boards"} else 0
    columns = int(width / step) + 1 if pattern in {"tiles", "stripes"} else 0
    for row in range(rows):
        canvas.bar(seam, 0, row * step, width, row * step + 1)
    for column in range(columns):
        color, thick = (shade(paint, 0.93), step / 2) if pattern == "stripes" else (seam, 1)
        canvas.bar(color, column * step, 0, column * step + thick, bottom)


def _floor(canvas: Canvas, rng: Random, top: float) -> None:
    color, width, height = shade(rng.choice(palette("floor")), rng.uniform(0.8, 1.1)), canvas.width, canvas.height
    canvas.band("floor", color, top, height, fade=rng.choice((0.8, 1.2)))
    canvas.bar(shade(color, 0.6), 0, top, width, top + 3)
    for line in range(-8, 9):
        x = width / 2 + line * width / 9
        spread = width / 2 + (x - width / 2) * 1.6
        canvas.detail(shade(color, 0.85), (x, top + 3), (x + 1, top + 3), (spread + 1.5, height), (spread, height))


def _counter(canvas: Canvas, rng: Random, span: tuple[float, float]) -> None:
    top, floor = span
    wood, width = rng.choice(palette("furniture")), canvas.width
    left, right = rng.choice(((0.16, 1.0), (0.0, 0.84), (0.0, 1.0), (0.16, 0.84)))
    canvas.surface("cabinet front", wood, *rect(left * width, top, right * width, floor), fade=0.85)
    doors = rng.randint(4, 8)
    for door in range(doors):
        x = width * (left + (right - left) * door / doors)
        canvas.bar(shade(wood, 0.75), x, top + 8, x + 1.5, floor)
        canvas.bar(shade(wood, 0.5), x + 6, top + 16, x + 16, top + 19)
    slab = rng.choice(palette("slab"))
    canvas.surface("countertop", slab, *rect(left * width, top, right * width, top + 7))


def _row(canvas: Canvas, rng: Random, who: str, *, foot: float, metre: float) -> None:
    """Things of a group side by side on one line, with gaps."""
    x = canvas.width * rng.uniform(0.0, 0.15)
    while x < canvas.width * 0.95:
        name = rng.choice(group(who))
        height = metre * kind(name).height * rng.uniform(0.9, 1.15)
        width = height * kind(name).aspect
        canvas.stand(name, rng, x + width / 2, foot, height=height)
        x += width + canvas.width * rng.uniform(0.01, 0.16)


def _seats(canvas: Canvas, rng: Random, foot: float, height: float) -> None:
    x = canvas.width * rng.uniform(0.25, 0.75)
    reach = height * kind("dining table").aspect / 2
    for side in rng.sample((-1.15, 1.15), rng.randint(1, 2)):
        canvas.stand("chair", rng, x + side * reach, foot, height=height * 1.2)
    if canvas.stand("dining table", rng, x, foot, height=height):
        for name in rng.sample(group("table"), 2):
            place = x + rng.uniform(-0.7, 0.7) * reach
            canvas.stand(name, rng, place, foot - height * 0.88, height=height * kind(name).height * 1.3)
