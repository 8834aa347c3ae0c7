"""A DATA_DIR with published evaluation sets and detections files, without raw datasets or Dagster."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maxsight_assets import settings
from maxsight_assets.datasets.landing import record_made
from maxsight_assets.evaluation.detections import Detections
from maxsight_assets.evaluation.sets import EvaluationSet, read_set
from maxsight_assets.pipeline.inspection import METRICS
from maxsight_assets.pipeline.metrics import Evaluated, make_metrics
from maxsight_assets.places import Places
from maxsight_assets.profiles import model as profiles
from maxsight_assets.publishing.stage import staging
from maxsight_assets.verdict import Verdict
from maxsight_assets_tests.evaluation import cases


@dataclass
class Ground:
    """Places with evaluation sets, into which a test drops detections."""

    root: Path

    @property
    def settings(self) -> settings.Settings:
        return settings.load({"DATA_DIR": str(self.root / "data")})

    @property
    def places(self) -> Places:
        return Places.of(self.settings)

    def publish(self, name: str, write: Callable[[Path], EvaluationSet], **contract: Any) -> EvaluationSet:
        """Publish one evaluation set, which `write` makes in a folder."""
        with staging(self.places.evaluation, asset="inference_eval_set", source="embedded") as stage:
            write(stage.root / name)
            sets = {"sets": {name: contract}}
            (stage.root / "contract.json").write_text(json.dumps(sets), encoding="utf-8")
            for path in (f"{name}/annotations.json", "contract.json"):
                record_made(stage, path)
            stage.publish(selection={}, inputs={}, gate=lambda root, manifest: (), keep=False)
        return read_set(self.places.evaluation / name / "annotations.json")

    def drop(self, name: str, found: Detections | Sequence[Any] | dict[str, Any]) -> Path:
        """Put a detections file in place, as a user does."""
        path = self.places.detections / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        document = list(found.results()) if isinstance(found, Detections) else found
        path.write_text(json.dumps(document), encoding="utf-8")
        return path

    def run(self, baseline: str = "baseline") -> Evaluated:
        profile = profiles.of(self.settings)
        return make_metrics(profile, self.places, baseline=baseline, gate=METRICS.gate(self.places))

    def verdicts(self) -> dict[str, Verdict]:
        """Return the verdicts of all rules on what is published, by rule."""
        view = METRICS.view(self.places)
        return {rule.name: rule.judge(view) for rule in METRICS.rules}


def some_boxes(images: int = 12, each: int = 3) -> list[dict[str, Any]]:
    """Return boxes of three labels, apart from each other."""
    return [
        {"image_id": image, "category_id": number % 3 + 1, "bbox": [5 + 90 * number, 10 + image, 70, 60]}
        for image in range(1, images + 1)
        for number in range(each)
    ]


def a_set(folder: Path, images: int = 12) -> EvaluationSet:
    return cases.a_set(folder, some_boxes(images), images=images, night=[1, 2])
