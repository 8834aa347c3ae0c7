"""Syncing conditions: from a directory and from a real S3 server on loopback."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from maxsight_assets.checkpoints.rules import CHECKPOINT_RULES, CheckpointsView
from maxsight_assets.checkpoints.sync import CheckpointSource, Synced, behind, seen, sync_all
from maxsight_assets.errors import LandingError
from maxsight_assets.labels.conditions import CONDITIONS
from maxsight_assets.transport.client import Client
from maxsight_assets.verdict import run
from maxsight_assets_tests.checkpoints.made import checkpoint, files_of, lay
from maxsight_assets_tests.servers import processes
from maxsight_assets_tests.transport.net_tools import quick_client
from maxsight_assets_tests.transport.test_places import KEYS, s3_client, signed

SOME = ("amd", "cvi", "myopia")


@pytest.fixture(scope="module", params=["seaweed", "moto"])
def endpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An S3 server."""
    if not processes.program({"seaweed": "weed", "moto": "moto_server"}[request.param]):
        pytest.skip(f"{request.param} is not installed")
    work = tmp_path_factory.mktemp(request.param)
    with processes.seaweed(work, keys=KEYS) if request.param == "seaweed" else processes.moto(work) as address:
        s3_client(address, KEYS).create_bucket(Bucket="models")
        yield address


class Ground:
    """A source and a CHECKPOINTS_DIR."""

    def __init__(self, uri: str, checkpoints: Path, client: Client) -> None:
        self.source = CheckpointSource(uri)
        self.checkpoints = checkpoints
        self.client = client

    def sync(self, *conditions: str) -> tuple[dict[str, Synced], LandingError | None]:
        there = self.source.files(self.client)
        return sync_all(conditions, self.source, there, client=self.client, checkpoints=self.checkpoints)

    def behind(self) -> dict[str, str]:
        return behind(seen(self.source.files(self.client)), self.checkpoints)

    def failing(self) -> dict[str, tuple[str, ...]]:
        verdicts = run(CHECKPOINT_RULES, CheckpointsView.of(self.checkpoints))
        return {each.rule: each.examples for each in verdicts if not each.passed}


@pytest.fixture
def on_disk(tmp_path: Path) -> Iterator[Ground]:
    with quick_client() as client:
        yield Ground((tmp_path / "drive").as_uri(), tmp_path / "checkpoints", client)


def test_an_s3_source_syncs_and_one_changed_object_refreshes_its_condition_alone(endpoint: str, tmp_path: Path) -> None:
    store: Any = s3_client(endpoint, KEYS)
    for condition in SOME:
        for key, data in files_of(condition, above="runs/checkpoints/").items():
            store.put_object(Bucket="models", Key=key, Body=data)
    with quick_client(credentials=signed(endpoint)) as client:
        ground = Ground("s3://models/runs", tmp_path / "checkpoints", client)

        synced, failed = ground.sync(*SOME)

        assert failed is None
        assert {name: each.tally.fetched_files for name, each in synced.items()} == dict.fromkeys(SOME, 5)
        assert (tmp_path / "checkpoints/checkpoints_amd/best_model.pt").read_bytes() == checkpoint(b"weightsamd")
        assert ground.behind() == {}
        assert ground.failing().keys() == {"every_condition_has_a_best_model"}

        moved = "runs/checkpoints/checkpoints_cvi/best_model.pt"
        store.put_object(Bucket="models", Key=moved, Body=checkpoint(b"better"))

        assert ground.behind().keys() == {"cvi"}
        again, _ = ground.sync(*SOME)
        assert {name: each.changed for name, each in again.items()} == {"amd": False, "cvi": True, "myopia": False}
        assert again["cvi"].tally.fetched_files == 1
        assert (tmp_path / "checkpoints/checkpoints_cvi/best_model.pt").read_bytes() == checkpoint(b"better")
        assert ground.behind() == {}


def test_a_truncated_file_is_refused_by_name_and_the_others_are_synced(on_disk: Ground, tmp_path: Path) -> None:
    for condition in SOME:
        lay(tmp_path / "drive", files_of(condition))
    assert on_disk.sync(*SOME)[1] is None
    cut = tmp_path / "drive/checkpoints_cvi/last_checkpoint.pt"
    cut.write_bytes(cut.read_bytes()[:-40])
    lay(tmp_path / "drive", files_of("myopia", weights=b"better"))

    synced, failed = on_disk.sync(*SOME)

    assert "checkpoints_cvi/last_checkpoint.pt: truncated" in str(failed)
    assert synced.keys() == {"amd", "myopia"}
    assert synced["myopia"].changed
    whole = tmp_path / "checkpoints/checkpoints_cvi/last_checkpoint.pt"
    assert whole.read_bytes() == checkpoint(b"lastcvi")
    assert on_disk.failing().keys() == {"every_condition_has_a_best_model"}

    lay(tmp_path / "drive", files_of("cvi", weights=b"better"))
    assert on_disk.sync(*SOME)[1] is None


def test_what_is_missing_at_the_source_and_what_was_damaged_here_is_named(on_disk: Ground, tmp_path: Path) -> None:
    for condition in CONDITIONS:
        lay(tmp_path / "drive", files_of(condition))
    (tmp_path / "drive/checkpoints_amd/best_model.pt").unlink()
    shutil.rmtree(tmp_path / "drive/checkpoints_glaucoma")

    _, failed = on_disk.sync(*CONDITIONS)

    assert str(failed).startswith("checkpoints_glaucoma: the source has no file of it")
    assert on_disk.failing() == {
        "every_condition_has_a_best_model": ("amd: no best_model.pt", "glaucoma: not synced"),
    }
    (tmp_path / "checkpoints/checkpoints_cvi/best_model.pt").write_bytes(b"edited")
    assert on_disk.failing()["checkpoints_are_as_synced"][0].startswith("checkpoints_cvi/best_model.pt: ")
    on_disk.sync("cvi")
    assert "checkpoints_are_as_synced" not in on_disk.failing()


def test_a_users_own_files_beside_the_synced_ones_stay(on_disk: Ground, tmp_path: Path) -> None:
    lay(tmp_path / "drive", files_of("amd"))
    lay(tmp_path / "checkpoints", {"checkpoints_amd/notes.txt": b"mine"})

    on_disk.sync("amd")

    assert (tmp_path / "checkpoints/checkpoints_amd/notes.txt").read_bytes() == b"mine"
    assert not (tmp_path / "checkpoints/checkpoints_amd/checkpoint_epoch_1.pt").exists()


def test_a_directory_that_is_not_there_is_named_with_its_variable(on_disk: Ground) -> None:
    with pytest.raises(LandingError, match="CHECKPOINTS_URI: no file of any condition lies there; mount the drive"):
        on_disk.sync("amd")
