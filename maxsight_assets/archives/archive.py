"""Remote and local archives behind one interface: lists their members and extracts them safely.

`archives.zips` reads the zip format, `archives.remote_zip` the ranges of a zip upstream, `archives.tars` tars.
"""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from maxsight_assets.archives import remote_zip, tars, zips
from maxsight_assets.archives.members import Member, OnMember
from maxsight_assets.errors import LandingError
from maxsight_assets.remote import RemoteFile
from maxsight_assets.transport.client import Client
from maxsight_assets.transport.options import Limits

__all__ = ["Archive", "Member", "OnMember", "open_archive", "open_local"]

DEFAULT_LIMITS = Limits()


class Archive(Protocol):
    """An archive whose index has been read and found safe.

    Attributes:
        members: Its regular files by full name, in archive order.
        index_sha256: Digest of a zip's central directory; None for a tar, which has none.
    """

    members: Mapping[str, Member]
    index_sha256: str | None

    def extract(self, wanted: Mapping[str, Path], on_member: OnMember) -> None:
        """Write members to paths.

        Args:
            wanted: Path to write, by member name; parent directories are made.
            on_member: Called with each whole member: size and CRC-32 checked, sha256 computed. After a kill, the caller
                may use only the files that it was called with: the last ones may be incomplete.

        Raises:
            KeyError: The archive does not hold a name.
            UnsafeArchive: The archive is a bomb, or its entries overlap.
            VerificationFailed: A member's size or CRC-32 is not what the archive states, or the archive is cut short.
            TransientError, Cancelled, LandingError: As `Client.download`, for an archive that is read from upstream.
        """


@contextlib.contextmanager
def open_archive(client: Client, file: RemoteFile, *, downloads: Path) -> Iterator[Archive]:
    """Open an archive upstream: a zip by byte ranges if the server gives them, else after a download.

    Args:
        client: Connects to upstream.
        file: The archive; its key ends in .zip, .tar, .tar.gz or .tgz.
        downloads: Directory for an archive that must be downloaded; the caller removes it.

    Raises:
        UnsafeArchive, VerificationFailed, TransientError, Cancelled, LandingError: See `Archive.extract`.
    """
    if file.key.lower().endswith(".zip"):
        probe = client.probe(file)
        if remote_zip.readable(file, probe):
            yield remote_zip.RemoteZip(client, file, probe)
            return
    path = downloads / file.key.replace("/", "_")
    client.download(file, path)
    with open_local(path, limits=client.limits) as archive:
        yield archive


@contextlib.contextmanager
def open_local(path: Path, *, limits: Limits = DEFAULT_LIMITS) -> Iterator[Archive]:
    """Open a zip, tar or tar.gz of this machine.

    Args:
        path: The archive; its suffix states its format.
        limits: Bounds of entries, size and ratio.

    Raises:
        UnsafeArchive: It holds a path out of its directory, a link, a device, a setuid file, duplicate or overlapping
            entries, or too much.
        VerificationFailed: It is damaged or cut short.
        LandingError: It is no archive of these kinds.
    """
    lower = path.name.lower()
    if lower.endswith(".zip"):
        with path.open("rb") as handle:
            lock = threading.Lock()

            def read(start: int, length: int, _abort: threading.Event | None, /) -> bytes:
                with lock:
                    handle.seek(start)
                    return handle.read(length)

            size = path.stat().st_size
            yield zips.RangedZip(read, size, path.name, limits, workers=2, window=limits.part_bytes)
    elif lower.endswith((".tar", ".tar.gz", ".tgz")):
        with tars.LocalTar(path, limits) as archive:
            yield archive
    else:
        raise LandingError(f"{path.name}: only .zip, .tar, .tar.gz and .tgz archives can be opened")
