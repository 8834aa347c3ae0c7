"""Draw ADE20K's challenge archives: scenes with semantic masks, and the instance masks in an archive of their own."""

from pathlib import Path

from PIL import Image

from maxsight_assets.sample_upstream.archives import jpeg, png, put, tar_of, zip_of
from maxsight_assets.sample_upstream.drawing.canvas import Scene
from maxsight_assets.sample_upstream.drawing.studio import draw_scene
from maxsight_assets.sample_upstream.vocabulary import ADE20K, ADE20K_INSTANCES, ADE20K_OBJECTS

SCENES = "ADEchallenge/ADEChallengeData2016.zip"
INSTANCES = "ChallengeData2017/annotations_instance.tar"

_PLACES = ("hallway", "kitchen", "living room", "table", "street", "park")
_COUNTS = {"training": ("train", 4), "validation": ("val", 40)}
_THINGS = frozenset(name for name, title in ADE20K.items() if title in ADE20K_INSTANCES)
_TOP = "ADEChallengeData2016"


def draw() -> dict[str, dict[str, Scene]]:
    """Draw the scenes, by split and by file name without suffix."""
    return {
        split: {
            f"ADE_{short}_{number:08d}": draw_scene(f"ade20k/{short}/{number}", _PLACES, _THINGS)
            for number in range(1, count + 1)
        }
        for split, (short, count) in _COUNTS.items()
    }


def publish(root: Path, scenes: dict[str, dict[str, Scene]]) -> None:
    """Write the zip and the tar below `root`."""
    members = {
        f"{_TOP}/": b"",
        f"{_TOP}/objectInfo150.txt": _object_info(),
        f"{_TOP}/sceneCategories.txt": _places(scenes),
    }
    masks = {"annotations_instance/": b""}
    for split, named in scenes.items():
        for name, scene in named.items():
            members[f"{_TOP}/images/{split}/{name}.jpg"] = jpeg(scene.picture)
            members[f"{_TOP}/annotations/{split}/{name}.png"] = png(_semantic_mask(scene))
            masks[f"annotations_instance/{split}/{name}.png"] = png(_instance_mask(scene))
    put(root / SCENES, zip_of(members))
    put(root / INSTANCES, tar_of(masks))


def _semantic_mask(scene: Scene) -> Image.Image:
    """Return a mask of mode L: 0 for "other", else the number of the object in `ADE20K_OBJECTS`, from 1."""
    numbers = [ADE20K_OBJECTS.index(ADE20K[name]) + 1 if name in ADE20K else 0 for name in scene.names]
    return scene.layers.point(numbers + [0] * (256 - len(numbers)))


def _instance_mask(scene: Scene) -> Image.Image:
    """Return an RGB mask: red is the class's number in `ADE20K_INSTANCES`, from 1; green numbers the instances."""
    red, green = [0] * 256, [0] * 256
    things = [thing for thing in scene.things if thing.name in _THINGS]
    for count, thing in enumerate(things, 1):
        red[thing.layer] = ADE20K_INSTANCES.index(ADE20K[thing.name]) + 1
        green[thing.layer] = count
    channels = [scene.layers.point(red), scene.layers.point(green), Image.new("L", scene.layers.size)]
    return Image.merge("RGB", channels)


def _object_info() -> bytes:
    """Return the list of names with the real file's header; the shares of pixels are 0, as no dataset gives them."""
    rows = [f"{number}\t0.0000\t0\t0\t0\t{name}" for number, name in enumerate(ADE20K_OBJECTS, 1)]
    return "\n".join(["Idx\tRatio\tTrain\tVal\tStuff\tName", *rows, ""]).encode()


def _places(scenes: dict[str, dict[str, Scene]]) -> bytes:
    rows = [f"{name} {scene.kind.replace(' ', '_')}\n" for named in scenes.values() for name, scene in named.items()]
    return "".join(rows).encode()
