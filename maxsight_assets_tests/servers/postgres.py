"""A PostgreSQL server of a test's own: on 127.0.0.1, in a temporary directory, as a user without rights."""

import contextlib
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import yaml

from maxsight_assets_tests.places import REPOSITORY
from maxsight_assets_tests.servers.processes import free_ports, wait_until

NAME = "maxsight"
PASSWORD = "canary-of-postgres"  # known to this machine alone, for as long as the test runs
USER = "postgres"
"""Who runs the server if root runs the tests: Debian's package makes this user."""


def programs() -> Path | None:
    """Where `initdb` and `postgres` are; Debian keeps them out of PATH."""
    found = shutil.which("initdb")
    places = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((place for place in reversed(places) if (place / "postgres").exists()), None)


PROGRAMS = programs()


@contextlib.contextmanager
def postgres() -> Iterator[dict[str, str]]:
    """A server that serves until the end of the block; yields the variables that docs/how-to/operate.md names."""
    assert PROGRAMS is not None
    user = USER if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="maxsight_postgres_") as made:
        root, data = Path(made), Path(made) / "data"
        (root / "password").write_text(PASSWORD, encoding="utf-8")
        if user is not None:
            owner = pwd.getpwnam(user)
            for path in (root, root / "password"):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        options = ["--auth=scram-sha-256", f"--pwfile={root / 'password'}", "--no-sync", "--encoding=UTF8"]
        subprocess.run(
            [PROGRAMS / "initdb", "-D", data, "-U", NAME, *options],
            check=True,
            cwd=root,
            user=user,
            stdout=subprocess.DEVNULL,
        )
        (port,) = free_ports(1)
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "port": str(port), "fsync": "off"}
        command = [PROGRAMS / "postgres", "-D", data, *(f"--{name}={value}" for name, value in settings.items())]
        with (root / "log").open("wb") as log:
            server = subprocess.Popen(command, cwd=root, user=user, stdout=log, stderr=log)
        try:
            wait_until(lambda: _answers(port) or server.poll() is not None, f"no PostgreSQL; see {root / 'log'}")
            assert server.poll() is None, (root / "log").read_text(encoding="utf-8")
            yield {
                "DAGSTER_PG_HOST": "127.0.0.1",
                "DAGSTER_PG_PORT": str(port),
                "DAGSTER_PG_USERNAME": NAME,
                "DAGSTER_PG_PASSWORD": PASSWORD,
                "DAGSTER_PG_DB": "postgres",
            }
        finally:
            server.send_signal(signal.SIGINT)  # its fast shutdown: clients are disconnected
            server.wait(30)


def configured() -> dict[str, object]:
    """The entry of dagster.yaml that docs/how-to/operate.md gives for such a server."""
    page = (REPOSITORY / "docs/how-to/operate.md").read_text(encoding="utf-8")
    found = re.search(r"```yaml\n(storage:\n.*?)```", page, re.DOTALL)
    assert found
    entry: dict[str, object] = yaml.safe_load(found[1])
    return entry


def _answers(port: int) -> bool:
    try:
        psycopg2.connect(host="127.0.0.1", port=port, user=NAME, password=PASSWORD, dbname="postgres").close()
    except psycopg2.OperationalError:
        return False
    return True
