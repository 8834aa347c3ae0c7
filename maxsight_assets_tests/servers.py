"""Real servers on free loopback ports, for tests and benchmarks: one that lies, nginx, SeaweedFS, moto, a slow line.

`LyingServer` answers honestly unless a request finds a fault scripted for it; the others are the installed programs.
"""

import asyncio
import contextlib
import gzip
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

STARTS = 3
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


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses now, no two the same."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


def wait_until(ready: Callable[[], bool], what: str, deadline_s: float = 180.0) -> None:
    """Poll until something holds."""
    end = time.monotonic() + deadline_s
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.02)


def answers(url: str) -> bool:
    """Whether a server answers there at all."""
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False


@contextlib.contextmanager
def running(command: Callable[[list[int]], list[str]], log: Path, *, ports: int = 1, path: str = "/") -> Iterator[str]:
    """A program that serves until the end of the block.

    Args:
        command: How it is called, given free ports; where it ends early it is called with others, as another program
            may take one of them before it does.
        log: Where its output goes.
        ports: How many it needs; it serves on the first.
        path: What it answers when it is ready.

    Yields:
        "host:port".
    """
    for _ in range(STARTS):
        chosen = free_ports(ports)
        host = f"127.0.0.1:{chosen[0]}"
        with started(command(chosen), f"http://{host}{path}", log) as ready:
            if ready:
                yield host
                return
    raise RuntimeError(f"it ended: {log.read_text(encoding='utf-8', errors='replace')[-2000:]}")


@contextlib.contextmanager
def started(command: list[str], url: str, log: Path) -> Iterator[bool]:
    """A program that serves `url` until the end of the block; False where it has ended by itself instead."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: answers(url) or process.poll() is not None, f"{command[0]} does not answer; see {log}")
        yield process.poll() is None
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):  # SeaweedFS waits for its clients to leave
            process.wait(3)
        process.kill()
        process.wait(60)


def program(name: str) -> str | None:
    """Path of an installed program, beside the interpreter first."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name, path=None) or shutil.which(name, path="/usr/sbin")


@contextlib.contextmanager
def nginx(root: Path, work: Path, *, limit_rate: str = "0") -> Iterator[str]:
    """Serve a directory by nginx.

    Args:
        root: The directory.
        work: Where its configuration and logs go.
        limit_rate: Bytes a second for each connection, for instance `40m`; `0` is unlimited.

    Yields:
        "host:port".
    """
    executable = program("nginx")
    if executable is None:
        raise FileNotFoundError("nginx")
    work.mkdir(parents=True, exist_ok=True)
    (work / "access.log").unlink(missing_ok=True)
    config = work / "nginx.conf"
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {work}/{kind};" for kind in kinds)

    def command(ports: list[int]) -> list[str]:
        config.write_text(
            f"daemon off; master_process off; worker_processes 1; pid {work}/pid; error_log {work}/error.log;"
            "events { worker_connections 512; }"
            f"http {{ access_log {work}/access.log; {temporary} sendfile on; tcp_nopush on; keepalive_requests 1000000;"
            f"server {{ listen 127.0.0.1:{ports[0]}; root {root}; limit_rate {limit_rate}; }} }}",
            encoding="utf-8",
        )
        return [executable, "-c", str(config), "-p", str(work)]

    with running(command, work / "out.log") as host:
        yield host


@contextlib.contextmanager
def seaweed(work: Path, *, keys: tuple[str, str] | None = None) -> Iterator[str]:
    """A SeaweedFS with its S3 gateway.

    Args:
        work: Where its data go.
        keys: Access key and secret that it wants; None: everyone may do everything.

    Yields:
        The S3 endpoint's address.
    """
    executable = program("weed")
    if executable is None:
        raise FileNotFoundError("weed")
    work.mkdir(parents=True, exist_ok=True)
    flags = ["-s3.port.iceberg=0", "-s3.port.lance=0"]  # else fixed ports, so that two servers collide
    if keys:
        known = [{"accessKey": keys[0], "secretKey": keys[1]}]
        identity = {"name": "tests", "credentials": known, "actions": ["Admin"]}
        config = work / "s3.json"
        config.write_text(json.dumps({"identities": [identity]}), encoding="utf-8")
        flags.append(f"-s3.config={config}")
    flags += [f"-dir={work}", "-ip=127.0.0.1", "-s3", "-volume.max=20", "-master.volumeSizeLimitMB=1024"]
    names = [f"{part}.port{kind}" for part in ("s3", "filer", "master", "volume") for kind in ("", ".grpc")]
    filers: list[int] = []

    def command(ports: list[int]) -> list[str]:
        filers.append(ports[names.index("filer.port")])
        return [executable, "server", *flags, *(f"-{name}={port}" for name, port in zip(names, ports, strict=True))]

    with running(command, work / "out.log", ports=len(names)) as host:
        probe = f"http://127.0.0.1:{filers[-1]}/probe"
        wait_until(lambda: stores(probe), "SeaweedFS takes no files")
        yield f"http://{host}"


def stores(url: str) -> bool:
    """Whether a server takes a file, and takes it away again."""
    try:
        for request in (
            urllib.request.Request(url, b"probe", method="PUT"),
            urllib.request.Request(url, method="DELETE"),
        ):
            with urllib.request.urlopen(request, timeout=60):
                pass
    except OSError:
        return False
    return True


@contextlib.contextmanager
def moto(work: Path) -> Iterator[str]:
    """A moto server, a light S3; yields its address."""
    executable = program("moto_server")
    if executable is None:
        raise FileNotFoundError("moto_server")
    work.mkdir(parents=True, exist_ok=True)

    def command(ports: list[int]) -> list[str]:
        return [executable, "-H", "127.0.0.1", "-p", str(ports[0])]

    with running(command, work / "out.log", path="/moto-api/") as host:
        yield f"http://{host}"


class SlowLine:
    """A loopback proxy that delays every piece that a client sends: a line with a round trip; a context manager.

    Answers are spliced by the kernel, so that the line itself costs next to nothing in a benchmark.
    """

    def __init__(self, target: str, *, delay_s: float) -> None:
        self._target = target
        self._delay_s = delay_s
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.host = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> "SlowLine":
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # ends accept
        self._listener.close()

    def _serve(self) -> None:
        host, _, port = self._target.partition(":")
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection((host, int(port)))
                for pump in (self._ask, self._answer):
                    threading.Thread(target=pump, args=(near, far), daemon=True).start()

    def _ask(self, near: socket.socket, far: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := near.recv(1 << 16):
                time.sleep(self._delay_s)
                far.sendall(data)
            far.shutdown(socket.SHUT_WR)

    @staticmethod
    def _answer(near: socket.socket, far: socket.socket) -> None:
        read, write = os.pipe()
        with near, far, contextlib.suppress(OSError):
            while count := os.splice(far.fileno(), write, 1 << 20):
                while count:
                    count -= os.splice(read, near.fileno(), count)
            near.shutdown(socket.SHUT_RDWR)
        os.close(read)
        os.close(write)
