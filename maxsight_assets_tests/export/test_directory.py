import re
import subprocess
import sys
from pathlib import Path

import pytest

from maxsight_assets import disk
from maxsight_assets.errors import Refused
from maxsight_assets.export import rules
from maxsight_assets.export.maxsight import export_maxsight
from maxsight_assets.export.notes import noted
from maxsight_assets.export.yolo import export_yolo
from maxsight_assets.places import Places
from maxsight_assets.publishing.stage import recovered_manifest
from maxsight_assets_tests.export.world import drawn, publish, published
from maxsight_assets_tests.files import tree


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return published(tmp_path)


@pytest.fixture(params=["exchange", "two renames"])
def swapping(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that exchanges two directories in one step, and one that does not."""
    if request.param != "exchange":
        monkeypatch.setattr(disk, "exchange", lambda one, other: False)


def refused(places: Places, out: Path, said: str) -> None:
    before = tree(out) if out.is_dir() else None
    with pytest.raises(Refused, match=said) as raised:
        export_maxsight(places, out)
    assert str(out) in str(raised.value)
    assert "choose another directory (--out)" in str(raised.value)
    assert before is None or tree(out) == before


@pytest.mark.usefixtures("swapping")
def test_a_new_version_replaces_the_export_of_the_one_before(places: Places, tmp_path: Path) -> None:
    out = tmp_path / "exports/gold"
    export_maxsight(places, out)
    first = tree(out)
    publish(places, drawn(15))

    export_maxsight(places, out)

    assert tree(out)["train.jsonl"] != first["train.jsonl"]
    assert [path.name for path in out.parent.iterdir()] == ["gold"]


def test_an_empty_directory_is_taken(places: Places, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()

    export_maxsight(places, tmp_path / "out")

    assert (tmp_path / "out/train.jsonl").is_file()


def test_a_directory_that_no_export_wrote_is_refused(places: Places, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("dear diary", encoding="utf-8")
    (tmp_path / "file").write_text("x", encoding="utf-8")

    refused(places, tmp_path / "mine", "holds files that no export wrote")
    refused(places, tmp_path / "file", "is a file")
    export_yolo(places, tmp_path / "yolo")
    refused(places, tmp_path / "yolo", "holds export yolo, not export maxsight")


def test_what_a_user_changed_or_added_in_an_export_is_never_lost(places: Places, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_maxsight(places, out)
    config = (out / "maxsight_assets.yaml").read_bytes()

    (out / "maxsight_assets.yaml").write_bytes(config + b"# mine\n")
    (out / "best_model.pt").write_bytes(b"weeks of work")
    refused(places, out, r"best_model\.pt, maxsight_assets\.yaml were changed or added")
    (out / "maxsight_assets.yaml").write_bytes(config)
    refused(places, out, r"best_model\.pt were changed or added")
    (out / "best_model.pt").rename(tmp_path / "best_model.pt")  # as the message says
    (out / "test.jsonl").unlink()  # only a file that is written again

    export_maxsight(places, out)

    assert (out / "test.jsonl").is_file()


def test_a_directory_of_the_project_itself_is_refused(places: Places, tmp_path: Path) -> None:
    for out in (places.splits, places.splits / "x", places.data_dir / "coco_raw/x", places.data_dir / "bdd100k"):
        refused(places, out, "is the place of .* or lies in it")
    refused(places, places.data_dir, "holds files that no export wrote")


def test_an_export_by_way_of_a_link_goes_to_where_it_leads(places: Places, tmp_path: Path) -> None:
    (tmp_path / "drive").mkdir()
    (tmp_path / "out").symlink_to("drive")

    export_maxsight(places, tmp_path / "out")
    export_maxsight(places, tmp_path / "out")

    assert (tmp_path / "out").is_symlink()
    assert (tmp_path / "drive/train.jsonl").is_file()


def test_what_stops_halfway_leaves_the_export_before_it_and_nothing_beside(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "exports/gold"
    export_maxsight(places, out)
    before = tree(out)
    publish(places, drawn(15))

    def interrupted(view: rules.ExportView) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(rules, "require", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export_maxsight(places, out)

    assert tree(out) == before
    assert [path.name for path in out.parent.iterdir()] == ["gold"]


KILLED = """
import os, signal, sys
from pathlib import Path
from maxsight_assets.export import rules
from maxsight_assets.export.yolo import export_yolo
from maxsight_assets.places import Places
root = Path(sys.argv[1])
rules.require = lambda view: os.kill(os.getpid(), signal.SIGKILL)
export_yolo(Places(root / "data", root / "data/cleaned_splits", root / "data/.maxsight"), root / "exports/yolo")
"""


def test_a_killed_export_is_not_there_and_the_next_removes_what_it_left(places: Places, tmp_path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path], check=False)
    left = [path.name for path in (tmp_path / "exports").iterdir()]
    assert killed.returncode < 0
    assert len(left) == 1
    assert re.fullmatch(r"\.yolo\.tmp~.+", left[0])

    export_yolo(places, tmp_path / "exports/yolo")

    assert [path.name for path in (tmp_path / "exports").iterdir()] == ["yolo"]


def test_exports_are_noted_with_their_version_and_whether_they_are_there(places: Places, tmp_path: Path) -> None:
    assert noted(places) == []
    export_yolo(places, tmp_path / "b")
    export_maxsight(places, tmp_path / "a")
    export_maxsight(places, tmp_path / "a")
    manifest = recovered_manifest(places.splits)
    assert manifest is not None

    found = noted(places)

    assert [(each.form, each.directory) for each in found] == [("maxsight", tmp_path / "a"), ("yolo", tmp_path / "b")]
    assert {(each.data_version, each.is_there) for each in found} == {(manifest.data_version, True)}
    (tmp_path / "b").rename(tmp_path / "c")
    assert [each.is_there for each in noted(places)] == [True, False]
    next((places.state / "exports").glob("*.json")).write_text("{", encoding="utf-8")
    assert len(noted(places)) == 1
