"""Judges received bytes against all that is known of an object: kind, length, hashes; and states their `Level`."""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass

from maxsight_assets.errors import VerificationFailed
from maxsight_assets.remote import Level, Probe, RemoteFile
from maxsight_assets.transport import magic

_MD5 = re.compile(r'"?([0-9a-f]{32})"?$')

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Trust:
    """How far an object's server is trusted; each scheme states it.

    Attributes:
        level: Level of an object whose length is stated and whose hash is not: `first-use` if the bytes cannot have
            been changed on the way (TLS, or this machine), else `size`.
        etag_is_md5: Whether an ETag that looks like an md5 is one (S3).
        warning: What is logged about an object that gets `level`.
    """

    level: Level
    etag_is_md5: bool = False
    warning: str | None = None


class Unfit(Exception):
    """The received bytes are not the file; worth one clean retry."""


def more_hashes(file: RemoteFile, probe: Probe, trust: Trust) -> list[str]:
    """Return the names of the hashes that the judgement needs beside sha256."""
    needed = {name for name in ("md5", "sha1") if getattr(file, name)}
    if _etag_md5(probe, trust):
        needed.add("md5")
    return sorted(needed)


def _etag_md5(probe: Probe, trust: Trust) -> str | None:
    """Return the md5 that an ETag may be; after a multipart upload it is none, of an encrypted object not always."""
    found = _MD5.match(probe.etag or "") if trust.etag_is_md5 else None
    return found[1] if found else None


def check_kind(file: RemoteFile, head: bytes) -> None:
    """Refuse a file whose first bytes are not of the kind that its key states.

    Raises:
        VerificationFailed: For instance a login page.
    """
    wrong = magic.mismatch(file.key, head)
    if wrong:
        raise VerificationFailed(
            f"{file.key}: {wrong}; nothing is kept. Open the address in a browser to see what it wants"
        )


def level_of(
    file: RemoteFile,
    probe: Probe,
    size: int,
    digest: Callable[[str], str | None],
    *,
    trust: Trust,
    published_sha256: str | None,
    before: str | None = None,
) -> Level:
    """Return the level at which the received bytes are verified; no caller judges further.

    Without a known hash, the level is `unverified` if neither the catalog nor the server states the length; otherwise
    it is the scheme's level.

    Args:
        file: What is known of the object beforehand.
        probe: What upstream stated about it when it was fetched.
        size: Bytes received.
        digest: Their hex digest by algorithm; None if it was not computed.
        trust: How far its server is trusted.
        published_sha256: Digest that upstream states beside the object.
        before: What was wrong with the bytes of an earlier attempt.

    Raises:
        Unfit: The bytes are not the known ones, or do not match an ETag that looks like an md5. If a second attempt
            brings the same bytes and ETag, the ETag counts as no md5: that of an object encrypted with a key of KMS or
            of the customer is none (docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html).
    """
    if file.bytes is not None and size != file.bytes:
        raise Unfit(f"{file.bytes:,} bytes expected, {size:,} received")
    pinned = {"sha256": file.sha256 or published_sha256, "md5": file.md5, "sha1": file.sha1}
    for name, known in pinned.items():
        if known and digest(name) != known.lower():
            raise Unfit(f"{name} {known.lower()} expected, {digest(name)} received")
    if any(pinned.values()):
        return "sha256"
    md5 = _etag_md5(probe, trust)
    if md5 and md5 == digest("md5"):
        return "etag-md5"
    if md5:
        doubt = f"md5 {md5} expected by its ETag, {digest('md5')} received"
        if doubt != before:
            raise Unfit(doubt)
        log.warning("%s: %s, twice: taken for an ETag that is no md5", file.key, doubt)
    if file.bytes is None and probe.bytes != size:
        log.warning("%s: neither its length nor a hash is known; it may be cut short", file.key)
        return "unverified"
    if trust.warning:
        log.warning("%s: %s", file.key, trust.warning)
    return trust.level
