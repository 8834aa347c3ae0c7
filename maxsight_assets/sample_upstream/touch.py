"""Move the published sample to its next edition, so that the user can watch a refresh.

Each edition adds one picture to a dataset and differs from the first edition in nothing else. The pristine copy beside
it never changes, so every edition can be made again, and the first one restored.
"""

import json
from collections.abc import Callable
from pathlib import Path

from maxsight_assets.sample_upstream import coco, openimages
from maxsight_assets.sample_upstream.archives import put
from maxsight_assets.sample_upstream.drawing.studio import draw_scene
from maxsight_assets.sample_upstream.vocabulary import COCO, OPEN_IMAGES
from maxsight_assets.sample_upstream.world import pristine

_EDITIONS = ".editions.json"  # the server does not serve names that start with a dot
_FIRST_NEW_COCO_ID = 600_000  # beyond COCO's own ids


def touch(root: Path, what: str = "coco", *, back: bool = False) -> str:
    """Publish the next edition of one dataset, or the first one again.

    Args:
        root: The published directory, as `world.publish` returned it.
        what: "coco" (train2017.zip and the annotations change) or "openimages" (the two train tables change and one
            picture is added).
        back: Return to the first edition.

    Returns:
        One line that says what was changed.

    Raises:
        ValueError: `what` is neither of the two.
    """
    if what not in _NEXT:
        raise ValueError(f"{what}: there is no next edition of it; use one of {', '.join(sorted(_NEXT))}")
    editions = json.loads((root / _EDITIONS).read_text(encoding="utf-8")) if (root / _EDITIONS).exists() else {}
    edition = 1 if back else editions.get(what, 1) + 1
    said = _first(root, what) if back else _NEXT[what](root, edition)
    put(root / _EDITIONS, json.dumps({**editions, what: edition}, sort_keys=True).encode())
    return f"{what}: edition {edition}, {said}"


def _next_coco(root: Path, edition: int) -> str:
    extra = []
    for number in range(1, edition):
        image_id = _FIRST_NEW_COCO_ID + number
        scene = draw_scene(f"touch coco/{number}", coco.PLACES, COCO)
        extra.append(coco.photo(coco.TRAIN, image_id, scene))
    coco.extend(pristine(root) / "coco", root / "coco", extra, days=edition)
    return f"added {coco.TRAIN}/{extra[-1].file_name} to the train zip and its annotations to the annotation zip"


def _next_openimages(root: Path, edition: int) -> str:
    extra = []
    for number in range(1, edition):
        scene = draw_scene(f"touch openimages/{number}", openimages.PLACES, OPEN_IMAGES)
        extra.append(openimages.photo(openimages.TRAIN, f"f{number:015x}", scene))
    openimages.extend(pristine(root), root, extra, days=edition)
    return f"added {openimages.TRAIN}/{extra[-1].image_id}.jpg and its rows to the two train tables"


def _first(root: Path, what: str) -> str:
    """Restore the pristine files and remove the files that editions added."""
    for folder in _FOLDERS[what]:
        for path in sorted((root / folder).rglob("*.*")):
            original = pristine(root) / path.relative_to(root)
            if not original.exists():
                path.unlink()
            elif not path.samefile(original):
                put(path, original.read_bytes())
    return "as it was drawn"


_NEXT: dict[str, Callable[[Path, int], str]] = {"coco": _next_coco, "openimages": _next_openimages}
_FOLDERS = {"coco": ("coco",), "openimages": ("openimages", "open-images-dataset")}
