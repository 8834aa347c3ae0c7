"""The edition of the code: what changes it."""

import shutil
from pathlib import Path

import pytest

from maxsight_assets import edition as editions
from maxsight_assets_tests.places import REPOSITORY


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package whose edition is computed."""
    root = tmp_path / "maxsight_assets"
    shutil.copytree(REPOSITORY / "maxsight_assets", root, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(editions, "__file__", str(root / "edition.py"))
    return root


@pytest.mark.parametrize(
    "edited", ["cleaning/rules.py", "datasets/coco/labels.csv", "formats/coco.py", "splitting/strategies.py"]
)
def test_an_edit_of_a_rule_a_parser_a_table_or_the_splitter_is_another_edition(copied: Path, edited: str) -> None:
    before = editions.edition.__wrapped__()
    with (copied / edited).open("a", encoding="utf-8") as file:
        file.write("\n")

    assert editions.edition.__wrapped__() != before


def test_an_edit_of_what_moves_bytes_is_not(copied: Path) -> None:
    before = editions.edition.__wrapped__()
    with (copied / "transport/http.py").open("a", encoding="utf-8") as file:
        file.write("\n")

    assert editions.edition.__wrapped__() == before


def test_every_package_that_is_named_is_there() -> None:
    assert all((REPOSITORY / "maxsight_assets" / package).is_dir() for package in editions.PACKAGES)
