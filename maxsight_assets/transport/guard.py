"""Decides which addresses landing may contact: no private, loopback, link-local or metadata host unless allow-listed.

Each address is checked twice. Its text is checked before each request and each redirect. The IP addresses of its host
are checked at the moment of connecting, so that a name cannot turn private in between.
"""

import contextlib
import ipaddress
import socket
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

from maxsight_assets.errors import LandingError
from maxsight_assets.transport.redact import scrub_url

PORTS = {"http": 80, "https": 443}

_UNICAST = ipaddress.ip_network("2000::/3")
"""All of IPv6 that IANA assigns; `is_global` also accepts site-local addresses and a site's NAT64 (RFC 8215)."""


class Forbidden(LandingError):
    """An address that landing must not contact."""


def host_port(parts: SplitResult) -> str:
    """Return the "host:port" that an address leads to."""
    return f"{parts.hostname}:{parts.port or PORTS.get(parts.scheme, 0)}"


def is_public(address: str) -> bool:
    """Return whether an IP address is public; an IPv6 address that embeds an IPv4 one is judged by the IPv4 address."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        hidden = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if hidden is None and ip in ipaddress.ip_network("64:ff9b::/96"):  # NAT64, RFC 6052
            hidden = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if hidden is None:
            return ip in _UNICAST and ip.is_global
        ip = hidden
    return ip.is_global and not ip.is_multicast


def origin_of(url: str) -> str:
    """Return the "scheme://host:port" that an address leads to."""
    scheme, _, where = _server(url)
    return f"{scheme}://{where}"


def _server(url: str) -> tuple[str, str | None, str]:
    """Return scheme, host and "host:port" of an address.

    Only the server's part is parsed, once for all of its objects.
    """
    end = url.find("/", url.find("://") + 3)
    return _parsed(url if end < 0 else url[:end])


@lru_cache(maxsize=256)
def _parsed(server: str) -> tuple[str, str | None, str]:
    parts = urlsplit(server)
    return parts.scheme, parts.hostname, host_port(parts)


def _resolves_publicly(host: str) -> bool:
    """Return whether every address of a host is public; True for one that does not resolve: connecting reports it."""
    with contextlib.suppress(OSError):
        return all(is_public(str(entry[4][0])) for entry in socket.getaddrinfo(host, None))
    return True


class Guard:
    """Vets addresses against one allow-list.

    Args:
        allowed: "host:port" of servers that may be private.
    """

    def __init__(self, allowed: frozenset[str]) -> None:
        self._allowed = allowed

    def is_allowed(self, url: str) -> bool:
        """Return whether the address leads to an allow-listed server."""
        return _server(url)[2] in self._allowed

    def check(self, url: str) -> None:
        """Refuse an address that is not http(s), or whose host is a private IP address in any spelling.

        Raises:
            Forbidden: With the redacted address.
        """
        try:
            scheme, host, where = _server(url)
        except ValueError:
            raise Forbidden(f"{scrub_url(url)}: not an address") from None
        if scheme not in PORTS or not host:
            raise Forbidden(f"{scrub_url(url)}: only http and https addresses are fetched over the network")
        if where in self._allowed:
            return
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return  # a name: judged by what it resolves to, when connecting
        if not is_public(host):
            raise self._private(host, where)

    def check_hop(self, source: str, target: str) -> None:
        """Refuse a redirect from https to http, to a private host, or to an address that `check` refuses.

        An allow-listed server may be private, but only another allow-listed server may redirect to it.
        """
        self.check(target)
        _, host, where = _server(target)
        if where in self._allowed and not self.is_allowed(source) and host and not _resolves_publicly(host):
            raise self._private(host, where)
        if source.startswith("https:") and target.startswith("http:"):
            raise Forbidden(f"{scrub_url(source)} redirects from https to {scrub_url(target)}: not followed")

    def resolve(self, host: str, port: int) -> list[str]:
        """Return the IP addresses of a host, all of them vetted.

        Raises:
            Forbidden: One of them is private and the server is not allow-listed.
            OSError: The name does not resolve.
        """
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if f"{host}:{port}" not in self._allowed:
            for address in addresses:
                if not is_public(address):
                    raise self._private(host, f"{host}:{port}")
        return addresses

    @staticmethod
    def _private(host: str, where: str) -> Forbidden:
        return Forbidden(
            f"{host} is a private, loopback or link-local address: not contacted. "
            f"If it is a server of yours, set ALLOWED_HOSTS={where}"
        )
