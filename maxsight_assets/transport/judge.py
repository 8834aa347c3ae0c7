"""Judges what came against all that is known of an object: kind, length, hashes; and says how far that goes."""

import logging
import re
from collections.abc import Callable

from maxsight_assets.errors import VerificationFailed
from maxsight_assets.remote import Level, Probe, RemoteFile
from maxsight_assets.transport import kinds

_MD5 = re.compile(r'"?([0-9a-f]{32})"?$')

log = logging.getLogger(__name__)


class Unfit(Exception):
    """What came is not the file; worth one clean retry."""


def more_hashes(file: RemoteFile, probe: Probe) -> list[str]:
    """Hashes that the judgement needs beside sha256."""
    needed = {name for name in ("md5", "sha1") if getattr(file, name)}
    if etag_md5(file, probe):
        needed.add("md5")
    return sorted(needed)


def etag_md5(file: RemoteFile, probe: Probe) -> str | None:
    """The md5 that an S3 ETag may be (not that of a multipart upload, nor always of an encrypted object)."""
    found = _MD5.match(probe.etag or "")
    return found[1] if found and file.url.startswith("s3://") else None


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
    published_sha256: str | None,
    plain: bool,
    before: str | None = None,
) -> Level:
    """Return how the bytes that came are verified; no caller judges further.

    Without a known hash, a length that neither the catalog nor the server states is `unverified`. What came over TLS or
    from this machine is `first-use`: its hash is of what upstream had. The others are known by their `size` at most.

    Args:
        file: What is known of the object beforehand.
        probe: What upstream said of it when it was fetched.
        size: Bytes that came.
        digest: Hex digest of them by algorithm; None where it was not computed.
        published_sha256: Digest that upstream states beside the object.
        plain: Whether they came over plain http from a server that is not allow-listed.
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
    md5 = etag_md5(file, probe)
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
    if plain:
        log.warning("%s: plain http and no known hash; what came is recorded and compared ever after", file.key)
    return "first-use" if file.url.startswith(("https:", "hf:", "file:")) else "size"
