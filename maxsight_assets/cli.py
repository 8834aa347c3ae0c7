"""The command line under its former name, for scripts that were installed before; see `commands`."""

from maxsight_assets.commands.app import app

if __name__ == "__main__":
    app()
