"""What `things.yaml` may say, and that all it says can be drawn."""

import re

import pytest

from maxsight_assets.sample_upstream.drawing.recipes import Draw, read
from maxsight_assets.sample_upstream.drawing.shapes import dice, rect
from maxsight_assets.sample_upstream.drawing.things import group, kind, sheet

RED, BLUE = (255, 0, 0), (0, 0, 255)


def recipe(draw: str, **choose: str) -> Draw:
    return read(choose, draw, {"red": (RED,), "coin": (RED, BLUE)})


@pytest.mark.parametrize("name", sorted(sheet().things))
def test_each_thing_of_the_file_is_drawn_in_the_unit_square_or_little_beyond(name: str) -> None:
    for seed in range(20):
        drawing = kind(name).draw(dice(seed))

        assert drawing
        assert all(-0.15 <= number <= 1.15 for part in drawing for point in part.points for number in point)


def test_a_scene_chooses_from_things_of_the_file() -> None:
    assert {name for members in sheet().groups.values() for name in members} <= set(sheet().things)
    assert group("savanna") == ("person", "bird")


def test_a_chosen_color_is_the_same_in_one_thing_and_not_in_all() -> None:
    toys = [recipe("rect paint 0 0 1 1\nrect paint*.5 0 0 1 1", paint="coin")(dice(seed)) for seed in range(20)]

    assert {whole.color for whole, _ in toys} == {RED, BLUE}
    assert all(half.color == tuple(round(channel / 2) for channel in whole.color) for whole, half in toys)


def test_two_names_get_two_colors() -> None:
    draw = recipe("rect one 0 0 1 1\nrect two 0 0 1 1", **{"one two": "coin"})

    assert all({part.color for part in draw(dice(seed))} == {RED, BLUE} for seed in range(20))


def test_a_number_may_be_made_of_a_chosen_one() -> None:
    (part,) = recipe("rect red .25-step .5+2*step -step -.5", step="0.5..0.5")(dice(1))

    assert part.points == rect(-0.25, 1.5, -0.5, -0.5)


def test_a_comma_starts_another_shape_for_which_a_range_is_chosen_anew() -> None:
    one, two = recipe("oval red*.2..0.9  .5 .5 .1 .1, .5 .5 .2 .2")(dice(1))

    assert one.color != two.color


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("blob red 0 0 1 1", "begin with one of rect, oval"),
        ("rect red", "then numbers"),
        ("rect wod 0 0 1 1", "wod is neither a color of that name nor #rrggbb"),
        ("rect red 0 0 1", "3 numbers; a rect takes 4"),
        ("rect red 0 0 1 1, 1 1", "2 numbers; a rect takes 4"),
        ("poly red 0 0 1 1 1", "5 numbers; a poly takes at least three pairs"),
        ("rect red 0 0 1 step", "step is no number"),
        ("rect red 0 0 1 1paint", "1paint is no number"),
        ("rect red*dark 0 0 1 1", "dark is no number"),
    ],
)
def test_a_line_that_cannot_be_drawn_is_named_with_the_reason(line: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"{re.escape(repr(line))}: .*{re.escape(said)}"):
        recipe(line, paint="coin")


def test_stairs_and_signs_are_of_several_kinds() -> None:
    assert {len(kind("stairs").draw(dice(seed))) for seed in range(20)} == {12, 14, 16}
    assert {len(kind("traffic sign").draw(dice(seed))) for seed in range(20)} == {2, 3}
