"""What `make` promises before anything is installed."""

import os
import subprocess
from pathlib import Path

import pytest

from maxsight_assets_tests.places import REPOSITORY


@pytest.mark.parametrize("read_only", [False, True])
def test_make_ui_serves_on_loopback_and_read_only_refuses_to_launch(read_only: bool, tmp_path: Path) -> None:
    from maxsight_assets_tests.servers.processes import free_ports
    from maxsight_assets_tests.test_slow_ui import START_S, answers, end, graphql, wait_for

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
