"""What the builds write from real COCO images keeps the rules, and a mistake in the data does not get past them."""

import json
from pathlib import Path

import polars as pl
import pytest

from maxsight_assets.cleaning.config import CleaningConfig
from maxsight_assets.disk import sha256_of
from maxsight_assets.evaluation.build import EvaluationSource, build_sets
from maxsight_assets.formats.coco import read_instances
from maxsight_assets.formats.tables import Tables
from maxsight_assets.images.facts import examine, of_files
from maxsight_assets.labels.mapping import to_space
from maxsight_assets.labels.space import load_space
from maxsight_assets.splitting.build import Evaluation, build_splits
from maxsight_assets.splitting.config import Sizes, SplitConfig
from maxsight_assets.splitting.write import write_splits
from maxsight_assets.verdict import run
from maxsight_assets.verification.evaluation import EVALUATION_RULES, EvaluationView
from maxsight_assets.verification.splits import SPLIT_RULES, SplitsView, evaluation_is_unseen
from maxsight_assets_tests.places import SHARED
from maxsight_assets_tests.verification.written import manifest_of

REAL = SHARED / "data/coco_mini"
SPACE = load_space()
LABELS = to_space("coco", SPACE)

pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason="no real COCO images beside the checkout")


def made(root: Path, *, watched: bool = True) -> SplitsView:
    """Evaluation sets and splits of real images; unless `watched`, made as if no evaluation image was known."""
    (root / "data").mkdir()
    (root / "data/coco_raw").symlink_to(REAL)
    tables = {
        split: read_instances(
            REAL / f"annotations/instances_{split}.json", split=split, image_dir=f"coco_raw/{split}"
        ).tables()
        for split in ("train2017", "val2017")
    }
    digests = {path: sha256_of(root / "data" / path)[1] for part in tables.values() for path in part.images["path"]}
    found = examine([(sha256, root / "data" / path) for path, sha256 in digests.items()], cache=root / "facts.parquet")
    facts = of_files(found, digests)
    for name in ("splits", "inference_eval"):
        (root / name).mkdir()
    source = EvaluationSource("val2017", True, tables["val2017"], facts, LABELS)
    build_sets({"coco": source}, root / "inference_eval", space=SPACE)
    unseen = tables["val2017"].images if watched else tables["val2017"].images.clear()
    came_in = (
        tables["train2017"]
        if watched
        else Tables(
            pl.concat([tables["train2017"].images, tables["val2017"].images]),
            pl.concat([tables["train2017"].boxes, tables["val2017"].boxes]),
        )
    )
    splits = build_splits(
        came_in.images,
        came_in.boxes,
        facts,
        evaluation=Evaluation(unseen, facts),
        space=SPACE.names,
        labels={"coco": LABELS},
        config=SplitConfig(sizes=Sizes(val=0.2, test=0.2)),
        cleaning=CleaningConfig(),
    )
    write_splits(splits, root / "splits", inputs={"coco_raw": "0" * 64})
    common = {"data_dir": root / "data", "digests": digests, "space": SPACE, "cache": root / "facts.parquet"}
    evaluated, splitted = root / "inference_eval", root / "splits"
    evaluation = EvaluationView(root=evaluated, manifest=manifest_of(evaluated), **common)  # type: ignore[arg-type]
    return SplitsView(
        root=splitted,
        manifest=manifest_of(splitted),
        evaluation=evaluation,
        inputs=lambda: came_in,
        **common,  # type: ignore[arg-type]
    )


def test_what_is_made_of_real_images_keeps_the_rules(tmp_path: Path) -> None:
    view = made(tmp_path)

    failed = {verdict.rule: verdict for verdict in run(SPLIT_RULES, view) if not verdict.passed}
    assert set(failed) <= {
        "labels_are_in_the_space",
        "classes_are_trained",
        "classes_have_instances",
        "classes_are_balanced",
    }, failed
    assert failed["labels_are_in_the_space"].examples == ("coco, giraffe: 2 boxes",)
    assert [verdict for verdict in run(EVALUATION_RULES, view.evaluation) if not verdict.passed] == []
    balance = next(verdict for verdict in run(SPLIT_RULES, view) if verdict.rule == "ledger_balances")
    assert balance.checked == 80 + 770


def test_evaluation_images_in_training_are_all_found(tmp_path: Path) -> None:
    view = made(tmp_path, watched=False)

    verdict = evaluation_is_unseen.judge(view)

    held = json.loads((view.evaluation.root / "coco_val2017/annotations.json").read_text(encoding="utf-8"))["images"]
    trained = set(view.images["path"]) & {image["file_name"] for image in held}
    assert verdict.offenders == len(trained) > 20
