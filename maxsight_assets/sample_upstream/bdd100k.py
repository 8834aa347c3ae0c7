"""Draw BDD100K's validation archives: small frames of a dash camera and the detection labels of 2020.

Real frames have 1280 x 720 pixels; these have a quarter of each side.
"""

import json
from pathlib import Path
from typing import Any

from maxsight_assets.sample_upstream.archives import jpeg, put, zip_of
from maxsight_assets.sample_upstream.defects import BY_NAME
from maxsight_assets.sample_upstream.drawing.canvas import Scene, Thing
from maxsight_assets.sample_upstream.drawing.shapes import dice
from maxsight_assets.sample_upstream.drawing.studio import draw_scene
from maxsight_assets.sample_upstream.vocabulary import BDD100K

IMAGES = "100k_images_val.zip"
LABELS = "bdd100k_det_20_labels_trainval.zip"

_FRAMES = 40
_SIZE = (320, 180)


def draw() -> dict[str, Scene]:
    """Draw 40 frames: street scenes by the name of the frame, without suffix."""
    rng = dice("bdd100k names")
    names = [f"b{rng.getrandbits(28):07x}-{rng.getrandbits(32):08x}" for _ in range(_FRAMES - 1)]
    names.append(BY_NAME["unlabelled_frame"].image_id)
    return {name: draw_scene(f"bdd100k/{name}", ("street",), BDD100K, _SIZE) for name in sorted(names)}


def publish(root: Path, scenes: dict[str, Scene]) -> None:
    """Write the two zips below `root`."""
    folder = "bdd100k/images/100k/val/"
    frames = {f"{folder}{name}.jpg": jpeg(scene.picture) for name, scene in scenes.items()}
    put(root / IMAGES, zip_of({folder: b"", **frames}))
    records = [_record(name, scene) for name, scene in scenes.items()]
    labels = {"bdd100k/labels/det_20/det_train.json": [], "bdd100k/labels/det_20/det_val.json": records}
    put(root / LABELS, zip_of({name: json.dumps(content, indent=1).encode() for name, content in labels.items()}))


def _record(name: str, scene: Scene) -> dict[str, Any]:
    rng = dice("bdd100k", name)
    record: dict[str, Any] = {
        "name": f"{name}.jpg",
        "attributes": {
            "weather": rng.choice(("clear", "overcast", "rainy", "undefined")),
            "timeofday": rng.choice(("daytime", "dawn/dusk", "night")),
            "scene": "city street",
        },
        "timestamp": 10000,
    }
    if name == BY_NAME["unlabelled_frame"].image_id:
        return record
    things = [thing for thing in scene.things if thing.name in BDD100K]
    return {**record, "labels": [_label(number, thing) for number, thing in enumerate(things)]}


def _label(number: int, thing: Thing) -> dict[str, Any]:
    x, y, width, height = thing.box
    return {
        "id": str(number),
        "attributes": {"occluded": thing.visible < 0.95, "truncated": thing.truncated, "trafficLightColor": "NA"},
        "category": BDD100K[thing.name],
        "box2d": {"x1": x, "y1": y, "x2": round(x + width, 2), "y2": round(y + height, 2)},
    }
