"""Small COCO-like directories on disk, whole by default; a test spoils one thing and looks at one rule."""

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from PIL import Image

from maxsight_assets.catalog.model import SplitCounts
from maxsight_assets.datasets.coco.rules import KNOWN_IDS, CocoView
from maxsight_assets.formats.coco import read_instances
from maxsight_assets.formats.tables import Tables
from maxsight_assets.labels import mapping
from maxsight_assets.publishing.manifest import FileRow, Manifest
from maxsight_assets.remote import Level

WIDTH, HEIGHT = 64, 48
ANNOTATIONS = "annotations/instances_val2017.json"


def jpeg(seed: int, *, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """A small picture that differs from those of other seeds."""
    coarse = np.random.default_rng(seed).integers(0, 256, size=(-(-height // 8), -(-width // 8), 3), dtype=np.uint8)
    pixels = np.ascontiguousarray(coarse.repeat(8, axis=0).repeat(8, axis=1)[:height, :width])
    return bytes(simplejpeg.encode_jpeg(pixels, quality=90))


def turned(seed: int, orientation: int, *, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """Such a picture, with an EXIF orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    with Image.open(io.BytesIO(jpeg(seed, width=width, height=height))) as picture:
        picture.save(stream, "JPEG", quality=90, exif=exif)
    return stream.getvalue()


def document(images: int = 4) -> dict[str, Any]:
    """A sound COCO document: every image has one box with a polygon."""
    names = (row.label for row in mapping.rows("coco"))
    return {
        "info": {},
        "licenses": [{"id": 4, "name": "Attribution License", "url": "http://creativecommons.org/licenses/by/2.0/"}],
        "categories": [
            {"id": number, "name": name, "supercategory": "x"}
            for number, name in zip(sorted(KNOWN_IDS), names, strict=True)
        ],
        "images": [
            {"id": n, "file_name": f"{n:012}.jpg", "width": WIDTH, "height": HEIGHT, "license": 4}
            for n in range(1, images + 1)
        ],
        "annotations": [annotation(100 + n, n) for n in range(1, images + 1)],
    }


def annotation(number: int, image: int, **changes: Any) -> dict[str, Any]:
    """A sound annotation of a document's image."""
    sound = {
        "id": number,
        "image_id": image,
        "category_id": 18,
        "bbox": [2.0, 3.0, 20.0, 10.0],
        "area": 200.0,
        "iscrowd": 0,
        "segmentation": [[2.0, 3.0, 22.0, 3.0, 22.0, 13.0]],
    }
    return sound | changes


def write_coco(root: Path, contents: dict[str, Any] | None = None) -> Path:
    """Write a document and a picture for each of its images, as they land."""
    contents = document() if contents is None else contents
    (root / "annotations").mkdir(parents=True)
    (root / "val2017").mkdir()
    (root / ANNOTATIONS).write_text(json.dumps(contents), encoding="utf-8")
    for image in contents["images"]:
        (root / "val2017" / image["file_name"]).write_bytes(jpeg(image["id"]))
    return root


def manifest_of(root: Path, *, level: Level = "sha256", sizes: bool = True, source: str = "upstream") -> Manifest:
    """The manifest that a landing of everything below the root would have."""
    rows = []
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_file() and not name.startswith(".maxsight/"):
            data = path.read_bytes()
            size = (WIDTH, HEIGHT) if sizes and name.endswith(".jpg") else (None, None)
            digest = hashlib.sha256(data).hexdigest()
            row = FileRow(
                path=name,
                bytes=len(data),
                sha256=digest,
                level=level,
                width=size[0],
                height=size[1],
                origin="zips/a.zip!x",
            )
            rows.append(row)
    return Manifest.of(rows, asset="coco_raw", source=source, selection={}, inputs={})


def read(root: Path, _: Manifest) -> Tables:
    """All of the one split."""
    return read_instances(root / ANNOTATIONS, split="val2017", image_dir="coco_raw/val2017").tables()


def view_of(
    root: Path,
    manifest: Manifest | None = None,
    *,
    reader: Callable[[Path, Manifest], Tables] = read,
    counts: dict[str, SplitCounts] | None = None,
) -> CocoView:
    """A view of the directory, with the manifest of what is there now unless another is given."""
    return CocoView(
        root=root,
        manifest=manifest or manifest_of(root),
        place="coco_raw",
        read=reader,
        counts=counts or {},
    )
