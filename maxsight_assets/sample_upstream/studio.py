"""Draws scenes by their number: picks the place, the light and the weather, and sees to it that no two look alike."""

from collections.abc import Callable, Collection, Sequence
from random import Random

import numpy as np
from PIL import Image, ImageChops

from maxsight_assets.images.phash import SIDE, fingerprint
from maxsight_assets.sample_upstream.canvas import Canvas, Scene
from maxsight_assets.sample_upstream.indoor_scenes import INDOORS
from maxsight_assets.sample_upstream.outdoor_scenes import OUTDOORS
from maxsight_assets.sample_upstream.shapes import dice

SIZES = ((320, 240), (320, 240), (320, 214), (240, 320), (320, 320), (300, 225))
"""Width and height in pixels: COCO's common shapes at half size."""

_APART = 14  # of 64 bits: copies of one picture differ in at most 8


class Studio:
    """Remembers what it has drawn, so that each new scene looks clearly different from all before it."""

    def __init__(self) -> None:
        self._looks: list[int] = []

    def draw(
        self, seed: str, places: Sequence[str], known: Collection[str], size: tuple[int, int] | None = None
    ) -> Scene:
        """Draw the scene that `seed` stands for.

        Args:
            seed: Any text; the same calls in the same order give the same scenes.
            places: One of these is picked.
            known: Names of things that the scene's publisher annotates; the scene holds at least two of them.
            size: Width and height in pixels, by default one of `SIZES`.
        """
        take = 0
        while True:
            rng = dice(seed, take)
            scene = _scene(rng, rng.choice(places), size or rng.choice(SIZES))
            look = _look(scene)
            shown = sum(thing.name in known for thing in scene.things)
            if shown > 1 and look is not None and self._is_new(look):
                self._looks.append(look)
                return scene
            take += 1

    def _is_new(self, look: int) -> bool:
        return all((look ^ other).bit_count() >= _APART for other in self._looks)


def _look(scene: Scene) -> int | None:
    """The picture's fingerprint, by way of a small copy: large products would wake BLAS's threads, which costs more."""
    small = scene.picture.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    return fingerprint(np.asarray(small))


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
