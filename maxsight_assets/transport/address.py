"""The address of an object in the form that an HTTP request needs; each scheme makes one from a catalog's address."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Signer = Callable[[str, str, Mapping[str, str]], Mapping[str, str]]
"""(method, url, headers) -> headers to add; called for each request to the first host."""


@dataclass(frozen=True, slots=True)
class S3Keys:
    """The keys that sign an S3 request (AWS signature version 4)."""

    key_id: str = field(repr=False)
    secret: str = field(repr=False)
    token: str | None = field(repr=False)
    region: str


@dataclass(frozen=True, slots=True)
class Address:
    """Where an object is, and what a request for it must prove.

    Attributes:
        url: http(s) address without user and password.
        remedy: What the user can do if the server refuses the object.
        sign: Makes the headers that prove who asks; they are never sent to another host.
        if_match: Whether the server honours If-Match on a GET (S3), beside If-Range.
        keys: The keys that `sign` uses, for a client that signs S3 requests itself.
    """

    url: str = field(repr=False)
    remedy: str
    sign: Signer | None = field(default=None, repr=False)
    if_match: bool = False
    keys: S3Keys | None = field(default=None, repr=False)
