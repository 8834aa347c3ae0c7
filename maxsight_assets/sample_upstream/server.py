"""Serve the files of one directory over HTTP, on 127.0.0.1, at any free port, for the embedded upstream.

It answers as an object store does: strong entity tags of the content, `Last-Modified`, one byte range per request,
`If-Range`, `If-Match`, `If-None-Match`, HEAD and keep-alive. It does not depend on what the files hold.
"""

import hashlib
import io
import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

_CONTENT_TYPES = {
    ".csv": "text/csv",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".tar": "application/x-tar",
    ".zip": "application/zip",
}
_BYTE_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_IDLE_SECONDS = 60  # an idle kept-alive connection is closed after this time


@contextmanager
def serve(root: Path) -> Iterator[str]:
    """Serve the files under `root` until the block ends; then close every connection and join every thread.

    Args:
        root: Directory whose files are served; names that start with a dot are not.

    Yields:
        The base address without a trailing slash, such as `http://127.0.0.1:40213`.
    """
    server = _Server(root)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="sample-upstream")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.close()


class _Server(ThreadingHTTPServer):
    """One thread per connection; the open connections are listed, so that a stop need not wait for idle clients."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.root = root.resolve()
        self._tags: dict[tuple[int, int, int], str] = {}
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def close(self) -> None:
        """Close the open connections, then join the threads of all connections."""
        with self._lock:
            for connection in self._open:
                with suppress(OSError):  # the client has hung up already
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: a client may hang up."""

    def entity_tag(self, file: io.BufferedReader) -> str:
        """Return the strong tag of the open file: its md5 in quotes, as an object store gives for a plain upload."""
        stat = os.fstat(file.fileno())
        key = (stat.st_ino, stat.st_ctime_ns, stat.st_size)
        if key not in self._tags:
            self._tags[key] = f'"{hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()}"'
        return self._tags[key]


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"  # keep-alive
    server_version = "SampleUpstream"
    disable_nagle_algorithm = True  # small answers on a kept connection would wait for the peer's delayed ACK
    timeout = _IDLE_SECONDS

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class names it so)
        """Print nothing."""

    def _answer(self) -> None:
        path = self._file()
        if path is None:
            self._headers(HTTPStatus.NOT_FOUND, {"Content-Length": "0"})
            return
        with path.open("rb") as file:
            self._answer_file(path, file)

    def _file(self) -> Path | None:
        """Return the file that the request names; None if it is absent, hidden, a directory, or outside the root."""
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        if any(part.startswith(".") or "\0" in part for part in parts):
            return None
        path = self.server.root.joinpath(*parts)
        return path if path.is_file() and path.resolve().is_relative_to(self.server.root) else None

    def _answer_file(self, path: Path, file: io.BufferedReader) -> None:
        stat = os.fstat(file.fileno())
        tag = self.server.entity_tag(file)
        headers = {
            "ETag": tag,
            "Last-Modified": formatdate(stat.st_mtime, usegmt=True),
            "Accept-Ranges": "bytes",
            "Content-Type": _CONTENT_TYPES.get(path.suffix, "application/octet-stream"),
        }
        if not _names(self.headers.get("If-Match", "*"), tag):
            self._headers(HTTPStatus.PRECONDITION_FAILED, {"Content-Length": "0"})
            return
        if _names(self.headers.get("If-None-Match", ""), tag):
            self._headers(HTTPStatus.NOT_MODIFIED, {"ETag": tag})
            return
        validator = self.headers.get("If-Range")
        ranged = self.command == "GET" and validator in {None, tag, headers["Last-Modified"]}
        interval = byte_range(self.headers.get("Range", ""), stat.st_size) if ranged else None
        start, stop = interval or (0, stat.st_size)
        if interval and start >= stop:
            unsatisfied = {"Content-Range": f"bytes */{stat.st_size}", "Content-Length": "0"}
            self._headers(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, unsatisfied)
            return
        if interval:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{stat.st_size}"
        headers["Content-Length"] = str(stop - start)
        self._headers(HTTPStatus.PARTIAL_CONTENT if interval else HTTPStatus.OK, headers)
        if self.command == "GET" and stop > start:
            self.connection.sendfile(file, start, stop - start)

    def _headers(self, status: HTTPStatus, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


def byte_range(asked: str, size: int) -> tuple[int, int] | None:
    """Translate a `Range` header into `(start, stop)` offsets of a file of `size` bytes.

    Returns:
        Half-open offsets; an empty interval if the request cannot be satisfied. None if the header is not one valid
        byte range: it is ignored (RFC 9110, 14.2), and the answer is the whole file.
    """
    match = _BYTE_RANGE.fullmatch(asked.strip())
    first, last = match.groups() if match else ("", "")
    if first and last and int(last) < int(first):
        return None
    if first:
        return int(first), min(int(last) + 1, size) if last else size
    if last:
        return max(0, size - int(last)), size
    return None


def _names(condition: str, tag: str) -> bool:
    """Return whether an `If-Match` or `If-None-Match` list names the tag."""
    return condition.strip() == "*" or tag in (part.strip() for part in condition.split(","))
