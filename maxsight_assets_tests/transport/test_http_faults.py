"""The network rows of the fault matrix, over a server that lies."""

import email.utils
import gzip
import logging
import multiprocessing
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from maxsight_assets.errors import Cancelled, LandingError, TransientError, UpstreamChanged, VerificationFailed
from maxsight_assets.publishing.swap import StateDir
from maxsight_assets.remote import Landed, Missing, RemoteFile
from maxsight_assets.transport.guard import Forbidden, Guard
from maxsight_assets.transport.partial import CHECKPOINT_BYTES
from maxsight_assets_tests.invariants import assert_invariants
from maxsight_assets_tests.publishing.ground import LAST_GOOD, Ground, land_from
from maxsight_assets_tests.publishing.staged import land
from maxsight_assets_tests.servers import lying, processes
from maxsight_assets_tests.servers.lying import LyingServer, cut
from maxsight_assets_tests.transport.net_tools import (
    IMPATIENT,
    PATIENT,
    QUICK,
    certificate,
    pinned,
    quick_client,
    sha256,
    some_bytes,
    soon,
)

DATA = some_bytes(1_000_000)
NEW = some_bytes(1_000_000, seed=2)


def ranges_asked(liar: LyingServer) -> list[str | None]:
    return [request.range for request in liar.requests]


def test_fault_01_short_body_is_resumed_where_it_ended(liar: LyingServer, ground: Ground) -> None:
    url = liar.publish("a", DATA, cut(400_000))
    with quick_client(liar.host) as client:
        landed = ground.fetch(client, pinned(url, DATA))
    assert ground.holds(DATA)
    assert (landed.level, landed.sha256, landed.bytes) == ("sha256", sha256(DATA), len(DATA))
    assert ranges_asked(liar) == [None, "bytes=400000-"]
    assert liar.requests[1].headers["if-range"] == '"v1"'


def test_fault_02_reset_in_the_middle_is_resumed(liar: LyingServer, ground: Ground) -> None:
    url = liar.publish("a", DATA, cut(300_000, reset=True), cut(300_000, reset=True))
    with quick_client(liar.host) as client:
        ground.fetch(client, pinned(url, DATA))
    assert ground.holds(DATA)
    assert len(liar.requests) == 3
    assert all(request.range for request in liar.requests[1:])


def test_fault_02_an_upstream_that_always_breaks_is_given_up_and_what_came_is_kept(
    liar: LyingServer, ground: Ground
) -> None:
    url = liar.publish("a", DATA, cut(400_000), *[cut(0)] * 20)
    file = pinned(url, DATA)
    with quick_client(liar.host) as client, pytest.raises(TransientError, match="rerun to resume"):
        ground.fetch(client, file)
    assert ground.kept() == ["got.partial", "got.partial.json"]
    tries = len(liar.requests)
    assert tries <= 6
    liar.publish("a", DATA)
    with quick_client(liar.host) as client:
        ground.fetch(client, file)
    assert ground.holds(DATA)
    assert ranges_asked(liar)[tries:] == ["bytes=400000-"]


def test_fault_03_truncated_chunks_are_resumed_from_what_is_sound(liar: LyingServer, ground: Ground) -> None:
    url = liar.publish("a", DATA, lying.chunked(450_000))
    with quick_client(liar.host) as client:
        ground.fetch(client, RemoteFile("a", url))
    assert ground.holds(DATA)
    first = int(str(liar.requests[1].range).removeprefix("bytes=").rstrip("-"))
    assert 400_000 <= first <= 450_005


def test_fault_04_silently_short_body_of_unknown_length_is_marked_unverified(
    liar: LyingServer, ground: Ground, caplog: pytest.LogCaptureFixture
) -> None:
    url = liar.publish("a", DATA, lying.unannounced(500_000))
    with quick_client(liar.host) as client, caplog.at_level(logging.WARNING):
        landed = ground.fetch(client, RemoteFile("a", url))
    assert landed.level == "unverified"
    assert "neither its length nor a hash is known" in caplog.text


def test_fault_04_silently_short_body_is_found_by_a_known_size(liar: LyingServer, ground: Ground) -> None:
    url = liar.publish("a", DATA, lying.unannounced(500_000))
    with quick_client(liar.host) as client:
        ground.fetch(client, RemoteFile("a", url, bytes=len(DATA)))
    assert ground.holds(DATA)


def test_fault_05_bytes_after_the_length_do_not_get_into_this_file_or_the_next(
    liar: LyingServer, ground: Ground
) -> None:
    url = liar.publish("a", DATA, lying.edited(lambda line, headers, body: (line, headers, body + b"more")))
    liar.publish("b", NEW)
    with quick_client(liar.host) as client:
        ground.fetch(client, pinned(url, DATA))
        assert ground.holds(DATA)
        assert len(liar.requests) == 1
        ground.fetch(client, pinned(liar.url("b"), NEW))  # over the same connection, where it is not given up
    assert ground.holds(NEW)


def test_fault_05_length_that_says_too_little_is_found_by_the_hash(liar: LyingServer, ground: Ground) -> None:
    url = liar.publish("a", DATA, lying.with_headers(Content_Length="900000"))
    with quick_client(liar.host) as client:
        landed = ground.fetch(client, RemoteFile("a", url, sha256=sha256(DATA)))
    assert ground.holds(DATA)
    assert landed.level == "sha256"
    assert ranges_asked(liar) == [None, None]


def test_fault_06_range_ignored_starts_again_from_zero(liar: LyingServer, ground: Ground) -> None:
    url = liar.publish("a", DATA, cut(400_000), lying.range_ignored())
    with quick_client(liar.host) as client:
        ground.fetch(client, pinned(url, DATA))
    assert ground.holds(DATA)
    assert len(liar.requests) == 2


def wrong(content_range: str) -> lying.Fault:
    return lying.with_headers(Content_Range=content_range)


@pytest.mark.parametrize("lie", ["400001-999999/1000000", "400000-999999/1000001", "400000-999998/1000000", "x"])
def test_fault_07_wrong_range_is_discarded_and_begun_again_once(liar: LyingServer, ground: Ground, lie: str) -> None:
    url = liar.publish("a", DATA, cut(400_000), wrong(f"bytes {lie}"))
    with quick_client(liar.host) as client:
        ground.fetch(client, pinned(url, DATA))
    assert ground.holds(DATA)
    assert ranges_asked(liar) == [None, "bytes=400000-", None]


def test_fault_07_wrong_ranges_twice_fail_and_leave_nothing(liar: LyingServer, ground: Ground) -> None:
    lie = wrong("bytes 1-5/1000000")
    url = liar.publish("a", DATA, cut(400_000), lie, cut(400_000), lie)
    with quick_client(liar.host) as client, pytest.raises(VerificationFailed, match="answers ranges wrongly"):
        ground.fetch(client, pinned(url, DATA))
    assert ground.kept() == []


def test_fault_08_partial_answer_with_another_etag_starts_again(liar: LyingServer, ground: Ground) -> None:
    url = liar.publish("a", DATA, cut(400_000), lying.with_headers(ETag='"v2"'))
    with quick_client(liar.host) as client:
        ground.fetch(client, pinned(url, DATA))
    assert ground.holds(DATA)
    assert ranges_asked(liar) == [None, "bytes=400000-", None]


def test_fault_09_object_that_changes_midway_lands_in_its_new_version(liar: LyingServer, ground: Ground) -> None:
    url = liar.publish("a", DATA, cut(400_000), lying.becomes(NEW, '"v2"'))
    with quick_client(liar.host) as client:
        landed = ground.fetch(client, RemoteFile("a", url))
    assert ground.holds(NEW)
    assert landed.probe.etag == '"v2"'
    assert ranges_asked(liar) == [None, "bytes=400000-"]


def test_fault_11_resume_behind_the_end_verifies_what_is_there(liar: LyingServer, ground: Ground) -> None:
    url = liar.publish("a", DATA, lying.chunked(len(DATA)))
    with quick_client(liar.host) as client:
        ground.fetch(client, RemoteFile("a", url, sha256=sha256(DATA)))
    assert ground.holds(DATA)
    assert ranges_asked(liar) == [None, "bytes=1000000-"]


def test_fault_11_range_not_satisfiable_starts_again_where_it_is_not_whole(liar: LyingServer, ground: Ground) -> None:
    url = liar.publish("a", DATA, cut(400_000), lying.status("416 Range Not Satisfiable"))
    with quick_client(liar.host) as client:
        ground.fetch(client, pinned(url, DATA))
    assert ground.holds(DATA)
    assert ranges_asked(liar) == [None, "bytes=400000-", None]


@pytest.mark.parametrize("etag", [None, 'W/"v1"'])
def test_fault_12_without_a_strong_etag_it_resumes_only_if_a_hash_is_known(
    liar: LyingServer, ground: Ground, etag: str | None
) -> None:
    url = liar.publish("a", DATA, cut(400_000), etag=etag)
    with quick_client(liar.host) as client:
        ground.fetch(client, RemoteFile("a", url, bytes=len(DATA)))
        assert ground.holds(DATA)
        assert ranges_asked(liar) == [None, None]
        liar.publish("a", DATA, cut(400_000), etag=etag)
        ground.fetch(client, pinned(url, DATA))
    assert ground.holds(DATA)
    assert ranges_asked(liar)[2:] == [None, "bytes=400000-"]
    assert liar.requests[-1].headers["if-range"] == lying.LAST_MODIFIED


def test_fault_12_weak_etag_and_no_time_never_resumes(liar: LyingServer, ground: Ground) -> None:
    url = liar.publish("a", DATA, cut(400_000), etag='W/"v1"', last_modified=None)
    with quick_client(liar.host) as client:
        ground.fetch(client, pinned(url, DATA))
    assert ground.holds(DATA)
    assert ranges_asked(liar) == [None, None]


def test_fault_13_encoded_body_is_decoded_verified_and_never_resumed(liar: LyingServer, ground: Ground) -> None:
    ground.sound = text = b"label,name\n" * 100_000

    def torn(_: str, headers: dict[str, str], body: bytes) -> tuple[str, dict[str, str], bytes]:
        packed = gzip.compress(body, mtime=0)
        length = {"Content-Encoding": "gzip", "Content-Length": str(len(packed))}
        return "200 OK", headers | length, packed[: len(packed) // 2]

    url = liar.publish("a", text, lying.edited(torn, hang_up=True), lying.zipped())
    with quick_client(liar.host) as client:
        ground.fetch(client, pinned(url, text))
    assert ground.holds(text)
    assert ranges_asked(liar) == [None, None]
    assert {request.headers["accept-encoding"] for request in liar.requests} == {"identity"}


def test_fault_13_encoded_body_with_other_bytes_is_found_by_the_hash(liar: LyingServer, ground: Ground) -> None:
    url = liar.publish("a", DATA, lying.becomes(NEW, '"v2"', lying.zipped()), lying.becomes(DATA, '"v1"'))
    with quick_client(liar.host) as client:
        ground.fetch(client, pinned(url, DATA))
    assert ground.holds(DATA)
    assert ranges_asked(liar) == [None, None]


@pytest.mark.parametrize("line", ["429 Too Many Requests", "503 Slow Down"])
def test_fault_14_retry_after_in_seconds_is_obeyed(liar: LyingServer, ground: Ground, line: str) -> None:
    url = liar.publish("a", DATA, lying.status(line, {"Retry-After": "1"}))
    with quick_client(liar.host) as client:
        ground.fetch(client, pinned(url, DATA))
    first, second = liar.requests
    assert second.at - first.at >= 1.0
    assert ground.holds(DATA)


def test_fault_14_retry_after_as_a_date_is_obeyed(liar: LyingServer, ground: Ground) -> None:
    later = email.utils.formatdate(time.time() + 2, usegmt=True)  # to the second: 1 to 2 s from now
    url = liar.publish("a", DATA, lying.status("503 Slow Down", {"Retry-After": later}))
    epoch = time.time() - time.monotonic()
    with quick_client(liar.host) as client:
        ground.fetch(client, pinned(url, DATA))
    _, second = liar.requests
    assert epoch + second.at >= email.utils.parsedate_to_datetime(later).timestamp() - 0.05


def test_fault_14_retry_after_as_a_date_is_obeyed_up_to_the_cap(liar: LyingServer, ground: Ground) -> None:
    later = email.utils.formatdate(time.time() + 3600, usegmt=True)
    url = liar.publish("a", DATA, lying.status("503 Slow Down", {"Retry-After": later}))
    with quick_client(liar.host, limits=replace(QUICK, retry_after_cap_s=0.5)) as client:
        ground.fetch(client, pinned(url, DATA))
    first, second = liar.requests
    assert second.at - first.at >= 0.5
    assert QUICK.retry_after_cap_s == 300


@pytest.mark.parametrize("line", ["401 Unauthorized", "403 Forbidden", "404 Not Found"])
def test_fault_15_refusal_fails_at_once_redacted_and_names_the_variable(
    liar: LyingServer, ground: Ground, line: str
) -> None:
    liar.publish("a", DATA, *[lying.status(line, body=b"secret-in-body")] * 5)
    file = replace(pinned(liar.url("a"), DATA), mirror_env="COCO_MIRROR")
    with quick_client(liar.host) as client, pytest.raises(LandingError, match="COCO_MIRROR") as caught:
        ground.fetch(client, file)
    assert line[:3] in str(caught.value)
    assert "secret-in-body" not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"
    assert not isinstance(caught.value, TransientError)
    assert len(liar.requests) == 1
    assert ground.kept() == []


def test_fault_16_presigned_address_that_expires_midway_is_asked_for_anew(liar: LyingServer, ground: Ground) -> None:
    liar.publish("signed?key=1", DATA, cut(400_000), *[lying.status("403 Forbidden")] * 9)
    liar.publish("signed?key=2", DATA)
    url = liar.publish("a", b"", lying.redirect("/signed?key=1"), lying.redirect("/signed?key=2"))
    with quick_client(liar.host) as client:
        ground.fetch(client, pinned(url, DATA))
    assert ground.holds(DATA)
    asked = [request.path.removesuffix("?token=canary-token") for request in liar.requests]
    assert asked == ["/a", "/signed?key=1", "/a", "/signed?key=2"]
    assert liar.requests[-1].range == "bytes=400000-"


def test_fault_16_ranges_refresh_an_expired_address_too(liar: LyingServer) -> None:
    liar.publish("signed?key=1", DATA, lying.honest, *[lying.status("403 Forbidden")] * 9)
    liar.publish("signed?key=2", DATA)
    url = liar.publish("a", b"", lying.redirect("/signed?key=1"), lying.redirect("/signed?key=2"))
    file = RemoteFile("a", url)
    with quick_client(liar.host) as client:
        probe = client.probe(file)
        assert client.read_range(file, 10, 20, probe=probe) == DATA[10:30]


def test_fault_17_one_byte_a_second_is_given_up(liar: LyingServer, ground: Ground) -> None:
    url = liar.publish("a", DATA, lying.dripping())
    with quick_client(liar.host, limits=IMPATIENT) as client:
        ground.fetch(client, pinned(url, DATA))
    assert ground.holds(DATA)
    assert len(liar.requests) >= 2


def test_fault_18_no_answer_times_out_and_is_tried_again(liar: LyingServer, ground: Ground) -> None:
    url = liar.publish("a", DATA, lying.silent())
    with quick_client(liar.host, limits=IMPATIENT) as client:
        ground.fetch(client, pinned(url, DATA))
    assert ground.holds(DATA)
    assert len(liar.requests) >= 2


def test_fault_19_redirect_loop_ends_after_five_hops(liar: LyingServer, ground: Ground) -> None:
    url = liar.publish("a", b"", *[lying.redirect("/a")] * 50)
    with quick_client(liar.host) as client, pytest.raises(LandingError, match="more than 5 redirects"):
        ground.fetch(client, pinned(url, DATA))
    assert len(liar.requests) == 6


def test_fault_19_five_hops_are_followed(liar: LyingServer, ground: Ground) -> None:
    for hop in range(5):
        liar.publish(f"hop{hop}", b"", lying.redirect(f"/hop{hop + 1}"))
    liar.publish("hop5", DATA)
    with quick_client(liar.host) as client:
        ground.fetch(client, pinned(liar.url("hop0"), DATA))
    assert ground.holds(DATA)


def test_fault_20_another_host_sees_no_authorization(liar: LyingServer, ground: Ground) -> None:
    with LyingServer() as other:
        other.publish("b", DATA)
        liar.publish("a", b"", lying.redirect(other.url("b")))
        with quick_client(liar.host, other.host) as client:
            ground.fetch(client, pinned(liar.url("a"), DATA))
        assert "authorization" in liar.requests[0].headers
        assert set(other.requests[0].headers) <= {"host", "accept", "accept-encoding", "user-agent", "connection"}
    assert ground.holds(DATA)


@pytest.mark.parametrize(
    "way", ["file:///etc/hostname", "http://127.0.0.2:{port}/b", "http://[::ffff:127.0.0.1]:{port}/b"]
)
def test_fault_21_redirect_to_a_file_or_a_private_address_is_not_followed(
    liar: LyingServer, ground: Ground, way: str
) -> None:
    with LyingServer() as private:
        private.publish("b", DATA)
        target = way.format(port=private.host.rpartition(":")[2])
        url = liar.publish("a", b"", lying.redirect("/middle"))
        liar.publish("middle", b"", lying.redirect(target))
        with quick_client(liar.host) as client, pytest.raises(Forbidden):
            ground.fetch(client, pinned(url, DATA))
        assert private.requests == []
    assert ground.kept() == []


def test_fault_21_redirect_to_another_private_port_is_not_followed_for_one_of_many_either(
    liar: LyingServer, ground: Ground
) -> None:
    with LyingServer() as private:
        private.publish("b", DATA)
        hop = lying.redirect(private.url("b"))
        url = liar.publish("a", b"", hop, hop)  # the short way asks, then the careful one
        with quick_client(liar.host) as client, pytest.raises(Forbidden):
            ground.fetch_many(client, [pinned(url, DATA)])
        assert private.requests == []


def test_fault_21_name_that_resolves_to_a_private_address_is_not_followed(liar: LyingServer, ground: Ground) -> None:
    with LyingServer() as private:
        private.publish("b", DATA)
        target = f"http://localhost:{private.host.rpartition(':')[2]}/b"
        url = liar.publish("a", b"", lying.redirect(target))
        with quick_client(liar.host) as client, pytest.raises(Forbidden, match="localhost"):
            ground.fetch(client, pinned(url, DATA))
        assert private.requests == []


def test_fault_21_redirect_from_https_to_http_is_not_followed(
    liar: LyingServer, ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, context = certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(chain))
    liar.publish("b", DATA)
    with LyingServer(tls=context) as safe, quick_client(liar.host, safe.host) as client:
        url = safe.publish("a", b"", lying.redirect(liar.url("b")))
        with pytest.raises(Forbidden, match="from https to"):
            ground.fetch(client, pinned(url, DATA))
        assert len(safe.requests) == 1
        ground.check(safe)
    assert liar.requests == []


SOUND = {"zips/data.zip": b"PK\x03\x04 zip", "images/1.jpg": b"\xff\xd8\xff picture", "notes.csv": b"a,b\n"}


@pytest.mark.parametrize("key", SOUND)
def test_fault_22_login_page_is_no_file(liar: LyingServer, ground: Ground, key: str) -> None:
    page = b"<!DOCTYPE html>\n<html><body>Please log in</body></html>"
    url, ground.sound = liar.publish("a", page), SOUND[key]
    with quick_client(liar.host) as client, pytest.raises(VerificationFailed, match="web page"):
        ground.fetch(client, RemoteFile(key, url))
    assert ground.kept() == []


def test_fault_22_page_of_another_size_is_named_a_page(liar: LyingServer, ground: Ground) -> None:
    url = liar.publish("a", b"<html>log in</html>")
    with quick_client(liar.host) as client, pytest.raises(VerificationFailed, match="web page"):
        ground.fetch(client, pinned(url, DATA))
    assert ground.kept() == []


def test_fault_23_flipped_bit_is_fetched_again_once(liar: LyingServer, ground: Ground) -> None:
    url = liar.publish("a", DATA, lying.flipped())
    with quick_client(liar.host) as client:
        ground.fetch(client, pinned(url, DATA))
    assert ground.holds(DATA)
    assert ranges_asked(liar) == [None, None]


def test_fault_23_bytes_that_stay_wrong_fail_and_the_last_good_file_stays(liar: LyingServer, ground: Ground) -> None:
    url = liar.publish("a", DATA, lying.flipped(), lying.flipped())
    with (
        quick_client(liar.host) as client,
        pytest.raises(VerificationFailed, match=r"also after a clean retry.*maxsight-assets accept data"),
    ):
        ground.fetch(client, pinned(url, DATA))
    assert ground.published() == LAST_GOOD
    assert ground.kept() == []
    assert ranges_asked(liar) == [None, None]


@pytest.mark.parametrize("flaw", ["nobody vouches for it", "it is of another host", "it has expired"])
def test_fault_24_certificate_that_does_not_hold_fails_at_once(
    liar: LyingServer, ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flaw: str
) -> None:
    chain, context = certificate(tmp_path, expired="expired" in flaw)
    if "nobody" not in flaw:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(chain))
    with LyingServer("127.0.0.2" if "host" in flaw else "127.0.0.1", tls=context) as safe:
        file = pinned(safe.publish("a", DATA), DATA)
        with quick_client(safe.host) as client:
            with pytest.raises(LandingError, match="certificate cannot be trusted") as caught:
                ground.fetch(client, file)
            with pytest.raises(LandingError, match="certificate cannot be trusted"):
                ground.fetch_many(client, [file])
        assert not isinstance(caught.value, TransientError)
        assert safe.requests == []
    ground.check()
    with quick_client(liar.host) as client:
        ground.fetch(client, pinned(liar.publish("a", DATA), DATA))


def test_fault_26_missing_items_are_yielded_and_the_rest_lands(liar: LyingServer, ground: Ground) -> None:
    wanted = []
    for number in range(60):
        data = some_bytes(2_000, seed=number)
        faults: list[lying.Fault] = []
        if number % 20 == 3:
            faults = [lying.status("404 Not Found")]
        elif number % 20 == 4:
            faults = [lying.status("503 Slow Down")] * 20
        url = liar.publish(f"{number}.bin", data, *faults)
        wanted.append(pinned(url, data, f"{number}.bin"))
    with quick_client(liar.host) as client:
        came = ground.fetch_many(client, wanted)
    missing = {key: item.reason for key, item in came.items() if isinstance(item, Missing)}
    assert sorted(missing) == sorted(f"{n}.bin" for n in (3, 4, 23, 24, 43, 44))
    assert missing["3.bin"] == "404 Not Found"
    assert "503" in missing["4.bin"]
    assert sum(isinstance(item, Landed) for item in came.values()) == 54
    there = {f"{n}.bin": some_bytes(2_000, seed=n) for n in range(60) if n % 20 not in (3, 4)}
    assert ground.published() == there | LAST_GOOD
    assert ground.kept() == []


@pytest.mark.parametrize(
    "host",
    [
        *("169.254.169.254", "[fd00:ec2::254]", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "0.0.0.0"),
        *("[::1]", "[::ffff:10.1.2.3]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::1]", "[fe80::1]", "224.0.0.1"),
        *("[fec0::1]", "[64:ff9b:1::a9fe:a9fe]", "[::10.1.2.3]", "[ff0e::1]"),
    ],
)
def test_fault_74_metadata_and_private_addresses_are_forbidden_by_the_guard(host: str) -> None:
    with pytest.raises(Forbidden, match="ALLOWED_HOSTS"):  # the guard alone: nothing here could open a connection
        Guard(frozenset()).check(f"http://{host}/latest/meta-data")


def test_fault_74_only_an_allowed_server_may_redirect_to_an_allowed_private_one() -> None:
    guard = Guard(frozenset({"127.0.0.1:9", "127.0.0.1:10"}))

    guard.check_hop("http://127.0.0.1:10/a", "http://127.0.0.1:9/b")
    with pytest.raises(Forbidden, match="ALLOWED_HOSTS"):
        guard.check_hop("http://192.0.2.1/a", "http://127.0.0.1:9/b")


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f000001", "2130706433", "127.1"])
def test_fault_74_private_address_is_refused_before_a_connection(liar: LyingServer, ground: Ground, name: str) -> None:
    port = liar.host.rpartition(":")[2]
    file = pinned(f"http://{name}:{port}/a", DATA)
    liar.publish("a", DATA)
    with quick_client() as client:
        with pytest.raises(Forbidden, match="ALLOWED_HOSTS"):
            client.probe(file)
        with pytest.raises(Forbidden, match="ALLOWED_HOSTS"):
            ground.fetch(client, file)
        with pytest.raises(Forbidden, match="ALLOWED_HOSTS"):
            ground.fetch_many(client, [file])
    assert liar.requests == []
    with quick_client(liar.host) as client:
        ground.fetch(client, pinned(liar.url("a"), DATA))


def behind(proxy: LyingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the server the proxy that the environment names; only it knows names in .invalid."""
    monkeypatch.setenv("http_proxy", f"http://{proxy.host}")
    monkeypatch.delenv("no_proxy", raising=False)
    resolve = socket.getaddrinfo

    def resolved(host: str, *args: object, **kwargs: object) -> object:
        if host.endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return resolve(host, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)


def test_fault_17_one_byte_a_second_by_way_of_a_proxy_is_given_up(
    liar: LyingServer, ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind(liar, monkeypatch)
    liar.publish("a", DATA, lying.dripping())
    with quick_client(limits=IMPATIENT) as client:
        ground.fetch(client, pinned("http://files.invalid/a", DATA))
    assert ground.holds(DATA)


def test_cancel_ends_a_download_by_way_of_a_proxy_soon(
    liar: LyingServer, ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind(liar, monkeypatch)
    cancel = threading.Event()
    liar.publish("a", DATA, lying.cancelling(cancel, lying.silent()))
    with soon(), quick_client(limits=PATIENT, cancel=cancel) as client, pytest.raises(Cancelled):
        ground.fetch(client, pinned("http://files.invalid/a", DATA))
    ground.check(liar)


def test_fault_74_private_address_is_not_asked_of_a_proxy_either(
    liar: LyingServer, ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind(liar, monkeypatch)
    liar.publish("a", DATA)
    far = pinned("http://files.invalid/a", DATA)  # only the proxy knows this name
    with quick_client() as client:
        for name in ("localhost", "127.0.0.1"):
            with pytest.raises(Forbidden, match="ALLOWED_HOSTS"):
                ground.fetch(client, pinned(f"http://{name}:9/a", DATA))
        liar.publish("b", b"", lying.redirect("http://localhost:9/a"))
        with pytest.raises(Forbidden, match="ALLOWED_HOSTS"):
            ground.fetch(client, pinned("http://files.invalid/b", DATA))
        ground.fetch(client, far)
    assert [request.path.partition("?")[0] for request in liar.requests] == [
        "http://files.invalid/b",
        "http://files.invalid/a",
    ]
    assert ground.holds(DATA)


def test_pinned_file_that_is_to_stop_says_that_upstream_changed(liar: LyingServer, ground: Ground) -> None:
    url = liar.publish("a", NEW)
    file = replace(pinned(url, DATA), on_change="stop")
    with quick_client(liar.host) as client, pytest.raises(UpstreamChanged, match=r"maxsight-assets accept data\.bin"):
        ground.fetch(client, file)
    assert ground.kept() == []


def test_large_object_comes_over_parallel_ranges_and_resumes_after_another_process_died(
    liar: LyingServer, ground: Ground
) -> None:
    data = some_bytes(3_000_000)
    url = liar.publish("a", data, *[lying.beyond(500_000, lying.status("500 Oops"))] * 100)
    limits = replace(QUICK, parallel_from=500_000, part_bytes=100_000, connections=4, attempts=2)
    with quick_client(liar.host, limits=limits) as client, pytest.raises(TransientError):
        ground.fetch(client, pinned(url, data))
    kept = partial_of(ground).stat().st_size
    assert kept == 500_000
    asked = len(liar.requests)
    liar.publish("a", data)
    with quick_client(liar.host, limits=limits) as client:
        ground.fetch(client, pinned(url, data))
    assert ground.holds(data)
    again = [str(request.range) for request in liar.requests[asked + 1 :]]
    assert min(int(text.removeprefix("bytes=").partition("-")[0]) for text in again) == kept


def test_torn_partial_file_is_not_trusted(liar: LyingServer, ground: Ground) -> None:
    url = liar.publish("a", DATA, cut(600_000), *[cut(0)] * 9)
    with quick_client(liar.host) as client, pytest.raises(TransientError):
        ground.fetch(client, RemoteFile("a", url))
    torn = bytearray(partial_of(ground).read_bytes())
    torn[100:200] = bytes(100)
    partial_of(ground).write_bytes(torn)
    liar.publish("a", DATA)
    with quick_client(liar.host) as client:
        ground.fetch(client, RemoteFile("a", url))
    assert ground.holds(DATA)


def test_sidecar_holds_no_secret(liar: LyingServer, ground: Ground) -> None:
    url = liar.publish("a", DATA, cut(600_000), *[cut(0)] * 9)
    with quick_client(liar.host) as client, pytest.raises(TransientError):
        ground.fetch(client, RemoteFile("a", url))
    kept = partial_of(ground).with_suffix(".partial.json").read_text(encoding="utf-8")
    assert '"length": 600000' in kept
    assert "canary" not in kept


def partial_of(ground: Ground) -> Path:
    """The file that waits for the next run."""
    (path,) = StateDir.of(ground.target).sessions.glob("*/tree/got.partial")
    return path


BUSY = lying.status("503 Slow Down", {"Retry-After": "300"})


@pytest.mark.parametrize("hindrance", [lying.silent(), lying.dripping(), BUSY])
def test_cancel_ends_a_blocked_download_soon(liar: LyingServer, ground: Ground, hindrance: lying.Fault) -> None:
    cancel = threading.Event()
    url = liar.publish("a", DATA, lying.cancelling(cancel, hindrance))
    with (
        soon(),
        quick_client(liar.host, limits=PATIENT, cancel=cancel) as client,
        pytest.raises(Cancelled, match="rerun to resume"),
    ):
        ground.fetch(client, pinned(url, DATA))


def test_plain_http_without_a_hash_warns_unless_the_server_is_allow_listed(
    liar: LyingServer, ground: Ground, caplog: pytest.LogCaptureFixture
) -> None:
    url = liar.publish("a", DATA)
    with quick_client(liar.host) as client, caplog.at_level(logging.WARNING):
        landed = ground.fetch(client, RemoteFile("a", url))
    assert landed.level == "size"
    assert caplog.text == ""


def test_progress_reaches_the_whole(liar: LyingServer, ground: Ground) -> None:
    heard: list[tuple[str, int, int | None]] = []
    url = liar.publish("a", DATA)
    with quick_client(liar.host, progress=lambda *step: heard.append(step)) as client:
        ground.fetch(client, pinned(url, DATA))
    assert heard[-1] == ("data.bin", len(DATA), len(DATA))


def test_probe_says_what_upstream_says_and_survives_a_refused_head(liar: LyingServer) -> None:
    url = liar.publish("a", DATA, lying.honest, lying.status("403 Forbidden"))
    with quick_client(liar.host) as client:
        by_head, by_get = client.probe(RemoteFile("a", url)), client.probe(RemoteFile("a", url))
    assert by_head == by_get
    assert (by_head.bytes, by_head.etag, by_head.ranges) == (len(DATA), '"v1"', True)
    assert by_head.fingerprint() == by_get.fingerprint()
    assert [request.method for request in liar.requests] == ["HEAD", "HEAD", "GET"]


def test_fault_40_killed_download_is_resumed_from_its_last_checkpoint(liar: LyingServer, tmp_path: Path) -> None:
    data, target = some_bytes(40_000_000), tmp_path / "data/world"
    before = land(target, LAST_GOOD)
    url = liar.publish("a", data, *[lying.beyond(CHECKPOINT_BYTES, lying.silent())] * 50)
    child = multiprocessing.get_context("spawn").Process(target=land_from, args=(url, target))
    child.start()
    try:
        processes.wait_until(lambda: bool(sidecars(target)), "no checkpoint was written")
    finally:
        child.kill()
        child.join()
    assert_invariants(target, versions={before.data_version}, named=["kept.jpg"], settled=False)
    liar.publish("a", data)
    asked = len(liar.requests)

    land_from(url, target)

    again = [str(request.range).removeprefix("bytes=").partition("-") for request in liar.requests[asked:]]
    assert min(int(first) for first, _, _ in again) == CHECKPOINT_BYTES
    assert (target / "a.bin").read_bytes() == data
    assert_invariants(target, named=["kept.jpg"])


def sidecars(target: Path) -> list[Path]:
    return list(StateDir.of(target).sessions.glob("*/tree/a.bin.partial.json"))


def test_cancel_ends_many_downloads_soon(liar: LyingServer, tmp_path: Path) -> None:
    cancel = threading.Event()
    silent = lying.cancelling(cancel, lying.silent())
    wanted = [(RemoteFile(f"{n}", liar.publish(f"{n}", DATA, silent)), tmp_path / f"{n}") for n in range(40)]
    with soon(), quick_client(liar.host, limits=PATIENT, cancel=cancel) as client, pytest.raises(Cancelled):
        list(client.download_many(wanted, connections=8))


def test_leaving_many_downloads_early_ends_what_is_under_way(liar: LyingServer, tmp_path: Path) -> None:
    last = lying.after(lambda: len(liar.requests) == 3)
    wanted = [(pinned(liar.publish("0", DATA, last), DATA), tmp_path / "0")]
    wanted += [(RemoteFile(f"{n}", liar.publish(f"{n}", DATA, lying.dripping())), tmp_path / f"{n}") for n in (1, 2)]
    with soon(), quick_client(liar.host, limits=PATIENT) as client:
        for _ in client.download_many(wanted, connections=4):
            break
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
