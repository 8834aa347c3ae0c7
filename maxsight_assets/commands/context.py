"""What every command of the command line shares: the two streams, how an error of ours ends it, and Dagster's home."""

import errno
import os
import shutil
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from maxsight_assets.errors import MaxSightAssetsError, SettingsError

if TYPE_CHECKING:
    from rich.console import Console

    from maxsight_assets.settings import Settings

DEBUG = "--debug"
"""Option of the program, before the command's name."""

LOCKED = "database is locked"
"""SQLite's words (https://sqlite.org/rescode.html#busy), by whatever library they are passed on."""

TEMPLATE = "dagster.yaml"
"""Dagster's own settings, which the project's root has for a new DAGSTER_HOME."""


@dataclass(frozen=True)
class Stream:
    """Where a command prints for people: one of the two standard streams.

    Attributes:
        stderr: Whether it is standard error.
    """

    stderr: bool = False

    @cached_property
    def console(self) -> "Console":
        """The console, which is made at its first use: its import takes as long as all that `--help` needs."""
        from rich.console import Console

        return Console(stderr=self.stderr, highlight=False, soft_wrap=True)

    def print(self, text: str = "", *, style: str | None = None, end: str = "\n") -> None:
        """Print a line; what looks like markup in it is text."""
        self.console.print(text, style=style, end=end, markup=False)


out = Stream()
err = Stream(stderr=True)


@contextmanager
def loaded_settings(*, writable: bool = True) -> "Iterator[Settings]":
    """Yield the settings; any error becomes one line and exit status 2. A command that only reads needs no write right.

    `maxsight-assets --debug` shows the traceback before that line.
    """
    settings = None
    try:
        from maxsight_assets import settings as settings_module

        settings = settings_module.load(writable=writable)
        yield settings
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:
        if getattr(error, "errno", None) == errno.EPIPE:  # the reader of this command's output has gone
            raise
        if is_debugged():
            err.print("".join(traceback.format_exception(error)), end="")
        err.print(f"error: {_in_one_line(error, settings)}", style="red")
        raise typer.Exit(2) from None


def complete_assets(incomplete: str) -> list[str]:
    """Return the names of assets that begin with what the user has typed, for the shell's completion."""
    try:
        from maxsight_assets import settings as settings_module
        from maxsight_assets.pipeline.inspection import of_profile
        from maxsight_assets.profiles import model as profiles

        names = [each.asset for each in of_profile(profiles.of(settings_module.load(writable=False)))]
    except MaxSightAssetsError:
        return []
    return [name for name in names if name.startswith(incomplete)]


def is_debugged() -> bool:
    """Return whether the user wants to see where errors happened."""
    return DEBUG in sys.argv[1:]


def dagster_home(settings: "Settings", *, make: bool = True) -> Path:
    """Return DAGSTER_HOME, with this project's dagster.yaml in it.

    If it is unset, it is the profile's own in `.dagster_home`, beside the project file or in the current directory.

    Args:
        settings: What the environment says.
        make: Whether to make it if it is missing; a command that only reads makes nothing.
    """
    from maxsight_assets import settings as settings_module

    project = settings_module.project_file(Path.cwd())
    base = project.parent if project else Path.cwd()
    default = str(base / ".dagster_home" / Path(settings.profile).stem)
    home = settings_module.directory("DAGSTER_HOME", os.environ.get("DAGSTER_HOME", "").strip() or default)
    template = next((each / TEMPLATE for each in (base, Path(__file__).parents[2]) if (each / TEMPLATE).exists()), None)
    os.environ["DAGSTER_HOME"] = str(home)
    if not make:
        return home
    try:
        home.mkdir(parents=True, exist_ok=True)
        if template and not (home / TEMPLATE).exists():
            shutil.copyfile(template, home / TEMPLATE)
    except OSError as error:
        raise SettingsError(f"DAGSTER_HOME={home}: {error.strerror}; choose another place") from None
    return home


def _in_one_line(error: Exception, settings: "Settings | None") -> str:
    """Return what an error says; of one that is not of this project, its type too."""
    from maxsight_assets import disk
    from maxsight_assets.transport.redact import scrub

    if isinstance(error, MaxSightAssetsError):
        return str(error)
    said = disk.explained(error, settings.data_dir if settings else Path.cwd())
    if said is not None:
        return str(said)
    if LOCKED in str(error):
        home = os.environ.get("DAGSTER_HOME", "")
        return (
            f"DAGSTER_HOME={home}: another process keeps Dagster's records locked; run the command again. "
            "If many runs write at once, use PostgreSQL (docs/how-to/operate.md)"
        )
    text = " ".join(scrub(f"{type(error).__name__}: {error}").split())
    return f"{text}. No message is made for this; `maxsight-assets {DEBUG} ...` shows where it happened"
