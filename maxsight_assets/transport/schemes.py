"""One class a kind of address, behind one interface; the scheme of an address chooses here, and nowhere else.

What all have in common is around them: tries, ranges, resuming and hashes are `transfer`'s, cancel, throttle, progress
and redaction the `client`'s. A further scheme is a class of its own and a line in `schemes`.
"""

from collections.abc import Mapping
from typing import Protocol

from maxsight_assets.errors import LandingError
from maxsight_assets.remote import Probe, RemoteFile
from maxsight_assets.transport.address import Address
from maxsight_assets.transport.guard import Guard
from maxsight_assets.transport.http import Http
from maxsight_assets.transport.hub import Hub
from maxsight_assets.transport.judge import Trust
from maxsight_assets.transport.local import Local
from maxsight_assets.transport.options import Credentials
from maxsight_assets.transport.reply import Ask, Reply
from maxsight_assets.transport.s3 import S3
from maxsight_assets.transport.web import PlainWeb, Web


class Scheme(Protocol):
    """How objects of one kind of address are asked for; every call is one try. Safe to use from many threads."""

    def probe(self, file: RemoteFile) -> Probe:
        """What upstream says of an object, without its bytes.

        Raises:
            Again, Absent, WrongRange, VersionChanged, PastEnd: See `reply`.
            LandingError: The address cannot be understood, or is forbidden.
        """

    def open(self, file: RemoteFile, ask: Ask) -> Reply:
        """Open the asked part of the asked version.

        Raises:
            Again, Absent, WrongRange, VersionChanged, PastEnd, LandingError: As in `probe`.
        """

    def short(self, file: RemoteFile) -> Address | None:
        """Where the short way of many small objects may ask for an object; None if only `open` brings it.

        Raises:
            LandingError: As in `probe`.
        """

    def trust(self, file: RemoteFile) -> Trust:
        """How far upstream's word of an object goes."""


def schemes(http: Http, credentials: Credentials, *, own: Guard) -> Mapping[str, Scheme]:
    """Return the schemes by their names in an address.

    Args:
        http: Carries the traffic of those that need the network.
        credentials: Whom to say one is.
        own: Knows the servers that may be asked by plain http without a warning.
    """
    return {
        "https": Web(http),
        "http": PlainWeb(http, own),
        "s3": S3(http, credentials),
        "hf": Hub(http, credentials),
        "file": Local(),
    }


def scheme_of(file: RemoteFile, known: Mapping[str, Scheme]) -> Scheme:
    """Return the scheme of an object's address.

    Raises:
        LandingError: There is none of that name.
    """
    name = file.url.partition(":")[0].lower()
    scheme = known.get(name)
    if scheme is None:
        raise LandingError(f"{file.key}: addresses of kind {name!r} cannot be fetched; use {', '.join(known)}")
    return scheme
