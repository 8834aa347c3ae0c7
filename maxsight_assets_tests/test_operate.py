"""What docs/how-to/operate.md tells a user to configure, used as it is written there."""

import base64
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from maxsight_assets_tests.places import REPOSITORY
from maxsight_assets_tests.servers.processes import program, running
from maxsight_assets_tests.transport.net_tools import certificate

PAGE = REPOSITORY / "docs/how-to/operate.md"
NAME = "datasets.example.com"
LOGIN = {"Authorization": f"Basic {base64.b64encode(b'you:canary').decode()}"}


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of the documented proxy, before a web server that answers every request."""
    nginx = program("nginx")
    if nginx is None:
        pytest.skip("nginx is not installed")
    root = tmp_path_factory.mktemp("proxy")
    chain, _ = certificate(root)
    (root / "passwords").write_text("you:{PLAIN}canary\n", encoding="utf-8")
    found = re.search(r"```nginx\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answering) as ui:
        thread = threading.Thread(target=lambda: ui.serve_forever(poll_interval=0.02))
        thread.start()

        def command(ports: list[int]) -> list[str]:
            stated = found[1].replace("listen 443", f"listen 127.0.0.1:{ports[0]}")
            stated = re.sub(r"/etc/ssl/datasets\.(pem|key)", str(chain), stated)
            stated = stated.replace("/etc/nginx/maxsight.htpasswd;", f"{root}/passwords;")
            stated = stated.replace("127.0.0.1:3000", f"127.0.0.1:{ui.server_port}")
            kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
            temporary = "".join(f"{kind}_temp_path {root}/{kind};" for kind in kinds)
            (root / "nginx.conf").write_text(
                f"daemon off; master_process off; pid {root}/pid; error_log {root}/error.log;\n"
                f"events {{}} http {{ access_log off; {temporary}\n{stated} }}",
                encoding="utf-8",
            )
            return [nginx, "-c", str(root / "nginx.conf"), "-p", str(root)]

        try:
            with running(command, root / "out.log") as host:
                yield int(host.rpartition(":")[2])
        finally:
            ui.shutdown()
            thread.join()


class _Answering(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200, self.headers["Host"])
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def status(port: int, path: str = "/", *, name: str = NAME, **headers: str) -> int:
    """The status of an answer by TLS to a client that means the server by a name."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    lines = [f"GET {path} HTTP/1.1", f"Host: {name}", "Connection: close"]
    lines += [f"{header.replace('_', '-')}: {value}" for header, value in headers.items()]
    with (
        socket.create_connection(("127.0.0.1", port), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname=name) as stream,
    ):
        stream.sendall("\r\n".join([*lines, "", ""]).encode())
        return int(stream.makefile("rb").readline().split()[1])


def test_the_proxy_wants_a_login_and_its_own_name(proxy: int) -> None:
    assert status(proxy) == 401
    assert status(proxy, **LOGIN) == 200
    with pytest.raises(ssl.SSLError):
        status(proxy, name="rebound.example.net", **LOGIN)


def test_the_proxy_lets_no_page_of_another_site_start_a_run(proxy: int) -> None:
    assert status(proxy, "/graphql?query=mutation", **LOGIN, Sec_Fetch_Site="cross-site") == 403
    assert status(proxy, "/graphql", **LOGIN, Sec_Fetch_Site="same-site") == 403
    assert status(proxy, "/graphql", **LOGIN, Sec_Fetch_Site="same-origin") == 200
    assert status(proxy, "/runs/1", **LOGIN, Sec_Fetch_Site="cross-site") == 200, "a link from the chat"


def test_the_services_start_programs_that_are_installed() -> None:
    commands = re.findall(r"ExecStart=\S+/bin/(\S+)", PAGE.read_text(encoding="utf-8"))

    assert commands == ["dagster-daemon", "dagster-webserver"]
    assert all(program(command) for command in commands)
