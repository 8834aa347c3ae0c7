# ruff: noqa: D103 (the function's name says what it draws)
"""People, animals, vehicles and what stands in streets and parks: one function draws one into the unit square.

Sizes and names are in `things`; what is drawn here is a likeness, nothing more.
"""

from random import Random

from maxsight_assets.sample_upstream.shapes import (
    BLACK,
    GLASS,
    LEAF,
    PAINT,
    SKIN,
    STEEL,
    WHITE,
    WOOD,
    Color,
    Drawing,
    Part,
    line,
    oval,
    poly,
    rect,
    ring,
    shade,
)


def person(rng: Random) -> Drawing:
    skin, top, legs = rng.choice(SKIN), rng.choice(PAINT), shade(rng.choice(PAINT), 0.6)
    hair, stride = rng.choice([BLACK, (96, 62, 38), (190, 150, 90), (150, 150, 154)]), rng.uniform(0.02, 0.16)
    return [
        line(legs, (0.45, 0.52), (0.42 - stride, 0.95), wide=0.19, tall=0.04),
        line(shade(legs, 0.85), (0.57, 0.52), (0.58 + stride, 0.95), wide=0.19, tall=0.04),
        oval(BLACK, 0.38 - stride, 0.97, 0.14, 0.03),
        oval(BLACK, 0.56 + stride, 0.97, 0.14, 0.03),
        line(shade(top, 0.8), (0.74, 0.22), (0.88, 0.5), wide=0.15, tall=0.05),
        oval(skin, 0.89, 0.53, 0.08, 0.03),
        poly(top, 0.26, 0.19, 0.4, 0.155, 0.62, 0.155, 0.78, 0.19, 0.75, 0.56, 0.28, 0.56),
        line(shade(top, 0.9), (0.27, 0.22), (0.13, 0.5), wide=0.15, tall=0.05),
        oval(skin, 0.12, 0.53, 0.08, 0.03),
        rect(shade(skin, 0.85), 0.44, 0.12, 0.58, 0.17),
        oval(skin, 0.51, 0.08, 0.17, 0.075),
        oval(hair, 0.51, 0.07, 0.19, 0.07, 175, 365),
    ]


def rider(rng: Random) -> Drawing:
    skin, top, legs = rng.choice(SKIN), rng.choice(PAINT), shade(rng.choice(PAINT), 0.6)
    return [
        line(legs, (0.3, 0.52), (0.58, 0.7), wide=0.2, tall=0.1),
        line(legs, (0.58, 0.7), (0.45, 0.97), wide=0.16, tall=0.08),
        oval(BLACK, 0.5, 0.97, 0.13, 0.03),
        line(top, (0.32, 0.54), (0.56, 0.26), wide=0.3, tall=0.16),
        line(shade(top, 0.85), (0.56, 0.28), (0.92, 0.48), wide=0.11, tall=0.06),
        oval(skin, 0.65, 0.12, 0.17, 0.09),
        oval(rng.choice(PAINT), 0.64, 0.1, 0.2, 0.09, 170, 370),
    ]


def people(rng: Random) -> Drawing:
    """A crowd: three rows of people, the nearest in front."""
    parts: Drawing = []
    for row, count in enumerate((8, 7, 6)):
        for place in range(count):
            left = (place + rng.uniform(0, 0.4)) / (count + 0.4)
            width, top = 1.15 / (count + 0.4), 0.04 + 0.13 * row + rng.uniform(0, 0.05)
            for part in person(rng):
                points = tuple((left + x * width * 0.86, top + y * (0.68 - top * 0.2)) for x, y in part.points)
                parts.append(Part(points, part.color))
    return parts


def car(rng: Random) -> Drawing:
    body = rng.choice(PAINT)
    roof = rng.uniform(0.02, 0.1)
    return [
        poly(shade(body, 0.9), 0.2, 0.42, 0.3, roof, 0.68, roof, 0.84, 0.42),
        poly(GLASS, 0.26, 0.4, 0.33, roof + 0.07, 0.48, roof + 0.07, 0.48, 0.4),
        poly(GLASS, 0.51, 0.4, 0.51, roof + 0.07, 0.65, roof + 0.07, 0.77, 0.4),
        poly(body, 0.02, 0.46, 0.2, 0.4, 0.82, 0.4, 0.97, 0.5, 0.99, 0.76, 0.01, 0.78),
        rect(shade(body, 0.7), 0.01, 0.68, 0.99, 0.78),
        rect(shade(body, 0.75), 0.49, 0.42, 0.5, 0.68),
        oval((250, 232, 170), 0.96, 0.56, 0.025, 0.05),
        rect((190, 40, 40), 0.01, 0.5, 0.04, 0.6),
        *(oval(BLACK, x, 0.79, 0.095, 0.21) for x in (0.22, 0.78)),
        *(oval(STEEL, x, 0.79, 0.05, 0.11) for x in (0.22, 0.78)),
    ]


def car_rear(rng: Random) -> Drawing:
    body = rng.choice(PAINT)
    return [
        rect(BLACK, 0.08, 0.8, 0.26, 1),
        rect(BLACK, 0.74, 0.8, 0.92, 1),
        poly(shade(body, 0.92), 0.1, 0.44, 0.2, 0.02, 0.8, 0.02, 0.9, 0.44),
        poly(shade(GLASS, 0.7), 0.18, 0.4, 0.25, 0.1, 0.75, 0.1, 0.82, 0.4),
        poly(body, 0.02, 0.5, 0.1, 0.42, 0.9, 0.42, 0.98, 0.5, 0.98, 0.88, 0.02, 0.88),
        rect(shade(body, 0.6), 0.02, 0.78, 0.98, 0.88),
        rect((214, 44, 40), 0.04, 0.5, 0.2, 0.62),
        rect((214, 44, 40), 0.8, 0.5, 0.96, 0.62),
        rect(WHITE, 0.38, 0.58, 0.62, 0.7),
    ]


def bus(rng: Random) -> Drawing:
    body = rng.choice(PAINT)
    return [
        rect(body, 0.01, 0.03, 0.99, 0.88),
        rect(shade(body, 0.7), 0.01, 0.74, 0.99, 0.88),
        rect(shade(body, 1.2), 0.01, 0.03, 0.99, 0.1),
        *(rect(GLASS, 0.04 + 0.13 * i, 0.18, 0.15 + 0.13 * i, 0.5) for i in range(6)),
        rect(shade(GLASS, 0.8), 0.84, 0.18, 0.97, 0.84),
        rect(BLACK, 0.9, 0.18, 0.91, 0.84),
        *(oval(BLACK, x, 0.88, 0.06, 0.12) for x in (0.2, 0.74)),
        *(oval(STEEL, x, 0.88, 0.03, 0.06) for x in (0.2, 0.74)),
    ]


def truck(rng: Random) -> Drawing:
    cab, load = rng.choice(PAINT), rng.choice((WHITE, *PAINT))
    return [
        rect(load, 0.01, 0.02, 0.68, 0.8),
        *(rect(shade(load, 0.9), 0.08 + 0.12 * i, 0.02, 0.09 + 0.12 * i, 0.8) for i in range(5)),
        poly(cab, 0.7, 0.24, 0.88, 0.24, 0.97, 0.5, 0.99, 0.82, 0.7, 0.82),
        poly(GLASS, 0.76, 0.3, 0.86, 0.3, 0.93, 0.5, 0.76, 0.5),
        rect(shade(BLACK, 1.6), 0.01, 0.8, 0.99, 0.86),
        *(oval(BLACK, x, 0.87, 0.07, 0.13) for x in (0.15, 0.32, 0.84)),
        *(oval(STEEL, x, 0.87, 0.03, 0.06) for x in (0.15, 0.32, 0.84)),
    ]


def bicycle(rng: Random) -> Drawing:
    frame = rng.choice(PAINT)
    bars = [((0.22, 0.68), (0.4, 0.3)), ((0.4, 0.3), (0.7, 0.28)), ((0.22, 0.68), (0.5, 0.7)), ((0.5, 0.7), (0.4, 0.3))]
    bars += [((0.5, 0.7), (0.7, 0.3)), ((0.7, 0.14), (0.79, 0.68))]
    return [
        *(ring(BLACK, x, 0.68, 0.2, 0.31, rim=0.16) for x in (0.21, 0.79)),
        *(line(frame, start, end, wide=0.035, tall=0.05) for start, end in bars),
        line(BLACK, (0.63, 0.12), (0.78, 0.1), wide=0.04, tall=0.06),
        oval(BLACK, 0.39, 0.25, 0.08, 0.05),
        oval(STEEL, 0.5, 0.7, 0.05, 0.08),
    ]


def motorcycle(rng: Random) -> Drawing:
    body = rng.choice(PAINT)
    return [
        *(ring(BLACK, x, 0.72, 0.2, 0.28, rim=0.36) for x in (0.2, 0.8)),
        line(STEEL, (0.68, 0.14), (0.8, 0.72), wide=0.05, tall=0.07),
        poly(shade(BLACK, 1.5), 0.34, 0.5, 0.64, 0.5, 0.6, 0.82, 0.38, 0.82),
        poly(body, 0.08, 0.42, 0.36, 0.34, 0.5, 0.26, 0.68, 0.28, 0.7, 0.5, 0.4, 0.56, 0.16, 0.54),
        oval(BLACK, 0.32, 0.36, 0.15, 0.07),
        line(STEEL, (0.12, 0.78), (0.46, 0.78), wide=0.05, tall=0.06),
        line(BLACK, (0.58, 0.12), (0.72, 0.16), wide=0.04, tall=0.06),
        oval((250, 232, 170), 0.76, 0.3, 0.045, 0.07),
    ]


def wheelchair(rng: Random) -> Drawing:
    seat = rng.choice(PAINT)
    return [
        line(STEEL, (0.14, 0.06), (0.3, 0.1), wide=0.05),
        line(STEEL, (0.3, 0.08), (0.34, 0.62), wide=0.05),
        rect(seat, 0.3, 0.14, 0.4, 0.52),
        rect(shade(seat, 0.85), 0.32, 0.5, 0.76, 0.58),
        line(STEEL, (0.36, 0.36), (0.7, 0.36), wide=0.04),
        line(STEEL, (0.74, 0.54), (0.86, 0.88), wide=0.04),
        rect(BLACK, 0.8, 0.86, 0.99, 0.91),
        ring(BLACK, 0.36, 0.68, 0.33, 0.31, rim=0.13),
        ring(STEEL, 0.36, 0.68, 0.24, 0.22, rim=0.1),
        oval(STEEL, 0.36, 0.68, 0.05, 0.05),
        ring(BLACK, 0.76, 0.9, 0.1, 0.09, rim=0.4),
    ]


def traffic_light(rng: Random) -> Drawing:
    lit = rng.randrange(3)
    colors: tuple[Color, ...] = ((236, 60, 48), (246, 196, 60), (72, 200, 110))
    lamps = [oval(shade(c, 1 if i == lit else 0.3), 0.5, 0.19 + 0.31 * i, 0.27, 0.115) for i, c in enumerate(colors)]
    return [rect((28, 30, 32), 0.04, 0.01, 0.96, 0.99), *lamps]


def stop_sign(rng: Random) -> Drawing:
    angles = (0.03, 0.31, 0.31, 0.03, 0.69, 0.03, 0.97, 0.31, 0.97, 0.69, 0.69, 0.97, 0.31, 0.97, 0.03, 0.69)
    inner = tuple(0.5 + (number - 0.5) * 0.88 for number in angles)
    red = (198 + rng.randrange(20), 36, 40)
    return [
        poly(WHITE, *angles),
        poly(red, *inner),
        *(rect(WHITE, x, 0.4, x + 0.1, 0.6) for x in (0.2, 0.37, 0.54, 0.7)),
    ]


def traffic_sign(rng: Random) -> Drawing:
    if rng.random() < 0.5:
        return [
            oval((200, 40, 44), 0.5, 0.5, 0.48, 0.48),
            oval(WHITE, 0.5, 0.5, 0.36, 0.36),
            rect(BLACK, 0.4, 0.3, 0.6, 0.7),
        ]
    return [
        rect((38, 88, 160), 0.02, 0.02, 0.98, 0.98),
        poly(WHITE, 0.5, 0.15, 0.8, 0.55, 0.6, 0.55, 0.6, 0.85, 0.4, 0.85, 0.4, 0.55, 0.2, 0.55),
    ]


def fire_hydrant(rng: Random) -> Drawing:
    red = rng.choice([(206, 50, 40), (236, 190, 50)])
    return [
        rect(red, 0.24, 0.24, 0.76, 0.94),
        oval(shade(red, 0.9), 0.5, 0.24, 0.3, 0.2, 180, 360),
        rect(shade(red, 0.7), 0.14, 0.24, 0.86, 0.31),
        rect(shade(red, 0.8), 0.02, 0.44, 0.98, 0.6),
        oval(STEEL, 0.5, 0.52, 0.17, 0.09),
        rect(shade(red, 0.7), 0.12, 0.9, 0.88, 0.99),
    ]


def bench(rng: Random) -> Drawing:
    wood = rng.choice(WOOD)
    return [
        *(rect(BLACK, x, 0.05, x + 0.04, 0.99) for x in (0.08, 0.88)),
        *(rect(BLACK, x, 0.55, x + 0.04, 0.96) for x in (0.18, 0.78)),
        *(rect(shade(wood, 1 - 0.07 * i), 0.02, 0.04 + 0.15 * i, 0.98, 0.14 + 0.15 * i) for i in range(3)),
        poly(shade(wood, 1.1), 0.06, 0.52, 0.94, 0.52, 0.99, 0.64, 0.01, 0.64),
    ]


def tree(rng: Random) -> Drawing:
    leaf, bark = rng.choice(LEAF), shade(rng.choice(WOOD), 0.7)
    blobs = [(0.5, 0.22, 0.3), (0.27, 0.36, 0.25), (0.74, 0.36, 0.25), (0.42, 0.48, 0.27), (0.64, 0.5, 0.24)]
    return [
        poly(bark, 0.44, 0.5, 0.56, 0.5, 0.61, 1, 0.39, 1),
        *(oval(shade(leaf, 0.75 + 0.45 * rng.random()), x, y, size, size * 0.72) for x, y, size in blobs),
    ]


def dog(rng: Random) -> Drawing:
    coat = rng.choice(((150, 104, 62), (206, 172, 122), (60, 52, 48), (226, 220, 208)))
    dark = shade(coat, 0.78)
    return [
        line(coat, (0.1, 0.42), (0.03, 0.12), wide=0.07),
        *(rect(dark, x, 0.55, x + 0.08, 0.99) for x in (0.2, 0.6)),
        *(rect(coat, x, 0.55, x + 0.08, 0.99) for x in (0.12, 0.68)),
        oval(coat, 0.42, 0.5, 0.34, 0.2),
        line(coat, (0.66, 0.5), (0.78, 0.24), wide=0.2),
        oval(coat, 0.8, 0.2, 0.13, 0.16),
        oval(coat, 0.91, 0.25, 0.09, 0.08),
        oval(BLACK, 0.98, 0.23, 0.02, 0.03),
        oval(dark, 0.73, 0.2, 0.05, 0.15),
        oval(BLACK, 0.84, 0.16, 0.016, 0.024),
    ]


def cat(rng: Random) -> Drawing:
    coat = rng.choice(((216, 142, 70), (110, 110, 114), (44, 42, 44), (232, 226, 214)))
    return [
        line(coat, (0.2, 0.9), (0.03, 0.5), wide=0.1, tall=0.08),
        oval(coat, 0.44, 0.72, 0.34, 0.27),
        *(rect(coat, x, 0.7, x + 0.1, 0.99) for x in (0.52, 0.68)),
        oval(coat, 0.66, 0.3, 0.27, 0.2),
        poly(coat, 0.42, 0.26, 0.44, 0.02, 0.6, 0.14),
        poly(coat, 0.72, 0.14, 0.88, 0.02, 0.91, 0.26),
        *(oval((120, 160, 60), x, 0.28, 0.045, 0.04) for x in (0.57, 0.76)),
        *(oval(BLACK, x, 0.28, 0.02, 0.035) for x in (0.57, 0.76)),
        oval((200, 120, 120), 0.67, 0.36, 0.03, 0.02),
    ]


def bird(rng: Random) -> Drawing:
    coat = rng.choice(((120, 124, 132), (70, 60, 54), (224, 222, 216), (64, 96, 150)))
    return [
        *(line((200, 120, 60), (x, 0.72), (x, 0.99), wide=0.04) for x in (0.48, 0.56)),
        poly(shade(coat, 0.7), 0.02, 0.72, 0.36, 0.5, 0.4, 0.66),
        oval(coat, 0.5, 0.56, 0.28, 0.22),
        oval(shade(coat, 0.8), 0.42, 0.54, 0.2, 0.13),
        oval(coat, 0.74, 0.26, 0.14, 0.18),
        poly((232, 170, 60), 0.86, 0.22, 0.99, 0.28, 0.86, 0.33),
        oval(BLACK, 0.78, 0.22, 0.022, 0.03),
    ]


def elephant(rng: Random) -> Drawing:
    gray = shade((138, 134, 134), rng.uniform(0.85, 1.1))
    return [
        *(rect(shade(gray, 0.8), x, 0.5, x + 0.13, 0.98) for x in (0.22, 0.56)),
        *(rect(gray, x, 0.5, x + 0.14, 0.99) for x in (0.1, 0.44)),
        oval(gray, 0.38, 0.4, 0.36, 0.34),
        line(gray, (0.05, 0.3), (0.02, 0.66), wide=0.025),
        oval(gray, 0.76, 0.28, 0.17, 0.24),
        poly(gray, 0.84, 0.22, 0.95, 0.4, 0.99, 0.88, 0.91, 0.9, 0.86, 0.56, 0.76, 0.42),
        oval(shade(gray, 0.85), 0.65, 0.3, 0.13, 0.25),
        line(WHITE, (0.82, 0.5), (0.95, 0.6), wide=0.03, tall=0.04),
        oval(BLACK, 0.83, 0.22, 0.012, 0.016),
    ]


def zebra(rng: Random) -> Drawing:
    coat = shade(WHITE, rng.uniform(0.92, 1))
    return [
        *(rect(coat, x, 0.5, x + 0.07, 0.99) for x in (0.14, 0.24, 0.55, 0.65)),
        oval(coat, 0.42, 0.45, 0.33, 0.19),
        line(coat, (0.68, 0.42), (0.84, 0.14), wide=0.17, tall=0.15),
        poly(coat, 0.78, 0.06, 0.88, 0.08, 0.99, 0.3, 0.93, 0.36, 0.8, 0.24),
        *(line(BLACK, (x, 0.3), (x - 0.03, 0.6), wide=0.026) for x in (0.18, 0.26, 0.34, 0.42, 0.5, 0.58, 0.65)),
        *(
            line(BLACK, (x, 0.36 - i * 0.09), (x + 0.1, 0.42 - i * 0.09), wide=0.02)
            for i, x in enumerate((0.65, 0.7, 0.74))
        ),
        *(rect(BLACK, x, y, x + 0.07, y + 0.035) for x in (0.14, 0.24, 0.55, 0.65) for y in (0.68, 0.78, 0.96)),
        line(BLACK, (0.1, 0.4), (0.05, 0.7), wide=0.025),
        oval(BLACK, 0.97, 0.32, 0.03, 0.04),
    ]


def umbrella(rng: Random) -> Drawing:
    cloth = rng.choice(PAINT)
    panels = [oval(shade(cloth, 1 - 0.14 * (i % 2)), 0.5, 0.5, 0.49 - 0.16 * i, 0.47, 180, 360) for i in range(3)]
    return [rect(BLACK, 0.485, 0.4, 0.515, 0.95), oval(BLACK, 0.54, 0.95, 0.05, 0.04), *panels]


def suitcase(rng: Random) -> Drawing:
    body = rng.choice(PAINT)
    return [
        ring(BLACK, 0.5, 0.14, 0.22, 0.13, rim=0.3),
        rect(body, 0.04, 0.16, 0.96, 0.93),
        *(rect(shade(body, 0.8), x, 0.16, x + 0.06, 0.93) for x in (0.2, 0.74)),
        *(oval(BLACK, x, 0.95, 0.07, 0.045) for x in (0.16, 0.84)),
    ]


def backpack(rng: Random) -> Drawing:
    body = rng.choice(PAINT)
    return [
        ring(shade(body, 0.6), 0.5, 0.1, 0.16, 0.09, rim=0.35),
        oval(body, 0.5, 0.42, 0.44, 0.36),
        rect(body, 0.06, 0.4, 0.94, 0.98),
        rect(shade(body, 0.8), 0.18, 0.56, 0.82, 0.9),
        rect(shade(body, 0.6), 0.18, 0.62, 0.82, 0.66),
    ]


def kite(rng: Random) -> Drawing:
    one, two = rng.sample(PAINT, 2)
    return [
        line(WHITE, (0.5, 0.7), (0.3, 0.99), wide=0.05),
        poly(one, 0.5, 0.01, 0.97, 0.32, 0.5, 0.78),
        poly(two, 0.5, 0.01, 0.03, 0.32, 0.5, 0.78),
    ]


def ball(rng: Random) -> Drawing:
    one, two = rng.sample(PAINT, 2)
    return [
        oval(one, 0.5, 0.5, 0.49, 0.49),
        oval(two, 0.5, 0.5, 0.49, 0.2),
        oval(shade(one, 1.3), 0.36, 0.3, 0.12, 0.1),
    ]
