"""A derived asset is not made again from what it was made from, and is made if anything at all differs."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from maxsight_assets.evaluation.build import CONTRACT
from maxsight_assets.pipeline import derived, made
from maxsight_assets_tests.pipeline.test_what_is_measured import SET, Ground


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    """A project whose evaluation set is made."""
    ground = Ground(tmp_path)
    ground.land()
    ground.evaluate()
    return ground


@pytest.fixture
def times_made(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How often sets were made since the test began."""
    calls: list[None] = []
    build_sets = derived.build_sets

    def counting(*args: object, **kwargs: object) -> object:
        calls.append(None)
        return build_sets(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(derived, "build_sets", counting)
    return lambda: len(calls)


def note(ground: Ground) -> Path:
    (path,) = (ground.places.state / made.FOLDER).glob("*.json")
    return path


def tree(ground: Ground) -> dict[str, bytes]:
    root = ground.places.evaluation
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_it_is_not_made_again_from_the_same(ground: Ground, times_made: Callable[[], int]) -> None:
    before = tree(ground)

    again = ground.evaluate()

    assert times_made() == 0
    assert not again.changed
    assert again.report == json.loads((ground.places.evaluation / CONTRACT).read_bytes())
    assert tree(ground) == before


def test_it_is_made_again_if_the_run_says_so(ground: Ground, times_made: Callable[[], int]) -> None:
    before = tree(ground)

    assert not ground.evaluate(anew=True).changed

    assert times_made() == 1
    assert tree(ground) == before
    ground.evaluate()
    assert times_made() == 1  # it was said of that run alone


def delete(ground: Ground) -> None:
    note(ground).unlink()


def cut(ground: Ground) -> None:
    note(ground).write_bytes(note(ground).read_bytes()[:-9])


def swap_for_another_input(ground: Ground) -> None:
    kept = note(ground).read_bytes()
    ground.land(max_images=3)
    ground.evaluate(evaluation_may_change=True)
    ground.land(max_images=0)
    note(ground).write_bytes(kept)


def swap_for_no_object(ground: Ground) -> None:
    note(ground).write_text("[]")


def edit_an_output(ground: Ground) -> None:
    path = ground.places.evaluation / SET / "annotations.json"
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1))


def lose_an_output(ground: Ground) -> None:
    (ground.places.evaluation / CONTRACT).unlink()


def land_more(ground: Ground) -> None:
    ground.upstream_has(8)
    ground.land()


@pytest.mark.parametrize(
    "spoil",
    [delete, cut, swap_for_another_input, swap_for_no_object, edit_an_output, lose_an_output, land_more],
)
def test_it_is_made_if_anything_differs(
    tmp_path: Path, ground: Ground, times_made: Callable[[], int], spoil: Callable[[Ground], None]
) -> None:
    spoil(ground)
    before = times_made()

    again = ground.evaluate(evaluation_may_change=True)

    assert times_made() == before + 1
    (tmp_path / "fresh").mkdir()
    fresh = Ground(tmp_path / "fresh")
    if spoil is land_more:
        fresh.upstream_has(8)
    fresh.land()
    assert again.manifest.data_version == fresh.evaluate().manifest.data_version


def test_it_is_made_by_another_edition_of_the_code(
    ground: Ground, times_made: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(made, "edition", lambda: "another")

    ground.evaluate()

    assert times_made() == 1


def test_what_was_made_without_a_picture_that_was_lost_is_made_again_with_it(tmp_path: Path) -> None:
    ground = Ground(tmp_path)
    ground.land(tolerance={"share": 0.5})
    ground.places.facts.unlink(missing_ok=True)
    lost = next((ground.places.data_dir / "open_images_v6/validation").rglob("*.jpg"))
    data = lost.read_bytes()
    lost.unlink()
    assert ground.evaluate().report["sets"][SET]["images"] == 5

    lost.write_bytes(data)

    assert ground.evaluate(evaluation_may_change=True).report["sets"][SET]["images"] == 6
