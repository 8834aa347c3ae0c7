"""Pictures made for tests: deterministic, with structure at all scales, as bytes of a file."""

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from maxsight_assets.images.phash import CROPS
from maxsight_assets_tests.places import SHARED

REAL = SHARED / "data/coco_mini"


def picture(seed: int = 0, width: int = 640, height: int = 480) -> Image.Image:
    """A picture of soft colour patches."""
    patches = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return Image.fromarray(patches).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, form: str = "JPEG", **options: Any) -> bytes:
    """An image as the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def prints(whole: int) -> list[int]:
    """Fingerprints of a picture: this one of its whole, and of its crops such as no other picture has."""
    digest = hashlib.sha512(str(whole).encode()).digest()
    return [whole, *(int.from_bytes(digest[8 * crop : 8 * crop + 8], "big") for crop in range(1, len(CROPS)))]


def stored(directory: Path, *contents: bytes) -> list[tuple[str, Path]]:
    """Files with these contents, as pairs of sha256 and path."""
    pairs = []
    for number, content in enumerate(contents):
        path = directory / f"{number}.jpg"
        path.write_bytes(content)
        pairs.append((hashlib.sha256(content).hexdigest(), path))
    return pairs


def real_photos() -> list[Path]:
    """The COCO photos beside the checkout."""
    photos = sorted(REAL.glob("*2017/*.jpg"))
    if not photos:
        pytest.skip("the COCO photos (shared/data/coco_mini) are not beside the checkout")
    return photos
