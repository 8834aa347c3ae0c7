"""`adopt --from` takes what the user has in the layouts of other tools, and fetches only what is missing."""

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from maxsight_assets.catalog import model as catalogs
from maxsight_assets.commands.app import app
from maxsight_assets.datasets.given import Given
from maxsight_assets.datasets.places import Upstream
from maxsight_assets.pipeline.raw import Version
from maxsight_assets_tests.datasets.bdd100k import world as bdd100k
from maxsight_assets_tests.datasets.coco.upstream import land, pack, places_in
from maxsight_assets_tests.transport.net_tools import quick_client
from maxsight_assets_tests.verification.directories import write_coco

LAYOUTS = {
    "as it is published": "val2017",
    "Ultralytics": "images/val2017",
    "FiftyOne": "validation/data",
    "one folder deeper": "val2017/val2017",
    "datasets/coco": "datasets/coco/images/val2017",
}


@contextmanager
def upstream_at(site: Path) -> Iterator[Upstream]:
    """COCO's upstream in a directory of this machine."""
    catalog = catalogs.load("coco").embedded(base=site.as_uri())
    with quick_client() as client:
        yield Upstream(catalog, client, "upstream", threading.Event())


def packed(root: Path, site: Path) -> None:
    """Pack a COCO directory as its publisher does."""
    for key, folder in (("annotations/annotations_trainval2017", "annotations"), ("zips/val2017", "val2017")):
        files = {f"{folder}/{path.name}": path.read_bytes() for path in sorted((root / folder).iterdir())}
        pack(site / f"{key}.zip", files)


def adopt(site: Path, given: Path, work: Path) -> Version:
    with upstream_at(site) as upstream:
        taking = replace(upstream, given=Given.of(given), placed_first=True)
        return land(taking, places_in(work), val2017=None)


@pytest.mark.parametrize("folder", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_fault_89_the_layouts_of_others_are_taken_and_nothing_is_fetched(folder: str, tmp_path: Path) -> None:
    theirs = write_coco(tmp_path / "theirs")
    packed(theirs, tmp_path / "site")
    (theirs / "val2017").rename(tmp_path / "pictures")
    (theirs / folder).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "pictures").rename(theirs / folder)
    for name in (".DS_Store", "._000000000001.jpg", "000000000001 (1).jpg"):
        (theirs / folder / name).write_bytes(b"\x00\x05\x16\x07")

    version = adopt(tmp_path / "site", theirs, tmp_path)

    assert (version.tally.adopted_files, version.tally.fetched_files) == (len(version.manifest.rows), 0)
    assert {path.partition("/")[0] for path in version.manifest.rows} == {"annotations", "val2017"}
    assert len(list((theirs / folder).iterdir())) == 7, "what the user has stays"


def test_fault_89_only_what_is_missing_or_damaged_is_fetched(tmp_path: Path) -> None:
    theirs = write_coco(tmp_path / "theirs")
    packed(theirs, tmp_path / "site")
    shutil.rmtree(theirs / "annotations")  # only val2017's pictures
    first, second, *_ = sorted((theirs / "val2017").iterdir())
    first.unlink()
    second.write_bytes(second.read_bytes()[:-1] + b"!")

    version = adopt(tmp_path / "site", theirs, tmp_path)

    annotations = [path for path in version.manifest.rows if path.startswith("annotations/")]
    assert version.tally.fetched_files == 2 + len(annotations)
    assert version.tally.adopted_files == 2


def test_links_to_files_are_followed_and_a_published_version_holds_files_itself(tmp_path: Path) -> None:
    theirs = write_coco(tmp_path / "theirs")
    packed(theirs, tmp_path / "site")
    for path in sorted((theirs / "val2017").iterdir()):
        kept = tmp_path / "store" / path.name
        kept.parent.mkdir(exist_ok=True)
        path.rename(kept)
        path.symlink_to(kept)

    version = adopt(tmp_path / "site", theirs, tmp_path)

    assert version.tally.fetched_files == 0
    published = tmp_path / "data/coco_raw"
    assert not any((published / path).is_symlink() for path in version.manifest.rows)


def test_adopt_in_place_takes_another_layout_too(tmp_path: Path) -> None:
    theirs = write_coco(tmp_path / "data/coco_raw")
    packed(theirs, tmp_path / "site")
    (theirs / "images").mkdir()
    (theirs / "val2017").rename(theirs / "images/val2017")

    version = adopt(tmp_path / "site", theirs, tmp_path)

    assert version.tally.fetched_files == 0
    assert len(list((theirs / "val2017").glob("*.jpg"))) == 4
    assert len(list((theirs / "images/val2017").glob("*.jpg"))) == 4


def test_archives_that_the_user_downloaded_are_taken_from_any_folder(tmp_path: Path) -> None:
    bdd100k.publish(tmp_path / "Downloads/some folder")
    away = catalogs.load("bdd100k").embedded(base=(tmp_path / "away").as_uri())
    with bdd100k.upstream_of(away) as upstream:
        given = Given.of(tmp_path / "Downloads")
        version = bdd100k.land_from(replace(upstream, given=given, placed_first=True), tmp_path / "data")

    assert len(version.manifest.rows) == bdd100k.LANDED
    assert all(place.endswith("(placed by hand)") for place in version.tally.served.values())


@pytest.mark.parametrize(("given", "said"), [("nowhere", "no such directory"), (".", "no file is in it")])
def test_a_directory_with_nothing_to_take_is_refused_before_anything_is_fetched(
    given: str, said: str, tmp_path: Path
) -> None:
    environment = {"DATA_DIR": str(tmp_path / "data"), "MAXSIGHT_PROFILE": "full", "DAGSTER_HOME": str(tmp_path / "h")}
    (tmp_path / "empty").mkdir()
    directory = os.path.normpath(tmp_path / "empty" / given)

    done = CliRunner().invoke(app, ["adopt", "coco_raw", "--from", directory], env=environment)

    assert done.exit_code == 2
    assert said in done.stderr
