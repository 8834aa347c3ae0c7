"""Landing Open Images: thousands of images, killed midway; the live FiftyOne."""

import re
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from maxsight_assets.datasets.openimages import source as openimages
from maxsight_assets.publishing.session import JOURNAL
from maxsight_assets.publishing.swap import StateDir
from maxsight_assets.transport.options import Credentials
from maxsight_assets_tests.datasets.openimages.world import land, store_of, upload, world
from maxsight_assets_tests.servers import processes
from maxsight_assets_tests.servers.lying import LyingServer


def test_fault_40_a_killed_landing_of_5000_images_goes_on_without_those_it_has(tmp_path: Path) -> None:
    if not processes.program("weed"):
        pytest.skip("SeaweedFS is not installed")
    ids = world(tmp_path, 5000)
    tables, data_dir = tmp_path / "tables", tmp_path / "data"
    sessions = StateDir.of(data_dir / openimages.DIRECTORY).sessions
    with processes.seaweed(tmp_path / "weed") as endpoint:
        processes.wait_until(lambda: upload(endpoint, tmp_path / "images"), "SeaweedFS takes no objects")
        command = [sys.executable, "-m", "maxsight_assets_tests.datasets.openimages.world"]
        victim = subprocess.run([*command, str(data_dir), str(tables), endpoint, "2000"], check=False)
        assert victim.returncode == -signal.SIGKILL
        journal = "".join(path.read_text(encoding="utf-8") for path in sessions.glob(f"*/{JOURNAL}"))
        verified = {Path(found).stem for found in re.findall(r'"path": ?"(validation/[^"]+)"', journal)}
        store = store_of(endpoint)
        for image_id in verified:  # whoever asks for them again finds nothing
            store.delete(f"validation/{image_id}.jpg")

        version = land(data_dir, tables, "s3://open-images", credentials=Credentials(s3_endpoint=endpoint))

    assert 1500 < len(verified) < 5000
    assert version.tally.missing == []
    assert version.tally.fetched_files == 5000 - len(verified)
    assert {path.stem for path in data_dir.rglob("validation/*/*.jpg")} == set(ids)


def test_live_fiftyone_downloads_into_its_zoo_and_gives_the_same_data_version(
    bucket: tuple[str, Path, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint, root, ids = bucket
    monkeypatch.setenv("FIFTYONE_DO_NOT_TRACK", "1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fiftyone = pytest.importorskip("fiftyone", reason="FiftyOne is not installed: its live downloads are untested")
        publishers = pytest.importorskip("fiftyone.utils.openimages")
    monkeypatch.setattr(fiftyone.config, "dataset_zoo_dir", str(tmp_path / "fiftyone"))
    monkeypatch.setattr(publishers, "_BUCKET_NAME", "open-images")
    kinds = {
        openimages.CLASSES: ("general", "class_names"),
        openimages.HIERARCHY: ("general", "hierarchy"),
        openimages.IMAGES["validation"]: ("validation", "image_ids"),
        openimages.BOXES["validation"]: ("validation", "detections"),
    }
    with LyingServer() as server:
        for key, (section, name) in kinds.items():
            server.publish(key, (root / "tables" / key).read_bytes())
            monkeypatch.setitem(publishers._ANNOTATION_DOWNLOAD_URLS[section], name, server.url(key))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            live = land(tmp_path / "live", root / "tables", f"{endpoint}/open-images", images_from="fiftyone")
            monkeypatch.setattr(fiftyone.config, "dataset_zoo_dir", str(tmp_path / "another"))
            store, gone = store_of(endpoint), f"validation/{ids[7]}.jpg"
            store.delete(gone)
            less = land(tmp_path / "less", root / "tables", f"{endpoint}/open-images", images_from="fiftyone")
            store.put(gone, (root / "images" / gone).read_bytes())

    copy = land(tmp_path / "copy", root / "tables", (root / "images").as_uri())
    assert {path.stem for path in (tmp_path / "fiftyone/open-images-v6/validation/data").iterdir()} == set(ids)
    assert live.manifest.info.data_version == copy.manifest.info.data_version
    assert live.tally.missing == []
    assert less.tally.missing == [f"{openimages.image_path('validation', ids[7])}: not in the directory of images"]
