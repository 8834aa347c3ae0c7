"""What a process has hashed is not read again, unless it may have been touched since."""

import os
import time
from hashlib import sha256
from pathlib import Path

import pytest

from maxsight_assets import disk
from maxsight_assets.disk import Hashed, sha256_of


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that was last touched a minute ago, by the clock of this process."""
    path = tmp_path / "a.jpg"
    path.write_bytes(b"one")
    now = time.time
    monkeypatch.setattr(disk.time, "time", lambda: now() + 60)
    return path


def spoil_cheaply(path: Path, data: bytes) -> None:
    """Change a file in place; its size and mtime stay."""
    status = path.stat()
    with path.open("r+b") as file:
        file.write(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_a_file_that_is_untouched_is_known(old: Path) -> None:
    hashed = Hashed()
    first = sha256_of(old, hashed=hashed)

    assert hashed.known(old.stat()) == first[1] == sha256(b"one").hexdigest()
    assert sha256_of(old, hashed=hashed) == first


def test_an_edit_that_keeps_size_and_time_is_found(old: Path) -> None:
    hashed = Hashed()
    sha256_of(old, hashed=hashed)

    spoil_cheaply(old, b"two")

    assert sha256_of(old, hashed=hashed)[1] == sha256(b"two").hexdigest()


def test_another_file_in_its_place_is_read(old: Path) -> None:
    hashed = Hashed()
    sha256_of(old, hashed=hashed)

    fresh = old.with_name("fresh")
    fresh.write_bytes(b"two")
    fresh.replace(old)

    assert sha256_of(old, hashed=hashed)[1] == sha256(b"two").hexdigest()


def test_a_file_of_this_very_moment_is_read_each_time(tmp_path: Path) -> None:
    path, hashed = tmp_path / "a.jpg", Hashed()
    path.write_bytes(b"one")

    sha256_of(path, hashed=hashed)

    assert hashed.known(path.stat()) is None


def test_what_was_forgotten_is_read(old: Path) -> None:
    hashed = Hashed()
    sha256_of(old, hashed=hashed)

    hashed.forget()

    assert hashed.known(old.stat()) is None
