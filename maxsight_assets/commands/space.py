"""Commands about space: what is on the disk, and what may be deleted."""

import shutil

import typer

from maxsight_assets.commands.answer import Answer, AsJson, Everything, Quiet, give, size
from maxsight_assets.commands.context import dagster_home, loaded_settings

app = typer.Typer()


@app.command("disk", epilog="Example: maxsight-assets disk")
def disk_use(as_json: AsJson = False, quiet: Quiet = False, everything: Everything = False) -> None:
    """Tell what fills the disk, largest first, and what frees each: data, earlier versions, caches, records."""
    with loaded_settings(writable=False) as settings:
        from maxsight_assets import disk
        from maxsight_assets.export.notes import noted
        from maxsight_assets.pipeline.usage import usage
        from maxsight_assets.places import Places
        from maxsight_assets.profiles import model as profiles

        places, home = Places.of(settings), dagster_home(settings, make=False)
        exports = [each.directory for each in noted(places)]
        uses = sorted(usage(profiles.of(settings), places, home, exports), key=lambda use: -use.bytes)
        rows = [(use.what, use.bytes if as_json else size(use.bytes), use.files, use.how) for use in uses]
        total, free = sum(use.bytes for use in uses), shutil.disk_usage(disk.existing(places.data_dir)).free
        freed = sum(use.bytes for use in uses if use.how.startswith("maxsight-assets prune"))
        hints = [f"{size(total)} in all, {size(free)} free; prune frees at most {size(freed)}"]
        columns = ("what", "bytes" if as_json else "size", "files", "freed by")
        give(Answer(columns, rows, (), hints), as_json=as_json, quiet=quiet, everything=everything)
