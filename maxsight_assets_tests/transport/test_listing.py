"""Listings of buckets and directories: the whole (key, ETag, size) set, page by page."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from maxsight_assets.errors import LandingError, VerificationFailed
from maxsight_assets.remote import RemoteFile
from maxsight_assets.transport import listing
from maxsight_assets.transport.client import Client
from maxsight_assets.transport.listing import Entry, Listed, page_of
from maxsight_assets_tests.servers import processes
from maxsight_assets_tests.servers.lying import LyingServer
from maxsight_assets_tests.transport.net_tools import quick_client
from maxsight_assets_tests.transport.test_places import KEYS, s3_client, signed

PREFIX = RemoteFile("val/", "s3://bucket/val/")
NAMES = [f"{number:03}.jpg" for number in range(25)] + ["a b+ü&.jpg", "deep/er.jpg"]


@pytest.fixture(scope="module", params=["seaweed", "moto"])
def endpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An S3 server with a bucket."""
    if not processes.program({"seaweed": "weed", "moto": "moto_server"}[request.param]):
        pytest.skip(f"{request.param} is not installed")
    work = tmp_path_factory.mktemp(request.param)
    with processes.seaweed(work, keys=KEYS) if request.param == "seaweed" else processes.moto(work) as address:
        s3_client(address, KEYS).create_bucket(Bucket="bucket")
        yield address


@pytest.fixture
def bucket(endpoint: str) -> "Iterator[Bucket]":
    """The bucket, filled."""
    filled = Bucket(endpoint)
    yield filled
    filled.empty()


class Bucket:
    """Objects below `val/`, and one beside it that no listing of `val/` may hold."""

    def __init__(self, endpoint: str) -> None:
        self.store = s3_client(endpoint, KEYS)
        self.endpoint = endpoint
        for name in NAMES:
            self.put(f"val/{name}", name.encode())
        self.put("value.jpg", b"beside")

    def put(self, key: str, data: bytes) -> None:
        self.store.put_object(Bucket="bucket", Key=key, Body=data)

    def delete(self, key: str) -> None:
        self.store.delete_object(Bucket="bucket", Key=key)

    def empty(self) -> None:
        for each in self.store.list_objects_v2(Bucket="bucket").get("Contents", []):
            self.delete(each["Key"])

    def client(self) -> Client:
        return quick_client(credentials=signed(self.endpoint))

    def etag(self) -> str | None:
        with self.client() as client:
            return client.probe(PREFIX).etag


def _rename(bucket: Bucket) -> None:
    bucket.delete("val/007.jpg")
    bucket.put("val/907.jpg", b"007.jpg")


@pytest.mark.parametrize(
    "change",
    [
        lambda bucket: bucket.delete("val/007.jpg"),
        lambda bucket: bucket.put("val/more.jpg", b"more"),
        lambda bucket: bucket.put("val/007.jpg", b"700.jpg"),  # of the same length
        _rename,
    ],
    ids=["deleted", "added", "replaced", "renamed"],
)
def test_fault_71_any_change_of_the_set_of_objects_changes_the_listing(bucket: Bucket, change: object) -> None:
    before = bucket.etag()
    assert bucket.etag() == before

    change(bucket)  # type: ignore[operator]

    assert bucket.etag() != before


def test_fault_71_listing_in_pages_and_in_two_processes_is_that_of_one(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = bucket.etag()
    monkeypatch.setattr("maxsight_assets.transport.s3.PAGE_KEYS", 4)
    listed, pages = Listed(), 0
    while not listed.whole:
        with bucket.client() as client:  # each page in a client of its own, as in two ticks
            listed, pages = client.list_on(PREFIX, listed), pages + 1

    assert pages == 7
    assert listed.probe().etag == whole
    assert (listed.objects, listed.bytes) == (len(NAMES), sum(len(name.encode()) for name in NAMES))


def test_bucket_that_may_not_be_listed_is_refused_with_what_to_set(endpoint: str) -> None:
    if "weed" not in (processes.program("weed") or ""):
        pytest.skip("moto refuses nobody")
    with (
        quick_client(credentials=signed(endpoint, ("wrong", "wrong"))) as client,
        pytest.raises(LandingError, match="AWS_ACCESS_KEY_ID") if KEYS else pytest.raises(LandingError),
    ):
        client.probe(RemoteFile("val/", "s3://nowhere/val/"))


def test_fault_71_directory_is_listed_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maxsight_assets.transport.local.PAGE_KEYS", 2)
    for name in ("b.jpg", "a.jpg", "deep/er.jpg"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name.encode())
        os.utime(path, (1, 1))
    file = RemoteFile("val/", tmp_path.as_uri() + "/")
    with quick_client() as client:
        before = client.probe(file)
        (tmp_path / "a.jpg").rename(tmp_path / "c.jpg")  # times stay equal
        after = client.probe(file)

    assert (before.bytes, after.bytes) == (21, 21)
    assert before.etag != after.etag


def test_what_cannot_be_listed_says_so(liar: LyingServer, tmp_path: Path) -> None:
    with quick_client(liar.host) as client:
        with pytest.raises(LandingError, match="only s3://, hf:// and file:// addresses can be listed"):
            client.probe(RemoteFile("val/", liar.url("val/")))
        with pytest.raises(LandingError, match="no such directory"):
            client.probe(RemoteFile("val/", (tmp_path / "none").as_uri() + "/"))


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html><body>sign in</body></html>",
        b"<ListBucketResult><Contents><Key>val/a</Key><Size>x</Size></Contents></ListBucketResult>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><ListBucketResult/>',
        b"<ListBucketResult><Contents>",
    ],
)
def test_answer_that_is_no_listing_is_refused(answer: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        page_of(answer, prefix="val/")


def test_page_that_is_empty_and_says_that_more_follows_ends_the_listing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maxsight_assets.transport.s3.S3.page", lambda *_: ([], False))
    with quick_client() as client, pytest.raises(VerificationFailed, match="lists nothing more"):
        client.probe(PREFIX)


def test_where_pages_end_does_not_change_the_digest() -> None:
    entries = [Entry(f"{number}", "e", number) for number in range(10)]
    whole = Listed().and_then(entries, whole=True)

    assert Listed().and_then(entries[:3], whole=False).and_then(entries[3:], whole=True) == whole
    assert listing.PAGE_KEYS == 1000
