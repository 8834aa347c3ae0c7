import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from maxsight_assets import settings
from maxsight_assets.defs.resources import storage_of
from maxsight_assets.errors import FormatError, SettingsError
from maxsight_assets.splitting import audio
from maxsight_assets.splitting.audio import pair
from maxsight_assets.splitting.read import load_split
from maxsight_assets.splitting.write import write_splits
from maxsight_assets_tests.cleaning.records import image, images_of
from maxsight_assets_tests.splitting.worlds import split, world

soundfile = pytest.importorskip("soundfile", reason="the audio extra is not installed")


def sound(path: Path, frames: int = 80) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(frames), 8000)


def images(*ids: str) -> pl.DataFrame:
    return images_of(*(image(each, path=f"coco_raw/train2017/{each.zfill(12)}.jpg") for each in ids))


def test_files_go_with_the_images_of_their_name(tmp_path: Path) -> None:
    for name in ("1.wav", "deep/000000000002.flac", "other.wav"):
        sound(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no audio", encoding="utf-8")

    found = pair(images("1", "2", "3"), tmp_path)

    assert found.paths == {("coco", "1"): "1.wav", ("coco", "2"): "deep/000000000002.flac"}
    assert found.unpaired_images == ("coco/3",)
    assert found.unpaired_files == ("other.wav",)
    assert found.unreadable == {}


def test_a_manifest_decides_where_there_is_one(tmp_path: Path) -> None:
    sound(tmp_path / "1.wav")
    sound(tmp_path / "first.wav")
    (tmp_path / "audio.csv").write_text("image_id,audio_path\n1,first.wav\n2,gone.wav\n", encoding="utf-8")

    found = pair(images("1", "2"), tmp_path)

    assert found.paths == {("coco", "1"): "first.wav"}
    assert found.unreadable == {"gone.wav": "there is no such file"}
    assert found.unpaired_files == ("1.wav",)


@pytest.mark.parametrize(
    ("content", "fault"),
    [(b"RIFFnothing of the kind", "header"), (b"", "header"), (None, "no samples")],
    ids=["garbage", "empty", "silent"],
)
def test_files_that_cannot_be_read_are_named_and_go_with_no_image(
    content: bytes | None, fault: str, tmp_path: Path
) -> None:
    if content is None:
        sound(tmp_path / "1.wav", frames=0)
    else:
        (tmp_path / "1.wav").write_bytes(content)

    found = pair(images("1"), tmp_path)

    assert found.paths == {}
    assert fault in found.unreadable["1.wav"]
    assert found.unpaired_images == ("coco/1",)


@pytest.mark.parametrize("row", ["1,../out.wav", "1,/etc/passwd", ",a.wav", "1,"])
def test_a_manifest_never_leads_out_of_its_directory(row: str, tmp_path: Path) -> None:
    (tmp_path / "audio.csv").write_text(f"image_id,audio_path\n{row}\n", encoding="utf-8")

    with pytest.raises(FormatError, match=r"audio\.csv: line 2"):
        pair(images("1"), tmp_path)


def test_a_manifest_without_its_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "audio.csv").write_text("image,file\n1,a.wav\n", encoding="utf-8")

    with pytest.raises(FormatError, match="image_id and audio_path"):
        pair(images("1"), tmp_path)


def test_a_manifest_from_a_spreadsheet_is_read(tmp_path: Path) -> None:
    sound(tmp_path / "1.wav")
    (tmp_path / "audio.csv").write_text("image_id,audio_path\r\n1,./1.wav\r\n", encoding="utf-8-sig")

    assert pair(images("1"), tmp_path).paths == {("coco", "1"): "1.wav"}


@pytest.mark.parametrize(
    "rows", [b"1,caf\xe9.wav\n", b"1," + b"x" * 200_000 + b"\n", b"1,a.wav\n1,b.wav\n"], ids=["latin", "long", "twice"]
)
def test_a_manifest_that_cannot_be_relied_on_is_refused(rows: bytes, tmp_path: Path) -> None:
    (tmp_path / "audio.csv").write_bytes(b"image_id,audio_path\n" + rows)

    with pytest.raises(FormatError, match=r"audio\.csv: "):
        pair(images("1"), tmp_path)


def test_a_file_whose_name_is_no_text_is_named_with_its_bytes(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.wav")).write_bytes(b"")

    assert pair(images("1"), tmp_path).unreadable == {"caf\\xe9.wav": "its name is no UTF-8"}


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="AUDIO_DIR"):
        pair(images("1"), tmp_path / "gone")


def test_without_soundfile_a_person_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> object:
        raise ImportError(name)

    sound(tmp_path / "1.wav")
    monkeypatch.setattr(audio, "import_module", absent)

    with pytest.raises(SettingsError, match="soundfile is not installed"):
        pair(images("1"), tmp_path)


def test_records_name_their_audio_file(tmp_path: Path) -> None:
    sound(tmp_path / "audio/1.wav")
    result = split(world(2), sizes={"val": 0, "test": 0})
    (tmp_path / "out").mkdir()

    report = write_splits(result, tmp_path / "out", inputs={}, audio=pair(result.images, tmp_path / "audio"))

    loaded, _ = load_split("train", tmp_path / "out")
    assert loaded.set_index("source_id")["audio_path"].dropna().to_dict() == {"1": "1.wav"}
    assert report["audio"] == {"paired": 1, "unpaired_images": ("coco/2",), "unpaired_files": (), "unreadable": {}}


def test_the_variable_reaches_the_places_that_an_asset_works_with(tmp_path: Path) -> None:
    variables = {"DATA_DIR": str(tmp_path), "AUDIO_DIR": str(tmp_path / "audio")}

    assert storage_of(settings.load(variables)).places.audio == tmp_path / "audio"
    assert storage_of(settings.load({"DATA_DIR": str(tmp_path)})).places.audio is None
