"""The values that landing uses: an upstream object, what upstream states about it, and what was landed.

Plain frozen data, safe to compare and to pass between threads. `transport.client` moves the bytes.
"""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Level = Literal["sha256", "first-use", "crc32+size", "etag-md5", "size", "unverified", "made"]
"""How a file's bytes were verified, strongest first; "made" is for files that this project wrote itself."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One upstream object.

    Attributes:
        key: Its name in messages and manifests, for instance `zips/val2017.zip`; never an address.
        url: Where it is: `https://`, `http://`, `s3://bucket/key`, `file://`, or `hf://datasets/<repo>@<rev>/<path>`.
        bytes: Its length, if the catalog states it.
        sha256: Lower-case hex digest, if the catalog or an earlier landing states it. The same for `md5`, `sha1`.
        index_sha256: Digest of a zip's central directory, which states the size and CRC-32 of each member. If the user
            accepted a zip after a run had read only ranges of it, this is its only known digest.
        on_change: What to do if upstream has other bytes than the pinned ones: `stop` until the user accepts them, or
            `follow`.
        mirror_env: Environment variable that points the dataset to a mirror; messages name it if upstream refuses.
    """

    key: str
    url: str = field(repr=False)  # may hold a token
    bytes: int | None = None
    sha256: str | None = None
    md5: str | None = None
    sha1: str | None = None
    index_sha256: str | None = None
    on_change: Literal["stop", "follow"] = "follow"
    mirror_env: str | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """What upstream states about an object now.

    Attributes:
        bytes: Its length; None if the server does not state it.
        etag: Its ETag as sent, quotes and `W/` included.
        last_modified: Its Last-Modified as sent.
        ranges: Whether the server gives byte ranges of it.
    """

    bytes: int | None
    etag: str | None
    last_modified: str | None
    ranges: bool

    def fingerprint(self) -> str:
        """Return the hex digest of (bytes, etag, last_modified); while it is equal, the object counts as unchanged."""
        return hashlib.sha256(json.dumps([self.bytes, self.etag, self.last_modified]).encode()).hexdigest()


def strong(probe: Probe) -> str | None:
    """Return the ETag if it is strong, so that equal ones mean equal bytes (RFC 9110, 8.8.3); else None."""
    return probe.etag if probe.etag and not probe.etag.startswith("W/") else None


@dataclass(frozen=True, slots=True)
class Landed:
    """One object that is whole on disk.

    Attributes:
        path: Where it is.
        bytes: Its length.
        sha256: Lower-case hex digest of its bytes.
        md5: The same, if it was needed for the verification; else None.
        level: How it was verified.
        probe: What upstream stated about it when it was fetched.
    """

    path: Path
    bytes: int
    sha256: str
    md5: str | None
    level: Level
    probe: Probe


@dataclass(frozen=True, slots=True)
class Missing:
    """One object of many that could not be fetched: an item to count, not an error.

    Attributes:
        file: The object.
        reason: Why, for instance `404 Not Found`.
        transient: Whether all tries failed, so that another run may get it.
    """

    file: RemoteFile
    reason: str
    transient: bool = False
