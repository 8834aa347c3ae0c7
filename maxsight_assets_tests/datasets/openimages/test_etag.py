"""What S3's ETag says of an object's bytes: its md5, or nothing, and the second try that tells them apart."""

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from maxsight_assets.errors import VerificationFailed
from maxsight_assets.remote import Landed, Missing, RemoteFile
from maxsight_assets.transport.client import Client
from maxsight_assets.transport.options import Credentials
from maxsight_assets_tests.servers.lying import LyingServer, edited
from maxsight_assets_tests.transport.net_tools import quick_client, some_bytes

DATA = some_bytes(100_000)
ETAG = f'"{hashlib.md5(DATA, usedforsecurity=False).hexdigest()}"'
KEY = "validation/a.bin"
Way = Callable[[Client, Path], Landed | Missing]


def zeroed(count: int) -> Callable[[str, dict[str, str], bytes], tuple[str, dict[str, str], bytes]]:
    """The answer with that many zeros at its end, and of the same length."""
    return lambda line, headers, body: (line, headers, body[:-count] + bytes(count))


def one_of_many(client: Client, dest: Path) -> Landed | Missing:
    [(_, result)] = client.download_many([(RemoteFile(KEY, f"s3://open-images/{KEY}"), dest)])
    return result


def alone(client: Client, dest: Path) -> Landed | Missing:
    file = RemoteFile(KEY, f"s3://open-images/{KEY}")
    try:
        return client.download(file, dest)
    except VerificationFailed as error:
        return Missing(file, str(error))


WAYS = pytest.mark.parametrize("way", [one_of_many, alone])


def fetched(liar: LyingServer, dest: Path, way: Way) -> Landed | Missing:
    with quick_client(liar.host, credentials=Credentials(s3_endpoint=f"http://{liar.host}")) as client:
        return way(client, dest)


@WAYS
def test_bytes_that_are_not_the_etags_are_fetched_again(liar: LyingServer, tmp_path: Path, way: Way) -> None:
    liar.publish(f"open-images/{KEY}", DATA, edited(zeroed(40)), etag=ETAG)

    landed = fetched(liar, tmp_path / "got", way)

    assert isinstance(landed, Landed)
    assert (landed.level, (tmp_path / "got").read_bytes(), len(liar.requests)) == ("etag-md5", DATA, 2)


@WAYS
def test_the_same_bytes_twice_say_that_the_etag_is_no_md5(
    liar: LyingServer, tmp_path: Path, way: Way, caplog: pytest.LogCaptureFixture
) -> None:
    liar.publish(f"open-images/{KEY}", DATA[::-1], etag=ETAG)

    with caplog.at_level(logging.WARNING):
        landed = fetched(liar, tmp_path / "got", way)

    assert isinstance(landed, Landed)
    assert (landed.level, (tmp_path / "got").read_bytes(), len(liar.requests)) == ("size", DATA[::-1], 2)
    assert f"{KEY}: md5 {ETAG[1:-1]} expected by its ETag, " in caplog.text


@WAYS
def test_other_bytes_each_time_are_not_the_object(liar: LyingServer, tmp_path: Path, way: Way) -> None:
    liar.publish(f"open-images/{KEY}", DATA, edited(zeroed(40)), edited(zeroed(50)), etag=ETAG)

    missing = fetched(liar, tmp_path / "got", way)

    assert isinstance(missing, Missing)
    assert f"md5 {ETAG[1:-1]} expected by its ETag" in missing.reason
    assert list(tmp_path.iterdir()) == []


@WAYS
def test_an_etag_of_parts_says_nothing_of_the_bytes(liar: LyingServer, tmp_path: Path, way: Way) -> None:
    liar.publish(f"open-images/{KEY}", DATA, etag=f'{ETAG[:-1]}-2"')

    landed = fetched(liar, tmp_path / "got", way)

    assert isinstance(landed, Landed)
    assert (landed.level, len(liar.requests)) == ("size", 1)
