"""Every thing that can stand in a scene, with its size in the world.

A thing's name is COCO's where COCO has one ("dining table"), else Open Images' in lower case ("door handle").
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from maxsight_assets.sample_upstream import indoor_things as indoor
from maxsight_assets.sample_upstream import outdoor_things as outdoor
from maxsight_assets.sample_upstream.shapes import Drawing


@dataclass(frozen=True, slots=True)
class Kind:
    """What a thing looks like and how large it is.

    Attributes:
        draw: Draws one into the unit square.
        height: Its height in metres; nothing is measured, a plausible size suffices.
        aspect: Width over height.
    """

    draw: Callable[[Random], Drawing]
    height: float
    aspect: float


KINDS: dict[str, Kind] = {
    "apple": Kind(indoor.apple, 0.1, 1.0),
    "backpack": Kind(outdoor.backpack, 0.5, 0.75),
    "banana": Kind(indoor.banana, 0.1, 2.0),
    "bed": Kind(indoor.bed, 0.9, 2.1),
    "bench": Kind(outdoor.bench, 0.85, 1.9),
    "bicycle": Kind(outdoor.bicycle, 1.05, 1.6),
    "bird": Kind(outdoor.bird, 0.3, 1.25),
    "book": Kind(indoor.book, 0.24, 0.7),
    "bottle": Kind(indoor.bottle, 0.3, 0.32),
    "bowl": Kind(indoor.bowl, 0.12, 1.9),
    "bus": Kind(outdoor.bus, 3.0, 2.7),
    "cabinet": Kind(indoor.cabinet, 0.7, 1.0),
    "cake": Kind(indoor.cake, 0.18, 1.4),
    "car": Kind(outdoor.car, 1.45, 2.7),
    "car rear": Kind(outdoor.car_rear, 1.45, 1.25),
    "cat": Kind(outdoor.cat, 0.45, 0.9),
    "chair": Kind(indoor.chair, 0.95, 0.62),
    "clock": Kind(indoor.clock, 0.35, 1.0),
    "couch": Kind(indoor.couch, 0.85, 2.3),
    "crowd": Kind(outdoor.people, 2.1, 1.9),
    "cup": Kind(indoor.cup, 0.11, 1.1),
    "dining table": Kind(indoor.dining_table, 0.78, 1.9),
    "dog": Kind(outdoor.dog, 0.6, 1.3),
    "door": Kind(indoor.door, 2.05, 0.48),
    "door handle": Kind(indoor.door_handle, 0.16, 0.9),
    "elephant": Kind(outdoor.elephant, 3.0, 1.45),
    "fire hydrant": Kind(outdoor.fire_hydrant, 0.8, 0.6),
    "kite": Kind(outdoor.kite, 1.2, 0.8),
    "lamp": Kind(indoor.lamp, 1.5, 0.36),
    "laptop": Kind(indoor.laptop, 0.26, 1.4),
    "microwave": Kind(indoor.microwave, 0.3, 1.7),
    "motorcycle": Kind(outdoor.motorcycle, 1.15, 1.75),
    "orange": Kind(indoor.orange, 0.1, 1.0),
    "oven": Kind(indoor.oven, 0.88, 0.75),
    "painting": Kind(indoor.painting, 0.6, 1.3),
    "person": Kind(outdoor.person, 1.72, 0.4),
    "portrait": Kind(indoor.portrait, 0.9, 0.8),
    "potted plant": Kind(indoor.potted_plant, 0.8, 0.7),
    "refrigerator": Kind(indoor.refrigerator, 1.8, 0.44),
    "rider": Kind(outdoor.rider, 1.3, 0.6),
    "sink": Kind(indoor.sink, 0.35, 1.9),
    "sports ball": Kind(outdoor.ball, 0.24, 1.0),
    "stairs": Kind(indoor.stairs, 1.5, 1.3),
    "stop sign": Kind(outdoor.stop_sign, 0.75, 1.0),
    "suitcase": Kind(outdoor.suitcase, 0.65, 0.7),
    "traffic light": Kind(outdoor.traffic_light, 0.95, 0.4),
    "traffic sign": Kind(outdoor.traffic_sign, 0.6, 1.0),
    "tree": Kind(outdoor.tree, 4.5, 0.8),
    "truck": Kind(outdoor.truck, 2.9, 2.1),
    "tv": Kind(indoor.tv, 0.7, 1.5),
    "umbrella": Kind(outdoor.umbrella, 0.9, 1.3),
    "vase": Kind(indoor.vase, 0.35, 0.6),
    "wheelchair": Kind(outdoor.wheelchair, 0.95, 0.95),
    "window": Kind(indoor.window, 1.1, 1.1),
    "wine glass": Kind(indoor.wine_glass, 0.22, 0.42),
    "zebra": Kind(outdoor.zebra, 1.5, 1.35),
}
"""Every thing by its name."""
