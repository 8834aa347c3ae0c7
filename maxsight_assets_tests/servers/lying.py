"""An HTTP server whose answers the test scripts: each fault of upstream as a value."""

import asyncio
import contextlib
import gzip
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

LAST_MODIFIED = "Wed, 21 Oct 2015 07:28:00 GMT"


@dataclass
class Object:
    """What the lying server has at one path."""

    data: bytes
    etag: str | None = '"v1"'
    last_modified: str | None = LAST_MODIFIED
    ranges: bool = True
    faults: list["Fault"] = field(default_factory=list)


@dataclass
class Request:
    """One request as it came, and when (`time.monotonic`); header names are lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    at: float = field(default_factory=time.monotonic)

    @property
    def range(self) -> str | None:
        return self.headers.get("range")


class Call:
    """One request and the means to answer it."""

    def __init__(self, request: Request, found: Object, writer: asyncio.StreamWriter) -> None:
        self.request = request
        self.object = found
        self._writer = writer
        self.hang_up = False

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def head(self, status: str, headers: Mapping[str, str]) -> None:
        lines = [f"HTTP/1.1 {status}", *(f"{key}: {value}" for key, value in headers.items()), "", ""]
        await self.send("\r\n".join(lines).encode("latin-1"))

    def reset(self) -> None:
        """Break the connection the hard way."""
        self.hang_up = True
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    def facts(self) -> dict[str, str]:
        headers = {"Content-Type": "application/octet-stream"}
        if self.object.etag:
            headers["ETag"] = self.object.etag
        if self.object.last_modified:
            headers["Last-Modified"] = self.object.last_modified
        if self.object.ranges:
            headers["Accept-Ranges"] = "bytes"
        return headers

    def part(self) -> tuple[int, int] | None:
        """The asked range as [start, end), where it is to be honoured."""
        asked, total = self.request.range, len(self.object.data)
        condition = self.request.headers.get("if-range")
        if not asked or not self.object.ranges:
            return None
        if condition and condition not in (self.object.etag, self.object.last_modified):
            return None
        first, _, last = asked.removeprefix("bytes=").partition("-")
        return int(first), min(int(last) + 1 if last else total, total)

    def answer(self) -> tuple[str, dict[str, str], bytes]:
        """The honest answer."""
        headers, data = self.facts(), self.object.data
        matched = self.request.headers.get("if-match")
        if matched and matched != self.object.etag:
            return "412 Precondition Failed", {"Content-Length": "0"}, b""
        part = self.part()
        if part is None:
            return "200 OK", headers | {"Content-Length": str(len(data))}, data
        start, end = part
        if start >= len(data):
            return "416 Range Not Satisfiable", {"Content-Range": f"bytes */{len(data)}", "Content-Length": "0"}, b""
        headers |= {"Content-Length": str(end - start), "Content-Range": f"bytes {start}-{end - 1}/{len(data)}"}
        return "206 Partial Content", headers, data[start:end]


Fault = Callable[[Call], Awaitable[None]]


async def honest(call: Call) -> None:
    status, headers, body = call.answer()
    await call.head(status, headers)
    if call.request.method != "HEAD":
        await call.send(body)


def status(line: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Fault:
    """Answer with this status."""

    async def fault(call: Call) -> None:
        await call.head(line, {"Content-Length": str(len(body)), **(headers or {})})
        await call.send(body)

    return fault


def redirect(target: str) -> Fault:
    return status("302 Found", {"Location": target})


def cut(after: int, *, reset: bool = False) -> Fault:
    """State the whole length, send `after` bytes of it, and hang up or reset."""

    async def fault(call: Call) -> None:
        line, headers, body = call.answer()
        await call.head(line, headers)
        await call.send(body[:after])
        await asyncio.sleep(0.05 if reset else 0)  # let the bytes leave before the reset drops them
        call.hang_up = True
        if reset:
            call.reset()

    return fault


def chunked(after: int | None = None) -> Fault:
    """Send the body in chunks with no length; with `after`, break off inside a chunk."""

    async def fault(call: Call) -> None:
        line, headers, body = call.answer()
        headers.pop("Content-Length")
        await call.head(line, headers | {"Transfer-Encoding": "chunked"})
        sent = body if after is None else body[:after]
        for at in range(0, len(sent), 50_000):
            piece = sent[at : at + 50_000]
            await call.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        if after is None:
            await call.send(b"0\r\n\r\n")
        else:
            await call.send(b"ffff\r\n" + body[after : after + 5])
            call.hang_up = True

    return fault


def unannounced(after: int | None = None) -> Fault:
    """Neither length nor chunks: the end of the connection is the end of the body."""

    async def fault(call: Call) -> None:
        _, headers, body = call.answer()
        headers.pop("Content-Length")
        await call.head("200 OK", headers | {"Connection": "close"})
        await call.send(body if after is None else body[:after])
        call.hang_up = True

    return fault


def edited(
    change: Callable[[str, dict[str, str], bytes], tuple[str, dict[str, str], bytes]], *, hang_up: bool = False
) -> Fault:
    """The honest answer, changed; with `hang_up`, the connection ends with it."""

    async def fault(call: Call) -> None:
        line, headers, body = change(*call.answer())
        await call.head(line, headers)
        await call.send(body)
        call.hang_up = hang_up

    return fault


def with_headers(**headers: str) -> Fault:
    """The honest answer with other headers; `_` stands for `-`."""
    plain = {key.replace("_", "-"): value for key, value in headers.items()}
    return edited(lambda line, honest_headers, body: (line, honest_headers | plain, body))


def range_ignored() -> Fault:
    async def fault(call: Call) -> None:
        call.object.ranges, before = False, call.object.ranges
        line, headers, body = call.answer()
        call.object.ranges = before
        await call.head(line, headers)
        await call.send(body)

    return fault


def flipped() -> Fault:
    """One bit of the middle of the body is another."""

    def change(line: str, headers: dict[str, str], body: bytes) -> tuple[str, dict[str, str], bytes]:
        at = len(body) // 2
        return line, headers, body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]

    return edited(change)


def zipped() -> Fault:
    """Content-Encoding gzip, asked for or not."""

    def change(_: str, headers: dict[str, str], body: bytes) -> tuple[str, dict[str, str], bytes]:
        packed = gzip.compress(body, mtime=0)
        return "200 OK", headers | {"Content-Encoding": "gzip", "Content-Length": str(len(packed))}, packed

    return edited(change)


def dripping(every_s: float = 0.2) -> Fault:
    """The header at once, then one byte at a time, for ever."""

    async def fault(call: Call) -> None:
        line, headers, body = call.answer()
        await call.head(line, headers)
        for at in range(len(body)):
            await call.send(body[at : at + 1])
            await asyncio.sleep(every_s)

    return fault


def silent() -> Fault:
    """No answer, for ever."""

    async def fault(_: Call) -> None:
        await asyncio.sleep(3600)

    return fault


def beyond(start: int, then: Fault) -> Fault:
    """`then` for a range that begins there or later; the rest, and the whole object, is answered honestly."""

    async def fault(call: Call) -> None:
        part = call.part()
        await (honest if part is None or part[0] < start else then)(call)

    return fault


def after(ready: Callable[[], bool], then: Fault = honest) -> Fault:
    """`then`, as soon as something holds."""

    async def fault(call: Call) -> None:
        while not ready():
            await asyncio.sleep(0.02)
        await then(call)

    return fault


def cancelling(cancel: threading.Event, hindrance: Fault) -> Fault:
    """The hindrance, and half a second after its begin, when the client is held up by it, the event."""

    async def fault(call: Call) -> None:
        asyncio.get_running_loop().call_later(0.5, cancel.set)
        await hindrance(call)

    return fault


def becomes(data: bytes, etag: str, then: Fault = honest) -> Fault:
    """Upstream publishes another version, and answers with it."""

    async def fault(call: Call) -> None:
        call.object.data, call.object.etag = data, etag
        await then(call)

    return fault


class LyingServer:
    """An HTTP/1.1 server whose answers a test scripts; a context manager.

    Attributes:
        requests: What came, in order.
        host: "host:port".
    """

    def __init__(self, address: str = "127.0.0.1", *, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self._tls = tls
        self._objects: dict[str, Object] = {}
        self._address = address
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self.host = ""

    def __enter__(self) -> "LyingServer":
        self._thread.start()
        assert self._ready.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def publish(
        self,
        path: str,
        data: bytes,
        *faults: Fault,
        etag: str | None = '"v1"',
        last_modified: str | None = LAST_MODIFIED,
        ranges: bool = True,
    ) -> str:
        """Put an object at a path; the n-th request (HEAD too) meets the n-th fault, later ones an honest answer."""
        self._objects["/" + path] = Object(data, etag, last_modified, ranges, list(faults))
        return self.url(path)

    def url(self, path: str) -> str:
        return f"{'https' if self._tls else 'http'}://{self.host}/{path}"

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connection, self._address, 0, ssl=self._tls)
        name = server.sockets[0].getsockname()
        self.host = f"{name[0]}:{name[1]}"
        self._ready.set()
        await self._stop.wait()
        server.close()
        for _ in range(5):  # a connection that was just accepted has no task that would close it before its first turns
            await asyncio.sleep(0)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            hang_up = False
            while not hang_up:
                lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, target, _ = lines[0].split(" ")
                pairs = (line.partition(":") for line in lines[1:] if line)
                headers = {key.strip().lower(): value.strip() for key, _, value in pairs}
                hang_up = await self._answer(Request(method, target, headers), writer)
        with contextlib.suppress(OSError, RuntimeError):
            writer.close()

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        self.requests.append(request)
        parts = urlsplit(request.path)  # with a host in it where the client takes this server for a proxy
        found = self._objects.get(request.path) or self._objects.get(parts.path)
        if found is None:
            call = Call(request, Object(b""), writer)
            await status("404 Not Found")(call)
            return call.hang_up
        call = Call(request, found, writer)
        await (found.faults.pop(0) if found.faults else honest)(call)
        return call.hang_up
