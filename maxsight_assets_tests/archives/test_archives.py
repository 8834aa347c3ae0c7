"""Archives: what comes out of sound ones, near and far; bad ones are refused (rows 56 to 60 of the fault matrix)."""

import contextlib
import functools
import gzip
import hashlib
import io
import os
import stat
import struct
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from maxsight_assets import disk
from maxsight_assets.archives import zips
from maxsight_assets.archives.archive import Archive, Member, open_archive, open_local
from maxsight_assets.errors import (
    Cancelled,
    LandingError,
    TransientError,
    UnsafeArchive,
    UpstreamChanged,
    VerificationFailed,
)
from maxsight_assets.publishing.manifest import FileRow
from maxsight_assets.publishing.stage import Stage, staging
from maxsight_assets.publishing.swap import StateDir
from maxsight_assets.remote import RemoteFile
from maxsight_assets.transport.options import Limits
from maxsight_assets_tests.invariants import assert_invariants, writes_only_below
from maxsight_assets_tests.publishing.staged import land
from maxsight_assets_tests.servers import lying
from maxsight_assets_tests.servers.lying import LyingServer
from maxsight_assets_tests.transport.net_tools import PATIENT, QUICK, left_over, pinned, quick_client, some_bytes, soon

FILES = {
    **{f"val/{n:03d}.jpg": some_bytes(3_000 + 37 * n, seed=n) for n in range(120)},
    "annotations/instances.json": b'{"annotations": [%s]}' % b", ".join(b"%d" % n for n in range(200_000)),
    "annotations/empty.txt": b"",
}


def zip_of(files: dict[str, bytes], *, zip64: bool = False) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("val/", b"")
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_STORED if name.endswith(".jpg") else zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            with archive.open(info, "w", force_zip64=zip64) as member:
                member.write(data)
    return made.getvalue()


def tar_of(files: dict[str, bytes], mode: str = "w") -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return made.getvalue()


def extract(archive: Archive, root: Path, names: list[str] | None = None) -> dict[str, str]:
    """Extract, check that what is told is true, and return the digests."""
    told: dict[str, str] = {}

    def on_member(member: Member, path: Path, sha256: str) -> None:
        data = path.read_bytes()
        assert hashlib.sha256(data).hexdigest() == sha256
        assert len(data) == member.bytes
        told[member.name] = sha256

    archive.extract({name: root / name for name in names or archive.members}, on_member)
    return told


class Peak(threading.Thread):
    """Watches how many bytes the files below a directory come to; a context manager.

    Attributes:
        bytes: The most that was seen.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(daemon=True)
        self.bytes = 0
        self._root = root
        self._over = threading.Event()

    def __enter__(self) -> "Peak":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        while not self._over.wait(0.002):
            with contextlib.suppress(OSError):
                now = sum(entry.stat().st_size for _, entry in disk.walk(self._root))
                self.bytes = max(self.bytes, now)


def digests(files: dict[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


def local(tmp_path: Path, name: str, data: bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


def take(stage: Stage, archive: Archive, names: list[str] | None) -> None:
    """Stage members as a source does."""
    wanted = {name: stage.root / name for name in names or archive.members}
    archive.extract(
        wanted, lambda member, _, digest: stage.record(FileRow(member.name, member.bytes, digest, "sha256"))
    )


def refuse(path: Path, error: type[LandingError], match: str, limits: Limits = QUICK) -> None:
    """Landing it fails, no file of it stays, what is published does, and a sound archive lands after it."""
    opened = functools.partial(open_local, path, limits=limits)
    refuse_opened(path.parent / "ground/world", opened, error, match)


def refuse_opened(
    target: Path,
    opened: Callable[[], AbstractContextManager[Archive]],
    error: type[LandingError],
    match: str,
    names: list[str] | None = None,
    *,
    left: bool = False,
) -> None:
    """See `refuse`; `left`: whether members that were whole may wait for the next run."""
    before = land(target, {"kept.jpg": b"named by a split"})

    with (
        writes_only_below(target.parent),
        staging(target, asset="world", source="upstream") as stage,
        pytest.raises(error, match=match) as refused,
        opened() as archive,
    ):
        take(stage, archive, names)

    assert not refused.value.retryable
    held = left_over(StateDir.of(target).sessions)
    assert left or [path for path in held if "/tree/" in path] == []
    assert_invariants(target, versions={before.data_version}, named=["kept.jpg"], settled=False)
    after = land(target, {"fine.jpg": b"fine"})
    assert_invariants(target, versions={after.data_version}, named=["kept.jpg", "fine.jpg"])


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tgz"])
def test_local_archive_gives_its_members(tmp_path: Path, name: str) -> None:
    data = zip_of(FILES) if name.endswith("zip") else tar_of(FILES, "w" if name.endswith(".tar") else "w:gz")
    with open_local(local(tmp_path, name, data)) as archive:
        assert list(archive.members) == list(FILES)
        assert {name: member.bytes for name, member in archive.members.items()} == {n: len(d) for n, d in FILES.items()}
        assert extract(archive, tmp_path / "out") == digests(FILES)
        some = ["val/007.jpg", "annotations/instances.json"]
        assert sorted(extract(archive, tmp_path / "some", some)) == sorted(some)
        with pytest.raises(KeyError):
            extract(archive, tmp_path / "none", ["absent"])


@pytest.mark.parametrize("zip64", [False, True])
@pytest.mark.parametrize("part_bytes", [20_000, 1 << 20])
def test_remote_zip_is_read_by_ranges_and_nothing_but_members_is_written(
    liar: LyingServer, tmp_path: Path, zip64: bool, part_bytes: int
) -> None:
    url = liar.publish("a.zip", zip_of(FILES, zip64=zip64))
    limits = replace(QUICK, part_bytes=part_bytes)
    with (
        quick_client(liar.host, limits=limits) as client,
        open_archive(client, RemoteFile("a.zip", url), downloads=tmp_path) as archive,
    ):
        assert list(archive.members) == list(FILES)
        assert extract(archive, tmp_path / "out") == digests(FILES)
    assert left_over(tmp_path) == sorted(f"out/{name}" for name in FILES)
    assert all(request.range for request in liar.requests[1:])


@pytest.mark.parametrize("part_bytes", [20_000, 1 << 20])
def test_pinned_zip_is_read_once_in_order_and_checked_as_a_whole(
    liar: LyingServer, tmp_path: Path, part_bytes: int
) -> None:
    data = zip_of(FILES)
    file = pinned(liar.publish("a.zip", data), data, "a.zip")
    limits = replace(QUICK, part_bytes=part_bytes)
    with quick_client(liar.host, limits=limits) as client:
        with open_archive(client, file, downloads=tmp_path) as archive:
            before = len(liar.requests)
            assert extract(archive, tmp_path / "out") == digests(FILES)
        asked = [str(request.range).removeprefix("bytes=").split("-") for request in liar.requests[before:]]
        assert sum(int(last) - int(first) + 1 for first, last in asked) == len(data)
        changed = replace(file, sha256="0" * 64, on_change="stop")
        with (
            open_archive(client, changed, downloads=tmp_path) as archive,
            pytest.raises(UpstreamChanged, match="accept a"),
        ):
            extract(archive, tmp_path / "again")
        with (
            open_archive(client, replace(file, sha1="0" * 40), downloads=tmp_path) as archive,
            pytest.raises(VerificationFailed, match="sha1"),
        ):
            extract(archive, tmp_path / "again")


def test_fault_23_bit_that_flips_on_the_way_out_of_a_remote_zip_is_fetched_again(
    liar: LyingServer, tmp_path: Path
) -> None:
    files = {f"{n}.jpg": some_bytes(40_000, seed=n) for n in range(6)}
    url = liar.publish("a.zip", zip_of(files), lying.honest, lying.honest, lying.flipped())
    with (
        quick_client(liar.host, limits=replace(QUICK, part_bytes=50_000)) as client,
        open_archive(client, RemoteFile("a.zip", url), downloads=tmp_path) as archive,
    ):
        assert extract(archive, tmp_path / "out") == digests(files)


def test_remote_zip_with_a_zip64_index_is_read(liar: LyingServer, tmp_path: Path) -> None:
    made = zip_of({"a.jpg": b"one", "b.jpg": b"two"})
    at = made.rindex(b"PK\x05\x06")
    _, _, _, _, count, length, start, _ = struct.unpack("<4s4H2LH", made[at:])
    wide = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, length, start)
    wide += struct.pack("<4sLQL", b"PK\x06\x07", 0, at, 1)
    wide += struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    url = liar.publish("a.zip", made[:at] + wide)
    with (
        quick_client(liar.host) as client,
        open_archive(client, RemoteFile("a.zip", url), downloads=tmp_path) as archive,
    ):
        assert extract(archive, tmp_path / "out") == digests({"a.jpg": b"one", "b.jpg": b"two"})


def test_chosen_members_cost_little_more_than_their_own_bytes(liar: LyingServer, tmp_path: Path) -> None:
    files = {f"val/{n:04d}.jpg": some_bytes(100_000, seed=n) for n in range(60)}
    url = liar.publish("a.zip", zip_of(files))
    chosen = list(files)[::7]
    with (
        quick_client(liar.host) as client,
        open_archive(client, RemoteFile("a.zip", url), downloads=tmp_path) as archive,
    ):
        before = len(liar.requests)
        extract(archive, tmp_path / "out", chosen)
    asked = [str(request.range).removeprefix("bytes=").split("-") for request in liar.requests[before:]]
    assert sum(int(last) - int(first) + 1 for first, last in asked) <= 1.01 * sum(len(files[name]) for name in chosen)


def test_remote_zip_without_ranges_is_downloaded_first(liar: LyingServer, tmp_path: Path) -> None:
    url = liar.publish("a.zip", zip_of(FILES), ranges=False)
    with (
        quick_client(liar.host) as client,
        open_archive(client, RemoteFile("z/a.zip", url), downloads=tmp_path) as archive,
    ):
        assert extract(archive, tmp_path / "out") == digests(FILES)


def test_remote_tar_is_downloaded_first(liar: LyingServer, tmp_path: Path) -> None:
    data = tar_of(FILES, "w:gz")
    file = pinned(liar.publish("a.tar.gz", data), data, "a.tar.gz")
    with quick_client(liar.host) as client, open_archive(client, file, downloads=tmp_path) as archive:
        assert extract(archive, tmp_path / "out") == digests(FILES)


def test_broken_ranges_of_a_remote_zip_are_resumed(liar: LyingServer, tmp_path: Path) -> None:
    faults = [lying.honest, lying.honest, lying.cut(1_000), lying.cut(10, reset=True), lying.status("503 x")]
    url = liar.publish("a.zip", zip_of(FILES), *faults)
    with (
        quick_client(liar.host) as client,
        open_archive(client, RemoteFile("a.zip", url), downloads=tmp_path) as archive,
    ):
        assert extract(archive, tmp_path / "out") == digests(FILES)


def test_remote_zip_that_changes_midway_is_not_mixed(liar: LyingServer, tmp_path: Path) -> None:
    other = zip_of({name: data[::-1] for name, data in FILES.items()})
    url = liar.publish("a.zip", zip_of(FILES), lying.honest, lying.honest, lying.becomes(other, '"v2"'))
    with (
        quick_client(liar.host, limits=replace(QUICK, part_bytes=20_000)) as client,
        open_archive(client, RemoteFile("a.zip", url), downloads=tmp_path) as archive,
        pytest.raises(TransientError, match="changed upstream"),
    ):
        extract(archive, tmp_path / "out")


@pytest.mark.parametrize("pinned_whole", [False, True], ids=["by members", "in one pass"])
@pytest.mark.parametrize("hindrance", [lying.silent(), lying.dripping()], ids=["silent", "dripping"])
def test_fault_46_cancel_ends_a_remote_zip_whose_threads_download(
    liar: LyingServer, tmp_path: Path, hindrance: lying.Fault, pinned_whole: bool
) -> None:
    data, target = zip_of(FILES), tmp_path / "ground/world"
    before, cancel = set(threading.enumerate()), threading.Event()
    stalls = [lying.cancelling(cancel, hindrance)] * 50
    url = liar.publish("a.zip", data, lying.honest, lying.honest, lying.honest, *stalls)
    file = pinned(url, data, "a.zip") if pinned_whole else RemoteFile("a.zip", url)
    limits = replace(PATIENT, part_bytes=50_000)
    with soon(), quick_client(liar.host, limits=limits, cancel=cancel) as client:
        far = functools.partial(open_archive, client, file, downloads=tmp_path)
        refuse_opened(target, far, Cancelled, "cancelled", left=True)
    left = set(threading.enumerate()) - before
    assert [thread for thread in left if thread.name.startswith("landing")] == []


def test_extracting_never_writes_into_a_hard_linked_file(tmp_path: Path) -> None:
    published = local(tmp_path, "published", b"last good version")
    out = tmp_path / "out"
    for name in ("val/001.jpg", "annotations/instances.json"):
        (out / name).parent.mkdir(parents=True)
        os.link(published, out / name)
    with open_local(local(tmp_path, "a.zip", zip_of(FILES))) as archive:
        extract(archive, out)
    assert published.read_bytes() == b"last good version"


BAD_NAMES = ["../up", "a/../../up", "/etc/up", "C:/up", "c:up", "a\\up", "a\x01up", "a\x7f"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_fault_56_zip_with_a_name_that_climbs_out_is_refused(tmp_path: Path, name: str) -> None:
    refuse(local(tmp_path, "a.zip", zip_of({"good.jpg": b"good", name: b"bad"})), UnsafeArchive, "not safe to write")


def test_fault_56_zip_with_a_nul_in_a_name_is_refused(tmp_path: Path) -> None:
    data = zip_of({"good.jpg": b"good", "bad_name.jpg": b"bad"}).replace(b"bad_name", b"bad\0name")
    refuse(local(tmp_path, "a.zip", data), UnsafeArchive, "not safe to write")


@pytest.mark.parametrize("name", ["../up.jpg", "/etc/up.jpg", "C:/up.jpg", "a\\up.jpg", "a\nup.jpg"])
@pytest.mark.parametrize("suffix", ["tar", "tar.gz"])
def test_fault_56_tar_with_a_name_that_climbs_out_is_refused(tmp_path: Path, name: str, suffix: str) -> None:
    data = tar_of({"good.jpg": b"good", name: b"bad"}, "w" if suffix == "tar" else "w:gz")
    refuse(local(tmp_path, f"a.{suffix}", data), UnsafeArchive, "not safe to write")


SPECIAL = [stat.S_IFLNK | 0o777, stat.S_IFCHR | 0o666, stat.S_IFIFO | 0o666, stat.S_IFREG | 0o4755]


@pytest.mark.parametrize("mode", SPECIAL)
def test_fault_57_zip_with_a_link_device_or_setuid_entry_is_refused(tmp_path: Path, mode: int) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        info = zipfile.ZipInfo("entry")
        info.external_attr = mode << 16
        archive.writestr(info, "/etc/passwd")
    refuse(local(tmp_path, "a.zip", made.getvalue()), UnsafeArchive, "link, a device or setuid")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_fault_57_tar_with_a_link_or_device_is_refused(tmp_path: Path, kind: bytes, mode: str) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as archive:  # type: ignore[call-overload]
        info = tarfile.TarInfo("entry")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    refuse(local(tmp_path, "a.tar.gz" if "gz" in mode else "a.tar", made.getvalue()), UnsafeArchive, "no plain file")


def test_fault_57_tar_with_a_setuid_file_is_refused(tmp_path: Path) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        info = tarfile.TarInfo("entry")
        info.mode = 0o4755
        archive.addfile(info)
    refuse(local(tmp_path, "a.tar", made.getvalue()), UnsafeArchive, "setuid")


def test_fault_58_zip_bomb_is_stopped_by_its_ratio_while_it_streams(tmp_path: Path) -> None:
    data = zip_of({"bomb.bin": bytes(50 << 20)})
    refuse(local(tmp_path, "a.zip", data), UnsafeArchive, "taken for a bomb")


def test_fault_58_zip_entry_longer_than_its_header_says_is_stopped(tmp_path: Path) -> None:
    data = bytearray(zip_of({"lies.bin": some_bytes(3 << 20)}))
    at = data.rindex(b"PK\x01\x02")
    for record, field in ((at, 24), (data.index(b"PK\x03\x04", 1), 22)):
        struct.pack_into("<L", data, record + field, 1 << 20)
    refuse(local(tmp_path, "a.zip", bytes(data)), UnsafeArchive, "longer than it states")


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
def test_fault_58_total_size_is_capped_while_it_streams(tmp_path: Path, name: str) -> None:
    limits = replace(QUICK, max_extracted_bytes=150_000, part_bytes=50_000)
    data = zip_of(FILES) if name.endswith("zip") else tar_of(FILES, "w" if name.endswith(".tar") else "w:gz")
    opened = functools.partial(open_local, local(tmp_path, name, data), limits=limits)
    target = tmp_path / "ground/world"
    most = Peak(target.parent)
    with most:
        refuse_opened(target, opened, UnsafeArchive, "bytes allowed", left=True)
    assert most.bytes <= 2 * limits.max_extracted_bytes


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
def test_fault_58_number_of_entries_is_capped(tmp_path: Path, name: str) -> None:
    data = zip_of(FILES) if name.endswith("zip") else tar_of(FILES, "w" if name.endswith(".tar") else "w:gz")
    refuse(local(tmp_path, name, data), UnsafeArchive, "more than the 10 entries", replace(QUICK, max_entries=10))


def test_fault_58_tar_gz_bomb_is_stopped_by_its_ratio(tmp_path: Path) -> None:
    data = tar_of({"bomb.bin": bytes(50 << 20)}, "w:gz")
    refuse(local(tmp_path, "a.tar.gz", data), UnsafeArchive, "taken for a bomb")


def test_fault_58_tar_header_that_wants_all_memory_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 1 << 30
    data = gzip.compress(info.tobuf(tarfile.USTAR_FORMAT) + some_bytes(1 << 20))
    refuse(local(tmp_path, "a.tar.gz", data), UnsafeArchive, "header")


def test_fault_59_duplicate_entries_are_refused(tmp_path: Path) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a.jpg", b"one")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.jpg", b"two")
    refuse(local(tmp_path, "a.zip", made.getvalue()), UnsafeArchive, "two entries are named")


@pytest.mark.parametrize("names", [("a.jpg", "./a.jpg"), ("a", "a/b.jpg"), ("a//b.jpg", "a/b.jpg")])
def test_fault_59_names_that_mean_the_same_file_are_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    files = dict.fromkeys(names, b"x")
    refuse(local(tmp_path, "a.zip", zip_of(files)), UnsafeArchive, "two entries|a file and a directory")
    refuse(local(tmp_path, "a.tar", tar_of(files)), UnsafeArchive, "two entries|a file and a directory")


def test_fault_59_overlapping_entries_are_refused(tmp_path: Path) -> None:
    data = bytearray(zip_of({"first.jpg": some_bytes(5_000), "other.jpg": some_bytes(5_000, seed=2)}))
    first = data.index(b"PK\x03\x04", 1)
    struct.pack_into("<L", data, data.rindex(b"PK\x01\x02") + 42, first + 100)
    refuse(local(tmp_path, "a.zip", bytes(data)), UnsafeArchive, "lies over another entry")
    with pytest.raises(UnsafeArchive, match="lies over another entry"), open_local(tmp_path / "a.zip"):
        pytest.fail("it was opened: its index alone tells")


def test_fault_59_entry_that_reaches_into_the_next_by_its_local_header_is_refused(tmp_path: Path) -> None:
    data = bytearray(zip_of({"first.jpg": some_bytes(5_000), "other.jpg": some_bytes(5_000, seed=2)}))
    struct.pack_into("<H", data, data.index(b"PK\x03\x04", 1) + 28, 400)
    refuse(local(tmp_path, "a.zip", bytes(data)), UnsafeArchive, "lies over another entry")


def test_fault_59_local_header_of_another_name_is_refused(tmp_path: Path) -> None:
    data = zip_of({"first.jpg": b"one"}).replace(b"first.jpg", b"other.jpg", 1)
    refuse(local(tmp_path, "a.zip", data), UnsafeArchive, "not the one that the index states")


@pytest.mark.parametrize("name", ["val/050.jpg", "annotations/instances.json"])
@pytest.mark.parametrize("remote", [False, True])
@pytest.mark.parametrize("part_bytes", [20_000, 1 << 20])
def test_fault_60_flipped_bit_in_a_member_is_found_by_its_crc(
    liar: LyingServer, tmp_path: Path, name: str, remote: bool, part_bytes: int
) -> None:
    made = bytearray(zip_of(FILES))
    made[made.index(name.encode()) + len(name) + 1_000] ^= 1
    limits = replace(QUICK, part_bytes=part_bytes)
    with quick_client(liar.host, limits=limits) as client:
        file = RemoteFile("a.zip", liar.publish("a.zip", bytes(made)))
        path = local(tmp_path, "a.zip", bytes(made))
        far = functools.partial(open_archive, client, file, downloads=tmp_path)
        near = functools.partial(open_local, path, limits=limits)
        refuse_opened(tmp_path / "ground/world", far if remote else near, VerificationFailed, r"CRC-32|damaged", [name])


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
@pytest.mark.parametrize("keep", [0.0, 0.5, 0.9, 0.999])
def test_fault_60_archive_that_is_cut_short_is_refused(tmp_path: Path, name: str, keep: float) -> None:
    data = zip_of(FILES) if name.endswith("zip") else tar_of(FILES, "w" if name.endswith(".tar") else "w:gz")
    if name == "a.tar":
        data = data[: data.rindex(b"annotations/empty.txt") + 512]
    path = local(tmp_path, name, data[: int(len(data) * keep)])
    refuse(path, VerificationFailed, "cut short|missing|damaged")


def test_fault_60_tar_that_ends_between_two_members_is_refused(tmp_path: Path) -> None:
    data = tar_of(FILES)
    path = local(tmp_path, "a.tar", data[: data.index(b"val/050.jpg")])
    refuse(path, VerificationFailed, "cut short")


def test_fault_60_flipped_bit_in_a_tar_gz_is_found(tmp_path: Path) -> None:
    data = bytearray(tar_of(FILES, "w:gz"))
    data[-6] ^= 1
    refuse(local(tmp_path, "a.tar.gz", bytes(data)), VerificationFailed, "fetch it again")


def test_encrypted_or_unknown_compression_is_named(tmp_path: Path) -> None:
    data = bytearray(zip_of({"a.jpg": b"one"}))
    struct.pack_into("<H", data, data.rindex(b"PK\x01\x02") + 10, 93)
    refuse(local(tmp_path, "a.zip", bytes(data)), LandingError, "method 93")


def test_unpacked_members_match_zlib(tmp_path: Path) -> None:
    with open_local(local(tmp_path, "a.zip", zip_of(FILES))) as archive:
        assert {name: member.crc32 for name, member in archive.members.items()} == {
            name: zlib.crc32(data) for name, data in FILES.items()
        }


def test_member_whose_last_bytes_wait_inside_the_inflater_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zips, "PIECE_BYTES", 20)  # zlib has taken all input of these when it has given 20 bytes
    names = {f"{count}.bin": bytes(count) for count in range(19, 30)}
    (tmp_path / "a.zip").write_bytes(zip_of(names))
    with open_local(tmp_path / "a.zip") as opened:
        opened.extract({name: tmp_path / name for name in names}, lambda *_: None)
    assert {name: (tmp_path / name).read_bytes() for name in names} == names
