"""MaxSight's inference run asks for BDD100K's split "validation": its files lie under that name too."""

import json
from pathlib import Path

from maxsight_assets.datasets.bdd100k.source import LABELS_PATH
from maxsight_assets.pipeline.inspection import RAW
from maxsight_assets.places import Places
from maxsight_assets.verdict import run
from maxsight_assets_tests.datasets.bdd100k.world import FRAMES, land

SECOND_LABELS = "labels/bdd100k_labels_images_validation.json"


def test_frames_and_labels_lie_at_both_paths_and_count_once(tmp_path: Path) -> None:
    version = land(tmp_path / "data", tmp_path / "upstream")

    root = tmp_path / "data/bdd100k"
    first, second = (root / "images/100k" / split for split in ("val", "validation"))
    assert {path.name for path in second.iterdir()} == {path.name for path in first.iterdir()} == set(FRAMES)
    assert all((first / name).samefile(second / name) for name in FRAMES)
    assert json.loads((root / SECOND_LABELS).read_bytes()) == json.loads((root / LABELS_PATH).read_bytes())
    rows = version.manifest.rows
    assert {rows[SECOND_LABELS].level, rows[f"images/100k/validation/{FRAMES[0]}"].level} == {"made"}
    assert sum(row.width is not None for row in rows.values()) == len(FRAMES)
    places = Places(tmp_path / "data", tmp_path / "data/cleaned_splits", tmp_path / "data/.maxsight")
    verdicts = run(RAW["bdd100k"].rules, RAW["bdd100k"].view(places))
    assert [each.rule for each in verdicts if not each.passed] == ["counts_match"]  # six of the publisher's 10,000


def test_a_second_path_that_is_lost_comes_back_without_a_download(tmp_path: Path) -> None:
    land(tmp_path / "data", tmp_path / "upstream")
    lost = tmp_path / "data/bdd100k" / SECOND_LABELS
    lost.unlink()

    again = land(tmp_path / "data", tmp_path / "upstream")

    assert lost.is_file()
    assert (again.changed, again.tally.fetched_files) == (False, 0)


def test_a_version_of_an_earlier_release_gets_its_second_paths(tmp_path: Path) -> None:
    version = land(tmp_path / "data", tmp_path / "upstream", second_paths={})

    again = land(tmp_path / "data", tmp_path / "upstream")

    assert SECOND_LABELS not in version.manifest.rows
    assert SECOND_LABELS in again.manifest.rows
    assert again.tally.fetched_files == 0
