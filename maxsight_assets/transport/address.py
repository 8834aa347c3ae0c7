"""Where an object is, as an HTTP request needs it; each scheme makes one of an address in a catalog."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Signer = Callable[[str, str, Mapping[str, str]], Mapping[str, str]]
"""(method, url, headers) -> headers to add; called for each request to the first host."""


@dataclass(frozen=True, slots=True)
class S3Keys:
    """What an S3 request is signed with (AWS signature version 4)."""

    key_id: str = field(repr=False)
    secret: str = field(repr=False)
    token: str | None = field(repr=False)
    region: str


@dataclass(frozen=True, slots=True)
class Address:
    """Where an object is, and what it takes to be given it.

    Attributes:
        url: http(s) address without user and password.
        remedy: What the user can do if it is refused.
        sign: Makes the headers that prove who asks; never sent to another host.
        if_match: Whether the server honours If-Match on a GET (S3), beside If-Range.
        keys: For a client that signs S3 requests itself, what `sign` signs with.
    """

    url: str = field(repr=False)
    remedy: str
    sign: Signer | None = field(default=None, repr=False)
    if_match: bool = False
    keys: S3Keys | None = field(default=None, repr=False)
