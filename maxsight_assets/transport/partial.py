"""A download that is not whole yet: the bytes so far, and a sidecar file that states which version they belong to.

The file is always a prefix of the object. The sidecar states a length and the hash of the prefix of that length. By
them, a later run detects a prefix that a crash has torn. It cuts off the bytes after that length.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable
from io import FileIO
from pathlib import Path

from maxsight_assets.disk import NO_LOCKS
from maxsight_assets.errors import Busy
from maxsight_assets.remote import Probe, RemoteFile, strong
from maxsight_assets.transport.redact import scrub_url
from maxsight_assets.transport.reply import CHUNK_BYTES

CHECKPOINT_BYTES = 16 << 20
"""A killed process loses at most this much of what it had received."""


class Partial:
    """The file `<dest>.partial` and its sidecar `<dest>.partial.json`; opened for one download, by one thread.

    Attributes:
        offset: Bytes in the file.
        probe: The version that they belong to; None before the first answer.
    """

    def __init__(self, file: RemoteFile, dest: Path) -> None:
        self._file = file
        self._fixed = True
        self.path = dest.with_name(dest.name + ".partial")
        self._sidecar = dest.with_name(dest.name + ".partial.json")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._handle = self._opened()
        self.offset = 0
        self.probe: Probe | None = None
        self._algorithms: tuple[str, ...] = ("sha256",)
        self._hashes = {"sha256": hashlib.sha256()}
        self._saved = 0
        try:
            restored = self._restore()
        except OSError:  # for instance a bad sector: a new file uses other ones
            self._handle.close()
            self.path.unlink(missing_ok=True)
            self._handle, restored = self._opened(), False
        if not restored:
            self.restart(None)

    def resumable(self) -> bool:
        """Return whether the download can go on: its version is known well enough to ask for the rest.

        See RFC 9110, 13.1.5.
        """
        if self.offset == 0 or self.probe is None or not self._fixed:
            return False
        pinned = self._file.sha256 or self._file.md5 or self._file.sha1
        weakly = self.probe.last_modified and self.probe.bytes is not None and pinned
        return bool(strong(self.probe) or weakly)

    def restart(self, probe: Probe | None, *, also: Iterable[str] = (), fixed: bool = True) -> None:
        """Throw away the bytes so far.

        Args:
            probe: The version that will be written next.
            also: Hashes to compute beside sha256.
            fixed: Whether offsets in the file are offsets in upstream's object, so that the download can be resumed.
        """
        self._fixed = fixed
        self._handle.seek(0)
        self._handle.truncate()
        self._sidecar.unlink(missing_ok=True)
        self.offset = self._saved = 0
        self.probe = probe
        self._algorithms = ("sha256", *also)
        self._hashes = {name: hashlib.new(name, usedforsecurity=False) for name in self._algorithms}

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes."""
        view = memoryview(data)
        while view:
            view = view[self._handle.write(view) :]
        for digest in self._hashes.values():
            digest.update(data)
        self.offset += len(data)
        if self.offset - self._saved >= CHECKPOINT_BYTES:
            self.save()

    def save(self) -> None:
        """Record in the sidecar how far the prefix goes, for another process."""
        if not self.resumable() or self.probe is None or self.offset == self._saved:
            return
        facts = {
            "url": scrub_url(self._file.url),
            "bytes": self.probe.bytes,
            "etag": self.probe.etag,
            "last_modified": self.probe.last_modified,
            "length": self.offset,
            "sha256": self.digest("sha256"),
            "algorithms": list(self._algorithms),
        }
        draft = self._sidecar.with_name(self._sidecar.name + ".new")
        draft.write_text(json.dumps(facts), encoding="utf-8")
        draft.replace(self._sidecar)
        self._saved = self.offset

    def digest(self, algorithm: str) -> str | None:
        """Return the hex digest of the bytes so far; None if it was not computed."""
        found = self._hashes.get(algorithm)
        return found.hexdigest() if found else None

    def head(self, count: int) -> bytes:
        """Return the first `count` bytes."""
        self._handle.seek(0)
        data = self._handle.read(count)
        self._handle.seek(self.offset)
        return data

    def finish(self, dest: Path, *, durable: bool) -> None:
        """Rename the file to `dest`; with `durable` only after its bytes are synced to the disk."""
        if durable:
            self._sync()
        self.path.replace(dest)
        self._sidecar.unlink(missing_ok=True)
        self._handle.close()  # last: it holds the lock

    def _sync(self) -> None:
        try:
            os.fsync(self._handle.fileno())
        except OSError:  # reported once only: from then on the bytes look sound in memory, and a sync succeeds
            self.restart(None)
            raise

    def close(self) -> None:
        """Keep the file if it can be resumed, else remove it."""
        if self._handle.closed:
            return
        with self._handle:
            if self.resumable():
                self.save()
                return
            self._sidecar.unlink(missing_ok=True)
            self.path.unlink(missing_ok=True)

    def _opened(self) -> FileIO:
        """Return the file, open and locked.

        Raises:
            Busy: Another download is writing it.
        """
        if self.path.is_symlink():  # the file that it leads to is not ours
            self.path.unlink()
        while True:
            handle = FileIO(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "r+b")
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(handle.fileno()), self.path.lstat()):
                    return handle
            except BlockingIOError:
                handle.close()
                raise Busy(f"{self.path}: another download is writing it; wait for its end, then rerun") from None
            except FileNotFoundError:  # its holder has just finished
                pass
            except OSError as error:
                if error.errno not in NO_LOCKS:
                    raise
                return handle  # on such a disk, two downloads to one name are not kept apart
            handle.close()

    def _restore(self) -> bool:
        """Take over an earlier run's file if it is from this address and its prefix is sound; return whether it was."""
        try:
            facts = json.loads(self._sidecar.read_text(encoding="utf-8"))
            length, algorithms = int(facts["length"]), tuple(map(str, facts["algorithms"]))
            probe = Probe(facts["bytes"], facts["etag"], facts["last_modified"], ranges=True)
            needed = {"sha256"} | {name for name in ("md5", "sha1") if getattr(self._file, name)}
            if facts["url"] != scrub_url(self._file.url) or not needed.issubset(algorithms):
                return False
            hashes = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
        except (OSError, ValueError, KeyError, TypeError):
            return False
        left = length
        while left and (data := self._handle.read(min(left, CHUNK_BYTES))):
            left -= len(data)
            for digest in hashes.values():
                digest.update(data)
        if left or hashes["sha256"].hexdigest() != facts["sha256"]:
            return False
        self._handle.truncate(length)
        self.offset = self._saved = length
        self.probe, self._algorithms, self._hashes = probe, algorithms, hashes
        return True
