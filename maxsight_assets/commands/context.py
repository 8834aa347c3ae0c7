"""What every command of the command line shares: the two streams, and how an error of ours ends a command."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

from maxsight_assets import settings as settings_module
from maxsight_assets.errors import MaxSightAssetsError
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
