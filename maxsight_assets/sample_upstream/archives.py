"""Write the published files: JPEGs, PNGs, archives and plain files whose bytes depend on their content alone.

Every file is replaced in one step, so that a reader sees either the old or the new file. Its time is the stated time of
publishing, never that of the clock.
"""

import io
import os
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from PIL import Image

PUBLISHED = datetime(2017, 9, 1, tzinfo=UTC)
"""The date that COCO 2017 states for itself (`info.date_created`)."""


def jpeg(picture: Image.Image, quality: int = 85) -> bytes:
    """Encode as baseline JPEG, 4:2:0."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality, subsampling=2)
    return buffer.getvalue()


def png(picture: Image.Image) -> bytes:
    """Encode as PNG."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def zip_of(members: Mapping[str, bytes]) -> bytes:
    """Return a zip of `members` in their order, pictures uncompressed; a name that ends in "/" is a folder."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name, PUBLISHED.timetuple()[:6])
            info.create_system = 3  # Unix, on every machine, for equal bytes
            info.external_attr = (0o40755 << 16 | 0x10) if name.endswith("/") else 0o100644 << 16
            stored = name.endswith(("/", ".jpg", ".png"))
            archive.writestr(info, content, zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def tar_of(members: Mapping[str, bytes]) -> bytes:
    """Return an uncompressed tar of `members` in their order; a name that ends in "/" is a folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name.rstrip("/"))
            info.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            info.mode = 0o755 if name.endswith("/") else 0o644
            info.size, info.mtime = len(content), int(PUBLISHED.timestamp())
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def put(path: Path, content: bytes, *, days: int = 0) -> None:
    """Write or replace one published file, dated `days` after the first edition."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        file.write(content)
    moment = (PUBLISHED + timedelta(days=days)).timestamp()
    os.utime(file.name, (moment, moment))
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)
