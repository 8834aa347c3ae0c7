"""What the splits are made from, read off what is published."""

import json
from pathlib import Path

import pytest

from maxsight_assets.datasets.landing import record_made
from maxsight_assets.datasets.registry import SOURCES
from maxsight_assets.disk import sha256_of
from maxsight_assets.errors import FormatError, LandingError
from maxsight_assets.pipeline.records import read, read_evaluation
from maxsight_assets.publishing.stage import staging
from maxsight_assets_tests.verification.directories import jpeg

SET = "coco_val2017/annotations.json"


def publish_evaluation(data_dir: Path) -> Path:
    """Publish an evaluation set of two images; returns its directory."""
    rows = []
    for number in (1, 2):
        path = data_dir / f"coco_raw/val2017/{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(number))
        name = path.relative_to(data_dir).as_posix()
        known = {"source": "coco", "source_id": str(number), "flickr_id": None, "sha256": sha256_of(path)[1]}
        rows.append({"file_name": name} | known)
    root = data_dir / "inference_eval"
    with staging(root, asset="inference_eval_set", source="embedded") as stage:
        (stage.root / SET).parent.mkdir()
        (stage.root / SET).write_text(json.dumps({"images": rows}), encoding="utf-8")
        record_made(stage, SET)
        stage.publish(selection={}, inputs={}, gate=lambda *_: (), keep=False)
    return root


@pytest.mark.parametrize("found", [b"", b'{"images": []}', b"[]", b"\xff\xfe", None])
def test_an_evaluation_set_that_is_not_as_it_was_published_guards_nothing(found: bytes | None, tmp_path: Path) -> None:
    root = publish_evaluation(tmp_path)
    evaluation, _ = read_evaluation(root, data_dir=tmp_path, cache=tmp_path / "facts.parquet")
    assert evaluation.images["image_id"].to_list() == ["1", "2"]

    (root / SET).unlink()
    if found is not None:
        (root / SET).write_bytes(found)

    with pytest.raises(LandingError, match=f"changed since it was published.*{SET}.*materialize it again"):
        read_evaluation(root, data_dir=tmp_path, cache=tmp_path / "facts.parquet")


def test_annotations_that_are_gone_are_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    selection = {"splits": {"val2017": None}}
    with staging(tmp_path / "coco_raw", asset="coco_raw", source="upstream") as stage:
        stage.publish(selection=selection, inputs={}, gate=lambda *_: (), keep=True)

    with pytest.raises(FormatError, match=r"coco_raw: .*instances_val2017\.json is gone; run `maxsight-assets repair"):
        read(SOURCES["coco"], frozenset({"val2017"}), data_dir=tmp_path, cache=tmp_path / "facts.parquet")
