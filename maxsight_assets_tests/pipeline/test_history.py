"""Versions of a directory: what is remembered of those that are gone, and what differs between two."""

import json
from pathlib import Path

import pytest

from maxsight_assets.errors import UnknownName
from maxsight_assets.pipeline import history
from maxsight_assets.publishing import maintenance, remembered
from maxsight_assets.publishing.swap import StateDir
from maxsight_assets_tests.publishing.staged import land


def report(boxes: int) -> bytes:
    part = {"images": 2, "boxes": boxes, "classes": {"door": boxes}, "licences": {"by": 2}}
    return json.dumps({"splits": {"train": part}, "dropped": {"image": {"undecodable": boxes}}}).encode()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A directory of which three versions were published, one after the other."""
    for number in (1, 2, 3):
        land(tmp_path / "d", {"a.txt": str(number).encode(), "same.txt": b"same", "report.json": report(number)})
    return tmp_path / "d"


def test_the_versions_before_the_previous_one_are_remembered_without_their_files(target: Path) -> None:
    found = history.versions(target)

    assert [past.standing for past in found] == ["published", "previous", "remembered"]
    assert [history.parts_of(past.root)["train"]["boxes"] for past in found] == [3, 2, 1]
    assert not (found[2].root / "a.txt").exists()


def test_a_pruned_version_is_remembered(target: Path) -> None:
    before = [past.name for past in history.versions(target)]

    maintenance.prune(target, tuple, really=True)

    assert [past.name for past in history.versions(target)] == before
    assert [past.standing for past in history.versions(target)] == ["published", "remembered", "remembered"]


def test_a_version_that_comes_again_is_listed_once(target: Path) -> None:
    land(target, {"a.txt": b"1", "same.txt": b"same", "report.json": report(1)})

    assert [past.standing for past in history.versions(target)] == ["published", "previous", "remembered"]
    assert len({past.name for past in history.versions(target)}) == 3


def test_only_the_newest_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MOST", 2)
    for number in range(6):
        land(tmp_path / "d", {"a.txt": str(number).encode()})

    assert len(remembered.remembered(StateDir.of(tmp_path / "d").memory)) == 2
    assert len(history.versions(tmp_path / "d")) == 4


def test_a_version_is_known_by_its_beginning_and_a_wrong_one_is_said(target: Path) -> None:
    oldest = history.versions(target)[-1]

    assert history.version(target, oldest.name[:8]) == oldest
    with pytest.raises(UnknownName, match="no version 0123; there are "):
        history.version(target, "0123")


def test_what_differs_names_counts_classes_rules_and_files(target: Path) -> None:
    present, previous, oldest = history.versions(target)

    rows = {what: (before, after) for what, before, after in history.difference(previous, present)}

    assert rows["train boxes"] == ("2", "3")
    assert rows["boxes of train door"] == ("2", "3")
    assert rows["dropped by undecodable (image)"] == ("2", "3")
    assert rows["files that changed"] == ("2", "a.txt, report.json")
    assert "files" not in rows
    of_remembered = {what for what, _, _ in history.difference(oldest, present)}
    assert "train boxes" in of_remembered
    assert "files that changed" not in of_remembered  # its rows are gone


def test_nothing_differs_between_a_version_and_itself(target: Path) -> None:
    present = history.versions(target)[0]

    assert list(history.difference(present, present)) == []
