"""The kinds of address: one class for each, behind one interface; only this module chooses by an address's scheme.

What they have in common is around them: `transfer` retries, reads ranges, resumes and hashes; `client` cancels,
throttles, reports progress and redacts. To support a further scheme, add a class and a line in `schemes`.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from maxsight_assets.errors import LandingError
from maxsight_assets.remote import Probe, RemoteFile
from maxsight_assets.transport.address import Address
from maxsight_assets.transport.guard import Guard
from maxsight_assets.transport.http import Http
from maxsight_assets.transport.hub import Hub
from maxsight_assets.transport.integrity import Trust
from maxsight_assets.transport.listing import Entry
from maxsight_assets.transport.local import Local
from maxsight_assets.transport.options import Credentials
from maxsight_assets.transport.reply import Ask, Reply
from maxsight_assets.transport.s3 import S3
from maxsight_assets.transport.web import PlainWeb, Web


class Scheme(Protocol):
    """Requests objects of one kind of address; every call is one try. Safe to use from many threads."""

    def probe(self, file: RemoteFile) -> Probe:
        """Return what upstream states about an object, without its bytes.

        Raises:
            Again, Absent, WrongRange, VersionChanged, PastEnd: See `reply`.
            LandingError: The address cannot be understood, or is forbidden.
        """

    def page(self, file: RemoteFile, after: str) -> tuple[Sequence[Entry], bool]:
        """Return the objects below an address that ends with a slash, from the first after `after`, and whether all.

        Raises:
            Again, Absent, LandingError: As in `probe`; the last also if the kind of address has no listings.
        """

    def open(self, file: RemoteFile, ask: Ask) -> Reply:
        """Open the asked part of the asked version.

        Raises:
            Again, Absent, WrongRange, VersionChanged, PastEnd, LandingError: As in `probe`.
        """

    def short(self, file: RemoteFile) -> Address | None:
        """Return the address of an object for the short way (`transport.many`); None if only `open` can fetch it.

        Raises:
            LandingError: As in `probe`.
        """

    def trust(self, file: RemoteFile) -> Trust:
        """Return how far the object's server is trusted."""


def schemes(http: Http, credentials: Credentials, *, own: Guard) -> Mapping[str, Scheme]:
    """Return the schemes by their names in an address.

    Args:
        http: Carries the traffic of the schemes that need the network.
        credentials: Secrets and endpoints of accounts.
        own: Knows the servers that need no warning if they are used by plain http.
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
        LandingError: No scheme has that name.
    """
    name = file.url.partition(":")[0].lower()
    scheme = known.get(name)
    if scheme is None:
        raise LandingError(f"{file.key}: addresses of kind {name!r} cannot be fetched; use {', '.join(known)}")
    return scheme
