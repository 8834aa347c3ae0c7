"""Many connections in one thread, by libcurl: whole objects that fit in memory, each requested once.

A thread for each connection would spend most of its CPU on passing the interpreter's lock around (docs/benchmarks.md).
There are no redirects, ranges or retries here: the caller fetches irregular objects another way (`transport.many`).
"""

import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import pycurl

from maxsight_assets.transport.address import Address, S3Keys
from maxsight_assets.transport.guard import Guard, is_public
from maxsight_assets.transport.http import PLAIN_HEADERS
from maxsight_assets.transport.options import Limits
from maxsight_assets.transport.pools import certificates

Token = TypeVar("Token")

Where = tuple[int, int, int, tuple[Any, ...]]
"""Family, kind, protocol and address of a socket that libcurl wants."""

_BUFFER_BYTES = 256 << 10
_WAIT_S = 0.25
"""How long a call may wait for the network, and so how late a cancel takes effect."""
_NO_SOCKET_S = 0.005


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose body is as long as its Content-Length states, if it states one.

    Attributes:
        address: The address that was asked.
        status: HTTP status.
        said: Status and reason, for instance `404 Not Found`.
        headers: Values by lower-case name; those of a repeated header are joined by commas.
        data: The body.
    """

    address: Address
    status: int
    said: str
    headers: Mapping[str, str]
    data: memoryview


@dataclass(slots=True)
class _Call:
    token: Any
    address: Address
    body: list[bytes] = field(default_factory=list)
    header: list[bytes] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Form:
    """What the requests for most objects of one server have in common."""

    keys: S3Keys | None
    headers: Mapping[str, str] = field(repr=False)  # may hold a token
    allowed: bool


class Connections(Generic[Token]):
    """At most `most` connections, driven by the thread that calls `arrived`; not thread-safe.

    Args:
        guard: Vets each address at the moment of connecting; the caller has vetted its text.
        limits: Time and rate bounds.
        most: Connections.
        most_bytes: Longest body; longer ones come back as None.
    """

    def __init__(self, guard: Guard, limits: Limits, *, most: int, most_bytes: int) -> None:
        self._guard = guard
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, most)
        self._idle = [self._new_handle(limits, most_bytes) for _ in range(most)]
        self._calls: dict[pycurl.Curl, _Call] = {}
        self._forms: dict[pycurl.Curl, _Form] = {}
        self._opened: list[socket.socket] = []

    @property
    def free(self) -> int:
        """Number of idle connections."""
        return len(self._idle)

    @property
    def under_way(self) -> int:
        """Number of calls under way."""
        return len(self._calls)

    def close(self) -> None:
        """End all calls under way and close the connections."""
        for handle in self._calls:
            self._multi.remove_handle(handle)
        for handle in (*self._calls, *self._idle):
            handle.close()
        self._multi.close()

    def get(self, token: Token, address: Address) -> None:
        """Request an object on a free connection. Its path must hold no `..`, because libcurl resolves it.

        Raises:
            IndexError: No connection is free.
        """
        handle, call = self._idle.pop(), _Call(token, address)
        form = _Form(address.keys, _headers(address), self._guard.is_allowed(address.url))
        if self._forms.get(handle) != form:
            self._shape(handle, form)
        handle.setopt(pycurl.URL, address.url)
        handle.setopt(pycurl.WRITEFUNCTION, call.body.append)  # joining the pieces beats a stream that grows
        handle.setopt(pycurl.HEADERFUNCTION, call.header.append)
        self._multi.add_handle(handle)
        self._calls[handle] = call

    def arrived(self) -> Iterator[tuple[Token, Answer | None]]:
        """Yield the answers that have arrived, after a short wait if none has; None if one did not arrive whole."""
        self._perform()
        left, whole, broken = self._multi.info_read()
        if not whole and not broken:
            if self._multi.select(_WAIT_S) < 0:  # no socket yet, for instance while a name is looked up
                time.sleep(_NO_SOCKET_S)
            self._perform()
            left, whole, broken = self._multi.info_read()
        while True:
            for handle in whole:
                call = self._take(handle)
                yield call.token, _answer(handle.getinfo(pycurl.RESPONSE_CODE), call)
            for handle, _, _ in broken:
                yield self._take(handle).token, None
            if not left:
                return
            left, whole, broken = self._multi.info_read()

    def _shape(self, handle: pycurl.Curl, form: _Form) -> None:
        """Set up a connection for a form of request; libcurl signs S3 requests itself, faster than botocore."""
        if form.keys is None:
            handle.setopt(pycurl.HTTPAUTH, pycurl.HTTPAUTH_NONE)
            handle.unsetopt(pycurl.USERPWD)
        else:
            handle.setopt(pycurl.AWS_SIGV4, f"aws:amz:{form.keys.region}:s3")
            handle.setopt(pycurl.USERNAME, form.keys.key_id)
            handle.setopt(pycurl.PASSWORD, form.keys.secret)
        handle.setopt(pycurl.HTTPHEADER, [f"{name}: {value}" for name, value in form.headers.items()])
        handle.setopt(pycurl.OPENSOCKETFUNCTION, self._open_any if form.allowed else self._open)
        self._forms[handle] = form

    def _take(self, handle: pycurl.Curl) -> _Call:
        self._multi.remove_handle(handle)
        self._idle.append(handle)
        return self._calls.pop(handle)

    def _open(self, purpose: int, where: Where) -> socket.socket | int:
        """Open a socket to an address that libcurl resolved, if it is public."""
        if where[0] in (socket.AF_INET, socket.AF_INET6) and is_public(str(where[3][0])):
            return self._open_any(purpose, where)
        return pycurl.SOCKET_BAD

    def _open_any(self, _purpose: int, where: Where) -> socket.socket:
        opened = socket.socket(*where[:3])
        self._opened.append(opened)  # libcurl takes a duplicate of it when this returns
        return opened

    def _perform(self) -> None:
        self._multi.perform()
        while self._opened:
            self._opened.pop().close()

    @staticmethod
    def _new_handle(limits: Limits, most_bytes: int) -> pycurl.Curl:
        handle = pycurl.Curl()
        handle.setopt(pycurl.NOSIGNAL, 1)
        handle.setopt(pycurl.FOLLOWLOCATION, 0)
        handle.setopt(pycurl.PROXY, "")  # the environment's proxies are for `transport.http`
        handle.setopt(pycurl.NETRC, pycurl.NETRC_IGNORED)
        handle.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        handle.setopt(pycurl.BUFFERSIZE, _BUFFER_BYTES)
        trusted = certificates().path
        handle.setopt(pycurl.CAPATH if trusted.is_dir() else pycurl.CAINFO, str(trusted))
        handle.setopt(pycurl.CONNECTTIMEOUT_MS, int(limits.connect_timeout_s * 1000))
        handle.setopt(pycurl.LOW_SPEED_LIMIT, limits.min_rate)
        handle.setopt(pycurl.LOW_SPEED_TIME, max(1, int(limits.rate_window_s)))
        handle.setopt(pycurl.MAXFILESIZE, most_bytes)
        return handle


def _headers(address: Address) -> Mapping[str, str]:
    """Return the request's headers, except those that libcurl adds when it signs."""
    if address.keys is not None:
        return {**PLAIN_HEADERS, "X-Amz-Security-Token": address.keys.token} if address.keys.token else PLAIN_HEADERS
    return {**PLAIN_HEADERS, **address.sign("GET", address.url, PLAIN_HEADERS)} if address.sign else PLAIN_HEADERS


def _answer(status: int, call: _Call) -> Answer | None:
    """Return the last answer of a call (interim ones precede it); None if there is none."""
    text = b"".join(call.header).decode("latin-1")
    first, *rest = text[text.rfind("\nHTTP/") + 1 :].split("\n")
    if not first.startswith("HTTP/"):
        return None
    headers: dict[str, str] = {}
    for name, colon, value in (line.partition(":") for line in rest):
        if colon:
            key, said = name.strip().lower(), value.strip()
            headers[key] = f"{headers[key]}, {said}" if key in headers else said
    return Answer(call.address, status, first.partition(" ")[2].strip(), headers, memoryview(b"".join(call.body)))
