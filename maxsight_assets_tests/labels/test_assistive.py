import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxsight_assets.labels.assistive import class_prior, derive
from maxsight_assets_tests.splitting.detector import PRIORS, zone_and_urgency

WIDTH, HEIGHT = 640, 480

sides = st.floats(0.01, WIDTH, allow_nan=False)


def derived(label: str, x: float, y: float, w: float, h: float) -> dict[str, float]:
    boxes = pl.DataFrame({"image": [1], "label": [label], "x": [x], "y": [y], "w": [w], "h": [h]})
    images = pl.DataFrame({"id": [1], "width": [WIDTH], "height": [HEIGHT]})
    return derive(boxes, images).row(0, named=True)


@pytest.mark.parametrize(("label", "prior"), PRIORS.items())
def test_priors_are_the_published_ones(label: str, prior: float) -> None:
    assert class_prior(label) == class_prior(label.upper()) == prior


@given(label=st.sampled_from(sorted(PRIORS)), x=sides, y=sides, w=sides, h=sides)
def test_distance_and_urgency_are_those_of_the_formula(label: str, x: float, y: float, w: float, h: float) -> None:
    found = derived(label, x, y, w, h)

    box = (found["cx"], found["cy"], found["cw"], found["ch"])
    assert all(0 <= share <= 1 for share in box)
    assert min(found["cw"], found["ch"]) >= 1e-4
    assert (found["distance"], found["urgency"]) == zone_and_urgency(box, PRIORS[label])


def test_a_large_car_in_the_middle_is_near_and_most_urgent_and_a_small_vase_at_the_edge_is_neither() -> None:
    car, vase = derived("car", 80, 60, 480, 360), derived("vase", 0, 0, 10, 10)

    assert (car["cx"], car["cy"], car["cw"], car["ch"]) == (0.5, 0.5, 0.75, 0.75)
    assert (car["distance"], car["urgency"]) == (0, 3)
    assert (vase["distance"], vase["urgency"]) == (2, 0)
