"""Landing Open Images: real rows, as the detector reads them, and the same from every place that has the images."""

import csv
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import simplejpeg
from PIL import Image

from maxsight_assets.datasets.openimages import source as openimages
from maxsight_assets.datasets.openimages.format import read_class_names
from maxsight_assets.datasets.openimages.images import Bucket, Folder, images_of
from maxsight_assets.datasets.registry import SOURCES
from maxsight_assets.defs.s3 import publishers_upstreams_of, s3_of
from maxsight_assets.errors import LandingError, NotPublished, Refused, SettingsError
from maxsight_assets.pipeline.raw import Version
from maxsight_assets.publishing.stage import recovered_manifest
from maxsight_assets.publishing.swap import StateDir
from maxsight_assets.settings import load
from maxsight_assets.transport.options import Credentials
from maxsight_assets.verdict import run
from maxsight_assets_tests.datasets.openimages.world import ROW, gray, land, world, write_tables
from maxsight_assets_tests.places import SHARED
from maxsight_assets_tests.servers.lying import LyingServer, status

SLICE, SIZES = SHARED / "data/openimages_slice", SHARED / "facts/openimages_validation_sizes.csv"
PUBLIC = "https://open-images-dataset.s3.amazonaws.com"


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """DATA_DIR with the real rows landed, with images of the true sizes."""
    if not SLICE.exists() or not SIZES.exists():
        pytest.skip(f"no real rows in {SLICE}, or no sizes at {SIZES}")
    upstream, data_dir = tmp_path_factory.mktemp("upstream"), tmp_path_factory.mktemp("data")
    names = {
        openimages.CLASSES: "class-descriptions-boxable.csv",
        openimages.HIERARCHY: "bbox_labels_600_hierarchy.json",
        openimages.BOXES["validation"]: "validation-annotations-bbox.csv",
        openimages.IMAGES["validation"]: "validation-images-with-rotation.csv",
    }
    for key, name in names.items():
        (upstream / "tables" / key).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(SLICE / name, upstream / "tables" / key)
    sizes = {row["image_id"]: (int(row["image_w"]), int(row["image_h"])) for row in rows_of(SIZES)}
    folder = upstream / "images/validation"
    folder.mkdir(parents=True)
    drawn: dict[tuple[int, int], bytes] = {}
    for image_id in {row["ImageID"] for row in rows_of(SLICE / "validation-annotations-bbox.csv")}:
        size = sizes[image_id]
        drawn.setdefault(size, gray(*size))
        (folder / f"{image_id}.jpg").write_bytes(drawn[size] + image_id.encode())  # bytes of its own, one picture
    land(data_dir, upstream / "tables", (upstream / "images").as_uri(), classes=["Food", "Spoon"])
    return data_dir


def test_real_rows_go_through_and_count_as_a_plain_reading_says(real: Path) -> None:
    root = real / openimages.DIRECTORY
    names = read_class_names(SLICE / "class-descriptions-boxable.csv")
    plain = rows_of(SLICE / "validation-annotations-bbox.csv")

    manifest = recovered_manifest(root)
    assert manifest is not None
    boxes = openimages.tables(root, manifest).boxes

    assert rows_of(root / "validation-annotations-bbox.csv") == plain
    assert boxes["label"].to_list() == [names[row["LabelName"]] for row in plain]
    assert boxes["crowd"].sum() == sum(row["IsGroupOf"] == "1" for row in plain) == 406
    assert boxes["depiction"].sum() == sum(row["IsDepiction"] == "1" for row in plain) == 4


def test_boxes_are_pixels_of_the_true_sizes(real: Path) -> None:
    root = real / openimages.DIRECTORY
    manifest = recovered_manifest(root)
    assert manifest is not None
    sizes = {row["image_id"]: (int(row["image_w"]), int(row["image_h"])) for row in rows_of(SIZES)}
    boxes = openimages.tables(root, manifest).boxes.select("image_id", "x", "y", "w", "h")

    for (image_id, *pixels), row in zip(
        boxes.iter_rows(), rows_of(root / "validation-annotations-bbox.csv"), strict=True
    ):
        width, height = sizes[image_id]
        x, right, y, bottom = (float(row[name]) for name in ("XMin", "XMax", "YMin", "YMax"))
        assert pixels == pytest.approx([x * width, y * height, (right - x) * width, (bottom - y) * height])


@pytest.mark.parametrize(("orientation", "rotation"), [(1, "0.0"), (6, "90.0"), (8, "270.0"), (3, ""), (6, "nan")])
def test_boxes_lie_on_the_thing_in_the_pixels_as_stored_however_a_picture_is_turned(
    tmp_path: Path, orientation: int, rotation: str
) -> None:
    (image_id,) = world(tmp_path, 1)
    dark = (80, 24, 120, 48)  # left, top, right, bottom, in a picture of 160 x 96
    picture = Image.new("L", (160, 96), 255)
    picture.paste(0, dark)
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture.save(tmp_path / f"images/validation/{image_id}.jpg", quality=95, exif=exif)
    row = f"{image_id},xclick,/m/1,1,{80 / 160},{120 / 160},{24 / 96},{48 / 96},0,0,0,0,0"
    write_tables(tmp_path / "tables", [row], [(image_id, "", "by", "A", "T", rotation)], split="validation")

    manifest = land(tmp_path / "data", tmp_path / "tables", (tmp_path / "images").as_uri()).manifest

    root = tmp_path / "data" / openimages.DIRECTORY
    tables = openimages.tables(root, manifest)
    pixels = simplejpeg.decode_jpeg((root / openimages.image_path("validation", image_id)).read_bytes(), "GRAY")
    ((x, y, w, h),) = tables.boxes.select(pl.col("x", "y", "w", "h").cast(pl.Int64)).rows()
    inside = np.zeros(pixels.shape[:2], bool)
    inside[y : y + h, x : x + w] = True
    assert pixels[inside].max() < 60
    assert pixels[~inside].min() > 200
    assert tables.images["rotation"].to_list() == [int(float(rotation)) if rotation not in ("", "nan") else None]
    assert (manifest.rows[openimages.image_path("validation", image_id)].width, pixels.shape[:2]) == (160, (96, 160))


def test_a_loader_that_goes_by_the_csv_as_the_detectors_does_finds_every_image(real: Path) -> None:
    root = real / openimages.DIRECTORY
    ids = {row["ImageID"] for row in rows_of(root / "validation-annotations-bbox.csv")}

    assert len(ids) == 456
    assert {path.stem for path in root.glob("validation/*/*.jpg")} == ids
    assert all((root / "validation" / image_id[:2] / f"{image_id}.jpg").is_file() for image_id in ids)


def test_every_real_image_is_attributed_in_plain_quoted_text(real: Path) -> None:
    root = real / openimages.DIRECTORY
    rows = rows_of(root / "ATTRIBUTION.csv")
    raw = {row["ImageID"]: row for row in rows_of(SLICE / "validation-images-with-rotation.csv")}

    assert [row["path"] for row in rows] == sorted(
        path.relative_to(root).as_posix() for path in root.glob("validation/*/*.jpg")
    )
    assert all("://www.flickr.com/" in row["page"] for row in rows)
    assert sum(not row["author"] for row in rows) == sum(not raw[Path(row["path"]).stem]["Author"] for row in rows)
    assert {row["license"] for row in rows} == {"https://creativecommons.org/licenses/by/2.0/"}
    assert not any("&#" in row["title"] or "&amp;" in row["author"] for row in rows)
    assert rows[0]["page"] == raw[Path(rows[0]["path"]).stem]["OriginalLandingURL"]
    assert (root / "ATTRIBUTION.csv").read_text(encoding="utf-8").splitlines()[0] == (
        '"path","author","title","license","page"'
    )


def test_coverage_tells_what_was_asked_and_what_the_detector_gains(real: Path) -> None:
    root = real / openimages.DIRECTORY
    manifest = recovered_manifest(root)
    assert manifest is not None
    columns, rows = openimages.class_coverage(root)
    by_class = {row[1]: dict(zip(columns, row, strict=True)) for row in rows}
    gained = {text: names for text, names, _ in openimages.label_coverage(root, manifest)}

    assert by_class["Spoon"] == {
        "mid": "/m/0cmx8",
        "class": "Spoon",
        "name": "spoon",
        "images_upstream": 40,
        "images_chosen": 40,
        "images_landed": 40,
        "boxes_landed": 50,
    }
    assert by_class["Fruit"]["boxes_landed"] == 1905
    assert by_class["Apple"]["images_upstream"] == 0
    assert gained["COCO alone"] == 76
    assert gained["names of the detector"] == 622
    assert gained["with the boxes landed here"] >= 76
    assert (
        76
        < gained["with Open Images classes of the same name"]
        < gained["with all that Open Images classes map to"]
        < 622
    )


def test_every_backend_gives_the_same_bytes_and_data_version(
    bucket: tuple[str, Path, list[str]], tmp_path: Path
) -> None:
    endpoint, root, ids = bucket
    host = endpoint.removeprefix("http://")
    tables, open_s3 = root / "tables", Credentials(s3_endpoint=endpoint)

    landed = {
        "s3": land(tmp_path / "s3", tables, "s3://open-images", credentials=open_s3, images_from="s3"),
        "http": land(tmp_path / "http", tables, f"{endpoint}/open-images", hosts=(host,), images_from="http"),
        "zoo": land(tmp_path / "zoo", tables, (root / "zoo").as_uri(), images_from="fiftyone"),
        "copy": land(tmp_path / "copy", tables, (root / "images").as_uri()),
    }

    assert len({version.manifest.info.data_version for version in landed.values()}) == 1
    for name, version in landed.items():
        files = {path.name: path.read_bytes() for path in (tmp_path / name).rglob("*.jpg")}
        assert files == {
            f"{image_id}.jpg": (root / f"images/validation/{image_id}.jpg").read_bytes() for image_id in ids
        }
        assert version.tally.missing == []
    levels = {row.level for row in landed["s3"].manifest.selected() if row.width}
    assert levels == {"etag-md5"}


def test_what_is_landed_is_not_fetched_again_from_another_place(tmp_path: Path) -> None:
    world(tmp_path, 20, zoo=tmp_path / "zoo")
    tables = tmp_path / "tables"
    few = land(tmp_path / "data", tables, (tmp_path / "images").as_uri(), max_images=8)
    more = land(
        tmp_path / "data", tables, (tmp_path / "zoo").as_uri(), max_images=20, images_from="fiftyone", classes=["Door"]
    )
    again = land(tmp_path / "data", tables, (tmp_path / "zoo").as_uri())

    assert (few.tally.fetched_files, more.tally.fetched_files, again.tally.fetched_files) == (4 + 8, 12, 0)
    assert not again.changed
    target = tmp_path / "data" / openimages.DIRECTORY
    assert len(list((StateDir.of(target).root / "choices").iterdir())) == 2


def test_fault_26_an_image_that_is_gone_is_an_item_and_too_many_are_not_published(tmp_path: Path) -> None:
    ids = world(tmp_path, 150)
    with LyingServer() as server:
        for image_id in ids[1:]:
            server.publish(f"validation/{image_id}.jpg", (tmp_path / f"images/validation/{image_id}.jpg").read_bytes())
        base = server.url("").rstrip("/")
        version = land(tmp_path / "data", tmp_path / "tables", base, hosts=(server.host,))
        assert version.tally.missing == [f"validation/{ids[0][:2]}/{ids[0]}.jpg: 404 Not Found"]
        root = tmp_path / "data" / openimages.DIRECTORY
        assert {row["ImageID"] for row in rows_of(root / "validation-annotations-bbox.csv")} == set(ids[1:])
        assert len(rows_of(root / "ATTRIBUTION.csv")) == 149

        for image_id in ids[:10]:
            server.publish(f"validation/{image_id}.jpg", b"", *[status("404 Not Found")] * 9)
        with pytest.raises(NotPublished, match="enough_images_landed"):
            land(tmp_path / "other", tmp_path / "tables", base, hosts=(server.host,))


def test_fault_26_an_image_that_no_try_brought_is_tried_again_by_the_next_run(tmp_path: Path) -> None:
    ids = world(tmp_path, 150)
    names = [f"validation/{image_id}.jpg" for image_id in ids]
    root = tmp_path / "data" / openimages.DIRECTORY
    with LyingServer() as server:
        for number, name in enumerate(names):
            fails = [status("503 Service Unavailable")] * 50 if number == 3 else []
            server.publish(name, (tmp_path / "images" / name).read_bytes(), *fails)
        base = server.url("").rstrip("/")
        first = land(tmp_path / "data", tmp_path / "tables", base, hosts=(server.host,))
        again = land(tmp_path / "data", tmp_path / "tables", base, hosts=(server.host,))
        assert [each.split(": ")[0] for each in first.tally.missing] == [openimages.image_path("validation", ids[3])]
        assert again.tally.missing == first.tally.missing
        assert (again.changed, again.tally.fetched_files) == (False, 0)

        server.publish(names[3], (tmp_path / "images" / names[3]).read_bytes())
        version = land(tmp_path / "data", tmp_path / "tables", base, hosts=(server.host,))
        asked = len(server.requests)
        settled = land(tmp_path / "data", tmp_path / "tables", base, hosts=(server.host,))
        assert len(server.requests) == asked
    assert version.tally.missing == []
    assert (version.changed, version.tally.fetched_files) == (True, 1)
    assert (root / openimages.image_path("validation", ids[3])).is_file()
    assert (settled.changed, settled.manifest) == (False, version.manifest)


def test_a_bucket_that_refuses_everything_is_one_line_that_says_what_to_set(tmp_path: Path) -> None:
    ids = world(tmp_path, 3)
    with LyingServer() as server:
        for image_id in ids:
            server.publish(f"validation/{image_id}.jpg", b"", *[status("403 Forbidden")] * 9)
        with pytest.raises(LandingError, match=r"validation: upstream refuses every image \(403 Forbidden\); set AWS_"):
            land(tmp_path / "data", tmp_path / "tables", server.url("").rstrip("/"), hosts=(server.host,))


def test_parts_of_people_are_known_for_the_train_images_that_they_were_boxed_on(tmp_path: Path) -> None:
    ids = world(tmp_path, 3, split="train")
    facts = [(image_id, "", "by", "A", "T", "") for image_id in ids]
    boxes = [ROW.format(image_id, "/m/1") for image_id in ids] + [ROW.format(ids[1], "/m/2")]
    write_tables(tmp_path / "tables", boxes, facts, split="train")

    images = (tmp_path / "images").as_uri()
    land(tmp_path / "data", tmp_path / "tables", images, splits={"train": None}, classes=["Door"])

    rows = rows_of(tmp_path / "data" / openimages.DIRECTORY / "train-parts-boxed.csv")
    assert rows == [{"path": f"train/{ids[1][:2]}/{ids[1]}.jpg"}]


def test_titles_that_look_like_formulas_or_rows_stay_text(tmp_path: Path) -> None:
    (image_id,) = world(tmp_path, 1)
    title = '=1+1, "a"\nb\u2028c'
    facts = [(image_id, "https://www.flickr.com/photos/a/1", "by", "&lt;b&gt;", title.replace('"', "&quot;"), "90.0")]
    write_tables(tmp_path / "tables", [ROW.format(image_id, "/m/1")], facts, split="validation")

    land(tmp_path / "data", tmp_path / "tables", (tmp_path / "images").as_uri())

    (row,) = rows_of(tmp_path / "data" / openimages.DIRECTORY / "ATTRIBUTION.csv")
    assert (row["author"], row["title"]) == ("<b>", title)


def test_backends_are_chosen_by_config_or_by_the_address(tmp_path: Path) -> None:
    (tmp_path / "zoo/train/data").mkdir(parents=True)
    zoo, flat = (tmp_path / "zoo").as_uri(), (tmp_path / "flat").as_uri()

    assert images_of("address", PUBLIC) == images_of("http", PUBLIC) == Bucket(PUBLIC)
    assert (
        images_of("s3", PUBLIC)
        == images_of("address", "s3://open-images-dataset")
        == Bucket("s3://open-images-dataset")
    )
    assert images_of("fiftyone", zoo) == images_of("address", zoo) == Folder(tmp_path / "zoo", zoo=True)
    assert images_of("address", flat) == Folder(tmp_path / "flat", zoo=False)
    for kind, address, named in (
        ("s3", "http://127.0.0.1:1/images", "set OPENIMAGES_IMAGES_MIRROR to s3://<bucket>"),
        ("http", "s3://bucket", "set OPENIMAGES_IMAGES_MIRROR to https://<host>"),
    ):
        with pytest.raises(SettingsError, match=named) as caught:
            images_of(kind, address)  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)


def test_fiftyone_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maxsight_assets.datasets.openimages.images.find_spec", lambda _: None)
    with pytest.raises(SettingsError, match=r"pip install 'maxsight-assets\[fiftyone\]'\), or a zoo directory"):
        images_of("fiftyone", PUBLIC)


def test_images_that_a_person_has_in_place_are_adopted_and_not_fetched(
    bucket: tuple[str, Path, list[str]], tmp_path: Path
) -> None:
    endpoint, root, ids = bucket
    host = endpoint.removeprefix("http://")
    fresh = land(tmp_path / "fresh", root / "tables", (root / "images").as_uri())
    for name, address in (("s3", "s3://open-images"), ("http", f"{endpoint}/open-images")):
        target = tmp_path / name / openimages.DIRECTORY
        for image_id in ids[:25]:
            mine = target / openimages.image_path("validation", image_id)
            mine.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / f"images/validation/{image_id}.jpg", mine)

        version = land(
            tmp_path / name, root / "tables", address, hosts=(host,), credentials=Credentials(s3_endpoint=endpoint)
        )

        assert (version.tally.adopted_files, version.tally.fetched_files) == (25, 35 + 4)
        assert version.manifest.info.data_version == fresh.manifest.info.data_version
        adopted = version.manifest.rows[openimages.image_path("validation", ids[0])]
        assert (adopted.level, adopted.origin) == ("etag-md5", f"validation/{ids[0]}.jpg")


def test_the_publishers_bucket_is_read_as_the_s3_resource_says(
    bucket: tuple[str, Path, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint, root, ids = bucket
    addresses = {openimages.MIRROR: "s3://open-images", "AWS_ENDPOINT_URL_S3": endpoint}
    for variable, address in addresses.items():
        monkeypatch.setenv(variable, address)  # for EnvVar to read
    settings = load({"DATA_DIR": str(tmp_path), **addresses})
    key = f"validation/{ids[3]}.jpg"

    resource = publishers_upstreams_of(settings, s3_of(settings))
    with resource.process_config_and_initialize_cm() as upstreams, upstreams.open("openimages") as upstream:
        landed = upstream.client.download(upstream.catalog.image(key), tmp_path / "one.jpg")

    assert landed.level == "etag-md5"
    assert (tmp_path / "one.jpg").read_bytes() == (root / "images" / key).read_bytes()


def test_another_file_in_an_images_place_is_left_alone_and_named(
    bucket: tuple[str, Path, list[str]], tmp_path: Path
) -> None:
    endpoint, root, ids = bucket
    mine = tmp_path / "data" / openimages.DIRECTORY / openimages.image_path("validation", ids[0])
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"my own picture")
    unnamed = mine.with_name("holiday.jpg")
    unnamed.write_bytes(b"another")

    def run_once() -> Version:
        return land(
            tmp_path / "data", root / "tables", "s3://open-images", credentials=Credentials(s3_endpoint=endpoint)
        )

    with pytest.raises(Refused, match=f"1 files that were not landed here are in the way .*{ids[0]}.jpg; move them"):
        run_once()
    assert mine.read_bytes() == b"my own picture"
    mine.rename(tmp_path / "moved.jpg")

    version = run_once()

    assert version.tally.fetched_files == 0
    assert unnamed.read_bytes() == b"another"


def test_every_rule_holds_for_what_is_landed(real: Path) -> None:

    root = real / openimages.DIRECTORY
    manifest = recovered_manifest(root)
    assert manifest is not None
    source = SOURCES["openimages"]
    failed = {v.rule for v in run(source.rules, source.view(root, manifest)) if not v.passed}

    of_pictures = {"stated_sizes_match", "pictures_are_upright", "pictures_have_one_id"}  # drawn, alike, some rotated
    assert failed <= {"boxes_are_inside", "boxes_are_distinct"} | of_pictures
