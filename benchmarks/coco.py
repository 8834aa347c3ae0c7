"""Read and check a full-size COCO instances file: this project against pycocotools, which trains read it with.

    python benchmarks/coco.py [--scale 0.1] [--file instances_train2017.json]

"read" gives the tables, checked for broken syntax, types and repeated keys; "masks" judges each mask besides.
"""

import contextlib
import io
import tempfile
from pathlib import Path

import generate
import measure


def read(path: Path) -> int:
    """Read into the tables."""
    from maxsight_assets.formats.coco import read_instances

    return read_instances(path, split="train2017", image_dir="coco_raw/train2017").tables().boxes.height


def read_and_masks(path: Path) -> int:
    """Read into the tables and judge every mask."""
    from maxsight_assets.formats.coco import read_instances, segmentation_fault

    tables = read_instances(path, split="train2017", image_dir="coco_raw/train2017").tables()
    sizes = {row[0]: row[1:] for row in tables.images.select("image_id", "width", "height").iter_rows()}
    boxes = tables.boxes.select("image_id", "segmentation")
    faults = sum(segmentation_fault(mask, *sizes[image_id]) is not None for image_id, mask in boxes.iter_rows())
    return boxes.height - faults


def pycocotools(path: Path) -> int:
    """Read and index as pycocotools does; it checks nothing."""
    from pycocotools.coco import COCO

    with contextlib.redirect_stdout(io.StringIO()):
        return len(COCO(str(path)).anns)


WAYS = {"pycocotools": pycocotools, "read": read, "read and masks": read_and_masks}


def main() -> None:
    arguments = measure.parser(__doc__.splitlines()[0], WAYS).parse_args()
    if arguments.way:
        measure.run_one(WAYS[arguments.way], arguments.file)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.file or Path(folder) / "instances_train2017.json"
        if not arguments.file:
            images, annotations = generate.COCO_IMAGES, generate.COCO_ANNOTATIONS
            generate.coco_instances(
                path, images=round(images * arguments.scale), annotations=round(annotations * arguments.scale)
            )
        print(f"{path.name}: {path.stat().st_size / 1e6:.0f} MB")
        measure.compare(__file__, WAYS, path)


if __name__ == "__main__":
    main()
