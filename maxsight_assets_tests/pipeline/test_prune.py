"""What `prune` must never take: images that splits name, wherever those are and whenever they were published."""

import json
import threading
from pathlib import Path

import pytest

from maxsight_assets.errors import FormatError, SettingsError
from maxsight_assets.pipeline import upkeep
from maxsight_assets.places import Places
from maxsight_assets.publishing.maintenance import PruneReport
from maxsight_assets.publishing.stage import opened
from maxsight_assets_tests.publishing.staged import land

SPLITS = {"maxsight_train.json": json.dumps({"images": [{"file_name": "coco_raw/named.jpg"}]}).encode()}


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A project whose earlier selection held two images more, and whose splits go to a drive."""
    data_dir = tmp_path / "data"
    raw = {"named.jpg": b"named", "loose.jpg": b"loose", "selected.jpg": b"selected"}
    land(data_dir / "coco_raw", raw)
    land(data_dir / "coco_raw", {"selected.jpg": raw["selected.jpg"]})
    return Places(data_dir, tmp_path / "drive/splits", data_dir / ".maxsight")


def pruned(places: Places, *, splits: Path | None = None) -> PruneReport:
    made = [splits or places.splits, places.evaluation]
    return upkeep.prune(places.data_dir / "coco_raw", made, noted=places.noted, really=True)


def images(places: Places) -> set[str]:
    return {path.name for path in (places.data_dir / "coco_raw").glob("*.jpg")}


def publish_splits(places: Places) -> None:
    land(places.splits, SPLITS, keep=False)
    places.note(places.splits)


def test_who_never_made_splits_can_prune(places: Places) -> None:
    assert set(pruned(places).files) == {"named.jpg", "loose.jpg"}


def test_splits_elsewhere_than_splits_dir_says_now_are_heeded(places: Places, tmp_path: Path) -> None:
    publish_splits(places)

    assert pruned(places, splits=tmp_path / "others").files == ("loose.jpg",)
    assert images(places) == {"named.jpg", "selected.jpg"}


def test_nothing_goes_while_a_drive_with_splits_is_away(places: Places, tmp_path: Path) -> None:
    publish_splits(places)
    (tmp_path / "drive").rename(tmp_path / "unplugged")

    for splits in (places.splits, tmp_path / "others"):
        with pytest.raises(SettingsError, match=r"drive/splits: splits .* mount it \(SPLITS_DIR\)") as refused:
            pruned(places, splits=splits)
        assert "\n" not in str(refused.value)
    assert images(places) == {"named.jpg", "loose.jpg", "selected.jpg"}

    (note,) = places.noted().values()
    note.unlink()  # as the line says
    assert set(pruned(places).files) == {"named.jpg", "loose.jpg"}


def test_nothing_goes_while_a_split_is_gone_or_damaged(places: Places) -> None:
    publish_splits(places)
    split = places.splits / "maxsight_train.json"
    split.unlink()
    with pytest.raises(SettingsError, match="cannot be read now"):
        pruned(places)

    split.write_text('{"images": [', encoding="utf-8")
    with pytest.raises(FormatError, match=r"maxsight_train\.json: "):
        pruned(places)
    assert images(places) == {"named.jpg", "loose.jpg", "selected.jpg"}


def test_a_note_moves_along_with_data_dir(places: Places, tmp_path: Path) -> None:
    places.note(places.evaluation)
    places.note(places.splits)
    places.data_dir.rename(tmp_path / "moved")
    moved = Places(tmp_path / "moved", places.splits, tmp_path / "moved/.maxsight")

    assert set(moved.noted()) == {tmp_path / "moved/inference_eval", places.splits}


def test_splits_that_are_published_while_prune_waits_are_heeded(places: Places) -> None:
    reports: list[PruneReport] = []
    waiting = threading.Thread(target=lambda: reports.append(pruned(places)))
    with opened(places.data_dir / "coco_raw"):
        waiting.start()
        waiting.join(0.3)  # where it looked before it waits, it would have looked by now
        publish_splits(places)
    waiting.join(30)

    assert [report.files for report in reports] == [("loose.jpg",)]
