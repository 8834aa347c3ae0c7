"""Judges what came against all that is known of an object: kind, length, hashes; and says how far that goes."""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass

from maxsight_assets.errors import VerificationFailed
from maxsight_assets.remote import Level, Probe, RemoteFile
from maxsight_assets.transport import kinds

_MD5 = re.compile(r'"?([0-9a-f]{32})"?$')

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Trust:
    """How far the word of an object's server goes; each scheme says its own.

    Attributes:
        level: How an object is known whose length is stated and whose hash is not: by its `first-use` if what came is
            what upstream had (TLS, or this machine), else by its `size` at most.
        etag_is_md5: Whether an ETag that looks like an md5 is one (S3).
        warning: What is logged of an object that is known by `level`.
    """

    level: Level
    etag_is_md5: bool = False
    warning: str | None = None


class Unfit(Exception):
    """What came is not the file; worth one clean retry."""


def more_hashes(file: RemoteFile, probe: Probe, trust: Trust) -> list[str]:
    """Hashes that the judgement needs beside sha256."""
    needed = {name for name in ("md5", "sha1") if getattr(file, name)}
    if _etag_md5(probe, trust):
        needed.add("md5")
    return sorted(needed)


def _etag_md5(probe: Probe, trust: Trust) -> str | None:
    """The md5 that an ETag may be (not that of a multipart upload, nor always of an encrypted object)."""
    found = _MD5.match(probe.etag or "") if trust.etag_is_md5 else None
    return found[1] if found else None


def check_kind(file: RemoteFile, head: bytes) -> None:
    """Refuse a file whose first bytes are not of the kind that its key says.

    Raises:
        VerificationFailed: For instance a login page.
    """
    wrong = kinds.mismatch(file.key, head)
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
    """Return how the bytes that came are verified; no caller judges further.

    Without a known hash, what is of a length that neither the catalog nor the server states is `unverified`, and the
    level of the rest is the scheme's.

    Args:
        file: What is known of the object beforehand.
        probe: What upstream said of it when it was fetched.
        size: Bytes that came.
        digest: Hex digest of them by algorithm; None where it was not computed.
        trust: How far the word of its server goes.
        published_sha256: Digest that upstream states beside the object.
        before: What was wrong with what an earlier attempt brought.

    Raises:
        Unfit: They are other bytes than the known ones, or than an ETag says that looks like an md5. Where a second
            attempt brings the same bytes and ETag, that is none: of an object that is encrypted with a key of KMS or of
            the customer it is not (docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html).
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
