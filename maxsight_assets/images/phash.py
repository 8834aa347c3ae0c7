"""Perceptual fingerprints of a picture: bits that survive re-encoding, rescaling, mirroring and a small crop.

All numbers are whole and below 2**53, so float64 adds and multiplies them exactly in any order; float32 does so below
2**24, in half the time. No machine or release of NumPy therefore rounds differently, and a fingerprint can be stored
and compared for ever.
`images.near` finds near fingerprints among many. docs/explanation/copies.md measures which copies are found.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

SIDE = 32
"""Side of the square that a picture is averaged into before the cosine transform."""

FREQUENCIES = 11
"""Cosine frequencies per axis; the pairs of frequencies that make a fingerprint use the first eleven."""

MIRROR = np.uint64(0xFFFF_FFFF)
"""The bits of a fingerprint that mirroring the picture, left for right, flips."""

CROPS = (0.0, 0.025, 0.05, 0.075, 0.1)
"""Shares of each side that are cut off before a fingerprint is taken; the first is of the whole picture.

The fingerprint of a cropped copy is near the original's fingerprint of about the same crop. The shares are so close to
each other that every crop up to the last is near one of them (docs/explanation/copies.md).
"""

CROP_BITS = 1
"""Bits added to the distance between a picture and a crop, because far more crops than whole pictures are compared."""

EIGHTHS = 8
"""Parts of a cell of a decoded picture: libjpeg decodes at some eighths of the size, so edge cells may be partial."""

UNTHREADED = 1 << 18
"""Multiplications that OpenBLAS does in one thread (interface/gemm.c); more threads would hinder those that decode."""

FLOAT32_WHOLE = 1 << 24
"""Whole numbers up to here are exact in float32."""

COSINE_SCALE = 1 << 12
GRAY_SCALE = 1 << 4

FLAT = 2.0
"""Median coefficient, in gray levels of an orthonormal transform, below which a picture has no fingerprint.

Noise of JPEG encoding decides the bits of a (nearly) uniform picture, and all such pictures would be one group.
Measured: at most 0.42 over uniform pictures with noise of 0 to 3 gray levels, at least 19.2 over 137 COCO photos.
"""


def fingerprints(grays: NDArray[np.uint8], size: tuple[int, int] | None = None) -> list[list[int] | None]:
    """Fingerprint gray pictures of one size, each as a whole and without its edges (`CROPS`).

    A picture is averaged into 32 x 32 cells and transformed by a cosine transform. Each bit is the sign of one of the
    lowest frequencies: 32 are even across and 32 are odd. Mirroring flips only the odd ones.

    Args:
        grays: Decoded pictures, shape (n, height, width), each at least 1 x 1.
        size: Height and width of the pictures in pixels, if they were decoded at a smaller size: the last row and
            column may then cover fewer pixels than the others.

    Returns:
        For each picture one unsigned 64-bit integer a crop, or None if it is too uniform to have any.
    """
    cells = _cells(grays, size or grays.shape[1:])
    half = _waves() @ cells[:, None]
    spectra = (half @ _waves().transpose(0, 2, 1)).reshape(len(grays), len(CROPS), -1)[:, :, _order()]
    middle = np.sort(np.abs(spectra[:, 0]))[:, spectra.shape[2] // 2]
    flat = middle < FLAT * COSINE_SCALE**2 * GRAY_SCALE * SIDE / 2
    words = np.ascontiguousarray(np.packbits(spectra > 0, axis=2)).view(">u8")[:, :, 0].tolist()
    return [None if uniform else marks for uniform, marks in zip(flat.tolist(), words, strict=True)]


def distances(left: NDArray[np.uint64], right: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Count the bits that differ between fingerprints, as they are or with one mirrored, whichever is less."""
    differing = left ^ right
    return np.asarray(np.minimum(np.bitwise_count(differing), np.bitwise_count(differing ^ MIRROR)))


def apart(left: NDArray[np.uint64], right: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Return the least bits between pictures, of all comparisons of one whole picture with the other or its crops.

    Args:
        left: Fingerprints as `fingerprints` returns them, shape (n, len(CROPS)).
        right: Fingerprints of the pictures to compare with, of the same shape.
    """
    bits = np.minimum(distances(left[:, :1], right), distances(left, right[:, :1]))
    bits[:, 1:] += np.uint8(CROP_BITS)
    return np.asarray(bits.min(axis=1))


def _cells(grays: NDArray[np.uint8], size: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the means of 32 x 32 equal parts of each picture, in 1/GRAY_SCALE of a gray level, rounded down."""
    _, rows, columns = grays.shape
    eighths = min(EIGHTHS, EIGHTHS * max(rows, columns) // max(size))
    height, width = size[0] * eighths, size[1] * eighths
    exact: type[np.floating] = np.float32 if 255 * height < FLOAT32_WHOLE else np.float64
    down, across = _overlaps(rows, height).astype(exact), _overlaps(columns, width).T
    step = max(1, UNTHREADED // (SIDE * rows))
    strips = [down @ grays[:, :, start : start + step].astype(exact) for start in range(0, columns, step)]
    sums = np.concatenate(strips, axis=2).astype(np.float64) @ across
    return np.asarray(np.floor(sums * GRAY_SCALE / (height * width)))  # a quotient below 2**12 is never rounded up


@lru_cache(maxsize=64)
def _overlaps(cells: int, length: int) -> NDArray[np.float64]:
    """Return how much of each cell lies in each of SIDE equal parts of a side, in 1/SIDE of an eighth; (SIDE, cells).

    Args:
        cells: Cells along the side.
        length: Their total length in eighths of a cell: the last cell may be partial.
    """
    part, cell = np.arange(SIDE)[:, None], np.arange(cells)[None, :]
    start, end = cell * EIGHTHS * SIDE, np.minimum((cell + 1) * EIGHTHS, length) * SIDE
    overlaps = np.minimum(end, (part + 1) * length) - np.maximum(start, part * length)
    return np.asarray(np.maximum(0, overlaps), dtype=np.float64)


@lru_cache(maxsize=1)
def _waves() -> NDArray[np.float64]:
    """Return the means of each crop's cosine waves over the whole picture's cells, (len(CROPS), FREQUENCIES, SIDE).

    They are scaled by COSINE_SCALE and rounded; the part that is cropped off counts as zero.
    """
    return np.array(
        [
            [[round(COSINE_SCALE * _wave(crop, number, cell)) for cell in range(SIDE)] for number in range(FREQUENCIES)]
            for crop in CROPS
        ],
        dtype=np.float64,
    )


def _wave(crop: float, frequency: int, cell: int) -> float:
    """Return the integral of a cosine wave of the cropped side over a cell of the whole side, in widths of a cell."""
    start, end = (min(1.0, max(0.0, (edge / SIDE - crop) / (1 - 2 * crop))) for edge in (cell, cell + 1))
    turn = math.pi * frequency
    return SIDE * ((math.sin(turn * end) - math.sin(turn * start)) / turn if frequency else end - start)


@lru_cache(maxsize=1)
def _order() -> NDArray[np.intp]:
    """Return flat indices of frequency pairs in the order of their bits: the 32 lowest even across, then the odd ones.

    The mean is left out. Each byte gets a share of the lowest frequencies, in which photos are most alike.
    """
    pairs = [(u, v) for u in range(FREQUENCIES) for v in range(FREQUENCIES) if u + v > 0]
    pairs.sort(key=lambda pair: (sum(pair), pair[0]))
    halves = [[u * FREQUENCIES + v for u, v in pairs if v % 2 == parity][:32] for parity in (0, 1)]
    return np.array(halves, dtype=np.intp).reshape(2, 8, 4).transpose(0, 2, 1).ravel()
