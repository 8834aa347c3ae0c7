"""File names of annotations: what can be a path, which member is meant, and why one is not taken."""

import polars as pl
import pytest

from maxsight_assets.formats.names import CLIMBS, KIND, NOT_HELD, NOT_UNIQUE, fault_of, find_members, placed


@pytest.mark.parametrize("name", ["a.b.c.jpg", "my photo (1).jpg", "IMG_1.JPG", "sub/deeper/x.jpeg", "é.png", "_x.Png"])
def test_fault_85_names_with_dots_blanks_capitals_and_folders_are_taken(name: str) -> None:
    assert fault_of(f"val2017/{name}") is None


@pytest.mark.parametrize(
    "name", ["../x.jpg", "a/../../x.jpg", "/etc/x.jpg", "a//x.jpg", "./x.jpg", "x\n.jpg", "C:\\x.jpg"]
)
def test_fault_85_what_climbs_out_is_refused(name: str) -> None:
    assert fault_of(f"val2017/{name}") == CLIMBS


@pytest.mark.parametrize("name", ["x.gif", "x", "x.jpg.webp", "x.txt"])
def test_another_kind_is_named(name: str) -> None:
    assert fault_of(f"val2017/{name}") == KIND


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("images\\1.jpg", "d/1.jpg"),
        ("C:\\data\\1.jpg", "d/1.jpg"),
        ("http://images.example/val/1%20b.jpg?size=z", "d/1 b.jpg"),
        ("val2017/1.jpg", "d/val2017/1.jpg"),
    ],
)
def test_fault_85_windows_names_and_addresses_are_placed_by_their_bare_name(name: str, place: str) -> None:
    assert placed(pl.DataFrame({"path": [f"d/{name}", "d/2.jpg", None]}), "d")["path"].to_list() == [
        place,
        "d/2.jpg",
        None,
    ]


def test_bare_names_that_two_images_share_stay_as_they_are() -> None:
    names = ["d/a\\1.jpg", "d/b\\1.jpg", "d/c\\2.jpg", "d/2.jpg"]
    assert placed(pl.DataFrame({"path": names}), "d")["path"].to_list() == names


def test_members_are_found_by_path_then_by_a_bare_name_that_is_unique() -> None:
    members = ["t/1.jpg", "other/2.jpg", "a/3.jpg", "b/3.jpg", "__MACOSX/t/._1.jpg"]

    found, missing = find_members(members, ["t/1.jpg", "t/2.jpg", "t/3.jpg", "t/4.jpg", "t/x/1.jpg", "../5.jpg"])

    assert found == {"t/1.jpg": "t/1.jpg", "other/2.jpg": "t/2.jpg"}
    assert missing == {"t/3.jpg": NOT_UNIQUE, "t/4.jpg": NOT_HELD, "t/x/1.jpg": NOT_HELD, "../5.jpg": CLIMBS}
