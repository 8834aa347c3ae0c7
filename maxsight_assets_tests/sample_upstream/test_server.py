"""The embedded upstream's HTTP server, asked by a real client over loopback."""

import hashlib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from maxsight_assets.sample_upstream.archives import put
from maxsight_assets.sample_upstream.server import byte_range, serve

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def root(tmp_path: Path) -> Path:
    put(tmp_path / "site/zips/a.zip", CONTENT)
    put(tmp_path / "site/.hidden", b"state")
    put(tmp_path / "secret.txt", b"outside")
    return tmp_path / "site"


@pytest.fixture
def base(root: Path) -> Iterator[str]:
    with serve(root) as address:
        yield address


def test_whole_file_has_validators_of_its_content(base: str) -> None:
    answer = requests.get(f"{base}/zips/a.zip", timeout=10)

    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert answer.headers["ETag"] == f'"{hashlib.md5(CONTENT).hexdigest()}"'
    assert answer.headers["Last-Modified"] == "Fri, 01 Sep 2017 00:00:00 GMT"
    assert answer.headers["Accept-Ranges"] == "bytes"


def test_head_says_the_same_and_sends_nothing(base: str) -> None:
    got, asked = (requests.request(verb, f"{base}/zips/a.zip", timeout=10) for verb in ("GET", "HEAD"))

    assert asked.content == b""
    assert {k: v for k, v in asked.headers.items() if k != "Date"} == {
        k: v for k, v in got.headers.items() if k != "Date"
    }


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [("bytes=0-99", 0, 100), ("bytes=10000-", 10000, 10240), ("bytes=-7", 10233, 10240), ("bytes=5-99999", 5, 10240)],
)
def test_range_gives_just_those_bytes(base: str, asked: str, start: int, stop: int) -> None:
    answer = requests.get(f"{base}/zips/a.zip", headers={"Range": asked}, timeout=10)

    assert (answer.status_code, answer.content) == (206, CONTENT[start:stop])
    assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(CONTENT)}"


def test_range_beyond_the_end_is_416_with_the_size(base: str) -> None:
    answer = requests.get(f"{base}/zips/a.zip", headers={"Range": f"bytes={len(CONTENT)}-"}, timeout=10)

    assert (answer.status_code, answer.headers["Content-Range"]) == (416, f"bytes */{len(CONTENT)}")


@pytest.mark.parametrize("asked", ["bytes=0-1,4-5", "bytes=9-3", "lines=1-2", "bytes=-", "bytes=a-b"])
def test_what_is_not_one_valid_range_is_ignored(asked: str) -> None:
    assert byte_range(asked, 100) is None


def test_if_range_gives_the_part_only_of_the_same_version(base: str) -> None:
    url = f"{base}/zips/a.zip"
    tag = requests.head(url, timeout=10).headers["ETag"]

    same = requests.get(url, headers={"Range": "bytes=5-9", "If-Range": tag}, timeout=10)
    other = requests.get(url, headers={"Range": "bytes=5-9", "If-Range": '"other"'}, timeout=10)
    dated = requests.get(url, headers={"Range": "bytes=5-9", "If-Range": same.headers["Last-Modified"]}, timeout=10)

    assert [answer.status_code for answer in (same, other, dated)] == [206, 200, 206]
    assert other.content == CONTENT


def test_if_match_and_if_none_match_are_obeyed(base: str) -> None:
    url = f"{base}/zips/a.zip"
    tag = requests.head(url, timeout=10).headers["ETag"]

    statuses = [
        requests.get(url, headers=headers, timeout=10).status_code
        for headers in (
            {"If-Match": tag},
            {"If-Match": '"other"'},
            {"If-None-Match": tag},
            {"If-None-Match": '"other"'},
        )
    ]

    assert statuses == [200, 412, 304, 200]


@pytest.mark.parametrize("path", ["absent", "zips", "", ".hidden", "..%2fsecret.txt", "zips/../../secret.txt", "%00"])
def test_nothing_but_the_published_files_is_served(base: str, path: str) -> None:
    host = urlsplit(base)
    with socket.create_connection((host.hostname, host.port), timeout=10) as raw:  # requests would tidy the path
        raw.sendall(f"GET /{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = raw.makefile("rb").read()

    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"outside" not in answer


def test_one_connection_carries_many_requests(base: str) -> None:
    host = urlsplit(base)
    request = b"GET /zips/a.zip HTTP/1.1\r\nHost: x\r\nRange: bytes=0-3\r\n\r\n"
    with socket.create_connection((host.hostname, host.port), timeout=10) as raw:
        raw.sendall(request * 3 + request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        answers = raw.makefile("rb").read()

    assert answers.count(b"206 Partial Content") == 4


def test_a_replaced_file_has_another_tag_at_once(root: Path, base: str) -> None:
    url = f"{base}/zips/a.zip"
    before = requests.head(url, timeout=10).headers
    put(root / "zips/a.zip", CONTENT[::-1], days=1)
    after = requests.get(url, timeout=10)

    assert after.headers["ETag"] != before["ETag"]
    assert after.headers["Last-Modified"] == "Sat, 02 Sep 2017 00:00:00 GMT"
    assert after.content == CONTENT[::-1]


def test_stop_joins_all_threads_though_a_client_stays_connected(root: Path) -> None:
    before = set(threading.enumerate())
    with requests.Session() as session:
        with serve(root) as base:
            session.get(f"{base}/zips/a.zip", timeout=10)
        assert set(threading.enumerate()) <= before
        with pytest.raises(requests.ConnectionError):
            session.get(f"{base}/zips/a.zip", timeout=10)


def test_import_needs_neither_pillow_nor_numpy() -> None:
    code = "import sys, maxsight_assets.sample_upstream.server; print({'PIL', 'numpy', 'polars'} & set(sys.modules))"

    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert said.stdout.strip() == "set()"
