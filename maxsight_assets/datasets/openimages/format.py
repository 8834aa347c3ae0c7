"""Read Open Images' CSV and JSON files: streamed in bounded memory, columns found by name, ids kept as text.

A broken row is set aside with its line and the reason; a file of the wrong kind is refused. `labels` maps the classes
to the detector's labels.
"""

import csv
import html
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import msgspec
import polars as pl

from maxsight_assets.datasets.openimages.format_csv import (
    BLANK,
    FLAGS,
    MID,
    REJECTED,
    SetAside,
    collect_boxes,
    header_of,
    id_fault,
)
from maxsight_assets.datasets.openimages.format_records import collect_images
from maxsight_assets.errors import FormatError
from maxsight_assets.formats import strict_json
from maxsight_assets.formats.tables import BOXES, IMAGES, Tables, conform

SOURCE = "openimages"

NORMALISED = pl.Schema(
    {
        "split": pl.String,
        "image_id": pl.String,
        "box_id": pl.String,  # "<image id>:<n>", the n-th row of the image in the file, from 0
        "mid": pl.String,
        "label": pl.String,  # the class name, or the MID if the class list does not have it
        "x_min": pl.Float64,  # left edge as a share of the picture's width
        "x_max": pl.Float64,
        "y_min": pl.Float64,  # top edge as a share of its height
        "y_max": pl.Float64,
        "crowd": pl.Boolean,  # IsGroupOf; the flags are null if unknown (-1), or if the edition lacks the column
        "occluded": pl.Boolean,
        "truncated": pl.Boolean,
        "depiction": pl.Boolean,
        "inside": pl.Boolean,
        "fault": pl.String,  # why the row cannot be used; null if it can
    }
)
"""Schema of boxes as published: normalised, so that pixels cannot be mistaken for them."""

_IMAGE_COLUMNS = ("OriginalLandingURL", "License", "Author", "Title", "Rotation")
_FLICKR_PHOTO = r"flickr\.com/(?:photos/[^/]+|[^/]+@N\d+)/(\d+)(?:[/?#]|$)"  # <owner>/<photo id>

NO_FLAGS: Mapping[str, bool] = MappingProxyType({})

Sizes = Mapping[str, tuple[int | None, int | None]]
"""Width and height of pictures in pixels by image id."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What a CSV holds.

    Attributes:
        table: Its sound rows.
        rejected: The others; schema `REJECTED`, by line.
    """

    table: pl.DataFrame
    rejected: pl.DataFrame

    def aside(self) -> SetAside:
        """Return the rejected rows by reason."""
        reasons = self.rejected.group_by("reason").agg(pl.col("line").min(), rows=pl.len()).sort("line")
        named = reasons.select(pl.format("record {}", "line"), "rows", "reason").iter_rows()
        return SetAside(self.table.height + self.rejected.height, tuple(named))


def read_boxes(path: Path, *, split: str, class_names: Mapping[str, str]) -> Rows:
    """Read a bounding-box CSV of any edition (8, 13 or 21 columns).

    A row is set aside if it has more fields than the header, no ImageID or MID, a coordinate that is not a number in
    0..1, or a flag other than 1, 0 and -1. Blank rows are not records, but they are reported too.

    Args:
        path: The CSV.
        split: Value of the `split` column.
        class_names: Names by MID.

    Returns:
        Boxes of schema `NORMALISED`, in the order of the file.

    Raises:
        FormatError: The header lacks columns; the text names them.
    """
    rows = collect_boxes(path, lambda rows: rows).sort("line")
    numbered = rows.with_columns(
        split=pl.lit(split),
        image_id=pl.when(id_fault().is_null()).then("image_id"),
        box_id=pl.when(id_fault().is_null())
        .then(pl.format("{}:{}", "image_id", pl.int_range(pl.len()).over("image_id")))
        .otherwise(pl.format("line {}", "line")),
        label=pl.col("mid").replace(dict(class_names)),
        **{name: pl.when(pl.col(name) >= 0).then(pl.col(name) == 1) for name in FLAGS.values()},
    )
    is_sound = pl.col("reason").is_null()
    return Rows(conform(numbered.filter(is_sound), NORMALISED), conform(numbered.filter(~is_sound), REJECTED))


def class_images(
    path: Path, wanted: Collection[str], *, flags: Mapping[str, bool] = NO_FLAGS, annotators: Collection[str] = ()
) -> tuple[pl.DataFrame, SetAside]:
    """Find the images of a bounding-box CSV that have a sound box of a wanted class.

    Args:
        path: The CSV.
        wanted: MIDs of the classes.
        flags: Values of `FLAGS` that a box must have to count (by our names: "crowd", "depiction" ...); a box whose
            flag is unknown does not.
        annotators: Values of the column `Source`, one of which a box must have to count; any if empty.

    Returns:
        Columns `image_id` (text) and `mid` (an enumeration of what is wanted), each pair once, in order; and what is
        wrong with rows that mention a wanted class. Others are not looked at.

    Raises:
        FormatError: The header lacks columns; the text names them.
    """

    def query(rows: pl.LazyFrame) -> pl.LazyFrame:
        counts = pl.col("reason").is_null() & pl.col("mid").is_in(mids)
        for flag, value in flags.items():
            counts &= pl.col(flag) == int(value)
        if annotators:
            counts &= pl.col("annotator").is_in(list(annotators))
        mid = pl.col("mid").cast(pl.Enum(mids), strict=False)
        pairs = rows.select("line", "reason", image_id=pl.when(counts).then("image_id"), mid=pl.when(counts).then(mid))
        return pairs.group_by("image_id", "mid", "reason").agg(pl.col("line").min(), rows=pl.len())

    mids = sorted(wanted)
    found = collect_boxes(path, query, mids=mids)
    broken = found.filter(pl.col("reason").is_not_null()).sort("line").select("line", "rows", "reason")
    reasons = tuple((f"line {line}", rows, reason) for line, rows, reason in broken.iter_rows())
    pairs = found.filter(pl.col("mid").is_not_null()).select("image_id", "mid").sort("image_id", "mid")
    return pairs, SetAside(int(found["rows"].sum()), reasons)


def write_rows_of(path: Path, dest: Path, ids: Collection[str]) -> int:
    """Copy the header and the rows of some images from one CSV to another, byte for byte and in order.

    Returns:
        The number of rows that were copied.

    Raises:
        FormatError: The header lacks `ImageID`.
    """
    place = header_of(path, ["ImageID"]).index("ImageID")
    wanted = {image_id.encode() for image_id in ids}
    count = 0
    with path.open("rb") as source, dest.open("wb") as target:
        target.write(source.readline())
        for line in source:
            fields = line.split(b",", place + 1)
            if len(fields) > place and fields[place].rstrip(b"\r\n") in wanted:
                target.write(line if line.endswith(b"\n") else line + b"\n")
                count += 1
    return count


def read_images(path: Path, *, split: str, image_dir: str, image_ids: Collection[str] | None = None) -> Rows:
    """Read an image-metadata CSV.

    A record is set aside if it has more or fewer fields than the header, or no ImageID.

    Titles and authors are published with HTML entities and are decoded here to plain text. `rotation` is the number of
    degrees counter-clockwise that the picture, and its boxes with it, have to be turned by to stand upright; null where
    the publisher does not know.

    Args:
        path: The CSV.
        split: Value of the `split` column.
        image_dir: Directory of the split's images relative to DATA_DIR, for example "open_images_v6/train".
        image_ids: Images to keep; None keeps all.

    Returns:
        Images of schema `IMAGES` in the order of the file; width and height are null, as no file states them.

    Raises:
        FormatError: The header lacks columns, or quotes do not close; the text says which.
    """
    found = collect_images(path, _IMAGE_COLUMNS, image_ids=image_ids)
    degrees = pl.col("Rotation").cast(pl.Float64, strict=False)
    table = found.filter(pl.col("reason").is_null()).with_columns(
        source=pl.lit(SOURCE),
        split=pl.lit(split),
        path=_path_of(image_dir),
        license=pl.col("License"),
        author=_plain("Author"),
        title=_plain("Title"),
        page=pl.col("OriginalLandingURL"),
        flickr_id=pl.col("OriginalLandingURL").str.extract(_FLICKR_PHOTO),
        rotation=pl.when(degrees.is_in([0.0, 90.0, 180.0, 270.0])).then(degrees),
    )
    rejected = found.filter(pl.col("reason").is_not_null())
    return Rows(table=conform(table, IMAGES), rejected=conform(rejected, REJECTED))


def licensed(path: Path, image_ids: pl.Series, licences: Collection[str]) -> tuple[pl.Series, SetAside]:
    """Which images of an image-metadata CSV are under some licences, and what is wrong with records of the others.

    Args:
        path: The CSV.
        image_ids: Images to look at.
        licences: Values of the column `License`.

    Raises:
        FormatError: As in `read_images`.
    """
    under = pl.col("License").is_in(list(licences))
    found = collect_images(path, ["License"], image_ids=image_ids, where=under)
    sound = pl.col("reason").is_null()
    reasons = Rows(found.filter(sound), found.filter(~sound)).aside().reasons
    return found.filter(sound)["image_id"], SetAside(image_ids.len(), reasons)


def to_pixels(boxes: pl.DataFrame, sizes: Sizes) -> pl.DataFrame:
    """Turn normalised boxes into absolute pixels of the picture as it is stored.

    The frame is the pixel matrix of the JPEG in the bucket, with neither its EXIF orientation nor `rotation` applied:
    the publisher states that image *and boxes* have to be turned by `rotation` together
    (storage.googleapis.com/openimages/web/2018-05-17-rotation-information.html), so a box fits the picture unturned.
    Code that turns a picture must turn its boxes too.

    Args:
        boxes: Schema `NORMALISED`.
        sizes: Stored width and height in pixels. Boxes of other images get null coordinates.

    Returns:
        Schema `BOXES`, in the same order. Nothing is rounded or clipped.
    """
    width, height = pl.col("width"), pl.col("height")
    return conform(
        boxes.join(_size_frame(sizes), on="image_id", how="left", maintain_order="left").with_columns(
            source=pl.lit(SOURCE),
            x=pl.col("x_min") * width,
            y=pl.col("y_min") * height,
            w=(pl.col("x_max") - pl.col("x_min")) * width,
            h=(pl.col("y_max") - pl.col("y_min")) * height,
        ),
        BOXES,
    )


def read_split(
    boxes: Path,
    images: Path,
    *,
    split: str,
    class_names: Mapping[str, str],
    sizes: Sizes,
    image_dir: str,
    landed: Collection[str],
) -> Tables:
    """Read the images of one split, with all their boxes in pixels.

    These are the images that both CSVs have, and those landed that one of them has: what neither vouches for is no
    image of the dataset, and neither is what has rows only and did not land.

    Args:
        boxes: Bounding-box CSV.
        images: Image-metadata CSV; an image that it lacks has no licence, author, title, page and rotation.
        split: The publisher's split.
        class_names: Names by MID.
        sizes: Stored width and height in pixels by image id; null where it lacks one.
        image_dir: Directory of the split's images relative to DATA_DIR, for example "open_images_v6/train".
        landed: Ids of the split's images that are there.

    Returns:
        Images by id, and boxes in the order of the file (see `to_pixels`), after them the broken rows as boxes without
        coordinates, so that cleaning accounts for them.

    Raises:
        FormatError: One of the files has the wrong format.
    """
    rows = read_boxes(boxes, split=split, class_names=class_names)
    broken = rows.rejected.filter(pl.col("reason") != BLANK).with_columns(split=pl.lit(split), fault="reason")
    found = pl.concat([rows.table, conform(broken, NORMALISED)])
    there = pl.Series("image_id", sorted(landed), dtype=pl.String)
    with_rows = found["image_id"].drop_nulls().unique()
    facts = read_images(images, split=split, image_dir=image_dir, image_ids=pl.concat([with_rows, there])).table
    stated = facts.unique("image_id", keep="first").drop("source", "split", "path", "width", "height")
    ids = pl.concat([stated["image_id"], with_rows.filter(with_rows.is_in(there.implode()))]).unique().sort().to_frame()
    table = (
        ids.join(stated, on="image_id", how="left", maintain_order="left")
        .join(_size_frame(sizes), on="image_id", how="left", maintain_order="left")
        .with_columns(source=pl.lit(SOURCE), split=pl.lit(split), path=_path_of(image_dir))
    )
    return Tables(images=conform(table, IMAGES), boxes=to_pixels(found, sizes))


def read_class_names(path: Path) -> dict[str, str]:
    """Read `class-descriptions-boxable.csv`: names by MID. It has no header (of one, V7's, the line is skipped).

    Raises:
        FormatError: A line is not `MID,Name`, a MID stands twice, or something is no UTF-8 or no CSV.
    """
    names: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, row in enumerate(csv.reader(file, strict=True), start=1):
                if number == 1 and row[:1] == ["LabelName"]:
                    continue
                if len(row) != 2 or not re.fullmatch(MID, row[0]) or row[0] in names:
                    raise FormatError(
                        f"{path.name}: line {number}: a new MID and its name expected, not {str(row)[:80]}"
                    )
                names[row[0]] = row[1]
    except (UnicodeDecodeError, csv.Error) as error:
        raise FormatError(f"{path.name}: not a list of classes, one `MID,Name` a line, in UTF-8: {error}") from None
    return names


class _Node(msgspec.Struct, gc=False):
    name: str = msgspec.field(name="LabelName")
    subcategories: list["_Node"] = msgspec.field(name="Subcategory", default_factory=list)
    parts: list["_Node"] = msgspec.field(name="Part", default_factory=list)


def read_hierarchy(path: Path) -> dict[str, frozenset[str]]:
    """Read `bbox_labels_600_hierarchy.json`: all classes below each class, by MID.

    Only `Subcategory` is followed: a wheel is a `Part` of a bicycle, not a bicycle. A class may have several parents.

    Raises:
        FormatError: Not such a file; the text names the place.
    """
    root = strict_json.decode(strict_json.read_bytes(path), msgspec.json.Decoder(_Node), name=path.name)
    children: dict[str, set[str]] = {}
    stack = [root]
    while stack:
        node = stack.pop()
        children.setdefault(node.name, set()).update(child.name for child in node.subcategories)
        stack += node.subcategories + node.parts
    return {name: _below(name, children) for name in sorted(children)}


def _below(name: str, children: Mapping[str, Collection[str]]) -> frozenset[str]:
    below: set[str] = set()
    todo = set(children[name])
    while todo:
        below |= todo
        todo = {child for each in todo for child in children[each]} - below
    return frozenset(below)


def _size_frame(sizes: Sizes) -> pl.DataFrame:
    widths = [size[0] for size in sizes.values()]
    heights = [size[1] for size in sizes.values()]
    schema = {"image_id": pl.String, "width": pl.Int32, "height": pl.Int32}
    return pl.DataFrame({"image_id": list(sizes), "width": widths, "height": heights}, schema=schema)


def _path_of(image_dir: str) -> pl.Expr:
    """Return the path of an image on disk, in a folder named by the first two digits of its id."""
    return pl.format("{}/{}/{}.jpg", pl.lit(image_dir), pl.col("image_id").str.slice(0, 2), "image_id")


def _plain(column: str) -> pl.Expr:
    """Return text without HTML entities."""
    text = pl.col(column)
    escaped = text.str.contains("&", literal=True)
    return pl.when(escaped).then(text.map_elements(html.unescape, return_dtype=pl.String)).otherwise(text)
