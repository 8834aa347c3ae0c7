"""What `make` promises before anything is installed."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def test_a_python_that_does_not_fit_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "python3.10").write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.10.1\nexit 1\n', "utf-8")
    (tmp_path / "python3.10").chmod(0o755)
    for name in ("Makefile", "requirements.lock", "pyproject.toml", "dagster.yaml"):
        shutil.copy(REPOSITORY / name, tmp_path)

    done = subprocess.run(
        ["make", "-s", "run", f"PYTHON={tmp_path}/python3.10"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert said == [f"Python 3.11, 3.12 or 3.13 is needed, and {tmp_path}/python3.10 is Python 3.10.1; set PYTHON=..."]
    assert not (tmp_path / ".venv").exists()


def test_the_locks_name_no_address() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (REPOSITORY / name).read_text(encoding="utf-8")
        assert "://" not in text
        assert text.count("--hash=sha256:") > 100


@pytest.mark.slow
@pytest.mark.parametrize("read_only", [False, True])
def test_make_ui_serves_on_loopback_and_read_only_refuses_to_launch(read_only: bool, tmp_path: Path) -> None:
    from maxsight_assets_tests.servers import free_ports
    from maxsight_assets_tests.test_ui import START_S, answers, end, graphql, wait_for

    (port,) = free_ports(1)
    log = tmp_path / "ui.log"
    environment = {**os.environ, "DAGSTER_HOME": str(tmp_path / "home"), "DATA_DIR": str(tmp_path / "data")}
    command = ["make", "-s", "ui", f"PORT={port}", *(["READ_ONLY=1"] if read_only else [])]
    with log.open("wb") as stream:
        server = subprocess.Popen(
            command, cwd=REPOSITORY, env=environment, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}"), START_S, log)
        query = "{ canBulkTerminate permissions { permission value } }"
        permissions = graphql(f"http://127.0.0.1:{port}", query)["permissions"]
        allowed = {each["permission"]: each["value"] for each in permissions}  # type: ignore[attr-defined]
        assert allowed["launch_pipeline_execution"] is not read_only
    finally:
        end(server)
