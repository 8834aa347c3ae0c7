"""How long cleaning, grouping, splitting and writing take at COCO's full size, against a plain json-and-loops splitter.

Both read the same generated `instances_train2017.json` (118,287 images, 860,001 annotations with masks) and write three
COCO files. The plain one drops boxes without area or of unknown labels and shuffles images; it looks for no copies and
keeps no ledger. Each runs in a process of its own, so that its time and peak memory are its own; imports are not timed,
and the quickest of three runs counts, since a machine's memory is now slower, now faster.

    python benchmarks/splits.py            # all of it, three times: about seven minutes and 3 GB of disk
    python benchmarks/splits.py --scale 0.1
"""

import json
import random
import tempfile
import time
from pathlib import Path

import measure
import numpy as np
import polars as pl

from maxsight_assets.images.phash import CROPS

IMAGES, ANNOTATIONS, CATEGORIES = 118_287, 860_001, 80  # COCO train2017
FINGERPRINTS = 200_000


def generate(path: Path, share: float) -> None:
    """Write an annotation file of COCO's size and form, and the facts of its images beside it."""
    rng = np.random.default_rng(42)
    images, annotations = int(IMAGES * share), int(ANNOTATIONS * share)
    owner = rng.integers(0, images, annotations)
    corner = np.round(rng.uniform(0, 300, (annotations, 2)), 2)
    side = np.round(rng.uniform(1, 300, (annotations, 2)), 2)
    length = rng.integers(6, 44, annotations)
    with path.open("w", encoding="utf-8") as file:
        file.write('{"info":{},"licenses":[{"id":4,"name":"BY","url":"http://creativecommons.org/licenses/by/2.0/"}],')
        file.write('"images":[')
        file.write(
            ",".join(
                f'{{"license":4,"file_name":"{i:012}.jpg","coco_url":"http://images.example/{i:012}.jpg","height":640,'
                f'"width":640,"flickr_url":"http://farm1.example/{i}_{i:010x}_z.jpg","id":{i}}}'
                for i in range(1, images + 1)
            )
        )
        file.write('],"annotations":[')
        for row in range(annotations):
            (x, y), (w, h), n = corner[row].tolist(), side[row].tolist(), int(length[row])
            right, bottom = round(x + w, 2), round(y + h, 2)
            points = (f"{x},{y}", f"{right},{y}", f"{right},{bottom}", f"{x},{bottom}")
            polygon = ",".join(points[number % 4] for number in range(n))
            file.write(
                f'{"," if row else ""}{{"segmentation":[[{polygon}]],"area":{w * h:.4f},"iscrowd":0,'
                f'"image_id":{owner[row] + 1},"bbox":[{x},{y},{w},{h}],'
                f'"category_id":{row % CATEGORIES + 1},"id":{row + 1}}}'
            )
        file.write('],"categories":[')
        file.write(",".join(f'{{"id":{i},"name":"thing {i}"}}' for i in range(1, CATEGORIES + 1)))
        file.write("]}")
    numbers = range(1, images + 1)
    pl.DataFrame(
        {
            "path": [f"coco_raw/train2017/{i:012}.jpg" for i in numbers],
            "sha256": [f"{i:064x}" for i in numbers],
            "error": pl.Series([None] * images, dtype=pl.String),
            "width": pl.Series([640] * images, dtype=pl.Int32),
            "height": pl.Series([640] * images, dtype=pl.Int32),
            "mode": ["RGB"] * images,
            "orientation": pl.Series([1] * images, dtype=pl.Int32),
            "pixels": [f"{i:064x}" for i in numbers],
            "phash": rng.integers(0, 2**64, (images, len(CROPS)), dtype=np.uint64),
        }
    ).write_parquet(path.with_suffix(".facts.parquet"))


def ours() -> measure.Work:
    """Split as the project does."""
    from maxsight_assets.cleaning.config import CleaningConfig
    from maxsight_assets.formats.coco import read_instances
    from maxsight_assets.formats.tables import IMAGES as IMAGES_SCHEMA
    from maxsight_assets.images.facts import FILE_FACTS
    from maxsight_assets.splitting.build import Evaluation, build_splits
    from maxsight_assets.splitting.config import SplitConfig
    from maxsight_assets.splitting.write import write_splits

    def work(source: Path) -> str:
        laps = [time.perf_counter()]
        tables = read_instances(source, split="train2017", image_dir="coco_raw/train2017").tables()
        laps.append(time.perf_counter())
        names = [f"thing {i}" for i in range(1, CATEGORIES)]  # one label is outside the space
        splits = build_splits(
            tables.images,
            tables.boxes,
            pl.read_parquet(source.with_suffix(".facts.parquet")),
            evaluation=Evaluation(IMAGES_SCHEMA.to_frame(), FILE_FACTS.to_frame()),
            space=names,
            labels={"coco": {**{name: name for name in names}, f"thing {CATEGORIES}": None}},
            config=SplitConfig(),
            cleaning=CleaningConfig(),
        )
        del tables
        laps.append(time.perf_counter())
        write_splits(splits, _folder(source, "ours"), inputs={})
        laps.append(time.perf_counter())
        steps = zip(("read", "build", "write"), np.diff(laps), strict=True)
        return ", ".join(f"{step} {seconds:.1f} s" for step, seconds in steps)

    return work


def plain() -> measure.Work:
    """Split as a script of an afternoon does."""
    return _plain


def _plain(source: Path) -> str:
    out = _folder(source, "plain")
    with source.open(encoding="utf-8") as file:
        document = json.load(file)
    of_image: dict[int, list[dict[str, object]]] = {}
    for annotation in document["annotations"]:
        _, _, w, h = annotation["bbox"]
        if w > 0 and h > 0 and annotation["category_id"] < CATEGORIES:
            of_image.setdefault(annotation["image_id"], []).append(annotation)
    images = [image for image in document["images"] if image["id"] in of_image]
    random.Random(42).shuffle(images)
    tenth = len(images) // 10
    parts = {"test": images[:tenth], "val": images[tenth : 2 * tenth], "train": images[2 * tenth :]}
    for split, members in parts.items():
        content = {
            "images": members,
            "annotations": [annotation for image in members for annotation in of_image[image["id"]]],
            "categories": document["categories"],
        }
        with (out / f"{split}.json").open("w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
    return f"{len(images):,} images"


def _folder(source: Path, name: str) -> Path:
    folder = source.parent / name
    folder.mkdir(exist_ok=True)
    return folder


def groups() -> None:
    """Group fingerprints, of which one in a hundred is a near copy of another."""
    from maxsight_assets.images.groups import NODES, group

    rng = np.random.default_rng(42)
    prints = rng.integers(0, 2**64, (FINGERPRINTS, len(CROPS)), dtype=np.uint64)
    copies = FINGERPRINTS // 100
    prints[:copies] = prints[copies : 2 * copies] ^ np.uint64(0b10010001)
    nodes = pl.DataFrame({"key": [f"image {i:06}" for i in range(FINGERPRINTS)], "phash": prints})
    started = time.perf_counter()
    members = group(
        nodes.select(*(pl.col(c) if c in nodes.columns else pl.lit(None, t).alias(c) for c, t in NODES.items()))
    )
    seconds = time.perf_counter() - started
    print(f"{FINGERPRINTS:,} fingerprints: {members.members['group'].n_unique():,} groups in {seconds:.1f} s")


WAYS = {"json and loops": plain, "maxsight_assets": ours}


def main() -> None:
    arguments = measure.parser(__doc__.splitlines()[0], WAYS).parse_args()
    if arguments.way:
        measure.run_one(WAYS[arguments.way](), arguments.file)
        return
    groups()
    with tempfile.TemporaryDirectory() as directory:
        source = Path(directory) / "instances_train2017.json"
        generate(source, arguments.scale)
        print(f"{source.name}: {source.stat().st_size:,} bytes")
        measure.compare(__file__, WAYS, source, rounds=3)


if __name__ == "__main__":
    main()
