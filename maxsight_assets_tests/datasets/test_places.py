"""The places of an upstream file: mirrors are tried in order, and then there is a file to place by hand."""

import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from hashlib import md5
from pathlib import Path

import pytest

from maxsight_assets.catalog import model as catalogs
from maxsight_assets.catalog.model import Catalog, FileFacts, Mirror, MirroredFile
from maxsight_assets.datasets.bdd100k.source import IMAGES, LABELS
from maxsight_assets.datasets.places import PUBLISHER, hasty
from maxsight_assets.datasets.registry import SOURCES
from maxsight_assets.datasets.selection import ValidationSelection
from maxsight_assets.defs import metadata
from maxsight_assets.errors import LandingError, TransientError, UpstreamChanged
from maxsight_assets.pipeline.raw import look
from maxsight_assets.transport.client import Client
from maxsight_assets_tests.datasets.bdd100k.world import LANDED, land_from, publish, upstream_of
from maxsight_assets_tests.datasets.coco.upstream import pack
from maxsight_assets_tests.servers.processes import free_ports, nginx, program

RELEASE = {IMAGES: MirroredFile(path="all_images.zip"), LABELS: MirroredFile(path="labels.zip")}

needs_nginx = pytest.mark.skipif(program("nginx") is None, reason="nginx is not installed")


def catalog_of(base: str, *mirrors: Mirror, **facts: FileFacts) -> Catalog:
    """BDD100K's catalog with other places, and without what is known of the real files."""
    files = {IMAGES: facts.get("images", FileFacts()), LABELS: facts.get("labels", FileFacts())}
    changes = {"base": base, "mirrors": mirrors, "files": files, "counts": {}}
    return catalogs.load("bdd100k").model_copy(update=changes)


def mirror(base: str, files: dict[str, MirroredFile] | None = None) -> Mirror:
    return Mirror(base=base, files=files or {}, source="a test")


def change(archive: Path) -> None:
    """Make other bytes of an archive, which stays sound."""
    with zipfile.ZipFile(archive, "a") as packed:
        packed.writestr("README", "a later edition")


@pytest.fixture
def nowhere() -> str:
    """The address of a server that is down."""
    return f"http://127.0.0.1:{free_ports(1)[0]}"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A directory that nginx serves, and its "host:port"."""
    root = tmp_path / "served"
    root.mkdir()
    with nginx(root, tmp_path / "nginx") as host:
        yield root, host


@needs_nginx
def test_fault_88_a_mirror_serves_if_the_publisher_is_down_and_it_is_said(
    served: tuple[Path, str], nowhere: str, tmp_path: Path
) -> None:
    root, host = served
    publish(root)
    with upstream_of(catalog_of(nowhere, mirror(f"http://{host}")), host, nowhere.partition("//")[2]) as upstream:
        version = land_from(upstream, tmp_path / "data")

    assert version.tally.served == {IMAGES: f"http://{host}", LABELS: f"http://{host}"}
    assert IMAGES in str(metadata.of_version(version, "here")["served by"].value)
    with upstream_of(catalog_of(root.as_uri())) as upstream:
        directly = land_from(upstream, tmp_path / "other")
    assert version.manifest.data_version == directly.manifest.data_version
    assert directly.tally.served == {}
    assert "served by" not in metadata.of_version(directly, "here")


@needs_nginx
def test_each_file_is_looked_for_in_order_and_may_have_another_name_at_a_mirror(
    served: tuple[Path, str], tmp_path: Path
) -> None:
    root, host = served
    publish(tmp_path / "publisher")
    (tmp_path / "publisher" / LABELS).unlink()
    (tmp_path / "empty").mkdir()
    publish(root, images="all_images.zip", labels="labels.zip")
    first, second = mirror((tmp_path / "empty").as_uri()), mirror(f"http://{host}", RELEASE)
    with upstream_of(catalog_of((tmp_path / "publisher").as_uri(), first, second), host) as upstream:
        version = land_from(upstream, tmp_path / "data")

    assert version.tally.served == {LABELS: f"http://{host}"}
    assert version.tally.fetched_files == 7
    assert {row.origin.partition("!")[0] for row in version.manifest.rows.values() if row.origin} == {IMAGES, LABELS}


@needs_nginx
def test_a_slow_publisher_is_given_up_for_a_mirror_while_one_is_left(tmp_path: Path) -> None:
    publish(tmp_path / "root")
    with nginx(tmp_path / "root", tmp_path / "nginx", limit_rate="300") as host:
        catalog = catalog_of(f"http://{host}", mirror((tmp_path / "root").as_uri()))
        with upstream_of(catalog, host) as upstream:
            limits = replace(hasty(upstream.client.limits), rate_window_s=0.3, backoff_s=0.01)
            with Client(limits=limits) as client:
                version = land_from(replace(upstream, hasty=client), tmp_path / "data")

    assert version.tally.served.keys() & {IMAGES, LABELS}
    assert len(version.manifest.rows) == LANDED


def test_a_mirror_with_other_bytes_than_the_pinned_ones_is_passed_over(tmp_path: Path) -> None:
    publish(tmp_path / "right")
    publish(tmp_path / "wrong")
    pinned = (tmp_path / "right" / LABELS).read_bytes()
    change(tmp_path / "wrong" / LABELS)
    facts = FileFacts(md5=md5(pinned, usedforsecurity=False).hexdigest())
    places = [mirror((tmp_path / name).as_uri()) for name in ("wrong", "right")]
    with upstream_of(catalog_of((tmp_path / "away").as_uri(), *places, labels=facts)) as upstream:
        version = land_from(upstream, tmp_path / "data")

    assert version.tally.served[LABELS] == (tmp_path / "right").as_uri()
    assert version.manifest.rows["labels/bdd100k_labels_images_val.json"].level == "sha256"


def test_a_change_of_a_pinned_file_by_its_publisher_waits_for_the_user_whatever_a_mirror_has(tmp_path: Path) -> None:
    publish(tmp_path / "before")
    publish(tmp_path / "now")
    pinned = (tmp_path / "before" / LABELS).read_bytes()
    change(tmp_path / "now" / LABELS)
    facts = FileFacts(md5=md5(pinned, usedforsecurity=False).hexdigest())
    catalog = catalog_of((tmp_path / "now").as_uri(), mirror((tmp_path / "before").as_uri()), labels=facts)
    with (
        upstream_of(catalog.model_copy(update={"on_change": "stop"})) as upstream,
        pytest.raises(UpstreamChanged, match=f"maxsight-assets accept {LABELS}"),
    ):
        land_from(upstream, tmp_path / "data")


def test_fault_88_if_no_place_has_a_file_it_is_placed_by_hand_where_the_message_says_and_adopted(
    nowhere: str, tmp_path: Path
) -> None:
    data_dir, away = tmp_path / "data", (tmp_path / "away").as_uri()
    with upstream_of(catalog_of(nowhere, mirror(away)), nowhere.partition("//")[2]) as upstream:
        with pytest.raises(TransientError) as refused:
            land_from(upstream, data_dir)
        said = str(refused.value)
        place = data_dir / "downloads/bdd100k" / IMAGES
        assert f"none of 2 places gives it ({PUBLISHER}: " in said
        assert f"{away}: no such file" in said
        assert said.endswith(f"or place the file by hand as {place} and run `maxsight-assets adopt bdd100k_raw`")

        publish(place.parent)  # what the message says, for both files
        version = land_from(replace(upstream, placed_first=True), data_dir)

    assert len(version.manifest.rows) == LANDED
    assert version.tally.served[IMAGES] == f"{place} (placed by hand)"


def test_a_place_that_dies_half_way_is_followed_by_the_next_and_nothing_is_counted_twice(tmp_path: Path) -> None:
    publish(tmp_path / "whole")
    publish(tmp_path / "torn")
    archive = bytearray((tmp_path / "torn" / IMAGES).read_bytes())
    middle = archive.index(b"b0000003")
    archive[middle + 200 : middle + 220] = bytes(20)
    (tmp_path / "torn" / IMAGES).write_bytes(archive)
    catalog = catalog_of((tmp_path / "torn").as_uri(), mirror((tmp_path / "whole").as_uri()))
    with upstream_of(catalog) as upstream:
        version = land_from(upstream, tmp_path / "data")

    assert (version.tally.fetched_files, version.tally.reused_files) == (7, 0)
    assert version.tally.served == {IMAGES: (tmp_path / "whole").as_uri()}


def test_fault_87_labels_and_pictures_one_folder_deeper_are_found(tmp_path: Path) -> None:
    publish(tmp_path / "flat")
    (tmp_path / "deep").mkdir()
    for key in (IMAGES, LABELS):
        with zipfile.ZipFile(tmp_path / "flat" / key) as packed:
            pack(tmp_path / "deep" / key, {f"export/{name}": packed.read(name) for name in packed.namelist()})
    versions = []
    for name in ("flat", "deep"):
        with upstream_of(catalog_of((tmp_path / name).as_uri())) as upstream:
            versions.append(land_from(upstream, tmp_path / name / "data"))

    assert versions[0].manifest.data_version == versions[1].manifest.data_version
    origins = {row.origin for row in versions[1].manifest.rows.values() if row.origin}
    assert f"{LABELS}!export/bdd100k/labels/det_20/det_val.json" in origins


def test_the_sensor_asks_the_publisher_only(tmp_path: Path) -> None:
    publish(tmp_path / "mirror")
    catalog = catalog_of((tmp_path / "away").as_uri(), mirror((tmp_path / "mirror").as_uri()))
    with upstream_of(catalog) as upstream, pytest.raises(LandingError, match="no such file"):
        look(SOURCES["bdd100k"], upstream, tmp_path / "data/bdd100k", default=ValidationSelection())


def test_the_variable_of_a_mirror_replaces_the_catalogs_mirrors(tmp_path: Path) -> None:
    publish(tmp_path / "mine")
    shutil.rmtree(tmp_path / "mine")
    catalog = catalogs.load("bdd100k").at(base=(tmp_path / "mine").as_uri())
    with upstream_of(catalog) as upstream:
        assert [place.name for place in upstream.places(IMAGES)] == ["BDD100K_MIRROR"]


def test_the_mirrors_of_the_catalogs_are_those_that_are_known_in_their_order() -> None:
    found = {catalog.dataset: [each.base for each in catalog.mirrors] for catalog in catalogs.every()}

    assert found["coco"] == ["hf://datasets/pcuenq/coco-2017-mirror@a4cd8b69bd45a35e9a0a9c8692f3a7f4f23321fe"]
    assert found["bdd100k"] == [
        "http://dl.yf.io/bdd100k",
        "https://bdd-data-storage-release.s3.us-west-2.amazonaws.com/bdd100k/2021",
    ]
    assert all(each.source for catalog in catalogs.every() for each in catalog.mirrors)
    with upstream_of(catalogs.load("bdd100k")) as upstream:
        release = upstream.places(IMAGES)[-1].file
        assert release.url.endswith("/2021/bdd100k_images_100k.zip")
        assert release.md5 == "5a0359c86a0b8713adab1eee9a3041cb"
    with upstream_of(catalogs.load("coco")) as upstream:
        hub = upstream.places("zips/train2017.zip")[-1].file
        assert hub.url.endswith("23321fe/train2017.zip")
        assert hub.sha256 == upstream.file("zips/train2017.zip").sha256
