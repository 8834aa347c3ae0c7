"""Refusals of a single object, headers that make no sense and addresses with letters that HTTP does not know."""

from dataclasses import replace
from pathlib import Path

import pytest

from maxsight_assets.errors import LandingError, TransientError, VerificationFailed
from maxsight_assets.remote import Landed, Missing, RemoteFile
from maxsight_assets.transport.headers import length_of, retry_after, total_of_416
from maxsight_assets_tests.servers import lying
from maxsight_assets_tests.servers.lying import LyingServer
from maxsight_assets_tests.transport.net_tools import pinned, quick_client, some_bytes
from maxsight_assets_tests.transport.test_places import KEYS, signed

DATA = some_bytes(10_000)

REFUSALS = (
    *("400 Bad Request", "402 Payment Required", "403 Forbidden", "404 Not Found", "405 Method Not Allowed"),
    *("406 Not Acceptable", "409 Conflict", "410 Gone", "418 I'm a teapot", "422 Unprocessable Content"),
    "451 Unavailable For Legal Reasons",
)


@pytest.mark.parametrize("line", REFUSALS)
def test_an_object_that_is_refused_counts_as_missing(liar: LyingServer, tmp_path: Path, line: str) -> None:
    faults = {"refused": [lying.status(line)] * 9, "good": []}
    wanted = [
        (pinned(liar.publish(key, DATA, *each), DATA, f"{key}.bin"), tmp_path / key) for key, each in faults.items()
    ]
    with quick_client(liar.host) as client:
        came = {file.key: item for file, item in client.download_many(wanted)}
    assert came["refused.bin"] == Missing(wanted[0][0], line)
    assert isinstance(came["good.bin"], Landed)


@pytest.mark.parametrize("line", ["507 Insufficient Storage", "520 Unknown Error", "524"])
def test_any_fault_of_the_server_is_tried_again(liar: LyingServer, tmp_path: Path, line: str) -> None:
    """A status of 5xx that nobody knows is treated like 500 (RFC 9110, 15)."""
    faults = {"never": [lying.status(line)] * 99, "later": [lying.status(line)] * 2}
    wanted = [(pinned(liar.publish(key, DATA, *each), DATA, key), tmp_path / key) for key, each in faults.items()]
    with quick_client(liar.host) as client:
        came = {file.key: item for file, item in client.download_many(wanted)}
        with pytest.raises(TransientError, match=line):
            client.probe(wanted[0][0])
    never, later = came["never"], came["later"]
    assert isinstance(never, Missing)
    assert never.transient
    assert isinstance(later, Landed)


@pytest.mark.parametrize("line", ["401 Unauthorized", "407 Proxy Authentication Required"])
def test_a_refusal_that_concerns_every_object_ends_the_run(liar: LyingServer, tmp_path: Path, line: str) -> None:
    file = pinned(liar.publish("a", DATA, *[lying.status(line)] * 9), DATA)
    with quick_client(liar.host) as client, pytest.raises(LandingError, match=line):
        list(client.download_many([(file, tmp_path / "got")]))


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidToken", "AuthorizationHeaderMalformed"])
def test_keys_that_s3_does_not_take_end_the_run(liar: LyingServer, tmp_path: Path, code: str) -> None:
    fault = lying.status("400 Bad Request", body=f"<Error><Code>{code}</Code></Error>".encode())
    liar.publish("open-images/a", DATA, *[fault] * 9)
    wanted = [(RemoteFile("a", "s3://open-images/a"), tmp_path / "got")]
    told = pytest.raises(LandingError, match=f"{code}.*AWS_ACCESS_KEY_ID")
    with quick_client(credentials=signed(f"http://{liar.host}")) as client, told:
        list(client.download_many(wanted))


@pytest.mark.parametrize("line", REFUSALS)
def test_a_single_object_that_is_refused_is_an_error_that_says_what_to_do(
    liar: LyingServer, tmp_path: Path, line: str
) -> None:
    url = liar.publish("a", DATA, *[lying.status(line)] * 9)
    file = replace(pinned(url, DATA), mirror_env="COCO_MIRROR")
    with (
        quick_client(liar.host) as client,
        pytest.raises(LandingError, match=f"data.bin: {line}; .*COCO_MIRROR") as caught,
    ):
        client.download(file, tmp_path / "got")
    assert not isinstance(caught.value, TransientError)
    assert len(liar.requests) == 1


def test_a_presigned_address_that_expires_with_400_is_asked_for_anew(liar: LyingServer) -> None:
    liar.publish("signed?key=1", DATA, lying.honest, *[lying.status("400 Bad Request")] * 9)
    liar.publish("signed?key=2", DATA)
    url = liar.publish("a", b"", lying.redirect("/signed?key=1"), lying.redirect("/signed?key=2"))
    with quick_client(liar.host) as client:
        probe = client.probe(RemoteFile("a", url))
        assert client.read_range(RemoteFile("a", url), 10, 20, probe=probe) == DATA[10:30]


@pytest.mark.parametrize("way", ["short", "careful"])
@pytest.mark.parametrize("line", ["403", "404", "451"])
def test_a_reason_that_echoes_a_key_is_told_without_it(liar: LyingServer, tmp_path: Path, line: str, way: str) -> None:
    key = "a" if way == "short" else "b/../a"  # dots are for the careful way
    fault = lying.status(f"{line} No {KEYS[0]} {KEYS[1]}")
    liar.publish(f"open-images/{key}", DATA, *[fault] * 9)
    file = RemoteFile("a", f"s3://open-images/{key}")
    with quick_client(credentials=signed(f"http://{liar.host}")) as client:
        [(_, item)] = client.download_many([(file, tmp_path / "got")])
    assert item == Missing(file, f"{line} No [hidden] [hidden]")


@pytest.mark.parametrize("place", ["http://[x/canary", "http://a b/canary?canary"])
def test_a_redirect_to_what_is_no_address_is_told(liar: LyingServer, tmp_path: Path, place: str) -> None:
    url = liar.publish("a", DATA, *[lying.redirect(place)] * 9)
    with quick_client(liar.host) as client:
        with pytest.raises(LandingError) as one:
            client.download(RemoteFile("a", url), tmp_path / "got")
        with pytest.raises(LandingError, match=r"no address|invalid"):
            list(client.download_many([(RemoteFile("a", url), tmp_path / "got")]))
    assert "?canary" not in str(one.value)


@pytest.mark.parametrize("line", ["206 Partial Content", "412 Precondition Failed", "416 Range Not Satisfiable"])
def test_what_answers_no_question_is_asked_another_way_and_then_told(liar: LyingServer, line: str) -> None:
    odd = lying.status(line, {"Content-Range": "bytes 5-9/10"})
    url = liar.publish("a", DATA, odd)
    with quick_client(liar.host) as client:
        assert client.probe(RemoteFile("a", url)).bytes == len(DATA)
        liar.publish("a", DATA, odd, odd)
        if line.startswith("416"):
            assert client.probe(RemoteFile("a", url)).bytes == 0
        else:
            with pytest.raises(VerificationFailed, match="a: upstream answers oddly"):
                client.probe(RemoteFile("a", url))


ODD = ("\u00b2", "9" * 5000, "-1", "1.5", "soon", "Mon, 01 Jan 2024 99999999999999999999:00:00 GMT")


@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
def test_a_header_that_states_no_number_states_nothing(text: str) -> None:
    assert (retry_after(text), length_of({"content-length": text}), total_of_416(f"bytes */{text}")) == (None,) * 3


def test_a_busy_answer_that_does_not_say_how_long_is_tried_again(liar: LyingServer, tmp_path: Path) -> None:
    busy = lying.status("503 Slow Down", {"Retry-After": "\u00b2"})
    wanted = [(pinned(liar.publish("a", DATA, busy, busy), DATA), tmp_path / "got")]
    with quick_client(liar.host) as client:
        [(_, item)] = client.download_many(wanted)
    assert isinstance(item, Landed)


PATHS = {
    "a mirror/\u00e9.bin?q=\u00fc 1": "a%20mirror/%C3%A9.bin?q=%C3%BC%201",
    "a%20mirror/%C3%A9.bin?q=%2F+1": "a%20mirror/%C3%A9.bin?q=%2F+1",
    "~a-b_c;d=e,(f)'!$&*@:+": "~a-b_c;d=e,(f)'!$&*@:+",
}


@pytest.mark.parametrize("path", PATHS)
def test_a_path_is_asked_for_in_the_letters_of_http(liar: LyingServer, tmp_path: Path, path: str) -> None:
    liar.publish(PATHS[path], DATA)
    file = pinned(liar.url(path), DATA)
    with quick_client(liar.host) as client:
        [(_, item)] = client.download_many([(file, tmp_path / "many")])
        client.download(file, tmp_path / "one")
    assert isinstance(item, Landed)
    assert [request.path for request in liar.requests] == [f"/{PATHS[path]}"] * 2


@pytest.mark.parametrize("url", ["https://m\u00fcnchen.example/a", "s3://m\u00fcnchen/a"])
def test_a_host_or_bucket_in_other_letters_is_refused(tmp_path: Path, url: str) -> None:
    told = pytest.raises(LandingError, match=r"a: .*ASCII")
    with quick_client() as client, told:
        list(client.download_many([(RemoteFile("a", url), tmp_path / "got")]))
