"""Nothing is twice across the sets: of two that show a picture, one keeps it, and the ledger names the other."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from maxsight_assets.evaluation.build import EvaluationSource, Lacking, build_sets
from maxsight_assets.images.facts import FILE_FACTS
from maxsight_assets.images.groups import NEAR_RADIUS
from maxsight_assets_tests.evaluation.test_build import COCO_SET, OPEN_SET, SPACE, box, image, source_of
from maxsight_assets_tests.images.pictures import prints

COPIES = {
    "content": {"sha256": "c" * 64},
    "pixels": {"pixels": "p"},
    "near": {"phash": 0},
    "flickr": {"flickr_id": "99"},
}


def coco(**facts: object) -> EvaluationSource:
    """Two images of COCO: `1` is the one with these facts."""
    images = [image("1", flickr_id=facts.get("flickr_id")), image("2")]
    return with_facts(source_of(images, [box("5", "1"), box("6", "2")]), {"coco/1.jpg": facts})


def open_images(**facts: object) -> EvaluationSource:
    """Two images of Open Images: `0a` is the one with these facts."""
    there = {"source": "openimages", "split": "validation"}
    images = [image("0a", **there, flickr_id=facts.get("flickr_id")), image("0b", **there)]
    boxes = [box("0a:0", "0a", "Dog", "openimages"), box("0b:0", "0b", "Dog", "openimages")]
    return with_facts(source_of(images, boxes, name="openimages"), {"openimages/0a.jpg": facts})


def with_facts(source: EvaluationSource, facts: Mapping[str, Mapping[str, object]]) -> EvaluationSource:
    """Return the source with other facts of some files; a fingerprint is stated as that of the whole picture alone."""
    rows = source.facts.to_dicts()
    for row in rows:
        stated = facts.get(row["path"], {})
        row |= {name: value for name, value in stated.items() if name in FILE_FACTS}
        if isinstance(row["phash"], int):
            row["phash"] = prints(row["phash"])
    return replace(source, facts=pl.DataFrame(rows, schema=FILE_FACTS))


def held(root: Path, path: str) -> list[str]:
    return [each["source_id"] for each in json.loads((root / path).read_bytes())["images"]]


@pytest.mark.parametrize("how", COPIES)
def test_a_picture_stays_in_the_set_whose_annotators_looked_for_every_class(tmp_path: Path, how: str) -> None:
    other = {"phash": (1 << NEAR_RADIUS) - 1} if how == "near" else COPIES[how]

    contract = build_sets({"openimages": open_images(**other), "coco": coco(**COPIES[how])}, tmp_path, space=SPACE)

    assert held(tmp_path, COCO_SET) == ["1", "2"]
    assert held(tmp_path, OPEN_SET) == ["0b"]
    promise = contract["sets"]["openimages_validation"]
    assert promise["dropped"] == {"image in_another_set": 1, "box image_dropped": 1}
    assert promise["excluded_images"] == {}
    ledger = pl.read_parquet(tmp_path / "ledger.parquet").filter(kind="image")
    assert ledger.select("source", "image_id", "rule").rows() == [("openimages", "0a", "in_another_set")]
    assert json.loads(ledger["before"][0]) == {"other": "coco/1", "because": how}


def test_a_set_that_is_kept_as_it_was_comes_before_all_others(tmp_path: Path) -> None:
    before, now = tmp_path / "before", tmp_path / "now"
    build_sets({"openimages": open_images(**COPIES["content"])}, before, space=SPACE)
    lacking = Lacking({"openimages": "not landed"}, {"openimages": "validation"}, before=before)

    build_sets({"coco": coco(**COPIES["content"])}, now, space=SPACE, lacking=lacking)

    assert held(now, OPEN_SET) == ["0a", "0b"]
    assert held(now, COCO_SET) == ["2"]


def test_a_publishers_own_pairs_stay_in_its_set(tmp_path: Path) -> None:
    same = {"coco/1.jpg": COPIES["pixels"], "coco/2.jpg": COPIES["pixels"]}

    build_sets({"coco": with_facts(coco(), same)}, tmp_path, space=SPACE)

    assert held(tmp_path, COCO_SET) == ["1", "2"]
