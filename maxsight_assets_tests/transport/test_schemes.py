"""What every scheme does alike: one suite over all of them, each with a real server or real files behind it."""

import errno
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from maxsight_assets.errors import Cancelled, LandingError, TransientError
from maxsight_assets.remote import Landed, Level, Missing, RemoteFile
from maxsight_assets.transport.client import Client
from maxsight_assets.transport.options import Limits
from maxsight_assets.transport.partial import Partial
from maxsight_assets_tests.servers import lying, processes
from maxsight_assets_tests.servers.lying import LyingServer
from maxsight_assets_tests.transport.net_tools import QUICK, certificate, left_over, quick_client, sha256, some_bytes
from maxsight_assets_tests.transport.test_places import KEYS, hub, s3_client, signed

OLD, NEW = some_bytes(600_000), some_bytes(600_000, seed=2)
BY_RANGES = replace(QUICK, parallel_from=100_000, part_bytes=50_000, connections=1)


@dataclass(frozen=True)
class Place:
    """One object of one scheme, and one that is missing.

    Attributes:
        file: The object; it holds `OLD`.
        missing: There is none.
        connect: Makes a client that may read it; takes `limits` and `cancel`.
        publish: Puts other bytes in its place.
        refused: Makes a client that is refused.
        level: How the object is known if no hash is.
        remedy: What the text of a refusal names.
    """

    file: RemoteFile
    missing: RemoteFile
    connect: Callable[..., Client]
    publish: Callable[[bytes], None]
    refused: Callable[[], Client]
    level: Level
    remedy: str


def web_place(liar: LyingServer, root: str, connect: Callable[..., Client], level: Level, remedy: str) -> Place:
    """A place on a server that obeys; `root` is the address of what the server calls `/datasets/o/n/resolve/main`."""
    path = "datasets/o/n/resolve/main/a.bin"
    liar.publish(path, OLD)

    def publish(data: bytes) -> None:
        liar.publish(path, data, etag=f'"{sha256(data)}"')

    def refused() -> Client:
        liar.publish(path, OLD, *[lying.status("403 Forbidden")] * 9)
        return connect()

    file = RemoteFile("a.bin", f"{root}/a.bin")
    return Place(file, RemoteFile("b.bin", f"{root}/b.bin"), connect, publish, refused, level, remedy)


@pytest.fixture
def http_place(liar: LyingServer) -> Place:
    def connect(limits: Limits = QUICK, cancel: threading.Event | None = None) -> Client:
        return quick_client(liar.host, limits=limits, cancel=cancel)

    return web_place(liar, liar.url("datasets/o/n/resolve/main"), connect, "size", "MIRROR")


@pytest.fixture
def https_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    authority, context = certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
    with LyingServer(tls=context) as safe:

        def connect(limits: Limits = QUICK, cancel: threading.Event | None = None) -> Client:
            return quick_client(safe.host, limits=limits, cancel=cancel)

        yield web_place(safe, safe.url("datasets/o/n/resolve/main"), connect, "first-use", "MIRROR")


@pytest.fixture
def hf_place(liar: LyingServer) -> Place:
    def connect(limits: Limits = QUICK, cancel: threading.Event | None = None) -> Client:
        return quick_client(credentials=hub(liar), limits=limits, cancel=cancel)

    return web_place(liar, "hf://datasets/o/n", connect, "first-use", "HF_TOKEN")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if not processes.program("weed"):  # moto gives everything to everyone
        pytest.skip("weed (SeaweedFS) is not installed")
    with processes.seaweed(tmp_path_factory.mktemp("weed"), keys=KEYS) as endpoint:
        s3_client(endpoint, KEYS).create_bucket(Bucket="bucket")
        yield endpoint


@pytest.fixture
def s3_place(store: str) -> Place:
    def connect(limits: Limits = QUICK, cancel: threading.Event | None = None, keys: tuple[str, str] = KEYS) -> Client:
        return quick_client(credentials=signed(store, keys), limits=limits, cancel=cancel)

    def publish(data: bytes) -> None:
        s3_client(store, KEYS).put_object(Bucket="bucket", Key="a.bin", Body=data)

    publish(OLD)
    file, missing = RemoteFile("a.bin", "s3://bucket/a.bin"), RemoteFile("b.bin", "s3://bucket/b.bin")
    return Place(
        file, missing, connect, publish, lambda: connect(keys=("wrong", "wrong")), "etag-md5", "AWS_ACCESS_KEY_ID"
    )


@pytest.fixture
def file_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    source = tmp_path / "upstream/a.bin"
    source.parent.mkdir()

    def connect(limits: Limits = QUICK, cancel: threading.Event | None = None) -> Client:
        return quick_client(limits=limits, cancel=cancel)

    def publish(data: bytes) -> None:
        source.write_bytes(data)
        os.utime(source, (1, data[0]))  # a file system's clock may stand still between two writes

    def refused() -> Client:
        allowed = Path.open

        def opened(self: Path, *args: Any, **kwargs: Any) -> object:  # the tests may run as root, who reads everything
            if self == source:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))
            return allowed(self, *args, **kwargs)

        monkeypatch.setattr(Path, "open", opened)
        return connect()

    publish(OLD)
    file, missing = (RemoteFile(name, (source.parent / name).as_uri()) for name in ("a.bin", "b.bin"))
    return Place(file, missing, connect, publish, refused, "first-use", "permissions")


@pytest.fixture(params=["https", "http", "s3", "hf", "file"])
def place(request: pytest.FixtureRequest) -> Place:
    made = request.getfixturevalue(f"{request.param}_place")
    assert isinstance(made, Place)
    return made


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> "Written":
    spy, write = Written(), Partial.write

    def spied(self: Partial, data: bytes | memoryview) -> None:
        spy.offsets.append(self.offset)
        write(self, data)
        if self.offset >= spy.at:
            spy.at = len(OLD) + 1
            spy.then()

    monkeypatch.setattr(Partial, "write", spied)
    return spy


@dataclass
class Written:
    """Where a download wrote, and what happens when it has written `at` bytes."""

    at: int = len(OLD) + 1
    then: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.offsets: list[int] = []


def test_probe_states_length_version_and_ranges(place: Place) -> None:
    with place.connect() as client:
        before = client.probe(place.file)
        place.publish(NEW)
        after = client.probe(place.file)
    assert (before.bytes, before.ranges, after.bytes) == (len(OLD), True, len(NEW))
    assert before.fingerprint() != after.fingerprint()


def test_whole_object_lands_alone_and_among_many_alike(place: Place, tmp_path: Path) -> None:
    with place.connect() as client:
        alone = client.download(place.file, tmp_path / "got/alone")
        [(_, among)] = client.download_many([(place.file, tmp_path / "got/among")])
    assert isinstance(among, Landed)
    assert (tmp_path / "got/alone").read_bytes() == (tmp_path / "got/among").read_bytes() == OLD
    assert replace(among, path=alone.path) == alone
    assert (alone.level, alone.sha256, alone.bytes) == (place.level, sha256(OLD), len(OLD))
    assert left_over(tmp_path / "got") == ["alone", "among"]


def test_range_is_exactly_the_asked_bytes(place: Place) -> None:
    with place.connect() as client:
        probe = client.probe(place.file)
        assert client.read_range(place.file, 1_000, 2_000, probe=probe) == OLD[1_000:3_000]
        assert client.read_range(place.file, len(OLD) - 10, 10, probe=probe) == OLD[-10:]


def test_range_of_another_version_is_never_given(place: Place) -> None:
    with place.connect() as client:
        probe = client.probe(place.file)
        place.publish(NEW)
        with pytest.raises(TransientError, match=r"a\.bin: it changed upstream"):
            client.read_range(place.file, 1_000, 2_000, probe=probe)


def test_version_that_changes_meanwhile_lands_whole(place: Place, tmp_path: Path, written: Written) -> None:
    written.at, written.then = 100_000, lambda: place.publish(NEW)
    with place.connect(limits=BY_RANGES) as client:
        client.download(place.file, tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == NEW


def test_cancel_keeps_what_arrived_and_the_next_run_goes_on_from_there(
    place: Place, tmp_path: Path, written: Written
) -> None:
    cancel = threading.Event()
    written.at, written.then = 200_000, cancel.set
    with place.connect(cancel=cancel, limits=BY_RANGES) as client:
        with pytest.raises(Cancelled):
            client.download(place.file, tmp_path / "got/a.bin")
        with pytest.raises(Cancelled):
            client.probe(place.file)
        with pytest.raises(Cancelled):
            list(client.download_many([(place.file, tmp_path / "got/b.bin")]))
    assert not (tmp_path / "got/a.bin").exists()
    written.offsets.clear()
    with place.connect() as client:
        client.download(place.file, tmp_path / "got/a.bin")
    assert written.offsets[0] >= 200_000
    assert (tmp_path / "got/a.bin").read_bytes() == OLD
    assert left_over(tmp_path / "got") == ["a.bin"]


def test_what_an_earlier_run_kept_of_another_version_is_not_taken(
    place: Place, tmp_path: Path, written: Written
) -> None:
    cancel = threading.Event()
    written.at, written.then = 200_000, cancel.set
    with place.connect(cancel=cancel, limits=BY_RANGES) as client, pytest.raises(Cancelled):
        client.download(place.file, tmp_path / "got")
    place.publish(NEW)
    with place.connect() as client:
        client.download(place.file, tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == NEW


def test_missing_object_is_an_error_alone_and_an_item_among_many(place: Place, tmp_path: Path) -> None:
    with place.connect() as client:
        for ask in (lambda: client.probe(place.missing), lambda: client.download(place.missing, tmp_path / "b")):
            with pytest.raises(LandingError, match=r"b\.bin: ") as caught:
                ask()
            assert not isinstance(caught.value, TransientError)
        came = dict(client.download_many([(place.missing, tmp_path / "b"), (place.file, tmp_path / "a")]))
    missing = came[place.missing]
    assert isinstance(missing, Missing)
    assert not missing.transient
    assert isinstance(came[place.file], Landed)
    assert not (tmp_path / "b").exists()


def test_refusal_names_the_object_and_what_to_do(place: Place, tmp_path: Path) -> None:
    with place.refused() as client, pytest.raises(LandingError, match=rf"a\.bin: .*{place.remedy}") as caught:
        client.download(place.file, tmp_path / "a")
    assert not isinstance(caught.value, TransientError)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("hf://datasets/o/n/a/b.bin", "/datasets/o/n/resolve/main/a/b.bin"),
        ("hf://datasets/o/n@v1/a/b.bin", "/datasets/o/n/resolve/v1/a/b.bin"),
        ("hf://datasets/o/n@refs/convert/parquet/a/b.bin", "/datasets/o/n/resolve/refs%2Fconvert%2Fparquet/a/b.bin"),
        ("hf://datasets/o/n@refs/pr/3/a/b.bin", "/datasets/o/n/resolve/refs%2Fpr%2F3/a/b.bin"),
        ("hf://spaces/o/n/b.bin", "/spaces/o/n/resolve/main/b.bin"),
        ("hf://o/n@v1/b@2.bin", "/o/n/resolve/v1/b%402.bin"),
    ],
)
def test_address_on_the_hub_is_read_as_the_hub_reads_it(
    liar: LyingServer, tmp_path: Path, address: str, asked: str
) -> None:
    liar.publish(asked[1:], OLD)
    with quick_client(credentials=hub(liar)) as client:
        client.download(RemoteFile("a", address), tmp_path / "a")
    assert [request.path for request in liar.requests] == [asked]


@pytest.mark.parametrize("address", ["hf://datasets/o", "hf://datasets/o/n", "hf://buckets/o/n/a", "hf://o/n@/a"])
def test_address_on_the_hub_that_names_no_file_is_explained(tmp_path: Path, address: str) -> None:
    with quick_client() as client, pytest.raises(LandingError, match=r"a: an address on Hugging Face reads hf://"):
        client.download(RemoteFile("a", address), tmp_path / "a")


def test_name_of_a_scheme_may_be_written_in_capitals(http_place: Place, tmp_path: Path) -> None:
    url = http_place.file.url.replace("http:", "HTTP:")
    with http_place.connect() as client:
        assert client.download(replace(http_place.file, url=url), tmp_path / "a").level == "size"
