"""Connections for `transport.http`: they go only to vetted addresses and report their sockets to the watcher.

The environment is read here, for the proxy to use and the certificates to trust.
"""

import os
import socket
import ssl
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import certifi
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.connection import create_connection

from maxsight_assets.errors import LandingError
from maxsight_assets.transport.guard import Guard
from maxsight_assets.transport.watch import Watch
from maxsight_assets.values import CERTIFICATES

Pool = urllib3.HTTPConnectionPool | urllib3.ProxyManager


@dataclass(frozen=True, slots=True)
class Certificates:
    """The certificates that are trusted: those of a file, or of a directory in OpenSSL's form.

    Attributes:
        variable: The environment variable that names them; None for those of certifi.
        path: The file or directory.
    """

    variable: str | None
    path: Path

    @property
    def for_urllib3(self) -> dict[str, str]:
        """Return the arguments of a connection pool."""
        return {"ca_cert_dir" if self.path.is_dir() else "ca_certs": str(self.path)}


def certificates() -> Certificates:
    """Return the certificates that are trusted.

    Raises:
        LandingError: The user's variable names something that holds none; no server is to blame.
    """
    variable = next((name for name in CERTIFICATES if os.environ.get(name, "").strip()), None)
    if variable is None:
        return Certificates(None, Path(certifi.where()))
    return _sound(variable, Path(os.environ[variable].strip()))


@cache
def _sound(variable: str, path: Path) -> Certificates:
    """Return what a variable names; only sound certificates are remembered."""
    try:
        if path.is_dir():
            reason = None if any(path.iterdir()) else "the directory is empty"
        else:
            ssl.create_default_context(cafile=path)
            reason = None
    except OSError as error:  # an SSLError among others
        reason = error.strerror or str(error)
    if reason is not None:
        raise LandingError(
            f"{variable}={path}: no certificates can be read there ({reason}); nothing was fetched. Name a file of "
            "certificates (PEM) or a directory made by `openssl rehash`, or unset the variable"
        )
    return Certificates(variable, path)


def proxy_of(url: str) -> str | None:
    """Return the proxy that the environment names for an address; None if it names none."""
    if not getproxies():
        return None
    from requests.utils import get_environ_proxies, select_proxy  # knows NO_PROXY in all of its spellings

    proxy: str | None = select_proxy(url, get_environ_proxies(url))
    return proxy


def new_pool(url: str, guard: Guard, watch: Watch, *, most_idle: int) -> Pool:
    """Return a pool of connections to an address, through the proxy that the environment names for it, if any.

    Args:
        url: An address on the host.
        guard: Vets each IP address that is connected to, except a proxy's, which the user chose.
        watch: The watcher, which gets each socket.
        most_idle: Idle connections that are kept.
    """
    parts = urlsplit(url)
    proxy = proxy_of(url)
    secure = proxy is not None or parts.scheme == "https"
    tls: Any = {**certificates().for_urllib3, "cert_reqs": "CERT_REQUIRED"} if secure else {}
    if proxy:
        manager = urllib3.ProxyManager(proxy, maxsize=most_idle, **tls)
        manager.pool_classes_by_scheme = _pools(_Watched, watch=watch)
        return manager
    kind = _pools(_Guarded, watch=watch, guard=guard)[parts.scheme]
    pool: Pool = kind(parts.hostname, parts.port, maxsize=most_idle, **tls)
    return pool


class _Watched:
    """A connection that reports its socket to the watcher."""

    watch: Watch

    def request(self: Any, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:  # a kept connection
            self.watch.attach(self.sock)
        super().request(*args, **kwargs)  # type: ignore[misc]
        self.watch.attach(self.sock)


class _Guarded(_Watched):
    """A watched connection that goes only to vetted IP addresses.

    The addresses share the time to connect, because one may be silent.
    """

    guard: Guard

    def _new_conn(self: Any) -> socket.socket:
        fault: Exception = OSError("no address")
        try:
            addresses = self.guard.resolve(self.host, self.port)
        except OSError as error:
            raise urllib3.exceptions.NewConnectionError(self, f"{self.host} does not resolve: {error}") from None
        end = time.monotonic() + self.timeout
        for tried, address in enumerate(addresses):
            share = (end - time.monotonic()) / (len(addresses) - tried)
            if share <= 0 or self.watch.ended():
                break
            try:
                sock = create_connection(
                    (address, self.port),
                    share,
                    source_address=self.source_address,
                    socket_options=self.socket_options,
                )
            except OSError as error:
                fault = error
            else:
                sock.settimeout(self.timeout)  # for what follows, such as the TLS handshake
                return sock
        raise urllib3.exceptions.NewConnectionError(self, f"{self.host}:{self.port}: {fault}")


def _pools(connection: type[_Watched], **ways: Any) -> dict[str, Any]:
    """Return the classes of connection pools by scheme, with connections of this class."""
    plain = type("HTTPConnection", (connection, HTTPConnection), ways)
    secure = type("HTTPSConnection", (connection, HTTPSConnection), ways)
    return {
        "http": type("HTTPPool", (urllib3.HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("HTTPSPool", (urllib3.HTTPSConnectionPool,), {"ConnectionCls": secure}),
    }
