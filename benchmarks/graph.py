"""What the whole graph costs at COCO's full size: from nothing, again, after a change of 1 %, and verification alone.

The world is made up: 118,287 + 5,000 small JPEGs in COCO's two zips, 860,001 + 36,781 annotations with masks, behind
`file://`. Each phase lands `coco_raw`, makes `inference_eval_set` and `cleaned_splits`, shows their pages' figures and
judges every rule, in a process of its own and without Dagster. With a git ref, the code of that ref does the same work
on the same world in the same run, in turns, and the
data versions that both publish are compared.

    python benchmarks/graph.py                      # all of it: some minutes and 3 GB of disk
    python benchmarks/graph.py --scale 0.1 HEAD~5   # at a tenth of the size, beside the code of HEAD~5
"""

import argparse
import inspect
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import measure
import numpy as np
import simplejpeg

from maxsight_assets.labels import mapping

SPLITS = {"train2017": (118_287, 860_001), "val2017": (5_000, 36_781)}
SIDE = 352  # pixels of an image: from 350 on, masks are judged by their form as those of COCO are
ANNOTATIONS = "annotations/annotations_trainval2017.zip"
PHASES = ("from nothing", "again", "1 % changed", "verification")
FIGURES = ("seconds", "cpu", "peak", "read", "written")
_UNUSED = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
_IDS = [number for number in range(1, 91) if number not in _UNUSED]


def make_world(root: Path, scale: float) -> None:
    """Write the upstream, and beside its annotations those in which 1 % of the records are different."""
    (root / "zips").mkdir(parents=True)
    (root / "annotations").mkdir()
    rng = np.random.default_rng(2017)
    first = 1
    sizes = {split: (int(images * scale), int(boxes * scale)) for split, (images, boxes) in SPLITS.items()}
    texts: dict[str, tuple[str, str]] = {}
    for split, (images, boxes) in sizes.items():
        names = [f"{number:012}.jpg" for number in range(first, first + images)]
        with zipfile.ZipFile(root / f"zips/{split}.zip", "w", zipfile.ZIP_STORED) as archive:
            for name in names:
                coarse = rng.integers(
                    0, 256, (11, 11, 1), dtype=np.uint8
                )  # each of 32 pixels, which JPEG stores in little
                gray = np.ascontiguousarray(np.kron(coarse, np.ones((SIDE // 11, SIDE // 11, 1), np.uint8)))
                data = simplejpeg.encode_jpeg(gray, quality=60, colorspace="GRAY")
                archive.writestr(zipfile.ZipInfo(f"{split}/{name}", (2017, 9, 1, 0, 0, 0)), data)
        texts[split] = _documents(rng, split, names, first=first, boxes=boxes)
        first += images
    for at, name in enumerate((ANNOTATIONS, f"{ANNOTATIONS}.changed")):
        with zipfile.ZipFile(root / name, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for split, both in texts.items():
                archive.writestr(
                    zipfile.ZipInfo(f"annotations/instances_{split}.json", (2017, 9, 1, 0, 0, 0)),
                    both[at],
                    zipfile.ZIP_DEFLATED,
                )


def _documents(rng: np.random.Generator, split: str, names: list[str], *, first: int, boxes: int) -> tuple[str, str]:
    """Return an annotation file, and the same with 1 % of its train records changed."""
    owner = rng.integers(first, first + len(names), boxes)
    corner = np.round(rng.uniform(0, SIDE / 2, (boxes, 2)), 2)
    side = np.round(rng.uniform(4, SIDE / 2, (boxes, 2)), 2)
    points = rng.integers(4, 22, boxes)
    classes = rng.choice(_IDS, boxes)
    head = (
        '{"info":{"year":2017},"licenses":[{"id":4,"name":"BY","url":"http://creativecommons.org/licenses/by/2.0/"}],'
        '"categories":' + json.dumps(_categories()) + ',"images":['
    )
    head += ",".join(
        f'{{"license":4,"file_name":"{name}","coco_url":"http://images.example/{split}/{name}","height":{SIDE},'
        f'"width":{SIDE},"flickr_url":"http://farm1.example/{number}_{number:010x}_z.jpg","id":{number}}}'
        for number, name in enumerate(names, start=first)
    )
    every = 100 if split == "train2017" else boxes + 1
    both: tuple[list[str], list[str]] = ([], [])
    for row in range(boxes):
        (x, y), (w, h) = corner[row].tolist(), side[row].tolist()
        record = _annotation(x, y, w, h, int(points[row]))
        rest = f'"image_id":{owner[row]},"category_id":{classes[row]},"id":{first * 100 + row},"iscrowd":0}}'
        both[0].append(record + rest)
        both[1].append(record + rest if row % every else _annotation(x, y, w - 1, h, int(points[row])) + rest)
    return tuple(f'{head}],"annotations":[{",".join(records)}]}}' for records in both)  # type: ignore[return-value]


def _categories() -> list[dict[str, object]]:
    return [{"id": number, "name": row.label} for number, row in zip(_IDS, mapping.rows("coco"), strict=True)]


def _annotation(x: float, y: float, w: float, h: float, points: int) -> str:
    right, bottom, w, h = round(x + w, 2), round(y + h, 2), round(w, 2), round(h, 2)
    corners = (f"{x},{y}", f"{right},{y}", f"{right},{bottom}", f"{x},{bottom}")
    polygon = ",".join(corners[number % 4] for number in range(points))
    return f'{{"segmentation":[[{polygon}]],"area":{w * h:.4f},"bbox":[{x},{y},{w},{h}],'


def work(phase: str, world: Path, project: Path) -> dict[str, str]:
    """Do one phase with the code that this process imports; return the data versions, and the rules that failed."""
    from maxsight_assets.pipeline import inspection
    from maxsight_assets.pipeline.derived import make_evaluation, make_splits
    from maxsight_assets.places import Places
    from maxsight_assets.profiles.model import load

    profile = load("full").only(["coco"])
    places = Places(project / "data", project / "data/cleaned_splits", project / "state")
    # as the asset's checks do in a run; older code has no other way
    may_recall = "anew" in inspect.signature(inspection.verify).parameters
    verify = partial(inspection.verify, anew=False) if may_recall else inspection.verify
    if phase != "verification":
        _land(world, profile, places)
        failed = verify(profile, places, ["coco_raw"])
        make_evaluation(profile, places, gate=inspection.EVALUATION.gate(places))
        failed += verify(profile, places, ["inference_eval_set"])
        make_splits(profile, places, stated={}, gate=inspection.SPLITS.gate(places))
        failed += verify(profile, places, ["cleaned_splits"])
    else:
        failed = inspection.verify(profile, places, [])
    judged = (inspection.RAW["coco"], inspection.EVALUATION, inspection.SPLITS)
    pages = {each.asset: each.directory(places) / ".maxsight/MANIFEST.json" for each in judged}
    versions = {asset: json.loads(page.read_bytes())["data_version"][:12] for asset, page in pages.items()}
    return versions | {"failed": " ".join(sorted(told.rule for told in failed if not told.passed))}


def _land(world: Path, profile: object, places: object) -> None:
    from maxsight_assets.catalog import model as catalogs
    from maxsight_assets.datasets.places import Upstream
    from maxsight_assets.datasets.registry import SOURCES
    from maxsight_assets.pipeline.inspection import RAW
    from maxsight_assets.pipeline.overview import overview
    from maxsight_assets.pipeline.raw import refresh
    from maxsight_assets.transport.client import Client

    catalog = catalogs.load("coco").embedded(base=world.as_uri())
    with Client() as client:
        version = refresh(
            SOURCES["coco"],
            Upstream(catalog=catalog, client=client, origin="embedded", cancel=threading.Event()),
            data_dir=places.data_dir,
            cache=places.facts,
            default=profile.selections["coco"],
            stated={},
            gate=RAW["coco"].gate(places),
        )
    kept = {"cache": places.facts} if "cache" in inspect.signature(overview).parameters else {}
    overview(SOURCES["coco"], places.data_dir / "coco_raw", version.manifest, **kept)


def run(phase: str, world: Path, project: Path) -> None:
    """Do one phase and print what it took as JSON; `read` and `written` are the MB that passed through system calls."""
    before, started, cpu = _io(), time.perf_counter(), time.process_time()
    result = work(phase, world, project)
    took = {"seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu, "peak": measure.peak_mb()}
    took |= {name: (value - before[name]) / 1e6 for name, value in _io().items()}
    print(json.dumps({**took, "result": result}))


def _io() -> dict[str, int]:
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    values = dict(line.split(": ") for line in lines)
    return {"read": int(values["rchar"]), "written": int(values["wchar"])}


@contextmanager
def code_of(ref: str | None, scratch: Path) -> Iterator[Path]:
    """Yield a checkout of a git ref; the present one for None."""
    here = Path(__file__).resolve().parents[1]
    if ref is None:
        yield here
        return
    there = scratch / "code"
    subprocess.run(["git", "-C", here, "worktree", "add", "--detach", there, ref], check=True, capture_output=True)
    try:
        yield there
    finally:
        subprocess.run(["git", "-C", here, "worktree", "remove", "--force", there], check=True)


def compare(codes: dict[str, Path], scratch: Path, *, scale: float) -> None:
    """Run every phase with each code, in turns, and print a table."""
    worlds = {name: scratch / f"world {number}" for number, name in enumerate(codes)}
    for world in worlds.values():
        make_world(world, scale)
    print(f"{'phase':<14}{'code':<12}" + "".join(f"{name:>10}" for name in FIGURES) + "  (s, CPU s, MB)", flush=True)
    for phase in PHASES:
        results = {}
        for name, code in codes.items():
            if phase == "1 % changed":
                (worlds[name] / f"{ANNOTATIONS}.changed").replace(worlds[name] / ANNOTATIONS)
            os.sync()
            told = subprocess.run(
                [sys.executable, __file__, "--phase", phase, "--world", worlds[name], scratch / f"project {name}"],
                env=os.environ | {"PYTHONPATH": str(code)},
                check=True,
                stdout=subprocess.PIPE,
                text=True,
            )
            took = json.loads(told.stdout.splitlines()[-1])
            results[name] = took["result"]
            print(f"{phase:<14}{name:<12}" + "".join(f"{took[figure]:>10.1f}" for figure in FIGURES), flush=True)
        print(f"{'':<14}{next(iter(results.values()))}")
        if len({json.dumps(result) for result in results.values()}) > 1:
            print(f"the results differ, as they may if a feature was added between: {results}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ref", nargs="?", help="a git ref to compare with (within a phase: the project's directory)")
    parser.add_argument("--scale", type=float, default=1.0, help="size of the world as a share of COCO's")
    parser.add_argument("--phase", choices=PHASES, help="do this phase in this process")
    parser.add_argument("--world", type=Path, help="the upstream of the phase")
    arguments = parser.parse_args()
    if arguments.phase:
        run(arguments.phase, arguments.world, Path(arguments.ref))
        return
    with tempfile.TemporaryDirectory() as directory, code_of(arguments.ref, Path(directory)) as before:
        codes = {arguments.ref[:11]: before} if arguments.ref else {}
        compare({**codes, "this": Path(__file__).resolve().parents[1]}, Path(directory), scale=arguments.scale)


if __name__ == "__main__":
    main()
