"""Read and check a full-size COCO instances file: this project against pycocotools, which trains read it with.

    python benchmarks/coco.py [--scale 0.1] [--file instances_train2017.json]

Imports are not timed. "read" gives the tables, checked for broken syntax, types and repeated keys; "masks" judges each
mask besides. Then the decode check of 5,000 JPEGs, 30 of them damaged, against simplejpeg (strict, gray, 1/8) alone,
which reads the same files on all cores; each says how many damaged ones it found.
"""

import contextlib
import hashlib
import io
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import generate
import jpegs
import measure

JPEGS, DAMAGED, ROUNDS = 5_000, 30, 3


def read() -> measure.Work:
    """Read into the tables."""
    import pyarrow.compute  # noqa: F401 (Polars imports it when it is first given an Arrow array)

    from maxsight_assets.formats.coco import read_instances

    return lambda path: read_instances(path, split="train2017", image_dir="coco_raw/train2017").tables().boxes.height


def read_and_masks() -> measure.Work:
    """Read into the tables and judge every mask."""
    import pyarrow.compute  # noqa: F401 (as in `read`)

    from maxsight_assets.formats.coco import read_instances
    from maxsight_assets.formats.masks import segmentation_fault

    def work(path: Path) -> int:
        tables = read_instances(path, split="train2017", image_dir="coco_raw/train2017").tables()
        sizes = {row[0]: row[1:] for row in tables.images.select("image_id", "width", "height").iter_rows()}
        boxes = tables.boxes.select("image_id", "segmentation")
        faults = sum(segmentation_fault(mask, *sizes[image_id]) is not None for image_id, mask in boxes.iter_rows())
        return boxes.height - faults

    return work


def pycocotools() -> measure.Work:
    """Read and index as pycocotools does; it checks nothing."""
    from pycocotools.coco import COCO

    def work(path: Path) -> int:
        with contextlib.redirect_stdout(io.StringIO()):
            return len(COCO(str(path)).anns)

    return work


def simplejpeg_alone() -> measure.Work:
    """Read each file and decode it to a strict gray picture of an eighth, on all cores."""
    import simplejpeg

    def decodes(path: Path) -> bool:
        try:
            simplejpeg.decode_jpeg(path.read_bytes(), "GRAY", min_height=8, min_width=8)
        except ValueError:
            return False
        return True

    def work(folder: Path) -> int:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return sum(not good for good in pool.map(decodes, sorted(folder.glob("*.jpg"))))

    return work


def _listed(folder: Path) -> list[tuple[str, Path]]:
    digests = (folder / "SHA256").read_text(encoding="ascii").split()
    return list(zip(digests, sorted(folder.glob("*.jpg")), strict=True))


def hash_check() -> measure.Work:
    """The check of a landed directory that comes before: every file's bytes are those of the manifest."""
    from maxsight_assets.publishing.manifest import FileRow, problems

    def work(folder: Path) -> int:
        files = _listed(folder)
        return len(
            problems(folder, [FileRow(path.name, path.stat().st_size, sha256, "sha256") for sha256, path in files])
        )

    return work


def decode_check() -> measure.Work:
    """The check of a landed directory whose files were just hashed: decode, size, mode, fingerprints."""
    from maxsight_assets.images.facts import examine

    def work(folder: Path) -> int:
        facts = examine(_listed(folder), cache=folder / "facts.parquet", hashed_at=time.time())
        return int(facts["error"].is_not_null().sum())

    return work


def damage(folder: Path) -> None:
    """Cut some files short, and write zeros into the tail or the middle of others; note all digests as they are."""
    paths = sorted(folder.glob("*.jpg"))
    for number, path in enumerate(paths[:: JPEGS // DAMAGED][:DAMAGED]):
        data = path.read_bytes()
        half, zeros = len(data) // 2, bytes(len(data) // 4)
        parts = (data[:half], data[:half] + bytes(len(data) - half), data[:half] + zeros + data[half + len(zeros) :])
        path.write_bytes(parts[number % 3])
    digests = "\n".join(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths)
    (folder / "SHA256").write_text(digests, encoding="ascii")


WAYS = {"pycocotools": pycocotools, "read": read, "read and masks": read_and_masks}
DECODING = {
    "simplejpeg alone": simplejpeg_alone,
    "decode check": decode_check,
    "the same again": decode_check,
    "hash check": hash_check,
}


def main() -> None:
    arguments = measure.parser(__doc__.splitlines()[0], WAYS | DECODING).parse_args()
    if arguments.way:
        measure.run_one((WAYS | DECODING)[arguments.way](), arguments.file)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.file or Path(folder) / "instances_train2017.json"
        if not arguments.file:
            images, annotations = generate.COCO_IMAGES, generate.COCO_ANNOTATIONS
            generate.coco_instances(
                path, images=round(images * arguments.scale), annotations=round(annotations * arguments.scale)
            )
        print(f"{path.name}: {path.stat().st_size / 1e6:.0f} MB")
        measure.compare(__file__, WAYS, path, rounds=ROUNDS)
        images = Path(folder) / "images"
        jpegs.scatter(images, JPEGS)
        damage(images)
        print(f"{JPEGS:,} JPEGs of {sum(each.stat().st_size for each in images.iterdir()) / 1e6:.0f} MB")
        for _ in range(ROUNDS):
            (images / "facts.parquet").unlink(missing_ok=True)
            measure.compare(__file__, DECODING, images)


if __name__ == "__main__":
    main()
