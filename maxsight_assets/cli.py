"""The `maxsight-assets` command: what a person does at a terminal rather than in the UI."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from maxsight_assets import settings as settings_module
from maxsight_assets.errors import MaxSightAssetsError
from maxsight_assets.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Vision datasets for MaxSight: landed, verified, cleaned, split and kept fresh.",
)
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


@contextmanager
def _explained() -> Iterator[Settings]:
    """The settings; an error of ours becomes one line and exit status 1."""
    try:
        yield settings_module.load()
    except MaxSightAssetsError as error:
        err.print(f"error: {error}", style="red", markup=False)
        raise typer.Exit(1) from None


@app.command(epilog="Example: maxsight-assets materialize coco_raw cleaned_splits")
def materialize(
    assets: Annotated[list[str] | None, typer.Argument(help="Names of assets; none for all.")] = None,
) -> None:
    """Materialize assets in this process; the run also shows in the UI."""
    from maxsight_assets import build
    from maxsight_assets.summary import print_run

    with _explained() as settings:
        home = _dagster_home()
        outcome = build.materialize(settings, assets or [])
        print_run(out, settings, outcome, home)
        raise typer.Exit(0 if outcome.success else 1)


def _dagster_home() -> Path:
    """DAGSTER_HOME, or `.dagster_home` here where it is unset, with this project's dagster.yaml in it."""
    home = Path(os.environ.setdefault("DAGSTER_HOME", str(Path.cwd() / ".dagster_home")))
    home.mkdir(parents=True, exist_ok=True)
    template = Path("dagster.yaml")
    if template.exists() and not (home / "dagster.yaml").exists():
        shutil.copyfile(template, home / "dagster.yaml")
    return home


if __name__ == "__main__":
    app()
