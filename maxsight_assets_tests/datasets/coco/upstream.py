"""A COCO upstream for tests: a directory packed as the publisher packs it, served by a real nginx."""

import contextlib
import json
import threading
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Literal

import pytest

from maxsight_assets.catalog import model as catalogs
from maxsight_assets.catalog.model import FileFacts
from maxsight_assets.datasets.coco.selection import CocoSelection
from maxsight_assets.datasets.landing import Gate
from maxsight_assets.datasets.places import Upstream
from maxsight_assets.datasets.registry import SOURCES
from maxsight_assets.pipeline.raw import Version, refresh
from maxsight_assets.places import Places
from maxsight_assets.transport.client import Client
from maxsight_assets.transport.options import Limits
from maxsight_assets_tests.places import SHARED
from maxsight_assets_tests.servers.processes import nginx, program, wait_until

REAL = SHARED / "data/coco_mini"
ANNOTATIONS = "annotations/annotations_trainval2017.zip"
COCO = SOURCES["coco"]


def pack(archive: Path, files: Mapping[str, bytes]) -> None:
    """Write a zip of stored members, as COCO's are; the same bytes for the same files."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
        for name, data in files.items():
            packed.writestr(zipfile.ZipInfo(name, (2017, 9, 1, 0, 0, 0)), data)


def pack_directory(source: Path, root: Path) -> None:
    """Pack a COCO directory into `root/annotations/*.zip` and `root/zips/*.zip`."""

    def below(folder: str) -> dict[str, bytes]:
        return {f"{folder}/{path.name}": path.read_bytes() for path in sorted((source / folder).iterdir())}

    pack(root / ANNOTATIONS, below("annotations"))
    for split in ("train2017", "val2017"):
        pack(root / f"zips/{split}.zip", below(split))


@dataclass(frozen=True)
class Site:
    """A served upstream.

    Attributes:
        root: What nginx serves; archives may be replaced.
        host: "host:port".
        log: nginx's access log.
    """

    root: Path
    host: str
    log: Path

    def sent(self) -> int:
        """Bytes of all bodies that were sent so far.

        nginx logs an answer after its last byte, so that the line of another one is waited for.
        """
        mark = f"/{token_hex(8)}"
        another = urllib.request.Request(f"http://{self.host}{mark}", method="HEAD")
        with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(another, timeout=60):
            pass
        wait_until(lambda: mark in self.log.read_text(encoding="utf-8"), "nginx logs nothing")
        return sum(int(line.split()[9]) for line in self.log.read_text(encoding="utf-8").splitlines())

    @contextlib.contextmanager
    def open(
        self, *, origin: Literal["embedded", "upstream"] = "upstream", pinned: Mapping[str, FileFacts] | None = None
    ) -> Iterator[Upstream]:
        """The upstream with these pinned facts; other files are not pinned."""
        known = {key: FileFacts() for key in catalogs.load("coco").files} | dict(pinned or {})
        catalog = catalogs.load("coco").at(base=f"http://{self.host}").model_copy(update={"files": known})
        with Client(limits=Limits(loopback_allowed=frozenset({self.host}), attempts=2)) as client:
            yield Upstream(catalog=catalog, client=client, origin=origin, cancel=threading.Event())

    def pins(self) -> dict[str, FileFacts]:
        """What is served now, as a catalog would pin it."""
        return {
            path.relative_to(self.root).as_posix(): FileFacts(
                bytes=path.stat().st_size, sha256=sha256(path.read_bytes()).hexdigest()
            )
            for path in sorted(self.root.rglob("*.zip"))
        }


@contextlib.contextmanager
def serving(root: Path, work: Path) -> Iterator[Site]:
    """Serve a packed upstream."""
    if program("nginx") is None:
        pytest.skip("nginx is not installed")
    with nginx(root, work) as host:
        yield Site(root, host, work / "access.log")


def places_in(root: Path) -> Places:
    """The places of a project below a directory."""
    return Places(root / "data", root / "data/cleaned_splits", root / "state")


def land(
    upstream: Upstream,
    places: Places,
    *,
    gate: Gate = lambda *_: (),
    licences: Sequence[int] = (),
    **splits: int | None,
) -> Version:
    """Land COCO with these largest counts by split; of these licences only, where there are some."""
    return refresh(
        COCO,
        upstream,
        data_dir=places.data_dir,
        cache=places.facts,
        default=CocoSelection(splits={"val2017": None}),
        stated={"splits": splits or None, "licences": licences or None},
        gate=gate,
    )


def images_of(version: Version) -> set[str]:
    """Paths of the selected images of a version."""
    return {row.path for row in version.manifest.selected() if row.path.endswith(".jpg")}


def document(path: Path) -> dict[str, list[dict[str, object]]]:
    """A COCO file as plain objects."""
    return json.loads(path.read_bytes())  # type: ignore[no-any-return]
