"""Many small objects over libcurl: what the short way takes, what it leaves, and that every rule holds on it too."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from pydantic import SecretStr

from maxsight_assets.errors import LandingError, TransientError
from maxsight_assets.remote import Landed, Missing, RemoteFile
from maxsight_assets.transport.address import Address
from maxsight_assets.transport.connections import Answer, Connections
from maxsight_assets.transport.guard import Forbidden, Guard
from maxsight_assets.transport.options import Credentials, Limits
from maxsight_assets_tests.servers import lying, processes
from maxsight_assets_tests.servers.lying import LyingServer, cut
from maxsight_assets_tests.transport.net_tools import (
    IMPATIENT,
    PATIENT,
    QUICK,
    address_of,
    certificate,
    left_over,
    pinned,
    quick_client,
    some_bytes,
    soon,
)
from maxsight_assets_tests.transport.test_places import KEYS, s3_client, signed

DATA = some_bytes(100_000)


def answers(host: str, *addresses: Address, limits: Limits = QUICK, most_bytes: int = 1 << 20) -> list[Answer | None]:
    """What the connections bring of each address."""
    connections = Connections[int](Guard(frozenset({host})), limits, most=len(addresses), most_bytes=most_bytes)
    came: dict[int, Answer | None] = {}
    try:
        for number, address in enumerate(addresses):
            connections.get(number, address)
        while connections.under_way:
            came.update(connections.arrived())
    finally:
        connections.close()
    return [came[number] for number in range(len(addresses))]


def test_regular_objects_are_each_asked_for_once(liar: LyingServer, tmp_path: Path) -> None:
    bodies = {f"{n}": some_bytes(3_000 + n, seed=n) for n in range(200)}
    wanted = [(pinned(liar.publish(key, data), data, key), tmp_path / key) for key, data in bodies.items()]
    with quick_client(liar.host) as client:
        came = dict(client.download_many(wanted, connections=8))
    assert {file.key: item.level for file, item in came.items() if isinstance(item, Landed)} == dict.fromkeys(
        bodies, "sha256"
    )
    assert sorted(request.path for request in liar.requests) == sorted(f"/{key}" for key in bodies)
    assert {key: (tmp_path / key).read_bytes() for key in left_over(tmp_path)} == bodies


@pytest.mark.parametrize(
    "fault",
    [cut(1_000), cut(1_000, reset=True), lying.chunked(), lying.zipped(), lying.flipped()],
    ids=["cut", "reset", "chunked", "zipped", "flipped"],
)
def test_irregular_answer_goes_the_careful_way(liar: LyingServer, tmp_path: Path, fault: lying.Fault) -> None:
    url = liar.publish("a", DATA, fault)
    with quick_client(liar.host) as client:
        [(_, item)] = client.download_many([(pinned(url, DATA), tmp_path / "got")])
    assert isinstance(item, Landed)
    assert left_over(tmp_path) == ["got"]
    assert (tmp_path / "got").read_bytes() == DATA
    assert len(liar.requests) >= 2


def test_redirect_is_followed_the_careful_way(liar: LyingServer, tmp_path: Path) -> None:
    liar.publish("b", DATA)
    url = liar.publish("a", b"", *[lying.redirect("/b")] * 2)
    with quick_client(liar.host) as client:
        [(_, item)] = client.download_many([(pinned(url, DATA), tmp_path / "got")])
    assert isinstance(item, Landed)
    assert [request.path for request in liar.requests] == ["/a", "/a", "/b"]


@pytest.mark.parametrize("read_before", [0, 1, 7, 100])
def test_an_error_of_the_list_reaches_the_caller(liar: LyingServer, tmp_path: Path, read_before: int) -> None:
    def listed() -> Iterator[tuple[RemoteFile, Path]]:
        for number in range(read_before):
            yield pinned(liar.publish(f"{number}", DATA), DATA), tmp_path / f"{number}"
        raise RuntimeError("the list broke off")

    with quick_client(liar.host) as client, pytest.raises(RuntimeError, match="broke off"):
        list(client.download_many(listed(), connections=4))


def test_an_error_of_the_disk_reaches_the_caller(liar: LyingServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    wanted = [(pinned(liar.publish(f"{n}", DATA), DATA), tmp_path / "file" / f"{n}") for n in range(2)]
    with quick_client(liar.host) as client, pytest.raises(OSError, match="file"):
        list(client.download_many(wanted, connections=2))


def test_a_caller_that_takes_nothing_is_not_run_ahead_of(liar: LyingServer, tmp_path: Path) -> None:
    url, read = liar.publish("a", b"x"), []

    def endless() -> Iterator[tuple[RemoteFile, Path]]:
        while True:
            read.append(None)
            yield pinned(url, b"x"), tmp_path / f"{len(read)}"

    with quick_client(liar.host) as client:
        came = client.download_many(endless(), connections=2)
        next(iter(came))
        ahead = 8 * 2
        processes.wait_until(lambda: len(read) == 1 + ahead, "not as much as may be was asked for ahead")
        time.sleep(0.5)
        assert len(read) == 1 + ahead
        came.close()  # type: ignore[attr-defined]


def failing(liar: LyingServer, tmp_path: Path, count: int) -> list[tuple[RemoteFile, Path]]:
    fails = [lying.status("500 Internal Server Error")] * 100
    return [(pinned(liar.publish(f"{n}", DATA, *fails), DATA, f"{n}"), tmp_path / f"{n}") for n in range(count)]


def test_an_upstream_that_is_down_is_not_asked_for_every_object(liar: LyingServer, tmp_path: Path) -> None:
    wanted = failing(liar, tmp_path, 500)
    with quick_client(liar.host) as client, pytest.raises(TransientError, match=r"32 objects in a row .* 500"):
        list(client.download_many(wanted, connections=4))
    ahead = 8 * 4
    assert len({request.path for request in liar.requests}) <= 32 + ahead


def test_an_upstream_that_is_down_is_found_out_over_many_short_lists(liar: LyingServer, tmp_path: Path) -> None:
    wanted = failing(liar, tmp_path, 60)
    with quick_client(liar.host) as client:
        for start in (0, 15):
            assert all(isinstance(came, Missing) for _, came in client.download_many(wanted[start : start + 15]))
        with pytest.raises(TransientError, match=r"32 objects in a row .* 500"):
            list(client.download_many(wanted[30:45]))
    assert len({request.path for request in liar.requests}) <= 45


def test_an_upstream_that_is_not_down_is_asked_for_every_object(liar: LyingServer, tmp_path: Path) -> None:
    fails = [lying.status("500 Internal Server Error")] * 100
    faults = [[] if n % 16 == 15 else fails for n in range(64)]
    wanted = [
        (pinned(liar.publish(f"{n}", DATA, *each), DATA, f"{n}"), tmp_path / f"{n}") for n, each in enumerate(faults)
    ]
    with quick_client(liar.host) as client:
        came = [item for _, item in client.download_many(wanted, connections=1)]
    assert [isinstance(item, Missing) and item.transient for item in came].count(True) == 60


def test_a_header_that_holds_a_line_end_of_unicode_is_one_header(liar: LyingServer) -> None:
    url = liar.publish("a", b"", lying.status("200 OK", {"X-Note": "a\x85ETag: b", "x-note": "c"}, b"xyz"))
    [answer] = answers(liar.host, Address(url, ""))
    assert answer is not None
    assert (answer.headers.get("etag"), answer.headers["x-note"]) == (None, "a\x85ETag: b, c")


@pytest.mark.parametrize("busy_answers", [1, 2], ids=["short way", "careful way"])
def test_leaving_early_does_not_wait_for_retry_after(liar: LyingServer, tmp_path: Path, busy_answers: int) -> None:
    busy = [lying.status("503 Slow Down", {"Retry-After": "0"})] * (busy_answers - 1)
    busy.append(lying.status("503 Slow Down", {"Retry-After": "300"}))
    slow = pinned(liar.publish("slow", DATA, *busy), DATA)
    last = lying.after(lambda: len(liar.requests) == busy_answers + 1)
    good = pinned(liar.publish("good", DATA, last), DATA)
    with soon(), quick_client(liar.host, limits=PATIENT) as client:
        # Of four connections two are left when upstream is busy: one for each.
        came = client.download_many([(slow, tmp_path / "slow"), (good, tmp_path / "good")], connections=4)
        assert next(iter(came))[0] == good
        came.close()  # type: ignore[attr-defined]


def test_object_that_is_too_long_for_memory_goes_the_careful_way(liar: LyingServer, tmp_path: Path) -> None:
    data = some_bytes(5 << 20)
    url = liar.publish("a", data)
    with quick_client(liar.host) as client:
        [(_, item)] = client.download_many([(pinned(url, data), tmp_path / "got")])
    assert isinstance(item, Landed)
    assert (tmp_path / "got").read_bytes() == data
    assert answers(liar.host, Address(url, "")) == [None]


def test_fault_14_retry_after_is_obeyed_and_then_the_object_lands(liar: LyingServer, tmp_path: Path) -> None:
    busy = lying.status("503 Slow Down", {"Retry-After": "1"})
    wanted = [(pinned(liar.publish(f"{n}", DATA, busy), DATA, f"{n}"), tmp_path / f"{n}") for n in range(6)]
    with quick_client(liar.host, limits=replace(QUICK, retry_after_cap_s=1.0)) as client:
        came = dict(client.download_many(wanted, connections=4))
    assert all(isinstance(item, Landed) for item in came.values())
    assert len(liar.requests) == 12
    for n in range(6):
        first, second = (request.at for request in liar.requests if request.path == f"/{n}")
        assert second - first >= 1.0


def test_fault_17_one_byte_a_second_is_given_up(liar: LyingServer) -> None:
    url = liar.publish("a", DATA, lying.dripping())
    assert answers(liar.host, Address(url, ""), limits=IMPATIENT) == [None]


def test_fault_18_no_answer_before_headers_is_given_up(liar: LyingServer) -> None:
    url = liar.publish("a", DATA, lying.silent())
    assert answers(liar.host, Address(url, ""), limits=IMPATIENT) == [None]


def test_fault_20_credentials_of_one_of_many_stay_with_their_host(tmp_path: Path) -> None:
    with LyingServer() as near, LyingServer("127.0.0.2") as far:
        hop = lying.redirect(far.url("b"))
        near.publish("open-images/a", DATA, hop, hop)
        far.publish("b", DATA)
        with quick_client(near.host, far.host, credentials=signed(f"http://{near.host}")) as client:
            [(_, item)] = client.download_many([(pinned("s3://open-images/a", DATA), tmp_path / "got")])
    assert isinstance(item, Landed)
    assert all("authorization" in request.headers for request in near.requests)
    assert [sorted(set(request.headers) & {"authorization", "x-amz-date"}) for request in far.requests] == [[]]


def test_fault_21_name_that_resolves_to_a_private_address_is_not_contacted(liar: LyingServer, tmp_path: Path) -> None:
    liar.publish("a", DATA)
    url = f"http://localhost:{liar.host.rpartition(':')[2]}/a"
    assert answers("127.0.0.1:1", Address(url, "")) == [None]
    with quick_client() as client, pytest.raises(Forbidden, match="private"):
        list(client.download_many([(pinned(url, DATA), tmp_path / "got")]))
    assert liar.requests == []


def test_fault_24_certificate_that_nobody_vouches_for_fails_many_too(tmp_path: Path) -> None:
    _, context = certificate(tmp_path)
    with LyingServer(tls=context) as safe, quick_client(safe.host) as client:
        url = safe.publish("a", DATA)
        with pytest.raises(LandingError, match="certificate cannot be trusted") as caught:
            list(client.download_many([(pinned(url, DATA), tmp_path / "got")]))
        assert not isinstance(caught.value, TransientError)
        assert safe.requests == []


def test_trusted_certificate_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority, context = certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
    with LyingServer(tls=context) as safe:
        [answer] = answers(safe.host, Address(safe.publish("a", DATA), ""))
    assert answer is not None
    assert bytes(answer.data) == DATA


def test_libcurl_signs_for_a_real_store(tmp_path: Path) -> None:
    if not processes.program("weed"):
        pytest.skip("weed (SeaweedFS) is not installed")
    keys = ("train/000a.jpg", "odd name+\u00fc&=%2F.bin", "deep/er/~a-b_c.jpg")
    files = [RemoteFile("a", f"s3://open-images/{key}") for key in keys]
    with processes.seaweed(tmp_path, keys=KEYS) as endpoint:
        store, host = s3_client(endpoint, KEYS), endpoint.removeprefix("http://")
        store.create_bucket(Bucket="open-images")
        for key in keys:
            store.put_object(Bucket="open-images", Key=key, Body=DATA)
        came = answers(host, *(address_of(file, signed(endpoint)) for file in files))
        refused = answers(host, *(address_of(file, signed(endpoint, ("wrong", "wrong"))) for file in files))
    assert [answer and bytes(answer.data) == DATA for answer in came] == [True, True, True]
    assert [answer and answer.status for answer in refused] == [403, 403, 403]


def test_session_token_is_signed_along(liar: LyingServer, tmp_path: Path) -> None:
    liar.publish("open-images/a", DATA)
    credentials = replace(signed(f"http://{liar.host}"), aws_session_token=SecretStr("canary-token"))
    with quick_client(credentials=credentials) as client:
        list(client.download_many([(pinned("s3://open-images/a", DATA), tmp_path / "got")]))
    [request] = liar.requests
    assert request.headers["x-amz-security-token"] == "canary-token"
    assert "x-amz-security-token" in request.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0]


def test_anonymous_request_after_a_signed_one_holds_no_key(liar: LyingServer) -> None:
    url = liar.publish("open-images/a", DATA)
    file, endpoint = RemoteFile("a", "s3://open-images/a"), f"http://{liar.host}"
    connections = Connections[int](Guard(frozenset({liar.host})), QUICK, most=1, most_bytes=1 << 20)
    for address in (address_of(file, signed(endpoint)), address_of(file, Credentials(s3_endpoint=endpoint))):
        connections.get(0, address)
        while connections.under_way:
            list(connections.arrived())
    connections.close()
    assert url.endswith("/open-images/a")
    assert ["authorization" in request.headers for request in liar.requests] == [True, False]


@pytest.mark.parametrize("key", ["train/../secret.jpg", "a/./b.jpg"])
def test_key_with_dots_is_asked_for_as_it_is(liar: LyingServer, tmp_path: Path, key: str) -> None:
    liar.publish(f"open-images/{quote(key)}", DATA)
    liar.publish("open-images/secret.jpg", b"another object")
    credentials = Credentials(s3_endpoint=f"http://{liar.host}")
    with quick_client(credentials=credentials) as client:
        [(_, item)] = client.download_many([(RemoteFile("a.bin", f"s3://open-images/{key}"), tmp_path / "got")])
    assert isinstance(item, Landed)
    assert (tmp_path / "got").read_bytes() == DATA


def test_refusal_that_concerns_all_ends_what_is_under_way(liar: LyingServer, tmp_path: Path) -> None:
    denied = lying.status("401 Unauthorized")
    last = lying.after(lambda: len(liar.requests) == 3, denied)
    urls = [liar.publish("slow", DATA, cut(10), lying.silent()), liar.publish("a", DATA, last, denied)]
    wanted = [(pinned(url, DATA), tmp_path / f"{number}") for number, url in enumerate(urls)]
    with soon(), quick_client(liar.host, limits=PATIENT) as client, pytest.raises(LandingError, match="401"):
        list(client.download_many(wanted, connections=2))


def test_404_of_one_of_many_costs_one_request(liar: LyingServer, tmp_path: Path) -> None:
    with quick_client(liar.host) as client:
        [(_, item)] = client.download_many([(RemoteFile("a", liar.url("gone")), tmp_path / "got")])
    assert item == Missing(RemoteFile("a", liar.url("gone")), "404 Not Found")
    assert len(liar.requests) == 1


def test_proxy_of_the_environment_is_asked_instead(
    liar: LyingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LyingServer() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.host}")
        monkeypatch.setenv("http_proxy", f"http://{proxy.host}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        url = liar.publish("a", DATA)
        with quick_client(liar.host) as client:
            list(client.download_many([(pinned(url, DATA), tmp_path / "got")]))
        assert liar.requests == []
        assert proxy.requests
