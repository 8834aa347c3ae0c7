"""A small upstream of Open Images on disk and in a bucket, and its landing from any address: what tests share.

`python -m maxsight_assets_tests.datasets.openimages.world DATA_DIR TABLES ENDPOINT FILES` lands from S3 and is killed
when it has recorded so many files.
"""

import csv
import itertools
import json
import os
import signal
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import simplejpeg
from obstore.store import S3Store

from maxsight_assets.catalog import model as catalogs
from maxsight_assets.datasets.openimages import source as openimages
from maxsight_assets.datasets.openimages.selection import OpenImagesSelection
from maxsight_assets.datasets.places import Upstream
from maxsight_assets.datasets.registry import SOURCES
from maxsight_assets.pipeline.inspection import RAW
from maxsight_assets.pipeline.raw import Version, refresh
from maxsight_assets.places import Places
from maxsight_assets.publishing.manifest import FileRow
from maxsight_assets.publishing.stage import Stage
from maxsight_assets.transport.options import Credentials
from maxsight_assets_tests.transport.net_tools import quick_client
from maxsight_assets_tests.verification.directories import jpeg

ROW = "{},xclick,{},1,0.1,0.5,0.2,0.6,0,0,0,0,0"
HEADER = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside"
COLUMNS = ("ImageID", "OriginalLandingURL", "License", "Author", "Title", "Rotation")
NAMES = {"/m/1": "Door", "/m/2": "Human face", "/m/3": "Car"}


def write_tables(
    root: Path, boxes: Sequence[str], metadata: Sequence[Sequence[str]], *, split: str, names: Mapping[str, str] = NAMES
) -> None:
    """Write what the publisher's table bucket holds, for one split."""
    for key in (openimages.CLASSES, openimages.HIERARCHY, openimages.BOXES[split], openimages.IMAGES[split]):
        (root / key).parent.mkdir(parents=True, exist_ok=True)
    with (root / openimages.CLASSES).open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(names.items())
    tree = {"LabelName": "/m/0bl9f", "Subcategory": [{"LabelName": mid} for mid in names]}
    (root / openimages.HIERARCHY).write_text(json.dumps(tree), encoding="utf-8")
    (root / openimages.BOXES[split]).write_text("\n".join([HEADER, *boxes]) + "\n", encoding="utf-8")
    with (root / openimages.IMAGES[split]).open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([COLUMNS, *metadata])


def world(root: Path, count: int, *, split: str = "validation", zoo: Path | None = None) -> list[str]:
    """Write `count` images of doors with their tables; in a zoo's form too where asked.

    Returns:
        Their ids.
    """
    ids = [f"{number * 0x0F1E2D3C4B5A6978 % 2**64:016x}" for number in range(1, count + 1)]
    boxes = [ROW.format(image_id, mid) for image_id in ids for mid in ("/m/1", "/m/3")]
    facts = [
        (each, f"https://www.flickr.com/photos/a/{n}", openimages.LICENCES[0], "A &amp; B", "T", "")
        for n, each in enumerate(ids)
    ]
    write_tables(root / "tables", boxes, facts, split=split)
    for number, image_id in enumerate(ids):
        folders = [root / "images" / split, *([zoo / split / "data"] if zoo else [])]
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{image_id}.jpg").write_bytes(jpeg(number))
    return ids


def gray(width: int, height: int) -> bytes:
    """A quickly made JPEG of that size."""
    shades = np.add.outer(np.arange(height), np.arange(width)).astype(np.uint8)[..., np.newaxis]
    return bytes(simplejpeg.encode_jpeg(shades, quality=50, colorspace="GRAY", colorsubsampling="Gray"))


def store_of(endpoint: str) -> S3Store:
    """The public bucket of a test's S3 server."""
    return S3Store("open-images", endpoint=endpoint, skip_signature=True, client_options={"allow_http": True})


def make_bucket(endpoint: str) -> None:
    """Make the public bucket of a test's S3 server, where it is not there."""
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{endpoint}/open-images", method="PUT"), timeout=60):
            pass
    except urllib.error.HTTPError as error:
        if error.code != 409:
            raise


def upload(endpoint: str, images: Path) -> bool:
    """Make the bucket and put every image into it; whether the server is ready for it."""
    store = store_of(endpoint)

    def put(path: Path) -> None:
        store.put(path.relative_to(images).as_posix(), path.read_bytes())

    try:
        make_bucket(endpoint)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(put, sorted(images.rglob("*.jpg"))))
    except Exception:  # noqa: BLE001 - whatever a server that starts answers
        return False
    return True


def land(
    data_dir: Path,
    tables: Path,
    images: str,
    *,
    hosts: tuple[str, ...] = (),
    credentials: Credentials | None = None,
    **stated: object,
) -> Version:
    """Land what a selection asks for, judged by the blocking rules, with images from any address.

    Classes, licences and a budget are asked for of every split, the evaluated one included.
    """
    asked = ("classes", "licences", "max_images")
    stated |= {f"evaluation_{name}": stated[name] for name in asked if name in stated}
    places = Places(data_dir, data_dir / "cleaned_splits", data_dir / ".maxsight", None)
    cancel = threading.Event()
    catalog = catalogs.load("openimages").embedded(base=tables.as_uri(), images=images)
    with quick_client(*hosts, credentials=credentials, cancel=cancel) as client:
        return refresh(
            SOURCES["openimages"],
            Upstream(catalog, client, "upstream", cancel, data_dir / openimages.DIRECTORY),
            data_dir=data_dir,
            cache=places.facts,
            default=OpenImagesSelection(splits={"validation": None}),
            stated=stated,
            gate=RAW["openimages"].gate(places),
        )


def die_at(files: int) -> None:
    """Let this process be killed as soon as it has recorded so many files."""
    record, recorded = Stage.record, itertools.count(1)

    def recording(self: Stage, row: FileRow) -> None:
        record(self, row)
        if next(recorded) == files:
            os.kill(os.getpid(), signal.SIGKILL)

    Stage.record = recording  # type: ignore[method-assign]


if __name__ == "__main__":
    die_at(int(sys.argv[4]))
    land(Path(sys.argv[1]), Path(sys.argv[2]), "s3://open-images", credentials=Credentials(s3_endpoint=sys.argv[3]))
