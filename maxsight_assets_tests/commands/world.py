"""A world with a past, for tests of the commands that look at it."""

import shutil
from pathlib import Path

from maxsight_assets.values import PROJECT_FILE
from maxsight_assets_tests.commands.typed import typed
from maxsight_assets_tests.places import REPOSITORY
from maxsight_assets_tests.project import copy_world


def land_twice(root: Path, drawn_world: Path) -> None:
    """Land two datasets of the sample, export the splits, change COCO's upstream, and land what follows from that."""
    (root / "data/.maxsight").mkdir(parents=True)
    copy_world(drawn_world, root / "data/.maxsight/sample_upstream")
    shutil.copy(REPOSITORY / "dagster.yaml", root)
    (root / PROJECT_FILE).write_text('datasets = ["coco", "openimages"]\n', encoding="utf-8")
    for command in (
        "materialize",
        f"export yolo --out {root}/yolo",
        "touch coco",
        "materialize coco_raw cleaned_splits",
    ):
        done = typed(root, *command.split())
        assert done.exit_code == 0, done.output
