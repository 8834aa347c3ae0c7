import io
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps

from maxsight_assets.images import phash
from maxsight_assets.images.facts import examine
from maxsight_assets.images.phash import COSINE_SCALE, CROPS, FREQUENCIES, GRAY_SCALE, SIDE, fingerprints
from maxsight_assets_tests.images.pictures import encoded, picture, real_photos, stored

Gray = NDArray[np.uint8]


def marks(pixels: Gray, size: tuple[int, int] | None = None) -> list[int]:
    (found,) = fingerprints(pixels[None], size)
    assert found is not None
    return found


def gray(image: Image.Image) -> Gray:
    return np.asarray(image.convert("L").reduce(8))


def recoded(image: Image.Image, quality: int) -> Image.Image:
    return Image.open(io.BytesIO(encoded(image.convert("RGB"), quality=quality)))


def rescaled(image: Image.Image, factor: float) -> Image.Image:
    size = (round(image.width * factor), round(image.height * factor))
    return image.resize(size, Image.Resampling.LANCZOS)


def cropped(image: Image.Image, share: float) -> Image.Image:
    x, y = round(share * image.width), round(share * image.height)
    return image.crop((x, y, image.width - x, image.height - y))


def apart(one: Image.Image, other: Image.Image) -> int:
    mine, theirs = (np.array([marks(gray(each), each.size[::-1])], dtype=np.uint64) for each in (one, other))
    return int(phash.apart(mine, theirs)[0])


def exact(pixels: Gray, size: tuple[int, int], eighths: int) -> list[int]:
    """The fingerprints in Python's integers, cell by cell."""
    rows, columns = pixels.shape
    height, width = (side * eighths for side in size)
    values = pixels.tolist()

    def overlap(part: int, cell: int, length: int) -> int:
        start, end = 8 * cell * SIDE, min(8 * (cell + 1), length) * SIDE
        return max(0, min(end, (part + 1) * length) - max(start, part * length))

    sums = [
        [sum(overlap(i, y, height) * values[y][x] for y in range(rows)) for x in range(columns)] for i in range(SIDE)
    ]
    cells = [
        [
            sum(overlap(j, x, width) * row[x] for x in range(columns)) * GRAY_SCALE // (height * width)
            for j in range(SIDE)
        ]
        for row in sums
    ]
    return [_word(cells, waves) for waves in phash._waves().astype(int).tolist()]


def _word(cells: list[list[int]], waves: list[list[int]]) -> int:
    half = [[sum(c * cells[n][j] for n, c in enumerate(wave)) for j in range(SIDE)] for wave in waves]
    spectrum = [[sum(c * row[n] for n, c in enumerate(wave)) for wave in waves] for row in half]
    places = [divmod(flat, FREQUENCIES) for flat in phash._order().tolist()]
    return int("".join(str(int(spectrum[u][v] > 0)) for u, v in places), 2)


def test_a_fingerprint_never_changes() -> None:
    y, x = np.mgrid[0:60, 0:80]
    pixels = ((x * x * 3 + y * 7 + (x * y) // 5 + 90 * ((x // 17 + y // 13) % 2)) % 256).astype(np.uint8)

    assert marks(pixels) == [
        990908655552544780,
        5548520555276610498,
        5553060232637393794,
        5573563934062095254,
        923597318802097154,
    ]
    assert marks(pixels, (477, 633)) == [
        990913053666165256,
        5548518493692308419,
        5553017351683910531,
        5573282459085382547,
        923597455972614914,
    ]


@settings(max_examples=5, deadline=None)
@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70) | st.integers(500, 520),
    missing=st.tuples(st.integers(0, 7), st.integers(0, 7)),
    seed=st.integers(0, 2**32),
)
def test_the_arithmetic_is_that_of_integers(height: int, width: int, missing: tuple[int, int], seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    size = (8 * height - missing[0], 8 * width - missing[1])

    assert fingerprints(pixels[None], size)[0] in (exact(pixels, size, 8 * max(height, width) // max(size)), None)


def test_no_cosine_is_near_a_half_where_libraries_could_round_it_differently() -> None:
    scaled = [
        COSINE_SCALE * phash._wave(crop, number, cell)
        for crop in CROPS
        for number in range(FREQUENCIES)
        for cell in range(SIDE)
    ]

    assert min(abs(abs(value - math.floor(value)) - 0.5) for value in scaled) > 1e-6


def test_no_frequency_is_in_a_fingerprint_twice_and_mirroring_flips_the_lower_half() -> None:
    order = phash._order()

    assert len(set(order.tolist())) == 64
    assert [flat % FREQUENCIES % 2 for flat in order] == [0] * 32 + [1] * 32


@pytest.mark.parametrize("seed", range(4))
def test_mirroring_flips_just_the_bits_of_odd_waves(seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (60, 80), dtype=np.uint8)

    assert marks(pixels[:, ::-1]) == [mark ^ int(phash.MIRROR) for mark in marks(pixels)]


@pytest.mark.parametrize("side", range(256, 264))
def test_a_jpeg_decoded_at_an_eighth_looks_as_in_full_whatever_its_last_cell_holds(tmp_path: Path, side: int) -> None:
    photo = picture(side, side, side + 56)
    facts = examine(stored(tmp_path, encoded(photo, quality=95)), cache=None)
    full = marks(np.asarray(photo.convert("L")))

    assert max((one ^ other).bit_count() for one, other in zip(facts["phash"][0], full, strict=True)) <= 2


@pytest.mark.parametrize("seed", range(8))
def test_copies_are_near(seed: int) -> None:
    original = picture(seed)

    for copy in (recoded(original, 30), rescaled(original, 0.9), ImageOps.mirror(original), cropped(original, 0.05)):
        assert apart(original, copy) <= 6


def test_different_pictures_are_far() -> None:
    found = np.array([marks(gray(picture(seed))) for seed in range(40)], dtype=np.uint64)
    left, right = np.triu_indices(40, 1)

    assert phash.apart(found[left], found[right]).min() > 10


@pytest.mark.parametrize("noise", [0, 1, 3])
def test_uniform_pictures_have_no_fingerprint(noise: int) -> None:
    pixels = 128 + np.random.default_rng(noise).normal(0, noise, (480, 640))
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))

    assert fingerprints(gray(recoded(image, 75))[None]) == [None]


def test_real_photos_know_their_copies_and_no_other() -> None:
    photos = [Image.open(path) for path in real_photos()[:40]]
    found = np.array([marks(gray(photo), photo.size[::-1]) for photo in photos], dtype=np.uint64)
    left, right = np.triu_indices(40, 1)

    copies = [recoded(ImageOps.mirror(rescaled(photo, 0.9)), 60) for photo in photos]

    assert max(map(apart, photos, copies)) <= 6
    assert phash.apart(found[left], found[right]).min() > 10
