"""A small BDD100K as its publisher packs it, and its landing from any places: what tests share."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from maxsight_assets.catalog import model as catalogs
from maxsight_assets.catalog.model import Catalog
from maxsight_assets.datasets.bdd100k import source as bdd100k
from maxsight_assets.datasets.places import Upstream
from maxsight_assets.datasets.registry import SOURCES
from maxsight_assets.datasets.selection import ValidationSelection
from maxsight_assets.pipeline.inspection import RAW
from maxsight_assets.pipeline.raw import Version, refresh
from maxsight_assets.places import Places
from maxsight_assets_tests.datasets.coco.upstream import pack
from maxsight_assets_tests.transport.net_tools import quick_client
from maxsight_assets_tests.verification.directories import jpeg

FRAMES = tuple(f"b{number:07x}-{number:08x}.jpg" for number in range(6))
LANDED = 2 * (len(FRAMES) + 1)
"""Number of files that land: the pictures and the labels, each under both of its names."""


def publish(root: Path, *, images: str = bdd100k.IMAGES, labels: str = bdd100k.LABELS) -> None:
    """Write both archives of a small BDD100K, under the names that a place has for them."""
    box = {"category": "car", "box2d": {"x1": 2, "y1": 3, "x2": 12, "y2": 13}}
    listed = [{"name": name, "labels": [box | {"id": str(number)}]} for number, name in enumerate(FRAMES)]
    pack(root / images, {f"bdd100k/images/100k/val/{name}": jpeg(100 + i) for i, name in enumerate(FRAMES)})
    pack(root / labels, {bdd100k.LABELS_MEMBER: json.dumps(listed).encode()})


@contextmanager
def upstream_of(catalog: Catalog, *hosts: str) -> Iterator[Upstream]:
    """An open upstream whose servers on loopback may be contacted."""
    cancel = threading.Event()
    with quick_client(*hosts, cancel=cancel) as client:
        yield Upstream(catalog, client, "upstream", cancel)


def land_from(upstream: Upstream, data_dir: Path, **changes: Any) -> Version:
    """Land everything that the upstream has, judged by the blocking rules; `changes` are of the dataset's row."""
    places = Places(data_dir, data_dir / "cleaned_splits", data_dir / ".maxsight")
    return refresh(
        replace(SOURCES["bdd100k"], **changes),
        upstream,
        data_dir=data_dir,
        cache=places.facts,
        default=ValidationSelection(),
        stated={},
        gate=RAW["bdd100k"].gate(places),
    )


def land(data_dir: Path, root: Path, **changes: Any) -> Version:
    """Publish a small BDD100K in a directory and land it from there."""
    if not root.exists():
        publish(root)
    with upstream_of(catalogs.load("bdd100k").embedded(base=root.as_uri())) as upstream:
        return land_from(upstream, data_dir, **changes)
