"""Documents read in pieces: wherever a piece ends, the records are those of the whole."""

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maxsight_assets.errors import FormatError
from maxsight_assets.formats import coco, sections
from maxsight_assets.formats.sections import Long, Sections, count_keys


class Record(msgspec.Struct):
    id: int
    parts: list[dict[str, Any]] = []


def ids(records: list[Record]) -> tuple[list[int], int]:
    nested = sum(len(part) for record in records for part in record.parts)
    return [record.id for record in records], len(records) * 2 + nested


LONGS = {"annotations": Long(Record, ids), "images": Long(Record, ids)}


def read(path: Path, content: Any, *, piece: int, monkeypatch: pytest.MonkeyPatch) -> Sections[list[int]]:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    monkeypatch.setattr(sections, "_PIECE_BYTES", piece)
    return Sections(path, LONGS)


def whole(read_: Sections[list[int]], name: str) -> list[int]:
    return [number for piece in read_.made[name] for number in piece]


RECORDS = [{"id": number, "parts": [{"a": 1}, {"b": number}]} for number in range(40)]
FLAT = [{"id": number, "parts": []} for number in range(40)]


@pytest.mark.parametrize("far", [0, 30, 2**26])
@pytest.mark.parametrize("piece", [1, 2, 7, 100, 10_000])
@pytest.mark.parametrize("records", [RECORDS, FLAT, []], ids=["nested", "flat", "empty"])
@pytest.mark.parametrize("order", [("images", "annotations", "info"), ("info", "annotations", "images")])
def test_wherever_a_piece_ends_the_records_are_those_of_the_file(
    far: int, piece: int, records: list[Any], order: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sections, "_FAR", far)
    content = {"images": FLAT, "annotations": records, "info": {"x": 1}}

    read_ = read(tmp_path / "a.json", {name: content[name] for name in order}, piece=piece, monkeypatch=monkeypatch)

    assert whole(read_, "annotations") == [record["id"] for record in records]
    assert whole(read_, "images") == list(range(40))
    assert {name: bytes(value) for name, value in read_.values.items()} == {"info": b'{"x": 1}'}
    assert [json.loads(bytes(raw)) for raw in read_.records("annotations")] == records
    read_.check_keys()


@pytest.mark.parametrize("piece", [1, 7, 10_000])
@pytest.mark.parametrize(
    "rest", ['"info": {"x": 1}', '"info": {"x": 1}, "annotations": []', '"annotations": [{"id": 7}]']
)
def test_a_list_that_may_be_absent_is_empty_or_as_it_stands(
    piece: int, rest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    path.write_text(f'{{"images": {json.dumps(FLAT)}, {rest}}}', encoding="utf-8")
    monkeypatch.setattr(sections, "_PIECE_BYTES", piece)
    monkeypatch.setattr(Sections, "_slowly", None)

    read_ = Sections(path, LONGS, absent=["annotations"])

    assert whole(read_, "images") == list(range(40))
    assert whole(read_, "annotations") == [record["id"] for record in json.loads(f"{{{rest}}}").get("annotations", [])]


@settings(deadline=None)
@given(texts=st.lists(st.text('}{,[]":\\a ', max_size=12), max_size=8), piece=st.integers(1, 60))
def test_text_that_looks_like_the_end_of_a_record_is_text(
    texts: list[str], piece: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("texts") / "a.json"
    images = [{"id": number, "file_name": text, "width": 1} for number, text in enumerate(texts)]
    path.write_text(json.dumps({"images": images, "annotations": [], "categories": []}), encoding="utf-8")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sections, "_PIECE_BYTES", piece)
        tables = coco.read_instances(path, split="v", image_dir="d").tables()

    assert tables.images["path"].to_list() == [f"d/{text}" for text in texts]


def test_a_list_of_that_name_within_another_section_is_not_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = {"info": {"annotations": RECORDS}, "images": [], "annotations": FLAT[:3]}

    read_ = read(tmp_path / "a.json", content, piece=10, monkeypatch=monkeypatch)

    assert whole(read_, "annotations") == [0, 1, 2]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"images": [], "annotations": [{"id": 1}, {"id": 2}', "$.annotations[1]"),
        ('{"images": [], "annotations": [{"id": 1},, {"id": 2}]}', "$.annotations[1]: "),
        ('{"images": [], "annotations": [{"id": 1}, {"id": 2},]}', "$.annotations[2]: "),
        ('{"images": [], "annotations": [{"id": 1}] {"id": 2}]}', "$.annotations: "),
        ('{"images": [{"id": nan}], "annotations": [{"id": 1}]}', "$.images[0].id: "),
        ('{"annotations": [{"id": 1}]}', "$.images: missing"),
    ],
)
def test_fault_62_an_error_in_any_piece_names_its_place(
    text: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FormatError) as caught:
        read(tmp_path / "a.json", text, piece=1, monkeypatch=monkeypatch)

    assert str(caught.value).startswith(f"a.json: {place}")


def test_fault_62_a_list_that_stands_twice_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '{"annotations": [{"id": 1, "parts": []}], "images": [], "annotations": [{"id": 2, "parts": []}]}'

    read_ = read(tmp_path / "a.json", text, piece=1, monkeypatch=monkeypatch)

    with pytest.raises(FormatError, match=r"\$\.annotations: this key stands twice"):
        read_.check_keys()


@pytest.mark.parametrize("longer", [True, False])
def test_records_of_a_file_that_changed_are_not_taken_for_those_that_were_read(
    longer: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    read_ = read(path, {"annotations": RECORDS, "images": FLAT}, piece=100, monkeypatch=monkeypatch)

    path.write_text(path.read_text(encoding="utf-8") + " " * longer, encoding="utf-8")
    os.utime(path, ns=(0, 0))

    with pytest.raises(FormatError, match=r"a\.json: has changed since it was read first"):
        read_.records("annotations")


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"

    def changing(records: list[Record]) -> tuple[list[int], int]:
        os.utime(path, ns=(0, 0))
        return ids(records)

    monkeypatch.setitem(LONGS, "images", Long(Record, changing))

    with pytest.raises(FormatError, match=r"a\.json: has changed since it was read first"):
        read(path, {"annotations": RECORDS, "images": FLAT}, piece=100, monkeypatch=monkeypatch)


def test_keys_are_counted_as_far_as_they_are_there() -> None:
    class Sparse(msgspec.Struct):
        id: int
        area: float | msgspec.UnsetType | None = msgspec.UNSET

    assert count_keys([Sparse(1), Sparse(2, 3.0), Sparse(3, None)], Sparse) == 5
