"""`python -m maxsight_assets` is the command `maxsight-assets`."""

from maxsight_assets.commands.app import app

app()
