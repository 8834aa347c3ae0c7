"""File names as annotations state them: checks which may be paths in a dataset, and finds their archive members.

Here: names. Not here: how the files are landed (`datasets.landing`).
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from urllib.parse import unquote

import polars as pl

KINDS = (".jpg", ".jpeg", ".png")
"""Suffixes of image files, in upper or lower case."""

FOREIGN = r"\\|^[A-Za-z]:|://"
"""Pattern that only Windows paths and addresses match: no file is kept under such a name, only under its bare name."""

NOT_HELD = "not in the archive"
CLIMBS = "its name is no path inside the dataset's folder"
KIND = "its kind is not jpg, jpeg or png"
NOT_UNIQUE = "several images or files of the archive have its bare name"
NO_ID = "its id is not 16 hex digits"
NOT_IN_DIRECTORY = "not in the directory of images"

REMEDIES = {
    NOT_HELD: "Give the archive that holds them, or annotations that do not list them.",
    CLIMBS: "Correct file_name in the annotations: a path below the images' folder.",
    KIND: "Convert them, and state the new names in the annotations.",
    NOT_UNIQUE: "State file_name with the folders of the archive.",
    NO_ID: "Name the images by 16 lower-case hex digits, in the tables and as files.",
    NOT_IN_DIRECTORY: "Put them there, or take them out of the tables.",
}
"""What to do about images that were not landed, by reason; other reasons are from the network or a server."""


def bare(name: str) -> str:
    """Return the last part of a path of any system, or of an address; an address loses its query."""
    if "://" in name:
        name = unquote(re.split(r"[?#]", name)[0])
    return re.split(r"[/\\]", name)[-1]


def fault_of(path: str) -> str | None:
    """Return why a file may not be kept under a path; None if it may be."""
    parts = path.split("/")
    if re.search(FOREIGN, path) or re.search(r"[\x00-\x1f\x7f]", path):
        return CLIMBS
    if any(part in {"", ".", ".."} or len(part.encode("utf-8", "surrogateescape")) > 255 for part in parts):
        return CLIMBS
    return None if path.lower().endswith(KINDS) else KIND


def placed(images: pl.DataFrame, folder: str) -> pl.DataFrame:
    """Replace Windows paths and addresses in `path` by the bare name below `folder`, if it is unique."""
    odd = images["path"].str.strip_prefix(f"{folder}/").str.contains(FOREIGN).fill_null(value=False)
    if not odd.any():
        return images
    names = images["path"].to_list()
    said = [f"{folder}/{bare(name)}" if is_odd else name for name, is_odd in zip(names, odd, strict=True)]
    times = Counter(said)
    return images.with_columns(
        path=pl.Series([new if times[new] == 1 else old for old, new in zip(names, said, strict=True)], dtype=pl.String)
    )


def find_members(
    members: Collection[str], wanted: Iterable[str], *, prefix: str = ""
) -> tuple[dict[str, str], dict[str, str]]:
    """Find the member of an archive for each path: the member with the same path, else the only one with its bare name.

    Args:
        members: Names of the archive's files.
        wanted: Paths in the published directory.
        prefix: Prefix of the archive's names before such a path.

    Returns:
        The path for each member that was found, by member name; and the reason for each path without a member.
    """
    fit, missing = [], {}
    for path in sorted(wanted):
        if fault := fault_of(path):
            missing[path] = fault
        else:
            fit.append(path)
    found = {f"{prefix}{path}": path for path in fit if f"{prefix}{path}" in members}
    rest = [path for path in fit if f"{prefix}{path}" not in found]
    by_name = defaultdict(list)
    for name in members if rest else ():
        if name not in found:
            by_name[bare(name)].append(name)
    asked = Counter(map(bare, rest))
    for path in rest:
        fits = by_name[bare(path)]
        if len(fits) == asked[bare(path)] == 1:
            found[fits[0]] = path
        else:
            missing[path] = NOT_UNIQUE if fits else NOT_HELD
    return found, missing
