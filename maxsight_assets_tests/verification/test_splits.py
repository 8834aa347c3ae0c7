"""Rules of their own that the training splits keep: form, sizes, balance, audio."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maxsight_assets.splitting import write
from maxsight_assets.verification import schema
from maxsight_assets.verification.splits import (
    audio_is_paired,
    classes_are_balanced,
    classes_have_instances,
    files_keep_the_schema,
    sizes_are_as_asked,
)
from maxsight_assets_tests.verification.written import Written, box, document

PUBLISHED = jsonschema.Draft202012Validator(
    json.loads(Path(write.__file__).with_name("schema.json").read_text(encoding="utf-8"))
)
VALUES: st.SearchStrategy[object] = st.sampled_from(
    [None, 0, 1, -3, 2**53, 1.5, "", "x", "/a.jpg", "../a.jpg", "a.gif", [], [1, 2, 3], {}, True]
)
PLACES = st.sampled_from(
    [
        *(("images", 0, key) for key in ("id", "file_name", "width", "license", "source", "flickr_id", "audio_path")),
        *(("annotations", 0, key) for key in ("id", "image_id", "bbox", "area", "iscrowd", "segmentation")),
        *(("categories", 0, key) for key in ("id", "name", "more")),
        *(("licenses", 0, key) for key in ("id", "name", "url")),
        *(("info", key) for key in ("seed", "config", "inputs", "date")),
        ("images",),
        ("annotations",),
        ("extra",),
    ]
)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=PLACES, value=VALUES, gone=st.booleans())
def test_types_and_published_schema_refuse_the_same(
    tmp_path_factory: pytest.TempPathFactory, place: tuple[Any, ...], value: object, gone: bool
) -> None:
    spoiled: Any = copy.deepcopy(document(1, 2))
    target = spoiled
    for step in place[:-1]:
        target = target[step]
    if gone:
        target.pop(place[-1], None)
    else:
        target[place[-1]] = value
    path = tmp_path_factory.mktemp("schema") / "maxsight_train.json"
    path.write_text(json.dumps(spoiled), encoding="utf-8")

    fault = schema.fault(path)

    assert (fault is None) == PUBLISHED.is_valid(spoiled), fault


def test_a_field_that_the_schema_lacks_is_named(tmp_path: Path) -> None:
    written = Written(tmp_path)
    written.documents["val"]["images"][0]["colour"] = "red"

    verdict = files_keep_the_schema.judge(written.splits_view())

    assert verdict.examples[0].startswith("maxsight_val.json: ")
    assert "colour" in verdict.examples[0]


@pytest.mark.parametrize(
    ("sizes", "offender"),
    [
        ({"train": 4, "val": 1, "test": 1}, None),
        ({"train": 4, "val": 2, "test": 1}, "val: 1 images, 2 asked for"),
        ({"val": 0.2, "test": 0.1}, None),
        ({"val": 0.0, "test": 0.1}, "val: 16.7% of the images, 0.0% asked for"),
    ],
)
def test_splits_of_another_size_than_asked_are_named(
    sizes: dict[str, float], offender: str | None, tmp_path: Path
) -> None:
    written = Written(tmp_path)
    for part in ("train", "val", "test"):
        written.documents[part]["info"]["config"]["sizes"] = sizes

    assert sizes_are_as_asked.judge(written.splits_view()).examples == ((offender,) if offender else ())


def test_a_class_that_is_nearly_all_in_one_split_is_named_with_its_deviation(tmp_path: Path) -> None:
    written = Written(tmp_path)
    for part, image, dogs, doors in (("train", 1, 2000, 300), ("val", 5, 500, 10), ("test", 6, 500, 100)):
        kinds = [2] * dogs + [3] * doors
        written.documents[part]["annotations"] = [
            box(1000 * image + n, image, category_id=kind) for n, kind in enumerate(kinds)
        ]

    verdict = classes_are_balanced.judge(written.splits_view())

    assert verdict.examples == ("door: 84% off in val",)
    assert verdict.facts["largest deviation"] == "84% (door in val)"


def test_classes_with_few_boxes_in_val_or_test_are_named(tmp_path: Path) -> None:
    written = Written(tmp_path)
    written.documents["train"]["annotations"].append(box(900, 1, category_id=3, bbox=[5.0, 5.0, 9.0, 9.0]))

    assert classes_have_instances.judge(written.splits_view()).examples == ("door: 0 in test", "door: 0 in val")


@pytest.mark.parametrize(
    ("spoil", "offender"),
    [
        (lambda audio: audio["unreadable"].update({"7.wav": "it has no samples"}), "7.wav: it has no samples"),
        (lambda audio: audio["unpaired_files"].append("x.wav"), "x.wav: goes with no image"),
        (lambda audio: audio["unpaired_images"].append("coco/1"), "coco/1: no audio file"),
    ],
)
def test_audio_that_is_unpaired_or_unreadable_is_named(
    spoil: Callable[[dict[str, Any]], None], offender: str, tmp_path: Path
) -> None:
    written = Written(tmp_path)
    spoil(written.report["audio"])

    assert audio_is_paired.judge(written.splits_view()).examples == (offender,)
