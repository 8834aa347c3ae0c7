"""The label space: the right names in the right order."""

from pathlib import Path

import pytest

from maxsight_assets.errors import FormatError
from maxsight_assets.labels.space import load_space
from maxsight_assets_tests.places import SHARED


def test_the_detectors_space_has_622_names_beginning_with_coco() -> None:
    space = load_space()
    assert len(space) == 622
    assert space.names[:3] == ("person", "bicycle", "car")
    assert space.names[75:78] == ("toothbrush", "door", "door_open")
    assert space.names[-1] == "road_closed_sign"


def test_a_name_knows_its_class_index() -> None:
    space = load_space()
    assert [space.index[name] for name in ("person", "toothbrush", "road_closed_sign")] == [0, 75, 621]
    assert "elephant" not in space
    assert "stop sign" in space
    assert "stop_sign" in space


def test_the_order_is_that_of_the_stated_facts() -> None:
    facts = SHARED / "facts" / "maxsight_labels.txt"
    if not facts.exists():
        pytest.skip(f"no list to compare with at {facts}")
    assert list(load_space().names) == facts.read_text(encoding="utf-8").splitlines()


def test_a_file_of_ones_own_is_a_space(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("person\ndoor\n", encoding="utf-8")
    assert load_space(path).names == ("person", "door")


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("person\ndoor\n", encoding="utf-8-sig")
    assert load_space(path).names == ("person", "door")


@pytest.mark.parametrize(("content", "said"), [(b"", "empty"), (b"caf\xe9\n", "not UTF-8")])
def test_a_file_that_is_no_list_of_names_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "mine.txt"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=f"mine.txt: {said}"):
        load_space(path)


@pytest.mark.parametrize(("text", "line"), [("a\n\nb\n", 2), ("a\nb\na\n", 3), ("a\n b\n", 2)])
def test_an_unsound_list_is_refused_by_line(tmp_path: Path, text: str, line: int) -> None:
    path = tmp_path / "mine.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FormatError, match=f"mine.txt: line {line}:"):
        load_space(path)
