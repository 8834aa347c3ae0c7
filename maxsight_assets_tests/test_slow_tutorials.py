"""The tutorials, followed literally: up to the UI, and up to the point at which MaxSight's own program starts."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from maxsight_assets.labels.space import load_space
from maxsight_assets_tests.export.reader import gold_samples, training_config
from maxsight_assets_tests.places import REPOSITORY
from maxsight_assets_tests.project import copy_world

TUTORIAL = REPOSITORY / "docs/tutorials/first-training-run.md"
FIRST_LANDING = REPOSITORY / "docs/tutorials/first-landing.md"
MADE_BY_MAKE = ("Makefile", "pyproject.toml", "requirements.lock", "requirements-dev.lock")
STARTS_TRAINING = "python scripts/ops/train_maxsight.py --config "


@pytest.fixture
def clone(tmp_path: Path, drawn_world: Path) -> Path:
    """A clone that `make` has set up: its virtual environment is the one of these tests, its sample world is drawn."""
    if shutil.which("make") is None or not Path(sys.prefix, ".ready").exists():
        pytest.skip("these tests do not run in a virtual environment that make made")
    made = tmp_path / "clone"
    made.mkdir()
    for name in (*MADE_BY_MAKE, "dagster.yaml", "workspace.yaml"):
        shutil.copy(REPOSITORY / name, made)
        os.utime(made / name, (0, 0))  # older than the environment, which make then leaves as it is
    (made / ".venv").symlink_to(sys.prefix)
    world = made / "datasets_sample/.maxsight/sample_upstream"
    world.parent.mkdir(parents=True)
    copy_world(drawn_world, world)
    return made


def commands(page: Path = TUTORIAL) -> list[str]:
    """The blocks of a tutorial that a reader types, in order."""
    return re.findall(r"```bash\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def typed(blocks: list[str], clone: Path) -> subprocess.CompletedProcess[str]:
    """What becomes of commands that a reader types in one terminal."""
    ours = {"DATA_DIR", "SPLITS_DIR", "DAGSTER_HOME", "MAXSIGHT_PROFILE", "VIRTUAL_ENV", "MAKEFLAGS"}
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    script = "set -e\n" + "".join(blocks)
    done = subprocess.run(
        ["bash", "-c", script], cwd=clone, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


def test_the_first_landing_goes_as_its_tutorial_says(clone: Path) -> None:
    land, look, ask, ui, again, touch, starter = commands(FIRST_LANDING)
    splits = clone / "datasets_sample/cleaned_splits"

    assert (ui, again) == ("make ui\n", land)
    assert "MAXSIGHT_PROFILE=starter" in starter
    done = typed([land, look, ask], clone)
    assert "maxsight_train.json" in done.stdout
    page = (splits / ".maxsight/MANIFEST.json").read_bytes()
    typed([again, touch], clone)
    assert (splits / ".maxsight/MANIFEST.json").read_bytes() == page


def test_the_tutorial_leads_to_where_training_starts(clone: Path) -> None:
    *before, last = commands()

    done = typed(before, clone)

    printed = next(line for line in done.stdout.splitlines() if STARTS_TRAINING in line)
    assert last.strip().replace("/path/to/this/clone", str(clone)) == printed[printed.index(STARTS_TRAINING) :]
    data = training_config(Path(printed.partition("--config ")[2]))["data"]
    labels = load_space().names
    counts = [
        len(list(gold_samples(Path(data[f"gold_{name}_meta"]), max_objects=data["max_objects"], labels=labels)))
        for name in ("train", "val", "test")
    ]
    told = re.findall(r"^  (?:train|val|test): (\d+) images", done.stdout, re.MULTILINE)
    assert counts == [int(count) for count in told]
    written = {path.name for path in (clone / "exports/maxsight").iterdir() if path.is_file()}
    table = TUTORIAL.read_text(encoding="utf-8").partition("| file |")[2].partition("\n\n")[0]
    assert written == set(re.findall(r"`(\w+\.\w+)`", table))


def test_the_readme_starts_training_as_the_tutorial_does() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")

    for command in [commands()[-1], next(each for each in commands() if "export maxsight" in each)]:
        assert f"```bash\n{command}```" in readme
