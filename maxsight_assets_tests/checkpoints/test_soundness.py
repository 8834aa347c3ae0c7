"""A file of a condition that is not whole is found by its form, and nothing is unpickled."""

import io
import pickle
import zipfile
from pathlib import Path

import pytest

from maxsight_assets.checkpoints.soundness import problem
from maxsight_assets_tests.checkpoints.made import checkpoint


def zip_of(name: str, data: bytes, *, how: int = zipfile.ZIP_STORED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", how) as archive:
        archive.writestr(name, data)
    return packed.getvalue()


def at_byte(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


WHOLE = checkpoint(b"w" * 3000)
SPOILT = {
    "cut short": (WHOLE[:-100], "truncated"),
    "cut in half": (WHOLE[: len(WHOLE) // 2], "truncated"),
    "empty": (b"", "truncated"),
    "another bit": (at_byte(WHOLE, WHOLE.index(b"www") + 7), "archive/data/0: damaged"),
    "a pickle": (pickle.dumps({"epoch": 1}), "truncated, or no zip archive as PyTorch 1.6"),
    "another zip": (zip_of("notes.txt", b"x"), "without data.pkl"),
    "a bomb": (zip_of("archive/data.pkl", b"\0" * 10_000_000, how=zipfile.ZIP_DEFLATED), "far larger"),
}


def test_a_whole_checkpoint_is_sound_and_is_not_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "best_model.pt"
    path.write_bytes(WHOLE)

    assert problem(path) is None


@pytest.mark.parametrize("how", SPOILT)
def test_a_spoilt_checkpoint_is_found(how: str, tmp_path: Path) -> None:
    path = tmp_path / "best_model.pt"
    data, said = SPOILT[how]
    path.write_bytes(data)

    assert said in (problem(path) or "")


@pytest.mark.parametrize(("data", "sound"), [(b'{"epoch": 1}', True), (b'{"epoch": ', False), (b"\xff", False)])
def test_json_that_is_cut_short_is_found(data: bytes, sound: bool, tmp_path: Path) -> None:
    path = tmp_path / "resume_info.json"
    path.write_bytes(data)

    assert (problem(path) is None) == sound
