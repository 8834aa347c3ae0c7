"""A version that only its small files are left of is landed again, if upstream still has it."""

import json
import shutil
from pathlib import Path

import pytest

import maxsight_assets
from maxsight_assets_tests.commands.typed import typed
from maxsight_assets_tests.places import REPOSITORY
from maxsight_assets_tests.project import copy_world


@pytest.fixture
def remembered(tmp_path: Path, drawn_world: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A version of COCO that was landed, followed by another one, and pruned."""
    (tmp_path / "data/.maxsight").mkdir(parents=True)
    copy_world(drawn_world, tmp_path / "data/.maxsight/sample_upstream")
    shutil.copy(REPOSITORY / "dagster.yaml", tmp_path)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("MAXSIGHT_DATASETS", "coco")
    first = maxsight_assets.land("coco", train=30)
    assert typed(tmp_path, "touch", "coco").exit_code == 0
    assert maxsight_assets.land("coco", train=40).data_version != first.data_version
    assert typed(tmp_path, "prune", "coco_raw", "--yes").exit_code == 0
    return first.data_version


def test_a_version_is_restored_once_upstream_has_it_again(remembered: str, tmp_path: Path) -> None:
    listed = json.loads(typed(tmp_path, "versions", "coco_raw", "--json").stdout)["rows"]
    assert [row["how to have it"] for row in listed] == ["published", "restore lands it again"]

    refused = typed(tmp_path, "restore", remembered[:12])
    assert typed(tmp_path, "touch", "coco", "--back").exit_code == 0
    restored = typed(tmp_path, "restore", remembered[:12])

    assert refused.exit_code == 2
    assert "upstream has another annotations/annotations_trainval2017.zip now" in refused.stderr
    assert refused.stderr.splitlines()[-1].startswith(f"error: coco_raw: version {remembered[:12]} cannot be had")
    assert restored.exit_code == 0, restored.output
    assert f"coco_raw: {remembered[:12]} is published; it is version {remembered[:12]}\n" in restored.stdout
