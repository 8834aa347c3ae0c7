"""Bad COCO files: refused with the place, in bounded memory, and no mask that would crash pycocotools."""

import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as masks

from maxsight_assets.errors import FormatError
from maxsight_assets.formats import coco, strict_json
from maxsight_assets.formats.masks import PLAIN_MASK, segmentation_fault, sound_by_form

HEAD = '{"images": [{"id": 1, "file_name": "a.jpg"}], "categories": [{"id": 1, "name": "cat"}], "annotations": '
GOOD = '{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}'


def fault(path: Path, text: str | bytes) -> str:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(FormatError) as caught:
        coco.read_instances(path, split="val2017", image_dir="x")
    return str(caught.value)


@pytest.mark.parametrize("section", ["{}", "null", "7", '"text"'])
def test_fault_62_a_section_that_is_no_list_is_refused(tmp_path: Path, section: str) -> None:
    assert fault(tmp_path / "bad.json", HEAD + section + "}").startswith("bad.json: $.annotations: ")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (HEAD + f'[{GOOD}, {GOOD[:-1]}, "area": nan}}]}}', "$.annotations[1].area: "),
        (HEAD + '[{"id": 1, "segmentation": [[1, 2], [3, +NaN]]}]}', "$.annotations[0].segmentation[1][1]: "),
        (HEAD + f'[{GOOD}, {{"id": 2, "bbox": [1, 2', "$.annotations[1].bbox[1]: "),
        (HEAD + f'[{GOOD}, {{"id": 2, "file_na', "$.annotations[1]"),
        (HEAD + f"[{GOOD}]}} x", "$"),
        ("", "$: "),
        ("\ufeff{}", "$: a byte order mark"),
        ("<html>", "$: "),
        ('{"a\\"b,{": [1, "]", Nan]}', '$.a"b,{[2]: '),
    ],
)
def test_fault_62_broken_syntax_names_the_place(tmp_path: Path, text: str, place: str) -> None:
    assert fault(tmp_path / "bad.json", text).startswith(f"bad.json: {place}")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (HEAD + f'[{GOOD}], "annotations": []}}', "$.annotations: "),
        (HEAD + f'[{GOOD}, {{"id": 5, "image_id": 1, "category_id": 1, "id": 6}}]}}', "$.annotations[1].id: "),
        (HEAD + f'[{GOOD[:-1]}, "x": {{"a": 1, "\\u0061": 2}}}}]}}', "$.annotations[0].x.a: "),
        (HEAD + '[], "info": {"year" : 1, "year" : 2}}', "$.info.year: "),
        (HEAD + f'[{GOOD[:-1]}, "bbox" :[5, 5, 5, 5]}}]}}', "$.annotations[0].bbox: "),
        (
            HEAD + f'[{GOOD[:-1]}, "segmentation": {{"counts":[1],"size":[1,1],"size":[1,1]}}}}]}}',
            "$.annotations[0].segmentation.size: ",
        ),
    ],
)
def test_fault_62_a_key_that_stands_twice_is_refused(tmp_path: Path, text: str, place: str) -> None:
    message = fault(tmp_path / "bad.json", text)
    assert message.startswith(f"bad.json: {place}")
    assert "stands twice" in message


def test_fault_62_text_that_looks_like_a_repeated_key_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "odd.json"
    text = HEAD.replace("a.jpg", '\\"id\\": 1, \\"id\\": 2') + f'[{GOOD[:-1]}, "note" : "x\\": {{"}}]}}'
    path.write_text(text, encoding="utf-8")
    document = coco.read_instances(path, split="v", image_dir="d")
    assert document.tables().images["path"].to_list() == ['d/"id": 1, "id": 2']


def test_fault_62_two_categories_with_one_id_are_refused(tmp_path: Path) -> None:
    text = HEAD.replace('{"id": 1, "name": "cat"}', '{"id": 1, "name": "cat"}, {"id": 1, "name": "dog"}') + "[]}"
    assert fault(tmp_path / "bad.json", text).startswith("bad.json: $.categories: two have one id")


@pytest.mark.parametrize("section", ["images", "annotations", "categories"])
def test_fault_62_a_missing_section_is_named(tmp_path: Path, section: str) -> None:
    whole: dict[str, Any] = {"images": [], "annotations": [], "categories": []}
    del whole[section]
    assert fault(tmp_path / "bad.json", json.dumps(whole)).startswith(f"bad.json: $.{section}: missing")


def nested(where: str, depth: int) -> str:
    deep = "[" * depth + "]" * depth
    return HEAD + f'[], "x": {deep}}}' if where == "section" else HEAD + f'[{GOOD[:-1]}, "{where}": {deep}}}]}}'


def peak() -> int:
    """Most bytes of memory that this process has had, in KiB; `ru_maxrss` would take in those of its parent."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


def refused(folder: Path, where: str) -> tuple[str, int]:
    """What is said of a deep file, and how much memory that takes; to be run in a process of its own."""
    fault(folder / "shallow.json", nested(where, 3_000))
    before = peak()
    return fault(folder / "deep.json", nested(where, 3_000_000)), peak() - before


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
@pytest.mark.parametrize("where", ["section", "segmentation", "unknown"])
def test_fault_62_deep_nesting_is_refused_in_bounded_memory(tmp_path: Path, where: str) -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        message, grown = pool.submit(refused, tmp_path, where).result()

    assert "nested too deep" in message
    assert grown < 200_000


def test_fault_62_a_file_over_the_bound_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strict_json, "MAX_BYTES", 10)
    assert "more than the 10" in fault(tmp_path / "big.json", HEAD + "[]}")


def test_fault_62_bytes_that_are_not_text_are_refused_or_marked(tmp_path: Path) -> None:
    assert "$.images[0]" in fault(tmp_path / "bad.json", HEAD.encode().replace(b"a.jpg", b"\xff.jpg") + b"[]}")


SOUND = [
    [[10, 10, 20, 10, 20, 30]],
    [[10, 10, 20, 10, 20, 30], [0, 0, 640, 0, 640, 480]],
    [[-1.5, -2, 641, 10, 20, 481]],
    {"counts": [640 * 480], "size": [480, 640]},
    {"counts": [0, 640 * 480], "size": [480, 640]},
]
UNSOUND = [
    ([], "no polygon"),
    ([[]], "a polygon of 0 numbers"),
    ([[1, 2, 3, 4]], "a polygon of 4 numbers"),
    ([[1, 2, 3, 4, 5, 6, 7]], "a polygon of 7 numbers"),
    ([[1, 2, 1e9, 4, 5, 6]], "a polygon far out of the picture"),
    ([[1, 2, 3, -1e300, 5, 6]], "a polygon far out of the picture"),
    ({"counts": [10**12], "size": [10**6, 10**6]}, "neither polygons nor an RLE"),
    ({"counts": [10**9], "size": [10**6, 10**6]}, "an RLE of 1000000x1000000 pixels for a picture of 640x480"),
    ({"counts": [640 * 480 + 1], "size": [480, 640]}, "an RLE whose runs do not add up to its picture"),
    ({"counts": [-5, 640 * 480 + 5], "size": [480, 640]}, "neither polygons nor an RLE"),
    ({"counts": "oooooooooo", "size": [480, 640]}, "an RLE whose runs do not add up to its picture"),
    ({"counts": "~~~", "size": [480, 640]}, "an RLE whose runs do not add up to its picture"),
    ({"counts": "", "size": [480, 640]}, "an RLE whose runs do not add up to its picture"),
    ({"size": [480, 640]}, "neither polygons nor an RLE"),
    ("text", "neither polygons nor an RLE"),
    (7, "neither polygons nor an RLE"),
    ([["a", "b"]], "neither polygons nor an RLE"),
]


@pytest.mark.parametrize("mask", SOUND)
def test_fault_63_sound_masks_pass(mask: Any) -> None:
    assert segmentation_fault(json.dumps(mask), 640, 480) is None


@pytest.mark.parametrize(("mask", "reason"), UNSOUND)
def test_fault_63_unsound_masks_are_named(mask: Any, reason: str) -> None:
    assert segmentation_fault(json.dumps(mask), 640, 480) == reason


_NUMBERS = st.one_of(
    st.sampled_from(["0", "69", "699", "699.99", "700", "1000", "9999", "12345", "0699", "1.", "-1", "1e9", '"1"']),
    st.floats(-10, 2_000, width=16).map(repr),
)


@settings(max_examples=300)
@given(
    lengths=st.lists(st.integers(4, 9), min_size=1, max_size=2),
    odd=st.tuples(st.integers(0, 17), _NUMBERS),
    comma=st.sampled_from([",", ",", ", ", ",  ", " ,", ",\n"]),
    sides=st.tuples(*[st.sampled_from([350, 351, 640, 10_000])] * 2),
)
def test_fault_63_a_mask_that_is_sound_by_its_form_has_no_fault(
    lengths: list[int], odd: tuple[int, str], comma: str, sides: tuple[int, int]
) -> None:
    place, number = odd
    numbers = ["12.5"] * sum(lengths)
    numbers[place % len(numbers)] = number
    left = iter(numbers)
    text = "[" + comma.join(f"[{comma.join(islice(left, length))}]" for length in lengths) + "]"
    width, height = sides
    row = pl.DataFrame({"segmentation": [text], "w": [width], "h": [height]}).with_columns(PLAIN_MASK)
    try:
        json.loads(text)  # what is read is JSON
    except ValueError:
        return

    if row.select(sound_by_form("w", "h")).item():
        assert segmentation_fault(text, width, height) is None


def test_fault_63_most_masks_are_sound_by_their_form_and_none_beside_a_small_picture() -> None:
    texts = [
        "[[0,0,699.99,0,1,699]]",
        "[[1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6]]",
        "[[1,2,3,4,5,700]]",
        "[[700,2,3,4,5,6]]",
        None,
    ]
    rows = pl.DataFrame({"segmentation": texts, "w": 640, "h": 350}).with_columns(PLAIN_MASK)

    assert rows.select(sound_by_form("w", "h")).to_series().to_list() == [True, True, False, False, False]
    for sides in ({"h": 349}, {"w": 100_000, "h": 100_000}, {"w": -(2**31) + 700, "h": 2**31 - 1}):
        assert (
            not rows.with_columns(**sides)
            .cast({"w": pl.Int32, "h": pl.Int32})
            .select(sound_by_form("w", "h"))
            .to_series()
            .any()
        )


@pytest.mark.parametrize("text", ["[[1,2,NaN,4,5,6]]", "[[1,2,1e999,4,5,6]]", "[[1,2", "[" * 100_000, "\ud800", ""])
def test_fault_63_text_that_is_no_json_is_a_fault(text: str) -> None:
    raw = text.encode("utf-8", "surrogatepass")
    assert segmentation_fault(raw, 640, 480) == "neither polygons nor an RLE"


def test_fault_63_a_mask_larger_than_any_picture_is_a_fault() -> None:
    bomb = json.dumps({"counts": [100_000 * 100_000 // 4] * 4, "size": [100_000, 100_000]})
    assert segmentation_fault(bomb, 100_000, 100_000) == "a mask of 100000x100000 pixels"


def test_fault_63_a_file_with_an_unsound_mask_is_still_read(tmp_path: Path) -> None:
    path = tmp_path / "masks.json"
    path.write_text(HEAD + f'[{GOOD[:-1]}, "segmentation": [[1e999, 1e9, -1e300]]}}]}}', encoding="utf-8")
    boxes = coco.read_instances(path, split="v", image_dir="d").tables().boxes
    assert boxes["segmentation"].to_list() == ["[[1e999, 1e9, -1e300]]"]


def test_fault_63_compressed_masks_of_pycocotools_pass_and_their_damage_does_not() -> None:
    random = np.random.default_rng(63)
    for _ in range(200):
        height, width = (int(side) for side in random.integers(1, 90, 2))
        bits = random.random((height, width)) < random.random()
        counts = masks.encode(np.asfortranarray(bits.astype(np.uint8)))["counts"].decode()
        sound = json.dumps({"counts": counts, "size": [height, width]})
        damaged = json.dumps({"counts": counts[:-1], "size": [height, width]})
        assert segmentation_fault(sound, width, height) is None
        assert segmentation_fault(damaged, width, height) is not None
