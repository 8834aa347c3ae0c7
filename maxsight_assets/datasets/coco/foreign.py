"""Examine a COCO directory that this project did not land: what is COCO's, what is misplaced, and what to do there.

Here: layouts, companions of macOS and Windows, remedies about such a directory. Not here: the rules (`coco.rules`).
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from maxsight_assets import disk
from maxsight_assets.formats.names import KINDS
from maxsight_assets.verdict import Verdict, verdict_of

COMPANIONS = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
"""Files that macOS and Windows leave in any folder, beside macOS's `._*`."""

_SHOWN = 5

OF_LANDINGS = ("materialize", "repair", "adopt", "mirror", "accept", "land both", "upstream", "fetch")
"""Words of remedies that only help with a directory that was landed here."""

OF_THIS = "Compare it with the publisher's file, or get that again: nothing of this directory was landed here."
MISSING = "Copy these pictures into their split's folder, or name the directory that holds them."


JUDGED_BY_LAYOUT = frozenset({"every_image_landed", "enough_images_landed"})
"""Rules that say once more, picture by picture, that no split is in its place."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the pictures of each split are.

    Attributes:
        here: Splits of which at least one picture is in its place.
        elsewhere: Of a split whose pictures are all in another folder, a line that says so.
        absent: Splits none of whose pictures is anywhere below the directory.
        companions: Files that macOS or Windows left.
        unlisted: Other files that no annotations list.
    """

    here: tuple[str, ...]
    elsewhere: tuple[str, ...]
    absent: tuple[str, ...]
    companions: tuple[str, ...]
    unlisted: tuple[str, ...]


def is_companion(path: str) -> bool:
    """Return whether macOS or Windows left a file beside others."""
    name = path.rpartition("/")[2]
    return name.startswith("._") or name in COMPANIONS


def layout_of(root: Path, listed: Mapping[str, Collection[str]]) -> Layout:
    """Find the places of the pictures that annotations list.

    Args:
        root: The directory.
        listed: File names that the annotations of each split list; none if they cannot be read, so that all pictures in
            the split's folder may be its own.
    """
    paths = [path for path, _ in disk.walk(root)]
    companions = [path for path in paths if is_companion(path)]
    pictures = {path for path in paths if path.lower().endswith(KINDS) and not is_companion(path)}
    here, elsewhere, absent = [], [], []
    known: set[str] = set()
    for split, names in listed.items():
        below = {path for path in pictures if path.startswith(f"{split}/")}
        if not names or any(f"{split}/{name}" in below for name in names):
            here.append(split)
            known |= {f"{split}/{name}" for name in names} or below
            continue
        bare = {name.rpartition("/")[2].lower() for name in names}
        of_split = {path for path in pictures if path.rpartition("/")[2].lower() in bare}
        folders = Counter(path.rpartition("/")[0] for path in of_split)
        if not folders:
            absent.append(split)
            continue
        known |= of_split
        folder, count = folders.most_common(1)[0]
        letters = f" in other letters, as {min(of_split)}" if folder == split else ""
        elsewhere.append(f"0 of {len(names):,} images lie in {split}/; {count:,} are in {folder or '.'}/{letters}")
    unlisted = [path for path in paths if not (path in known or is_companion(path) or path.startswith("annotations/"))]
    return Layout(tuple(here), tuple(elsewhere), tuple(absent), tuple(companions), tuple(unlisted))


def without_annotations(root: Path) -> str:
    """Return what there is in a directory without an annotation file in its place, and what to do with it."""
    paths = sorted(path for path, _ in disk.walk(root) if not is_companion(path))
    documents = [path for path in paths if _is_document(path.rpartition("/")[2].lower())]
    if documents:
        shown = ", ".join(documents[:_SHOWN])
        return f"{shown}: move what is COCO's to annotations/instances_<split>.json, in these very letters"
    if archives := [path for path in paths if path.lower().endswith(".zip")]:
        shown = ", ".join(archives[:_SHOWN])
        return f"{shown}: not unpacked. Unpack them here, or have `adopt --from` take them as they are"
    folders = sorted({path.rpartition("/")[0] or "." for path in paths if path.lower().endswith(KINDS)})
    if folders:
        shown = ", ".join(f"{folder}/" for folder in folders[:_SHOWN])
        return f"there are pictures in {shown}, but no annotations. Unpack annotations_trainval2017.zip here"
    return "there are no pictures either: is it another directory that is meant?"


def _is_document(name: str) -> bool:
    return name.endswith(".json") and ("coco" in name or name.startswith("instances"))


def of_layout(layout: Layout) -> list[tuple[str, str, Verdict]]:
    """Return severity, description and verdict of what was looked at."""
    splits = len(layout.here) + len(layout.elsewhere) + len(layout.absent)
    nothing = [f"{split}: none of its pictures is here" for split in layout.absent]
    return [
        (
            "error",
            "The pictures of each split lie in the folder of its name, where programs look for them.",
            verdict_of(
                "images_are_in_place",
                layout.elsewhere,
                checked=splits,
                remedy="Move or link that folder to that place; give files the names that the annotations list.",
            ),
        ),
        (
            "warn" if layout.here or layout.elsewhere else "error",
            "The pictures of each split that has annotations are here; a split that is not here was not judged.",
            verdict_of(
                "splits_are_here",
                nothing,
                checked=splits,
                remedy="Nothing is wrong if only other splits are needed; else get its pictures from the publisher.",
            ),
        ),
        (
            "warn",
            "The directory holds no files that macOS or Windows left; none of them was judged as a picture.",
            verdict_of(
                "no_companions",
                layout.companions,
                checked=len(layout.companions),
                remedy="Delete them, or leave them: programs that read a whole folder trip over them.",
            ),
        ),
        (
            "warn",
            "Each file is one that the annotations list, or one of them.",
            verdict_of(
                "no_unlisted_files",
                layout.unlisted,
                checked=len(layout.unlisted),
                remedy='Names with "(1)" are copies made by a browser: move what is not listed away.',
            ),
        ),
    ]


def remedy_for(rule: str, remedy: str) -> str:
    """Return what to do in a directory that this project did not land: a landing's remedies do not help there."""
    if rule in JUDGED_BY_LAYOUT:
        return MISSING
    return OF_THIS if any(word in remedy for word in OF_LANDINGS) else remedy
