"""What is made from the raw datasets is made anew, whatever an earlier run left."""

from collections.abc import Callable
from pathlib import Path

import pytest

from maxsight_assets.errors import NotPublished
from maxsight_assets.pipeline.derived import Asked, _make, _Written
from maxsight_assets.pipeline.made import Cause
from maxsight_assets.publishing.manifest import Manifest
from maxsight_assets.publishing.stage import Stage
from maxsight_assets.verdict import Verdict


def writing(*paths: str) -> Callable[[Stage], _Written]:
    """Writes these files, as a setting asks for them."""

    def write(stage: Stage) -> _Written:
        for path in paths:
            (stage.root / path).parent.mkdir(exist_ok=True)
            (stage.root / path).write_text(path, encoding="utf-8")
        return _Written({}, {}, {})

    return write


def test_what_a_run_of_other_settings_left_is_not_published(tmp_path: Path) -> None:
    def gate(_: Path, manifest: Manifest) -> list[Verdict]:
        return [Verdict("no lists", passed="lists/train.txt" not in manifest.rows, checked=1)]

    def make(*paths: str) -> Manifest:
        written = writing(*paths)
        asked = Asked(Cause("splits", tmp_path / "splits", (), {"paths": paths}), state=tmp_path, report="none")
        return _make(asked, "embedded", write=written, gate=gate).manifest

    with pytest.raises(NotPublished):
        make("train.json", "lists/train.txt")

    assert list(make("train.json").rows) == ["train.json"]
