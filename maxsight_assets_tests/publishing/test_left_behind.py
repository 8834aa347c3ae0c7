"""What others left where a file goes: a download under way, a link, a bad sector, an edit that there is no room for."""

import errno
import os
import zlib
from pathlib import Path

import pytest

from maxsight_assets import disk
from maxsight_assets.archives.members import Member, Writer
from maxsight_assets.errors import Busy, Refused
from maxsight_assets.publishing.expected import Expected
from maxsight_assets.publishing.stage import staging
from maxsight_assets.publishing.swap import StateDir
from maxsight_assets.transport import partial
from maxsight_assets.transport.partial import Partial
from maxsight_assets_tests.invariants import assert_invariants
from maxsight_assets_tests.publishing.staged import land
from maxsight_assets_tests.servers.lying import LyingServer, cut
from maxsight_assets_tests.transport.net_tools import pinned, quick_client, some_bytes

DATA = some_bytes(300_000)


def test_a_second_download_to_a_name_is_refused_while_the_first_goes_on(liar: LyingServer, tmp_path: Path) -> None:
    file, dest = pinned(liar.publish("a", DATA), DATA), tmp_path / "got"
    first = Partial(file, dest)
    first.write(DATA[:1000])

    with quick_client(liar.host) as client:
        with pytest.raises(Busy, match=r"got\.partial: another download"):
            client.download(file, dest)
        assert liar.requests == []
        first.close()
        client.download(file, dest)

    assert dest.read_bytes() == DATA


def test_a_link_in_the_way_of_a_partial_file_is_not_written_through(liar: LyingServer, tmp_path: Path) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_bytes(b"my work")
    (tmp_path / "got.partial").symlink_to(mine)
    with quick_client(liar.host) as client:
        client.download(pinned(liar.publish("a", DATA), DATA), tmp_path / "got")
    assert mine.read_bytes() == b"my work"
    assert not (tmp_path / "got").is_symlink()
    assert (tmp_path / "got").read_bytes() == DATA


def test_a_partial_file_that_the_disk_cannot_read_is_begun_anew(
    liar: LyingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Bad(partial.FileIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(errno.EIO, "Input/output error", str(self.name))

    file = pinned(liar.publish("a", DATA, cut(200_000), *[cut(0)] * 9), DATA)
    with quick_client(liar.host) as client, pytest.raises(Exception, match="rerun to resume"):
        client.download(file, tmp_path / "got")
    liar.publish("a", DATA)
    sound, opened = partial.FileIO, []

    def bad_once(descriptor: int, mode: str) -> partial.FileIO:
        opened.append(descriptor)
        return (Bad if len(opened) == 1 else sound)(descriptor, mode)

    monkeypatch.setattr(partial, "FileIO", bad_once)
    with quick_client(liar.host) as client:
        client.download(file, tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == DATA
    assert liar.requests[-1].range is None


def test_fault_30_a_download_whose_sync_failed_is_not_resumed(
    liar: LyingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system says once that it could not write, and reads what it could not write from memory afterwards."""

    def failing(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    file = pinned(liar.publish("a", DATA), DATA)
    with quick_client(liar.host) as client:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", failing)
            with pytest.raises(OSError, match="Input/output"):
                client.download(file, tmp_path / "got")
        assert list(tmp_path.iterdir()) == []
        client.download(file, tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == DATA
    assert [request.range for request in liar.requests] == [None, None]


@pytest.mark.parametrize("link", ["train/a.jpg", "train"])
def test_a_file_behind_a_link_is_refused_before_anything_moves(tmp_path: Path, link: str) -> None:
    target, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    (elsewhere / "train").mkdir(parents=True)
    (elsewhere / "train/a.jpg").write_bytes(DATA)
    (target / link).parent.mkdir(parents=True)
    (target / link).symlink_to(elsewhere / link)
    expected = Expected("train/a.jpg", len(DATA), crc32=zlib.crc32(DATA))

    with staging(target, asset="world", source="upstream") as stage, pytest.raises(Refused, match=f"{link} is a symb"):
        stage.obtain(expected, moved=False)

    assert (elsewhere / "train/a.jpg").read_bytes() == DATA
    assert (target / link).is_symlink()


def test_an_edit_that_there_is_no_room_to_copy_is_moved_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "data"
    land(target, {"labels.json": b"{}", "a.jpg": b"a"})
    (target / "labels.json").unlink()
    (target / "labels.json").write_bytes(b"{my work}")
    bring = disk.link_or_copy

    def full(source: Path, dest: Path) -> None:
        if "quarantine" in dest.parts:
            raise OSError(errno.ENOSPC, "No space left on device", str(dest))
        bring(source, dest)

    monkeypatch.setattr(disk, "link_or_copy", full)
    land(target, {"labels.json": b"{}", "a.jpg": b"a"})

    assert [path.read_bytes() for path in StateDir.of(target).quarantine.rglob("labels.json")] == [b"{my work}"]
    assert (target / "labels.json").read_bytes() == b"{}"
    assert_invariants(target)


def test_a_member_that_is_named_as_another_one_s_draft_might_be_stays(tmp_path: Path) -> None:
    heard: list[str] = []
    writer = Writer("some.zip", lambda member, _, __: heard.append(member.name))
    for name in ("a.bin.part", "a.bin"):
        member = Member(name, len(DATA), zlib.crc32(DATA), len(DATA), offset=0)
        writer.streamed(member, tmp_path / name, [DATA[:1000], DATA[1000:]])
    assert heard == ["a.bin.part", "a.bin"]
    assert {path.name: path.read_bytes() == DATA for path in tmp_path.iterdir()} == {"a.bin": True, "a.bin.part": True}
