"""Look into the published splits and evaluation sets: counts, licences, what was dropped, pictures.

Everything is read off the published files, so that what is said here is what training and evaluation read.
"""

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import polars as pl

from maxsight_assets.datasets.registry import SOURCES
from maxsight_assets.errors import FormatError, UnknownName
from maxsight_assets.evaluation.build import ANNOTATIONS
from maxsight_assets.formats.licences import licence_name
from maxsight_assets.images.preview import Item
from maxsight_assets.places import Places
from maxsight_assets.publishing.stage import recovered_manifest
from maxsight_assets.splitting.build import reasons
from maxsight_assets.splitting.config import SPLITS
from maxsight_assets.splitting.read import read_tables
from maxsight_assets.splitting.write import LEDGER_FILE, split_path

COMMERCIAL = (
    ("CC BY-NC", "no"),
    ("CC BY-ND", "yes, unchanged"),
    ("CC BY-SA", "yes, share alike"),
    ("CC BY", "yes"),
    ("CC0", "yes"),
)
"""What licences allow of commercial use by their own texts, by how their names begin; of any other: ask.

Source: https://creativecommons.org/licenses/. Datasets have terms of their own beside it.
"""


def documents(places: Places) -> dict[str, Path]:
    """Return the files of the published splits and evaluation sets that are there, by their names, splits first."""
    splits = {name: split_path(places.splits, name) for name in SPLITS}
    sets = {path.parent.name: path for path in sorted(places.evaluation.glob(f"*/{ANNOTATIONS}"))}
    return {name: path for name, path in (splits | sets).items() if path.is_file()}


def document(places: Places, name: str, *, of: Collection[str] | None = None) -> Path:
    """Return the file of a split or of an evaluation set.

    Args:
        places: Where everything is published.
        name: Its name: train, val, test, or that of an evaluation set.
        of: Names that may be given; None for all that are published.

    Raises:
        UnknownName: There is no such one.
        FormatError: Nothing is published yet.
    """
    there = documents(places)
    if not there:
        raise FormatError(f"{places.splits}: there is no such split yet; materialize cleaned_splits first")
    known = [each for each in there if of is None or each in of]
    if name not in known:
        raise UnknownName("split or evaluation set", name, known)
    return there[name]


def sets(places: Places) -> list[str]:
    """Return the names of the evaluation sets that are published."""
    return [name for name in documents(places) if name not in SPLITS]


def counts_of(places: Places, label: str) -> pl.DataFrame:
    """Count a class in every split and evaluation set.

    Returns:
        `where`, `source`, `images`, `boxes`, `crowds`, in the order of `documents`; a part without the class has a row
        with zeros.

    Raises:
        UnknownName: The label space has no such class.
    """
    rows = []
    for name, path in documents(places).items():
        images, boxes, space = read_tables(path)
        if label not in space:
            raise UnknownName("class", label, space)
        mine = boxes.filter(pl.col("label") == label).join(
            images.select("id", "source"), left_on="image", right_on="id"
        )
        found = mine.group_by("source").agg(
            images=pl.col("image").n_unique(), boxes=pl.len(), crowds=pl.col("crowd").sum()
        )
        rows += [(name, *row) for row in found.sort("source").iter_rows()] or [(name, None, 0, 0, 0)]
    schema = ("where", "source", "images", "boxes", "crowds")
    return pl.DataFrame(rows, schema=list(schema), orient="row", infer_schema_length=None)


def ledger(places: Places, *, rule: str | None = None) -> pl.DataFrame:
    """Return what cleaning and splitting dropped or repaired of the training data.

    Args:
        places: Where everything is published.
        rule: Only what this rule did.

    Returns:
        The LEDGER table.

    Raises:
        UnknownName: No rule has this name.
        FormatError: Nothing is published, or the ledger is damaged.
    """
    if rule is not None and rule not in reasons():
        raise UnknownName("rule", rule, reasons())
    path = places.splits / LEDGER_FILE
    try:
        table = pl.read_parquet(path, memory_map=False)
    except FileNotFoundError:
        raise FormatError(f"{path}: nothing is published there yet; materialize cleaned_splits first") from None
    except (OSError, pl.exceptions.PolarsError) as error:
        raise FormatError(f"{path}: {error}; materialize cleaned_splits again") from None
    return table if rule is None else table.filter(pl.col("rule") == rule)


def licences(places: Places) -> pl.DataFrame:
    """Count the images of every split and evaluation set by licence.

    Returns:
        `licence` (its short name), `commercial` (see `COMMERCIAL`), and a column of images for each
        split and set; most frequent first.
    """
    tables = []
    for name, path in documents(places).items():
        images = read_tables(path)[0]
        names = [licence_name(url) for url in images["license"]]
        tables.append(pl.DataFrame({"licence": names, "where": [name] * len(names)}))
    if not tables:
        return pl.DataFrame(schema={"licence": pl.String, "commercial": pl.String})
    whole = pl.concat(tables).pivot("where", index="licence", values="where", aggregate_function="len")
    numbers = [name for name in documents(places) if name in whole.columns]
    return (
        whole.with_columns(
            pl.col(numbers).fill_null(0),
            commercial=pl.col("licence").map_elements(_commercial, return_dtype=pl.String),
        )
        .sort(pl.sum_horizontal(numbers), "licence", descending=[True, False])
        .select("licence", "commercial", *numbers)
    )


def _commercial(licence: str) -> str:
    return next((allowed for start, allowed in COMMERCIAL if licence.startswith(start)), "ask")


def items(places: Places, name: str, *, label: str | None = None, most: int) -> list[Item]:
    """Return the first images of a split or evaluation set, with their boxes, as a contact sheet takes them.

    Args:
        places: Where everything is published.
        name: Name of the split or set.
        label: Only images with a box of this class, and only those boxes.
        most: Largest number of images.

    Raises:
        UnknownName: There is no such split, set or class.
    """
    images, boxes, space = read_tables(document(places, name))
    if label is not None:
        if label not in space:
            raise UnknownName("class", label, space)
        boxes = boxes.filter(pl.col("label") == label)
        images = images.filter(pl.col("id").is_in(boxes["image"].implode()))
    return list(_with_boxes(places, images.head(most), boxes))


def items_at(places: Places, name: str, paths: Collection[str]) -> list[Item]:
    """Return the images of a split or evaluation set that have one of these paths, as `items` does."""
    images, boxes, _ = read_tables(document(places, name))
    images = images.filter(pl.col("path").is_in(list(paths)))
    return list(_with_boxes(places, images, boxes))


def _with_boxes(places: Places, images: pl.DataFrame, boxes: pl.DataFrame) -> Iterator[Item]:
    for number, path in images.select("id", "path").iter_rows():
        mine = boxes.filter(pl.col("image") == number)
        yield places.data_dir / path, mine.select("x", "y", "w", "h").to_numpy(), mine["label"].to_list()


def dropped_files(places: Places, *, rule: str | None = None) -> Iterator[tuple[str, str]]:
    """Yield the picture files, as far as there are any, of the images that cleaning or splitting dropped.

    Args:
        places: Where everything is published.
        rule: Only those that this rule dropped.

    Yields:
        The path relative to DATA_DIR, and the rule.

    Raises:
        UnknownName: No rule has this name.
    """
    wanted = ledger(places, rule=rule).filter(kind="image", action="drop").select("source", "image_id", "rule")
    for source in SOURCES.values():
        mine = wanted.filter(source=source.dataset)
        manifest = recovered_manifest(root := places.data_dir / source.directory)
        if manifest is None or mine.is_empty():
            continue
        images = source.tables(root, manifest).images.join(mine, on="image_id", maintain_order="left")
        for path, why in images.select("path", "rule").iter_rows():
            if (places.data_dir / path).is_file():
                yield path, why


def plain(paths: Collection[Path]) -> list[Item]:
    """Return images without boxes, as a contact sheet takes them."""
    return [(path, np.empty((0, 4)), ()) for path in paths]
