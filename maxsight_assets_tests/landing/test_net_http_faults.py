"""The network rows of the fault matrix, over a server that lies."""

import email.utils
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from maxsight_assets.errors import Cancelled, LandingError, TransientError, UpstreamChanged, VerificationFailed
from maxsight_assets.landing.guard import Forbidden
from maxsight_assets.landing.model import Landed, Missing, RemoteFile
from maxsight_assets.landing.partial import CHECKPOINT_BYTES
from maxsight_assets_tests import servers
from maxsight_assets_tests.landing.net_tools import (
    QUICK,
    certificate,
    left_over,
    pinned,
    quick_client,
    sha256,
    some_bytes,
)
from maxsight_assets_tests.servers import LyingServer, cut

DATA = some_bytes(1_000_000)
NEW = some_bytes(1_000_000, seed=2)


@pytest.fixture
def liar() -> Iterator[LyingServer]:
    with LyingServer() as server:
        yield server


def ranges_asked(liar: LyingServer) -> list[str | None]:
    return [request.range for request in liar.requests]


def whole(tmp_path: Path, data: bytes = DATA) -> bool:
    """The file is there, and nothing else."""
    return left_over(tmp_path) == ["got"] and (tmp_path / "got").read_bytes() == data


def test_fault_01_short_body_is_resumed_where_it_ended(liar: LyingServer, tmp_path: Path) -> None:
    url = liar.publish("a", DATA, cut(400_000))
    with quick_client(liar.host) as client:
        landed = client.download(pinned(url, DATA), tmp_path / "got")
    assert whole(tmp_path)
    assert (landed.level, landed.sha256, landed.bytes) == ("sha256", sha256(DATA), len(DATA))
    assert ranges_asked(liar) == [None, "bytes=400000-"]
    assert liar.requests[1].headers["if-range"] == '"v1"'


def test_fault_02_reset_in_the_middle_is_resumed(liar: LyingServer, tmp_path: Path) -> None:
    url = liar.publish("a", DATA, cut(300_000, reset=True), cut(300_000, reset=True))
    with quick_client(liar.host) as client:
        client.download(pinned(url, DATA), tmp_path / "got")
    assert whole(tmp_path)
    assert len(liar.requests) == 3
    assert all(request.range for request in liar.requests[1:])


def test_fault_02_an_upstream_that_always_breaks_is_given_up_and_what_came_is_kept(
    liar: LyingServer, tmp_path: Path
) -> None:
    url = liar.publish("a", DATA, cut(400_000), *[cut(0)] * 20)
    file = pinned(url, DATA)
    with quick_client(liar.host) as client, pytest.raises(TransientError, match="rerun to resume"):
        client.download(file, tmp_path / "got")
    assert not (tmp_path / "got").exists()
    tries = len(liar.requests)
    assert tries <= 6
    liar.publish("a", DATA)
    with quick_client(liar.host) as client:
        client.download(file, tmp_path / "got")
    assert whole(tmp_path)
    assert ranges_asked(liar)[tries:] == ["bytes=400000-"]


def test_fault_03_truncated_chunks_are_resumed_from_what_is_sound(liar: LyingServer, tmp_path: Path) -> None:
    url = liar.publish("a", DATA, servers.chunked(450_000))
    with quick_client(liar.host) as client:
        client.download(RemoteFile("a", url), tmp_path / "got")
    assert whole(tmp_path)
    first = int(str(liar.requests[1].range).removeprefix("bytes=").rstrip("-"))
    assert 400_000 <= first <= 450_005


def test_fault_04_silently_short_body_of_unknown_length_is_marked_unverified(
    liar: LyingServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = liar.publish("a", DATA, servers.unannounced(500_000))
    with quick_client(liar.host) as client, caplog.at_level(logging.WARNING):
        landed = client.download(RemoteFile("a", url), tmp_path / "got")
    assert landed.level == "unverified"
    assert "neither its length nor a hash is known" in caplog.text


def test_fault_04_silently_short_body_is_found_by_a_known_size(liar: LyingServer, tmp_path: Path) -> None:
    url = liar.publish("a", DATA, servers.unannounced(500_000))
    with quick_client(liar.host) as client:
        client.download(RemoteFile("a", url, bytes=len(DATA)), tmp_path / "got")
    assert whole(tmp_path)


def test_fault_05_bytes_after_the_length_do_not_get_into_the_file(liar: LyingServer, tmp_path: Path) -> None:
    url = liar.publish("a", DATA, servers.edited(lambda line, headers, body: (line, headers, body + b"more")))
    with quick_client(liar.host) as client:
        client.download(pinned(url, DATA), tmp_path / "got")
    assert whole(tmp_path)


def test_fault_06_range_ignored_starts_again_from_zero(liar: LyingServer, tmp_path: Path) -> None:
    url = liar.publish("a", DATA, cut(400_000), servers.range_ignored())
    with quick_client(liar.host) as client:
        client.download(pinned(url, DATA), tmp_path / "got")
    assert whole(tmp_path)
    assert len(liar.requests) == 2


def wrong(content_range: str) -> servers.Fault:
    return servers.with_headers(Content_Range=content_range)


@pytest.mark.parametrize("lie", ["400001-999999/1000000", "400000-999999/1000001", "400000-999998/1000000", "x"])
def test_fault_07_wrong_range_is_discarded_and_begun_again_once(liar: LyingServer, tmp_path: Path, lie: str) -> None:
    url = liar.publish("a", DATA, cut(400_000), wrong(f"bytes {lie}"))
    with quick_client(liar.host) as client:
        client.download(pinned(url, DATA), tmp_path / "got")
    assert whole(tmp_path)
    assert ranges_asked(liar) == [None, "bytes=400000-", None]


def test_fault_07_wrong_ranges_twice_fail_and_leave_nothing(liar: LyingServer, tmp_path: Path) -> None:
    lie = wrong("bytes 1-5/1000000")
    url = liar.publish("a", DATA, cut(400_000), lie, cut(400_000), lie)
    with quick_client(liar.host) as client, pytest.raises(VerificationFailed, match="answers ranges wrongly"):
        client.download(pinned(url, DATA), tmp_path / "got")
    assert left_over(tmp_path) == []


def test_fault_08_partial_answer_with_another_etag_starts_again(liar: LyingServer, tmp_path: Path) -> None:
    url = liar.publish("a", DATA, cut(400_000), servers.with_headers(ETag='"v2"'))
    with quick_client(liar.host) as client:
        client.download(pinned(url, DATA), tmp_path / "got")
    assert whole(tmp_path)
    assert ranges_asked(liar) == [None, "bytes=400000-", None]


def test_fault_09_object_that_changes_midway_lands_in_its_new_version(liar: LyingServer, tmp_path: Path) -> None:
    url = liar.publish("a", DATA, cut(400_000), servers.becomes(NEW, '"v2"'))
    with quick_client(liar.host) as client:
        landed = client.download(RemoteFile("a", url), tmp_path / "got")
    assert whole(tmp_path, NEW)
    assert landed.probe.etag == '"v2"'


def test_fault_11_resume_behind_the_end_verifies_what_is_there(liar: LyingServer, tmp_path: Path) -> None:
    url = liar.publish("a", DATA, servers.chunked(len(DATA)))
    with quick_client(liar.host) as client:
        client.download(RemoteFile("a", url, sha256=sha256(DATA)), tmp_path / "got")
    assert whole(tmp_path)
    assert ranges_asked(liar) == [None, "bytes=1000000-"]


def test_fault_11_range_not_satisfiable_starts_again_where_it_is_not_whole(liar: LyingServer, tmp_path: Path) -> None:
    url = liar.publish("a", DATA, cut(400_000), servers.status("416 Range Not Satisfiable"))
    with quick_client(liar.host) as client:
        client.download(pinned(url, DATA), tmp_path / "got")
    assert whole(tmp_path)
    assert ranges_asked(liar) == [None, "bytes=400000-", None]


@pytest.mark.parametrize("etag", [None, 'W/"v1"'])
def test_fault_12_without_a_strong_etag_it_resumes_only_if_a_hash_is_known(
    liar: LyingServer, tmp_path: Path, etag: str | None
) -> None:
    url = liar.publish("a", DATA, cut(400_000), etag=etag)
    with quick_client(liar.host) as client:
        client.download(RemoteFile("a", url, bytes=len(DATA)), tmp_path / "got")
        assert whole(tmp_path)
        assert ranges_asked(liar) == [None, None]
        liar.publish("a", DATA, cut(400_000), etag=etag)
        client.download(pinned(url, DATA), tmp_path / "got")
    assert whole(tmp_path)
    assert ranges_asked(liar)[2:] == [None, "bytes=400000-"]
    assert liar.requests[-1].headers["if-range"] == servers.LAST_MODIFIED


def test_fault_12_weak_etag_and_no_time_never_resumes(liar: LyingServer, tmp_path: Path) -> None:
    url = liar.publish("a", DATA, cut(400_000), etag='W/"v1"', last_modified=None)
    with quick_client(liar.host) as client:
        client.download(pinned(url, DATA), tmp_path / "got")
    assert whole(tmp_path)
    assert ranges_asked(liar) == [None, None]


def test_fault_13_encoded_body_is_decoded_verified_and_never_resumed(liar: LyingServer, tmp_path: Path) -> None:
    text = b"label,name\n" * 100_000
    cut_short = servers.edited(lambda line, headers, body: (line, headers, body))
    url = liar.publish("a", text, servers.zipped(), cut_short)
    with quick_client(liar.host) as client:
        client.download(pinned(url, text), tmp_path / "got")
    assert whole(tmp_path, text)
    assert liar.requests[0].headers["accept-encoding"] == "identity"
    assert len(liar.requests) == 1


@pytest.mark.parametrize("line", ["429 Too Many Requests", "503 Slow Down"])
def test_fault_14_retry_after_in_seconds_is_obeyed(liar: LyingServer, tmp_path: Path, line: str) -> None:
    url = liar.publish("a", DATA, servers.status(line, {"Retry-After": "1"}))
    began = time.monotonic()
    with quick_client(liar.host) as client:
        client.download(pinned(url, DATA), tmp_path / "got")
    assert 1.0 <= time.monotonic() - began < 4
    assert whole(tmp_path)


def test_fault_14_retry_after_as_a_date_is_obeyed_up_to_the_cap(liar: LyingServer, tmp_path: Path) -> None:
    later = email.utils.formatdate(time.time() + 3600, usegmt=True)
    url = liar.publish("a", DATA, servers.status("503 Slow Down", {"Retry-After": later}))
    began = time.monotonic()
    with quick_client(liar.host, limits=replace(QUICK, retry_after_cap_s=0.5)) as client:
        client.download(pinned(url, DATA), tmp_path / "got")
    assert 0.5 <= time.monotonic() - began < 3
    assert QUICK.retry_after_cap_s == 300


@pytest.mark.parametrize("line", ["401 Unauthorized", "403 Forbidden", "404 Not Found"])
def test_fault_15_refusal_fails_at_once_redacted_and_names_the_variable(
    liar: LyingServer, tmp_path: Path, line: str
) -> None:
    liar.publish("a", DATA, *[servers.status(line, body=b"secret-in-body")] * 5)
    url = f"http://user:canary1@{liar.host}/a?token=canary2"
    file = replace(pinned(url, DATA), mirror_env="COCO_MIRROR")
    with quick_client(liar.host) as client, pytest.raises(LandingError, match="COCO_MIRROR") as caught:
        client.download(file, tmp_path / "got")
    text = f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r} {file!r}"
    assert line[:3] in str(caught.value)
    assert not any(secret in text for secret in ("canary1", "canary2", "secret-in-body"))
    assert not isinstance(caught.value, TransientError)
    assert len(liar.requests) == 1
    assert left_over(tmp_path) == []


def test_fault_16_presigned_address_that_expires_midway_is_asked_for_anew(liar: LyingServer, tmp_path: Path) -> None:
    liar.publish("signed?key=1", DATA, cut(400_000), *[servers.status("403 Forbidden")] * 9)
    liar.publish("signed?key=2", DATA)
    url = liar.publish("a", b"", servers.redirect("/signed?key=1"), servers.redirect("/signed?key=2"))
    with quick_client(liar.host) as client:
        client.download(pinned(url, DATA), tmp_path / "got")
    assert whole(tmp_path)
    assert [request.path for request in liar.requests] == ["/a", "/signed?key=1", "/a", "/signed?key=2"]
    assert liar.requests[-1].range == "bytes=400000-"


def test_fault_16_ranges_refresh_an_expired_address_too(liar: LyingServer) -> None:
    liar.publish("signed?key=1", DATA, servers.honest, *[servers.status("403 Forbidden")] * 9)
    liar.publish("signed?key=2", DATA)
    url = liar.publish("a", b"", servers.redirect("/signed?key=1"), servers.redirect("/signed?key=2"))
    file = RemoteFile("a", url)
    with quick_client(liar.host) as client:
        probe = client.probe(file)
        assert client.read_range(file, 10, 20, probe=probe) == DATA[10:30]


def test_fault_17_one_byte_a_second_is_given_up(liar: LyingServer, tmp_path: Path) -> None:
    url = liar.publish("a", DATA, servers.dripping())
    began = time.monotonic()
    with quick_client(liar.host) as client:
        client.download(pinned(url, DATA), tmp_path / "got")
    assert whole(tmp_path)
    assert time.monotonic() - began < 10


def test_fault_18_no_answer_times_out_and_is_tried_again(liar: LyingServer, tmp_path: Path) -> None:
    url = liar.publish("a", DATA, servers.silent())
    with quick_client(liar.host, limits=replace(QUICK, header_timeout_s=0.5)) as client:
        client.download(pinned(url, DATA), tmp_path / "got")
    assert whole(tmp_path)
    assert len(liar.requests) == 2


def test_fault_19_redirect_loop_ends_after_five_hops(liar: LyingServer, tmp_path: Path) -> None:
    url = liar.publish("a", b"", *[servers.redirect("/a")] * 50)
    with quick_client(liar.host) as client, pytest.raises(LandingError, match="more than 5 redirects"):
        client.download(pinned(url, DATA), tmp_path / "got")
    assert len(liar.requests) == 6


def test_fault_19_five_hops_are_followed(liar: LyingServer, tmp_path: Path) -> None:
    for hop in range(5):
        liar.publish(f"hop{hop}", b"", servers.redirect(f"/hop{hop + 1}"))
    liar.publish("hop5", DATA)
    with quick_client(liar.host) as client:
        client.download(pinned(liar.url("hop0"), DATA), tmp_path / "got")
    assert whole(tmp_path)


def test_fault_20_another_host_sees_no_authorization(liar: LyingServer, tmp_path: Path) -> None:
    with LyingServer() as other:
        other.publish("b", DATA)
        liar.publish("a", b"", servers.redirect(other.url("b")))
        url = f"http://user:password@{liar.host}/a"
        with quick_client(liar.host, other.host) as client:
            client.download(pinned(url, DATA), tmp_path / "got")
        assert "authorization" in liar.requests[0].headers
        assert set(other.requests[0].headers) <= {"host", "accept", "accept-encoding", "user-agent", "connection"}
    assert whole(tmp_path)


@pytest.mark.parametrize(
    "way", ["file:///etc/hostname", "http://127.0.0.2:{port}/b", "http://[::ffff:127.0.0.1]:{port}/b"]
)
def test_fault_21_redirect_to_a_file_or_a_private_address_is_not_followed(
    liar: LyingServer, tmp_path: Path, way: str
) -> None:
    with LyingServer() as private:
        private.publish("b", DATA)
        target = way.format(port=private.host.rpartition(":")[2])
        url = liar.publish("a", b"", servers.redirect("/middle"))
        liar.publish("middle", b"", servers.redirect(target))
        with quick_client(liar.host) as client, pytest.raises(Forbidden):
            client.download(pinned(url, DATA), tmp_path / "got")
        assert private.requests == []
    assert left_over(tmp_path) == []


def test_fault_21_redirect_to_another_private_port_is_not_followed_for_one_of_many_either(
    liar: LyingServer, tmp_path: Path
) -> None:
    with LyingServer() as private:
        private.publish("b", DATA)
        url = liar.publish("a", b"", servers.redirect(private.url("b")))
        with quick_client(liar.host) as client, pytest.raises(Forbidden):
            list(client.download_many([(pinned(url, DATA), tmp_path / "got")]))
        assert private.requests == []


def test_fault_21_name_that_resolves_to_a_private_address_is_not_followed(liar: LyingServer, tmp_path: Path) -> None:
    with LyingServer() as private:
        private.publish("b", DATA)
        target = f"http://localhost:{private.host.rpartition(':')[2]}/b"
        url = liar.publish("a", b"", servers.redirect(target))
        with quick_client(liar.host) as client, pytest.raises(Forbidden, match="localhost"):
            client.download(pinned(url, DATA), tmp_path / "got")
        assert private.requests == []


def test_fault_21_redirect_from_https_to_http_is_not_followed(
    liar: LyingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, context = certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(chain))
    liar.publish("b", DATA)
    with LyingServer(tls=context) as safe, quick_client(liar.host, safe.host) as client:
        url = safe.publish("a", b"", servers.redirect(liar.url("b")))
        with pytest.raises(Forbidden, match="from https to"):
            client.download(pinned(url, DATA), tmp_path / "got")
        assert len(safe.requests) == 1
    assert liar.requests == []


@pytest.mark.parametrize("key", ["zips/data.zip", "images/1.jpg", "notes.csv"])
def test_fault_22_login_page_is_no_file(liar: LyingServer, tmp_path: Path, key: str) -> None:
    page = b"<!DOCTYPE html>\n<html><body>Please log in</body></html>"
    url = liar.publish("a", page)
    with quick_client(liar.host) as client, pytest.raises(VerificationFailed, match="web page"):
        client.download(RemoteFile(key, url), tmp_path / "got")
    assert left_over(tmp_path) == []


def test_fault_22_page_of_another_size_is_named_a_page(liar: LyingServer, tmp_path: Path) -> None:
    url = liar.publish("a", b"<html>log in</html>")
    with quick_client(liar.host) as client, pytest.raises(VerificationFailed, match="web page"):
        client.download(pinned(url, DATA), tmp_path / "got")
    assert left_over(tmp_path) == []


def test_fault_23_flipped_bit_is_fetched_again_once(liar: LyingServer, tmp_path: Path) -> None:
    url = liar.publish("a", DATA, servers.flipped())
    with quick_client(liar.host) as client:
        client.download(pinned(url, DATA), tmp_path / "got")
    assert whole(tmp_path)
    assert ranges_asked(liar) == [None, None]


def test_fault_23_bytes_that_stay_wrong_fail_and_the_last_good_file_stays(liar: LyingServer, tmp_path: Path) -> None:
    url = liar.publish("a", DATA, servers.flipped(), servers.flipped())
    (tmp_path / "got").write_bytes(b"last good")
    with quick_client(liar.host) as client, pytest.raises(VerificationFailed, match="also after a clean retry"):
        client.download(pinned(url, DATA), tmp_path / "got")
    assert whole(tmp_path, b"last good")


def test_fault_24_certificate_that_nobody_vouches_for_fails_at_once(tmp_path: Path) -> None:
    _, context = certificate(tmp_path)
    with LyingServer(tls=context) as safe, quick_client(safe.host) as client:
        url = safe.publish("a", DATA)
        with pytest.raises(LandingError, match="certificate cannot be trusted") as caught:
            client.download(pinned(url, DATA), tmp_path / "got")
        assert not isinstance(caught.value, TransientError)
        assert safe.requests == []


def test_fault_26_missing_items_are_yielded_and_the_rest_lands(liar: LyingServer, tmp_path: Path) -> None:
    wanted = []
    for number in range(60):
        data = some_bytes(2_000, seed=number)
        faults: list[servers.Fault] = []
        if number % 20 == 3:
            faults = [servers.status("404 Not Found")]
        elif number % 20 == 4:
            faults = [servers.status("503 Slow Down")] * 20
        url = liar.publish(f"{number}.bin", data, *faults)
        wanted.append((pinned(url, data, f"{number}.bin"), tmp_path / f"{number}"))
    with quick_client(liar.host) as client:
        came = dict(client.download_many(wanted, connections=8))
    missing = {file.key: item.reason for file, item in came.items() if isinstance(item, Missing)}
    assert sorted(missing) == sorted(f"{n}.bin" for n in (3, 4, 23, 24, 43, 44))
    assert missing["3.bin"] == "404 Not Found"
    assert "503" in missing["4.bin"]
    assert sum(isinstance(item, Landed) for item in came.values()) == 54
    assert left_over(tmp_path) == sorted(str(n) for n in range(60) if n % 20 not in (3, 4))


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/latest/meta-data", "http://127.0.0.1:1/x", "http://10.1.2.3/x", "http://[::1]:1/x"]
)
def test_fault_74_private_address_is_refused_before_a_connection(tmp_path: Path, url: str) -> None:
    file = RemoteFile("a", url)
    with quick_client() as client:
        with pytest.raises(Forbidden, match="allow-list"):
            client.probe(file)
        with pytest.raises(Forbidden, match="allow-list"):
            client.download(file, tmp_path / "a")


def test_pinned_file_that_is_to_stop_says_that_upstream_changed(liar: LyingServer, tmp_path: Path) -> None:
    url = liar.publish("a", NEW)
    file = replace(pinned(url, DATA), on_change="stop")
    with quick_client(liar.host) as client, pytest.raises(UpstreamChanged, match=r"maxsight-assets accept data\.bin"):
        client.download(file, tmp_path / "got")
    assert left_over(tmp_path) == []


def test_large_object_comes_over_parallel_ranges_and_resumes_after_another_process_died(
    liar: LyingServer, tmp_path: Path
) -> None:
    data = some_bytes(3_000_000)
    url = liar.publish("a", data, servers.honest, *[servers.honest] * 8, *[servers.status("500 Oops")] * 100)
    limits = replace(QUICK, parallel_from=500_000, part_bytes=100_000, connections=4, attempts=2)
    with quick_client(liar.host, limits=limits) as client, pytest.raises(TransientError):
        client.download(pinned(url, data), tmp_path / "got")
    kept = (tmp_path / "got.partial").stat().st_size
    assert kept >= 400_000
    asked = len(liar.requests)
    liar.publish("a", data)
    with quick_client(liar.host, limits=limits) as client:
        client.download(pinned(url, data), tmp_path / "got")
    assert whole(tmp_path, data)
    again = [str(request.range) for request in liar.requests[asked + 1 :]]
    assert min(int(text.removeprefix("bytes=").partition("-")[0]) for text in again) == kept


def test_torn_partial_file_is_not_trusted(liar: LyingServer, tmp_path: Path) -> None:
    url = liar.publish("a", DATA, cut(600_000), *[cut(0)] * 9)
    with quick_client(liar.host) as client, pytest.raises(TransientError):
        client.download(RemoteFile("a", url), tmp_path / "got")
    torn = bytearray((tmp_path / "got.partial").read_bytes())
    torn[100:200] = bytes(100)
    (tmp_path / "got.partial").write_bytes(torn)
    liar.publish("a", DATA)
    with quick_client(liar.host) as client:
        client.download(RemoteFile("a", url), tmp_path / "got")
    assert whole(tmp_path)


def test_sidecar_holds_no_secret(liar: LyingServer, tmp_path: Path) -> None:
    liar.publish("a", DATA, cut(600_000), *[cut(0)] * 9)
    url = f"http://user:canary1@{liar.host}/a?token=canary2"
    with quick_client(liar.host) as client, pytest.raises(TransientError) as caught:
        client.download(RemoteFile("a", url), tmp_path / "got")
    kept = (tmp_path / "got.partial.json").read_text(encoding="utf-8")
    assert '"length": 600000' in kept
    assert "canary" not in kept
    assert "canary" not in str(caught.value)


BUSY = servers.status("503 Slow Down", {"Retry-After": "60"})


@pytest.mark.parametrize("hindrance", [servers.silent(), servers.dripping(), BUSY])
def test_cancel_ends_a_blocked_download_soon(liar: LyingServer, tmp_path: Path, hindrance: servers.Fault) -> None:
    url = liar.publish("a", DATA, hindrance)
    cancel = threading.Event()
    limits = replace(QUICK, rate_window_s=60, header_timeout_s=60)
    threading.Timer(0.5, cancel.set).start()
    began = time.monotonic()
    with (
        quick_client(liar.host, limits=limits, cancel=cancel) as client,
        pytest.raises(Cancelled, match="rerun to resume"),
    ):
        client.download(pinned(url, DATA), tmp_path / "got")
    assert time.monotonic() - began < 5


def test_plain_http_without_a_hash_warns_unless_the_server_is_allow_listed(
    liar: LyingServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = liar.publish("a", DATA)
    with quick_client(liar.host) as client, caplog.at_level(logging.WARNING):
        landed = client.download(RemoteFile("a", url), tmp_path / "got")
    assert landed.level == "size"
    assert caplog.text == ""


def test_progress_reaches_the_whole(liar: LyingServer, tmp_path: Path) -> None:
    heard: list[tuple[str, int, int | None]] = []
    url = liar.publish("a", DATA)
    with quick_client(liar.host, progress=lambda *step: heard.append(step)) as client:
        client.download(pinned(url, DATA), tmp_path / "got")
    assert heard[-1] == ("data.bin", len(DATA), len(DATA))


def test_probe_says_what_upstream_says_and_survives_a_refused_head(liar: LyingServer) -> None:
    url = liar.publish("a", DATA, servers.honest, servers.status("403 Forbidden"))
    with quick_client(liar.host) as client:
        by_head, by_get = client.probe(RemoteFile("a", url)), client.probe(RemoteFile("a", url))
    assert by_head == by_get
    assert (by_head.bytes, by_head.etag, by_head.ranges) == (len(DATA), '"v1"', True)
    assert by_head.fingerprint() == by_get.fingerprint()
    assert [request.method for request in liar.requests] == ["HEAD", "HEAD", "GET"]


def test_fault_40_killed_download_is_resumed_from_its_last_checkpoint(liar: LyingServer, tmp_path: Path) -> None:
    data = some_bytes(40_000_000)

    async def stalls(call: servers.Call) -> None:
        line, headers, body = call.answer()
        await call.head(line, headers)
        await call.send(body[:30_000_000])
        await servers.silent()(call)

    url = liar.publish("a", data, stalls)
    script = (
        "import sys; from pathlib import Path; from maxsight_assets.landing.client import Client, Limits;"
        "from maxsight_assets.landing.model import RemoteFile;"
        "limits = Limits(loopback_allowed=frozenset({sys.argv[1]}), parallel_from=1 << 40);"
        "Client(limits=limits).download(RemoteFile('a', sys.argv[2]), Path(sys.argv[3]))"
    )
    child = subprocess.Popen([sys.executable, "-c", script, liar.host, url, str(tmp_path / "got")])
    try:
        sidecar = tmp_path / "got.partial.json"
        servers.wait_until(sidecar.exists, "no checkpoint was written")
    finally:
        child.kill()
        child.wait()
    with quick_client(liar.host) as client:
        client.download(RemoteFile("a", url), tmp_path / "got")
    assert whole(tmp_path, data)
    assert int(str(liar.requests[1].range).removeprefix("bytes=").partition("-")[0]) >= CHECKPOINT_BYTES


def test_cancel_ends_many_downloads_soon(liar: LyingServer, tmp_path: Path) -> None:
    wanted = [(RemoteFile(f"{n}", liar.publish(f"{n}", DATA, servers.silent())), tmp_path / f"{n}") for n in range(40)]
    cancel = threading.Event()
    threading.Timer(0.5, cancel.set).start()
    began = time.monotonic()
    limits = replace(QUICK, header_timeout_s=60)
    with quick_client(liar.host, limits=limits, cancel=cancel) as client, pytest.raises(Cancelled):
        list(client.download_many(wanted, connections=8))
    assert time.monotonic() - began < 5


def test_leaving_many_downloads_early_ends_what_is_under_way(liar: LyingServer, tmp_path: Path) -> None:
    wanted = [(pinned(liar.publish("0", DATA), DATA), tmp_path / "0")]
    wanted += [(RemoteFile(f"{n}", liar.publish(f"{n}", DATA, servers.dripping())), tmp_path / f"{n}") for n in (1, 2)]
    began = time.monotonic()
    with quick_client(liar.host, limits=replace(QUICK, rate_window_s=60)) as client:
        for _ in client.download_many(wanted, connections=4):
            break
    assert time.monotonic() - began < 5
    assert (tmp_path / "0").exists()


def test_progress_of_many_says_how_many_files_and_bytes(liar: LyingServer, tmp_path: Path) -> None:
    heard: list[tuple[str, int, int | None]] = []
    wanted = [(pinned(liar.publish(f"{n}", DATA), DATA), tmp_path / f"{n}") for n in range(3)]
    wanted.append((RemoteFile("gone", liar.url("gone"), bytes=5), tmp_path / "gone"))
    with quick_client(liar.host, progress=lambda *said: heard.append(said)) as client:
        list(client.download_many(wanted))
        list(client.download_many(iter(wanted[:1])))
    assert {(label, total) for label, _, total in heard} == {("4 files", 3 * len(DATA) + 5), ("files", None)}
    assert heard[-1] == ("files", len(DATA), None)
