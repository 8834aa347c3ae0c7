import numpy as np

from maxsight_assets.images.groups import group
from maxsight_assets.images.phash import CROPS
from maxsight_assets_tests.images.test_groups import numbered


def test_chance_alone_makes_no_groups_of_200_000_images() -> None:
    found = group(numbered(np.random.default_rng(7).integers(0, 2**64, (200_000, len(CROPS)), dtype=np.uint64)))

    assert found.members["group"].value_counts()["count"].max() <= 2
    assert found.edges.height <= 5
