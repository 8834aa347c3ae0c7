"""Archives far and near behind one interface: what they hold, and how members get out of them, safely.

The zip format is read in `archives.zips`, ranges of a zip upstream in `archives.remote_zip`, tars in `archives.tars`.
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
            wanted: Member name to the path that it is written to; parents are made.
            on_member: Hears of each member that is whole: size and CRC-32 checked, sha256 computed. After a kill, only
                what it heard of may be used: the last files may be there in part.

        Raises:
            KeyError: A name that the archive does not hold.
            UnsafeArchive: A bomb, or entries that lie over each other.
            VerificationFailed: A member's size or CRC-32 is not what the archive says, or the archive is cut short.
            TransientError, Cancelled, LandingError: As `Client.download`, for an archive that is read from upstream.
        """


@contextlib.contextmanager
def open_archive(client: Client, file: RemoteFile, *, downloads: Path) -> Iterator[Archive]:
    """Open an archive upstream: a zip by byte ranges where the server gives them, else after a download.

    Args:
        client: The way to upstream.
        file: The archive; its key ends in .zip, .tar, .tar.gz or .tgz.
        downloads: Directory for an archive that has to be downloaded; it stays there for the caller to remove.

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
        path: The archive; its suffix says what it is.
        limits: Bounds of entries, size and ratio.

    Raises:
        UnsafeArchive: It holds a name that climbs out, a link, a device, a setuid file, duplicates, overlaps, too much.
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
