"""Preflight: what rules a landing out is said with numbers before a byte moves."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from maxsight_assets.errors import LandingError, PreflightFailed
from maxsight_assets.publishing.preflight import check_names, preflight
from maxsight_assets_tests.invariants import assert_invariants
from maxsight_assets_tests.publishing.staged import land

FILES = {"a.jpg": b"a", "b.jpg": b"b"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MB and 200 inodes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m,nr_inodes=200", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a small disk needs root")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_what_fits_passes_and_leaves_nothing(tmp_path: Path) -> None:
    preflight(tmp_path / "data/world", needed_bytes=1000, needed_files=3, names=["a.jpg", "b.jpg", "A/a.jpg"])

    assert list(tmp_path.iterdir()) == []


def test_fault_27_too_little_space_says_how_much_is_needed_and_free(small_disk: Path) -> None:
    first = land(small_disk / "world", FILES)
    facts = os.statvfs(small_disk)

    with pytest.raises(PreflightFailed, match="too little space") as failed:
        preflight(small_disk / "world", needed_bytes=9_000_000, needed_files=2)

    said = str(failed.value).rpartition("too little space")[2]  # the path before it may hold numbers
    numbers = [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]{3,}", said)]
    assert numbers == [9_000_000 + 2 * facts.f_frsize, facts.f_bavail * facts.f_frsize]
    assert not failed.value.retryable
    assert_invariants(small_disk / "world", versions={first.data_version})


def test_fault_29_too_few_inodes_says_inodes(small_disk: Path) -> None:
    target = small_disk / "world"
    first = land(target, FILES)

    with pytest.raises(PreflightFailed, match=r"too few inodes: 500 files to be made, 1\d\d inodes free"):
        preflight(target, needed_bytes=500, needed_files=500)

    assert_invariants(target, versions={first.data_version})


def test_fault_28_no_space_at_some_write_keeps_the_last_good_version(small_disk: Path) -> None:
    target = small_disk / "world"
    first = land(target, FILES)

    with pytest.raises(
        LandingError, match=r"no space left on its disk .* bytes free\); free some, then rerun"
    ) as failed:
        land(target, {f"{n}.jpg": bytes(1_000_000) for n in range(12)})

    assert not failed.value.retryable
    assert_invariants(target, versions={first.data_version}, settled=False)
    fetched: list[str] = []
    land(target, {f"{n}.jpg": bytes(1_000_000) for n in range(5)}, fetched=fetched)
    assert fetched == []
    assert_invariants(target)


def test_fault_29_no_inodes_left_while_landing_says_inodes(small_disk: Path) -> None:
    target = small_disk / "world"
    first = land(target, FILES)

    with pytest.raises(LandingError, match="no inodes left"):
        land(target, {f"{n}.jpg": b"x" for n in range(300)})

    assert_invariants(target, versions={first.data_version}, settled=False)
    land(target, {f"{n}.jpg": b"x" for n in range(100)})
    assert_invariants(target)


def test_fault_32_read_only_target_fails_before_a_byte_moves(small_disk: Path) -> None:
    first = land(small_disk / "world", FILES)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)

    with pytest.raises(PreflightFailed, match=r"cannot be written \(Read-only file system"):
        preflight(small_disk / "world", needed_bytes=1, needed_files=1)
    with pytest.raises(PreflightFailed, match="cannot be written"):
        land(small_disk / "world", {"c.jpg": b"c"})

    assert_invariants(small_disk / "world", versions={first.data_version}, named=FILES)


def test_mount_point_as_target_is_refused(small_disk: Path) -> None:
    with pytest.raises(PreflightFailed, match="is a mount point"):
        preflight(small_disk, needed_bytes=1, needed_files=1)


def test_fault_38_names_that_collide_are_listed_in_pairs(tmp_path: Path) -> None:
    names = ["x/Cat.jpg", "x/cat.jpg", "caf\u00e9.jpg", "cafe\u0301.jpg", "stra\u00dfe.jpg", "STRASSE.jpg", "fine.jpg"]

    first = land(tmp_path / "world", FILES)

    with pytest.raises(PreflightFailed, match="case or Unicode form") as failed:
        preflight(tmp_path / "world", needed_bytes=1, needed_files=1, names=names)

    for pair in (
        "'x/Cat.jpg' and 'x/cat.jpg'",
        r"'cafe\u0301.jpg' and 'caf\xe9.jpg'",
        r"'STRASSE.jpg' and 'stra\xdfe.jpg'",
    ):
        assert pair in str(failed.value)
    assert_invariants(tmp_path / "world", versions={first.data_version})


def test_directories_that_collide_are_found(tmp_path: Path) -> None:
    with pytest.raises(PreflightFailed, match="'Train' and 'train'"):
        check_names(tmp_path, ["Train/a.jpg", "train/b.jpg"])


def test_many_collisions_are_counted(tmp_path: Path) -> None:
    with pytest.raises(PreflightFailed, match="and 5 more pairs"):
        check_names(tmp_path, [name for n in range(10) for name in (f"a{n}", f"A{n}")])
