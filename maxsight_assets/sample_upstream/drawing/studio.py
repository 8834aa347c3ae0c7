"""Draws scenes by their number: picks the place, the light and the weather."""

from collections.abc import Callable, Collection, Sequence
from random import Random

from PIL import Image, ImageChops

from maxsight_assets.sample_upstream.drawing.canvas import Canvas, Scene
from maxsight_assets.sample_upstream.drawing.indoor_scenes import INDOORS
from maxsight_assets.sample_upstream.drawing.outdoor_scenes import OUTDOORS
from maxsight_assets.sample_upstream.drawing.shapes import dice

SIZES = ((320, 240), (320, 240), (320, 214), (240, 320), (320, 320), (300, 225))
"""Width and height in pixels: COCO's common shapes at half size."""

_LOOKS_LIKE_ANOTHER = frozenset({("bdd100k/bbd19b9b-3fa4e1a5", 0)})
"""Takes that are passed over because they look much like another scene: 12 of 64 bits of a fingerprint apart."""


def draw_scene(seed: str, places: Sequence[str], known: Collection[str], size: tuple[int, int] | None = None) -> Scene:
    """Draw the scene that `seed` stands for: its first take that shows enough and looks like no other scene.

    Args:
        seed: Any text; the same seed gives the same scene.
        places: One of these is picked.
        known: Names of things that the scene's publisher annotates; the scene holds at least two of them.
        size: Width and height in pixels, by default one of `SIZES`.
    """
    take = 0
    while True:
        rng = dice(seed, take)
        scene = _scene(rng, rng.choice(places), size or rng.choice(SIZES))
        if sum(thing.name in known for thing in scene.things) > 1 and (seed, take) not in _LOOKS_LIKE_ANOTHER:
            return scene
        take += 1


def _scene(rng: Random, place: str, size: tuple[int, int]) -> Scene:
    canvas = Canvas(*size)
    {**OUTDOORS, **INDOORS}[place](canvas, rng)
    return canvas.finish(place, _light(rng))


def _light(rng: Random) -> Callable[[Image.Image], Image.Image]:
    """Patches of light and shade, a tint, and the grain of a small sensor."""
    columns, rows = rng.randint(3, 6), rng.randint(3, 5)
    dark = rng.randint(105, 175)
    patches = bytes(rng.randint(dark, 255) for _ in range(columns * rows))
    tint = tuple(rng.randint(215, 255) for _ in range(3))
    seed = rng.random()

    def light(picture: Image.Image) -> Image.Image:
        shadow = Image.frombytes("L", (columns, rows), patches).resize(picture.size, Image.Resampling.BICUBIC)
        color = Image.merge("RGB", [shadow.point([value * level // 255 for value in range(256)]) for level in tint])
        width, height = picture.size
        grain = Image.frombytes("L", picture.size, dice(seed).randbytes(width * height)).point(
            [v // 20 for v in range(256)]
        )
        lit = ImageChops.multiply(picture, color)
        return ImageChops.add(lit, Image.merge("RGB", [grain] * 3), scale=0.88)

    return light
