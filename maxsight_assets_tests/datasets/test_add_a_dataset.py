"""The page that says how to add a dataset, followed literally: one folder, one line, and the graph has it."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from maxsight_assets.sample_upstream.server import serve
from maxsight_assets_tests.images.pictures import encoded, picture
from maxsight_assets_tests.places import REPOSITORY

PAGE = REPOSITORY / "docs/how-to/add-a-dataset.md"
IMAGES = {"train": 20, "test": 10}


def files_of(page: str) -> dict[str, str]:
    """The files that the page shows, by the path that stands before each."""
    shown = re.findall(r"`([\w/.]+)`(?:, which says what the folder is)?:\n\n```\w+\n(.*?)```", page, re.DOTALL)
    return dict(shown)


def line_of(page: str) -> str:
    """The line that the page adds to the registry."""
    found = re.search(r"Add the folder's name to `_FOLDERS`.*?```\n(.*?)```", page, re.DOTALL)
    assert found
    return found[1]


def publish(www: Path) -> None:
    """The publisher's archive: pictures that all differ, and a box in each."""
    rows = ["split,image,label,x,y,w,h"]
    www.mkdir()
    with zipfile.ZipFile(www / "curbs.zip", "w") as archive:
        number = 0
        for split, count in IMAGES.items():
            for _ in range(count):
                number += 1
                archive.writestr(f"images/c{number:03}.jpg", encoded(picture(number)))
                rows.append(f"{split},c{number:03},car,10,12,40,30")
        archive.writestr("boxes.csv", io.StringIO("\n".join(rows) + "\n").read())


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, subprocess.CompletedProcess[str]]]:
    """A copy of the package with the page's files, materialized from a server on loopback."""
    root = tmp_path_factory.mktemp("curbs")
    shutil.copytree(
        REPOSITORY / "maxsight_assets", root / "maxsight_assets", ignore=shutil.ignore_patterns("__pycache__")
    )
    page = PAGE.read_text(encoding="utf-8")
    for path, text in files_of(page).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    registry = root / "maxsight_assets/datasets/registry.py"
    text = registry.read_text(encoding="utf-8")
    registry.write_text(text.replace('    "ade20k",\n', f'    "ade20k",\n{line_of(page)}'), encoding="utf-8")
    publish(root / "www")
    with serve(root / "www") as address:
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(root),
            "DATA_DIR": str(root / "data"),
            "DAGSTER_HOME": str(root / "home"),
            "MAXSIGHT_PROFILE": "./curbs.yaml",
            "CURBS_MIRROR": address,
        }
        command = [sys.executable, "-m", "maxsight_assets", "materialize"]
        yield root, subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


def test_the_page_names_every_file_of_the_folder() -> None:
    folder = "maxsight_assets/datasets/curbs/"
    names = ("__init__.py", "catalog.yaml", "format.py", "labels.csv", "source.py")
    assert set(files_of(PAGE.read_text(encoding="utf-8"))) == {"curbs.yaml", *(folder + name for name in names)}


def test_the_fifth_dataset_lands_and_its_checks_pass(landed: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    root, done = landed

    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((root / "data/curbs/images").glob("*.jpg"))) == sum(IMAGES.values())
    page = json.loads((root / "data/curbs/.maxsight/MANIFEST.json").read_bytes())
    assert (page["asset"], page["source"], page["files"]) == ("curbs_raw", "upstream", sum(IMAGES.values()) + 1)
    passed = re.search(r"curbs_raw: (\d+) of (\d+) checks passed", done.stdout)
    assert passed, done.stdout
    assert int(passed[2]) > 15


def test_it_is_evaluated_and_trained_on_as_its_card_says(landed: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    root, _ = landed

    evaluated = json.loads((root / "data/inference_eval/curbs_test/annotations.json").read_bytes())
    trained = [json.loads(path.read_bytes()) for path in (root / "data/cleaned_splits").glob("maxsight_*.json")]

    assert len(evaluated["images"]) == IMAGES["test"]
    assert sum(len(split["images"]) for split in trained) == IMAGES["train"]
    assert {each["file_name"].split("/")[0] for split in trained for each in split["images"]} == {"curbs"}


def test_its_files_pass_the_linters(landed: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    root, _ = landed
    ruff = Path(sys.executable).with_name("ruff")
    if not ruff.exists():
        pytest.skip("ruff is not installed")
    shutil.copy(REPOSITORY / "pyproject.toml", root / "pyproject.toml")

    command = [ruff, "check", "maxsight_assets/datasets/curbs"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout
