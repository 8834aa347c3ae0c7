import io
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from maxsight_assets.images import phash
from maxsight_assets.images.phash import COSINE_SCALE, FREQUENCIES, GRAY_SCALE, SIDE, fingerprint
from maxsight_assets_tests.images.pictures import picture, real_photos


def gray(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("L").reduce(max(1, min(image.size) // 60)))


def recoded(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


def rescaled(image: Image.Image, factor: float) -> Image.Image:
    size = (round(image.width * factor), round(image.height * factor))
    return image.resize(size, Image.Resampling.LANCZOS)


def distance(one: int | None, other: int | None) -> int:
    assert one is not None
    assert other is not None
    return (one ^ other).bit_count()


def exact(pixels: np.ndarray) -> list[list[int]]:
    """The spectrum in Python's integers, cell by cell."""
    height, width = pixels.shape
    values = pixels.tolist()

    def overlap(cell: int, pixel: int, length: int) -> int:
        return max(0, min((pixel + 1) * SIDE, (cell + 1) * length) - max(pixel * SIDE, cell * length))

    rows = [
        [sum(overlap(i, y, height) * values[y][x] for y in range(height)) for x in range(width)] for i in range(SIDE)
    ]
    cells = [
        [sum(overlap(j, x, width) * row[x] for x in range(width)) * GRAY_SCALE // (height * width) for j in range(SIDE)]
        for row in rows
    ]
    cosines = phash._cosines().astype(int).tolist()
    half = [[sum(c * cells[n][j] for n, c in enumerate(cosines[u])) for j in range(SIDE)] for u in range(FREQUENCIES)]
    return [[sum(c * row[n] for n, c in enumerate(cosines[v])) for v in range(FREQUENCIES)] for row in half]


def test_a_fingerprint_never_changes() -> None:
    y, x = np.mgrid[0:60, 0:80]
    pixels = ((x * x * 3 + y * 7 + (x * y) // 5 + 90 * ((x // 17 + y // 13) % 2)) % 256).astype(np.uint8)

    assert fingerprint(pixels) == 11948779982512745807


@settings(max_examples=10, deadline=None)
@given(height=st.integers(1, 70), width=st.integers(1, 70) | st.integers(500, 520), seed=st.integers(0, 2**32))
def test_the_arithmetic_is_that_of_integers(height: int, width: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    spectrum = exact(pixels)
    lowest = [spectrum[flat // FREQUENCIES][flat % FREQUENCIES] for flat in phash._lowest().tolist()]
    median = sorted(lowest)[31]

    expected = int("".join(str(int(value > median)) for value in lowest), 2)

    assert fingerprint(pixels) in {expected, None}


def test_no_cosine_is_near_a_half_where_libraries_could_round_it_differently() -> None:
    scaled = [COSINE_SCALE * math.cos(math.pi * (2 * n + 1) * k / 64) for n in range(32) for k in range(FREQUENCIES)]

    assert min(abs(abs(value - math.floor(value)) - 0.5) for value in scaled) > 1e-6


@pytest.mark.parametrize("seed", range(8))
def test_copies_are_near(seed: int) -> None:
    original = picture(seed)
    mine = fingerprint(gray(original))

    assert distance(mine, fingerprint(gray(recoded(original, 30)))) <= 6
    assert distance(mine, fingerprint(gray(rescaled(original, 0.9)))) <= 6


def test_different_pictures_are_far() -> None:
    marks = [fingerprint(gray(picture(seed))) for seed in range(40)]

    assert min(distance(a, b) for i, a in enumerate(marks) for b in marks[:i]) > 12


@pytest.mark.parametrize("noise", [0, 1, 3])
def test_uniform_pictures_have_no_fingerprint(noise: int) -> None:
    pixels = 128 + np.random.default_rng(noise).normal(0, noise, (480, 640))
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))

    assert fingerprint(gray(recoded(image, 75))) is None


def test_real_photos_know_their_copies_and_no_other() -> None:
    photos = [Image.open(path) for path in real_photos()[:40]]
    marks = [fingerprint(gray(photo)) for photo in photos]

    copies = [fingerprint(gray(recoded(rescaled(photo, 0.9), 60))) for photo in photos]

    assert max(map(distance, marks, copies)) <= 8
    assert min(distance(a, b) for i, a in enumerate(marks) for b in marks[:i]) > 12
