"""The listing of many objects at once: how far it has come, and a digest of the whole (key, ETag, size) set.

A listing is read page by page in the order of the keys, so it may stop after any page and go on later. A bucket or a
directory that lost, gained or renamed an object has another digest, even if all times and the number stay equal.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote
from xml.etree import ElementTree as ET

from maxsight_assets.remote import Probe

PAGE_KEYS = 1000
"""Objects of one page: the most that S3 gives (ListObjectsV2, MaxKeys)."""

PAGE_BYTES = 8 << 20
"""Longest page: a key has at most 1,024 bytes, each percent-encoded in three."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One object of a listing.

    Attributes:
        key: Its name, without the prefix that is listed.
        etag: What identifies its bytes.
        bytes: Its length.
        modified: When it was written, as upstream states it; None if the listing does not say.
    """

    key: str
    etag: str
    bytes: int
    modified: str | None = None

    def probe(self) -> Probe:
        """Return what the listing states of the object."""
        return Probe(self.bytes, self.etag, self.modified, ranges=True)


@dataclass(frozen=True, slots=True)
class Listed:
    """How far a listing has come.

    Attributes:
        after: The last key that was read.
        objects: Number of objects so far.
        bytes: Their length.
        digest: Digest of their (key, ETag, size), in the order of the keys.
        whole: Whether nothing follows.
    """

    after: str = ""
    objects: int = 0
    bytes: int = 0
    digest: str = ""
    whole: bool = False

    def and_then(self, entries: Iterable[Entry], *, whole: bool) -> "Listed":
        """Return this listing with one more page; where pages end does not change the digest."""
        after, objects, size, digest = self.after, self.objects, self.bytes, self.digest
        for each in entries:
            after, objects, size = each.key, objects + 1, size + each.bytes
            digest = hashlib.sha256(f"{digest}{json.dumps([each.key, each.etag, each.bytes])}".encode()).hexdigest()
        return Listed(after, objects, size, digest, whole)

    def probe(self) -> Probe:
        """Return the whole listing in the form of one object."""
        return Probe(self.bytes, f'"{self.digest}-{self.objects}"', None, ranges=False)


def page_of(document: bytes, *, prefix: str) -> tuple[list[Entry], bool]:
    """Return the objects of an answer to ListObjectsV2, and whether it is the last one.

    Args:
        document: The answer.
        prefix: What its keys begin with; an object of that very name (a folder's marker) is left out.

    Raises:
        ValueError: It is no such answer.
    """
    if b"<!" in document:  # entities and doctypes, which S3 does not use and a bomb would need
        raise ValueError("a declaration")
    try:
        root = ET.fromstring(document)  # noqa: S314  # without declarations there is nothing to expand
    except ET.ParseError as error:
        raise ValueError(str(error)) from None
    if root.tag.rpartition("}")[2] != "ListBucketResult":
        raise ValueError(root.tag[:80])
    space = root.tag.rpartition("ListBucketResult")[0]
    encoded = root.findtext(f"{space}EncodingType") == "url"
    entries = []
    for each in root.iterfind(f"{space}Contents"):
        key = each.findtext(f"{space}Key") or ""
        key = (unquote(key) if encoded else key).removeprefix(prefix)
        if key:
            etag, size = each.findtext(f"{space}ETag") or "", int(each.findtext(f"{space}Size") or "0")
            entries.append(Entry(key, etag, size, each.findtext(f"{space}LastModified")))
    return entries, root.findtext(f"{space}IsTruncated") != "true"
