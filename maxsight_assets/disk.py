"""Operations on a file system: hash many files, link, write small files atomically, make bytes durable, explain errors.

Nothing here knows what a published directory is; `publishing.swap` and `publishing.stage` do.
"""

import ctypes
import errno
import hashlib
import os
import re
import shutil
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import TypeVar

from maxsight_assets.errors import LandingError, MaxSightAssetsError, PreflightFailed

Item = TypeVar("Item")
Answer = TypeVar("Answer")

SMALL = 4 << 20
"""Bytes up to which a file is read in one piece: nearly all images; larger ones go through a buffer of this size."""

THREADS = min(8, (os.cpu_count() or 1) + 2)
"""Threads that read and hash: hashlib releases the GIL, and a few more than the cores hide the disk's latency."""

SCRATCH = "tmp~"
"""Prefix of the names of unfinished files and directories beside a target; the next run removes abandoned ones."""

NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})
"""Errors of a file system that has no locks, for instance NFS without a lock service."""

AWAY = frozenset({errno.ENOTCONN, errno.ESTALE, errno.ENODEV, errno.ENXIO, errno.ENOMEDIUM, errno.EREMOTEIO})
"""Errors of a drive that was unplugged or unmounted, or that its server no longer knows."""

SILENT = frozenset({errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETUNREACH})
"""Errors of a network drive while its server is away; other network connections raise them, too."""

NAMING = threading.Lock()
"""Held while a directory entry is made or renamed: the system does one at a time, and waiting threads would spin."""

_BATCH = 32
"""Files that a thread takes at once, so that handing them out costs little compared with hashing them."""

_NO_LINKS = {errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL}
_NO_EXCHANGE = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM}
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2

_NUMBER = re.compile(r"(?:\(os error |\[Errno )(\d+)[)\]]")
"""The form in which Rust's standard library and Python write an errno: an error of Polars has it only in its text."""

_LIBC = ctypes.CDLL(None, use_errno=True)


class Hashed:
    """What this process has read and hashed: a file that has not been touched since need not be read again.

    A file is remembered if it was last touched (mtime and ctime) well before it was read: a change after that gives it
    another time, however coarse the clock of the file system is. It is opened before its state is compared, because a
    network drive may state an older one until then.
    """

    _MOST = 500_000  # files, some 130 MB; further ones are read each time
    _CLOCK_STEP_S = 2.0  # the coarsest clock of a file system, FAT's

    def __init__(self) -> None:
        self._digests: dict[tuple[int, ...], bytes] = {}

    def known(self, status: os.stat_result) -> str | None:
        """Return the hex sha256 of an open file in this state; None if it is not known."""
        digest = self._digests.get(self._state(status))
        return None if digest is None else digest.hex()

    def add(self, status: os.stat_result, sha256: str, *, began: float) -> None:
        """Remember the sha256 of a file in this state.

        Args:
            status: The state of the open file after it was read.
            sha256: Hex digest of its bytes.
            began: When it was about to be opened, seconds since the epoch.
        """
        untouched = max(status.st_mtime, status.st_ctime) < began - self._CLOCK_STEP_S
        if untouched and len(self._digests) < self._MOST:
            self._digests[self._state(status)] = bytes.fromhex(sha256)

    def forget(self) -> None:
        """Forget all files, so that each is read again."""
        self._digests.clear()

    @staticmethod
    def _state(status: os.stat_result) -> tuple[int, ...]:
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


HASHED = Hashed()
"""The files that this process has hashed."""


def sha256_of(path: Path | str, *, hashed: Hashed | None = None) -> tuple[int, str]:
    """Return the size in bytes and the lower-case hex sha256 of a regular file; links are not followed.

    Args:
        path: The file.
        hashed: What need not be read again, and learns of what is read now. None: the file is read.

    Raises:
        OSError: The file is absent, unreadable, or no regular file.
    """
    began = time.time()
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        if hashed is not None and (known := hashed.known(facts)) is not None:
            return facts.st_size, known
        digest = hashlib.sha256()
        total = 0
        while block := os.read(descriptor, asked := min(SMALL, max(facts.st_size - total, 0) + 1)):
            digest.update(block)
            total += len(block)
            if len(block) < asked and total == facts.st_size:  # the end: saves a call for each small file
                break
        sha256 = digest.hexdigest()
        if hashed is not None:
            hashed.add(os.fstat(descriptor), sha256, began=began)
        return total, sha256
    finally:
        os.close(descriptor)


def in_threads(do: Callable[[Item], Answer], items: Sequence[Item]) -> Iterator[Answer]:
    """Yield the results of `do` for all items, in their order, computed by a few threads."""
    batches = [items[start : start + _BATCH] for start in range(0, len(items), _BATCH)]
    if len(batches) < 2:
        yield from map(do, items)
        return
    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        for answers in pool.map(lambda batch: [do(item) for item in batch], batches):
            yield from answers


def walk(root: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield all entries below `root` but directories, with their POSIX paths, sorted; links are not followed."""

    def below(folder: str, prefix: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
        for entry in listed:
            name = f"{prefix}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from below(entry.path, f"{name}/")
            else:
                yield name, entry

    if root.is_dir():
        yield from below(str(root), "")


def create(path: Path | str) -> int:
    """Open a new file for writing; an existing one is unlinked, not written into, because it may be a hard link."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with NAMING:
        try:
            return os.open(path, flags, 0o666)
        except FileExistsError:
            with suppress(FileNotFoundError):
                os.unlink(path)  # noqa: PTH108 -- as given
            return os.open(path, flags, 0o666)


def link_or_copy(source: Path, dest: Path) -> None:
    """Hard-link a file, or a symbolic link as such, to `dest`; copy it if the file system cannot link.

    A file at `dest` is replaced. The copy keeps the file's times.
    """
    dest.parent.mkdir(parents=True, exist_ok=True)
    dest.unlink(missing_ok=True)
    if not _hard_link(source, dest):
        shutil.copy2(source, dest, follow_symlinks=False)


def _hard_link(source: Path, dest: Path) -> bool:
    try:
        os.link(source, dest, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        return False
    return True


def write_atomic(path: Path, data: bytes, *, scratch: Path) -> None:
    """Write a small file whole or not at all, and durably; `scratch` is a free name on the same disk."""
    with scratch.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    scratch.replace(path)
    sync_directory(path.parent)


def note(path: Path, data: bytes) -> None:
    """Keep something that can be made again, with its digest: whole or not at all, and not durably.

    If it cannot be written, for instance on a read-only drive, nothing is kept.
    """
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{unique_name()}")
        partial.write_bytes(hashlib.sha256(data).hexdigest().encode() + b"\n" + data)
        partial.replace(path)


def noted(path: Path) -> bytes | None:
    """Return what was kept; None if there is nothing, or if it is damaged."""
    try:
        digest, _, data = path.read_bytes().partition(b"\n")
    except OSError:
        return None
    return data if hashlib.sha256(data).hexdigest().encode() == digest else None


def sync_directory(path: Path) -> None:
    """Make a directory's names durable; ignore EINVAL and ENOTSUP of file systems that cannot sync a directory."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        os.close(descriptor)


def sync_file_system(descriptor: int) -> None:
    """Make all that was written to a file system durable, in one call.

    Args:
        descriptor: An open directory of it. Linux reports the write-back errors since that directory was opened, so
            open it before writing.

    Raises:
        OSError: A write-back failed; nothing written since then may be trusted.
    """
    try:
        syncfs = _LIBC.syncfs
    except AttributeError:  # not Linux
        os.sync()
        return
    if syncfs(descriptor) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def exchange(one: Path, other: Path) -> bool:
    """Swap two directories in one atomic step.

    Returns:
        False, with nothing done, if the system or the file system has no such call.

    Raises:
        OSError: The call exists and failed.
    """
    try:
        renameat2 = _LIBC.renameat2
    except AttributeError:
        return False
    if renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _NO_EXCHANGE:
        return False
    raise OSError(number, os.strerror(number), str(one), None, str(other))


def move(source: Path, dest: Path) -> None:
    """Rename a directory, or finish an interrupted rename on a drive that renames file by file; idempotent."""
    if not os.path.lexists(source):
        return
    if not os.path.lexists(dest):
        source.rename(dest)
        return
    for name, entry in walk(source):
        (dest / name).parent.mkdir(parents=True, exist_ok=True)
        Path(entry.path).replace(dest / name)
    shutil.rmtree(source)


def remove_empty_directories(root: Path) -> None:
    """Remove directories below `root` that hold nothing; `root` itself stays."""
    for folder, _, _ in os.walk(root, topdown=False):
        if folder != str(root):
            with suppress(OSError):  # it holds something
                Path(folder).rmdir()


def unique_name() -> str:
    """Return a name that no other process or thread uses and that names its maker: `<host>~<process id>~<random>`."""
    return f"{host()}~{os.getpid()}~{token_hex(4)}"


def host() -> str:
    """Return this machine's name, made of characters that are safe in file names."""
    return "".join(c if c.isalnum() or c in "-." else "-" for c in socket.gethostname()) or "localhost"


def made_by_living(name: str) -> bool:
    """Return whether the process that made this unique name is on this machine and still runs."""
    parts = name.rsplit("~", 3)[-3:]
    return len(parts) == 3 and parts[0] == host() and parts[1].isdigit() and is_alive(int(parts[1]))


def is_alive(pid: int) -> bool:
    """Return whether a process of this machine has this id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def explaining(target: Path) -> Iterator[None]:
    """Explain an error of the target's disk; any other error, for instance of the network, passes unchanged.

    Raises:
        LandingError: The block raised an error of the disk; the text states what it means.
    """
    try:
        yield
    except Exception as error:
        said = explained(error, target)
        if said is None:
            raise
        raise said from error


def explained(error: Exception, target: Path) -> LandingError | None:
    """Return an error of a disk with its meaning; None for any other error, and for one that is explained already."""
    if isinstance(error, MaxSightAssetsError):
        return None
    where = getattr(error, "filename", None) or target
    number = getattr(error, "errno", None)
    if number is None and (found := _NUMBER.search(str(error))):
        number = int(found[1])
    if number in {errno.ENOSPC, errno.EDQUOT}:
        facts = os.statvfs(existing(target))
        # cleaning up has freed some bytes and inodes by now: the scarcer of the two was the reason
        if facts.f_files and facts.f_favail / facts.f_files < facts.f_bavail / facts.f_blocks:
            return LandingError(
                f"{target}: no inodes left on its disk (at {where}); delete files there, then rerun to resume. "
                "The last good version stays"
            )
        free = facts.f_bavail * facts.f_frsize
        return LandingError(
            f"{target}: no space left on its disk (at {where}; {free:,} bytes free); free some, then rerun to resume. "
            "The last good version stays"
        )
    if number == errno.EIO:
        return LandingError(
            f"{target}: the disk reported an input/output error (at {where}); that file is not trusted. "
            "Check the disk, then rerun. The last good version stays"
        )
    if number in AWAY or (number in SILENT and type(error).__module__ == "builtins"):  # not one of an HTTP library
        return LandingError(
            f"{where}: its drive is not connected any more ({os.strerror(number)}); connect or mount it, then rerun. "
            f"The last good version of {target} stays"
        )
    if number in {errno.EROFS, errno.EACCES, errno.EPERM}:
        return PreflightFailed(
            f"{target}: cannot be written ({os.strerror(number)}, at {where}); check mount and permissions"
        )
    return None


def existing(path: Path) -> Path:
    """Return the path itself, or its nearest parent that exists."""
    while not path.exists():
        path = path.parent
    return path


def discard(paths: Iterable[Path]) -> None:
    """Remove directory trees or files; a missing one, or one that vanishes meanwhile, is no error."""
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
