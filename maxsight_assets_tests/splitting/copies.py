"""Worlds with copies put in, and an audit of what was made of them: json, Pillow and NumPy, none of the project's code.

The audit looks at the pictures themselves, so that a mistake in fingerprints cannot hide the copies that it lets pass.
"""

import io
import json
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageOps

SIDE = 24
"""Side of the square that the audit shrinks pictures to."""

ALIKE = 0.985
"""Correlation of two such squares from which on they show one picture."""

KINDS = ("exact", "re-encoded", "rescaled", "mirrored", "mirrored and rescaled")


def scene(seed: int) -> Image.Image:
    """Draw a picture that is like no other: shapes before a sky and a ground, with texture."""
    rng = np.random.default_rng(seed)
    width, height = (int(side) for side in rng.integers(200, 481, 2))
    colours = [tuple(colour) for colour in rng.integers(0, 256, (20, 3)).tolist()]
    image = Image.new("RGB", (width, height), colours[0])
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, int(height * rng.uniform(0.3, 0.8)), width, height), fill=colours[1])
    for colour in colours[2:]:
        x, y, w, h = (rng.uniform((-0.1, -0.1, 0.05, 0.05), (1, 1, 0.4, 0.4)) * ((width, height) * 2)).tolist()
        (draw.ellipse if rng.random() < 0.5 else draw.rectangle)((x, y, x + w, y + h), fill=colour)
    noise = Image.fromarray(rng.integers(0, 256, (21, 21, 3), dtype=np.uint8))
    return Image.blend(image, noise.resize(image.size, Image.Resampling.BICUBIC), 0.3)


def jpeg(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def copy(content: bytes, kind: str, rng: np.random.Generator) -> bytes:
    """Copy a picture in one of `KINDS`: at 0.25 to 2 times its size, in a quality of 20 to 95."""
    if kind == "exact":
        return content
    image = Image.open(io.BytesIO(content))
    if "mirrored" in kind:
        image = ImageOps.mirror(image)
    if "rescaled" in kind:
        factor = 2 ** rng.uniform(-2, 1)
        filters = (Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.LANCZOS)
        image = image.resize(
            (round(image.width * factor), round(image.height * factor)), filters[int(rng.integers(len(filters)))]
        )
    return jpeg(image, int(rng.integers(20, 96)))


def cropped(content: bytes, share: float, rng: np.random.Generator) -> bytes:
    """Cut a share off every side."""
    image = Image.open(io.BytesIO(content))
    x, y = round(share * image.width), round(share * image.height)
    return jpeg(image.crop((x, y, image.width - x, image.height - y)), int(rng.integers(60, 96)))


def shared(root: Path, files: Mapping[str, Path]) -> set[tuple[str, str]]:
    """Pairs of files, of which one is in one part and the other in another, that show one picture, mirrored or not.

    Args:
        root: What `file_name` is relative to.
        files: COCO files of the parts, by name.
    """
    names = {
        part: [row["file_name"] for row in json.loads(path.read_bytes())["images"]] for part, path in files.items()
    }
    squares = {
        part: np.array([_square(root / name) for name in of_part]).reshape(-1, SIDE, SIDE)
        for part, of_part in names.items()
    }
    found = set()
    for one, other in combinations(names, 2):
        left, right = squares[one].reshape(-1, SIDE * SIDE), squares[other]
        for theirs in (right, right[:, :, ::-1]):
            likeness = left @ theirs.reshape(-1, SIDE * SIDE).T
            found |= {(names[one][a], names[other][b]) for a, b in np.argwhere(likeness > ALIKE).tolist()}
    return found


def _square(path: Path) -> np.ndarray:
    """A picture of mean 0 and length 1."""
    pixels = np.asarray(Image.open(path).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX), dtype=float)
    pixels -= pixels.mean()
    return np.asarray(pixels / np.linalg.norm(pixels))
