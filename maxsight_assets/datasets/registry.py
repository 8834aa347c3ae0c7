"""Every raw dataset, in the order of the graph: adding one is its folder and its line here."""

from collections.abc import Mapping
from types import MappingProxyType

from maxsight_assets.datasets.ade20k.source import ADE20K
from maxsight_assets.datasets.bdd100k.source import BDD100K
from maxsight_assets.datasets.coco.source import COCO
from maxsight_assets.datasets.openimages.source import OPENIMAGES
from maxsight_assets.datasets.source import Source

SOURCES: Mapping[str, Source] = MappingProxyType(
    {source.dataset: source for source in (COCO, OPENIMAGES, BDD100K, ADE20K)}
)
"""Every raw dataset by its short name."""
