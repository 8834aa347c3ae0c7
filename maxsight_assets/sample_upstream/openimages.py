"""Draw Open Images as its two buckets publish it: tables in `openimages/`, small pictures in `open-images-dataset/`.

Authors and Flickr pages are invented (photo ids start with 990, beyond any that Flickr has given); one photo has the
same Flickr id as a COCO image.
"""

import base64
import csv
import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from maxsight_assets.sample_upstream.archives import jpeg, put
from maxsight_assets.sample_upstream.defects import BY_NAME
from maxsight_assets.sample_upstream.drawing.canvas import Scene, Thing
from maxsight_assets.sample_upstream.drawing.shapes import dice
from maxsight_assets.sample_upstream.drawing.studio import draw_scene
from maxsight_assets.sample_upstream.vocabulary import OPEN_IMAGES

TABLES, PICTURES = Path("openimages"), Path("open-images-dataset")
TRAIN, VALIDATION, TEST = "train", "validation", "test"
BOXES = {
    TRAIN: "v6/oidv6-train-annotations-bbox.csv",
    VALIDATION: "v5/validation-annotations-bbox.csv",
    TEST: "v5/test-annotations-bbox.csv",
}
METADATA = {
    TRAIN: "2018_04/train/train-images-boxable-with-rotation.csv",
    VALIDATION: "2018_04/validation/validation-images-with-rotation.csv",
    TEST: "2018_04/test/test-images-with-rotation.csv",
}
CLASSES = "v5/class-descriptions-boxable.csv"
HIERARCHY = "2018_04/bbox_labels_600_hierarchy.json"
PLACES = ("hallway", "hallway", "street", "street", "kitchen", "park", "living room", "table")

_COUNTS = {TRAIN: 60, VALIDATION: 40, TEST: 20}
_BOX_COLUMNS = (
    "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside"
)
_CLICK_COLUMNS = [f"XClick{number}{axis}" for axis in "XY" for number in range(1, 5)]
_METADATA_COLUMNS = (
    "ImageID,Subset,OriginalURL,OriginalLandingURL,License,AuthorProfileURL,Author,Title,OriginalSize,OriginalMD5,"
    "Thumbnail300KURL,Rotation"
)
_NUMBER_LIKE = {TRAIN: ("0000000000000e10",), VALIDATION: ("00000000000001e5",), TEST: ("9999999999999999",)}
_TREE: dict[str, Any] = {
    "Vehicle": {"Land vehicle": {"Bicycle": {}, "Bus": {}, "Car": {}, "Motorcycle": {}, "Truck": {}}},
    "Wheelchair": {},
    "Furniture": {
        "Bed": {},
        "Bench": {},
        "Cabinetry": {},
        "Chair": {},
        "Couch": {},
        "Table": {"Kitchen & dining room table": {}},
    },
    "Animal": {"Bird": {}, "Mammal": {"Cat": {}, "Dog": {}}},
    "Food": {"Fruit": {"Apple": {}, "Banana": {}, "Orange": {}}, "Cake": {}},
    "Tableware": {"Bottle": {}, "Bowl": {}, "Coffee cup": {}, "Wine glass": {}},
    "Home appliance": {"Microwave oven": {}, "Oven": {}, "Refrigerator": {}},
    "Traffic sign": {"Stop sign": {}},
}


@dataclass(frozen=True, slots=True)
class Photo:
    """One image: its scene gives the rows that describe it, and `content` is its file."""

    image_id: str
    split: str
    scene: Scene
    content: bytes
    flickr_id: str


def draw(shared: Scene, shared_flickr_id: str) -> list[Photo]:
    """Draw the 120 photos; one of them shows `shared`, a scene of COCO, at another size."""
    special = {
        BY_NAME["group_of_box"].image_id: ("crowd",),
        BY_NAME["depiction_box"].image_id: ("gallery",),
    }
    photos = []
    for split in _COUNTS:
        for image_id in _image_ids(split):
            if image_id == BY_NAME["shared_photo"].image_id:
                photos.append(photo(split, image_id, shared.resized(1.25), shared_flickr_id))
                continue
            scene = draw_scene(f"openimages/{image_id}", special.get(image_id, PLACES), OPEN_IMAGES)
            photos.append(photo(split, image_id, scene))
    return photos


def photo(split: str, image_id: str, scene: Scene, flickr_id: str | None = None) -> Photo:
    """Take a photo of a scene; one photo lies on its side, as the table of defects states."""
    if image_id == BY_NAME["rotated_image"].image_id:
        scene = scene.turned()
    own = f"990{dice('openimages photo', image_id).randrange(10**8):08d}"
    return Photo(image_id, split, scene, jpeg(scene.picture), flickr_id or own)


def publish(root: Path, photos: Iterable[Photo]) -> None:
    """Write tables and pictures below `root`."""
    photos = sorted(photos, key=lambda each: each.image_id)
    put(root / TABLES / CLASSES, files(__package__).joinpath("openimages_classes.csv").read_bytes())
    put(root / TABLES / HIERARCHY, json.dumps(_hierarchy(class_numbers()), indent=4).encode())
    for split in _COUNTS:
        for path, table in _tables(split, [each for each in photos if each.split == split]).items():
            put(root / TABLES / path, table)
    _put_pictures(root, photos)


def extend(first: Path, root: Path, extra: Sequence[Photo], *, days: int) -> None:
    """Write the train tables of `first`, an earlier root, with the extra rows appended; add the extra pictures."""
    _put_pictures(root, extra)
    for path, table in _tables(TRAIN, extra).items():
        rows = table.partition(b"\n")[2]
        put(root / TABLES / path, (first / TABLES / path).read_bytes() + rows, days=days)


def _put_pictures(root: Path, photos: Iterable[Photo]) -> None:
    for each in photos:
        put(root / PICTURES / each.split / f"{each.image_id}.jpg", each.content)


def _tables(split: str, photos: Sequence[Photo]) -> dict[str, bytes]:
    """Return the two tables of one split, by their path."""
    numbers = class_numbers()
    boxes = [row for each in photos for row in _box_rows(each, numbers)]
    columns = _BOX_COLUMNS.split(",") + (_CLICK_COLUMNS if split == TRAIN else [])
    return {
        BOXES[split]: _table([columns, *boxes]),
        METADATA[split]: _table([_METADATA_COLUMNS.split(","), *map(_metadata_row, photos)]),
    }


def class_numbers() -> dict[str, str]:
    """Return the published machine id of each class, by its name."""
    text = files(__package__).joinpath("openimages_classes.csv").read_text(encoding="utf-8")
    return {name: number for number, name in csv.reader(io.StringIO(text))}


def _box_rows(each: Photo, numbers: dict[str, str]) -> list[list[object]]:
    return [_box_row(each, thing, numbers) for thing in each.scene.things if thing.name in OPEN_IMAGES]


def _box_row(each: Photo, thing: Thing, numbers: dict[str, str]) -> list[object]:
    width, height = each.scene.picture.size
    x, y, w, h = thing.box
    xs, ys = (x / width, (x + w) / width), (y / height, (y + h) / height)
    flags = (
        int(thing.visible < 0.95),
        int(thing.truncated),
        int(thing.name == "crowd"),
        int(thing.name == "portrait"),
        0,
    )
    source = "xclick" if each.split == TRAIN else "freeform"
    row = [
        each.image_id,
        source,
        numbers[OPEN_IMAGES[thing.name]],
        1,
        *(f"{value:.6f}" for value in (*xs, *ys)),
        *flags,
    ]
    if each.split != TRAIN:
        return row
    middle = (sum(xs) / 2, sum(ys) / 2)
    clicks = (middle[0], xs[0], middle[0], xs[1], ys[0], middle[1], ys[1], middle[1])  # top, left, bottom, right
    return row + [f"{value:.6f}" for value in clicks]


def _metadata_row(each: Photo) -> list[object]:
    rng = dice("openimages", each.image_id)
    number, subject = rng.randint(1, 40), each.scene.kind
    owner, farm = (
        f"sample_author_{number}",
        f"https://farm{rng.randint(1, 9)}.staticflickr.com/{rng.randint(1000, 9999)}",
    )
    title = rng.choice(
        (f"A {subject}", f"The {subject}, again", f"Tom&#39;s {subject} &amp; more", f'"{subject}", detail')
    )
    original = dice("openimages original", each.image_id).randbytes(64)
    md5 = base64.b64encode(hashlib.md5(original, usedforsecurity=False).digest()).decode()
    rotation = {BY_NAME["rotated_image"].image_id: "90.0", BY_NAME["rotation_unknown"].image_id: ""}
    return [
        each.image_id,
        each.split,
        f"{farm}/{each.flickr_id}_{rng.getrandbits(40):010x}_o.jpg",
        f"https://www.flickr.com/photos/{owner}/{each.flickr_id}",
        "https://creativecommons.org/licenses/by/2.0/",
        f"https://www.flickr.com/people/{owner}/",
        f"Sample Author {number}, Jr." if number % 5 == 0 else f"Sample Author {number}",
        title,
        rng.randint(200_000, 6_000_000),
        md5,
        f"{farm}/{each.flickr_id}_{rng.getrandbits(40):010x}_z.jpg",
        rotation.get(each.image_id, "0.0"),
    ]


def _hierarchy(numbers: dict[str, str]) -> dict[str, Any]:
    """Return the tree of the classes that occur; the real tree holds all 600 under the same keys."""

    def node(name: str, children: dict[str, Any]) -> dict[str, Any]:
        below = [node(*child) for child in children.items()]
        return {"LabelName": numbers[name], **({"Subcategory": below} if below else {})}

    grown: set[str] = set()

    def names(tree: dict[str, Any]) -> None:
        for name, children in tree.items():
            grown.add(name)
            names(children)

    names(_TREE)
    others = sorted({*OPEN_IMAGES.values()} - grown - {"Door", "Door handle"})
    door = {**node("Door", {}), "Part": [node("Door handle", {})]}
    top = [node(*child) for child in _TREE.items()] + [node(name, {}) for name in others] + [door]
    return {"LabelName": "/m/0bl9f", "Subcategory": top}  # Entity, which the class list does not name


def _table(rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _image_ids(split: str) -> list[str]:
    named = {
        TRAIN: ("shared_photo", "rotated_image", "group_of_box"),
        VALIDATION: ("rotation_unknown", "depiction_box"),
        TEST: (),
    }[split]
    special = {BY_NAME[name].image_id for name in named} | set(_NUMBER_LIKE[split])
    if split == VALIDATION:
        special.add(BY_NAME["evaluation_leak"].twin_image)
    rng = dice("openimages ids", split)
    return sorted([*special, *(f"{rng.getrandbits(64):016x}" for _ in range(_COUNTS[split] - len(special)))])
