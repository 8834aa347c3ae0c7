"""Draws photo-like JPEGs of COCO's sizes, and packs them as COCO packs val2017.zip; deterministic for a seed.

A picture is a crop of coarse and fine noise over a gradient, so that it compresses as photographs do (about 145 KB).
"""

import argparse
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import simplejpeg

SIZES = ((640, 480), (640, 427), (480, 640), (500, 375), (612, 612))
BANK_PIXELS = 1024


def bank(rng: np.random.Generator) -> np.ndarray:
    """A large RGB texture (uint8, `BANK_PIXELS` a side) that pictures are cropped from."""
    texture = np.zeros((BANK_PIXELS, BANK_PIXELS, 3), np.float32)
    for step, weight in ((64, 60.0), (16, 30.0), (4, 14.0), (1, 9.0)):
        side = BANK_PIXELS // step
        noise = rng.normal(0, weight, (side, side, 3)).astype(np.float32)
        texture += np.kron(noise, np.ones((step, step, 1), np.float32))
    return np.clip(texture + 120, 0, 255).astype(np.uint8)


def pictures(count: int, seed: int) -> Iterator[bytes]:
    """`count` different JPEGs."""
    rng = np.random.default_rng(seed)
    textures = [bank(rng) for _ in range(4)]
    for number in range(count):
        width, height = SIZES[number % len(SIZES)]
        top, left = rng.integers(0, BANK_PIXELS - height), rng.integers(0, BANK_PIXELS - width)
        crop = np.ascontiguousarray(textures[number % 4][top : top + height, left : left + width])
        yield simplejpeg.encode_jpeg(crop, quality=91, colorspace="RGB", colorsubsampling="420")


def pack(path: Path, count: int, seed: int = 139) -> None:
    """Write a zip of `count` stored JPEGs named like COCO's."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for number, data in enumerate(pictures(count, seed)):
            info = zipfile.ZipInfo(f"val2017/{number:012d}.jpg", (2017, 9, 1, 0, 0, 0))
            info.external_attr = 0o644 << 16
            archive.writestr(info, data)


def scatter(root: Path, count: int, seed: int = 139) -> None:
    """Write `count` JPEGs into a directory."""
    root.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(pictures(count, seed)):
        (root / f"{number:012d}.jpg").write_bytes(data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, help="the zip to write")
    parser.add_argument("-n", "--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=139)
    arguments = parser.parse_args()
    pack(arguments.path, arguments.count, arguments.seed)
    print(f"{arguments.path}: {arguments.path.stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
