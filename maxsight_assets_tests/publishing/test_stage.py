"""Publishing: what is swapped in, carried, kept, adopted, left alone, refused, and brought back."""

import hashlib
import logging
import os
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from maxsight_assets import disk
from maxsight_assets.errors import LandingError, NotPublished, Refused, VerificationFailed
from maxsight_assets.publishing import stage as stages
from maxsight_assets.publishing.expected import Expected
from maxsight_assets.publishing.maintenance import rollback
from maxsight_assets.publishing.manifest import PAGE, ROWS, Manifest
from maxsight_assets.publishing.stage import previous, recovered_manifest, staging
from maxsight_assets.publishing.swap import StateDir
from maxsight_assets.verdict import Verdict, verdict_of
from maxsight_assets_tests.invariants import assert_invariants
from maxsight_assets_tests.publishing.staged import bring, land, passing, row_of, write

ONE = {"train/a.jpg": b"a1", "train/b.jpg": b"b1", "labels.json": b"{}"}
TWO = {"train/a.jpg": b"a1", "train/c.jpg": b"c1", "labels.json": b"{2}"}


def snapshot(root: Path) -> dict[str, tuple[int, int, bytes]]:
    """Inode, time and bytes of each file: equal snapshots mean that not a byte was written."""
    return {
        path: (entry.stat().st_ino, entry.stat().st_mtime_ns, Path(entry.path).read_bytes())
        for path, entry in disk.walk(root)
    }


@pytest.fixture(params=["exchange", "two renames", "copies"])
def target(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A target on a file system that exchanges and links, one that renames and links, one that renames and copies."""
    if request.param != "exchange":
        monkeypatch.setattr(disk, "exchange", lambda one, other: False)
    if request.param == "copies":
        monkeypatch.setattr(disk, "_hard_link", _no_links)
    return tmp_path / "data" / "world"


def _no_links(source: Path, dest: Path) -> bool:
    return False


def test_first_publish_makes_the_directory(target: Path) -> None:
    manifest = land(target, ONE)

    assert assert_invariants(target) == manifest
    assert {path for path, _ in disk.walk(target)} == {*ONE, ROWS, PAGE}
    assert previous(target) is None


def test_next_version_replaces_the_whole_and_keeps_the_previous(target: Path) -> None:
    first = land(target, ONE, keep=False)

    second = land(target, TWO, keep=False)

    assert assert_invariants(target) == second
    assert {path: (target / path).read_bytes() for path in second.rows} == TWO
    assert not (target / "train/b.jpg").exists()
    assert previous(target) == first


def test_unchanged_files_are_carried_not_fetched(target: Path) -> None:
    land(target, ONE)
    fetched: list[str] = []

    land(target, TWO, fetched=fetched)

    assert fetched == ["train/c.jpg", "labels.json"]


def test_unchanged_files_share_their_bytes_with_the_previous_version(tmp_path: Path) -> None:
    land(tmp_path / "world", ONE)
    inode = (tmp_path / "world/train/a.jpg").stat().st_ino

    land(tmp_path / "world", TWO)

    assert (tmp_path / "world/train/a.jpg").stat().st_ino == inode


def test_equal_version_writes_not_a_byte(target: Path) -> None:
    land(target, ONE)
    land(target, TWO)
    before = snapshot(target), snapshot(StateDir.of(target).previous)

    again = land(target, TWO)

    assert (snapshot(target), snapshot(StateDir.of(target).previous)) == before
    assert assert_invariants(target) == again


def test_a_version_keeps_the_time_of_its_publication(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter("1234")
    monkeypatch.setattr(stages, "now", lambda _: next(clock))
    first = land(target, ONE, inputs={"zip": "1"})

    again = land(target, ONE, inputs={"zip": "2"})
    other_selection = land(target, ONE, selection={"seed": 7})
    second = land(target, TWO)

    times = [each.info.published_at for each in (first, again, other_selection, second)]
    assert times == ["1", "1", "1", "2"]
    before = previous(target)
    assert before is not None
    assert before.info.published_at == "1"


def test_moved_inputs_are_recorded_without_a_swap(target: Path) -> None:
    land(target, ONE, inputs={"zip": "1"})
    before = snapshot(target)

    land(target, ONE, inputs={"zip": "2"})

    after = snapshot(target)
    assert {path for path in after if after[path] != before[path]} == {PAGE}
    published = recovered_manifest(target)
    assert published is not None
    assert published.info.inputs == {"zip": "2"}
    assert previous(target) is None


def test_fault_68_new_etag_same_bytes_is_recorded_and_no_new_version(target: Path) -> None:
    first = land(target, ONE)
    with staging(target, asset="world", source="upstream") as stage:
        bring(stage, ONE)
        stage.record(row_of("labels.json", ONE["labels.json"], etag='"new"'))
        second = stage.publish(selection=first.info.selection, inputs={}, gate=passing, keep=True)

    published = assert_invariants(target)
    assert published == second
    assert published is not None
    assert published.rows["labels.json"].etag == '"new"'
    assert published.data_version == first.data_version
    assert previous(target) is None


def test_files_of_an_earlier_selection_are_kept_and_taken_up_again(target: Path) -> None:
    first = land(target, ONE)
    second = land(target, TWO)

    assert second.rows["train/b.jpg"].kept
    assert second.data_version == land(target.parent / "fresh", TWO).data_version

    fetched: list[str] = []
    third = land(target, ONE, fetched=fetched)

    assert fetched == ["labels.json"]
    assert not third.rows["train/b.jpg"].kept
    assert third.rows["train/c.jpg"].kept
    assert third.data_version == first.data_version
    assert_invariants(target, beside={"fresh", ".fresh.maxsight"})


@pytest.mark.parametrize("keep", [True, False])
def test_foreign_files_stay(target: Path, keep: bool) -> None:
    land(target, ONE, keep=keep)
    (target / "notes.txt").write_text("mine", encoding="utf-8")
    (target / "train/mine").mkdir()
    (target / "train/mine/x.jpg").write_bytes(b"mine too")
    (target / "link").symlink_to("notes.txt")

    manifest = land(target, TWO, keep=keep)

    assert (target / "notes.txt").read_text(encoding="utf-8") == "mine"
    assert (target / "train/mine/x.jpg").read_bytes() == b"mine too"
    assert (target / "link").readlink() == Path("notes.txt")
    assert not {"notes.txt", "train/mine/x.jpg", "link"} & set(manifest.rows)
    assert_invariants(target)


def test_foreign_file_that_arrives_while_the_swap_is_made_comes_along(target: Path) -> None:
    land(target, ONE)

    def gate(root: Path, manifest: Manifest) -> list[Verdict]:
        (target / "late.txt").write_text("late", encoding="utf-8")
        return []

    land(target, TWO, gate=gate)

    assert (target / "late.txt").read_text(encoding="utf-8") == "late"


def test_unmanaged_directory_is_adopted_where_it_holds_the_same_bytes(target: Path) -> None:
    write(target, "train/a.jpg", b"a1")
    write(target, "mine.txt", b"mine")
    with staging(target, asset="world", source="upstream") as stage:
        found = Expected("train/a.jpg", 2, sha256=hashlib.sha256(b"a1").hexdigest())
        assert stage.obtain(found, moved=False) == "adopted"
        assert stage.obtain(Expected("train/b.jpg", 2, crc32=7), moved=False) is None
        assert stage.obtain(Expected("mine.txt", 4, crc32=7), moved=False) is None
        assert stage.obtain(Expected("mine.txt"), moved=False) is None
        adopted = stage.rows["train/a.jpg"]
        bring(stage, ONE)
        stage.publish(selection={}, inputs={}, gate=passing, keep=True)

    assert adopted.level == "sha256"
    assert adopted.verified_at is not None
    published = assert_invariants(target)
    assert published is not None
    assert set(published.rows) == set(ONE)
    assert (target / "mine.txt").read_bytes() == b"mine"
    assert previous(target) is None


def test_files_of_a_person_in_the_way_refuse_the_publish_and_lose_nothing(target: Path) -> None:
    write(target, "train/a.jpg", b"other")
    before = snapshot(target)

    with pytest.raises(Refused, match=r"train/a\.jpg.*move them away"):
        land(target, ONE)

    assert snapshot(target) == before
    (target / "train/a.jpg").rename(target.parent / "elsewhere.jpg")
    fetched: list[str] = []
    land(target, ONE, fetched=fetched)
    assert fetched == []
    assert_invariants(target, beside={"elsewhere.jpg"})


def test_a_person_s_folder_where_a_file_must_go_is_refused(target: Path) -> None:
    write(target, "labels.json/mine.txt", b"mine")

    with pytest.raises(Refused, match=r"labels\.json/mine\.txt"):
        land(target, ONE)

    assert (target / "labels.json/mine.txt").read_bytes() == b"mine"


def test_a_file_in_the_target_s_place_is_refused(target: Path) -> None:
    write(target.parent, target.name, b"mine")

    with pytest.raises(Refused, match="is a file"):
        land(target, ONE)

    assert target.read_bytes() == b"mine"


@pytest.mark.parametrize("keep", [True, False])
def test_edited_file_is_mended_and_the_edit_set_aside(
    target: Path, caplog: pytest.LogCaptureFixture, keep: bool
) -> None:
    land(target, ONE, keep=keep)
    (target / "labels.json").unlink()
    (target / "labels.json").write_bytes(b"{my work}")
    caplog.set_level(logging.WARNING)
    before = (target / "train/a.jpg").stat().st_ino

    manifest = land(target, ONE, keep=keep)

    assert (target / "labels.json").read_bytes() == ONE["labels.json"]
    assert (target / "train/a.jpg").stat().st_ino == before
    aside = [path for path, _ in disk.walk(StateDir.of(target).quarantine)]
    assert [path.partition("/")[2] for path in aside] == ["labels.json"]
    assert (StateDir.of(target).quarantine / aside[0]).read_bytes() == b"{my work}"
    assert "labels.json was changed after it was landed" in caplog.text
    assert assert_invariants(target) == manifest


def test_edited_file_that_is_no_longer_selected_becomes_the_person_s(target: Path) -> None:
    land(target, ONE, keep=False)
    (target / "train/b.jpg").unlink()
    (target / "train/b.jpg").write_bytes(b"retouched")

    manifest = land(target, TWO, keep=False)

    assert "train/b.jpg" not in manifest.rows
    assert (target / "train/b.jpg").read_bytes() == b"retouched"
    assert_invariants(target, edited=["train/b.jpg"])


def test_damaged_file_is_never_carried(target: Path) -> None:
    land(target, ONE)
    (target / "train/a.jpg").write_bytes(b"a2")
    fetched: list[str] = []

    land(target, TWO, fetched=fetched)

    assert "train/a.jpg" in fetched
    assert (target / "train/a.jpg").read_bytes() == b"a1"
    assert_invariants(target, edited=["train/a.jpg"])


def test_damaged_manifest_is_healed_by_a_plain_rerun(target: Path) -> None:
    first = land(target, ONE)
    (target / "labels.json").write_bytes(b"damaged too")
    (target / ROWS).write_bytes(b"PAR1")

    second = land(target, ONE)

    assert second.data_version == first.data_version
    assert_invariants(target, versions={first.data_version})


@pytest.mark.parametrize(("held", "comes"), [("upstream", "embedded"), ("embedded", "upstream")])
def test_fault_76_another_source_is_refused_with_one_line_and_nothing_touched(
    target: Path, held: str, comes: str
) -> None:
    first = land(target, ONE, source=held)
    before = snapshot(target.parent)

    with pytest.raises(Refused, match=f"holds {held} data") as refused:
        land(target, TWO, source=comes)

    assert "\n" not in str(refused.value)
    assert snapshot(target.parent) == before
    assert_invariants(target, versions={first.data_version})
    (target / ROWS).write_bytes(b"damaged")
    with pytest.raises(Refused, match=f"holds {held} data"):
        land(target, TWO, source=comes)


def test_fault_76_embedded_source_is_refused_over_a_person_s_files(target: Path) -> None:
    write(target, "train/real.jpg", b"real")
    before = snapshot(target.parent)

    with pytest.raises(Refused, match="not landed here"):
        land(target, ONE, source="embedded")

    assert snapshot(target.parent) == before
    assert list(target.parent.iterdir()) == [target]
    assert_invariants(target, versions={""}, named=["train/real.jpg"])


def test_staged_rows_of_another_source_are_not_taken_over(target: Path) -> None:
    with staging(target, asset="world", source="embedded") as stage:
        bring(stage, ONE)
    fetched: list[str] = []

    land(target, ONE, source="upstream", fetched=fetched)

    assert fetched == list(ONE)


def test_fault_77_selection_is_stored_with_the_version_and_survives(target: Path) -> None:
    chosen = {"classes": ["cat", "dog"], "seed": 7, "fractions": (0.8, 0.2)}
    land(target, ONE, selection=chosen)
    published = recovered_manifest(target)
    assert published is not None

    refreshed = land(target, {**ONE, "labels.json": b"{new}"}, selection=published.info.selection)

    assert refreshed.info.selection == {"classes": ["cat", "dog"], "seed": 7, "fractions": [0.8, 0.2]}
    assert_invariants(target, versions={refreshed.data_version})
    assert rollback(target).info.selection == published.info.selection
    assert_invariants(target, versions={published.data_version})


def test_another_selection_of_the_same_files_is_a_version_with_a_previous_one(target: Path) -> None:
    first = land(target, ONE, selection={"seed": 1})

    second = land(target, ONE, selection={"seed": 2})

    assert second.data_version == first.data_version
    past = previous(target)
    assert past is not None
    assert past.info.selection == {"seed": 1}
    assert_invariants(target)


def test_fault_78_a_smaller_selection_takes_no_image_away_and_open_files_stay_readable(target: Path) -> None:
    land(target, ONE)
    with (target / "labels.json").open("rb") as reading:
        land(target, {"train/a.jpg": b"a1", "labels.json": b"{less}"})
        assert reading.read() == ONE["labels.json"]

    assert_invariants(target, named=["train/a.jpg", "train/b.jpg"])
    rollback(target)
    assert_invariants(target, named=["train/a.jpg", "train/b.jpg"])


def failing(root: Path, manifest: Manifest) -> list[Verdict]:
    return [
        Verdict("complete", passed=True, checked=3),
        verdict_of("decodes", ["train/c.jpg"], checked=3, remedy="Fetch it again: maxsight-assets repair world."),
    ]


def test_fault_79_failed_blocking_rule_publishes_nothing_and_says_what_where_and_what_to_do(target: Path) -> None:
    first = land(target, ONE)
    before = snapshot(target)

    with pytest.raises(NotPublished, match=r"decodes: 1 of 3 \(train/c.jpg\).*repair world") as refused:
        land(target, TWO, gate=failing)

    assert snapshot(target) == before
    assert [verdict.rule for verdict in refused.value.verdicts] == ["complete", "decodes"]
    assert not refused.value.retryable
    fetched: list[str] = []
    second = land(target, TWO, fetched=fetched)
    assert "train/c.jpg" not in fetched
    assert rollback(target).data_version == first.data_version
    assert_invariants(target, versions={first.data_version})
    assert rollback(target).data_version == second.data_version
    assert_invariants(target, versions={second.data_version})


def test_first_landing_that_fails_a_rule_leaves_nothing(target: Path) -> None:
    with pytest.raises(NotPublished, match="nothing is published yet"):
        land(target, ONE, gate=failing)

    assert not target.exists()
    assert recovered_manifest(target) is None


def test_rollback_of_raw_data_keeps_what_was_landed_since(target: Path) -> None:
    first = land(target, ONE)
    land(target, TWO)
    (target / "notes.txt").write_text("mine", encoding="utf-8")

    restored = rollback(target)

    assert restored.data_version == first.data_version
    assert restored.rows["train/c.jpg"].kept
    assert (target / "labels.json").read_bytes() == ONE["labels.json"]
    assert (target / "notes.txt").read_text(encoding="utf-8") == "mine"
    assert_invariants(target, named=["train/a.jpg", "train/b.jpg", "train/c.jpg"])


def test_rollback_of_our_own_outputs_is_exact(target: Path) -> None:
    first = land(target, ONE, keep=False)
    land(target, TWO, keep=False)

    assert rollback(target) == first
    assert {path for path, _ in disk.walk(target)} == {*ONE, ROWS, PAGE}


def test_rollback_mends_a_damaged_manifest(target: Path) -> None:
    land(target, ONE, keep=False)
    land(target, TWO, keep=False)
    (target / PAGE).write_bytes(b"x")

    restored = rollback(target)

    assert assert_invariants(target) == restored
    assert {path: (target / path).read_bytes() for path in restored.rows} == ONE


def test_another_asset_is_never_published_over_one(target: Path) -> None:
    before = land(target, ONE)

    with (
        pytest.raises(Refused, match="holds world; splits is never published"),
        staging(target, asset="splits", source="upstream"),
    ):
        pass

    assert assert_invariants(target) == before


def test_a_note_of_a_step_that_cannot_be_read_is_named(target: Path) -> None:
    land(target, ONE)
    StateDir.of(target).journal.write_bytes(b'{"step": "leap"}')

    with pytest.raises(LandingError, match=r"journal\.json: the note"):
        land(target, TWO)


def test_rollback_without_a_previous_version_says_so(target: Path) -> None:
    land(target, ONE)

    with pytest.raises(LandingError, match="no previous version"):
        rollback(target)


def test_rollback_refuses_a_damaged_version(target: Path) -> None:
    land(target, ONE)
    second = land(target, TWO)
    (StateDir.of(target).previous / "labels.json").write_bytes(b"damaged")

    with pytest.raises(VerificationFailed, match=r"labels\.json"):
        rollback(target)

    assert recovered_manifest(target) == second


def test_file_of_the_present_version_is_reused_unless_it_may_be_another_one_upstream(target: Path) -> None:
    crc32, sha256 = zlib.crc32(b"1"), hashlib.sha256(b"1").hexdigest()
    with staging(target, asset="world", source="upstream") as stage:
        for path in ("a", "b", "c"):
            write(stage.root, path, b"1")
            stage.record(replace(row_of(path, b"1"), crc32=crc32))
        stage.publish(selection={}, inputs={}, gate=passing, keep=True)

    with staging(target, asset="world", source="upstream") as stage:
        for expected, moved in (
            (Expected("a"), True),
            (Expected("a", 1, sha256=sha256), True),
            (Expected("a", 2), False),
            (Expected("a", 1, crc32=crc32 + 1), False),
            (Expected("a", 1, sha256=hashlib.sha256(b"2").hexdigest()), False),
            (Expected("d", 1, crc32=crc32), False),
        ):
            assert stage.obtain(expected, moved=moved) is None, expected
        assert not stage.rows
        assert stage.obtain(Expected("a"), moved=False) == "reused"
        assert stage.obtain(Expected("b", 1, sha256=sha256), moved=False) == "reused"
        assert stage.obtain(Expected("c", 1, crc32=crc32), moved=True) == "reused"
        assert set(stage.rows) == {"a", "b", "c"}


def test_file_of_an_interrupted_run_is_reused_and_a_damaged_one_is_not(target: Path) -> None:
    land(target, ONE)
    with staging(target, asset="world", source="upstream") as stage:
        write(stage.root, "new.jpg", b"new")
        stage.record(row_of("new.jpg", b"new"))
    write(target, "train/a.jpg", b"xx")
    with staging(target, asset="world", source="upstream") as stage:
        assert stage.obtain(Expected("new.jpg", 3), moved=True) == "reused"
        assert stage.obtain(Expected("train/a.jpg", 2), moved=False) is None


def test_recorded_file_must_be_staged_with_its_size(target: Path) -> None:
    with staging(target, asset="world", source="upstream") as stage:
        with pytest.raises(VerificationFailed, match="no file"):
            stage.record(row_of("a", b"1"))
        write(stage.root, "a", b"12")
        with pytest.raises(VerificationFailed, match="1 bytes to be recorded, 2 staged"):
            stage.record(row_of("a", b"1"))
        assert stage.have("a") is None


def test_what_no_row_names_is_not_published(target: Path) -> None:
    with staging(target, asset="world", source="upstream") as stage:
        bring(stage, ONE)
        write(stage.root, "half/done.jpg", b"x")
        stage.publish(selection={}, inputs={}, gate=passing, keep=True)

    assert not (target / "half").exists()
    assert_invariants(target)


def test_overwriting_a_resumed_file_never_reaches_the_published_version(target: Path) -> None:
    land(target, ONE)
    with staging(target, asset="world", source="upstream") as stage:
        stage.carry("labels.json")
        (stage.root / "train").mkdir(exist_ok=True)
        os.link(target / "train/b.jpg", stage.root / "train/b.jpg")  # a kill between link and record
    with staging(target, asset="world", source="upstream") as stage:
        for path in ("labels.json", "train/b.jpg"):
            (stage.root / path).parent.mkdir(exist_ok=True)
            with (stage.root / path).open("wb") as stream:
                stream.write(b"written into")

    assert_invariants(target, settled=False)


def test_staged_bytes_that_a_power_loss_took_are_fetched_again(target: Path) -> None:
    with staging(target, asset="world", source="upstream") as stage:
        bring(stage, ONE)
        (stage.root / "train/a.jpg").write_bytes(b"\0\0")
        (stage.root / "train/b.jpg").unlink()
    fetched: list[str] = []

    land(target, ONE, fetched=fetched)

    assert fetched == ["train/a.jpg", "train/b.jpg"]
    assert_invariants(target)


def test_symbolic_link_to_a_directory_elsewhere_is_published_through(tmp_path: Path) -> None:
    (tmp_path / "big").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "data/world").symlink_to(tmp_path / "big/world")

    land(tmp_path / "data/world", ONE)
    land(tmp_path / "data/world", TWO)

    assert (tmp_path / "data/world").is_symlink()
    assert sorted(path.name for path in (tmp_path / "big").iterdir()) == [".world.maxsight", "world"]
    assert_invariants(tmp_path / "big/world")


def test_what_an_interrupted_run_staged_for_another_selection_is_not_published(target: Path) -> None:
    with staging(target, asset="world", source="upstream") as stage:
        bring(stage, {**ONE, "train/unwanted.jpg": b"u"})

    manifest = land(target, ONE)

    assert set(manifest.rows) == set(ONE)
    assert manifest.data_version == land(target.parent / "fresh", ONE).data_version
    assert_invariants(target, beside={"fresh", ".fresh.maxsight"})


def test_rollback_loses_no_edit(target: Path) -> None:
    land(target, ONE)
    land(target, TWO)
    for path in ("train/c.jpg", "labels.json"):
        (target / path).unlink()
        (target / path).write_bytes(b"edited")

    manifest = rollback(target)

    assert "train/c.jpg" not in manifest.rows
    assert (target / "train/c.jpg").read_bytes() == b"edited"
    aside = [path for path, _ in disk.walk(StateDir.of(target).quarantine)]
    assert [path.partition("/")[2] for path in aside] == ["labels.json"]
    assert_invariants(target, edited=["train/c.jpg", "labels.json"])
