"""A small project whose splits are published, with real image files, for tests of exports."""

import json
from pathlib import Path
from typing import Any

from maxsight_assets.datasets.landing import record_made
from maxsight_assets.labels.space import load_space
from maxsight_assets.places import Places
from maxsight_assets.publishing.stage import staging
from maxsight_assets.splitting.write import write_splits
from maxsight_assets_tests.cleaning.records import box, boxes_of, facts_of, image, images_of
from maxsight_assets_tests.export.reader import Sample
from maxsight_assets_tests.images.pictures import encoded, picture
from maxsight_assets_tests.splitting.worlds import World, split

WIDTH, HEIGHT = 64, 48
LABELS = load_space().names
THINGS = ("person", "car", "chair", "door", "teddy bear")


def places_of(root: Path) -> Places:
    data = root / "data"
    return Places(data, data / "cleaned_splits", data / ".maxsight")


def drawn(number: int = 12, *, empty: int = 0) -> World:
    """Images with a few boxes each, of different sizes and labels, one of them a crowd; the last `empty` have none."""
    images = images_of(*(image(str(n), width=WIDTH, height=HEIGHT) for n in range(1, number + 1)))
    boxes = boxes_of(
        *(
            box(
                f"{n}:{k}",
                str(n),
                x=1.5 * k,
                y=0.25 * n,
                w=2.0 + 11.3 * k,
                h=3.7 + n,
                label=THINGS[(n + k) % len(THINGS)],
                crowd=(n, k) == (1, 0),
            )
            for n in range(1, number + 1 - empty)
            for k in range(1 + n % 4)
        )
    )
    sizes = {f"i{n}": {"width": WIDTH, "height": HEIGHT} for n in range(1, number + 1)}
    return images, boxes, facts_of(images, **sizes)


def publish(places: Places, world: World, *, space: tuple[str, ...] = LABELS, **config: Any) -> None:
    """Write the images' files and publish the splits, as the asset does."""
    for number, path in enumerate(world[0]["path"]):
        file = places.data_dir / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encoded(picture(width=WIDTH, height=HEIGHT, seed=number)))
    splits = split(world, space=space, labels={"coco": {name: name for name in (*LABELS, *space)}}, **config)
    with staging(places.splits, asset="cleaned_splits", source="upstream") as stage:
        write_splits(splits, stage.root, inputs={"coco_raw": "v1"})
        for path in sorted(stage.root.iterdir()):
            record_made(stage, path.name)
        stage.publish(selection={}, inputs={"coco_raw": "v1"}, gate=lambda root, manifest: (), keep=False)


def published(root: Path, **config: Any) -> Places:
    """A project with published splits: 12 images, a third in val and test each."""
    places = places_of(root)
    publish(places, drawn(), **({"sizes": {"train": 6, "val": 3, "test": 3}} | config))
    return places


def samples_of(places: Places, name: str) -> dict[str, Sample]:
    """The images of a published split that have boxes, by path relative to DATA_DIR, read from the JSON alone."""
    document = json.loads((places.splits / f"maxsight_{name}.json").read_bytes())
    of_image: dict[int, list[dict[str, Any]]] = {}
    for each in document["annotations"]:
        of_image.setdefault(each["image_id"], []).append(each)
    return {
        each["file_name"]: Sample(
            places.data_dir / each["file_name"],
            [one["category_id"] - 1 for one in of_image[each["id"]]],
            [tuple(one["bbox"]) for one in of_image[each["id"]]],
        )
        for each in document["images"]
        if each["id"] in of_image
    }
