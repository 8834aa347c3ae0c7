"""Facts that the bytes of an image state: whether they decode, their true size, and fingerprints that find copies.

Facts belong to content, so they are keyed and cached by its sha256; the manifests state which file holds that content.
Nothing here judges an image: `cleaning` does.
"""

import errno
import hashlib
import io
import os
import struct
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from maxsight_assets.disk import HASHED
from maxsight_assets.errors import Cancelled
from maxsight_assets.images.phash import CROPS, SIDE, fingerprints

PHASH: Any = pl.Array(pl.UInt64, len(CROPS))
"""Type of the fingerprints of an image (`images.phash.fingerprints`)."""

FACTS = pl.Schema(
    {
        "sha256": pl.String,  # of the file's bytes; the key
        "error": pl.String,  # why the image cannot be used; null if it decodes
        "width": pl.Int32,  # pixels as stored, before any EXIF rotation; null if unknown
        "height": pl.Int32,
        "mode": pl.String,  # Pillow's name of the mode: "L", "RGB", "CMYK", "P"
        "orientation": pl.Int32,  # EXIF orientation 1..8; 1 if none is stated
        "pixels": pl.String,  # sha256 of the decoded gray picture at 1/8 of the size, and of its shape
        "phash": PHASH,  # perceptual fingerprints; null if the picture is too uniform
    }
)
"""Schema of the facts table, one row a content."""

FILE_FACTS = pl.Schema([("path", pl.String), *FACTS.items()])
"""Schema of facts by file: one row an existing file, `path` relative to DATA_DIR."""

MAX_PIXELS = 89_478_485
"""Most pixels of an image that is decoded: Pillow's own limit, a quarter of a gigabyte at three bytes a pixel."""

EDITION = 3
"""Raised whenever the meaning of a fact changes; cached rows of another edition are not used."""

_CACHED = pl.Schema([*FACTS.items(), ("edition", pl.Int32)])
_Gray = NDArray[np.uint8] | None
_MAGIC = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG"}
_BATCH = 4_000  # images between two writes of the cache: the most work that an interruption can lose
_ORIENTATION = 0x0112
_EXIF = b"Exif\0\0"
_JPEG_MODES = {"Gray": "L", "CMYK": "CMYK", "YCCK": "CMYK"}
_CLOCK_STEP_S = 2.0  # the coarsest clock of a file system, FAT's
_AT_ONCE = 32  # images that one task of a thread decodes, so that the cost of a task itself is small


_UNREAD = "cannot be read"
_OTHER_BYTES = "the file's bytes are not those of the manifest; repair the asset"


class _Fact(NamedTuple):
    """One row of FACTS."""

    sha256: str
    error: str | None = None
    width: int | None = None
    height: int | None = None
    mode: str | None = None
    orientation: int | None = None
    pixels: str | None = None
    phash: list[int] | None = None


def examine(
    files: Sequence[tuple[str, Path]],
    *,
    cache: Path | None,
    hashed_at: float | None = None,
    threads: int | None = None,
    cancel: threading.Event | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> pl.DataFrame:
    """Decode images and return their facts; images that the cache knows are not read again.

    A file gets an error if it cannot be read or its bytes do not have its sha256. This error is not cached, because it
    is no fact about that content.

    Args:
        files: Pairs of the content's sha256 (hex) and a file that holds it; if several files hold one content, the
            first is read.
        cache: Parquet file that keeps facts between runs; a damaged one is built anew. None: no cache.
        hashed_at: Time, in seconds since the epoch, at which the caller began to hash these files and found their
            sha256 correct: a file that has not changed since is not hashed again. None: all are hashed.
        threads: Images decoded at once; the processors of the machine by default (decoding releases the GIL).
        cancel: When set, the work stops with `Cancelled`; the cache has all facts but those of the last seconds.
        progress: Called after each batch with the number of images decoded and to decode.

    Returns:
        FACTS table, one row a distinct sha256, sorted by it.

    Raises:
        Cancelled: `cancel` was set.
    """
    wanted = dict(reversed(files))  # the last of equal keys stays: the first file
    known = _read_cache(cache).filter(pl.col("sha256").is_in(pl.Series(list(wanted), dtype=pl.String).implode()))
    seen = set(known["sha256"])
    todo = [(sha256, path) for sha256, path in reversed(wanted.items()) if sha256 not in seen]  # in the disk's order
    tables = [known]
    done = 0
    with ThreadPoolExecutor(threads or os.cpu_count() or 1, thread_name_prefix="decode") as pool:
        for batch in _batches(todo, _BATCH):
            tasks = pool.map(lambda some: _examine_some(cancel, some, hashed_at), _batches(batch, _AT_ONCE))
            facts = list(chain.from_iterable(tasks))
            table = pl.DataFrame([fact for fact, _ in facts], schema=FACTS, orient="row")
            _remember(cache, table.filter(pl.Series([cacheable for _, cacheable in facts], dtype=pl.Boolean)))
            tables.append(table)
            done += len(batch)
            if progress is not None:
                progress(done, len(todo))
    return pl.concat(tables).sort("sha256")


def of_files(facts: pl.DataFrame, sha256_of: Mapping[str, str]) -> pl.DataFrame:
    """Return the facts by file, for the files that hold the contents.

    Args:
        facts: FACTS table.
        sha256_of: sha256 of each file, by its path relative to DATA_DIR.

    Returns:
        FILE_FACTS table, one row a file whose facts are known, sorted by path.
    """
    files = pl.DataFrame(
        {"path": list(sha256_of), "sha256": list(sha256_of.values())}, schema={"path": pl.String, "sha256": pl.String}
    )
    return files.join(facts, on="sha256", how="inner").select(FILE_FACTS.names()).sort("path")


def are_of_content(facts: pl.DataFrame) -> bool:
    """Return whether all facts follow from the contents: every file could be read, and had the bytes of its sha256."""
    errors = facts["error"]
    return not (errors.str.starts_with(_UNREAD) | (errors == _OTHER_BYTES)).any()


def _examine_some(
    cancel: threading.Event | None, items: Sequence[tuple[str, Path]], hashed_at: float | None
) -> list[tuple[_Fact, bool]]:
    """Return facts of some files, and whether each may be cached; images of one size are fingerprinted together."""
    found = []
    of_size: dict[tuple[int, int, tuple[int, ...]], list[tuple[int, NDArray[np.uint8]]]] = {}
    for number, item in enumerate(items):
        if cancel is not None and cancel.is_set():
            raise Cancelled("decoding images was cancelled; a rerun goes on from what the cache holds")
        fact, gray, cacheable = _examine_file(*item, hashed_at)
        found.append((fact, cacheable))
        if gray is not None and fact.width and fact.height:
            of_size.setdefault((fact.height, fact.width, gray.shape), []).append((number, gray))
    for (height, width, _), pictures in of_size.items():
        prints = fingerprints(np.stack([gray for _, gray in pictures]), (height, width))
        for (number, _), phash in zip(pictures, prints, strict=True):
            fact, cacheable = found[number]
            found[number] = (fact._replace(phash=phash), cacheable)
    return found


def _examine_file(sha256: str, path: Path, hashed_at: float | None) -> tuple[_Fact, _Gray, bool]:
    """Return the facts of one file except its fingerprint, its gray picture, and whether the facts may be cached."""
    began = time.time()
    try:
        with path.open("rb", buffering=0) as file:  # a buffer would be one more copy
            data = file.read()
            status = os.fstat(file.fileno())
    except OSError as error:
        return _Fact(sha256, f"{_UNREAD} ({error.strerror})"), None, False
    untouched = hashed_at is not None and max(status.st_mtime, status.st_ctime) < hashed_at - _CLOCK_STEP_S
    if not untouched:
        if hashlib.sha256(data).hexdigest() != sha256:
            return _Fact(sha256, _OTHER_BYTES), None, False
        HASHED.add(status, sha256, began=began)
    return *_examine_bytes(sha256, data), True


def _examine_bytes(sha256: str, data: bytes) -> tuple[_Fact, _Gray]:
    kind = next((kind for magic, kind in _MAGIC.items() if data.startswith(magic)), None)
    if kind is None:
        return _Fact(sha256, f"not a JPEG or PNG image (first bytes: {data[:4].hex(' ') or 'none'})"), None
    try:
        width, height, mode, image = _header(data, kind)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return _Fact(sha256, f"decompression bomb: the header states more than {MAX_PIXELS:,} pixels"), None
    except (OSError, SyntaxError, ValueError, struct.error) as error:
        return _Fact(sha256, f"does not decode: {_plain(error)}"), None
    if width * height > MAX_PIXELS:
        bomb = f"decompression bomb: {width:,} x {height:,} pixels, more than {MAX_PIXELS:,}"
        return _Fact(sha256, bomb, width, height), None
    try:
        gray = _decode_png(image) if kind == "PNG" and image else _decode_jpeg(data, mode)
        orientation = 1 if image is None else _orientation(image)
    except (OSError, SyntaxError, ValueError, struct.error) as error:
        return _Fact(sha256, f"does not decode: {_plain(error)}", width, height, mode), None
    pixels = hashlib.sha256(struct.pack("<II", *gray.shape) + gray.tobytes()).hexdigest()
    return _Fact(sha256, None, width, height, mode, orientation, pixels), gray


def _header(data: bytes, kind: str) -> tuple[int, int, str, Image.Image | None]:
    """Return width, height, Pillow's mode, and the opened image; None instead of it for a JPEG without EXIF.

    Pillow takes much longer than simplejpeg to open a JPEG, so it opens only those that may state an orientation.
    """
    if kind == "JPEG" and not _may_have_exif(data):
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
        return width, height, _JPEG_MODES.get(colours, "RGB"), None
    image = Image.open(io.BytesIO(data), formats=[kind])
    return *image.size, image.mode, image


def _may_have_exif(data: bytes) -> bool:
    """Return whether a segment before a JPEG's first scan holds EXIF, or the segments are malformed."""
    at = 2
    while data[at : at + 1] == b"\xff":
        marker = data[at + 1 : at + 2]
        if marker == b"\xda":
            return False
        if marker == b"\xff":  # a fill byte
            at += 1
            continue
        if marker == b"\xe1" and data.startswith(_EXIF, at + 4):
            return True
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return True


def _decode_jpeg(data: bytes, mode: str) -> NDArray[np.uint8]:
    """Decode all of a JPEG; return the gray picture at 1/8 of the size, less reduced if a side would be under SIDE.

    Strict decoding reports faults that a lenient decoder fills with gray: truncation, zeroed tails and zeroed middles.
    """
    if mode == "CMYK":  # libjpeg converts these to CMYK only
        inks = simplejpeg.decode_jpeg(data, "CMYK", min_height=SIDE, min_width=SIDE).astype(np.uint32)
        return np.asarray(inks[:, :, :3].sum(axis=2) * inks[:, :, 3] // (3 * 255), dtype=np.uint8)
    return np.asarray(simplejpeg.decode_jpeg(data, "GRAY", min_height=SIDE, min_width=SIDE)[:, :, 0])


def _decode_png(image: Image.Image) -> NDArray[np.uint8]:
    image.load()
    if image.mode.startswith("I"):  # sixteen bits, which `convert` would cut off at 255
        gray = Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8))
    else:
        gray = image.convert("L")
    factor = next(factor for factor in (8, 4, 2, 1) if factor == 1 or min(gray.size) >= SIDE * factor)
    return np.asarray(gray.reduce(factor))


def _orientation(image: Image.Image) -> int:
    if "exif" not in image.info:
        return 1
    try:
        stated = image.getexif().get(_ORIENTATION, 1)
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, struct.error):
        return 1  # no viewer rotates by EXIF that cannot be parsed
    return stated if isinstance(stated, int) and 1 <= stated <= 8 else 1


def _plain(error: Exception) -> str:
    """Return a library's message without object addresses, which Pillow puts into some messages."""
    return "no image of that format" if "BytesIO" in str(error) else str(error)


def _read_cache(cache: Path | None) -> pl.DataFrame:
    if cache is None or not cache.is_file():
        return FACTS.to_frame()
    try:
        table = pl.read_parquet(cache, memory_map=False)
    except (OSError, pl.exceptions.PolarsError):
        return FACTS.to_frame()  # damaged: the facts are computed again
    if table.schema != _CACHED:
        return FACTS.to_frame()
    return table.filter(pl.col("edition") == EDITION).select(FACTS.names())


def _remember(cache: Path | None, table: pl.DataFrame) -> None:
    """Merge new facts into the cache file, which is replaced whole: a reader sees either the old or the new one.

    If the cache cannot be written, for instance on a read-only drive, nothing is cached.
    """
    if cache is None or table.is_empty():
        return
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=cache.parent):
            pass
    except OSError as error:
        if error.errno in {errno.EROFS, errno.EACCES, errno.EPERM}:
            return
        raise
    merged = pl.concat([table, _read_cache(cache)]).unique("sha256", keep="first").sort("sha256")
    partial = cache.with_name(f".{cache.name}.{uuid.uuid4().hex}")
    try:
        merged.with_columns(edition=pl.lit(EDITION, dtype=pl.Int32)).write_parquet(partial)
        partial.replace(cache)
    finally:
        partial.unlink(missing_ok=True)


def _batches(items: Iterable[tuple[str, Path]], size: int) -> Iterator[list[tuple[str, Path]]]:
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch
