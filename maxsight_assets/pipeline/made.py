"""Remember what a derived asset was made from, so that it is not made again from the same.

A note in the state directory pairs all that decides the result with the page that came of it. It can be deleted at any
time: without a note, with a damaged one, or with one of other inputs, settings or code, the asset is made.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from maxsight_assets import disk
from maxsight_assets.disk import HASHED
from maxsight_assets.edition import edition
from maxsight_assets.images.facts import are_of_content
from maxsight_assets.publishing.manifest import Manifest, problems
from maxsight_assets.publishing.stage import recovered_manifest
from maxsight_assets.publishing.swap import StateDir, page_digest

FOLDER = "made"
"""Folder of the notes, in the state directory."""


@dataclass(frozen=True, slots=True)
class Cause:
    """All that decides what an asset is made to be, beside the code.

    Attributes:
        asset: The asset.
        target: Its published directory.
        inputs: The published directories that it is made from.
        settings: Its selection and whatever else is stated, as JSON values.
    """

    asset: str
    target: Path
    inputs: tuple[Path, ...]
    settings: Mapping[str, Any]

    def digest(self) -> str:
        """Return a digest of the cause as it is now: of the settings, of the code, and of the page of each input."""
        pages = {directory.name: page_digest(StateDir.of(directory).target) for directory in self.inputs}
        said = [self.asset, edition(), pages, self.settings]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    def is_as_landed(self, facts: Iterable[pl.DataFrame]) -> bool:
        """Return whether the result follows from the inputs' pages: no file that was read differed from its row.

        Args:
            facts: FILE_FACTS tables of the images that were read.
        """
        manifests = {directory: recovered_manifest(directory) for directory in self.inputs}
        return all(map(are_of_content, facts)) and not any(
            manifest is None or problems(directory, manifest.rows.selected().others().sums(), hashed=HASHED)
            for directory, manifest in manifests.items()
        )


def is_made(cause: Cause, present: Manifest | None, *, state: Path) -> bool:
    """Return whether the published version was made from just this, and every byte of it is as it was published.

    Args:
        cause: What the asset would be made from now.
        present: The published version; None if there is none.
        state: The state directory.
    """
    root = StateDir.of(cause.target).target
    said = disk.noted(_note(cause, state))
    return (
        present is not None
        and said == _said(cause.digest(), root)
        and not problems(root, present.rows.sums(), hashed=HASHED)
    )


def remember(cause: Cause, digest: str, *, state: Path) -> None:
    """Note that the version that is published now was made from a cause.

    Args:
        cause: What the asset was made from.
        digest: The cause's digest before anything was read; if it has changed since, nothing is noted.
        state: The state directory.
    """
    if cause.digest() == digest:
        disk.note(_note(cause, state), _said(digest, StateDir.of(cause.target).target))


def _said(digest: str, root: Path) -> bytes:
    return json.dumps({"from": digest, "page": page_digest(root)}).encode()


def _note(cause: Cause, state: Path) -> Path:
    """Return the note's path; each published directory of an asset has its own."""
    place = hashlib.sha256(str(cause.target).encode()).hexdigest()[:16]
    return state / FOLDER / f"{cause.asset}-{place}.json"
