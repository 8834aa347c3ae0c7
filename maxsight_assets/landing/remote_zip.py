"""A zip upstream, read by byte ranges: only its index and the wanted members cross the wire, none is on disk."""

import threading

from maxsight_assets.landing.client import Client
from maxsight_assets.landing.model import Probe, RemoteFile
from maxsight_assets.landing.zips import RangedZip


def readable(file: RemoteFile, probe: Probe) -> bool:
    """Whether upstream gives ranges of it, of a version that can be told from another."""
    known = probe.etag or probe.last_modified
    return bool(probe.ranges and probe.bytes and known and file.bytes in (None, probe.bytes))


class RemoteZip(RangedZip):
    """A zip upstream; see `archive.Archive`.

    Args:
        client: The way to it.
        file: The zip.
        probe: The version that is read.
    """

    def __init__(self, client: Client, file: RemoteFile, probe: Probe) -> None:
        def read(start: int, length: int, abort: threading.Event | None, /) -> memoryview:
            return client.read_view(file, start, length, probe=probe, abort=abort)

        limits = client.limits
        super().__init__(read, probe.bytes or 0, file.key, limits, workers=limits.connections, window=limits.part_bytes)
