"""A sync from a real S3 server that is killed goes on where it stopped."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from maxsight_assets.checkpoints import soundness
from maxsight_assets.publishing.stage import recovered_manifest
from maxsight_assets.transport.partial import CHECKPOINT_BYTES
from maxsight_assets_tests.checkpoints.made import checkpoint
from maxsight_assets_tests.places import REPOSITORY
from maxsight_assets_tests.servers import processes
from maxsight_assets_tests.servers.processes import SlowLine
from maxsight_assets_tests.transport.net_tools import some_bytes
from maxsight_assets_tests.transport.test_places import KEYS, s3_client

SIZE = 3 * CHECKPOINT_BYTES


def test_a_sync_that_is_killed_resumes_and_publishes_whole(tmp_path: Path) -> None:
    if not processes.program("moto_server"):
        pytest.skip("moto_server is not installed")
    data = checkpoint(some_bytes(SIZE))
    with (
        processes.moto(tmp_path / "moto") as endpoint,
        SlowLine(endpoint.removeprefix("http://"), delay_s=0.05) as line,
    ):
        store: Any = s3_client(endpoint, KEYS)
        store.create_bucket(Bucket="models")
        store.put_object(Bucket="models", Key="checkpoints_amd/best_model.pt", Body=data)

        def sync(*, kill_at: int) -> tuple[int, list[int]]:
            words = [f"http://{line.host}", "s3://models", str(tmp_path / "checkpoints"), str(kill_at)]
            module = "maxsight_assets_tests.checkpoints.victim"
            command = [sys.executable, "-m", module, *words]
            ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False)
            return ended.returncode, [int(row.split()[-1]) for row in ended.stdout.splitlines()]

        killed, _ = sync(kill_at=2 * CHECKPOINT_BYTES)
        nothing_yet = recovered_manifest(tmp_path / "checkpoints/checkpoints_amd")
        ended, arrived = sync(kill_at=0)

    assert killed == -signal.SIGKILL
    assert nothing_yet is None
    assert ended == 0
    assert arrived[0] > CHECKPOINT_BYTES  # what had arrived before the kill was not fetched again
    path = tmp_path / "checkpoints/checkpoints_amd/best_model.pt"
    assert path.read_bytes() == data
    assert soundness.problem(path) is None
