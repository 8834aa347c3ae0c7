from pathlib import Path

import polars as pl
import pytest

from maxsight_assets.cleaning.config import CleaningConfig
from maxsight_assets.errors import FormatError
from maxsight_assets.labels.mapping import to_space
from maxsight_assets.labels.space import LabelSpace, load_space
from maxsight_assets.splitting.build import Splits, build_splits
from maxsight_assets.splitting.config import SplitConfig
from maxsight_assets_tests.cleaning.records import box, boxes_of, facts_of, image, images_of
from maxsight_assets_tests.splitting.worlds import NOTHING


def labelled(space: LabelSpace) -> Splits:
    """A person, a zebra and a traffic light of COCO, and a zebra and a door handle of Open Images, in a space."""
    images = images_of(image("1"), image("a", "openimages"))
    boxes = boxes_of(
        *(box(f"c{n}", label=label) for n, label in enumerate(("person", "zebra", "traffic light"))),
        *(box(f"o{n}", "a", "openimages", label=label) for n, label in enumerate(("Zebra", "Door handle"))),
    )
    return build_splits(
        images,
        boxes,
        facts_of(images),
        evaluation=NOTHING,
        space=space.names,
        labels={source: to_space(source, space) for source in ("coco", "openimages")},
        config=SplitConfig(),
        cleaning=CleaningConfig(),
    )


def kept(splits: Splits) -> dict[str, str]:
    return dict(splits.boxes.select("box_id", "label").rows())


def test_in_cocos_own_space_an_animal_keeps_its_name_whoever_published_it() -> None:
    splits = labelled(load_space("coco80"))

    assert len(splits.labels) == 80
    assert splits.labels[0] == "person"
    assert kept(splits) == {"c0": "person", "c1": "zebra", "c2": "traffic light", "o0": "zebra"}
    assert splits.ledger.filter(rule="label_outside_space")["box_id"].to_list() == ["o1"]


def test_in_the_detectors_space_a_zebra_is_never_passed_on() -> None:
    splits = labelled(load_space())

    dropped = splits.ledger.filter(rule="label_outside_space")
    assert dropped.filter(pl.col("box_id").is_in(["c1", "o0"])).height == 2
    assert {"c1", "o0"}.isdisjoint(kept(splits))


def test_a_persons_own_space_decides_which_boxes_stay(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("zebra\nperson\n", encoding="utf-8")

    splits = labelled(load_space(str(tmp_path / "mine.txt")))

    assert splits.labels == ("zebra", "person")
    assert kept(splits) == {"c0": "person", "c1": "zebra", "o0": "zebra"}


def test_a_space_that_is_not_there_is_named() -> None:
    with pytest.raises(FormatError, match=r"label space nowhere\.txt: neither maxsight nor coco80"):
        load_space("nowhere.txt")
