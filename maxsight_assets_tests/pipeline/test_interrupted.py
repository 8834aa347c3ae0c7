"""A run that was interrupted leaves staged files; the next one takes those that are upstream's still, and no others."""

import io
import tarfile
import threading
from pathlib import Path

import pytest

from maxsight_assets.catalog import model as catalogs
from maxsight_assets.catalog.model import FileFacts
from maxsight_assets.datasets.ade20k import source as ade20k
from maxsight_assets.datasets.ade20k.source import ScenesSelection
from maxsight_assets.datasets.openimages import source as openimages
from maxsight_assets.datasets.places import Upstream
from maxsight_assets.datasets.registry import SOURCES
from maxsight_assets.errors import NotPublished, VerificationFailed
from maxsight_assets.pipeline.raw import Version, refresh
from maxsight_assets.publishing.stage import recovered_manifest
from maxsight_assets.verdict import Verdict
from maxsight_assets_tests.datasets.coco import upstream as coco_upstream
from maxsight_assets_tests.datasets.coco.upstream import places_in, serving
from maxsight_assets_tests.datasets.openimages.world import land, world
from maxsight_assets_tests.images.pictures import encoded, picture
from maxsight_assets_tests.transport.net_tools import quick_client


@pytest.mark.parametrize("changed", [False, True])
def test_a_table_that_upstream_replaced_since_is_fetched_anew(tmp_path: Path, changed: bool) -> None:
    world(tmp_path, 4)
    data, tables = tmp_path / "data", tmp_path / "tables"
    with pytest.raises(NotPublished):  # the tables are staged by then
        land(data, tables, (tmp_path / "nowhere").as_uri())
    key = openimages.IMAGES["validation"]
    if changed:
        (tables / key).write_bytes((tables / key).read_bytes().replace(b",T,", b",Another,"))

    version = land(data, tables, (tmp_path / "images").as_uri())

    published = data / openimages.DIRECTORY / "metadata" / Path(key).name
    assert published.read_bytes() == (tables / key).read_bytes()
    assert version.tally.reused_files == (3 if changed else 4)


def test_an_archive_with_another_hash_than_is_pinned_is_never_taken_member_by_member(tmp_path: Path) -> None:
    root, annotations = tmp_path / "www", "annotations/annotations_trainval2017.zip"
    names = [f"{number:012}.jpg" for number in range(1, 4)]
    listed = ",".join(f'{{"id":{n},"file_name":"{name}","width":640,"height":480}}' for n, name in enumerate(names, 1))
    boxes = '{"id":1,"image_id":1,"category_id":1,"bbox":[1,1,9,9],"area":81,"iscrowd":0,"segmentation":[]}'
    text = f'{{"images":[{listed}],"annotations":[{boxes}],"categories":[{{"id":1,"name":"dog"}}],"licenses":[]}}'
    coco_upstream.pack(root / annotations, {"annotations/instances_val2017.json": text.encode()})
    images = {f"val2017/{name}": encoded(picture(number)) for number, name in enumerate(names)}
    coco_upstream.pack(root / "zips/val2017.zip", images)
    size = (root / "zips/val2017.zip").stat().st_size
    with serving(root, tmp_path / "nginx") as site:
        pinned = {"zips/val2017.zip": FileFacts(bytes=size, sha256="0" * 64)}
        for _ in range(2):
            with site.open(pinned=pinned) as upstream:
                object.__setattr__(upstream, "catalog", upstream.catalog.model_copy(update={"on_change": "follow"}))
                with pytest.raises(VerificationFailed, match="sha256 0000"):
                    coco_upstream.land(upstream, places_in(tmp_path))
    assert recovered_manifest(places_in(tmp_path).data_dir / "coco_raw") is None


def test_masks_are_taken_of_the_scenes_of_this_selection_only(tmp_path: Path) -> None:
    top, names = "ADEChallengeData2016", [f"ADE_val_{number:08}" for number in range(1, 5)]
    scenes = {f"{top}/images/validation/{name}.jpg": encoded(picture(n)) for n, name in enumerate(names)}
    masks = {f"{top}/annotations/validation/{name}.png": name.encode() for name in names}
    coco_upstream.pack(tmp_path / "www" / ade20k.SCENES, scenes | masks)
    instances = tmp_path / "www" / ade20k.INSTANCES
    instances.parent.mkdir(parents=True)
    with tarfile.open(instances, "w") as tar:
        for name in names:
            info = tarfile.TarInfo(f"annotations_instance/validation/{name}.png")
            info.size = len(name)
            tar.addfile(info, io.BytesIO(name.encode()))

    def land_scenes(data: Path, *, passes: bool = True, **stated: object) -> Version:
        cancel = threading.Event()
        catalog = catalogs.load("ade20k").embedded(base=(tmp_path / "www").as_uri())
        with quick_client(cancel=cancel) as client:
            return refresh(
                SOURCES["ade20k"],
                Upstream(catalog, client, "upstream", cancel),
                data_dir=data,
                cache=tmp_path / "facts.parquet",
                default=ScenesSelection(),
                stated=stated,
                gate=lambda *_: [Verdict("some rule", passed=passes, checked=1)],
            )

    with pytest.raises(NotPublished):  # all four scenes are staged by then
        land_scenes(tmp_path / "data", passes=False)
    version = land_scenes(tmp_path / "data", max_images=2)

    assert version.manifest.data_version == land_scenes(tmp_path / "clean", max_images=2).manifest.data_version
    assert len(version.manifest.rows) == 2 * 3
