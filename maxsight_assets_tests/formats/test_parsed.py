"""An annotation file is parsed once per content, and an entry that is not its own is never believed."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from maxsight_assets.formats import parsed
from maxsight_assets.formats.coco import read_instances, write_document
from maxsight_assets.formats.parsed import Parsed, read_parsed

OPTIONS: dict[str, Any] = {"split": "val2017", "image_dir": "coco_raw/val2017", "annotated": True}


def write(path: Path, *, boxes: int = 5) -> Path:
    """Write a document in which one box has a mask, one an RLE, one odd fields and one nothing."""
    masks: list[dict[str, object]] = [
        {"segmentation": [[1.5, 1, 9, 1, 9, 9]], "area": 1e400 if boxes == 3 else 32.25},
        {"segmentation": {"counts": [0, 100], "size": [10, 10]}, "iscrowd": 1},
        {"segmentation": "x", "iscrowd": 1.0, "category_id": "7"},
        {},
    ]
    write_document(
        path,
        info={"year": 2017},
        licenses=[{"id": 4, "url": "http://licence.example/by"}, {"id": 5}],
        images=[{"id": n, "file_name": f"{n:012}.jpg", "width": 10, "height": 10, "license": 4} for n in (1, 2)],
        annotations=[
            {"id": n, "image_id": 1 + n % 2, "category_id": 1, "bbox": [1.5, 1, 7.5, 8], **masks[n % 4]}
            for n in range(boxes)
        ],
        categories=[{"id": 1, "name": "person"}],
    )
    return path


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with an annotation file, and its entry in the folder `kept`."""
    read_parsed(write(tmp_path / "a.json"), **OPTIONS, folder=tmp_path / "kept")
    return tmp_path


@pytest.fixture
def times_parsed(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    calls: list[Path] = []

    def counting(path: Path, **options: Any) -> object:
        calls.append(path)
        return read_instances(path, **options)

    monkeypatch.setattr(parsed, "read_instances", counting)
    return lambda: len(calls)


def assert_right(place: Path, file: str = "a.json") -> None:
    """What is read is what the parser says of the file."""
    read = read_parsed(place / file, **OPTIONS, folder=place / "kept")
    whole = read_instances(place / file, **OPTIONS)
    bare = read_instances(place / file, **OPTIONS, masks=False).tables()
    assert isinstance(read, Parsed)
    assert_frame_equal(read.tables().images, bare.images)
    assert_frame_equal(read.tables().boxes, bare.boxes)
    assert_frame_equal(read.tables().odd, bare.odd)
    assert read.licence_addresses == whole.licence_addresses
    for rows in (pl.Series([0, 2], dtype=pl.UInt32), pl.int_range(whole.tables().boxes.height, eager=True)):
        assert_frame_equal(read.masks(rows), whole.tables().boxes.select("segmentation", "plain_mask")[rows])


def entry(place: Path) -> Path:
    (path,) = (place / "kept").iterdir()
    return path


def test_a_file_is_parsed_once(place: Path, times_parsed: Callable[[], int]) -> None:
    assert_right(place)
    shutil.copyfile(place / "a.json", place / "copy.json")

    assert_right(place, "copy.json")

    assert times_parsed() == 0


def test_another_content_or_option_is_parsed(place: Path, times_parsed: Callable[[], int]) -> None:
    write(place / "a.json", boxes=4)
    assert_right(place)
    assert times_parsed() == 1

    read_parsed(place / "a.json", **{**OPTIONS, "split": "train2017"}, folder=place / "kept")
    assert times_parsed() == 2


def test_another_edition_of_the_parsers_parses(
    place: Path, times_parsed: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parsed, "edition", lambda _: "another")

    assert_right(place)

    assert times_parsed() == 1


def delete(entry: Path) -> None:
    shutil.rmtree(entry)


def lose_the_masks(entry: Path) -> None:
    (entry / "masks.parquet").unlink()


def cut_the_boxes(entry: Path) -> None:
    path = entry / "boxes.parquet"
    path.write_bytes(path.read_bytes()[:-9])


def flip_a_mask(entry: Path) -> None:
    data = bytearray((entry / "masks.parquet").read_bytes())
    data[len(data) // 2] ^= 1
    (entry / "masks.parquet").write_bytes(data)


def cut_the_index(entry: Path) -> None:
    (entry / "index.json").write_bytes((entry / "index.json").read_bytes()[:-9])


def swap_for_anothers(entry: Path) -> None:
    other = write(entry.parents[1] / "other.json", boxes=2)
    read_parsed(other, **OPTIONS, folder=entry.parents[1] / "others")
    shutil.rmtree(entry)
    next((entry.parents[1] / "others").iterdir()).rename(entry)


@pytest.mark.parametrize(
    "spoil", [delete, lose_the_masks, cut_the_boxes, flip_a_mask, cut_the_index, swap_for_anothers]
)
def test_a_spoilt_entry_is_made_anew(
    place: Path, times_parsed: Callable[[], int], spoil: Callable[[Path], None]
) -> None:
    spoil(entry(place))
    before = times_parsed()

    assert_right(place)
    assert_right(place)

    assert times_parsed() == before + 1


def test_where_nothing_can_be_kept_the_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("in the way", encoding="utf-8")

    read = read_parsed(write(tmp_path / "a.json"), **OPTIONS, folder=tmp_path / "kept")

    assert read.tables().boxes.height == 5


def test_few_entries_are_kept(tmp_path: Path) -> None:
    for boxes in range(12):
        read_parsed(write(tmp_path / "a.json", boxes=boxes), **OPTIONS, folder=tmp_path / "kept")

    assert len(list((tmp_path / "kept").iterdir())) == parsed._ENTRIES
