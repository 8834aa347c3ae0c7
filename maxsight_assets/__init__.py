"""MaxSight Assets: vision datasets for an object detector, landed, verified, cleaned, split and kept fresh.

Here: the names that training code and notebooks use. They are imported at first use, so that importing the package is
fast. Not here: anything else. Begin with docs/explanation/architecture.md, or with `build.py`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from maxsight_assets.api import (
        export_maxsight,
        export_yolo,
        iter_samples,
        land,
        load_eval,
        load_split,
        verify_coco_dataset,
    )

    coco_raw: Any  # a Dagster AssetsDefinition, like the three others
    openimages_subset: Any
    cleaned_splits: Any
    inference_eval_set: Any

__all__ = [
    "cleaned_splits",
    "coco_raw",
    "export_maxsight",
    "export_yolo",
    "inference_eval_set",
    "iter_samples",
    "land",
    "load_eval",
    "load_split",
    "openimages_subset",
    "verify_coco_dataset",
]

_ASSETS = frozenset({"cleaned_splits", "coco_raw", "inference_eval_set", "openimages_subset"})


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name not in _ASSETS:
        from maxsight_assets import api

        return getattr(api, name)
    from maxsight_assets import build, settings

    return build.asset(settings.load(), name)
