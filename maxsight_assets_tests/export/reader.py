"""How MaxSight's training program, and a YOLO program, read what is exported: their rules, written anew.

Nothing here comes from `maxsight_assets`, so that a mistake there shows.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from maxsight_assets_tests.splitting.detector import PRIORS, zone_and_urgency

CLASS_MAP_HASH = "2408400ee6a2cacdad5935ad1cba5b67cda2a73c07e2d3257c0c62995b2ee792"
META_KEYS = {
    *("meta_schema_version", "line_schema_version", "label_space", "num_classes", "class_map_hash", "num_samples"),
    *("shards", "built_at"),
}
META_KEYS_BESIDE = {
    *("dataset_id", "version", "split", "source_datasets", "source_annotation", "repo_root", "num_skipped"),
}
CONFIG_KEYS = {
    "model": {
        *("tier", "num_classes", "use_se_attention", "use_cbam_attention", "use_hybrid_backbone", "use_dynamic_conv"),
        *("use_cross_task_attention", "use_cross_modal_attention", "use_temporal_modeling", "use_retrieval"),
    },
    "data": {
        *("data_plane", "gold_train_meta", "gold_val_meta", "gold_test_meta", "train_annotation_file"),
        *("val_annotation_file", "test_annotation_file", "image_dir", "batch_size", "num_workers", "pin_memory"),
        *("max_objects", "tag_lighting_metadata", "lighting_pixel_augmentation", "use_weighted_sampling"),
    },
    "training": {
        *("num_epochs", "optimizer", "learning_rate", "weight_decay", "scheduler_type", "warmup_epochs", "min_lr"),
        *("gradient_clip_norm", "gradient_accumulation_steps", "mixed_precision", "freeze_backbone"),
        *("freeze_backbone_epochs", "early_stopping_patience", "early_stopping_metric"),
    },
    "loss": {"use_gradnorm", "gradnorm_alpha", "gradnorm_update_interval", "temporal_supervision", "loss_weights"},
    "validation": {"val_check_interval", "monitor", "mode"},
    "checkpoint": {"save_dir"},
    "logging": {"log_dir", "log_every_n_steps"},
    "dataset": {"dataset_id", "dataset_version", "require_match"},
}


@dataclass(frozen=True)
class Sample:
    """One image as a training program gets it; boxes are x, y, w, h in pixels of the decoded picture."""

    path: Path
    labels: list[int]
    boxes: list[tuple[float, float, float, float]]


def training_config(path: Path) -> dict[str, Any]:
    """The configuration, where the training program would start with it."""
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert set(config) == {"schema_version", "device", "seed", *CONFIG_KEYS}
    assert config["schema_version"] == "1.0.0"
    assert config["device"] in {"cpu", "cuda", "auto"}
    for section, keys in CONFIG_KEYS.items():
        assert set(config[section]) == keys, section
    training, loss = config["training"], config["loss"]
    assert training["warmup_epochs"] < training["num_epochs"]
    assert all(isinstance(training[name], float) for name in ("learning_rate", "min_lr", "weight_decay"))
    assert not training["mixed_precision"]
    assert not training["freeze_backbone"]
    assert training["freeze_backbone_epochs"] == 0
    assert loss["use_gradnorm"] is True  # without it the loss is 0.0 with any data
    assert loss["gradnorm_alpha"] > 0 < loss["gradnorm_update_interval"]
    assert set(loss["loss_weights"]) == {"objectness", "classification", "box", "distance", "urgency"}
    assert loss["temporal_supervision"] == config["model"]["use_temporal_modeling"]
    assert config["model"]["num_classes"] == 622
    assert config["data"]["data_plane"] == "gold"
    return dict(config)


def gold_samples(meta_path: Path, *, max_objects: int, labels: tuple[str, ...] = ()) -> Iterator[Sample]:
    """What the gold plane's loader yields, in the order of the lines, each rule of its reader held.

    Args:
        meta_path: The metadata of a split.
        max_objects: Boxes of an image that are kept.
        labels: The detector's labels; where they are given, distance and urgency are derived anew.
    """
    meta = json.loads(meta_path.read_bytes())
    assert META_KEYS <= set(meta) <= META_KEYS | META_KEYS_BESIDE
    assert (meta["meta_schema_version"], meta["line_schema_version"]) == ("1.0", "1.0")
    assert (meta["label_space"], meta["num_classes"], meta["class_map_hash"]) == (
        "accessibility_622",
        622,
        CLASS_MAP_HASH,
    )
    assert sum(shard["num_lines"] for shard in meta["shards"]) == meta["num_samples"]
    for shard in meta["shards"]:
        data = (meta_path.parent / shard["uri"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == shard["sha256"]
        assert b"\r" not in data
        lines = data.splitlines()
        assert len(lines) == shard["num_lines"]
        records = [json.loads(line, object_pairs_hook=_sorted) for line in lines]
        assert records == sorted(records, key=_sort_key)
        assert not re.search(rb"\s", re.sub(rb'"[^"]*"', b"", b"".join(lines)))  # no blanks but in texts
        yield from (_sample(record, max_objects, labels) for record in records)


def _sorted(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert [key for key, _ in pairs] == sorted(key for key, _ in pairs)
    return dict(pairs)


def _sort_key(record: dict[str, Any]) -> tuple[str, str, str]:
    metadata = record["metadata"]
    return record["image_path"], str(metadata["original_id"]), metadata["source_file"]


def _sample(record: dict[str, Any], max_objects: int, labels: tuple[str, ...]) -> Sample:
    assert set(record) == {
        *("schema_version", "image_path", "boxes", "labels", "distances", "object_urgencies", "scene_urgency"),
        "metadata",
    }
    assert record["schema_version"] == "1.0"
    metadata = record["metadata"]
    assert metadata["label_space"] == "accessibility_622"
    assert all(metadata[name] for name in ("dataset_id", "version", "split", "source_file", "source_format"))
    assert str(metadata["original_id"]).strip()
    assert isinstance(metadata["conditions"]["lighting"], str)
    path = Path(record["image_path"])
    assert path.is_absolute()
    with Image.open(path) as picture:
        width, height = picture.convert("RGB").size  # a missing or broken one would train as random noise
    assert (metadata["width"], metadata["height"]) == (width, height)
    things = list(zip(*(record[name] for name in ("boxes", "labels", "distances", "object_urgencies")), strict=True))
    assert record["scene_urgency"] == max(urgency for *_, urgency in things)
    for (cx, cy, w, h), label, distance, urgency in things:
        assert 0 <= cx <= 1
        assert 0 <= cy <= 1
        assert 1e-4 <= w <= 1
        assert 1e-4 <= h <= 1
        assert 0 <= label < 622
        if labels and labels[label] in PRIORS:
            assert (distance, urgency) == zone_and_urgency((cx, cy, w, h), PRIORS[labels[label]])
    kept = things[:max_objects]
    return Sample(path, [label for _, label, _, _ in kept], [_pixels(box, width, height) for box, *_ in kept])


def yolo_samples(config_path: Path, split: str) -> Iterator[Sample]:
    """What a YOLO program reads of a split: its list, and for each image the text file at its path's place."""
    config = yaml.safe_load(config_path.read_text(encoding="utf-8"))
    root = Path(config["path"])
    listed = (root / config[split]).read_text(encoding="utf-8").splitlines()
    for name in listed:
        path = name.replace("./", f"{root}/") if name.startswith("./") else name
        before, _, after = path.rpartition("/images/")
        labels = Path(f"{before}/labels/{after}").with_suffix(".txt")
        with Image.open(path) as picture:
            width, height = picture.convert("RGB").size
        rows = [line.split() for line in labels.read_text(encoding="utf-8").splitlines()]
        boxes = [[float(value) for value in row[1:]] for row in rows]
        assert all(0 <= value <= 1 for box in boxes for value in box)
        assert all(int(row[0]) in config["names"] for row in rows)
        yield Sample(Path(path), [int(row[0]) for row in rows], [_pixels(box, width, height) for box in boxes])


def _pixels(box: list[float], width: int, height: int) -> tuple[float, float, float, float]:
    cx, cy, w, h = box
    return (cx - w / 2) * width, (cy - h / 2) * height, w * width, h * height
