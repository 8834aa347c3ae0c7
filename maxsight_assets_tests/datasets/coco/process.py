"""One landing or check of COCO in a process of its own, so that its peak memory can be told.

python -m maxsight_assets_tests.datasets.coco.process land|verify PLACE [HOST COUNT]
"""

import json
import sys
from pathlib import Path

from maxsight_assets.datasets.coco.verify import verify_coco_dataset
from maxsight_assets.pipeline.inspection import RAW
from maxsight_assets_tests.datasets.coco.upstream import Site, images_of, land, places_in


def main(work: str, place: str, host: str = "", count: str = "0") -> None:
    """Do it and print what came of it as JSON."""
    places = places_in(Path(place))
    told: dict[str, object]
    if work == "land":
        with Site(Path(), host, Path()).open() as upstream:
            version = land(upstream, places, gate=RAW["coco"].gate(places), train2017=int(count))
        tally = version.tally
        told = {"images": len(images_of(version)), "fetched": tally.fetched_files, "adopted": tally.adopted_files}
    else:
        report = verify_coco_dataset(places.data_dir / "coco_raw", level="decode", cache=places.facts)
        told = {"failed": [each.verdict.rule for each in report.findings if not each.verdict.passed]}
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    sys.stdout.write(json.dumps(told | {"peak": peak * 1024}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
