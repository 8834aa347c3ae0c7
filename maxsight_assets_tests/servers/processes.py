"""Programs that serve on loopback while a test runs: nginx, S3 servers, a slow line."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

STARTS = 3


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
