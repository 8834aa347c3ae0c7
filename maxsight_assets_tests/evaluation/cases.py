"""Evaluation sets and detections that tests write down, or that Hypothesis makes."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from maxsight_assets.evaluation.detections import Detections
from maxsight_assets.evaluation.sets import EvaluationSet, read_set

WIDTH, HEIGHT = 320, 240


def a_set(
    folder: Path,
    boxes: Sequence[dict[str, Any]],
    *,
    images: int = 4,
    labels: Sequence[str] = ("dog", "cat", "cup"),
    night: Sequence[int] = (),
) -> EvaluationSet:
    """Write a set of images 1, 2, ... whose files are `a1.jpg`, `a2.jpg`, ...; labels have the ids 1, 2, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    annotations = [
        {"id": number, "iscrowd": 0, "area": each["bbox"][2] * each["bbox"][3], "source_id": f"b{number}", **each}
        for number, each in enumerate(boxes, start=1)
    ]
    document = {
        "info": {},
        "images": [
            {"id": n, "file_name": f"some/a{n}.jpg", "width": WIDTH, "height": HEIGHT, "sha256": f"{n:064x}"}
            | ({"timeofday": "night"} if n in night else {})
            for n in range(1, images + 1)
        ],
        "annotations": annotations,
        "categories": [{"id": n, "name": name} for n, name in enumerate(labels, start=1)],
    }
    (folder / "annotations.json").write_text(json.dumps(document), encoding="utf-8")
    return read_set(folder / "annotations.json")


def detections(*rows: tuple[int, int, Sequence[float], float]) -> Detections:
    """Return detections from rows of image, category, box and score."""
    return Detections(
        np.array([row[0] for row in rows], np.int64),
        np.array([row[1] for row in rows], np.int64),
        np.array([row[2] for row in rows], np.float64).reshape(-1, 4),
        np.array([row[3] for row in rows], np.float64),
    )


def truth_as_detections(evaluated: EvaluationSet) -> Detections:
    """Return a detector that finds each box of a set, and nothing else."""
    boxes = evaluated.boxes
    corners = boxes.select("x", "y", "w", "h").to_numpy().reshape(-1, 4)
    columns = (boxes["image"].to_numpy(), boxes["category"].to_numpy())
    return Detections(*columns, corners, np.ones(boxes.height))


def jittered(evaluated: EvaluationSet, *, seed: int, per_image: int = 20, hit: float = 0.85) -> Detections:
    """Return a plausible detector: most boxes found, a little off; the rest is clutter of low scores."""
    random = np.random.default_rng(seed)
    boxes = evaluated.boxes.filter(random.random(evaluated.boxes.height) < hit)
    corners = boxes.select("x", "y", "w", "h").to_numpy().reshape(-1, 4)
    moves = random.normal(0, 0.07, corners.shape) * np.tile(corners[:, 2:], 2)
    images, labels = evaluated.images["id"].to_numpy(), np.array(sorted(evaluated.categories))
    clutter = len(images) * per_image
    more = np.column_stack([random.random((clutter, 2)) * 200, np.exp(random.normal(3.5, 1, (clutter, 2)))])
    return Detections(
        np.concatenate([boxes["image"].to_numpy(), np.repeat(images, per_image)]),
        np.concatenate([boxes["category"].to_numpy(), random.choice(labels, clutter)]),
        np.abs(np.concatenate([corners + moves, more])),
        np.round(np.concatenate([random.beta(5, 2, len(corners)), random.beta(1, 12, clutter)]), 3),
    )


_SIDES = st.integers(1, 160).map(float)
_BOXES = st.tuples(st.integers(0, 200).map(float), st.integers(0, 150).map(float), _SIDES, _SIDES).map(list)


@st.composite
def truths(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Boxes of at most four images and three labels; crowds and ignored ones among them, images without any too."""
    return draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "image_id": st.integers(1, 3),
                    "category_id": st.integers(1, 3),
                    "bbox": _BOXES,
                    "iscrowd": st.sampled_from([0, 0, 0, 1]),
                    "ignore": st.sampled_from([0, 0, 0, 1]),
                    "area": st.sampled_from([500.0, 1024.0, 5000.0, 9216.0, 20000.0]),
                }
            ),
            max_size=12,
        )
    )


@st.composite
def found_in(draw: st.DrawFn, boxes: Sequence[dict[str, Any]]) -> Detections:
    """Detections beside and upon the boxes; scores of few values, so that many tie; at times over 100 an image."""
    near = [each["bbox"] for each in boxes]
    box = st.one_of(_BOXES, st.sampled_from(near).map(lambda b: [b[0] + 2, b[1], b[2], b[3]])) if near else _BOXES
    box = st.one_of(box, st.sampled_from(near)) if near else box
    row = st.tuples(st.integers(1, 4), st.integers(1, 3), box, st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]))
    rows = draw(st.lists(row, max_size=20))
    if rows and draw(st.booleans()):
        image, category, corners, _ = rows[0]
        rows += [(image, category, [corners[0] + n % 7, *corners[1:]], (n % 5) / 5) for n in range(120)]
    return detections(*rows)
