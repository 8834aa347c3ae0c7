"""Commands as a user types them, in this process: a process of their own would import Dagster each time."""

import os
from contextlib import chdir
from pathlib import Path
from unittest import mock

from click.testing import Result
from typer.testing import CliRunner

from maxsight_assets.commands import context
from maxsight_assets.commands.app import app


def typed(root: Path, *arguments: str, **variables: str) -> Result:
    """Run a command in a directory, with its data and Dagster's records there unless the variables say otherwise.

    Raises:
        Exception: What the command raised and did not report itself.
    """
    environment = {"DATA_DIR": str(root / "data"), "DAGSTER_HOME": str(root / "home"), **variables}
    with chdir(root), mock.patch.dict(os.environ, environment):
        for stream in (context.out, context.err):
            stream.console.width = 200
        done = CliRunner().invoke(app, arguments)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done
