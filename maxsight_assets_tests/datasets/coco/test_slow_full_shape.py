"""An upstream of train2017's full shape: 118,287 members in a zip64 archive whose offsets pass 4 GiB."""

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg

from maxsight_assets_tests.datasets.coco.upstream import ANNOTATIONS, Site, document, serving
from maxsight_assets_tests.places import REPOSITORY, SHARED

GENERATOR = SHARED / "tools/gen_coco_instances.py"
HOLE = (4 << 30) + (1 << 20)
PEAK = 1_200_000_000

pytestmark = [
    pytest.mark.timeout(1_800),
    pytest.mark.skipif(not GENERATOR.is_file(), reason="the generator of full-size annotations is not there"),
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc"),
]


class Sparse(io.FileIO):
    """A file in which runs of zeros are holes."""

    def write(self, data: Any) -> int:
        if len(data) >= 1 << 20 and not any(data[:16]):
            self.seek(len(data), io.SEEK_CUR)
            return len(data)
        return super().write(data)


@cache
def flat(width: int, height: int) -> bytes:
    pixels = np.full((height, width, 1), 128, np.uint8)
    return bytes(simplejpeg.encode_jpeg(pixels, quality=20, colorspace="GRAY"))


def picture(number: int, width: int, height: int) -> bytes:
    """A small JPEG of that size that no other number has: a comment (B.2.4.5 of T.81) holds it."""
    comment = f"{number:012}".encode()
    data = flat(width, height)
    return data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + data[2:]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The upstream on nginx: half of the images lie behind the hole."""
    root, work = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("work")
    made = work / "instances_train2017.json"
    subprocess.run([sys.executable, str(GENERATOR), str(made)], check=True, capture_output=True)
    images = document(made)["images"]
    (root / ANNOTATIONS).parent.mkdir()
    with zipfile.ZipFile(root / ANNOTATIONS, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        packed.write(made, "annotations/instances_train2017.json")
    made.unlink()
    (root / "zips").mkdir()
    with Sparse(root / "zips/train2017.zip", "w+b") as raw, zipfile.ZipFile(raw, "w") as packed:
        for at, image in enumerate(images):
            if at == len(images) // 2:
                with packed.open("train2017/hole.bin", "w", force_zip64=True) as hole:
                    for _ in range(HOLE >> 20):
                        hole.write(bytes(1 << 20))
            size = (int(str(image["width"])), int(str(image["height"])))
            packed.writestr(f"train2017/{image['file_name']}", picture(int(str(image["id"])), *size))
    with serving(root, work / "nginx") as served:
        yield served


def in_process(*arguments: object) -> dict[str, Any]:
    command = [sys.executable, "-m", "maxsight_assets_tests.datasets.coco.process", *map(str, arguments)]
    few = {"POLARS_MAX_THREADS": "2", "MALLOC_ARENA_MAX": "2"}  # each thread keeps memory: as many on any machine
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY, env=os.environ | few)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["peak"] < PEAK, f"{arguments[0]}: peak memory {told['peak'] / 1e6:,.0f} MB"
    return told  # type: ignore[no-any-return]


def test_ten_thousand_of_a_full_train2017_land_verify_grow_and_are_adopted(site: Site, tmp_path: Path) -> None:
    assert (site.root / "zips/train2017.zip").stat().st_size > 4 << 30

    first = in_process("land", tmp_path, site.host, 10_000)
    assert (first["images"], first["fetched"]) == (10_000, 10_001)
    checked = in_process("verify", tmp_path)
    # The generated masks are not of their boxes, and the generated pictures repeat under other ids: both are warned of.
    assert set(checked["failed"]) == {"boxes_fit_their_masks", "pictures_have_one_id"}
    second = in_process("land", tmp_path, site.host, 20_000)
    assert (second["images"], second["fetched"]) == (20_000, 10_000)

    shutil.rmtree(tmp_path / "data/.coco_raw.maxsight")
    shutil.rmtree(tmp_path / "data/coco_raw/.maxsight")
    before = site.sent()
    third = in_process("land", tmp_path, site.host, 20_000)
    assert (third["images"], third["fetched"], third["adopted"]) == (20_000, 0, 20_001)
    assert site.sent() - before < 20_000_000  # the index of the archive, and nothing of its members
