"""Report on the splits in plain numbers: sizes, classes, licences, dropped records, leaks, class weights.

Everything is derived from the result of `splitting.build`; the asset's page and the checks read the same report.
"""

from typing import Any

import polars as pl

from maxsight_assets.splitting.build import Splits
from maxsight_assets.splitting.config import SPLITS
from maxsight_assets.splitting.leaks import LEAKS
from maxsight_assets.splitting.order import STOCK_MAX_OBJECTS

EFFECTIVE_NUMBER_BETA = 0.999
"""Overlap of samples in the effective number (Cui et al., Class-Balanced Loss, CVPR 2019, section 4: 0.9 to 0.9999)."""

DETECTOR_LIMITS = (
    f"Stock configurations of MaxSight keep the first {STOCK_MAX_OBJECTS} boxes of an image; order_boxes says which.",
    "MaxSight ignores iscrowd: a crowd region trains as one object. cleaning.drop_crowds leaves crowds out.",
    "MaxSight never loads an image without boxes.",
)
"""What users of the splits must know about the detector (MaxSight at c1977e4, 2026-08-06)."""

_EXAMPLES = 20  # largest number of leaks that the report names
_WEIGHT_DIGITS = 6  # enough for a loss; fewer digits than any platform's pow() agrees on


def report_of(splits: Splits) -> dict[str, Any]:
    """Count what the splits hold and what they leave out.

    Returns:
        A JSON object: `splits` (per split: images, boxes, crowds, images with more boxes than stock configurations of
        the detector keep, the boxes beyond those, boxes and images by class, sources, licences), `detector_limits`,
        `records` (in, kept and dropped, by kind), `dropped` and `repaired` (by kind and rule), `groups`, `leaks` (by
        reason), `first_leaks` (some of those images, each with the evaluation image that it shows and the reason; the
        ledger has all), `missing` (how many images each split lacks to reach its requested number), `few_instances`
        (classes of train with too few boxes in val or test), `turned` (images with an EXIF orientation, which OpenCV
        would turn away from their boxes), `config`, `cleaning`.
    """
    by_class = splits.boxes.group_by("subset", "label").agg(
        boxes=pl.len(), images=pl.col("image").n_unique(), crowds=pl.col("crowd").sum()
    )
    tables = {name: by_class.filter(pl.col("subset") == name).sort("label") for name in SPLITS}
    classes = {name: dict(table.select("label", "boxes").iter_rows()) for name, table in tables.items()}
    per_split = {}
    for name, table in tables.items():
        images = splits.images.filter(pl.col("subset") == name)
        per_split[name] = {
            "images": images.height,
            "boxes": int(table["boxes"].sum()),
            "crowds": int(table["crowds"].sum()),
            **_beyond_stock(splits.boxes.filter(pl.col("subset") == name)),
            "classes": classes[name],
            "class_images": dict(table.select("label", "images").iter_rows()),
            "sources": counts(images["source"]),
            "licences": counts(images["license"].fill_null("unknown")),
        }
    leaked = splits.ledger.filter(pl.col("rule") == LEAKS.name).select(
        image=pl.format("{}/{}", "source", "image_id"),
        **{name: pl.col("before").str.json_path_match(f"$.{name}") for name in LEAKS.values},
    )
    return {
        "splits": per_split,
        "detector_limits": list(DETECTOR_LIMITS),
        "records": {"image": _records(splits, "image"), "box": _records(splits, "box")},
        "dropped": _by_rule(splits.ledger, "drop"),
        "repaired": _by_rule(splits.ledger, "repair"),
        "groups": _groups(splits),
        "leaks": counts(leaked["because"]),
        "first_leaks": leaked.sort("image").head(_EXAMPLES).to_dicts(),
        "missing": _missing(splits),
        "few_instances": {name: _few(classes, name, splits.config.min_instances) for name in ("val", "test")},
        "turned": int((splits.images["orientation"] > 1).sum()),
        "config": splits.config.model_dump(mode="json"),
        "cleaning": splits.cleaning.model_dump(mode="json"),
    }


def _beyond_stock(boxes: pl.DataFrame) -> dict[str, int]:
    """Count the images with more boxes than stock configurations of the detector keep, and the boxes that are lost."""
    beyond = boxes["image"].value_counts()["count"].cast(pl.Int64) - STOCK_MAX_OBJECTS
    return {
        f"images_above_{STOCK_MAX_OBJECTS}_boxes": int((beyond > 0).sum()),
        f"boxes_beyond_{STOCK_MAX_OBJECTS}": int(beyond.clip(0).sum()),
    }


def class_weights(splits: Splits) -> dict[str, Any]:
    """Return weights that balance the classes of train: 1 on average over the classes in train, 0 for all others.

    Returns:
        A JSON object: `inverse_sqrt` (1 / sqrt of the number of boxes) and `effective_number` (inverse of (1 - beta^n)
        / (1 - beta)), each by class; `by_index` with the same two as lists, in which the position of a weight is the
        class index of the detector (0 is the category with id 1); `beta`; crowds are not counted.
    """
    train = splits.boxes.filter((pl.col("subset") == "train") & ~pl.col("crowd").fill_null(value=False))
    present = counts(train["label"])
    inverse_sqrt = {name: number**-0.5 for name, number in present.items()}
    beta = EFFECTIVE_NUMBER_BETA
    effective = {name: (1 - beta) / (1 - beta**number) for name, number in present.items()}
    by_class = {
        "effective_number": _averaging_one(effective, splits.labels),
        "inverse_sqrt": _averaging_one(inverse_sqrt, splits.labels),
    }
    by_index = {name: [weights[label] for label in splits.labels] for name, weights in by_class.items()}
    return {"beta": beta, "by_index": by_index, **by_class}


def counts(values: pl.Series) -> dict[str, int]:
    """Count how often each value occurs, sorted by value."""
    table = values.alias("value").value_counts().sort("value")
    return dict(zip(table["value"].to_list(), table["count"].to_list(), strict=True))


def _averaging_one(weights: dict[str, float], labels: tuple[str, ...]) -> dict[str, float]:
    scale = len(weights) / sum(weights.values()) if weights else 0.0
    return {name: round(weights.get(name, 0.0) * scale, _WEIGHT_DIGITS) for name in labels}


def _records(splits: Splits, kind: str) -> dict[str, int]:
    kept = splits.images.height if kind == "image" else splits.boxes.height
    dropped = splits.ledger.filter((pl.col("kind") == kind) & (pl.col("action") == "drop")).height
    return {"in": kept + dropped, "kept": kept, "dropped": dropped}


def _by_rule(ledger: pl.DataFrame, action: str) -> dict[str, dict[str, int]]:
    rows = ledger.filter(pl.col("action") == action)
    return {kind: counts(rows.filter(pl.col("kind") == kind)["rule"]) for kind in ("image", "box")}


def _groups(splits: Splits) -> dict[str, Any]:
    sizes = splits.images["group"].value_counts()["count"]
    return {
        "groups": sizes.len(),
        "of_several_images": int((sizes > 1).sum()),
        "largest": int(sizes.max() or 0),  # type: ignore[arg-type]  # the dtype of a count is a number
        "edges": counts(splits.edges["reason"]),
    }


def _missing(splits: Splits) -> dict[str, int]:
    sizes = splits.config.sizes
    if not sizes.are_counts:
        return {}
    asked = {"train": sizes.train or 0, "val": int(sizes.val), "test": int(sizes.test)}
    present = counts(splits.images["subset"])
    return {name: number - present.get(name, 0) for name, number in asked.items() if number > present.get(name, 0)}


def _few(classes: dict[str, dict[str, int]], split: str, least: int) -> dict[str, int]:
    return {name: classes[split].get(name, 0) for name in classes["train"] if classes[split].get(name, 0) < least}
