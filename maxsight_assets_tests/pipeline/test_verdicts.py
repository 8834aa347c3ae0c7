"""A verdict is recalled only while the bytes, the code and all else that it follows from are the same."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from maxsight_assets.pipeline import verdicts
from maxsight_assets.pipeline.inspection import EVALUATION, RAW, Inspection, Told, verify
from maxsight_assets_tests.pipeline.test_what_is_measured import Ground

SUBSET = RAW["openimages"]


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    """A project whose raw directory and evaluation set were judged once."""
    ground = Ground(tmp_path)
    ground.land()
    ground.evaluate()
    told(ground)
    return ground


def told(ground: Ground, *, anew: bool = False) -> list[Told]:
    return verify(ground.profile, ground.places, [], anew=anew)


def recalled(ground: Ground, inspection: Inspection) -> set[str]:
    """Rules whose verdicts are recalled."""
    judging = inspection.judging(ground.places, anew=False)
    assert judging is not None
    return set(judging._known)


def note(ground: Ground, inspection: Inspection) -> Path:
    return verdicts.note_of(ground.places.state, inspection.asset, inspection.directory(ground.places))


def picture(ground: Ground) -> Path:
    return min((ground.places.data_dir / "open_images_v6/validation").rglob("*.jpg"))


def test_all_verdicts_on_the_same_bytes_are_recalled_as_they_were_given(ground: Ground) -> None:
    for inspection in (SUBSET, EVALUATION):
        assert recalled(ground, inspection) == {rule.name for rule in inspection.rules}
    assert told(ground) == told(ground, anew=True)


def test_a_verification_recalls_nothing(ground: Ground) -> None:
    judging = SUBSET.judging(ground.places, anew=True)

    assert judging is not None
    assert judging._known == {}


def delete(ground: Ground) -> None:
    note(ground, SUBSET).unlink()


def cut(ground: Ground) -> None:
    note(ground, SUBSET).write_bytes(note(ground, SUBSET).read_bytes()[:-9])


def edit_the_note(ground: Ground) -> None:
    path = note(ground, SUBSET)
    path.write_bytes(path.read_bytes().replace(b'"passed":true', b'"passed":false', 1))


def swap_notes(ground: Ground) -> None:
    note(ground, SUBSET).write_bytes(note(ground, EVALUATION).read_bytes())


def edit_a_picture(ground: Ground) -> None:
    path = picture(ground)
    status = path.stat()
    data = path.read_bytes()
    path.write_bytes(data[:-3] + b"\0" + data[-2:])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def lose_a_picture(ground: Ground) -> None:
    picture(ground).unlink()


def link_a_picture(ground: Ground) -> None:
    path = picture(ground)
    path.rename(ground.root / "elsewhere.jpg")
    path.symlink_to(ground.root / "elsewhere.jpg")


def add_a_file(ground: Ground) -> None:
    (ground.places.data_dir / "open_images_v6/mine.txt").write_text("mine", encoding="utf-8")


@pytest.mark.parametrize(
    "spoil",
    [delete, cut, edit_the_note, swap_notes, edit_a_picture, lose_a_picture, link_a_picture, add_a_file],
)
def test_nothing_is_recalled_if_anything_differs(ground: Ground, spoil: Callable[[Ground], None]) -> None:
    spoil(ground)

    assert recalled(ground, SUBSET) == set()
    assert told(ground) == told(ground, anew=True)


def test_a_lost_picture_is_found_by_the_rules_of_what_is_made_of_it(ground: Ground) -> None:
    lose_a_picture(ground)

    assert recalled(ground, EVALUATION) == set()
    assert "image_files_are_there" in {each.rule for each in told(ground) if not each.passed}


def test_nothing_is_recalled_by_another_edition_of_the_code(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "edition", lambda _: "another")

    assert recalled(ground, SUBSET) == set()


def test_what_is_broken_is_looked_at_again(ground: Ground) -> None:
    lose_a_picture(ground)
    told(ground)

    assert recalled(ground, SUBSET) == set()


def test_a_gate_spares_the_checks_its_rules(tmp_path: Path) -> None:
    ground = Ground(tmp_path)
    ground.land()
    ground.evaluate()

    assert recalled(ground, EVALUATION) == {rule.name for rule in EVALUATION.rules if rule.blocking}
    assert told(ground) == told(ground, anew=True)
