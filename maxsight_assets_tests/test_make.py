"""What `make` promises before anything is installed."""

import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def test_a_python_that_does_not_fit_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "python3.10").write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.10.1\nexit 1\n', "utf-8")
    (tmp_path / "python3.10").chmod(0o755)
    for name in ("Makefile", "requirements.lock", "pyproject.toml", "dagster.yaml"):
        shutil.copy(REPOSITORY / name, tmp_path)

    done = subprocess.run(
        ["make", "-s", "run", f"PYTHON={tmp_path}/python3.10"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert said == [f"Python 3.11, 3.12 or 3.13 is needed, and {tmp_path}/python3.10 is Python 3.10.1; set PYTHON=..."]
    assert not (tmp_path / ".venv").exists()


def test_the_locks_name_no_address() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (REPOSITORY / name).read_text(encoding="utf-8")
        assert "://" not in text
        assert text.count("--hash=sha256:") > 100
