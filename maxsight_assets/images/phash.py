"""A perceptual fingerprint of a picture: 64 bits that survive re-encoding and rescaling.

All arithmetic is in 64-bit integers, so that no machine or release of NumPy rounds differently and a fingerprint can be
stored and compared for ever; NumPy gives no integers to BLAS, whose threads would get in the way of those that decode.
Comparing fingerprints is `splitting.groups`.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

SIDE = 32
"""Side of the square that a picture is averaged into before the cosine transform."""

FREQUENCIES = 11
"""Cosine frequencies per axis; the 64 lowest pairs beside (0, 0) use the first eleven."""

COSINE_SCALE = 1 << 12
GRAY_SCALE = 1 << 4

FLAT = 2.0
"""Median coefficient, in gray levels of an orthonormal transform, below which a picture has no fingerprint.

Noise of JPEG encoding decides the bits of a (nearly) uniform picture, and all such pictures would be one group.
Measured: at most 0.22 over uniform pictures with noise of 0 to 3 gray levels, at least 19.7 over 137 COCO photos.
"""


def fingerprint(gray: NDArray[np.uint8]) -> int | None:
    """Fingerprint a gray picture.

    The picture is averaged into 32 x 32 cells, transformed by a cosine transform, and its 64 lowest frequencies beside
    the mean are compared with their median. Measured over 137 COCO photos: copies re-encoded at quality 30 differ in at
    most 2 bits, copies of 50, 90 and 160 % of the size in at most 6; different photos in 18 at least, 31.9 on average
    with a deviation of 4.1, which is what 64 independent bits would do.

    Args:
        gray: Picture of shape (height, width), at least 1 x 1.

    Returns:
        An unsigned 64-bit integer, or None where the picture is too uniform to have one.
    """
    height, width = gray.shape
    cells = _cells(_cells(gray.astype(np.int64)).T).T * GRAY_SCALE // (height * width)
    spectrum = (_cosines() @ cells @ _cosines().T)[_lowest()]
    ordered = np.sort(spectrum)
    if np.sort(np.abs(spectrum))[spectrum.size // 2] < FLAT * COSINE_SCALE**2 * GRAY_SCALE * SIDE / 2:
        return None
    bits = spectrum > ordered[spectrum.size // 2 - 1]
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def _cells(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sums over SIDE equal parts of the first axis, in 1/SIDE of a value where a part ends within one."""
    length = values.shape[0]
    whole, part = np.divmod(np.arange(SIDE + 1) * length, SIDE)
    before = np.zeros((length + 1, *values.shape[1:]), dtype=np.int64)
    np.cumsum(values, axis=0, out=before[1:])
    at_ends: NDArray[np.int64] = before[whole] * SIDE + values[np.minimum(whole, length - 1)] * part[:, None]
    return at_ends[1:] - at_ends[:-1]


@lru_cache(maxsize=1)
def _cosines() -> NDArray[np.int64]:
    """Integer cosine matrix (FREQUENCIES, SIDE), scaled by COSINE_SCALE."""
    rows = [
        [round(COSINE_SCALE * math.cos(math.pi * (2 * n + 1) * k / (2 * SIDE))) for n in range(SIDE)]
        for k in range(FREQUENCIES)
    ]
    return np.array(rows, dtype=np.int64)


@lru_cache(maxsize=1)
def _lowest() -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row and column indices of the 64 lowest frequency pairs, the mean left out."""
    pairs = [(u, v) for u in range(FREQUENCIES) for v in range(FREQUENCIES) if u + v > 0]
    lowest = sorted(pairs, key=lambda pair: (sum(pair), pair[0]))[:64]
    rows, columns = zip(*lowest, strict=True)
    return np.array(rows, dtype=np.intp), np.array(columns, dtype=np.intp)
