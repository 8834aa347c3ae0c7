"""The manifest: what it says, that it is the same bytes for the same content, and that damage is found."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from maxsight_assets.errors import NewerFormat, VerificationFailed
from maxsight_assets.publishing.manifest import FOLDER, PAGE, ROWS, FileRow, Manifest, data_version, problems
from maxsight_assets_tests.publishing.staged import land, row_of, write

FULL = FileRow(
    path="val2017/000000000139.jpg",
    bytes=3,
    sha256="a" * 64,
    level="crc32+size",
    crc32=0xFFFFFFFF,
    etag='W/"x"',
    width=640,
    height=426,
    origin="zips/val2017.zip!val2017/000000000139.jpg",
    verified_at="2026-01-01T00:00:00+00:00",
)


def make(rows: list[FileRow]) -> Manifest:
    return Manifest.of(
        rows,
        asset="coco_raw",
        source="upstream",
        selection={"splits": ("val2017",), "seed": 42},
        inputs={"b": "2", "a": "1"},
    )


def test_reads_back_what_was_written(tmp_path: Path) -> None:
    manifest = make([FULL, row_of("é/ü.jpg", b"1"), replace(row_of("kept.jpg", b"22"), kept=True)])

    manifest.write(tmp_path, scratch=tmp_path / "scratch")

    assert Manifest.read(tmp_path) == manifest
    assert list(manifest.rows) == sorted(manifest.rows)
    assert [row.path for row in manifest.selected()] == ["val2017/000000000139.jpg", "é/ü.jpg"]
    assert (manifest.info.files, manifest.info.bytes) == (2, 4)


def test_same_content_gives_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    rows = [row_of(f"{n:03}.jpg", bytes([n])) for n in range(100)]
    for name, order in (("one", rows), ("two", rows[::-1])):
        (tmp_path / name).mkdir()
        make(order).write(tmp_path / name, scratch=tmp_path / "scratch")

    for file in (ROWS, PAGE):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    page = (tmp_path / "one" / PAGE).read_text(encoding="utf-8")
    assert page == json.dumps(json.loads(page), indent=2, sort_keys=True) + "\n"


def test_data_version_sees_paths_and_bytes_and_nothing_else() -> None:
    row = row_of("a.jpg", b"1")
    later = replace(row, level="first-use", etag="x", origin="y", width=1, height=1, verified_at="now", crc32=1)
    kept = replace(row_of("b.jpg", b"2"), kept=True)

    assert data_version([later, kept]) == data_version([row])
    assert data_version([replace(row, path="b.jpg")]) != data_version([row])
    assert data_version([row_of("a.jpg", b"2")]) != data_version([row])


@pytest.mark.parametrize("path", ["", "/a", "../a", "a/../b", "a//b", "./a", "a\\b", ".maxsight/x", "a\nb", "a\0b"])
def test_row_refuses_a_path_that_is_not_plain(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        replace(FULL, path=path)


def test_nothing_is_published_where_there_is_no_page(tmp_path: Path) -> None:
    make([FULL]).write(tmp_path, scratch=tmp_path / "scratch")
    (tmp_path / PAGE).unlink()

    assert Manifest.read(tmp_path) is None
    assert Manifest.read(tmp_path / "absent") is None


@pytest.mark.parametrize("file", [ROWS, PAGE])
@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_damage_is_found_and_named(tmp_path: Path, file: str, damage: str) -> None:
    make([row_of(f"{n}.jpg", bytes([n])) for n in range(50)]).write(tmp_path, scratch=tmp_path / "scratch")
    data = bytearray((tmp_path / file).read_bytes())
    if damage == "flip":
        data[data.index(b"data_version") + 20 if file == PAGE else 60] ^= 1
    (tmp_path / file).write_bytes({"cut": data[: len(data) // 2], "empty": b""}.get(damage, data))

    with pytest.raises(VerificationFailed, match=FOLDER):
        Manifest.read(tmp_path)


def test_rows_without_their_table_are_damage(tmp_path: Path) -> None:
    make([FULL]).write(tmp_path, scratch=tmp_path / "scratch")
    (tmp_path / ROWS).unlink()

    with pytest.raises(VerificationFailed, match="manifest is damaged"):
        Manifest.read(tmp_path)


def rewrite_rows(root: Path, changed: Callable[[pa.Table], pa.Table]) -> None:
    """Change the table of a directory's rows, and leave its page as it is."""
    pq.write_table(changed(pq.read_table(root / ROWS)), root / ROWS, write_page_checksum=True)


def test_the_same_version_is_read_once_and_shared(tmp_path: Path) -> None:
    make([FULL]).write(tmp_path, scratch=tmp_path / "scratch")

    first = Manifest.read(tmp_path)

    assert first is not None
    assert Manifest.read(tmp_path) is first
    assert first.rows[FULL.path] == FULL
    assert FULL.path in first.rows
    assert first.rows.get("another") is None


@pytest.mark.parametrize("file", [ROWS, PAGE])
def test_damage_after_a_version_was_read_is_found_by_the_same_process(tmp_path: Path, file: str) -> None:
    make([row_of(f"{n}.jpg", bytes([n])) for n in range(50)]).write(tmp_path, scratch=tmp_path / "scratch")
    assert Manifest.read(tmp_path) is not None

    (tmp_path / file).write_bytes((tmp_path / file).read_bytes()[:-9])

    with pytest.raises(VerificationFailed, match=FOLDER):
        Manifest.read(tmp_path)


def test_rows_of_another_version_are_damage(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        make([row_of("a.jpg", name.encode())]).write(tmp_path / name, scratch=tmp_path / "scratch")
        assert Manifest.read(tmp_path / name) is not None

    (tmp_path / "one" / ROWS).write_bytes((tmp_path / "two" / ROWS).read_bytes())

    with pytest.raises(VerificationFailed, match="data version"):
        Manifest.read(tmp_path / "one")


@pytest.mark.parametrize(
    ("column", "value"),
    [("path", "../a.jpg"), ("path", "a\u200b.jpg"), ("path", None), ("bytes", -1), ("sha256", "a"), ("level", "felt")],
)
def test_a_kept_row_that_no_file_can_have_is_damage(tmp_path: Path, column: str, value: object) -> None:
    make([FULL, replace(row_of("a.jpg", b"22"), kept=True)]).write(tmp_path, scratch=tmp_path / "scratch")

    def spoil(table: pa.Table) -> pa.Table:
        values = [value, *table[column].to_pylist()[1:]]
        place = table.schema.get_field_index(column)
        return table.set_column(place, column, pa.array(values, table.schema.field(column).type))

    rewrite_rows(tmp_path, spoil)

    with pytest.raises(VerificationFailed, match="manifest is damaged"):
        Manifest.read(tmp_path)


def test_a_path_that_is_there_twice_is_damage(tmp_path: Path) -> None:
    make([FULL, replace(row_of("a.jpg", b"22"), kept=True)]).write(tmp_path, scratch=tmp_path / "scratch")

    rewrite_rows(tmp_path, lambda table: pa.concat_tables([table[:1], table]))

    with pytest.raises(VerificationFailed, match="twice"):
        Manifest.read(tmp_path)


def test_problems_names_what_is_missing_longer_changed_or_no_file(tmp_path: Path) -> None:
    files = {f"{n:03}": bytes([n]) * 10 for n in range(80)}
    for path, data in files.items():
        write(tmp_path, path, data)
    (tmp_path / "003").unlink()
    (tmp_path / "005").write_bytes(b"x" * 11)
    (tmp_path / "007").write_bytes(b"x" * 10)
    (tmp_path / "070").unlink()
    (tmp_path / "070").symlink_to(tmp_path / "071")

    found = problems(tmp_path, [row_of(path, data) for path, data in files.items()])

    assert list(found) == ["003", "005", "007", "070"]
    assert found["003"] == "missing"
    assert found["005"] == "10 bytes expected, 11 found"
    assert found["007"].startswith("sha256 ")
    assert found["070"].startswith("unreadable")


def restate(root: Path, **fields: object) -> None:
    """Change what the page of a directory states."""
    page = json.loads((root / PAGE).read_bytes()) | fields
    (root / PAGE).write_text(json.dumps(page), encoding="utf-8")


def test_a_field_of_a_later_release_is_no_damage(tmp_path: Path) -> None:
    manifest = make([FULL])
    manifest.write(tmp_path, scratch=tmp_path / "scratch")

    restate(tmp_path, format="1.7", colour="blue")

    assert Manifest.read(tmp_path) == manifest


def test_a_later_format_is_refused_by_name(tmp_path: Path) -> None:
    make([FULL]).write(tmp_path, scratch=tmp_path / "scratch")

    restate(tmp_path, format="2.0")

    with pytest.raises(NewerFormat, match=r"MANIFEST\.json: format 2\.0 was written by a later release.* upgrade"):
        Manifest.read(tmp_path)


def test_a_directory_of_a_later_format_is_never_published_over(tmp_path: Path) -> None:
    target = tmp_path / "world"
    land(target, {"a.jpg": b"1"})
    restate(target, format="2.0")
    found = (target / PAGE).read_bytes()

    with pytest.raises(NewerFormat):
        land(target, {"a.jpg": b"2"})

    assert (target / PAGE).read_bytes() == found
    assert (target / "a.jpg").read_bytes() == b"1"
