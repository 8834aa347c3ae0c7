"""Say what a landing would fetch before a byte moves: images, bytes, requests, room on the disk.

Numbers of images follow from the publishers' counts and from what is landed; bytes from the size of the images landed
so far, or of the publisher's archive. So they are bounds, and a filter by class or licence makes them smaller.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from maxsight_assets import disk
from maxsight_assets.datasets.openimages.source import MEAN_BYTES
from maxsight_assets.datasets.places import Upstream
from maxsight_assets.datasets.selection import Selection
from maxsight_assets.datasets.source import Source
from maxsight_assets.publishing.manifest import Manifest
from maxsight_assets.publishing.stage import recovered_manifest

_LISTS = ("annotation", "label", "image_info")
"""Words in the names of archives that hold no image of a selection."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What a landing would fetch of one split.

    Attributes:
        split: The publisher's split.
        published: Images that the publisher lists; None if that is not known before its lists are landed.
        landed: Images that are landed.
        asked: Images that the selection asks for at most.
        new: Images that would be fetched at most.
        bytes: Their bytes, about.
    """

    split: str
    published: int | None
    landed: int
    asked: int | None
    new: int | None
    bytes: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a landing would take.

    Attributes:
        splits: What would be fetched of each split.
        tables: Bytes of annotation files and lists that upstream has in another version than what is landed.
        requests: Requests at most: one for each image that is served by itself, else a few for each archive.
        room: Bytes needed on the disk.
        free: Bytes free there.
    """

    splits: tuple[Planned, ...]
    tables: int
    requests: int | None
    room: int | None
    free: int


def plan(source: Source, upstream: Upstream, data_dir: Path, selection: Selection) -> Plan:
    """Return what landing a selection would take; upstream is asked only for the heads of its files.

    Args:
        source: The dataset.
        upstream: Its upstream, open.
        data_dir: Root of all datasets.
        selection: What the next version would hold.
    """
    target = data_dir / source.directory
    manifest = recovered_manifest(target)
    probes = upstream.probe(source.files(selection))
    known = manifest.info.inputs if manifest else {}
    moved = {key: probe for key, probe in probes.items() if known.get(key) != probe.fingerprint()}
    asked = _asked(source, selection)
    lists = source.listed(target, manifest)["split"].value_counts() if manifest and source.listed else None
    listed: dict[str, int] = dict(lists.iter_rows()) if lists is not None else {}
    parts = tuple(_of_split(source, manifest, split, count, listed.get(split)) for split, count in asked.items())
    tables = sum(probe.bytes or 0 for key, probe in moved.items() if not _holds_images(key))
    fetched = None if any(part.bytes is None for part in parts) else sum(part.bytes or 0 for part in parts)
    one_by_one = source.catalog.images is not None
    new = None if any(part.new is None for part in parts) else sum(part.new or 0 for part in parts)
    return Plan(
        splits=parts,
        tables=tables,
        requests=new if one_by_one else None,
        room=None if fetched is None else fetched + tables,
        free=shutil.disk_usage(disk.existing(target)).free,
    )


def _asked(source: Source, selection: Selection) -> Mapping[str, int | None]:
    """Return the largest number of images that a selection asks of each split; None for all."""
    splits: Mapping[str, int | None] | None = getattr(selection, "splits", None)
    if splits is not None:
        return splits
    return {source.catalog.evaluated or "": getattr(selection, "max_images", None)}


def _of_split(source: Source, manifest: Manifest | None, split: str, count: int | None, listed: int | None) -> Planned:
    stated = source.catalog.counts.get(split) if manifest is None or manifest.info.source == "upstream" else None
    published = listed if listed is not None else stated.images if stated else None
    rows = [row for row in manifest.rows.pictures().each() if _in(row.path, split)] if manifest else []
    bounds = [number for number in (count, published) if number is not None]
    asked = min(bounds) if bounds else None
    new = None if asked is None else max(0, asked - len(rows))
    mean = sum(row.bytes for row in rows) / len(rows) if rows else _mean(source, split)
    return Planned(split, published, len(rows), asked, new, None if new is None else round(new * mean))


def _mean(source: Source, split: str) -> float:
    """Return the bytes of an image on average, before any is landed: by the publisher's archive, if there is one."""
    archive, stated = source.catalog.files.get(f"zips/{split}.zip"), source.catalog.counts.get(split)
    return archive.bytes / stated.images if archive and archive.bytes and stated else MEAN_BYTES


def _in(path: str, split: str) -> bool:
    return split in path.split("/")[:-1]


def _holds_images(key: str) -> bool:
    """Return whether a file is an archive of images, of which only the chosen ones are fetched."""
    name = key.rpartition("/")[2]
    return name.endswith((".zip", ".tar")) and not any(word in name for word in _LISTS)
