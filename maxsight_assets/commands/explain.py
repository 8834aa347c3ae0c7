"""An image's whole story, read off what is published: where it came from, and what became of it and of its boxes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import msgspec
import polars as pl

from maxsight_assets.datasets.registry import SOURCES
from maxsight_assets.errors import FormatError, SettingsError
from maxsight_assets.formats.tables import Tables
from maxsight_assets.pipeline.derived import training_tables
from maxsight_assets.places import Places
from maxsight_assets.profiles.model import Profile
from maxsight_assets.publishing.stage import read_published
from maxsight_assets.splitting.build import reasons
from maxsight_assets.splitting.config import SPLITS
from maxsight_assets.splitting.write import GROUPS_FILE, LEDGER_FILE, split_path


@dataclass(frozen=True, slots=True)
class Story:
    """What is known of one image.

    Attributes:
        image: "<source>/<publisher's id>".
        facts: What there is to say of the image, in its order, by what it is about.
        boxes: What became of each box, sorted.
    """

    image: str
    facts: Mapping[str, str]
    boxes: tuple[str, ...]


class _Image(msgspec.Struct, gc=False):
    id: int
    file_name: str
    source: str
    source_id: str
    orientation: int = 1
    rotation: int = 0
    audio_path: str | None = None


class _Box(msgspec.Struct, gc=False):
    image_id: int
    category_id: int
    source_id: str
    iscrowd: int


class _Category(msgspec.Struct):
    id: int
    name: str


class _Document(msgspec.Struct):
    images: list[_Image]
    annotations: list[_Box]
    categories: list[_Category]


def explain(image_id: str, profile: Profile, places: Places) -> list[Story]:
    """Tell the story of each image that an id may mean.

    Args:
        image_id: The publisher's id ("139"), with its source ("coco/139"), the file's name ("000000000139"), or the
            number that the image has in a split.
        profile: Says which datasets are on.
        places: Where everything is published.

    Raises:
        SettingsError: No training or evaluation image has such an id, or nothing is published yet.
        FormatError: A published file is damaged.
    """
    if read_published(places.splits) is None:
        raise SettingsError(f"cleaned_splits: nothing is published in {places.splits}; materialize it first")
    tables = training_tables(profile.sources, places)
    documents = {split: _read(split_path(places.splits, split)) for split in SPLITS}
    numbers = {
        (image.source, image.source_id)
        for document in documents.values()
        for image in document.images
        if str(image.id) == image_id
    }
    stem = pl.col("path").str.split("/").list.last().str.replace(r"\.[a-z]+$", "")
    by_id = (pl.col("image_id") == image_id) | (pl.format("{}/{}", "source", "image_id") == image_id)
    ledger = _table(places.splits / LEDGER_FILE)
    named = [tables.images.filter(by_id | (stem == image_id)), ledger.filter(by_id)]
    keys = sorted(numbers.union(*(table.select("source", "image_id").iter_rows() for table in named)))
    watched = dict(_evaluated(image_id, places))
    if not keys and not watched:
        raise SettingsError(f"{image_id}: no image of the training data or of an evaluation set has this id")
    stories = [_story(key, tables, ledger, documents, places) for key in keys]
    for key, name in sorted(watched.items()):
        stories.append(Story("/".join(key), {"evaluation": f"in {name}: kept out of training"}, ()))
    return stories


def _read(path: Path) -> _Document:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Document)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise FormatError(f"{path}: {error}; materialize it again") from None


def _table(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path, memory_map=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise FormatError(f"{path}: {error}; materialize cleaned_splits again") from None


def _evaluated(image_id: str, places: Places) -> Iterator[tuple[tuple[str, str], str]]:
    """Evaluation images of an id, and the set that holds them."""
    for path in sorted(places.evaluation.glob("*/annotations.json")):
        for image in _read(path).images:
            ids = {
                image.source_id,
                f"{image.source}/{image.source_id}",
                str(image.id),
                PurePosixPath(image.file_name).stem,
            }
            if image_id in ids:
                yield (image.source, image.source_id), path.parent.name


def _story(
    key: tuple[str, str],
    tables: Tables,
    ledger: pl.DataFrame,
    documents: Mapping[str, _Document],
    places: Places,
) -> Story:
    mine = (pl.col("source") == key[0]) & (pl.col("image_id") == key[1])
    ledger = ledger.filter(mine)
    fate, boxes, audio, turned = "in none", [], None, None
    for split, document in documents.items():
        names = {category.id: category.name for category in document.categories}
        for found in document.images:
            if (found.source, found.source_id) == key:
                fate, audio = f"{split}, as image {found.id}", found.audio_path
                turned = _turned(found)
                boxes += [
                    f"box {box.source_id}: kept as {names[box.category_id]}{', a crowd' if box.iscrowd else ''}"
                    for box in document.annotations
                    if box.image_id == found.id
                ]
    said = [_said(row) for row in ledger.filter(kind="image").iter_rows(named=True)]
    facts = {
        **_published(key[0], tables.images.filter(mine), places),
        "group": _group("/".join(key), _table(places.splits / GROUPS_FILE)),
        "what became of it": "; ".join(said) or "sound",
        "split": fate,
        "turned": turned,
        "audio": audio,
    }
    boxes += [f"box {row['box_id']}: {_said(row)}" for row in ledger.filter(kind="box").iter_rows(named=True)]
    return Story("/".join(key), {name: text for name, text in facts.items() if text}, tuple(sorted(boxes)))


def _turned(image: _Image) -> str | None:
    """Say by what a picture is to be turned; its boxes lie on it as it is stored."""
    said = [f"EXIF orientation {image.orientation}"] * (image.orientation != 1)
    said += [f"rotation {image.rotation}, as the publisher states"] * (image.rotation != 0)
    return f"{' and '.join(said)}; boxes lie on the picture as stored" if said else None


def _published(source: str, images: pl.DataFrame, places: Places) -> dict[str, str | None]:
    """What the raw dataset says of the image."""
    for image in images.head(1).iter_rows(named=True):
        return {
            "file": f"{image['path']}, {image['width']}x{image['height']} as published",
            "came from": _origin(source, image["path"], places),
            "licence": image["license"] or "unknown",
            "page": image["page"],
        }
    return {"file": "the dataset, as it is published now, does not list it"}


def _said(row: Mapping[str, str | None]) -> str:
    done = "repaired" if row["action"] == "repair" else "dropped"
    change = f"{row['before']}" + (f" -> {row['after']}" if row["after"] else "")
    return f"{done} by {row['rule']} {change}: {reasons()[str(row['rule'])]}"


def _origin(source: str, path: str, places: Places) -> str:
    """Where the image's file was landed from, and how its bytes were verified."""
    directory = SOURCES[source].directory
    manifest = read_published(places.data_dir / directory)
    row = manifest.rows.get(path.removeprefix(f"{directory}/")) if manifest else None
    if row is None:
        return "not landed"
    return f"{row.origin or 'upstream'}, verified by {row.level}, sha256 {row.sha256}"


def _group(key: str, edges: pl.DataFrame) -> str:
    """The other images of the group, and how each is known to show the same picture."""
    seen, todo, told = {key}, [key], []
    while todo:
        one = todo.pop()
        near = edges.filter((pl.col("left") == one) | (pl.col("right") == one))
        for left, right, reason, distance in near.iter_rows():
            other = right if left == one else left
            if other not in seen:
                seen.add(other)
                todo.append(other)
                bits = "" if distance is None else f", {distance} bits"
                told.append(f"{other} ({reason}{bits}, by {one})")
    return "; ".join(sorted(told)) or "alone"
