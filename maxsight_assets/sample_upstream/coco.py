"""Draw COCO 2017 as images.cocodataset.org publishes it: three zips with small pictures.

Flickr photo ids start with 990, beyond any that Flickr has given, so that no address leads to a real photo.
"""

import json
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from pycocotools import mask as coco_mask

from maxsight_assets.sample_upstream.archives import jpeg, put, zip_of
from maxsight_assets.sample_upstream.defects import BY_NAME, DEFECTS, Defect
from maxsight_assets.sample_upstream.drawing.canvas import Scene, Thing
from maxsight_assets.sample_upstream.drawing.shapes import dice
from maxsight_assets.sample_upstream.drawing.studio import draw_scene
from maxsight_assets.sample_upstream.vocabulary import COCO, COCO_CATEGORIES

TRAIN, VAL = "train2017", "val2017"
ANNOTATIONS = "annotations/annotations_trainval2017.zip"
PLACES = ("street", "street", "park", "kitchen", "kitchen", "table", "living room", "living room", "hallway", "crowd")

_COUNTS = {TRAIN: 240, VAL: 60}
_CATEGORY_IDS = {name: number for number, _, name in COCO_CATEGORIES}
_LICENSES = (
    ("http://creativecommons.org/licenses/by-nc-sa/2.0/", "Attribution-NonCommercial-ShareAlike License"),
    ("http://creativecommons.org/licenses/by-nc/2.0/", "Attribution-NonCommercial License"),
    ("http://creativecommons.org/licenses/by-nc-nd/2.0/", "Attribution-NonCommercial-NoDerivs License"),
    ("http://creativecommons.org/licenses/by/2.0/", "Attribution License"),
    ("http://creativecommons.org/licenses/by-sa/2.0/", "Attribution-ShareAlike License"),
    ("http://creativecommons.org/licenses/by-nd/2.0/", "Attribution-NoDerivs License"),
    ("http://flickr.com/commons/usage/", "No known copyright restrictions"),
    ("http://www.usa.gov/copyright.shtml", "United States Government Work"),
)
_KEYPOINTS = (
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow "
    "left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle"
)
_SKELETON = (
    *((16, 14), (14, 12), (17, 15), (15, 13), (12, 13), (6, 12), (7, 13), (6, 7), (6, 8), (7, 9)),
    *((8, 10), (9, 11), (2, 3), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7)),
)


@dataclass(frozen=True, slots=True)
class Photo:
    """One COCO image: its record, its scene, and the bytes of its file."""

    image_id: int
    split: str
    scene: Scene
    content: bytes

    @property
    def file_name(self) -> str:
        """Return its name in the folder of its split."""
        return f"{self.image_id:012d}.jpg"

    @property
    def flickr_id(self) -> str:
        """Return a Flickr photo id that no real photo has."""
        return f"990{self.image_id:08d}"


def draw() -> list[Photo]:
    """Draw all photos but the copy of an Open Images photo, which `world` adds."""
    places = {
        int(BY_NAME["unknown_label_elephant"].image_id): ("elephant",),
        int(BY_NAME["unknown_label_zebra"].image_id): ("zebra",),
    }
    copies = {defect.image_id: defect for defect in DEFECTS if defect.dataset == "coco" and defect.twin}
    scenes = {image_id: draw_scene(f"coco/{image_id}", PLACES, COCO) for image_id in _image_ids(VAL)}
    photos = [photo(VAL, image_id, scene) for image_id, scene in scenes.items()]
    for image_id in _image_ids(TRAIN):
        if str(image_id) not in copies:
            scene = draw_scene(f"coco/{image_id}", places.get(image_id, PLACES), COCO)
            photos.append(photo(TRAIN, image_id, scene))
    exact, near = BY_NAME["exact_duplicate"], BY_NAME["near_duplicate"]
    photos.append(photo(TRAIN, int(exact.image_id), scenes[int(exact.twin_image)]))
    photos.append(near_copy(near, scenes[int(near.twin_image)]))
    return photos


def near_copy(defect: Defect, original: Scene) -> Photo:
    """Return the train photo that the defect names: its twin at 90 % of the size and lower quality."""
    return photo(TRAIN, int(defect.image_id), original.resized(0.9), quality=60)


def photo(split: str, image_id: int, scene: Scene, *, quality: int = 85) -> Photo:
    """Take a photo of a scene; three photos come out with the faults that the table of defects names."""
    picture = scene.picture
    if str(image_id) == BY_NAME["grayscale_jpeg"].image_id:
        picture = picture.convert("L")
    content = jpeg(picture, quality)
    if str(image_id) == BY_NAME["truncated_jpeg"].image_id:
        content = content[: len(content) * 55 // 100]
    return Photo(image_id, split, scene, content)


def publish(root: Path, photos: Iterable[Photo]) -> None:
    """Write the three zips below `root`."""
    photos = sorted(photos, key=lambda each: each.image_id)
    documents: dict[str, bytes] = {}
    for split in (TRAIN, VAL):
        chosen = [each for each in photos if each.split == split]
        missing = BY_NAME["missing_image"].image_id
        kept = [each for each in chosen if str(each.image_id) != missing]
        put(root / _zip(split), zip_of({f"{split}/": b"", **_files(kept)}))
        dice("coco order", split).shuffle(chosen)  # the real files have no order either
        for kind, document in _documents(chosen).items():
            if split == TRAIN and kind == "instances":
                document["annotations"].append(_orphan(document["annotations"][0]))
            documents[_document(kind, split)] = _json(document)
    put(root / ANNOTATIONS, zip_of(documents))


def extend(first: Path, root: Path, extra: Sequence[Photo], *, days: int) -> None:
    """Write the zips of `first`, an earlier root, with more train photos in them."""
    put(root / _zip(TRAIN), zip_of({**_members(first / _zip(TRAIN)), **_files(extra)}), days=days)
    documents = _members(first / ANNOTATIONS)
    for kind, more in _documents(extra).items():
        document = json.loads(documents[_document(kind, TRAIN)])
        for part in ("images", "annotations"):
            document[part] += more[part]
        documents[_document(kind, TRAIN)] = _json(document)
    put(root / ANNOTATIONS, zip_of(documents), days=days)


def _zip(split: str) -> str:
    return f"zips/{split}.zip"


def _document(kind: str, split: str) -> str:
    return f"annotations/{kind}_{split}.json"


def _files(photos: Iterable[Photo]) -> dict[str, bytes]:
    return {f"{each.split}/{each.file_name}": each.content for each in photos}


def _members(archive: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ": "), ensure_ascii=False).encode()


def _documents(photos: Sequence[Photo]) -> dict[str, dict[str, Any]]:
    """Return the contents of one split's files, by kind: instances, captions, person_keypoints."""
    head: dict[str, Any] = {
        "info": {
            "description": "COCO 2017 Dataset (embedded sample: pictures drawn by code)",
            "url": "http://cocodataset.org",
            "version": "1.0",
            "year": 2017,
            "contributor": "COCO Consortium",
            "date_created": "2017/09/01",
        },
        "licenses": [{"url": url, "id": number, "name": name} for number, (url, name) in enumerate(_LICENSES, 1)],
        "images": [_image(each) for each in photos],
    }
    instances = [annotation for each in photos for annotation in _annotations(each)]
    categories = [{"supercategory": group, "id": number, "name": name} for number, group, name in COCO_CATEGORIES]
    people = {**categories[0], "keypoints": _KEYPOINTS.split(), "skeleton": _SKELETON}
    poses = [{**a, "num_keypoints": 0, "keypoints": [0] * 51} for a in instances if a["category_id"] == 1]
    return {
        "instances": {**head, "annotations": instances, "categories": categories},
        "captions": {**head, "annotations": [_caption(each) for each in photos]},
        "person_keypoints": {**head, "annotations": poses, "categories": [people]},
    }


def _image(each: Photo) -> dict[str, Any]:
    rng = dice("coco image", each.image_id)
    width, height = each.scene.picture.size
    if str(each.image_id) == BY_NAME["wrong_image_size"].image_id:
        width, height = height, width
    return {
        "license": rng.randint(1, len(_LICENSES)),
        "file_name": each.file_name,
        "coco_url": f"http://images.cocodataset.org/{each.split}/{each.file_name}",
        "height": height,
        "width": width,
        "date_captured": f"2013-11-{rng.randint(14, 25)} {rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}:08",
        "flickr_url": f"http://farm{rng.randint(1, 9)}.staticflickr.com/{rng.randint(1000, 9999)}/"
        f"{each.flickr_id}_{rng.getrandbits(40):010x}_z.jpg",
        "id": each.image_id,
    }


def _annotations(each: Photo) -> list[dict[str, Any]]:
    """Return the annotations of one photo; an annotation's id is the image id followed by two digits, from 01."""
    if str(each.image_id) == BY_NAME["image_without_annotations"].image_id:
        return []
    things = [thing for thing in each.scene.things if thing.name in COCO]
    annotations = [_annotation(each, thing, place) for place, thing in enumerate(things, 1)]
    first = annotations[0]
    box = first["bbox"]
    first_id = str(first["id"])
    if first_id in BY_NAME["zero_height_box"].record_ids:
        box[3] = 0.0
    if first_id in BY_NAME["out_of_bounds_box"].record_ids:
        left, top, right, bottom = box[0], box[1], each.scene.picture.width, box[1] + box[3]
        box[2] = round((right - left) * 1.25, 2)
        first["segmentation"] = [[left, top, right, top, right, bottom, left, bottom]]
    twin = int(BY_NAME["duplicate_annotation"].record_ids[0])
    if first["image_id"] == twin // 100:
        annotations.append({**first, "id": twin})
    return annotations


def _annotation(each: Photo, thing: Thing, place: int) -> dict[str, Any]:
    size = each.scene.picture.size
    outlines = [[number for point in polygon for number in point] for polygon in thing.polygons]
    crowd = thing.name == "crowd"
    segmentation = _run_lengths(size, thing) if crowd else outlines
    mask = coco_mask.frPyObjects(segmentation, *reversed(size))
    return {
        "segmentation": segmentation,
        "area": int(coco_mask.area(mask if crowd else coco_mask.merge(mask))),
        "iscrowd": int(crowd),
        "image_id": each.image_id,
        "bbox": list(thing.box),
        "category_id": _CATEGORY_IDS[COCO[thing.name]],
        "id": each.image_id * 100 + place,
    }


def _orphan(pattern: dict[str, Any]) -> dict[str, Any]:
    orphan = int(BY_NAME["orphan_annotation"].record_ids[0])
    return {**pattern, "image_id": orphan // 100, "id": orphan}


def _caption(each: Photo) -> dict[str, Any]:
    names = sorted({COCO[thing.name] for thing in each.scene.things if thing.name in COCO})
    caption = f"A {each.scene.kind} scene with {', '.join(names)}."
    return {"image_id": each.image_id, "id": each.image_id * 100, "caption": caption}


def _run_lengths(size: tuple[int, int], thing: Thing) -> dict[str, Any]:
    """Return COCO's uncompressed RLE: lengths of alternating runs of zeros and ones, down the columns, zeros first."""
    mask = Image.new("L", size)
    for polygon in thing.polygons:
        ImageDraw.Draw(mask).polygon(list(polygon), fill=1)
    pixels = np.asarray(mask).ravel(order="F")
    turns = np.flatnonzero(np.diff(pixels, prepend=0))
    return {"counts": np.diff(turns, prepend=0, append=pixels.size).tolist(), "size": [size[1], size[0]]}


def _image_ids(split: str) -> list[int]:
    """Return ids like COCO's (below 581,930, with gaps), including those that the table of defects names."""
    named = {TRAIN: set[int](), VAL: set[int]()}
    for defect in DEFECTS:
        if defect.dataset == "coco" and defect.name != "orphan_annotation":
            named[TRAIN].add(int(defect.image_id))
        if defect.twin and defect.twin[0] == "coco":
            named[TRAIN if defect.dataset == "openimages" else VAL].add(int(defect.twin[1]))
    others = dice("coco ids", split).sample(range(2 + (split == VAL), 581_929, 2), _COUNTS[split])
    return sorted([*named[split], *(n for n in others if n not in named[VAL])][: _COUNTS[split]])
