"""What the schemes of the network share: objects come by HTTP; each scheme states the address and who asks."""

import contextlib
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from urllib.parse import quote

from maxsight_assets.errors import Cancelled, LandingError
from maxsight_assets.remote import Probe, RemoteFile
from maxsight_assets.transport.address import Address
from maxsight_assets.transport.http import Http
from maxsight_assets.transport.integrity import Trust
from maxsight_assets.transport.listing import Entry
from maxsight_assets.transport.reply import Absent, Ask, PastEnd, Reply, VersionChanged, WrongRange

_UNSENDABLE = re.compile(r"[^!-~]+")  # what a request line cannot hold
_DOTS = re.compile(r"/(?:\.|%2e){1,2}(?:[/?#]|$)", re.IGNORECASE)  # parts that libcurl would resolve
_FINAL = frozenset({401, 404, 410})
"""Refusals of a HEAD that a GET would get, too."""


class Network(ABC):
    """A scheme whose objects come by HTTP; see `schemes.Scheme`.

    Args:
        http: Carries the traffic.
    """

    def __init__(self, http: Http) -> None:
        self._http = http

    @abstractmethod
    def address(self, file: RemoteFile) -> Address:
        """Return the address to request an object from.

        Raises:
            LandingError: The address cannot be understood.
        """

    @abstractmethod
    def trust(self, file: RemoteFile) -> Trust:
        """Return how far the object's server is trusted."""

    def probe(self, file: RemoteFile) -> Probe:
        """Ask by HEAD; if HEAD is refused, by a GET of the first byte (presigned addresses allow just one method)."""
        address = self._sendable(file)
        try:
            with contextlib.closing(self._http.open(address, Ask(), method="HEAD")) as reply:
                return reply.probe
        except (Absent, LandingError, WrongRange, VersionChanged, PastEnd) as refusal:
            if isinstance(refusal, Cancelled) or (isinstance(refusal, Absent) and refusal.status in _FINAL):
                raise
            try:
                with contextlib.closing(self._http.open(address, Ask(0, 1))) as reply:
                    return reply.probe
            except PastEnd:
                return Probe(0, None, None, ranges=False)
            except (WrongRange, VersionChanged):
                raise refusal from None

    def page(self, file: RemoteFile, _after: str) -> tuple[Sequence[Entry], bool]:
        """Refuse: HTTP has no listings; a scheme that has them overrides this."""
        raise LandingError(
            f"{file.key}: only s3://, hf:// and file:// addresses can be listed; name single files instead"
        )

    def open(self, file: RemoteFile, ask: Ask) -> Reply:
        """Ask for a part of an object."""
        return self._http.open(self._sendable(file), ask, shortcut=ask.length is not None)

    def short(self, file: RemoteFile) -> Address | None:
        """Return an object's vetted address for the short way; None if it needs a proxy or libcurl would change it."""
        address = self._sendable(file)
        return address if self._http.is_direct(address.url) and not _DOTS.search(address.url) else None

    def _sendable(self, file: RemoteFile) -> Address:
        address = self.address(file)
        if not address.url.isascii():
            raise LandingError(
                f"{file.key}: write host and bucket of its address in ASCII (xn--mnchen-3ya for münchen)"
            )
        return address


def sendable(text: str) -> str:
    """Percent-encode blanks and letters outside ASCII; text that is encoded already stays as it is."""
    return _UNSENDABLE.sub(lambda found: quote(found.group()), text)


def mirror_remedy(file: RemoteFile) -> str:
    """Return what the user can do about an object that its publisher does not give."""
    variable = file.mirror_env or "the dataset's mirror variable (<DATASET>_MIRROR)"
    return f"check the address in the catalog, or set {variable} to a place that has the file"
