"""Sync one condition in a process of its own, which kills itself once so many bytes have arrived."""

import os
import signal
import sys
from pathlib import Path

from maxsight_assets.checkpoints.sync import CheckpointSource, sync
from maxsight_assets.transport.client import Client
from maxsight_assets.transport.options import Limits
from maxsight_assets_tests.transport.test_places import signed

IN_PARTS = Limits(part_bytes=1 << 20, parallel_from=1 << 20, connections=1)
"""One range after the other, so that progress is reported while a file arrives."""


def main(endpoint: str, uri: str, checkpoints: str, kill_at: str) -> None:
    """Sync `amd`; a `kill_at` of 0 lets it end."""

    def progress(label: str, done_bytes: int, _: int | None) -> None:
        sys.stdout.write(f"{label} {done_bytes}\n")
        sys.stdout.flush()
        if 0 < int(kill_at) <= done_bytes:
            os.kill(os.getpid(), signal.SIGKILL)

    with Client(limits=IN_PARTS, credentials=signed(endpoint), progress=progress) as client:
        source = CheckpointSource(uri)
        sync("amd", source, source.files(client), client=client, checkpoints=Path(checkpoints))


if __name__ == "__main__":
    main(*sys.argv[1:])
