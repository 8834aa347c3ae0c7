"""Files of the size and shape of the real annotation files, made up: the same arguments give the same bytes.

Counts and sizes follow COCO's instances_train2017.json (118,287 images, 860,001 annotations, 448 MB) and Open Images'
oidv6-train-annotations-bbox.csv (14,610,229 rows on 1,743,042 images, 2.26 GB).
"""

from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from maxsight_assets.formats.coco import write_document
from maxsight_assets.labels import mapping

COCO_IMAGES, COCO_ANNOTATIONS = 118_287, 860_001
VAL_IMAGES, VAL_BOXES = 5_000, 36_781
BOX_ROWS, BOX_IMAGES, BOX_CLASSES = 14_610_229, 1_743_042, 601

_CROWDS = 85  # one annotation in so many is a crowd: 10,052 of train2017's 860,001
_POINTS = 25.2  # mean points of a polygon, which gives the real file's bytes an annotation


def coco_instances(path: Path, *, images: int = COCO_IMAGES, annotations: int = COCO_ANNOTATIONS) -> None:
    """Write an `instances_*.json`; one annotation in `_CROWDS` is an uncompressed RLE, the others are polygons."""
    random = np.random.default_rng(2017)
    names = [row.label for row in mapping.rows("coco")]
    write_document(
        path,
        info={"description": "made up", "year": 2017},
        licenses=[{"url": "http://creativecommons.org/licenses/by/2.0/", "id": 4, "name": "Attribution License"}],
        images=(_coco_image(number) for number in range(1, images + 1)),
        annotations=(_coco_annotation(random, number, images, len(names)) for number in range(1, annotations + 1)),
        categories=[{"supercategory": "thing", "id": number, "name": name} for number, name in enumerate(names, 1)],
    )


def boxes_csv(path: Path, *, rows: int = BOX_ROWS, images: int = BOX_IMAGES, chunk: int = 500_000) -> list[str]:
    """Write a bounding-box CSV of 21 columns, sorted by image.

    Returns:
        All machine ids in it, the most frequent first.
    """
    random = np.random.default_rng(6)
    mids = pl.Series([f"/m/{number + 0x10000:05x}" for number in range(BOX_CLASSES)])
    weights = 1 / np.arange(1, BOX_CLASSES + 1) ** 1.05
    owners = np.sort(random.integers(0, images, rows))
    with path.open("wb") as file:
        for start in range(0, rows, chunk):
            owner = owners[start : start + chunk]
            count = len(owner)
            x = np.sort(np.rint(random.random((count, 2)) * 1024) / 1024, axis=1)
            y = np.sort(np.rint(random.random((count, 2)) * 768) / 768, axis=1)
            flags = (random.random((count, 5)) < [0.65, 0.25, 0.06, 0.05, 0.002]).astype(np.int8)
            clicks = random.random((count, 8))
            frame = pl.DataFrame(
                {
                    "ImageID": [f"{number * 0x9E3779B97F:016x}" for number in owner.tolist()],
                    "Source": ["xclick"] * count,
                    "LabelName": mids.gather(random.choice(BOX_CLASSES, count, p=weights / weights.sum())),
                    "Confidence": np.ones(count, np.int8),
                    "XMin": x[:, 0],
                    "XMax": x[:, 1],
                    "YMin": y[:, 0],
                    "YMax": y[:, 1],
                    **{name: flags[:, i] for i, name in enumerate(_FLAGS)},
                    **{f"XClick{i % 4 + 1}{'XY'[i // 4]}": clicks[:, i] for i in range(8)},
                }
            )
            frame.write_csv(file, include_header=start == 0, float_precision=6)
    return mids.to_list()


def detections(folder: Path, *, images: int = VAL_IMAGES, per_image: int = 100) -> None:
    """Write `annotations.json` of val2017's shape, and `found.json`: most boxes found, and clutter of low scores."""
    random = np.random.default_rng(17)
    boxes, labels = VAL_BOXES * images // VAL_IMAGES, 80
    owner, label = random.integers(1, images + 1, boxes), np.minimum(random.zipf(1.3, boxes) % labels + 1, labels)
    size = np.clip(np.exp(random.normal(4.0, 1.0, (boxes, 2))), 4, 400)
    corners = np.round(np.hstack([random.random((boxes, 2)) * (np.array([640, 480]) - size).clip(1), size]), 2)
    document = {
        "images": [
            {"id": number, "file_name": f"{number:012d}.jpg", "width": 640, "height": 480}
            for number in range(1, images + 1)
        ],
        "annotations": [
            {
                "id": number + 1,
                "image_id": int(owner[number]),
                "category_id": int(label[number]),
                "bbox": corners[number].tolist(),
                "area": float(corners[number, 2] * corners[number, 3] * 0.6),
                "iscrowd": int(number % _CROWDS == 0),
            }
            for number in range(boxes)
        ],
        "categories": [{"id": number, "name": f"label {number}"} for number in range(1, labels + 1)],
    }
    (folder / "annotations.json").write_bytes(msgspec.json.encode(document))
    hit = random.random(boxes) < 0.85
    near = corners[hit] + random.normal(0, 0.07, (int(hit.sum()), 4)) * np.tile(corners[hit][:, 2:], 2)
    more = images * per_image - len(near)
    clutter = np.hstack([random.random((more, 2)) * [600, 440], np.exp(random.normal(3.75, 1.0, (more, 2)))])
    rows = zip(
        np.concatenate([owner[hit], random.integers(1, images + 1, more)]).tolist(),
        np.concatenate([label[hit], random.integers(1, labels + 1, more)]).tolist(),
        np.round(np.concatenate([near, np.abs(clutter)]), 2).tolist(),
        np.round(np.concatenate([random.beta(5, 2, len(near)), random.beta(1, 12, more)]), 5).tolist(),
        strict=True,
    )
    found = [
        {"image_id": image, "category_id": category, "bbox": box, "score": score}
        for image, category, box, score in rows
    ]
    (folder / "found.json").write_bytes(msgspec.json.encode(found))


_FLAGS = ("IsOccluded", "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside")


def _coco_image(number: int) -> dict[str, object]:
    name = f"{number * 4:012d}.jpg"
    return {
        "license": 4,
        "file_name": name,
        "coco_url": f"http://images.cocodataset.org/train2017/{name}",
        "height": 480,
        "width": 640,
        "date_captured": "2013-11-14 16:28:13",
        "flickr_url": f"http://farm5.staticflickr.com/4058/{4_000_000_000 + number}_{number:010x}_z.jpg",
        "id": number * 4,
    }


def _coco_annotation(random: np.random.Generator, number: int, images: int, classes: int) -> dict[str, object]:
    width, height = (random.integers(8, limit // 2) for limit in (640, 480))
    x, y = random.integers(0, 640 - width), random.integers(0, 480 - height)
    crowd = number % _CROWDS == 0
    if crowd:
        mask: object = _runs(x, y, width, height)
    else:
        points = max(3, random.poisson(_POINTS))
        corners = np.array([x, y]) + random.random((points, 2)) * np.array([width, height])
        corners = np.round(corners, 2)
        mask = msgspec.Raw(msgspec.json.encode([corners.ravel().tolist()]))
        (x, y), (width, height) = corners.min(axis=0), np.round(np.ptp(corners, axis=0), 2)
    return {
        "segmentation": mask,
        "area": float(width * height) / 2,
        "iscrowd": int(crowd),
        "image_id": int(random.integers(1, images + 1)) * 4,
        "bbox": [float(x), float(y), float(width), float(height)],
        "category_id": int(random.integers(1, classes + 1)),
        "id": number,
    }


def _runs(x: int, y: int, width: int, height: int) -> dict[str, object]:
    """A filled rectangle as an uncompressed RLE of 640x480 pixels, column by column."""
    inner = [int(height), int(480 - height)] * int(width)
    before = int(x) * 480 + int(y)
    return {"counts": [before, *inner[:-1], 640 * 480 - before - sum(inner[:-1])], "size": [480, 640]}
