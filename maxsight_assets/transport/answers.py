"""Judges the header of an HTTP answer: it is one of a few faults, or it describes the object upstream.

Both ways to fetch an object use it: `http` before it reads the body, and `small` with the body in memory.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from maxsight_assets.errors import LandingError
from maxsight_assets.remote import Probe
from maxsight_assets.transport.address import Address
from maxsight_assets.transport.headers import is_encoded, length_of, retry_after, total_of_416
from maxsight_assets.transport.redact import scrub, scrub_url
from maxsight_assets.transport.reply import Absent, Again, Ask, PastEnd, VersionChanged, WrongRange, content_range

BUSY = frozenset({408, 425, 429, *range(500, 600)}) - {501, 505}
"""Faults that may pass. An unknown 5xx counts as 500 (RFC 9110, 15); 501 and 505 are about the server's abilities."""
GONE = frozenset({404, 410})
REFUSED = frozenset(range(400, 500)) - BUSY - {407, 412, 416}
"""Refusals of this object. A proxy's 407 concerns all objects; 412 and 416 the part or version that was asked for."""

BAD_KEYS = ("ExpiredToken", "InvalidToken", "AuthorizationHeaderMalformed")
"""Codes in the body of S3's 400 that concern every object (Amazon S3 API reference, "Error responses")."""


@dataclass(frozen=True, slots=True)
class Head:
    """What the header of a good answer states.

    Attributes:
        start: Offset of the body's first byte in the object.
        length: Bytes of the body; None if the header does not state them.
        probe: What upstream states about the object.
        encoded: Whether the body is encoded, so that its lengths and offsets are not those of the object.
    """

    start: int
    length: int | None
    probe: Probe
    encoded: bool


def judge_answer(
    status: int,
    said: str,
    headers: Mapping[str, str],
    *,
    address: Address,
    ask: Ask,
    body: Callable[[], bytes],
) -> Head:
    """Return what an answer states about an object.

    Args:
        status: HTTP status.
        said: Status and reason, for instance `404 Not Found`.
        headers: Headers of the answer; they are looked up by lower-case name.
        address: The address that was asked.
        ask: Which part of which version was asked for.
        body: Reads the beginning of the body; called only for a refusal that may give its reason there.

    Raises:
        Again, VersionChanged, WrongRange, PastEnd, Absent: See there.
        LandingError: The answer makes no sense, or it concerns every object.
    """
    said = scrub(said)
    if status in BUSY:
        raise Again(said, wait_s=retry_after(headers.get("retry-after")), busy=status in (429, 503))
    if status in REFUSED:
        raise _refusal(status, said, b"" if status in GONE else body(), address)
    if status == 412:
        raise VersionChanged(said)
    if status == 416:
        raise PastEnd(total_of_416(headers.get("content-range")))
    if status not in (200, 206):
        raise LandingError(f"{scrub_url(address.url)}: {said} is no answer to a download; {address.remedy}")
    start, length = 0, length_of(headers)
    total = length
    if status == 206:
        if not ask.ranged:
            raise WrongRange("a partial answer to a whole request")
        asked, total = content_range(headers.get("content-range"), ask)
        if length not in (None, asked):
            raise WrongRange(f"Content-Length {length:,} for a range of {asked:,} bytes")
        start, length = ask.start, asked
    ranges = status == 206 or headers.get("accept-ranges", "").lower() == "bytes"
    encoded = is_encoded(headers)
    etag, last_modified = headers.get("etag"), headers.get("last-modified")
    probe = Probe(None if encoded else total, etag, last_modified, ranges=ranges and not encoded)
    if status == 206 and ask.since is not None:
        _insist_same_version(probe, ask.since)
    return Head(start, length, probe, encoded)


def _refusal(status: int, said: str, body: bytes, address: Address) -> Exception:
    if b"RequestTimeTooSkewed" in body:
        return LandingError(f"{scrub_url(address.url)}: {said}: this machine's clock is wrong; set it and rerun")
    for code in BAD_KEYS:
        if status == 400 and code.encode() in body:
            return LandingError(f"{scrub_url(address.url)}: {said}, {code}: {address.remedy}")
    return Absent(status, said, address.remedy)


def _insist_same_version(now: Probe, before: Probe) -> None:
    if before.etag and now.etag != before.etag:
        raise VersionChanged("another ETag than before")
    if not before.etag and before.last_modified and now.last_modified not in (None, before.last_modified):
        raise VersionChanged("another Last-Modified than before")
