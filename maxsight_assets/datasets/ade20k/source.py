"""ADE20K validation: scenes with masks, laid out as MaxSight's inference loader reads them.

`ade20k/images/validation/*.jpg`, `ade20k/annotations/validation/*.png` (semantic) and, for boxes,
`ade20k/annotations_instance/validation/*.png`.
"""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from pydantic import Field

from maxsight_assets.archives.archive import Member
from maxsight_assets.catalog import model as catalogs
from maxsight_assets.datasets.ade20k.format import read_instances, scenes_without_boxes
from maxsight_assets.datasets.landing import IMAGE_NAME, Tally, land_members
from maxsight_assets.datasets.places import Upstream
from maxsight_assets.datasets.sampling import take
from maxsight_assets.datasets.selection import ValidationSelection
from maxsight_assets.datasets.source import Source
from maxsight_assets.formats.tables import Tables
from maxsight_assets.publishing.manifest import Manifest
from maxsight_assets.publishing.stage import Stage
from maxsight_assets.verification.boxes import ANNOTATED_RULES

DIRECTORY = catalogs.load("ade20k").directory
SCENES = "ADEchallenge/ADEChallengeData2016.zip"
INSTANCES = "ChallengeData2017/annotations_instance.tar"


class ScenesSelection(ValidationSelection):
    """How much of ADE20K's validation scenes to land."""

    instances: bool = Field(
        default=True,
        description="Land the instance masks, from which boxes follow. False, for instance while their host is away: "
        "only scenes and semantic masks, and the evaluation set says that it has no boxes.",
    )


def files(selection: ScenesSelection) -> tuple[str, ...]:
    """Return the keys of the upstream files that the selection is made from."""
    return (SCENES, INSTANCES) if selection.instances else (SCENES,)


def land(stage: Stage, upstream: Upstream, selection: ScenesSelection, *, moved: frozenset[str], tally: Tally) -> None:
    """Land the chosen scenes, with their masks."""

    def scenes(members: Mapping[str, Member]) -> dict[str, str]:
        top = "ADEChallengeData2016"
        ids = _ids(members, f"{top}/images/validation/", selection)
        places = [f"images/validation/{i}.jpg" for i in ids] + [f"annotations/validation/{i}.png" for i in ids]
        return {f"{top}/{place}": place for place in places if f"{top}/{place}" in members}

    def instances(members: Mapping[str, Member]) -> dict[str, str]:
        landed = {PurePosixPath(path).stem for path in stage.rows if path.startswith("images/validation/")}
        return {name: name for name in members if PurePosixPath(name).stem in landed and "/validation/" in name}

    land_members(stage, upstream, SCENES, scenes, moved=SCENES in moved, tally=tally)
    if selection.instances:
        land_members(stage, upstream, INSTANCES, instances, moved=INSTANCES in moved, tally=tally)


def tables(root: Path, manifest: Manifest) -> Tables:
    """Return the landed scenes, with a box for each instance of the 100 instance classes if their masks are landed.

    A semantic mask does not tell one chair from the next, so no box is made from it.
    """
    paths = [row.path for row in manifest.selected() if row.path.startswith("images/validation/")]
    ids = [PurePosixPath(path).stem for path in paths]
    if ScenesSelection.stored(manifest.info.selection).instances:
        return read_instances(root, ids, place=DIRECTORY)
    return scenes_without_boxes(ids, place=DIRECTORY)


def _ids(members: Mapping[str, Member], folder: str, selection: ScenesSelection) -> list[str]:
    names = [name.removeprefix(folder) for name in members if name.startswith(folder)]
    ids = [PurePosixPath(name).stem for name in names if IMAGE_NAME.fullmatch(name)]
    return sorted(take(ids, selection.max_images, seed=selection.seed))


SOURCE = Source(
    dataset="ade20k",
    selection=ScenesSelection,
    files=files,
    land=land,
    tables=tables,
    rules=ANNOTATED_RULES,
    editions={r"class \d+": "a list of more classes than the instance release's 100 (the full set, for instance)"},
    whole_splits=lambda selection: () if selection.max_images else ("validation",),
)
"""The dataset's row in the registry."""
