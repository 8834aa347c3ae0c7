"""One HTTP exchange under our own rules: each redirect vetted, headers dropped across hosts, every answer judged.

Built on urllib3, for two reasons. A client that follows redirects by itself cannot keep these rules, and requests is
slower on small objects (docs/benchmarks.md). The caller retries, resumes and hashes (`transport.transfer`).
"""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from urllib.parse import urljoin, urlsplit

import urllib3

from maxsight_assets.errors import Cancelled, LandingError
from maxsight_assets.remote import Probe, strong
from maxsight_assets.transport.address import Address
from maxsight_assets.transport.answers import REFUSED, Head, judge_answer
from maxsight_assets.transport.guard import PORTS, Guard, origin_of
from maxsight_assets.transport.headers import linked_sha256
from maxsight_assets.transport.options import Limits
from maxsight_assets.transport.pools import Pool, new_pool, proxy_of
from maxsight_assets.transport.redact import scrub, scrub_url
from maxsight_assets.transport.reply import CHUNK_BYTES, Again, Ask
from maxsight_assets.transport.watch import Exchange, Watch

REDIRECTS = frozenset({301, 302, 303, 307, 308})

REASON_BYTES = 4096
"""How much of a refusal's body is read, for its reason."""

PLAIN_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "maxsight-assets", "Accept": "*/*"}


class HttpReply:
    """A vetted answer whose body has not been read yet; see `reply.Reply`."""

    def __init__(
        self,
        answer: urllib3.BaseHTTPResponse,
        exchange: Exchange,
        watch: Watch,
        *,
        head: Head,
        published_sha256: str | None,
    ) -> None:
        self._answer = answer
        self._exchange = exchange
        self._watch = watch
        self.start = head.start
        self.length = head.length
        self.probe = head.probe
        self.encoded = head.encoded
        self.published_sha256 = published_sha256

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it arrives; decoded if the server encoded it unasked."""
        received = 0
        while True:
            self._exchange.reading()
            try:
                data: bytes = self._answer.read1(CHUNK_BYTES, decode_content=self.encoded)
            except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:  # ValueError: TLS was closed
                raise self._ended(error) from None
            self._exchange.read(len(data))
            if self._exchange.verdict:  # its socket is shut: what arrives now cannot be trusted
                raise self._ended(None)
            if not data:
                break
            received += len(data)
            yield data
        if self.length is not None and not self.encoded and received != self.length:
            raise Again(f"the body ended after {received:,} of {self.length:,} bytes")

    def close(self) -> None:
        """Return the connection to the pool if the body was read to its end, else close it."""
        self._watch.end(self._exchange)
        _leave(self._answer)

    def _ended(self, error: Exception | None) -> Exception:
        return _ended(self._exchange, error)


def _ended(exchange: Exchange, error: Exception | None) -> Exception:
    if exchange.cancelled:
        return Cancelled.of()
    return Again(exchange.verdict or scrub(error))


class Http:
    """Exchanges with http(s) servers; thread-safe.

    Args:
        limits: Time, size and hop bounds.
        guard: Vets every address.
        watch: Ends slow and cancelled exchanges.
        connections: Idle connections that are kept for a host.
    """

    def __init__(self, limits: Limits, guard: Guard, watch: Watch, *, connections: int = 64) -> None:
        self._limits = limits
        self._guard = guard
        self._watch = watch
        self._connections = connections
        self._pools: dict[str, Pool] = {}
        self._lock = threading.Lock()
        self._final: dict[str, str] = {}
        self._direct: dict[str, bool] = {}

    def close(self) -> None:
        """Close idle connections."""
        for pool in self._pools.values():
            pool.clear() if isinstance(pool, urllib3.ProxyManager) else pool.close()

    def is_direct(self, url: str) -> bool:
        """Return whether the environment names no proxy for an address.

        Raises:
            Forbidden: The address must not be contacted.
        """
        self._guard.check(url)
        origin = origin_of(url)
        if origin not in self._direct:
            self._direct[origin] = proxy_of(url) is None
        return self._direct[origin]

    def open(self, address: Address, ask: Ask, *, method: str = "GET", shortcut: bool = False) -> HttpReply:
        """Ask for an object and judge the answer's header.

        Args:
            address: Where the object is.
            ask: Which part of which version.
            method: `GET` or `HEAD`.
            shortcut: Go straight to where an earlier request was redirected; if that is refused, ask anew once.

        Raises:
            Again, VersionChanged, WrongRange, PastEnd, Absent: See there.
            LandingError: A forbidden redirect, a certificate error, or an answer that makes no sense.
        """
        headers = dict(PLAIN_HEADERS)
        if ask.ranged:
            headers["Range"] = ask.header()
        if ask.since is not None:
            headers.update(_conditions(ask.since, if_match=address.if_match))
        exchange = self._watch.begin(ask.abort)
        try:
            known = self._final.get(address.url) if shortcut else None
            answer, published = self._follow(address, headers, method, exchange, known)
            if known and answer.status in REFUSED:  # a presigned address that has expired
                _leave(answer)
                answer, published = self._follow(address, headers, method, exchange, None)
            exchange.headers_arrived()
            try:
                return self._judge(answer, address, ask, exchange, published)
            except BaseException:
                _leave(answer)
                raise
        except BaseException:
            self._watch.end(exchange)
            raise

    def _follow(
        self, address: Address, headers: Mapping[str, str], method: str, exchange: Exchange, known: str | None
    ) -> tuple[urllib3.BaseHTTPResponse, str | None]:
        """Return the answer after at most `max_redirects` vetted hops, and the digest that a hop stated."""
        url = known or address.url
        published = None
        self._guard.check(url)
        for _ in range(self._limits.max_redirects + 1):
            sent = dict(headers)
            if address.sign and origin_of(url) == origin_of(address.url):
                sent.update(address.sign(method, url, sent))
            answer = self._send(method, url, sent, exchange)
            published = published or linked_sha256(answer.headers)
            target = answer.headers.get("Location")
            if answer.status not in REDIRECTS or not target:
                if url != address.url:
                    self._final[address.url] = url
                return answer, published
            _leave(answer)
            target = _joined(url, target)
            self._guard.check_hop(url, target)
            url = target
        raise LandingError(
            f"{scrub_url(address.url)}: more than {self._limits.max_redirects} redirects; {address.remedy}"
        )

    def _send(self, method: str, url: str, headers: Mapping[str, str], exchange: Exchange) -> urllib3.BaseHTTPResponse:
        timeout = urllib3.Timeout(connect=self._limits.connect_timeout_s, read=self._limits.header_timeout_s)
        exchange.detach()
        try:
            pool, target = self._pool(url)
            with self._watch.sending(exchange):
                return pool.urlopen(
                    method,
                    target,
                    headers=headers,
                    timeout=timeout,
                    retries=False,
                    redirect=False,
                    assert_same_host=False,
                    preload_content=False,
                )
        except urllib3.exceptions.SSLError as error:
            if exchange.verdict:
                raise _ended(exchange, None) from None
            raise _tls_fault(url, error) from None
        except (urllib3.exceptions.LocationValueError, ValueError) as error:
            if exchange.verdict:
                raise _ended(exchange, None) from None
            raise LandingError(f"{scrub_url(url)}: {scrub(error)}") from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _ended(exchange, error) from None

    def _pool(self, url: str) -> tuple[Pool, str]:
        """Return the connections that lead to an address, and the target to request on them.

        They go through the proxy that the environment names for the host, if any.
        """
        origin, parts = origin_of(url), urlsplit(url)
        with self._lock:
            if origin not in self._pools:
                self._pools[origin] = new_pool(url, self._guard, self._watch, most_idle=self._connections)
            pool = self._pools[origin]
        if isinstance(pool, urllib3.ProxyManager):
            with contextlib.suppress(OSError):  # the proxy may resolve a name that we cannot
                self._guard.resolve(parts.hostname or "", parts.port or PORTS[parts.scheme])
            return pool, url
        return pool, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def _judge(
        self, answer: urllib3.BaseHTTPResponse, address: Address, ask: Ask, exchange: Exchange, published: str | None
    ) -> HttpReply:
        said = f"{answer.status} {answer.reason or ''}".strip()
        head = judge_answer(
            answer.status, said, answer.headers, address=address, ask=ask, body=lambda: _error_body(answer)
        )
        stated = max(head.probe.bytes or 0, head.length or 0)
        if stated > self._limits.max_bytes:
            raise LandingError(
                f"{scrub_url(address.url)}: {stated:,} bytes, more than the {self._limits.max_bytes:,} allowed"
            )
        return HttpReply(answer, exchange, self._watch, head=head, published_sha256=published)


def _joined(url: str, target: str) -> str:
    """Return the address that a redirect leads to."""
    try:
        return urljoin(url, target)
    except ValueError:
        raise LandingError(f"{scrub_url(url)} redirects to something that is no address") from None


def _conditions(since: Probe, *, if_match: bool) -> dict[str, str]:
    etag = strong(since)
    if etag is None:
        return {"If-Range": since.last_modified} if since.last_modified else {}
    return {"If-Match": etag} if if_match else {"If-Range": etag}


def _leave(answer: urllib3.BaseHTTPResponse) -> None:
    """Give the connection back if the body was read, else close it."""
    answer.close()
    answer.release_conn()


def _error_body(answer: urllib3.BaseHTTPResponse) -> bytes:
    with contextlib.suppress(urllib3.exceptions.HTTPError, OSError, ValueError):
        return bytes(answer.read(REASON_BYTES))
    return b""


def _tls_fault(url: str, error: Exception) -> Exception:
    text = scrub(error)
    if "CERTIFICATE_VERIFY_FAILED" in text or "certificate" in text.lower() or "WRONG_VERSION" in text:
        return LandingError(
            f"{scrub_url(url)}: the server's certificate cannot be trusted ({text}); nothing was fetched. "
            "Certificates of your own go into REQUESTS_CA_BUNDLE"
        )
    return Again(text)
