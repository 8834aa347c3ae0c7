"""Directories that an earlier release published are read as they are, and are current if upstream is what it was.

`published_by_0.1.tar.gz` was made by release 0.1: the archives of a small BDD100K and the directory landed from them.
"""

import tarfile
import threading
from pathlib import Path

import pytest

from maxsight_assets.catalog import model as catalogs
from maxsight_assets.datasets.places import Upstream
from maxsight_assets.datasets.registry import SOURCES
from maxsight_assets.datasets.selection import ValidationSelection
from maxsight_assets.pipeline.raw import Version, refresh
from maxsight_assets.verdict import Verdict, run
from maxsight_assets_tests.transport.net_tools import quick_client

FIXTURE = Path(__file__).with_name("published_by_0.1.tar.gz")


@pytest.fixture
def before(tmp_path: Path) -> Path:
    with tarfile.open(FIXTURE) as tar:
        tar.extractall(tmp_path, filter="data")
    return tmp_path / "published_before"


def land(before: Path) -> Version:
    cancel = threading.Event()
    catalog = catalogs.load("bdd100k").embedded(base=(before / "upstream").as_uri())
    with quick_client(cancel=cancel) as client:
        return refresh(
            SOURCES["bdd100k"],
            Upstream(catalog, client, "upstream", cancel),
            data_dir=before / "data",
            cache=before / "facts.parquet",
            default=ValidationSelection(),
            stated={},
            gate=lambda *_: [Verdict("some rule", passed=True, checked=1)],
        )


def state(root: Path) -> dict[str, tuple[int, int, bytes]]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def test_a_directory_of_release_0_1_gets_its_second_names_and_nothing_is_fetched_or_rewritten(before: Path) -> None:
    published = before / "data/bdd100k"
    found = {path: each for path, each in state(published).items() if "/.maxsight/" not in path}

    version = land(before)

    now = state(published)
    assert version.tally.fetched_files == 0
    assert version.manifest.info.files == 2 * len(found) == 2 * 4
    assert {path: now[path] for path in found} == found


def test_a_directory_with_both_names_is_current(before: Path) -> None:
    land(before)
    found = state(before / "data/bdd100k")

    assert not land(before).changed
    assert state(before / "data/bdd100k") == found


def test_a_directory_of_release_0_1_passes_every_rule(before: Path) -> None:
    source, version = SOURCES["bdd100k"], land(before)

    view = source.view(before / "data/bdd100k", version.manifest)

    # 10,000 frames are published upstream; the fixture holds three
    assert {verdict.rule for verdict in run(source.rules, view) if not verdict.passed} <= {"counts_match"}
