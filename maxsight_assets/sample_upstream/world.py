"""Publish the embedded upstream on disk: draw it at first use and keep it in a cache.

Below the cache, a folder named by the digest of the generator holds `pristine/`, which never changes, and `published/`,
a hard-linked copy that is served and that `touch` moves from edition to edition.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import PIL

from maxsight_assets.sample_upstream import ade20k, bdd100k, coco, openimages
from maxsight_assets.sample_upstream.defects import BY_NAME


def publish(cache: Path) -> Path:
    """Return the directory to serve; draw the sample first (some seconds) if the cache does not hold it yet.

    Safe to call from several processes at once: each draws into a folder of its own, and the first to finish wins.

    Args:
        cache: Directory that may be deleted at any time while nothing serves from it.

    Returns:
        A directory with `coco/`, `openimages/`, `open-images-dataset/`, `bdd100k/` and `ade20k/`.
    """
    home = cache / generator_digest()[:16]
    _once(home / "pristine", draw)
    _once(home / "published", lambda target: link_tree(home / "pristine", target))
    return home / "published"


def pristine(root: Path) -> Path:
    """Return the unchanged first edition that `root` (as `publish` returned it) is a copy of."""
    return root.with_name("pristine")


def outdated(cache: Path) -> list[Path]:
    """Return the worlds in a cache that other generators drew: `publish` no longer returns them."""
    current = generator_digest()[:16]
    return [path for path in cache.iterdir() if path.is_dir() and path.name != current] if cache.is_dir() else []


def draw(root: Path) -> None:
    """Draw everything into the empty directory `root`; equal generator digests give equal bytes."""
    photos = {str(each.image_id): each for each in coco.draw()}
    shared = photos[BY_NAME["shared_photo"].twin_image]
    wild = openimages.draw(shared.scene, shared.flickr_id)
    leak = BY_NAME["evaluation_leak"]
    original = next(each for each in wild if each.image_id == leak.twin_image)
    coco.publish(root / "coco", [*photos.values(), coco.near_copy(leak, original.scene)])
    openimages.publish(root, wild)
    bdd100k.publish(root / "bdd100k", bdd100k.draw())
    ade20k.publish(root / "ade20k", ade20k.draw())


def generator_digest() -> str:
    """Return the hex digest of all that the bytes depend on: this package and Pillow's version."""
    digest = hashlib.sha256(PIL.__version__.encode())
    here = Path(__file__).parent
    sources = [each for each in here.rglob("*") if each.suffix in {".py", ".csv", ".yaml"}]
    for source in sorted(sources, key=lambda each: each.relative_to(here).as_posix()):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()


def link_tree(source: Path, target: Path) -> None:
    """Copy a tree by hard links, or by bytes if the file system has no hard links."""

    def link(one: str, other: str) -> None:
        try:
            os.link(one, other)
        except OSError:
            shutil.copy2(one, other)

    shutil.copytree(source, target, copy_function=link, dirs_exist_ok=True)


def _once(target: Path, make: Callable[[Path], None]) -> None:
    """Make a directory completely or not at all."""
    if target.is_dir():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as scratch:
        made = Path(scratch) / target.name
        made.mkdir()
        make(made)
        try:
            made.rename(target)
        except OSError:
            if not target.is_dir():  # else another process was first, with the same bytes
                raise
