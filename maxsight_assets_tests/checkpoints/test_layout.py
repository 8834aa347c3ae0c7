"""Where the files of a condition are found."""

import pytest

from maxsight_assets.checkpoints.layout import found, keys
from maxsight_assets.labels.conditions import CONDITIONS


@pytest.mark.parametrize("above", ["", "checkpoints/", "backups/", "MaxSight/", "MaxSight/checkpoints/"])
def test_a_conditions_folder_is_found_in_every_layout(above: str) -> None:
    there = {f"{above}checkpoints_amd/{name}": name for name in ("best_model.pt", "resume_info.json")}

    assert there.keys() <= set(keys())
    assert found("amd", there) == {name: (key, name) for key, name in there.items()}


def test_a_folder_with_a_best_model_comes_before_one_without() -> None:
    there = dict.fromkeys(("checkpoints_amd/last_checkpoint.pt", "backups/checkpoints_amd/best_model.pt"), 1)

    assert found("amd", there) == {"best_model.pt": ("backups/checkpoints_amd/best_model.pt", 1)}


def test_a_backup_takes_the_place_of_a_best_model_that_no_folder_has() -> None:
    there = dict.fromkeys(("checkpoints_cvi/last_checkpoint.pt", "best_models_backup/best_model_cvi.pt"), 1)

    assert found("cvi", there) == {
        "best_model.pt": ("best_models_backup/best_model_cvi.pt", 1),
        "last_checkpoint.pt": ("checkpoints_cvi/last_checkpoint.pt", 1),
    }
    assert found("amd", there) == {}


def test_there_are_fourteen_conditions_in_order() -> None:
    assert len(CONDITIONS) == 14
    assert sorted(set(CONDITIONS)) == list(CONDITIONS)
