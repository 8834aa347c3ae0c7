"""Which copies of a picture the guard against leaks finds, and how often it takes different pictures for copies.

Makes copies of each picture in many ways, looks at them as the checks do (`images.facts.examine`), and counts which
are near their original. Prints the tables of docs/explanation/copies.md.

    python benchmarks/copies.py                     # 100 drawn pictures, 5,000 different ones: some minutes
    python benchmarks/copies.py --photos DIRECTORY  # the photographs below a directory
"""

import argparse
import hashlib
import io
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from maxsight_assets.images.facts import examine
from maxsight_assets.images.groups import NEAR_RADIUS, NODES, group
from maxsight_assets.images.phash import apart

RADII = (NEAR_RADIUS, 8, 10)
SIZES = ((640, 480), (640, 427), (480, 640), (500, 375), (612, 612), (333, 500))

Copy = Callable[[Image.Image, np.random.Generator], bytes]


def drawn(seed: int, shrink: int = 1) -> Image.Image:
    """A picture of shapes before a sky and a ground, with texture at all scales; like no other."""
    rng = np.random.default_rng(seed)
    width, height = (side // shrink for side in SIZES[seed % len(SIZES)])
    colours = rng.integers(0, 256, (24, 3))
    picture = Image.new("RGB", (width, height), tuple(colours[0].tolist()))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, int(height * rng.uniform(0.3, 0.8)), width, height), fill=tuple(colours[1].tolist()))
    for colour in colours[2:].tolist():
        x, y, w, h = rng.uniform((-0.1, -0.1, 0.03, 0.03), (1, 1, 0.4, 0.4)) * (width, height, width, height)
        shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        shape((int(x), int(y), int(x + w), int(y + h)), fill=tuple(colour))
    texture = np.zeros((height, width, 3))
    for cells in (5, 17, 60):
        noise = rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        texture += np.asarray(Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC), dtype=float)
    return Image.blend(picture, Image.fromarray((texture / 3).astype(np.uint8)), 0.4)


def percent(share: float, digits: int = 0) -> str:
    """A share in words."""
    return f"{share * 100:.{digits}f} %"


def encoded(image: Image.Image, quality: int = 85) -> bytes:
    """A JPEG."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def rescaled(image: Image.Image, factor: float, filter_: Image.Resampling = Image.Resampling.LANCZOS) -> Image.Image:
    """The picture at another size."""
    return image.resize((round(image.width * factor), round(image.height * factor)), filter_)


def cropped(image: Image.Image, left: float, top: float, right: float, bottom: float) -> Image.Image:
    """The picture without these shares of its sides."""
    (width, height), box = image.size, (left, top, 1 - right, 1 - bottom)
    return image.crop(tuple(round(edge * side) for edge, side in zip(box, (width, height) * 2, strict=True)))


def copies() -> dict[str, Copy]:
    """Ways to make a copy, by name."""
    ways: dict[str, Copy] = {f"JPEG of quality {q}": lambda i, _, q=q: encoded(i, q) for q in (95, 60, 30, 20)}
    ways["gray"] = lambda i, _: encoded(i.convert("L"))
    for factor in (0.25, 0.33, 0.5, 0.75, 0.9, 1.3, 1.6, 2.0):
        ways[f"at {percent(factor)} of the size"] = lambda i, _, f=factor: encoded(rescaled(i, f))
    ways["at 75 %, bilinear, quality 60"] = lambda i, _: encoded(rescaled(i, 0.75, Image.Resampling.BILINEAR), 60)
    ways["at 25 %, quality 20"] = lambda i, _: encoded(rescaled(i, 0.25), 20)
    ways["mirrored"] = lambda i, _: encoded(ImageOps.mirror(i))
    ways["mirrored, at 50 %, quality 60"] = lambda i, _: encoded(rescaled(ImageOps.mirror(i), 0.5), 60)
    for share in (0.01, 0.02, 0.04, 0.05, 0.06, 0.08, 0.09, 0.1, 0.12):
        ways[f"cropped by {percent(share)} on every side"] = lambda i, _, s=share: encoded(cropped(i, s, s, s, s))
    ways["cropped by 5 % on every side, at 50 %, quality 60"] = lambda i, _: encoded(
        rescaled(cropped(i, 0.05, 0.05, 0.05, 0.05), 0.5), 60
    )
    ways["cropped by 5 % on every side, mirrored"] = lambda i, _: encoded(
        ImageOps.mirror(cropped(i, 0.05, 0.05, 0.05, 0.05))
    )
    for share in (0.02, 0.05, 0.1):
        ways[f"cropped by {percent(share)} on one side"] = lambda i, r, s=share: encoded(
            cropped(i, *(s * (np.arange(4) == r.integers(4))))
        )
    for share in (0.02, 0.05, 0.1):
        ways[f"cropped by {percent(share)} above and below"] = lambda i, _, s=share: encoded(cropped(i, 0, s, 0, s))
    for share in (0.03, 0.05, 0.1):
        ways[f"cropped by up to {percent(share)} on each side"] = lambda i, r, s=share: encoded(
            cropped(i, *r.uniform(0, s, 4))
        )
    ways["brighter by a third"] = lambda i, _: encoded(ImageEnhance.Brightness(i).enhance(1.33))
    ways["more contrast by a third"] = lambda i, _: encoded(ImageEnhance.Contrast(i).enhance(1.33))
    ways["with a black border of 3 %"] = lambda i, _: encoded(ImageOps.expand(i, round(0.03 * i.width)))
    ways["turned by 2 degrees"] = lambda i, _: encoded(i.rotate(2, Image.Resampling.BICUBIC))
    ways["upside down"] = lambda i, _: encoded(ImageOps.flip(i))
    ways["turned by 90 degrees"] = lambda i, _: encoded(i.transpose(Image.Transpose.ROTATE_90))
    return ways


def prints(contents: Iterable[bytes]) -> NDArray[np.uint64]:
    """Fingerprints of files with these contents, as the checks make them."""
    with tempfile.TemporaryDirectory() as directory:
        files = []
        for number, content in enumerate(contents):
            path = Path(directory) / str(number)
            path.write_bytes(content)
            files.append((hashlib.sha256(content).hexdigest(), path))
        facts = examine(files, cache=None)
    order = pl.DataFrame({"sha256": [sha256 for sha256, _ in files]})
    found = order.join(facts, on="sha256", how="left", maintain_order="left")["phash"]
    if found.null_count():
        raise SystemExit("a picture is too uniform to have a fingerprint")
    return found.to_numpy()


def table(pictures: Mapping[str, Image.Image]) -> Iterator[str]:
    """Markdown rows: what share of the copies is found, by radius, and the bits between them and their originals."""
    originals = prints(encoded(picture, 92) for picture in pictures.values())
    yield "| copy | " + " | ".join(f"found at {radius}" for radius in RADII) + " | bits: median, most |"
    yield "|---|" + "---|" * (len(RADII) + 1)
    for name, way in copies().items():
        rng = np.random.default_rng(1)
        bits = apart(originals, prints(way(picture, rng) for picture in pictures.values()))
        found = " | ".join(percent(np.mean(bits <= radius), 1) for radius in RADII)
        yield f"| {name} | {found} | {np.median(bits):.0f}, {bits.max()} |"


def different(marks: NDArray[np.uint64]) -> Iterator[str]:
    """How many different pictures are taken for copies of each other."""
    nodes = pl.DataFrame({"key": [f"{number:06}" for number in range(len(marks))], "phash": marks})
    nodes = nodes.select(pl.col(c) if c in nodes.columns else pl.lit(None, t).alias(c) for c, t in NODES.items())
    for radius in RADII:
        groups = group(nodes.cast(dict(NODES)), radius=radius)
        sizes = groups.members.group_by("group").len()["len"]
        yield f"{len(marks):,} different pictures, radius {radius}: {(sizes > 1).sum()} false groups"
    if len(marks) < 1_000:
        left, right = np.triu_indices(len(marks), 1)
        yield f"different pictures are {apart(marks[left], marks[right]).min()} bits apart at least"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--photos", type=Path, help="copy the JPEGs below this directory instead of drawn ones")
    arguments.add_argument("--count", type=int, default=100, help="drawn pictures to copy")
    arguments.add_argument("--different", type=int, default=5_000, help="drawn pictures to look for false groups in")
    chosen = arguments.parse_args()
    if chosen.photos:
        pictures = {str(path): Image.open(path).convert("RGB") for path in sorted(chosen.photos.rglob("*.jpg"))}
        marks = prints(Path(path).read_bytes() for path in pictures)
    else:
        pictures = {str(seed): drawn(seed) for seed in range(chosen.count)}
        marks = prints(encoded(drawn(seed, shrink=3)) for seed in range(1_000_000, 1_000_000 + chosen.different))
    for line in (*different(marks), *table(pictures)):
        print(line, flush=True)


if __name__ == "__main__":
    main()
