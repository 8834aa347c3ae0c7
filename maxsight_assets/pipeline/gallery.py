"""Write a static page of pictures, which a browser opens from the disk: no server, no network.

What comes from publishers (names, classes, addresses) is data in the page, and its script shows data as text only.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.resources import files
from itertools import islice
from pathlib import Path

import polars as pl

from maxsight_assets.datasets.registry import SOURCES
from maxsight_assets.formats.licences import licence_name
from maxsight_assets.images.preview import Item, contact_sheet
from maxsight_assets.pipeline import contents
from maxsight_assets.places import Places
from maxsight_assets.splitting.read import read_tables

PAGE = "index.html"
THUMBS = "thumbs"
CELL = 220
"""Side of a picture on the page, in pixels."""

_DATA = "__PICTURES__"


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of the page.

    Attributes:
        path: Its file, relative to DATA_DIR; `explain` takes it.
        where: The split or evaluation set; `dropped` if it is in none.
        source: The dataset.
        licence: Short name of its licence; empty if it was dropped.
        classes: The classes of its boxes.
        rule: The rule that dropped it; empty if none did.
        thumb: The small picture, relative to the page.
    """

    path: str
    where: str
    source: str
    licence: str
    classes: tuple[str, ...]
    rule: str
    thumb: str


def write(places: Places, out: Path, *, split: str | None, most: int) -> int:
    """Write the page and its small pictures.

    Args:
        places: Where everything is published.
        out: The directory; a page that was written there before is replaced.
        split: Name of the only split or evaluation set to show; None for all, and for what was dropped.
        most: Largest number of pictures of each.

    Returns:
        The number of pictures.

    Raises:
        UnknownName: There is no such split.
        FileExistsError: The directory holds other files.
    """
    chosen = {split: contents.document(places, split)} if split else contents.documents(places)
    if out.exists() and {path.name for path in out.iterdir()} - {PAGE, THUMBS}:
        raise FileExistsError(out)
    shutil.rmtree(out / THUMBS, ignore_errors=True)
    (out / THUMBS).mkdir(parents=True)
    pictures: list[Picture] = []
    for name, path in chosen.items():
        for picture, item in _held(places, name, path, most=most):
            pictures.append(_drawn(picture, item, out, len(pictures)))
    for path_, rule in islice(contents.dropped_files(places), most) if split is None else ():
        picture = Picture(path_, "dropped", _source(path_), "", (), rule, "")
        (item,) = contents.plain([places.data_dir / path_])
        pictures.append(_drawn(picture, item, out, len(pictures)))
    template = files("maxsight_assets.pipeline").joinpath("gallery.html").read_text(encoding="utf-8")
    data = json.dumps([asdict(each) for each in pictures]).replace("<", "\\u003c")  # no tag can begin in the data
    (out / PAGE).write_text(template.replace(_DATA, data), encoding="utf-8")
    return len(pictures)


def _held(places: Places, name: str, path: Path, *, most: int) -> Iterator[tuple[Picture, Item]]:
    images, boxes, _ = read_tables(path)
    for number, file, source, licence in images.head(most).select("id", "path", "source", "license").iter_rows():
        mine = boxes.filter(pl.col("image") == number)
        labels = mine["label"].to_list()
        item = (places.data_dir / file, mine.select("x", "y", "w", "h").to_numpy(), labels)
        yield Picture(file, name, source, licence_name(licence), tuple(sorted(set(labels))), "", ""), item


def _drawn(picture: Picture, item: Item, out: Path, number: int) -> Picture:
    thumb = f"{THUMBS}/{number}.jpg"
    (out / thumb).write_bytes(contact_sheet([item], columns=1, cell=CELL))
    return Picture(picture.path, picture.where, picture.source, picture.licence, picture.classes, picture.rule, thumb)


def _source(path: str) -> str:
    """Return the dataset whose directory a path begins with."""
    return next((each.dataset for each in SOURCES.values() if path.startswith(f"{each.directory}/")), "")
