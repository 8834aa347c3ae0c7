# ruff: noqa: D103 (the function's name says what it draws)
"""Furniture, appliances, tableware, food, doors and stairs: one function draws one into the unit square.

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
    Drawing,
    line,
    oval,
    poly,
    rect,
    ring,
    shade,
)


def chair(rng: Random) -> Drawing:
    wood, seat = rng.choice(WOOD), rng.choice((*WOOD, *PAINT))
    return [
        *(rect(shade(wood, 0.7), x, 0.52, x + 0.07, 0.9) for x in (0.28, 0.66)),
        *(rect(wood, x, 0.02, x + 0.08, 0.6) for x in (0.12, 0.8)),
        *(rect(shade(wood, 0.9), 0.14, y, 0.86, y + 0.08) for y in (0.05, 0.2, 0.35)),
        poly(seat, 0.14, 0.5, 0.86, 0.5, 0.97, 0.62, 0.03, 0.62),
        *(rect(wood, x, 0.62, x + 0.09, 0.99) for x in (0.05, 0.86)),
    ]


def dining_table(rng: Random) -> Drawing:
    wood = rng.choice((*WOOD, WHITE))
    return [
        *(rect(shade(wood, 0.6), x, 0.2, x + 0.05, 0.84) for x in (0.2, 0.75)),
        poly(wood, 0.12, 0.02, 0.88, 0.02, 0.99, 0.2, 0.01, 0.2),
        rect(shade(wood, 0.8), 0.01, 0.2, 0.99, 0.3),
        *(rect(shade(wood, 0.75), x, 0.3, x + 0.06, 0.99) for x in (0.04, 0.9)),
    ]


def couch(rng: Random) -> Drawing:
    cloth = rng.choice(PAINT)
    return [
        *(rect(BLACK, x, 0.9, x + 0.05, 0.99) for x in (0.08, 0.87)),
        rect(cloth, 0.08, 0.04, 0.92, 0.6),
        rect(shade(cloth, 0.9), 0.1, 0.46, 0.9, 0.92),
        *(rect(shade(cloth, 1.12), x, 0.44, x + 0.36, 0.66) for x in (0.13, 0.51)),
        *(oval(shade(cloth, 0.8), x, 0.46, 0.09, 0.14) for x in (0.09, 0.91)),
        *(rect(shade(cloth, 0.8), x, 0.44, x + 0.18, 0.94) for x in (0, 0.82)),
    ]


def bed(rng: Random) -> Drawing:
    wood, cloth = rng.choice(WOOD), rng.choice(PAINT)
    return [
        rect(wood, 0.01, 0.04, 0.09, 0.98),
        rect(wood, 0.93, 0.4, 0.99, 0.98),
        rect(WHITE, 0.09, 0.5, 0.93, 0.72),
        poly(cloth, 0.34, 0.44, 0.93, 0.44, 0.93, 0.84, 0.3, 0.84),
        rect(shade(wood, 0.8), 0.09, 0.76, 0.93, 0.88),
        oval(shade(WHITE, 0.95), 0.21, 0.44, 0.13, 0.12),
    ]


def potted_plant(rng: Random) -> Drawing:
    leaf, pot = rng.choice(LEAF), rng.choice(((186, 104, 72), *PAINT))
    fans = [
        (0.5, 0.22, 0.2),
        (0.24, 0.34, 0.19),
        (0.77, 0.32, 0.2),
        (0.36, 0.2, 0.17),
        (0.66, 0.5, 0.18),
        (0.34, 0.54, 0.19),
    ]
    return [
        line(shade(leaf, 0.6), (0.5, 0.72), (0.5, 0.3), wide=0.06),
        *(oval(shade(leaf, 0.8 + 0.4 * rng.random()), x, y, size, size * 0.75) for x, y, size in fans),
        poly(pot, 0.24, 0.68, 0.76, 0.68, 0.68, 0.99, 0.32, 0.99),
        rect(shade(pot, 0.85), 0.21, 0.66, 0.79, 0.73),
    ]


def tv(rng: Random) -> Drawing:
    screen = shade(rng.choice(PAINT), 0.5)
    return [
        rect(BLACK, 0.01, 0.01, 0.99, 0.86),
        rect(screen, 0.04, 0.05, 0.96, 0.81),
        poly(shade(screen, 1.5), 0.04, 0.05, 0.5, 0.05, 0.2, 0.81, 0.04, 0.81),
        rect(BLACK, 0.46, 0.86, 0.54, 0.95),
        rect(BLACK, 0.28, 0.94, 0.72, 0.99),
    ]


def laptop(rng: Random) -> Drawing:
    screen = rng.choice(PAINT)
    return [
        rect(shade(STEEL, 0.6), 0.14, 0.01, 0.86, 0.68),
        rect(screen, 0.18, 0.06, 0.82, 0.62),
        *(rect(shade(screen, 1.35), 0.24, y, 0.62, y + 0.06) for y in (0.16, 0.3, 0.44)),
        poly(STEEL, 0.14, 0.68, 0.86, 0.68, 0.99, 0.98, 0.01, 0.98),
        poly(shade(STEEL, 0.6), 0.2, 0.73, 0.8, 0.73, 0.86, 0.86, 0.14, 0.86),
    ]


def book(rng: Random) -> Drawing:
    cover = rng.choice(PAINT)
    return [
        rect(cover, 0.02, 0.01, 0.98, 0.99),
        rect(shade(cover, 1.4), 0.12, 0.15, 0.88, 0.3),
        rect(shade(cover, 0.7), 0.02, 0.88, 0.98, 0.94),
    ]


def clock(rng: Random) -> Drawing:
    rim, hour = rng.choice((*WOOD, *PAINT)), rng.random()
    return [
        oval(rim, 0.5, 0.5, 0.49, 0.49),
        oval(WHITE, 0.5, 0.5, 0.4, 0.4),
        line(BLACK, (0.5, 0.5), (0.5 + 0.24 * hour, 0.34), wide=0.06),
        line(BLACK, (0.5, 0.5), (0.3 + 0.4 * hour, 0.18), wide=0.04),
    ]


def vase(rng: Random) -> Drawing:
    glaze = rng.choice(PAINT)
    return [
        oval(glaze, 0.5, 0.66, 0.45, 0.32),
        poly(glaze, 0.34, 0.06, 0.66, 0.06, 0.6, 0.5, 0.4, 0.5),
        rect(shade(glaze, 0.8), 0.26, 0.02, 0.74, 0.1),
        rect(shade(glaze, 0.8), 0.26, 0.92, 0.74, 0.99),
        rect(shade(glaze, 1.35), 0.1, 0.62, 0.9, 0.7),
    ]


def microwave(rng: Random) -> Drawing:
    body = rng.choice((WHITE, STEEL, BLACK))
    return [
        rect(body, 0.01, 0.02, 0.99, 0.98),
        rect(shade(BLACK, 1.5), 0.06, 0.14, 0.68, 0.86),
        rect(shade(GLASS, 0.5), 0.12, 0.24, 0.62, 0.76),
        *(rect(shade(STEEL, 0.7), x, y, x + 0.07, y + 0.1) for x in (0.76, 0.86) for y in (0.34, 0.5, 0.66)),
        rect((90, 220, 150), 0.76, 0.14, 0.93, 0.26),
    ]


def oven(rng: Random) -> Drawing:
    body = rng.choice((WHITE, STEEL, (66, 68, 72)))
    return [
        rect(body, 0.01, 0.01, 0.99, 0.99),
        rect(shade(body, 0.75), 0.01, 0.01, 0.99, 0.16),
        *(oval(BLACK, x, 0.085, 0.05, 0.045) for x in (0.14, 0.32, 0.68, 0.86)),
        rect(shade(STEEL, 0.8), 0.1, 0.22, 0.9, 0.27),
        rect((44, 36, 34), 0.12, 0.34, 0.88, 0.82),
        rect((150, 84, 40), 0.16, 0.6, 0.84, 0.64),
    ]


def refrigerator(rng: Random) -> Drawing:
    body = rng.choice((WHITE, STEEL, (186, 214, 206), (196, 70, 60)))
    return [
        rect(body, 0.01, 0.01, 0.99, 0.97),
        rect(shade(body, 0.7), 0.01, 0.36, 0.99, 0.375),
        *(rect(shade(STEEL, 0.6), 0.08, y, 0.14, y + 0.18) for y in (0.14, 0.42)),
        rect(shade(body, 0.88), 0.86, 0.01, 0.99, 0.97),
        rect(BLACK, 0.05, 0.97, 0.95, 0.995),
    ]


def sink(rng: Random) -> Drawing:
    metal = shade(STEEL, rng.uniform(0.9, 1.15))
    return [
        line(shade(metal, 0.7), (0.5, 0.6), (0.5, 0.06), wide=0.05, tall=0.1),
        line(shade(metal, 0.7), (0.5, 0.08), (0.68, 0.1), wide=0.06, tall=0.12),
        line(shade(metal, 0.7), (0.67, 0.08), (0.67, 0.3), wide=0.04, tall=0.1),
        poly(metal, 0.06, 0.6, 0.94, 0.6, 0.99, 0.99, 0.01, 0.99),
        poly(shade(metal, 0.6), 0.14, 0.68, 0.86, 0.68, 0.9, 0.92, 0.1, 0.92),
    ]


def bottle(rng: Random) -> Drawing:
    glass = rng.choice(((52, 110, 70), (120, 72, 40), (90, 160, 190), *PAINT))
    return [
        rect(shade(glass, 0.6), 0.36, 0.01, 0.64, 0.08),
        rect(glass, 0.38, 0.08, 0.62, 0.32),
        poly(glass, 0.38, 0.28, 0.62, 0.28, 0.94, 0.46, 0.94, 0.98, 0.06, 0.98, 0.06, 0.46),
        rect(WHITE, 0.06, 0.56, 0.94, 0.82),
        rect(rng.choice(PAINT), 0.06, 0.62, 0.94, 0.72),
        rect(shade(glass, 1.4), 0.16, 0.46, 0.26, 0.96),
    ]


def wine_glass(rng: Random) -> Drawing:
    wine = rng.choice(((130, 24, 48), (232, 210, 130), (220, 130, 120)))
    return [
        poly(shade(GLASS, 1.1), 0.1, 0.01, 0.9, 0.01, 0.84, 0.34, 0.5, 0.56, 0.16, 0.34),
        poly(wine, 0.14, 0.18, 0.86, 0.18, 0.8, 0.34, 0.5, 0.52, 0.2, 0.34),
        rect(shade(GLASS, 0.9), 0.45, 0.54, 0.55, 0.95),
        oval(shade(GLASS, 0.9), 0.5, 0.95, 0.36, 0.045),
    ]


def cup(rng: Random) -> Drawing:
    glaze = rng.choice((WHITE, *PAINT))
    return [
        ring(shade(glaze, 0.85), 0.8, 0.48, 0.19, 0.26, rim=0.35),
        poly(glaze, 0.02, 0.08, 0.78, 0.08, 0.68, 0.98, 0.12, 0.98),
        oval(shade(glaze, 0.85), 0.4, 0.09, 0.38, 0.08),
        oval((92, 58, 38), 0.4, 0.1, 0.33, 0.055),
        rect(rng.choice(PAINT), 0.08, 0.46, 0.72, 0.58),
    ]


def bowl(rng: Random) -> Drawing:
    glaze, food = (
        rng.choice((WHITE, *PAINT)),
        rng.choice(((196, 140, 70), (120, 160, 70), (206, 70, 50), (240, 220, 170))),
    )
    return [
        oval(food, 0.5, 0.28, 0.4, 0.26),
        oval(glaze, 0.5, 0.26, 0.49, 0.72, 0, 180),
        rect(shade(glaze, 0.8), 0.32, 0.92, 0.68, 0.99),
        rect(shade(glaze, 0.85), 0.01, 0.24, 0.99, 0.34),
    ]


def banana(rng: Random) -> Drawing:
    peel = shade((244, 212, 78), rng.uniform(0.88, 1.02))
    return [
        poly(
            peel,
            0.02,
            0.25,
            0.1,
            0.1,
            0.22,
            0.45,
            0.5,
            0.62,
            0.8,
            0.46,
            0.92,
            0.08,
            0.99,
            0.2,
            0.9,
            0.72,
            0.55,
            0.97,
            0.18,
            0.78,
        ),
        poly((110, 84, 40), 0.91, 0.02, 0.98, 0.04, 0.99, 0.22, 0.9, 0.18),
    ]


def apple(rng: Random) -> Drawing:
    skin = rng.choice(((200, 44, 44), (120, 170, 60), (226, 170, 70)))
    return [
        oval(skin, 0.34, 0.58, 0.33, 0.4),
        oval(skin, 0.66, 0.58, 0.33, 0.4),
        line((92, 60, 36), (0.5, 0.3), (0.56, 0.04), wide=0.07),
        oval(shade(skin, 1.4), 0.3, 0.44, 0.08, 0.1),
    ]


def orange(rng: Random) -> Drawing:
    skin = shade((240, 150, 40), rng.uniform(0.9, 1.05))
    return [
        oval(skin, 0.5, 0.5, 0.49, 0.49),
        oval(shade(skin, 1.25), 0.36, 0.34, 0.12, 0.1),
        oval((90, 120, 50), 0.52, 0.08, 0.06, 0.04),
    ]


def cake(rng: Random) -> Drawing:
    icing = rng.choice(((236, 180, 190), WHITE, (110, 66, 44), (200, 220, 170)))
    return [
        oval(STEEL, 0.5, 0.92, 0.49, 0.07),
        rect((206, 160, 100), 0.1, 0.4, 0.9, 0.92),
        rect(icing, 0.1, 0.62, 0.9, 0.7),
        rect(icing, 0.08, 0.3, 0.92, 0.48),
        *(oval((200, 40, 50), x, 0.26, 0.06, 0.08) for x in (0.2, 0.4, 0.6, 0.8)),
        *(line(WHITE, (x, 0.22), (x, 0.02), wide=0.03) for x in (0.3, 0.5, 0.7)),
    ]


def door(rng: Random) -> Drawing:
    leaf = rng.choice((*WOOD, *PAINT, WHITE))
    panels = [rect(shade(leaf, 0.82), x, y, x + 0.28, y + 0.34) for x in (0.16, 0.56) for y in (0.1, 0.56)]
    return [rect(shade(leaf, 0.6), 0, 0, 1, 1), rect(leaf, 0.05, 0.03, 0.95, 1), *panels]


def door_handle(rng: Random) -> Drawing:
    metal = rng.choice(((214, 180, 90), (204, 208, 212), (70, 70, 74)))
    return [
        rect(shade(metal, 0.8), 0.02, 0.02, 0.34, 0.98),
        line(metal, (0.18, 0.4), (0.98, 0.4), wide=0.12, tall=0.26),
        oval(BLACK, 0.18, 0.75, 0.06, 0.07),
    ]


def stairs(rng: Random) -> Drawing:
    stone, steps = rng.choice((*WOOD, (170, 166, 160), (206, 198, 184))), rng.choice((6, 7, 8))
    parts: Drawing = []
    for step in range(steps):
        inset, top = 0.24 * (1 - step / steps), step / steps
        low = (step + 1) / steps
        parts.append(rect(shade(stone, 1.12), inset, top, 1 - inset, top + 0.4 / steps))
        parts.append(rect(shade(stone, 0.72 + 0.02 * step), inset, top + 0.4 / steps, 1 - inset, low))
    return parts


def lamp(rng: Random) -> Drawing:
    cloth = rng.choice(((250, 226, 160), *PAINT))
    return [
        rect(shade(STEEL, 0.6), 0.46, 0.3, 0.54, 0.96),
        oval(shade(STEEL, 0.6), 0.5, 0.965, 0.26, 0.03),
        poly(cloth, 0.28, 0.01, 0.72, 0.01, 0.98, 0.32, 0.02, 0.32),
        poly(shade(cloth, 1.2), 0.38, 0.01, 0.54, 0.01, 0.56, 0.32, 0.28, 0.32),
    ]


def painting(rng: Random) -> Drawing:
    frame, sky, land = rng.choice(WOOD), rng.choice(PAINT), rng.choice(LEAF)
    return [
        rect(frame, 0, 0, 1, 1),
        rect(shade(sky, 1.15), 0.09, 0.1, 0.91, 0.9),
        oval((250, 230, 170), rng.uniform(0.3, 0.7), 0.35, 0.1, 0.11),
        poly(land, 0.09, 0.9, 0.09, 0.6, 0.35, 0.45, 0.6, 0.66, 0.91, 0.5, 0.91, 0.9),
    ]


def portrait(rng: Random) -> Drawing:
    frame, wall, coat, skin = rng.choice(WOOD), rng.choice(PAINT), rng.choice(PAINT), rng.choice(SKIN)
    return [
        rect(frame, 0, 0, 1, 1),
        rect(shade(wall, 0.7), 0.1, 0.08, 0.9, 0.92),
        oval(coat, 0.5, 0.92, 0.34, 0.34, 180, 360),
        oval(skin, 0.5, 0.42, 0.16, 0.19),
        oval(BLACK, 0.5, 0.36, 0.18, 0.17, 180, 360),
    ]


def window(rng: Random) -> Drawing:
    frame, sky = (
        rng.choice((WHITE, *WOOD)),
        rng.choice(((176, 212, 236), (240, 206, 160), (60, 74, 110), (206, 212, 214))),
    )
    return [
        rect(frame, 0, 0, 1, 1),
        rect(sky, 0.06, 0.06, 0.94, 0.92),
        poly(rng.choice(LEAF), 0.06, 0.92, 0.06, 0.66, 0.3, 0.56, 0.6, 0.7, 0.94, 0.6, 0.94, 0.92),
        rect(frame, 0.47, 0.04, 0.53, 0.94),
        rect(frame, 0.04, 0.44, 0.96, 0.49),
    ]


def cabinet(rng: Random) -> Drawing:
    wood = rng.choice((*WOOD, WHITE, (120, 150, 150)))
    return [
        rect(wood, 0, 0, 1, 1),
        *(rect(shade(wood, 0.88), x, 0.08, x + 0.42, 0.92) for x in (0.05, 0.53)),
        *(rect(shade(STEEL, 0.7), x, 0.44, x + 0.03, 0.58) for x in (0.42, 0.55)),
    ]
