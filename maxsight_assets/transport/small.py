"""The second half of the short way: judges an object in memory, writes it and names it, with no partial file."""

import hashlib
import os
from pathlib import Path

from maxsight_assets.disk import NAMING, create
from maxsight_assets.errors import LandingError
from maxsight_assets.remote import Landed, RemoteFile
from maxsight_assets.transport import integrity, magic
from maxsight_assets.transport.answers import judge_answer
from maxsight_assets.transport.connections import Answer
from maxsight_assets.transport.headers import linked_sha256
from maxsight_assets.transport.http import REASON_BYTES
from maxsight_assets.transport.reply import Ask, PastEnd, VersionChanged, WrongRange

MOST_BYTES = 4 << 20
"""Longest object of the short way."""


def land(file: RemoteFile, dest: Path, answer: Answer, *, trust: integrity.Trust) -> Landed | None:
    """Write an object to `dest`; not synced, see `Client.download_many`.

    Args:
        file: The object.
        dest: Path to write.
        answer: The answer to the request for it.
        trust: How far the object's server is trusted.

    Returns:
        The landed object; None if the answer is not a plain, whole one.

    Raises:
        Absent, Again: See there.
        integrity.Unfit, VerificationFailed: The bytes are not the object; nothing is left at `dest`.
    """
    data = answer.data
    try:
        head = judge_answer(
            answer.status,
            answer.said,
            answer.headers,
            address=answer.address,
            ask=Ask(),
            body=lambda: bytes(data[:REASON_BYTES]),
        )
    except (PastEnd, VersionChanged, WrongRange, LandingError):
        return None
    probe = head.probe
    if head.encoded or head.length != len(data):
        return None
    integrity.check_kind(file, bytes(data[: magic.HEAD_BYTES]))
    digests = {
        name: hashlib.new(name, data, usedforsecurity=False).hexdigest()
        for name in ("sha256", *integrity.more_hashes(file, probe, trust))
    }
    level = integrity.level_of(
        file, probe, len(data), digests.get, trust=trust, published_sha256=linked_sha256(answer.headers)
    )
    _write(dest, data)
    return Landed(dest, len(data), digests["sha256"], digests.get("md5"), level, probe)


def _write(dest: Path, data: memoryview) -> None:
    draft = f"{dest}.new"
    try:
        handle = create(draft)
    except FileNotFoundError:
        dest.parent.mkdir(parents=True, exist_ok=True)
        handle = create(draft)
    try:
        while data:
            data = data[os.write(handle, data) :]
    finally:
        os.close(handle)
    with NAMING:
        os.replace(draft, dest)  # noqa: PTH105 -- a path object for each of many files takes longer than the call
