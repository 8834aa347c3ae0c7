"""Another directory, another number of threads, another Python: the same bytes."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from maxsight_assets_tests.places import REPOSITORY

ASSETS = (
    *("coco_raw", "openimages_subset", "bdd100k_raw", "ade20k_raw"),
    *("inference_eval_set", "cleaned_splits", "detection_metrics"),
)


def versions(python: Path, directory: Path, *, variables: Mapping[str, str]) -> dict[str, str]:
    """Materialize the sample profile in a process of its own; the data version of each asset."""
    environment = {
        name: value for name, value in os.environ.items() if name not in {"DATA_DIR", "SPLITS_DIR", "AUDIO_DIR"}
    }
    environment |= {"DATA_DIR": str(directory / "data"), "DAGSTER_HOME": str(directory / "home"), **variables}
    environment["PYTHONPATH"] = str(REPOSITORY)
    directory.mkdir()

    def run(*arguments: str) -> bytes:
        command = [str(python), "-m", "maxsight_assets.commands.app", *arguments]
        done = subprocess.run(command, env=environment, cwd=directory, check=False, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()[-2000:]
        return done.stdout

    run("materialize")
    return {row["asset"]: row["data_version"] for row in json.loads(run("status", "--json"))}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return versions(Path(sys.executable), tmp_path_factory.mktemp("here") / "project", variables={})


def test_fewer_threads_and_another_hash_seed_make_the_same_bytes(here: dict[str, str], tmp_path: Path) -> None:
    threads = {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "7"}

    again = versions(Path(sys.executable), tmp_path / "a longer name, with blanks", variables=threads)

    assert set(again) == set(ASSETS)
    assert again == here


@pytest.mark.parametrize("wanted", ["3.11", "3.12", "3.13"])
def test_another_python_makes_the_same_bytes(wanted: str, here: dict[str, str], tmp_path: Path) -> None:
    if wanted == f"{sys.version_info.major}.{sys.version_info.minor}":
        pytest.skip(f"this is Python {wanted}")
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    installed = sorted(Path.home().glob(f".pyenv/versions/{wanted}.*/bin/python"))
    if uv is None or not installed:
        pytest.skip(f"no Python {wanted} of pyenv, or no uv to install its packages with")
    venv = tmp_path / "venv"
    subprocess.run([uv, "venv", "-q", "--python", str(installed[-1]), str(venv)], check=True, capture_output=True)
    python = venv / "bin/python"
    install = [uv, "pip", "install", "-q", "--offline", "--python", str(python)]
    packages = ["--require-hashes", "-r", str(REPOSITORY / "requirements.lock")]
    if subprocess.run([*install, *packages], check=False, capture_output=True).returncode:
        pytest.skip(f"the packages of requirements.lock are not in uv's cache for Python {wanted}")
    project = ["--no-deps", "--no-build-isolation", "-e", str(REPOSITORY)]
    subprocess.run([*install, *project], check=True, capture_output=True)

    assert versions(python, tmp_path / "other", variables={}) == here
