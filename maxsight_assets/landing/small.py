"""The short way for small objects: in memory, judged, written and named, with no partial file.

It takes only the regular case. Whatever is irregular (None) or fails goes the careful way of `landing.transfer`.
"""

import contextlib
import hashlib
import os
from pathlib import Path

from maxsight_assets.landing import judge, kinds
from maxsight_assets.landing.members import create
from maxsight_assets.landing.model import Landed, Probe, RemoteFile
from maxsight_assets.landing.reply import Ask
from maxsight_assets.landing.transfer import Open

SMALL_BYTES = 4 << 20


def fetch(opened: Open, file: RemoteFile, ask: Ask, *, plain: bool, dest: Path) -> Landed | None:
    """Land one small object; None where it is not small or not plain.

    Raises:
        Again, Absent, judge.Unfit, LandingError: See there; nothing is left at `dest`.
    """
    with contextlib.closing(opened(file, ask)) as reply:
        if reply.encoded or reply.length is None or reply.length > SMALL_BYTES:
            return None
        data = b"".join(reply.chunks())
    return settle(file, dest, data, reply.probe, published_sha256=reply.published_sha256, plain=plain)


def settle(
    file: RemoteFile, dest: Path, data: bytes | memoryview, probe: Probe, *, published_sha256: str | None, plain: bool
) -> Landed:
    """Judge bytes that are in memory and put them at `dest`; not synced, see `Client.download_many`."""
    digests = {
        name: hashlib.new(name, data, usedforsecurity=False).hexdigest()
        for name in ("sha256", *judge.more_hashes(file, probe))
    }
    judge.check_kind(file, bytes(data[: kinds.HEAD_BYTES]))
    level = judge.level_of(file, probe, len(data), digests.get, published_sha256=published_sha256, plain=plain)
    draft = dest.with_name(dest.name + ".new")
    try:
        handle = create(draft)
    except FileNotFoundError:
        dest.parent.mkdir(parents=True, exist_ok=True)
        handle = create(draft)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(handle, view) :]
    finally:
        os.close(handle)
    draft.replace(dest)
    return Landed(dest, len(data), digests["sha256"], digests.get("md5"), level, probe)
