"""`file:///<path>`: files of this machine, behind the same interface as the network's objects."""

import contextlib
import email.utils
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from maxsight_assets.errors import LandingError
from maxsight_assets.remote import Probe, RemoteFile
from maxsight_assets.transport.integrity import Trust
from maxsight_assets.transport.listing import PAGE_KEYS, Entry
from maxsight_assets.transport.reply import CHUNK_BYTES, Absent, Again, Ask, PastEnd, VersionChanged

_TRUST = Trust("first-use")

GONE = "no such file on this machine"


class DiskReply:
    """A file that is open for reading; see `reply.Reply`."""

    encoded = False
    published_sha256: str | None = None

    def __init__(self, path: Path, ask: Ask, probe: Probe) -> None:
        self._path = path
        self._file = path.open("rb")
        self._file.seek(ask.start)
        self.start = ask.start
        self.probe = probe
        left = max(0, (probe.bytes or 0) - ask.start)
        self.length: int | None = left if ask.length is None else min(left, ask.length)

    def chunks(self) -> Iterator[bytes]:
        """Yield the asked bytes."""
        left = self.length or 0
        while left:
            data = self._file.read(min(left, CHUNK_BYTES))
            if not data:
                raise Again(f"{self._path.name} became shorter while it was read")
            left -= len(data)
            yield data

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Local:
    """Files of this machine; see `schemes.Scheme`."""

    def probe(self, file: RemoteFile) -> Probe:
        """Return the length and modification time of a file, and an ETag made from them."""
        path = _path(file)
        with _explaining(file):
            if not path.is_file():
                raise Absent(404, GONE, _remedy(file))
            facts = path.stat()
        etag = f'"{facts.st_mtime_ns:x}-{facts.st_size:x}"'
        return Probe(facts.st_size, etag, email.utils.formatdate(facts.st_mtime, usegmt=True), ranges=True)

    def page(self, file: RemoteFile, after: str) -> tuple[Sequence[Entry], bool]:
        """List the files below a directory; what identifies the bytes of one is its length and modification time."""
        root = _path(file)
        with _explaining(file):
            if not root.is_dir():
                raise Absent(404, "no such directory on this machine", _remedy(file))
            paths = sorted(
                path
                for folder, _, names in os.walk(root, onerror=_raise)  # else its files would seem deleted
                for name in names
                if (path := (Path(folder) / name).relative_to(root).as_posix()) > after
            )
            facts = [(path, (root / path).stat()) for path in paths[:PAGE_KEYS]]
        entries = [Entry(path, f"{fact.st_mtime_ns:x}-{fact.st_size:x}", fact.st_size) for path, fact in facts]
        return entries, len(paths) <= PAGE_KEYS

    def open(self, file: RemoteFile, ask: Ask) -> DiskReply:
        """Open the asked part of a file.

        Raises:
            VersionChanged: The file is not the version of `ask.since`.
            PastEnd: The part begins at the file's end or after it.
        """
        now = self.probe(file)
        if ask.since is not None and now.etag != ask.since.etag:
            raise VersionChanged("the file changed")
        if ask.ranged and ask.start >= (now.bytes or 0):
            raise PastEnd(now.bytes)
        with _explaining(file):
            return DiskReply(_path(file), ask, now)

    def short(self, _file: RemoteFile) -> None:
        """Return None: a file needs no connection."""

    def trust(self, _file: RemoteFile) -> Trust:
        """Return `first-use`: the bytes that were copied are those of the file."""
        return _TRUST


@contextlib.contextmanager
def _explaining(file: RemoteFile) -> Iterator[None]:
    """Turn an error of upstream's file into one of landing, so that it is not taken for one of the target directory."""
    try:
        yield
    except PermissionError as error:
        raise Absent(403, f"cannot be read ({error.strerror})", "check the file's permissions") from None
    except FileNotFoundError:
        raise Absent(404, GONE, _remedy(file)) from None
    except OSError as error:
        raise LandingError(f"{file.key}: cannot be read ({error.strerror}); check the disk that it is on") from None


def _raise(error: OSError) -> None:
    raise error


def _remedy(file: RemoteFile) -> str:
    """Return what the user can do about a file that is not there: the address is that of a mirror, most likely."""
    if file.mirror_env is None:
        return "check its address"
    return f"check that {file.mirror_env} names the directory that holds it"


def _path(file: RemoteFile) -> Path:
    parts = urlsplit(file.url)
    if parts.netloc not in ("", "localhost"):
        raise LandingError(f"{file.key}: a file address reads file:///<absolute path>")
    return Path(unquote(parts.path))
