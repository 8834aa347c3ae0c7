import errno
import hashlib
import os
import struct
import tempfile
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from maxsight_assets.errors import Cancelled
from maxsight_assets.images.facts import FACTS, FILE_FACTS, examine, of_files
from maxsight_assets.images.phash import CROPS
from maxsight_assets_tests.images.pictures import encoded, picture, real_photos, stored

JPEG = encoded(picture(), quality=90)
PNG = encoded(picture(), "PNG")


def facts_of(tmp_path: Path, content: bytes) -> dict[str, object]:
    return examine(stored(tmp_path, content), cache=None).row(0, named=True)


def test_a_photo_gets_all_facts(tmp_path: Path) -> None:
    facts = examine(stored(tmp_path, JPEG), cache=None)

    assert facts.schema == FACTS
    row = facts.row(0, named=True)
    assert row["sha256"] == hashlib.sha256(JPEG).hexdigest()
    assert (row["error"], row["width"], row["height"], row["mode"], row["orientation"]) == (None, 640, 480, "RGB", 1)
    assert len(row["pixels"]) == 64
    assert len(row["phash"]) == len(CROPS)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg_modes_decode(tmp_path: Path, mode: str) -> None:
    row = facts_of(tmp_path, encoded(picture().convert(mode)))

    assert (row["error"], row["mode"]) == (None, mode)
    assert row["phash"] is not None


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_png_modes_decode(tmp_path: Path, mode: str) -> None:
    source = picture().convert("L") if mode == "I;16" else picture()
    row = facts_of(tmp_path, encoded(source.convert(mode), "PNG"))

    assert (row["error"], row["mode"], row["width"], row["height"]) == (None, mode, 640, 480)


def test_pictures_of_sixteen_bits_are_told_apart(tmp_path: Path) -> None:
    gray = [np.asarray(picture(seed).convert("L")) for seed in (0, 1)]
    rows = [facts_of(tmp_path, encoded(Image.fromarray(each.astype(np.uint16) << 8), "PNG")) for each in gray]
    dark = facts_of(tmp_path, encoded(Image.fromarray(gray[0]), "PNG"))

    assert rows[0]["pixels"] != rows[1]["pixels"]
    assert rows[0]["pixels"] == dark["pixels"]
    assert rows[0]["phash"] == dark["phash"] is not None


def test_exif_behind_a_comment_that_looks_like_a_scan_is_found(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(picture(), exif=exif)
    comment = b"\xff\xfe\x00\x06\xff\xda\xff\xda"

    assert facts_of(tmp_path, content[:2] + comment + content[2:])["orientation"] == 6


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_exif_orientation_is_stated_and_the_size_is_the_stored_one(tmp_path: Path, form: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    row = facts_of(tmp_path, encoded(picture(), form, exif=exif))

    assert (row["orientation"], row["width"], row["height"]) == (orientation, 640, 480)


def test_damaged_exif_turns_nothing(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    content = bytearray(encoded(picture(), exif=exif))
    at = content.index(b"Exif\0\0") + 6
    content[at : at + 8] = b"\xff" * 8

    row = facts_of(tmp_path, bytes(content))

    assert (row["error"], row["orientation"]) == (None, 1)


def test_a_picture_of_one_pixel_has_facts_but_no_fingerprint(tmp_path: Path) -> None:
    row = facts_of(tmp_path, encoded(Image.new("RGB", (1, 1), (9, 9, 9))))

    assert (row["error"], row["width"], row["height"], row["phash"]) == (None, 1, 1, None)


def test_fault_65_a_png_bomb_is_an_error_by_its_header(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(header)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    row = facts_of(tmp_path, start + PNG[33:])

    assert "decompression bomb" in str(row["error"])


@pytest.mark.parametrize(("width", "height"), [(65_500, 65_500), (10_000, 10_000)])
def test_fault_65_a_jpeg_bomb_is_an_error_by_its_header(tmp_path: Path, width: int, height: int) -> None:
    content = bytearray(encoded(picture()))
    at = content.index(b"\xff\xc0")
    content[at + 5 : at + 9] = struct.pack(">HH", height, width)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        row = facts_of(tmp_path, bytes(content))

    assert "decompression bomb" in str(row["error"])


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param(JPEG[: len(JPEG) * 3 // 4], id="truncated"),
        pytest.param(JPEG[: len(JPEG) // 2] + bytes(len(JPEG) - len(JPEG) // 2), id="zeroed tail"),
        pytest.param(JPEG[: len(JPEG) // 3] + bytes(4096) + JPEG[len(JPEG) // 3 + 4096 :], id="zeroed middle"),
        pytest.param(JPEG[:200], id="header only"),
        pytest.param(PNG[: len(PNG) * 3 // 4], id="truncated PNG"),
        pytest.param(PNG[: len(PNG) // 2] + b"\0" + PNG[len(PNG) // 2 + 1 :], id="changed PNG"),
    ],
)
def test_fault_66_a_damaged_image_does_not_decode(tmp_path: Path, damaged: bytes) -> None:
    row = facts_of(tmp_path, damaged)

    assert str(row["error"]).startswith("does not decode: ")
    assert (row["pixels"], row["phash"]) == (None, None)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", id="EPS"),
        pytest.param(b"<!DOCTYPE html><title>Sign in</title>", id="HTML"),
        pytest.param(encoded(picture(), "GIF"), id="GIF"),
        pytest.param(encoded(picture(), "WEBP"), id="WebP"),
        pytest.param(b"", id="empty"),
    ],
)
def test_fault_66_only_jpeg_and_png_are_images(tmp_path: Path, other: bytes) -> None:
    row = facts_of(tmp_path, other)

    assert str(row["error"]).startswith("not a JPEG or PNG image")
    assert "Sign in" not in str(row["error"])


@settings(max_examples=40, deadline=None)
@given(content=st.binary(max_size=200), magic=st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b""]))
def test_fault_66_no_bytes_raise(tmp_path_factory: pytest.TempPathFactory, content: bytes, magic: bytes) -> None:
    row = facts_of(tmp_path_factory.mktemp("bytes"), magic + content)

    assert row["error"] is not None


def test_what_the_cache_knows_is_not_read_again(tmp_path: Path) -> None:
    cache = tmp_path / "cache" / "facts.parquet"
    files = stored(tmp_path, JPEG, b"<html>", encoded(picture(1)))
    first = examine(files, cache=cache)
    for _, path in files:
        path.unlink()

    assert examine(files, cache=cache).equals(first)
    assert sorted(path.name for path in cache.parent.iterdir()) == ["facts.parquet"]


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_where_nothing_may_be_written_nothing_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refused(**_: object) -> object:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(tempfile, "TemporaryFile", refused)
    cache = tmp_path / "state/facts.parquet"

    assert examine(stored(tmp_path, JPEG), cache=cache)["error"].to_list() == [None]
    assert not cache.exists()


def test_the_cache_grows_and_answers_only_what_is_asked(tmp_path: Path) -> None:
    cache = tmp_path / "facts.parquet"
    files = stored(tmp_path, *(encoded(picture(seed)) for seed in range(4)))
    examine(files[:2], cache=cache)
    examine(files[2:], cache=cache)
    for _, path in files:
        path.unlink()

    facts = examine(files[1:3], cache=cache)

    assert facts["sha256"].to_list() == sorted(sha256 for sha256, _ in files[1:3])
    assert facts["error"].to_list() == [None, None]


@pytest.mark.parametrize("damage", [b"", b"PAR1 not parquet", None])
def test_a_damaged_or_foreign_cache_is_built_anew(tmp_path: Path, damage: bytes | None) -> None:
    cache = tmp_path / "facts.parquet"
    if damage is None:
        pl.DataFrame({"sha256": ["a"]}).write_parquet(cache)
    else:
        cache.write_bytes(damage)
    files = stored(tmp_path, JPEG)

    facts = examine(files, cache=cache)
    files[0][1].unlink()

    assert facts["error"].to_list() == [None]
    assert examine(files, cache=cache).equals(facts)


def test_a_file_that_is_not_what_the_manifest_says_is_named_but_not_remembered(tmp_path: Path) -> None:
    cache = tmp_path / "facts.parquet"
    files = stored(tmp_path, JPEG)
    files[0][1].write_bytes(JPEG[:1000])

    damaged = examine(files, cache=cache)
    files[0][1].unlink()
    missing = examine(files, cache=cache)
    files[0][1].write_bytes(JPEG)
    repaired = examine(files, cache=cache)

    assert "not those of the manifest" in damaged["error"][0]
    assert "cannot be read" in missing["error"][0]
    assert repaired["error"][0] is None


def test_only_a_file_that_was_not_touched_since_it_was_hashed_is_spared_another_hash(tmp_path: Path) -> None:
    ((_, path),) = stored(tmp_path, JPEG)
    claimed = [("0" * 64, path)]

    untouched = examine(claimed, cache=None, hashed_at=path.stat().st_mtime + 3600)
    touched = examine(claimed, cache=None, hashed_at=path.stat().st_mtime)

    assert untouched["error"].to_list() == [None]
    assert "not those of the manifest" in touched["error"][0]


def test_equal_contents_are_one_row_and_order_does_not_matter(tmp_path: Path) -> None:
    files = stored(tmp_path, *(encoded(picture(seed % 3)) for seed in range(6)))

    facts = examine(files, cache=None, threads=4)

    assert facts.height == 3
    assert facts.equals(examine(files[::-1], cache=None, threads=1))


def test_cancelling_stops_the_work(tmp_path: Path) -> None:
    cancel = threading.Event()
    cancel.set()

    with pytest.raises(Cancelled, match="rerun"):
        examine(stored(tmp_path, JPEG), cache=None, cancel=cancel)


def test_progress_ends_with_all_done(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    examine(stored(tmp_path, JPEG, PNG), cache=None, progress=lambda done, total: seen.append((done, total)))

    assert seen[-1] == (2, 2)


def test_no_files_are_no_facts() -> None:
    assert examine([], cache=None).equals(FACTS.to_frame())


def test_facts_are_joined_to_every_file_of_a_content(tmp_path: Path) -> None:
    files = stored(tmp_path, JPEG)
    sha256 = files[0][0]

    table = of_files(examine(files, cache=None), {"b.jpg": sha256, "a.jpg": sha256, "gone.jpg": "0" * 64})

    assert table.schema == FILE_FACTS
    assert table["path"].to_list() == ["a.jpg", "b.jpg"]


def test_a_png_and_its_lossless_copy_share_pixels(tmp_path: Path) -> None:
    facts = examine(stored(tmp_path, PNG, encoded(picture(), "PNG", compress_level=1)), cache=None)

    assert facts["sha256"].n_unique() == 2
    assert facts["pixels"].n_unique() == 1


def test_real_photos_decode_and_damage_is_found(tmp_path: Path) -> None:
    photos = real_photos()[:30]
    whole = examine([(hashlib.sha256(path.read_bytes()).hexdigest(), path) for path in photos], cache=None)
    holed = []
    for path in photos:
        content = np.frombuffer(path.read_bytes(), dtype=np.uint8).copy()
        content[content.size // 2 :][:4096] = 0
        holed.append(content.tobytes())

    assert whole["error"].null_count() == len(photos)
    assert examine(stored(tmp_path, *holed), cache=None)["error"].null_count() == 0
