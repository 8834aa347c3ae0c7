"""File names as annotations state them: which can be a path of ours, and which member of an archive is meant.

Here: names. Not here: what is done with the files (`datasets.landing`).
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from urllib.parse import unquote

import polars as pl

KINDS = (".jpg", ".jpeg", ".png")
"""Endings of pictures, in any case."""

FOREIGN = r"\\|^[A-Za-z]:|://"
"""What only names of Windows and addresses hold: no file is kept under such a name, so that the bare name counts."""

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
"""What to do about images that did not land, by reason; any other reason is the network's or a server's answer."""


def bare(name: str) -> str:
    """Return the last part of a path of any system, or of an address without its query."""
    if "://" in name:
        name = unquote(re.split(r"[?#]", name)[0])
    return re.split(r"[/\\]", name)[-1]


def fault_of(path: str) -> str | None:
    """Return why a file may not be kept under a path; None if it may."""
    parts = path.split("/")
    if re.search(FOREIGN, path) or re.search(r"[\x00-\x1f\x7f]", path):
        return CLIMBS
    if any(part in {"", ".", ".."} or len(part.encode("utf-8", "surrogateescape")) > 255 for part in parts):
        return CLIMBS
    return None if path.lower().endswith(KINDS) else KIND


def placed(images: pl.DataFrame, folder: str) -> pl.DataFrame:
    """Give images that are named as on Windows or by an address their bare name below `folder`, if it is unique."""
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
    """Find the member of an archive that is meant by each path: that of the same path, else the one of its bare name.

    Args:
        members: Names of the archive's files.
        wanted: Paths in the published directory.
        prefix: What the archive's names begin with before such a path.

    Returns:
        The path of each member that is taken, and the reason for each path that has none.
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
