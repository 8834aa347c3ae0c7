"""How an object is known that no hash was stated for: by what upstream says of it, and by how it came."""

import hashlib

import pytest

from maxsight_assets.remote import Level, Probe, RemoteFile
from maxsight_assets.transport.integrity import Unfit, level_of
from maxsight_assets.transport.schemes import scheme_of
from maxsight_assets_tests.transport.net_tools import quick_client

DATA = b"what came"
MD5 = hashlib.md5(DATA, usedforsecurity=False).hexdigest()


def level(url: str, *, stated: int | None, etag: str | None = None, file_bytes: int | None = None) -> Level:
    file = RemoteFile("a.csv", url, bytes=file_bytes)
    probe = Probe(stated, etag, None, ranges=True)
    with quick_client() as client:
        trust = scheme_of(file, client._schemes).trust(file)
    return level_of(file, probe, len(DATA), {"md5": MD5}.get, trust=trust, published_sha256=None)


@pytest.mark.parametrize(
    ("url", "known"),
    [
        ("https://host/a.csv", "first-use"),
        ("hf://datasets/owner/name/a.csv", "first-use"),
        ("file:///a.csv", "first-use"),
        ("http://host/a.csv", "size"),
        ("s3://bucket/a.csv", "size"),
    ],
)
def test_object_without_a_hash_is_known_by_how_it_came_and_never_if_it_may_be_cut_short(url: str, known: Level) -> None:
    assert level(url, stated=len(DATA)) == known
    assert level(url, stated=None, file_bytes=len(DATA)) == known
    assert level(url, stated=None) == "unverified"


def test_etag_of_s3_is_its_md5_or_no_md5_at_all() -> None:
    assert level("s3://bucket/a.csv", stated=len(DATA), etag=f'"{MD5}"') == "etag-md5"
    assert level("s3://bucket/a.csv", stated=len(DATA), etag=f'"{MD5}-2"') == "size"
    assert level("https://host/a.csv", stated=len(DATA), etag='"0123456789abcdef0123456789abcdef"') == "first-use"
    with pytest.raises(Unfit, match="md5"):
        level("s3://bucket/a.csv", stated=len(DATA), etag='"0123456789abcdef0123456789abcdef"')
