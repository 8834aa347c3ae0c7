"""Evaluate detections on a set of COCO val2017's shape: this project against pycocotools, reading both files included.

    python benchmarks/evaluation.py [--scale 0.1]

5,000 images, 36,781 boxes of 80 labels and 100 detections an image, made up (`generate.detections`). "result" is the
sum of the 12 numbers, which must be equal. Then the paired bootstrap of 1,000 resamples, matching of both included,
against one evaluation.
"""

import contextlib
import io
import tempfile
from pathlib import Path

import generate
import measure


def here() -> measure.Work:
    """As `detection_metrics` does it."""
    from maxsight_assets.evaluation.detections import read_detections
    from maxsight_assets.evaluation.metrics import evaluate
    from maxsight_assets.evaluation.sets import read_set

    def work(folder: Path) -> str:
        truth = read_set(folder / "annotations.json")
        return _sum(evaluate(truth, read_detections(folder / "found.json", truth)).numbers.values())

    return work


def pycocotools() -> measure.Work:
    """As pycocotools does it by itself."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def work(folder: Path) -> str:
        with contextlib.redirect_stdout(io.StringIO()):
            truth = COCO(str(folder / "annotations.json"))
            judge = COCOeval(truth, truth.loadRes(str(folder / "found.json")), "bbox")
            judge.evaluate()
            judge.accumulate()
            judge.summarize()
        return _sum(judge.stats)

    return work


def bootstrap() -> measure.Work:
    """The paired bootstrap of two detectors; reading is not in it, matching is."""
    from maxsight_assets.evaluation.compare import compare
    from maxsight_assets.evaluation.detections import Detections, read_detections
    from maxsight_assets.evaluation.sets import read_set

    def work(folder: Path) -> str:
        truth = read_set(folder / "annotations.json")
        found = read_detections(folder / "found.json", truth)
        moved = Detections(found.image, found.category, found.boxes + 1.0, found.score)
        difference = compare(truth, found, moved)
        return f"{difference.low:+.4f} to {difference.high:+.4f}" if difference else "nothing to find"

    return work


def _sum(numbers: object) -> str:
    return f"{sum(numbers):.6f}"  # type: ignore[call-overload]  # any iterable of floats


WORKS = {"pycocotools": pycocotools, "here": here, "bootstrap": bootstrap}


def main() -> None:
    arguments = measure.parser(__doc__ or "", WORKS).parse_args()
    if arguments.way:
        measure.run_one(WORKS[arguments.way](), arguments.file)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        generate.detections(path, images=int(generate.VAL_IMAGES * arguments.scale))
        measure.compare(__file__, WORKS, path)


if __name__ == "__main__":
    main()
