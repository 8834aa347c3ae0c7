"""Looking after what is published: verify, repair, adopt, prune, and accepting a changed upstream file."""

import hashlib
import os
import zlib
from pathlib import Path

import pytest

from maxsight_assets.errors import LandingError, NotPublished, Refused, VerificationFailed
from maxsight_assets.publishing.acceptance import accepted, as_accepted
from maxsight_assets.publishing.expected import Expected
from maxsight_assets.publishing.maintenance import accept, adopt, prune, repair, verify
from maxsight_assets.publishing.manifest import FileRow
from maxsight_assets.publishing.stage import previous, recovered_manifest
from maxsight_assets.publishing.swap import StateDir
from maxsight_assets.remote import RemoteFile
from maxsight_assets.verdict import Verdict
from maxsight_assets_tests.invariants import assert_invariants
from maxsight_assets_tests.publishing.staged import land, passing, write
from maxsight_assets_tests.publishing.test_stage import snapshot

FILES = {f"train/{n}.jpg": b"picture %d" % n for n in range(5)}


@pytest.fixture
def target(tmp_path: Path) -> Path:
    target = tmp_path / "data/world"
    land(target, FILES)
    return target


def damage(target: Path) -> None:
    (target / "train/0.jpg").unlink()
    (target / "train/1.jpg").write_bytes(b"longer than before")
    old = (target / "train/2.jpg").stat()
    (target / "train/2.jpg").write_bytes(b"PICTURE 2")
    os.utime(target / "train/2.jpg", ns=(old.st_atime_ns, old.st_mtime_ns))
    (target / "mine.txt").write_bytes(b"mine")


def from_memory(asked: list[str]) -> object:
    def fetch(row: FileRow, dest: Path) -> None:
        asked.append(row.path)
        dest.write_bytes(FILES[row.path])

    return fetch


def test_sound_directory_has_nothing_wrong(target: Path) -> None:
    report = verify(target)

    assert (report.checked, dict(report.wrong), report.foreign) == (5, {}, ())


def test_fault_69_same_size_and_time_is_found_by_hashes_only(target: Path) -> None:
    damage(target)

    assert set(verify(target, "names").wrong) == {"train/0.jpg"}
    assert set(verify(target, "sizes").wrong) == {"train/0.jpg", "train/1.jpg"}
    by_hash = verify(target, "hashes")
    assert set(by_hash.wrong) == {"train/0.jpg", "train/1.jpg", "train/2.jpg"}
    assert by_hash.wrong["train/0.jpg"] == "missing"
    assert by_hash.foreign == ("mine.txt",)
    land(target, FILES)
    assert_invariants(target, named=[*FILES, "mine.txt"])


def test_verify_says_where_nothing_is_published(tmp_path: Path) -> None:
    with pytest.raises(LandingError, match="nothing is published there"):
        verify(tmp_path)


def test_fault_39_edited_file_is_named_and_repair_fetches_just_it(target: Path) -> None:
    damage(target)
    asked: list[str] = []

    mended = repair(target, from_memory(asked))

    assert asked == list(mended) == ["train/0.jpg", "train/1.jpg", "train/2.jpg"]
    assert_invariants(target)
    assert (target / "mine.txt").read_bytes() == b"mine"
    aside = sorted(path.read_bytes() for path in StateDir.of(target).quarantine.rglob("*.jpg"))
    assert aside == [b"PICTURE 2", b"longer than before"]


def test_repair_of_a_sound_directory_asks_for_nothing_and_writes_nothing(target: Path) -> None:
    before = snapshot(target)
    asked: list[str] = []

    assert repair(target, from_memory(asked)) == ()
    assert asked == []
    assert snapshot(target) == before


def test_repair_refuses_bytes_that_are_not_the_published_ones(target: Path) -> None:
    (target / "train/0.jpg").unlink()

    with pytest.raises(VerificationFailed, match=r"train/0\.jpg: upstream no longer has the published bytes"):
        repair(target, lambda row, dest: dest.write_bytes(b"other") and None)

    assert not (target / "train/0.jpg").exists()
    assert [path.name for path in StateDir.of(target).root.iterdir() if path.name.startswith("tmp")] == []


def expected() -> list[Expected]:
    """Each file known by another digest."""
    known = []
    for n, (path, data) in enumerate(FILES.items()):
        sha256, md5 = hashlib.sha256(data).hexdigest(), hashlib.md5(data, usedforsecurity=False).hexdigest()
        digests = ({"sha256": sha256}, {"crc32": zlib.crc32(data)}, {"md5": md5})[n % 3]
        known.append(Expected(path, len(data), origin=f"zip!{path}", **digests))
    return known


def test_adopt_takes_over_a_whole_directory_in_place(tmp_path: Path) -> None:
    target = tmp_path / "data/world"
    for path, data in {**FILES, "mine/notes.txt": b"mine"}.items():
        write(target, path, data)
    inodes = {path: (target / path).stat().st_ino for path in FILES}

    report = adopt(target, expected(), asset="world", selection={"all": True}, inputs={}, gate=passing)

    assert (report.adopted, report.missing, dict(report.wrong)) == (5, (), {})
    manifest = assert_invariants(target)
    assert manifest == report.manifest
    assert manifest is not None
    assert [row.level for row in manifest.rows.values()] == ["sha256", "crc32+size", "etag-md5", "sha256", "crc32+size"]
    assert {path: (target / path).stat().st_ino for path in FILES} == inodes
    assert (target / "mine/notes.txt").read_bytes() == b"mine"
    land(target, FILES, selection={"all": True})
    assert previous(target) is None


def test_adopt_names_what_is_missing_or_wrong_and_touches_nothing(tmp_path: Path) -> None:
    target = tmp_path / "data/world"
    changed = {
        "train/0.jpg": b"PICTURE 0",
        "train/1.jpg": b"PICTURE 1",
        "train/2.jpg": b"PICTURE 2",
        "train/3.jpg": b"?",
    }
    for path, data in changed.items():
        write(target, path, data)
    before = snapshot(target)

    report = adopt(target, expected(), asset="world", selection={}, inputs={}, gate=passing)

    assert report.manifest is None
    assert report.missing == ("train/4.jpg",)
    assert {path: fault.partition(" ")[0] for path, fault in report.wrong.items()} == {
        "train/0.jpg": "sha256",
        "train/1.jpg": "crc32",
        "train/2.jpg": "md5",
        "train/3.jpg": "9",
    }
    assert snapshot(target) == before
    assert recovered_manifest(target) is None


def test_adopt_is_judged_like_a_landing(tmp_path: Path) -> None:
    target = tmp_path / "data/world"
    for path, data in FILES.items():
        write(target, path, data)

    with pytest.raises(NotPublished, match="decodes"):
        adopt(
            target,
            expected(),
            asset="world",
            selection={},
            inputs={},
            gate=lambda root, manifest: [Verdict("decodes", passed=False, checked=5, offenders=1)],
        )

    assert recovered_manifest(target) is None


def test_adopt_refuses_the_embedded_source(tmp_path: Path) -> None:
    land(tmp_path / "data/world", FILES, source="embedded")

    with pytest.raises(Refused, match="embedded"):
        adopt(tmp_path / "data/world", expected(), asset="world", selection={}, inputs={}, gate=passing)


def test_prune_asks_first(target: Path) -> None:
    land(target, {"train/4.jpg": FILES["train/4.jpg"]})
    before = snapshot(target)

    report = prune(target, protected=lambda: {"train/1.jpg", "train/4.jpg"})

    assert report.files == ("train/0.jpg", "train/2.jpg", "train/3.jpg")
    assert (report.bytes, report.previous) == (27, True)
    assert snapshot(target) == before
    assert previous(target) is not None


def test_fault_78_prune_never_takes_what_a_split_names(target: Path) -> None:
    land(target, {"train/4.jpg": FILES["train/4.jpg"]})
    (target / "mine.txt").write_bytes(b"mine")
    (target / "train/3.jpg").unlink()
    (target / "train/3.jpg").write_bytes(b"retouched")
    version = recovered_manifest(target)

    report = prune(target, protected=lambda: {"train/1.jpg"}, really=True)

    assert report.files == ("train/0.jpg", "train/2.jpg")
    assert previous(target) is None
    assert version is not None
    (target / "train/3.jpg").write_bytes(FILES["train/3.jpg"])
    assert_invariants(target, versions={version.data_version}, named=["train/1.jpg", "train/4.jpg", "mine.txt"])
    assert not (target / "train/0.jpg").exists()


def test_fault_78_prune_deletes_what_was_set_aside_unless_it_is_all_that_is_left_of_what_a_split_names(
    target: Path,
) -> None:
    damage(target)
    repair(target, from_memory([]))
    (target / "train/2.jpg").unlink()  # now only its edited copy is left

    told = prune(target, protected=lambda: {"train/1.jpg", "train/2.jpg"})
    assert told.set_aside == ("train/1.jpg",)
    assert len(list(StateDir.of(target).quarantine.rglob("*.jpg"))) == 2
    prune(target, protected=lambda: {"train/1.jpg", "train/2.jpg"}, really=True)

    assert [path.read_bytes() for path in StateDir.of(target).quarantine.rglob("*.jpg")] == [b"PICTURE 2"]
    land(target, FILES)
    assert prune(target, protected=lambda: FILES, really=True).set_aside == ("train/2.jpg",)
    assert list(StateDir.of(target).quarantine.iterdir()) == []
    assert_invariants(target, named=FILES)


def test_prune_leaves_a_previous_version_that_alone_holds_what_a_split_names(tmp_path: Path) -> None:
    target = tmp_path / "data/world"
    land(target, FILES, keep=False)
    land(target, {"train/4.jpg": FILES["train/4.jpg"]}, keep=False)

    report = prune(target, protected=lambda: {"train/0.jpg"}, really=True)

    assert not report.previous
    assert previous(target) is not None


def test_prune_leaves_a_previous_version_that_holds_the_last_copy_of_what_a_split_names(target: Path) -> None:
    land(target, {**FILES, "train/5.jpg": b"one more"})
    (target / "train/0.jpg").unlink()  # the manifest names it still

    report = prune(target, protected=lambda: FILES, really=True)

    assert not report.previous
    assert (StateDir.of(target).previous / "train/0.jpg").read_bytes() == FILES["train/0.jpg"]
    land(target, {**FILES, "train/5.jpg": b"one more"})
    assert prune(target, protected=lambda: FILES, really=True).previous
    assert_invariants(target, named=FILES)


def test_fault_70_accepted_facts_replace_the_catalog_s(target: Path) -> None:
    pinned = RemoteFile(
        "zips/val2017.zip", "https://example.org/val2017.zip", bytes=10, sha1="b" * 40, on_change="stop"
    )
    changed = RemoteFile(pinned.key, pinned.url, bytes=11, sha256="a" * 64, on_change="stop")
    published = recovered_manifest(target)
    assert as_accepted(target, pinned) == pinned

    accept(target, changed)

    now = as_accepted(target, pinned)
    assert (now.bytes, now.sha256, now.sha1, now.on_change) == (11, "a" * 64, None, "stop")
    assert as_accepted(target, RemoteFile("other.zip", "https://example.org/o")).sha256 is None
    accept(target, RemoteFile("other.zip", "https://example.org/o", index_sha256="c" * 64))
    assert as_accepted(target, RemoteFile("other.zip", "https://example.org/o", sha1="d" * 40)).sha1 is None
    assert set(accepted(target)) == {"zips/val2017.zip", "other.zip"}
    assert "example.org" not in (StateDir.of(target).root / "accepted.json").read_text(encoding="utf-8")
    assert recovered_manifest(target) == published
    assert_invariants(target)


def test_accepting_needs_a_hash(target: Path) -> None:
    with pytest.raises(LandingError, match="nothing to accept"):
        accept(target, RemoteFile("a.zip", "https://example.org/a.zip", bytes=3))
