"""Commands that write the published splits in another program's form."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from maxsight_assets.commands.context import loaded_settings, out

if TYPE_CHECKING:
    from maxsight_assets.export.report import Exported

app = typer.Typer(
    no_args_is_help=True,
    help="Write the published splits in the form that another program trains on.",
    epilog="Example: maxsight-assets export maxsight --out exports/maxsight",
)

Out = Annotated[Path, typer.Option("--out", help="Directory to write; an export in it is replaced.")]
ImageRoot = Annotated[
    Path | None,
    typer.Option("--image-root", help="Directory that holds the images as DATA_DIR does, if training reads another."),
]


@app.command(epilog="Example: maxsight-assets export maxsight --out exports/maxsight")
def maxsight(out_dir: Out, image_root: ImageRoot = None) -> None:
    """Write MaxSight's gold plane of train, val and test, and a configuration to train with."""
    with loaded_settings(writable=False) as settings:
        from maxsight_assets.export.maxsight import CONFIG_FILE, export_maxsight
        from maxsight_assets.places import Places

        exported = export_maxsight(Places.of(settings), out_dir, image_root=image_root)
        _print(exported)
        config = exported.directory / CONFIG_FILE
        out.print(f"in a checkout of MaxSight: python scripts/ops/train_maxsight.py --config {config}")


@app.command(epilog="Example: maxsight-assets export yolo --out exports/yolo")
def yolo(out_dir: Out, image_root: ImageRoot = None) -> None:
    """Write lists of images, a label file each, and the data.yaml that YOLO programs read."""
    with loaded_settings(writable=False) as settings:
        from maxsight_assets.export.yolo import CONFIG_FILE, export_yolo
        from maxsight_assets.places import Places

        exported = export_yolo(Places.of(settings), out_dir, image_root=image_root)
        _print(exported)
        out.print(f"give your program {exported.directory / CONFIG_FILE}")


def _print(exported: "Exported") -> None:
    version = exported.data_version[:12]
    out.print(f"cleaned_splits, version {version}, exported to {exported.directory}")
    for name, counts in exported.splits.items():
        out.print(f"  {name}: {counts.images:,} images, {counts.boxes:,} boxes")
    for line in _limits(exported):
        out.print(f"  {line}", style="yellow")


def _limits(exported: "Exported") -> Iterator[str]:
    """What of the splits the reader will not see as it is."""
    total = {name: sum(getattr(counts, name) for counts in exported.splits.values()) for name in _TOLD}
    yield from (text.format(total[name]) for name, text in _TOLD.items() if total[name])


_TOLD = {
    "crowds": "{:,} boxes are crowd regions, and train as single objects; cleaning.drop_crowds leaves them out",
    "beyond": "{:,} images hold more boxes than data.max_objects keeps",
    "skipped": "{:,} images without boxes are left out",
}
