"""COCO from a real web server into a real directory: selection, adoption, drift, tampering, and who reads it after."""

import contextlib
import io
import json
import os
import shutil
import struct
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
import pycocotools.coco
import pytest
from PIL import Image
from typer.testing import CliRunner

from maxsight_assets.build import SampleUpstreams
from maxsight_assets.commands.app import app
from maxsight_assets.datasets.coco.verify import Level, verify_coco_dataset
from maxsight_assets.errors import NotPublished, PreflightFailed, UpstreamChanged
from maxsight_assets.formats.coco import read_instances
from maxsight_assets.pipeline import upkeep
from maxsight_assets.pipeline.inspection import RAW
from maxsight_assets.publishing.maintenance import verify
from maxsight_assets.verification.raw import counts_match
from maxsight_assets_tests.datasets.coco.upstream import (
    ANNOTATIONS,
    COCO,
    REAL,
    Site,
    document,
    images_of,
    land,
    pack,
    pack_directory,
    places_in,
    serving,
)
from maxsight_assets_tests.invariants import assert_invariants
from maxsight_assets_tests.project import Project, copy_world
from maxsight_assets_tests.publishing.staged import land as land_files
from maxsight_assets_tests.verification.directories import document as sound
from maxsight_assets_tests.verification.directories import jpeg

pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason="no real COCO images beside the checkout")


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real sample, packed once."""
    root = tmp_path_factory.mktemp("packed")
    pack_directory(REAL, root)
    return root


@pytest.fixture
def site(packed: Path, tmp_path: Path) -> Iterator[Site]:
    """A copy of the packed sample on nginx, whose archives a test may replace."""
    root = tmp_path / "site"
    shutil.copytree(packed, root, copy_function=os.link)
    with serving(root, tmp_path / "nginx") as served:
        yield served


class NginxUpstreams(SampleUpstreams):
    """The embedded upstreams, but COCO from nginx."""

    host: str
    root: str

    def open(self, dataset: str, **options: Any) -> AbstractContextManager[Any]:
        if dataset != "coco":
            return super().open(dataset, **options)
        return Site(Path(self.root), self.host, Path()).open(origin="embedded")


def test_real_coco_goes_through_the_graph_with_its_checks_green(project: Project, site: Site) -> None:
    project.overrides["upstreams"] = NginxUpstreams(
        world=str(project.places.world), host=site.host, root=str(site.root)
    )

    outcome = project.run()

    assert outcome.failures == ()
    of_coco = [told for told in outcome.checks if told.asset == "coco_raw"]
    assert [told for told in of_coco if not told.passed] == []
    assert [told for told in outcome.checks if not told.passed and told.severity == "error"] == []
    assert len(list((project.places.data_dir / "coco_raw").glob("*2017/*.jpg"))) == 137
    named = document(project.places.splits / "maxsight_train.json")["images"]
    assert sum(str(image["file_name"]).startswith("coco_raw/train2017/") for image in named) > 50


def test_other_readers_read_what_landed(site: Site, tmp_path: Path) -> None:
    faster_coco_eval = pytest.importorskip("faster_coco_eval")
    places = places_in(tmp_path)
    with site.open() as upstream:
        land(upstream, places)
    root = places.data_dir / "coco_raw"
    path = root / "annotations/instances_val2017.json"

    with contextlib.redirect_stdout(io.StringIO()):
        readers = [pycocotools.coco.COCO(str(path)), faster_coco_eval.COCO(str(path))]

    assert [(len(reader.imgs), len(reader.anns)) for reader in readers] == [(57, 517)] * 2
    for info in readers[0].loadImgs(readers[0].getImgIds()):  # as torchvision's CocoDetection does
        with Image.open(root / "val2017" / info["file_name"]) as image:
            assert image.convert("RGB").size == (info["width"], info["height"])


@pytest.mark.parametrize(("number", "there"), [(30, 30), (None, 57)])
def test_tables_of_a_selection_are_those_of_the_files_with_their_masks(
    number: int | None, there: int, site: Site, tmp_path: Path
) -> None:
    places = places_in(tmp_path)
    root = places.data_dir / "coco_raw"
    with site.open() as upstream:
        version = land(upstream, places, val2017=number)
    whole = read_instances(root / "annotations/instances_val2017.json", split="val2017", image_dir="coco_raw/val2017")

    selected = COCO.tables(root, version.manifest)

    assert selected.images.height == there
    ids = selected.images["image_id"].implode()
    expected = whole.tables().boxes.filter(pl.col("image_id").is_in(ids))
    assert selected.boxes.equals(expected)
    assert expected["segmentation"].null_count() == 0


def test_a_larger_count_fetches_only_what_is_new_and_a_smaller_one_removes_nothing(site: Site, tmp_path: Path) -> None:
    places = places_in(tmp_path)
    with site.open() as upstream:
        few = land(upstream, places, train2017=20)
        more = land(upstream, places, train2017=40)
        fewer = land(upstream, places, train2017=10)

    assert images_of(few) < images_of(more)
    assert (len(images_of(more)), more.tally.fetched_files) == (40, 20)
    assert (len(images_of(fewer)), fewer.tally.fetched_files) == (10, 0)
    assert images_of(fewer) < images_of(few)
    assert all((places.data_dir / "coco_raw" / path).is_file() for path in images_of(more))
    report = upkeep.prune(places.data_dir / "coco_raw", [], really=True)
    assert len(report.files) == 30
    assert_invariants(places.data_dir / "coco_raw")


@pytest.mark.parametrize("previous", [False, True], ids=["present", "previous"])
def test_fault_78_prune_keeps_what_the_present_or_the_previous_splits_name(
    site: Site, tmp_path: Path, previous: bool
) -> None:
    places = places_in(tmp_path)
    with site.open() as upstream:
        kept = min(images_of(land(upstream, places, train2017=5)) - images_of(land(upstream, places, train2017=1)))
    names = json.dumps({"images": [{"file_name": f"coco_raw/{kept}"}]}).encode()
    land_files(places.splits, {"maxsight_train.json": names}, keep=False)
    if previous:
        land_files(places.splits, {"maxsight_train.json": b'{"images": []}'}, keep=False)

    report = upkeep.prune(places.data_dir / "coco_raw", [places.splits], really=True)

    assert len(report.files) == 3
    assert_invariants(places.data_dir / "coco_raw", named=[kept], beside={"cleaned_splits", ".cleaned_splits.maxsight"})


def test_splits_without_annotations_land_by_their_lists(site: Site, tmp_path: Path) -> None:
    whole = sound(6)
    listing = {name: whole[name] for name in ("info", "licenses", "images")}
    listed = {"annotations/image_info_test2017.json": json.dumps(listing).encode()}
    pack(site.root / "annotations/image_info_test2017.zip", listed)
    pack(site.root / "zips/test2017.zip", {f"test2017/{n:012}.jpg": jpeg(n) for n in range(1, 7)})
    places = places_in(tmp_path)

    with site.open(origin="embedded") as upstream:
        version = land(upstream, places, gate=RAW["coco"].gate(places), val2017=3, test2017=4)

    assert {path.partition("/")[0] for path in images_of(version)} == {"val2017", "test2017"}
    assert len(images_of(version)) == 7
    report = verify_coco_dataset(places.data_dir / "coco_raw", level="decode")
    assert [finding for finding in report.findings if not finding.verdict.passed] == []


def test_licences_choose_images_also_beside_one_without_an_address(site: Site, tmp_path: Path) -> None:
    whole = sound(6)
    whole["licenses"] = [{"id": 1, "url": "http://licences.example/by/"}, {"id": 2, "name": "without an address"}]
    for image in whole["images"]:
        image["license"] = 1 + image["id"] % 2
    listing = {name: whole[name] for name in ("info", "licenses", "images")}
    pack(
        site.root / "annotations/image_info_test2017.zip",
        {"annotations/image_info_test2017.json": json.dumps(listing).encode()},
    )
    pack(site.root / "zips/test2017.zip", {f"test2017/{n:012}.jpg": jpeg(n) for n in range(1, 7)})
    places = places_in(tmp_path)

    with site.open(origin="embedded") as upstream:
        version = land(upstream, places, val2017=0, test2017=None, licences=[1, 2])

    assert images_of(version) == {f"test2017/{n:012}.jpg" for n in (2, 4, 6)}


def test_coco_that_was_unzipped_years_ago_is_adopted_in_place(site: Site, tmp_path: Path) -> None:
    places = places_in(tmp_path)
    root = places.data_dir / "coco_raw"
    shutil.copytree(REAL, root)
    (root / "notes.txt").write_text("mine", encoding="utf-8")
    gone = min((root / "val2017").iterdir())
    gone.unlink()
    before = {path: path.stat().st_ino for path in root.rglob("*.jpg")}

    with site.open(pinned=site.pins()) as upstream:
        version = land(upstream, places, val2017=None, train2017=None)

    assert (version.tally.adopted_files, version.tally.fetched_files) == (138, 1)
    assert site.sent() < 64_000 + 137 * 200 + gone.stat().st_size * 2
    assert {path: path.stat().st_ino for path in before} == before
    assert (root / "notes.txt").read_text(encoding="utf-8") == "mine"
    assert {row.level for row in version.manifest.selected()} == {"crc32+size"}
    assert_invariants(root, beside=())


def test_fault_27_landing_asks_for_room_before_an_image_moves(site: Site, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        with site.open() as upstream, pytest.raises(PreflightFailed, match=r"too little space: .* needed"):
            land(upstream, places_in(disk))
        assert list(disk.rglob("*.jpg")) == []
        assert_invariants(disk / "data/coco_raw", versions={""}, settled=False)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_fault_38_image_that_a_drive_would_merge_with_a_landed_one_is_refused_before_it_moves(
    site: Site, tmp_path: Path
) -> None:
    places = places_in(tmp_path)
    root = places.data_dir / "coco_raw"
    publish(site, 0, {ANNOTATIONS: annotated("first.jpg"), "zips/val2017.zip": {"val2017/first.jpg": jpeg(1)}})
    with site.open() as upstream:
        first = land(upstream, places)
    both = {"val2017/first.jpg": jpeg(1), "val2017/First.jpg": jpeg(2)}
    publish(site, 60, {ANNOTATIONS: annotated("first.jpg", "First.jpg"), "zips/val2017.zip": both})

    with site.open() as upstream:
        for key in (ANNOTATIONS, "zips/val2017.zip"):
            upkeep.accept(upstream, key, root)
        with pytest.raises(PreflightFailed, match=r"'val2017/First\.jpg' and 'val2017/first\.jpg'"):
            land(upstream, places)
    assert_invariants(root, versions={first.manifest.data_version}, settled=False)
    assert not list(root.parent.rglob("First.jpg"))


def bomb() -> bytes:
    """A small JPEG whose header states 65,500 x 65,500 pixels."""
    data = bytearray(jpeg(1))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", 65_500, 65_500)
    return bytes(data)


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(bomb(), id="fault_65 decompression bomb"),
        pytest.param(jpeg(2)[:-60], id="fault_66 truncated"),
        pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", id="fault_66 EPS named .jpg"),
    ],
)
@pytest.mark.parametrize(("count", "published"), [(1, True), (6, False)])
def test_fault_65_and_66_an_image_that_is_none_is_an_item_and_many_are_not_published(
    site: Site, tmp_path: Path, bad: bytes, count: int, published: bool
) -> None:
    places, total = places_in(tmp_path), 120
    root = places.data_dir / "coco_raw"
    images = {f"val2017/{n:012}.jpg": jpeg(n) for n in range(1, total + 1)}
    names = sorted(images)[:count]
    whole = {"annotations/instances_val2017.json": json.dumps(sound(total)).encode()}
    publish(site, 0, {ANNOTATIONS: whole, "zips/val2017.zip": images | dict.fromkeys(names, bad)})

    with site.open() as upstream:
        if published:
            version = land(upstream, places, gate=RAW["coco"].gate(places))
            assert_invariants(root, versions={version.manifest.data_version}, named=images)
            found = {f.verdict.rule: f for f in verify_coco_dataset(root, level="decode").findings}
            decodes = found["every_image_decodes"]
            assert (decodes.verdict.offenders, decodes.severity) == (count, "warn")
            assert decodes.verdict.examples[0].startswith(names[0])
            return
        with pytest.raises(NotPublished, match="enough_images_decode"):
            land(upstream, places, gate=RAW["coco"].gate(places))
    assert_invariants(root, versions={""}, settled=False)


def publish(site: Site, later_s: int, archives: dict[str, dict[str, bytes]]) -> None:
    """Publish archives whose time is that of the present ones and this much."""
    for name, members in archives.items():
        then = (site.root / name).stat().st_mtime + later_s
        (site.root / name).unlink()  # it is a link to what other tests serve
        pack(site.root / name, members)
        os.utime(site.root / name, (then, then))


def annotated(*names: str) -> dict[str, bytes]:
    """The annotation archive's member for images of these names."""
    whole = sound(len(names))
    for image, name in zip(whole["images"], names, strict=True):
        image["file_name"] = name
    return {"annotations/instances_val2017.json": json.dumps(whole).encode()}


def replaced(archive: Path, edit: Callable[[str, bytes], bytes]) -> None:
    """Publish another edition of an archive, whole at once."""
    with zipfile.ZipFile(archive) as packed:
        files = {name: edit(name, packed.read(name)) for name in packed.namelist()}
    fresh = archive.with_suffix(".new")
    pack(fresh, files)
    later = archive.stat().st_mtime + 60  # nginx's ETag is made of seconds and length: a fast machine changes neither
    os.utime(fresh, (later, later))
    fresh.replace(archive)


def longer(name: str, data: bytes) -> bytes:
    return data + b" " if name.endswith("instances_val2017.json") else data


def other_bytes(_: str, data: bytes) -> bytes:
    return data[:-100] + bytes(100)


@pytest.mark.parametrize(("key", "edit"), [(ANNOTATIONS, longer), ("zips/val2017.zip", other_bytes)])
def test_fault_70_a_pinned_archive_that_changed_waits_for_a_person(
    key: str, edit: Callable[[str, bytes], bytes], site: Site, tmp_path: Path
) -> None:
    places, pins = places_in(tmp_path), site.pins()
    root = places.data_dir / "coco_raw"
    with site.open(pinned=pins) as upstream:
        first = land(upstream, places)
    assert not counts_match.judge(COCO.view(root, first.manifest)).passed  # the catalog's counts are not of this world
    replaced(site.root / key, edit)

    for _ in range(2):  # what the first attempt staged must not let the second one through
        with site.open(pinned=pins) as upstream, pytest.raises(UpstreamChanged, match=f"maxsight-assets accept {key}"):
            land(upstream, places)
    assert_invariants(root, versions={first.manifest.data_version}, settled=False)

    with site.open(pinned=pins) as upstream:
        said = upkeep.accept(upstream, key, root)
        second = land(upstream, places)
    assert second.changed
    assert_invariants(root, versions={second.manifest.data_version})
    assert counts_match.judge(COCO.view(root, second.manifest)).passed == (key == ANNOTATIONS)
    assert said.how == "by a download of it"  # the runs that stopped had seen its length or its index
    assert said.file.sha256 == sha256((site.root / key).read_bytes()).hexdigest()
    replaced(site.root / key, lambda _, data: data + b"  ")
    with site.open(pinned=pins) as upstream, pytest.raises(UpstreamChanged, match=f"maxsight-assets accept {key}"):
        land(upstream, places)
    assert_invariants(root, versions={second.manifest.data_version}, settled=False)


@pytest.mark.parametrize("moved_on", [False, True])
def test_fault_70_what_the_run_that_stopped_received_is_accepted_while_upstream_has_it_still(
    site: Site, tmp_path: Path, moved_on: bool
) -> None:
    key = "zips/val2017.zip"
    places, pins = places_in(tmp_path), site.pins()
    root = places.data_dir / "coco_raw"
    replaced(site.root / key, other_bytes)  # of the same length: it is read to its end before its hash is known
    with site.open(pinned=pins) as upstream, pytest.raises(UpstreamChanged):
        land(upstream, places)
    assert_invariants(root, versions={""}, settled=False)
    if moved_on:
        replaced(site.root / key, lambda _, data: data[:-50] + bytes(50))
    before = site.sent()

    with site.open(pinned=pins) as upstream:
        said = upkeep.accept(upstream, key, root)
        cost = site.sent() - before
        version = land(upstream, places)

    size = (site.root / key).stat().st_size
    assert (said.file.bytes, said.file.sha256) == (size, sha256((site.root / key).read_bytes()).hexdigest())
    assert (said.how, cost < 80_000 < size) == (
        ("by a download of it", False) if moved_on else ("as the run that stopped received it", True)
    )
    assert_invariants(root, versions={version.manifest.data_version})


def test_fault_70_a_huge_zip_that_changed_is_accepted_by_its_index_alone(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "zips/val2017.zip"
    places, pins = places_in(tmp_path), site.pins()
    root = places.data_dir / "coco_raw"
    with site.open(pinned=pins) as upstream:
        land(upstream, places, val2017=20)
    replaced(site.root / key, lambda _, data: data + bytes(9))
    with site.open(pinned=pins) as upstream, pytest.raises(UpstreamChanged):
        land(upstream, places)
    monkeypatch.setattr(upkeep, "HASHED_BYTES", 100_000)
    before = site.sent()

    with site.open(pinned=pins) as upstream:
        said = upkeep.accept(upstream, key, root)
        cost = site.sent() - before
        second = land(upstream, places)

    assert said.how.startswith("by its index")
    assert said.file.sha256 is None
    assert cost < 80_000 < said.file.bytes
    assert (second.changed, len(images_of(second))) == (True, 20)
    assert {row.level for row in second.manifest.selected() if row.path.endswith(".jpg")} == {"crc32+size"}
    assert_invariants(root)
    replaced(site.root / key, other_bytes)  # the same length, and other members behind another index
    with site.open(pinned=pins) as upstream, pytest.raises(UpstreamChanged, match="its index is not the one"):
        land(upstream, places)
    assert_invariants(root, versions={second.manifest.data_version}, settled=False)


Damage = Callable[[list[Path]], None]


def truncate(images: list[Path]) -> None:
    data = images[0].read_bytes()
    images[0].write_bytes(data[: len(data) // 2])


def flip(images: list[Path]) -> None:
    data = bytearray(images[0].read_bytes())
    data[len(data) // 2] ^= 1
    images[0].write_bytes(data)


def swap(images: list[Path]) -> None:
    first, second = (image.read_bytes() for image in images[:2])
    images[0].write_bytes(second)
    images[1].write_bytes(first)


@pytest.mark.parametrize(
    ("damage", "level", "rule", "count"),
    [
        (lambda images: images[0].unlink(), "names", "files_complete", 1),
        (truncate, "names", "files_complete", 1),
        (flip, "hashes", "hashes_match", 1),
        (swap, "hashes", "hashes_match", 2),
    ],
    ids=["delete", "truncate", "flip", "swap"],
)
def test_tampering_is_found_at_its_level_and_repair_mends_exactly_that(
    damage: Damage, level: Level, rule: str, count: int, site: Site, tmp_path: Path
) -> None:
    places = places_in(tmp_path)
    root = places.data_dir / "coco_raw"
    with site.open() as upstream:
        land(upstream, places)
        damage(images := sorted((root / "val2017").iterdir()))
        found = {finding.verdict.rule: finding.verdict for finding in verify_coco_dataset(root, level=level).findings}
        mended = upkeep.repair(COCO, upstream, root)

    assert (found[rule].passed, found[rule].offenders) == (False, count)
    assert [root / path for path in mended] == images[:count]
    assert dict(verify(root).wrong) == {}
    assert_invariants(root)


def test_a_swap_of_equal_sizes_is_not_seen_by_names_alone(site: Site, tmp_path: Path) -> None:
    places = places_in(tmp_path)
    root = places.data_dir / "coco_raw"
    with site.open() as upstream:
        land(upstream, places)
    flip(sorted((root / "val2017").iterdir()))

    verdicts = [finding.verdict for finding in verify_coco_dataset(root, level="names").findings]

    assert {verdict.rule: verdict.passed for verdict in verdicts}["files_complete"]


def test_the_commands_land_mend_prune_and_say_what_they_cannot(
    drawn_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MAXSIGHT_PROFILE", raising=False)
    (tmp_path / ".maxsight").mkdir()
    copy_world(drawn_world, tmp_path / ".maxsight/sample_upstream")

    def said(*command: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, list(command))
        return result.exit_code, result.output

    assert "0 known already" in said("adopt", "coco_raw")[1]
    image = min((tmp_path / "coco_raw/val2017").iterdir())
    image.write_bytes(b"")
    status, text = said("repair", "coco_raw")
    assert status == 0
    assert text.startswith(f"coco_raw: 1 files mended\n  val2017/{image.name}\n")
    aside = tmp_path / ".coco_raw.maxsight/quarantine"
    edited = f"1 edited files in {aside} (val2017/{image.name})"
    would = f"coco_raw: {edited} would go\nnothing was deleted; say --really to delete them\n"
    assert said("prune", "coco_raw") == (0, would)
    assert said("prune", "coco_raw", "--really") == (0, f"coco_raw: {edited} deleted\n")
    assert list(aside.rglob("*")) == []
    assert said("prune", "coco_raw", "--really") == (0, "coco_raw: there is nothing to delete\n")
    shutil.copytree(tmp_path / "coco_raw", tmp_path / "other", ignore=shutil.ignore_patterns(".maxsight"))
    assert "bytes compared with upstream" in said("verify", "coco", str(tmp_path / "other"), "--ask-upstream")[1]
    assert said("accept", "annotations/annotations_trainval2017.zip")[0] == 0
    assert "bytes compared with upstream" in said("verify", "coco", str(tmp_path / "other"), "--ask-upstream")[1]
    assert said("accept", "zips/other.zip")[0] == 2
    assert said("adopt", "nothing")[0] == 2
