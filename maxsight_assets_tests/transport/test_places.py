"""The other places that objects come from: S3 (SeaweedFS and moto), Hugging Face, files of this machine."""

import errno
import io
import json
import os
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from pydantic import SecretStr

from maxsight_assets.archives.archive import open_archive
from maxsight_assets.errors import LandingError, TransientError, VerificationFailed
from maxsight_assets.publishing.stage import staging
from maxsight_assets.remote import Landed, Missing, RemoteFile
from maxsight_assets.transport import parallel
from maxsight_assets.transport.listing import Entry
from maxsight_assets.transport.options import Credentials
from maxsight_assets.transport.parallel import Throttle
from maxsight_assets.transport.partial import Partial
from maxsight_assets_tests.publishing.ground import Ground
from maxsight_assets_tests.servers import lying, processes
from maxsight_assets_tests.servers.lying import LyingServer, cut
from maxsight_assets_tests.transport.net_tools import QUICK, pinned, quick_client, sha256, some_bytes

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DATA = some_bytes(700_000)
KEYS = ("canary-key-id", "canary-secret-key")
MANY = {f"train/{n:016x}.jpg": b"\xff\xd8\xff" + some_bytes(5_000 + n, seed=n) for n in range(80)}


def s3_client(endpoint: str, keys: tuple[str, str]) -> "S3Client":
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=keys[0],
        aws_secret_access_key=keys[1],
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
    )


def signed(endpoint: str, keys: tuple[str, str] = KEYS) -> Credentials:
    return Credentials(
        aws_access_key_id=SecretStr(keys[0]), aws_secret_access_key=SecretStr(keys[1]), s3_endpoint=endpoint
    )


def fill(client: "S3Client") -> None:
    client.create_bucket(Bucket="open-images")
    for key, data in {**MANY, "a.bin": DATA, "odd name+ü&.bin": DATA, "a//b.bin": DATA}.items():
        client.put_object(Bucket="open-images", Key=key, Body=data)


@pytest.fixture(scope="module")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if not processes.program("weed"):
        pytest.skip("weed (SeaweedFS) is not installed")
    with processes.seaweed(tmp_path_factory.mktemp("weed"), keys=KEYS) as endpoint:
        fill(s3_client(endpoint, KEYS))
        yield endpoint


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if not processes.program("moto_server"):
        pytest.skip("moto_server is not installed")
    with processes.moto(tmp_path_factory.mktemp("moto")) as endpoint:
        fill(s3_client(endpoint, KEYS))
        yield endpoint


@pytest.fixture(params=["seaweed", "moto"])
def endpoint(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def stray(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:  # after the servers are filled
    """Variables of some other account that lie about in the environment."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "stray",
        "AWS_SECRET_ACCESS_KEY": "stray",
        "AWS_SESSION_TOKEN": "stray",
        "AWS_REGION": "eu-north-1",
        "AWS_DEFAULT_REGION": "eu-north-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
        "AWS_ENDPOINT": "http://127.0.0.1:1",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
        "AWS_S3_EXPRESS": "true",
        "AWS_SKIP_SIGNATURE": "true",
        "AWS_PROFILE": "stray",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("stray")
def test_s3_object_lands_signed_whatever_the_environment_says(endpoint: str, tmp_path: Path) -> None:
    with quick_client(credentials=signed(endpoint)) as client:
        landed = client.download(RemoteFile("a.bin", "s3://open-images/a.bin"), tmp_path / "a")
        probe = client.probe(RemoteFile("a.bin", "s3://open-images/a.bin"))
    assert (landed.sha256, landed.level) == (sha256(DATA), "etag-md5")
    assert probe.bytes == len(DATA)
    assert probe.etag == landed.probe.etag


@pytest.mark.parametrize("key", ["odd name+ü&.bin", "a//b.bin"])
def test_s3_keys_of_any_spelling_land(moto: str, tmp_path: Path, key: str) -> None:
    with quick_client(credentials=signed(moto)) as client:
        client.download(pinned(f"s3://open-images/{key}", DATA), tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == DATA


@pytest.mark.usefixtures("stray")
def test_many_s3_objects_land_and_absent_ones_are_items(endpoint: str, tmp_path: Path) -> None:
    wanted = [(RemoteFile(key, f"s3://open-images/{key}"), tmp_path / key) for key in MANY]
    wanted.append((RemoteFile("gone.jpg", "s3://open-images/gone.jpg"), tmp_path / "gone.jpg"))
    with quick_client(credentials=signed(endpoint)) as client:
        came = {file.key: item for file, item in client.download_many(wanted, connections=8)}
    assert {key: (tmp_path / key).read_bytes() for key in MANY} == MANY
    landed = {key: item for key, item in came.items() if isinstance(item, Landed)}
    assert {key: item.sha256 for key, item in landed.items()} == {key: sha256(data) for key, data in MANY.items()}
    assert {item.level for item in landed.values()} == {"etag-md5"}
    assert isinstance(came["gone.jpg"], Missing)
    assert not (tmp_path / "gone.jpg").exists()


def test_many_s3_objects_with_another_hash_are_items(moto: str, tmp_path: Path) -> None:
    key = next(iter(MANY))
    wanted = [(pinned(f"s3://open-images/{key}", DATA[: len(MANY[key])], key), tmp_path / "a")]
    with quick_client(credentials=signed(moto)) as client:
        [(_, item)] = client.download_many(wanted)
    assert isinstance(item, Missing)
    assert "sha256" in item.reason
    assert not (tmp_path / "a").exists()


def test_s3_zip_is_read_by_ranges(endpoint: str, tmp_path: Path) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for key, data in MANY.items():
            archive.writestr(key, data)
    s3_client(endpoint, KEYS).put_object(Bucket="open-images", Key="a.zip", Body=made.getvalue())
    told = {}
    with quick_client(credentials=signed(endpoint)) as client:
        file = RemoteFile("a.zip", "s3://open-images/a.zip")
        with open_archive(client, file, downloads=tmp_path / "downloads") as opened:
            paths = {key: tmp_path / key for key in MANY}
            opened.extract(paths, lambda member, _, digest: told.update({member.name: digest}))
    assert told == {key: sha256(data) for key, data in MANY.items()}
    assert not (tmp_path / "downloads").exists()


def test_fault_10_s3_object_overwritten_midway_starts_again(liar: LyingServer, ground: Ground) -> None:
    new = DATA[::-1]
    with quick_client(credentials=signed(f"http://{liar.host}")) as client:
        liar.publish("open-images/a.bin", DATA, cut(300_000), lying.becomes(new, '"v2"'))
        ground.fetch(client, RemoteFile("a.bin", "s3://open-images/a.bin"))
    assert [request.headers.get("if-match") for request in liar.requests] == [None, '"v1"', None]
    assert ground.holds(new)


def test_fault_10_overwritten_in_a_real_store_is_never_mixed(
    endpoint: str, ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = s3_client(endpoint, KEYS)
    store.put_object(Bucket="open-images", Key="moving.bin", Body=DATA)
    file = RemoteFile("moving.bin", "s3://open-images/moving.bin")
    with quick_client(credentials=signed(endpoint)) as client:
        probe = client.probe(file)
        assert client.read_range(file, 1_000, 50, probe=probe) == DATA[1_000:1_050]
        store.put_object(Bucket="open-images", Key="moving.bin", Body=DATA[::-1])
        with pytest.raises(TransientError, match="changed upstream"):
            client.read_range(file, 1_000, 50, probe=probe)
    limits = replace(QUICK, parallel_from=100_000, part_bytes=50_000, connections=1)
    written = Partial.write

    def overwriting(self: Partial, data: bytes | memoryview) -> None:  # between two ranges of one download
        written(self, data)
        if self.offset == 100_000:
            store.put_object(Bucket="open-images", Key="moving.bin", Body=DATA)

    monkeypatch.setattr(Partial, "write", overwriting)
    with quick_client(credentials=signed(endpoint), limits=limits) as client:
        ground.fetch(client, file)
    assert ground.holds(DATA)


@pytest.mark.parametrize("credentials", [Credentials(), signed("", ("wrong", "wrong"))])
def test_fault_15_s3_refusal_names_the_variables(seaweed: str, ground: Ground, credentials: Credentials) -> None:
    file = RemoteFile("a.bin", "s3://open-images/a.bin")
    with quick_client(credentials=replace(credentials, s3_endpoint=seaweed)) as client:
        with pytest.raises(LandingError, match="AWS_ACCESS_KEY_ID") as caught:
            ground.fetch(client, file)
        assert "403" in str(caught.value)
    assert not isinstance(caught.value, TransientError)
    ground.check()
    with quick_client(credentials=signed(seaweed)) as client:
        ground.fetch(client, file)


def test_fault_20_signed_headers_of_s3_stay_with_their_host(liar: LyingServer, ground: Ground) -> None:
    credentials = replace(signed(f"http://{liar.host}"), aws_session_token=SecretStr("canary-session"))
    with LyingServer("127.0.0.2") as other:
        other.publish("b", DATA)
        for key in ("one", "many"):
            liar.publish(f"open-images/{key}", b"", *[lying.redirect(other.url("b"))] * 3)
        with quick_client(other.host, credentials=credentials) as client:
            ground.fetch(client, pinned("s3://open-images/one", DATA))
            ground.fetch_many(client, [pinned("s3://open-images/many", DATA, "many")])
        assert {"authorization", "x-amz-date", "x-amz-security-token"} <= set(liar.requests[0].headers)
        plain = {"host", "accept", "accept-encoding", "user-agent", "connection"}
        assert [set(request.headers) - plain for request in other.requests] == [set(), set()]


def test_fault_25_slow_down_is_tried_again_by_many_and_by_one(liar: LyingServer, ground: Ground) -> None:
    busy = lying.status("503 Slow Down", body=b"<Error><Code>SlowDown</Code></Error>")
    with quick_client(credentials=signed(f"http://{liar.host}")) as client:
        wanted = []
        for key, data in MANY.items():
            liar.publish(f"open-images/{key}", data, busy)
            wanted.append(pinned(f"s3://open-images/{key}", data, key))
        came = ground.fetch_many(client, wanted, connections=16)
        assert all(isinstance(item, Landed) for item in came.values())
        assert {path: data for path, data in ground.published().items() if path in MANY} == MANY
        liar.publish("open-images/one", DATA, busy, busy)
        ground.fetch(client, pinned("s3://open-images/one", DATA))
    assert len(liar.requests) >= 2 * len(MANY) + 3


def test_fault_25_connections_are_halved_once_a_burst_and_grow_again_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "time", SimpleNamespace(monotonic=lambda: 1_000.0))  # all in one moment
    throttle = Throttle(16)
    for _ in range(5):
        throttle.busy()
    assert throttle.limit == 8
    for _ in range(9):
        with throttle:
            pass
    assert throttle.limit == 9


def test_fault_25_clock_skew_is_named(liar: LyingServer, ground: Ground) -> None:
    skew = lying.status("403 Forbidden", body=b"<Error><Code>RequestTimeTooSkewed</Code></Error>")
    file = RemoteFile("a", "s3://open-images/a")
    with quick_client(credentials=signed(f"http://{liar.host}")) as client:
        liar.publish("open-images/a", DATA, *[skew] * 9)
        with pytest.raises(LandingError, match="clock is wrong"):
            ground.fetch_many(client, [file])
        asked = len(liar.requests)
        with pytest.raises(LandingError, match="clock is wrong"):
            ground.fetch(client, file)
    assert len(liar.requests) == asked + 1


def test_fault_15_no_secret_of_an_account_is_in_an_error(liar: LyingServer, ground: Ground) -> None:
    leak = lying.status("403 Forbidden", body=f"denied for {KEYS[0]} {KEYS[1]}".encode())
    with quick_client(credentials=signed(f"http://{liar.host}")) as client:
        liar.publish("open-images/a", DATA, *[leak] * 9)
        came = ground.fetch_many(client, [RemoteFile("a", "s3://open-images/a")])
        assert isinstance(came["a"], Missing)
        assert "canary" not in repr(came["a"])
        with pytest.raises(LandingError) as caught:
            ground.fetch(client, RemoteFile("a", "s3://open-images/a"))
    assert "canary" not in f"{caught.value!r} {caught.value.__context__!r}"


def hub(liar: LyingServer, token: str | None = None) -> Credentials:
    return Credentials(hf_endpoint=f"http://{liar.host}", hf_token=SecretStr(token) if token else None)


def test_hub_file_lands_from_the_storage_that_it_redirects_to_without_the_token(tmp_path: Path) -> None:
    with LyingServer() as liar, LyingServer() as storage:
        storage.publish("blob", DATA)
        headers = {"Location": storage.url("blob?Signature=x"), "X-Linked-Etag": f'"{sha256(DATA)}"'}
        liar.publish("datasets/some/images/resolve/v1/val/a.bin", b"", lying.status("302 Found", headers))
        with quick_client(storage.host, credentials=hub(liar, "hf_canary")) as client:
            landed = client.download(RemoteFile("a", "hf://datasets/some/images@v1/val/a.bin"), tmp_path / "a")
        assert liar.requests[0].headers["authorization"] == "Bearer hf_canary"
        assert "authorization" not in storage.requests[0].headers
    assert (landed.level, landed.sha256) == ("sha256", sha256(DATA))


def test_a_repository_on_the_hub_is_listed(liar: LyingServer) -> None:
    files = [
        {"type": "directory", "oid": "d", "path": "runs/checkpoints_amd", "size": 0},
        {"type": "file", "oid": "b1", "path": "runs/checkpoints_amd/best_model.pt", "size": 7},
        {"type": "file", "oid": "a1", "path": "runs/a.json", "size": 2},
    ]
    liar.publish("api/models/me/runs/tree/v1/runs", json.dumps(files).encode())

    with quick_client(credentials=hub(liar, "hf_canary")) as client:
        entries = client.entries(RemoteFile("runs/", "hf://models/me/runs@v1/runs/"))

    assert entries == [Entry("a.json", '"a1"', 2), Entry("checkpoints_amd/best_model.pt", '"b1"', 7)]
    assert [each.headers["authorization"] for each in liar.requests] == ["Bearer hf_canary"]


def test_hub_file_with_other_bytes_than_the_hub_states_is_refused(tmp_path: Path) -> None:
    with LyingServer() as liar, quick_client(credentials=hub(liar)) as client:
        lie = lying.with_headers(X_Linked_Etag=f'"{sha256(b"other")}"')
        liar.publish("some/model/resolve/main/best_model.pt", DATA, lie, lie)
        with pytest.raises(VerificationFailed, match="sha256"):
            client.download(RemoteFile("a", "hf://some/model/best_model.pt"), tmp_path / "a")


def test_fault_15_hub_refusal_names_its_token(liar: LyingServer, ground: Ground) -> None:
    with quick_client(credentials=hub(liar, "hf_canary")) as client:
        liar.publish("datasets/some/images/resolve/main/a", DATA, lying.status("401 Unauthorized"))
        with pytest.raises(LandingError, match="HF_TOKEN"):
            ground.fetch(client, RemoteFile("a", "hf://datasets/some/images/a"))
    assert len(liar.requests) == 1


def test_file_of_this_machine_lands_and_is_read_by_ranges(tmp_path: Path) -> None:
    source = tmp_path / "a source.bin"
    source.write_bytes(DATA)
    file = pinned(source.as_uri(), DATA)
    with quick_client() as client:
        probe = client.probe(file)
        assert client.read_range(file, 10, 20, probe=probe) == DATA[10:30]
        assert client.download(file, tmp_path / "got").level == "sha256"
        source.write_bytes(DATA[::-1])
        os.utime(source, (1, 1))  # a file system's clock may stand still between two writes
        with pytest.raises(TransientError, match="changed"):
            client.read_range(file, 10, 20, probe=probe)
        with pytest.raises(LandingError, match="no such file"):
            client.download(RemoteFile("b", (tmp_path / "absent").as_uri()), tmp_path / "b")
    assert (tmp_path / "got").read_bytes() == DATA


@pytest.mark.parametrize("call", ["open", "is_file"])
def test_file_of_this_machine_that_may_not_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """It is upstream's: nothing is said of the directory that is landed."""
    (tmp_path / "locked.bin").write_bytes(DATA)
    allowed = getattr(Path, call)

    def refused(self: Path, *args: Any, **kwargs: Any) -> object:
        if self.name == "locked.bin":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))
        return allowed(self, *args, **kwargs)

    monkeypatch.setattr(Path, call, refused)
    file = RemoteFile("a.bin", (tmp_path / "locked.bin").as_uri())
    with (
        quick_client() as client,
        staging(tmp_path / "world", asset="world", source="upstream") as stage,
        pytest.raises(LandingError, match=r"a\.bin: cannot be read \(Permission denied\)"),
    ):
        client.download(file, stage.root / "a.bin")


def test_unknown_kind_of_address_is_named(tmp_path: Path) -> None:
    with quick_client() as client, pytest.raises(LandingError, match="'ftp'"):
        client.download(RemoteFile("a", "ftp://127.0.0.1/a"), tmp_path / "a")


def test_values_never_show_an_address_or_a_secret() -> None:
    shown = repr([RemoteFile("a", "https://user:canary@example.org/a?token=canary"), signed("http://127.0.0.1:1")])
    assert "canary" not in shown
    assert json.dumps(shown)


@pytest.mark.parametrize("etag", [None, 'W/"v1"'])
def test_fault_12_s3_object_without_a_strong_etag_resumes_only_if_a_hash_is_known(
    liar: LyingServer, ground: Ground, etag: str | None
) -> None:
    with quick_client(credentials=signed(f"http://{liar.host}")) as client:
        for file in (RemoteFile("a", "s3://open-images/a"), pinned("s3://open-images/a", DATA)):
            liar.publish("open-images/a", DATA, cut(300_000), etag=etag)
            ground.fetch(client, file)
            assert ground.holds(DATA)
    assert [request.range for request in liar.requests] == [None, None, None, "bytes=300000-"]
    assert not [request for request in liar.requests if "if-match" in request.headers]


def test_multipart_etag_of_s3_is_not_taken_for_an_md5(endpoint: str, tmp_path: Path) -> None:
    store, bucket, key = s3_client(endpoint, KEYS), "open-images", "parts.bin"
    upload = store.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    part = store.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=DATA)
    store.complete_multipart_upload(
        Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}
    )
    file = RemoteFile("parts.bin", "s3://open-images/parts.bin")
    with quick_client(credentials=signed(endpoint)) as client:
        alone = client.download(file, tmp_path / "alone")
        [(_, among)] = client.download_many([(file, tmp_path / "among")])
    assert isinstance(among, Landed)
    for landed in (alone, among):
        assert "-1" in (landed.probe.etag or "")
        assert (landed.level, landed.sha256) == ("size", sha256(DATA))
