"""What publishers call things, against the detector's names: complete, and never a false friend."""

import csv
import json
from collections import Counter

import pytest

from maxsight_assets.datasets.openimages import format as openimages
from maxsight_assets.labels import mapping
from maxsight_assets.labels.space import LabelSpace, load_space
from maxsight_assets_tests.places import SHARED

DATA = SHARED / "data"
SOURCES = ["coco", "openimages", "bdd100k", "ade20k"]
SPACE = load_space()


def openimages_names() -> list[str]:
    path = DATA / "openimages_slice" / "class-descriptions-boxable.csv"
    if not path.exists():
        pytest.skip(f"no real class list at {path}")
    with path.open(encoding="utf-8", newline="") as file:
        return [row[1] for row in csv.reader(file)]


@pytest.mark.parametrize(("source", "classes"), list(zip(SOURCES, [80, 601, 16, 100], strict=True)))
def test_every_class_of_a_publisher_has_one_row(source: str, classes: int) -> None:
    assert (
        len(mapping.rows(source)) == classes
    )  # BDD100K: 10, three of 2018's words, and three that are never evaluated


@pytest.mark.parametrize("source", SOURCES)
def test_every_target_is_in_the_label_space(source: str) -> None:
    assert {row.name for row in mapping.rows(source) if row.name is not None} <= set(SPACE.names)


@pytest.mark.parametrize("source", SOURCES)
def test_exact_means_the_same_words(source: str) -> None:
    for row in mapping.rows(source):
        same = row.name is not None and row.name.replace("_", " ") == row.label.lower()
        assert same == (row.relation == "exact"), row


def test_openimages_rows_are_the_published_classes() -> None:
    assert [row.label for row in mapping.rows("openimages")] == openimages_names()


def test_coco_rows_are_the_published_categories() -> None:
    path = DATA / "coco_mini" / "annotations" / "instances_val2017.json"
    if not path.exists():
        pytest.skip(f"no real annotations at {path}")
    published = [each["name"] for each in json.loads(path.read_text(encoding="utf-8"))["categories"]]
    assert [row.label for row in mapping.rows("coco")] == published


def test_coco_names_map_to_themselves_but_for_four_animals() -> None:
    mapped = mapping.to_space("coco", SPACE)
    assert {label for label, name in mapped.items() if name is None} == {"elephant", "bear", "zebra", "giraffe"}
    assert all(name in (None, label) for label, name in mapped.items())


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("Mouse", None),
        ("Computer mouse", "mouse"),
        ("Musical keyboard", None),
        ("Computer keyboard", "keyboard"),
        ("Bat", None),
        ("Glasses", None),
        ("Cart", None),
        ("Human body", None),
        ("Training bench", None),
        ("Teddy bear", "teddy bear"),
        ("Bear", None),
        ("Door handle", "door_handle"),
        ("Table", None),
        ("Waste container", None),
        ("Stationary bicycle", None),
        ("Bicycle wheel", None),
        ("Dog bed", None),
        ("Golf cart", None),
        ("Watch", None),
        ("Lamp", None),
        ("Billboard", None),
        ("Tap", "faucet"),
        ("Van", "car"),
        ("Chest of drawers", "dresser"),
        ("Bathroom cabinet", "cabinet"),
    ],
)
def test_openimages_false_friends(label: str, name: str | None) -> None:
    assert mapping.to_space("openimages", SPACE)[label] == name


def test_openimages_rows_that_are_not_the_same_words_say_why() -> None:
    assert [
        row.label for row in mapping.rows("openimages") if row.relation in ("synonym", "narrower") and not row.reason
    ] == []


def test_openimages_classes_of_a_word_of_the_space_that_get_no_name_say_why() -> None:
    """A class whose last word is a name (Bicycle wheel, Dog bed, Golf cart) looks as if it were one of that name."""
    words = {name.replace("_", " ") for name in SPACE.names}
    looks_like = [
        row.label
        for row in mapping.rows("openimages")
        if row.name is None and not row.reason and {row.label.lower(), row.label.lower().split()[-1]} & words
    ]
    assert looks_like == []


def test_openimages_classes_that_coco_names_otherwise_get_the_name_of_coco() -> None:
    mapped = mapping.to_space("openimages", SPACE)
    assert {
        label: mapped[label]
        for label in (
            *("Cattle", "Flying disc", "Ski", "Ball", "Coffee cup", "Doughnut", "Houseplant", "Television"),
            *("Kitchen & dining room table", "Remote control", "Mobile phone", "Microwave oven", "Hair dryer"),
        )
    } == {
        "Cattle": "cow",
        "Flying disc": "frisbee",
        "Ski": "skis",
        "Ball": "sports ball",
        "Coffee cup": "cup",
        "Doughnut": "donut",
        "Houseplant": "potted plant",
        "Television": "tv",
        "Kitchen & dining room table": "dining table",
        "Remote control": "remote",
        "Mobile phone": "cell phone",
        "Microwave oven": "microwave",
        "Hair dryer": "hair drier",
    }


def test_openimages_reasons_that_cite_the_hierarchy_are_true() -> None:
    folder = DATA / "openimages_slice"
    if not folder.exists():
        pytest.skip(f"no real hierarchy in {folder}")
    names = openimages.read_class_names(folder / "class-descriptions-boxable.csv")
    below = openimages.read_hierarchy(folder / "bbox_labels_600_hierarchy.json")
    mids = {name: mid for mid, name in names.items()}
    cited = [(row.label, row.reason) for row in mapping.rows("openimages") if row.reason.startswith("a kind of ")]

    wrong = [
        label
        for label, reason in cited
        if mids[label] not in below[mids[reason.removeprefix("a kind of ").partition(" in ")[0]]]
    ]

    assert len(cited) > 30
    assert wrong == []


def test_one_spelling_is_used_where_the_space_has_two() -> None:
    used = {row.name for source in SOURCES for row in mapping.rows(source)}
    assert not used & {"stop_sign", "wine_glass", "parking_meter", "dining_table", "mobile_phone", "microwave_oven"}
    assert not used & {"television", "sofa"}


def test_pot_and_screen_of_ade20k_are_read_as_its_full_names_say() -> None:
    mapped = mapping.to_space("ade20k", SPACE)
    assert mapped["pot"] is None
    assert mapped["screen"] == "projector_screen"


def test_a_smaller_space_leaves_the_rest_unmapped() -> None:
    mapped = mapping.to_space("coco", LabelSpace(names=("person", "dog")))
    assert Counter(mapped.values()) == {None: 78, "person": 1, "dog": 1}
