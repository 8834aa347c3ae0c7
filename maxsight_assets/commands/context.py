"""What every command of the command line shares: the two streams, how an error of ours ends it, and Dagster's home."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console

from maxsight_assets import settings as settings_module
from maxsight_assets.errors import MaxSightAssetsError, SettingsError
from maxsight_assets.settings import Settings

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


@contextmanager
def loaded_settings(*, writable: bool = True) -> Iterator[Settings]:
    """The settings; an error of ours becomes one line and exit status 2. Who only reads needs no write access."""
    try:
        yield settings_module.load(writable=writable)
    except MaxSightAssetsError as error:
        err.print(f"error: {error}", style="red", markup=False)
        raise typer.Exit(2) from None


def dagster_home(settings: Settings, *, make: bool = True) -> Path:
    """DAGSTER_HOME, or the profile's own in `.dagster_home` if it is unset, with this project's dagster.yaml in it.

    Args:
        settings: What the environment says.
        make: Whether it is made if it is missing; who only looks makes nothing.
    """
    default = f".dagster_home/{Path(settings.profile).stem}"
    home = settings_module.directory("DAGSTER_HOME", os.environ.get("DAGSTER_HOME", "").strip() or default)
    template = Path("dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(home)
    if not make:
        return home
    try:
        home.mkdir(parents=True, exist_ok=True)
        if template.exists() and not (home / "dagster.yaml").exists():
            shutil.copyfile(template, home / "dagster.yaml")
    except OSError as error:
        raise SettingsError(f"DAGSTER_HOME={home}: {error.strerror}; choose another place") from None
    return home
