"""Verifying a published directory of 5,000 files against doing nothing but reading and hashing them.

Run as `python -m benchmarks.verify`; prints the times, the ratio (verify must reach at least 80 % of the bare speed),
and the peak memory. The files have the sizes of COCO's images: 20 to 300 KB.
"""

import hashlib
import os
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

from maxsight_assets.publishing.maintenance import verify
from maxsight_assets.publishing.manifest import FileRow
from maxsight_assets.publishing.stage import staging

FILES = 5_000
ROUNDS = 5


def publish(target: Path) -> int:
    """Publish the files; returns their bytes."""
    random = Random(0)
    total = 0
    with staging(target, asset="benchmark", source="upstream") as stage:
        for n in range(FILES):
            path = f"train2017/{n:012}.jpg"
            data = random.randbytes(random.randint(20_000, 300_000))
            (stage.root / path).parent.mkdir(exist_ok=True)
            (stage.root / path).write_bytes(data)
            stage.record(FileRow(path, len(data), hashlib.sha256(data).hexdigest(), "sha256"))
            total += len(data)
        stage.publish(selection={}, inputs={}, gate=lambda *_: [], keep=True)
    return total


def read_and_hash(target: Path) -> None:
    """The bare work, in as many threads as there are cores."""
    paths = sorted(target.glob("train2017/*.jpg"))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        digests = list(pool.map(lambda path: hashlib.sha256(path.read_bytes()).hexdigest(), paths))
    assert len(set(digests)) == FILES


def check(target: Path) -> None:
    assert not verify(target).wrong


def seconds(work: Callable[[Path], None], target: Path) -> float:
    start = time.perf_counter()
    work(target)
    return time.perf_counter() - start


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "world"
        size = publish(target)
        read_and_hash(target)  # the file cache is warm for both
        # alternating, and the best of several, because other work on the machine disturbs both
        pairs = [(seconds(read_and_hash, target), seconds(check, target)) for _ in range(ROUNDS)]
        bare, whole = (min(times) for times in zip(*pairs, strict=True))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{FILES:,} files, {size / 1e6:,.0f} MB, {os.cpu_count()} cores")
    print(f"read and hash  {bare:6.3f} s  {size / bare / 1e6:7,.0f} MB/s")
    print(f"verify         {whole:6.3f} s  {size / whole / 1e6:7,.0f} MB/s")
    print(f"verify reaches {bare / whole:.0%} of the bare speed; peak memory {peak / 1024:,.0f} MB")


if __name__ == "__main__":
    main()
