"""Select the boxes of 20 classes from a full-size Open Images CSV: this project against csv and pandas.

    python benchmarks/openimages.py [--scale 0.1] [--file oidv6-train-annotations-bbox.csv]

The classes are 20 of the middle of the frequency list, about 1 % of all rows.
"""

import tempfile
from pathlib import Path

import generate
import measure

WANTED = frozenset(f"/m/{number + 0x10000:05x}" for number in range(200, 220))


def ours(path: Path) -> int:
    """Boxes, validated, with ids and flags."""
    from maxsight_assets.formats.openimages import read_boxes

    return read_boxes(path, split="train", class_names={}, wanted=WANTED).table.height


def ours_pairs(path: Path) -> int:
    """Only which image has which class, which is what chooses what to download."""
    from maxsight_assets.formats.openimages import class_images

    return class_images(path, WANTED).height


def csv_reader(path: Path) -> int:
    """Row by row with the standard library."""
    import csv

    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["LabelName"] in WANTED]
    return len(rows)


def pandas(path: Path) -> int:
    """All at once with pandas."""
    import pandas as pd

    frame = pd.read_csv(path, dtype={"ImageID": str})
    return len(frame[frame["LabelName"].isin(WANTED)])


WAYS = {"csv.DictReader": csv_reader, "pandas.read_csv": pandas, "read_boxes": ours, "class_images": ours_pairs}


def main() -> None:
    arguments = measure.parser(__doc__.splitlines()[0], WAYS).parse_args()
    if arguments.way:
        measure.run_one(WAYS[arguments.way], arguments.file)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.file or Path(folder) / "boxes.csv"
        if not arguments.file:
            rows, images = round(generate.BOX_ROWS * arguments.scale), round(generate.BOX_IMAGES * arguments.scale)
            generate.boxes_csv(path, rows=rows, images=images)
        print(f"{path.name}: {path.stat().st_size / 1e6:.0f} MB")
        measure.compare(__file__, WAYS, path)


if __name__ == "__main__":
    main()
