"""No copy of a picture is in two splits, nor in a split and an evaluation set, by an audit of the files themselves."""

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from maxsight_assets.images.facts import examine, of_files
from maxsight_assets.splitting.build import Evaluation, Splits
from maxsight_assets.splitting.config import SPLITS
from maxsight_assets_tests.cleaning.records import box, boxes_of, image, images_of
from maxsight_assets_tests.splitting.copies import KINDS, copy, cropped, jpeg, scene, shared
from maxsight_assets_tests.splitting.worlds import split, written


@dataclass(frozen=True)
class World:
    """A directory of pictures, some of them copies, split.

    Attributes:
        root: The directory.
        pictures: Which picture a file shows, by its path relative to `root`.
        splits: What was made of it.
        files: The written files of the splits and of the evaluation set, by name.
    """

    root: Path
    pictures: dict[str, int]
    splits: Splits
    files: dict[str, Path]

    @property
    def injected(self) -> int:
        return len(self.pictures) - len(set(self.pictures.values()))


def made(root: Path, number: int, *, copies: int = 5, crop: float | None = None) -> World:
    """Put pictures and copies into a training and an evaluation set, and split.

    Args:
        root: An empty directory.
        number: Different pictures; the original of each fourth is in the evaluation set.
        copies: Copies of each, of one kind after the other.
        crop: Make copies without this share of every side instead.
    """
    rng = np.random.default_rng(number)
    pictures = {}
    for seed in range(number):
        original = jpeg(scene(seed), 90)
        contents = [original]
        for nth in range(copies):
            kind = KINDS[nth % len(KINDS)]
            contents.append(copy(original, kind, rng) if crop is None else cropped(original, crop, rng))
        for nth, content in enumerate(contents):
            name = f"{'evaluated' if nth == 0 and seed % 4 == 0 else 'training'}/{seed * 100 + nth}.jpg"
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_bytes(content)
            pictures[name] = seed
    return _split(root, pictures)


def _split(root: Path, pictures: dict[str, int]) -> World:
    sha256_of = {name: hashlib.sha256((root / name).read_bytes()).hexdigest() for name in pictures}
    facts = of_files(examine([(sha256, root / name) for name, sha256 in sha256_of.items()], cache=None), sha256_of)
    sizes = {path: (width, height) for path, width, height in facts.select("path", "width", "height").iter_rows()}
    rows = {name: image(Path(name).stem, path=name, width=sizes[name][0], height=sizes[name][1]) for name in pictures}
    training = [row for name, row in rows.items() if name.startswith("training")]
    evaluated = [row | {"split": "val2017"} for name, row in rows.items() if name.startswith("evaluated")]
    boxes = boxes_of(
        *(box(f"{row['image_id']}:0", row["image_id"], x=1.0, y=1.0, segmentation=None) for row in training)
    )
    splits = split(
        (images_of(*training), boxes, facts),
        evaluation=Evaluation(images_of(*evaluated), facts),
        sizes={"val": 0.3, "test": 0.3},
    )
    written(splits, root / "splits")
    files = {name: root / f"splits/maxsight_{name}.json" for name in SPLITS} | {"evaluation": root / "evaluation.json"}
    files["evaluation"].write_text(json.dumps({"images": [{"file_name": row["path"]} for row in evaluated]}))
    return World(root, pictures, splits, files)


def parts_of(world: World) -> dict[int, set[str]]:
    """The parts that each picture is in."""
    parts = defaultdict(set)
    for part, path in world.files.items():
        for row in json.loads(path.read_bytes())["images"]:
            parts[world.pictures[row["file_name"]]].add(part)
    return parts


def no_copy_is_in_two_parts(world: World) -> None:
    assert all(len(parts) == 1 for parts in parts_of(world).values())
    assert shared(world.root, world.files) == set()
    assert {part for parts in parts_of(world).values() for part in parts} == {*SPLITS, "evaluation"}


def test_no_copy_is_in_two_splits_or_in_a_split_and_an_evaluation_set(tmp_path: Path) -> None:
    no_copy_is_in_two_parts(made(tmp_path, 40))


@pytest.mark.parametrize("kind", range(len(KINDS)), ids=KINDS)
def test_the_audit_sees_a_copy_that_was_put_into_another_split(tmp_path: Path, kind: int) -> None:
    world = made(tmp_path, 8)
    train, val = (json.loads(world.files[part].read_bytes()) for part in ("train", "val"))
    (leaked,) = [
        row for row in train["images"] if row["file_name"] == f"training/{_in_train(world) * 100 + 1 + kind}.jpg"
    ]
    val["images"].append(leaked)
    train["images"].remove(leaked)
    for part, document in (("train", train), ("val", val)):
        world.files[part].write_text(json.dumps(document))

    assert len(shared(world.root, world.files)) == len(KINDS)


def _in_train(world: World) -> int:
    return next(picture for picture, parts in sorted(parts_of(world).items()) if parts == {"train"})
