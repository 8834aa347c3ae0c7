"""Every raw dataset, in the order of the graph. A new dataset needs its folder and its line here."""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from maxsight_assets.datasets.source import Source

_FOLDERS = (
    "coco",
    "openimages",
    "bdd100k",
    "ade20k",
)

SOURCES: Mapping[str, Source] = MappingProxyType(
    {name: import_module(f"maxsight_assets.datasets.{name}.source").SOURCE for name in _FOLDERS}
)
"""The `SOURCE` of each dataset's `source.py`, by the name of its folder."""
