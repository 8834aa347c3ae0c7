"""`https://` and `http://`: any web server; user and password in an address are sent as Basic authentication."""

from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit, urlunsplit

from maxsight_assets.remote import RemoteFile
from maxsight_assets.transport.address import Address
from maxsight_assets.transport.guard import Guard
from maxsight_assets.transport.http import Http
from maxsight_assets.transport.integrity import Trust
from maxsight_assets.transport.network import Network, mirror_remedy, sendable

_BY_USE = Trust("first-use")
_BY_SIZE = Trust("size")
_WARNED = Trust("size", warning="plain http and no known hash; what came is recorded and compared ever after")


class Web(Network):
    """Objects of web servers over TLS."""

    def address(self, file: RemoteFile) -> Address:
        """See `Network`."""
        parts = urlsplit(file.url)
        user, at, host = parts.netloc.rpartition("@")
        url = urlunsplit((parts.scheme, host, sendable(parts.path) or "/", sendable(parts.query), ""))
        if not at:
            return Address(url, mirror_remedy(file))
        name, _, password = user.partition(":")
        basic = b64encode(f"{unquote(name)}:{unquote(password)}".encode()).decode()

        def sign(_method: str, _url: str, _headers: Mapping[str, str]) -> Mapping[str, str]:
            return {"Authorization": f"Basic {basic}"}

        return Address(url, mirror_remedy(file), sign)

    def trust(self, _file: RemoteFile) -> Trust:
        """See `Network`."""
        return _BY_USE


class PlainWeb(Web):
    """Objects of web servers without TLS.

    Args:
        http: Carries the traffic.
        own: Knows the servers that need no warning.
    """

    def __init__(self, http: Http, own: Guard) -> None:
        super().__init__(http)
        self._own = own

    def trust(self, file: RemoteFile) -> Trust:
        """See `Network`."""
        return _BY_SIZE if self._own.is_allowed(file.url) else _WARNED
