"""Commands that land nothing leave nothing behind if there is nothing, wherever they are typed."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from maxsight_assets.commands.app import app

NOT_LANDING = (
    ("status",),
    ("status", "--json"),
    ("verify",),
    ("verify", "coco_raw"),
    ("verify-coco", "."),
    ("explain", "coco/139"),
    ("count", "person"),
    ("list",),
    ("licences",),
    ("show",),
    ("versions",),
    ("diff",),
    ("disk",),
    ("doctor",),
    ("doctor", "--quick"),
    ("tidy",),
    ("export", "yolo", "--out", "out"),
    ("export", "maxsight", "--out", "out"),
    ("report",),
    ("rollback", "coco_raw"),
    ("prune", "coco_raw"),
    ("repair", "coco_raw"),
    ("metrics",),
    ("metrics", "--against", "baseline", "--json"),
)


@pytest.mark.parametrize("command", NOT_LANDING, ids=" ".join)
def test_in_a_directory_without_data_nothing_is_made(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DATA_DIR", "SPLITS_DIR", "DAGSTER_HOME", "MAXSIGHT_PROFILE"):
        monkeypatch.setenv(name, "")
    monkeypatch.chdir(tmp_path)

    done = CliRunner().invoke(app, [*command])

    assert done.exit_code in {0, 1, 2}, done.output
    assert done.exception is None or isinstance(done.exception, SystemExit), done.output
    assert done.output.strip() or "--quick" in command  # it says what is wrong, and nothing is
    assert list(tmp_path.rglob("*")) == []
