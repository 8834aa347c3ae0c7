"""An image's whole story, read off what is published: where it came from, and what became of it and of its boxes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import msgspec
import polars as pl

from maxsight_assets.datasets.registry import SOURCES
from maxsight_assets.errors import FormatError, SettingsError
from maxsight_assets.evaluation.build import LEDGER_FILE as EVALUATION_LEDGER
from maxsight_assets.pipeline.contents import documents
from maxsight_assets.places import Places
from maxsight_assets.profiles.model import Profile
from maxsight_assets.publishing.manifest import FileRow, problem
from maxsight_assets.publishing.stage import recovered_manifest
from maxsight_assets.splitting.build import reasons
from maxsight_assets.splitting.config import SPLITS
from maxsight_assets.splitting.write import GROUPS_FILE, LEDGER_FILE
from maxsight_assets.verification.views import MISSING


@dataclass(frozen=True, slots=True)
class Story:
    """What is known of one image.

    Attributes:
        image: "<source>/<publisher's id>".
        facts: What there is to say of the image, in its order, by what it is about.
        boxes: What became of each box, sorted.
        path: Its file, relative to DATA_DIR; None if the dataset does not list it.
    """

    image: str
    facts: Mapping[str, str]
    boxes: tuple[str, ...]
    path: str | None = None


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


@dataclass(frozen=True, slots=True)
class _Published:
    """What is published, as a story needs it.

    Attributes:
        images: IMAGES tables of the raw datasets.
        ledgers: The ledger of the splits, and that of the evaluation sets.
        documents: The splits and evaluation sets by name.
        edges: Which images show the same picture.
        places: Where all this is.
    """

    images: pl.DataFrame
    ledgers: tuple[pl.DataFrame, pl.DataFrame]
    documents: Mapping[str, _Document]
    edges: pl.DataFrame
    places: Places


def explain(wanted: str, profile: Profile, places: Places) -> list[Story]:
    """Tell the story of each image that a name may mean.

    Args:
        wanted: The publisher's id ("139"), with its source ("coco/139"), the file's name ("000000000139.jpg"), its path
            in DATA_DIR or in full, or the number that the image has in a split or evaluation set.
        profile: Says which datasets are on.
        places: Where everything is published.

    Raises:
        SettingsError: No image has such a name, or nothing is published yet.
        FormatError: A published file is damaged.
    """
    if recovered_manifest(places.splits) is None:
        raise SettingsError(f"cleaned_splits: nothing is published in {places.splits}; materialize it first")
    path = Path(wanted)
    if path.is_absolute() and path.is_relative_to(places.data_dir):
        wanted = path.relative_to(places.data_dir).as_posix()
    there = _Published(
        images=_images(profile, places),
        ledgers=(_table(places.splits / LEDGER_FILE), _table(places.evaluation / EVALUATION_LEDGER)),
        documents={name: _read(each) for name, each in documents(places).items()},
        edges=_table(places.splits / GROUPS_FILE),
        places=places,
    )
    name = pl.col("path").str.split("/").list.last()
    by_id = (pl.col("image_id") == wanted) | (pl.format("{}/{}", "source", "image_id") == wanted)
    by_file = (pl.col("path") == wanted) | (name == wanted) | (name.str.replace(r"\.[a-z]+$", "") == wanted)
    named = [there.images.filter(by_id | by_file), *(ledger.filter(by_id) for ledger in there.ledgers)]
    keys = {key for table in named for key in table.select("source", "image_id").iter_rows()}
    keys |= {
        (image.source, image.source_id)
        for document in there.documents.values()
        for image in document.images
        if str(image.id) == wanted
    }
    stories = [_story(key, there) for key in sorted(keys)] or list(_not_landed(wanted, profile, places))
    if not stories:
        raise SettingsError(f"{wanted}: no image has this id, file or path, here or in the lists of the publishers")
    return stories


def _images(profile: Profile, places: Places) -> pl.DataFrame:
    """Return the images of all that is landed, of training and evaluation alike."""
    tables = [
        source.tables(root, manifest).images
        for source in profile.sources
        if (manifest := recovered_manifest(root := places.data_dir / source.directory)) is not None
    ]
    if not tables:
        raise SettingsError(f"{places.data_dir}: no dataset is published there; materialize them first")
    return pl.concat(tables)


def _not_landed(wanted: str, profile: Profile, places: Places) -> Iterator[Story]:
    """Tell of an image that a publisher lists and that the selection did not take, or that did not come."""
    for source in profile.sources:
        root = places.data_dir / source.directory
        manifest = recovered_manifest(root)
        if manifest is None:
            continue
        image_id = PurePosixPath(wanted.removeprefix(f"{source.dataset}/")).stem
        missing = _csv(root / MISSING)
        for path, reason in missing.items():
            if PurePosixPath(path).stem == image_id:
                text = f"upstream lists it, and it did not come: {reason}"
                yield Story(f"{source.dataset}/{image_id}", {"what became of it": text}, ())
                return
        listed = source.listed(root, manifest) if source.listed else pl.DataFrame()
        own = listed.filter(pl.col("image_id").is_in([image_id, image_id.lstrip("0")])) if listed.height else listed
        for split, found in own.select("split", "image_id").iter_rows() if own.height else ():
            asked = source.selection.stored(manifest.info.selection)
            whole = listed.filter(split=split).height
            taken = source.tables(root, manifest).images.filter(split=split).height
            seed = getattr(asked, "seed", None)
            text = (
                f"listed upstream in {split}, not in your selection ({taken:,} of {whole:,}, seed {seed}); "
                f"a larger one: maxsight-assets plan {source.asset}"
            )
            yield Story(f"{source.dataset}/{found}", {"what became of it": text}, ())


def _csv(path: Path) -> dict[str, str]:
    try:
        return dict(pl.read_csv(path, infer_schema=False).select("path", "reason").iter_rows())
    except FileNotFoundError:
        return {}


def _read(path: Path) -> _Document:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Document)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise FormatError(f"{path}: {error}; materialize it again") from None


def _table(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path, memory_map=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise FormatError(f"{path}: {error}; materialize it again") from None


def _story(key: tuple[str, str], there: _Published) -> Story:
    mine = (pl.col("source") == key[0]) & (pl.col("image_id") == key[1])
    rows = there.images.filter(mine).head(1).to_dicts()
    name, held = "/".join(key), list(_held(key, there.documents))
    ledger = pl.concat([each.filter(mine) for each in there.ledgers])
    image = held[0][1] if held else None
    in_splits = [f"{split}, as image {found.id}" for split, found in held if split in SPLITS]
    in_sets = [f"in {each}, as image {found.id}: kept out of training" for each, found in held if each not in SPLITS]
    facts = {
        **_published(key[0], rows, there.places),
        "group": _group(name if in_splits or not in_sets else f"evaluation:{name}", there.edges),
        "what became of it": "; ".join(_said(row) for row in ledger.filter(kind="image").iter_rows(named=True))
        or "sound",
        "split": None if in_sets else "; ".join(in_splits) or "in none",
        "evaluation": "; ".join(in_sets),
        "turned": _turned(image) if image else None,
        "audio": image.audio_path if image else None,
    }
    boxes = [text for part, found in held for text in _kept(there.documents[part], found)]
    boxes += [f"box {row['box_id']}: {_said(row)}" for row in ledger.filter(kind="box").iter_rows(named=True)]
    shown = {about: text for about, text in facts.items() if text}
    return Story(name, shown, tuple(sorted(boxes)), rows[0]["path"] if rows else None)


def _held(key: tuple[str, str], documents: Mapping[str, _Document]) -> Iterator[tuple[str, _Image]]:
    """Yield each split or evaluation set that holds an image, with its record there."""
    for name, document in documents.items():
        for image in document.images:
            if (image.source, image.source_id) == key:
                yield name, image


def _kept(document: _Document, image: _Image) -> Iterator[str]:
    names = {category.id: category.name for category in document.categories}
    for box in document.annotations:
        if box.image_id == image.id:
            yield f"box {box.source_id}: kept as {names[box.category_id]}{', a crowd' if box.iscrowd else ''}"


def _turned(image: _Image) -> str | None:
    """Say by what a picture is to be turned; its boxes lie on it as it is stored."""
    said = [f"EXIF orientation {image.orientation}"] * (image.orientation != 1)
    said += [f"rotation {image.rotation}, as the publisher states"] * (image.rotation != 0)
    return f"{' and '.join(said)}; boxes lie on the picture as stored" if said else None


def _published(source: str, rows: list[dict[str, object]], places: Places) -> dict[str, str | None]:
    """What the raw dataset says of the image, and its file on the disk."""
    for image in rows:
        path = str(image["path"])
        row = _row(source, path, places)
        root = places.data_dir / SOURCES[source].directory
        return {
            "file": f"{path}, {image['width']}x{image['height']} as published",
            "came from": _origin(row),
            "file now": f"no longer what was verified: {fault}" if row and (fault := problem(root, row)) else None,
            "licence": str(image["license"] or "unknown"),
            "page": str(image["page"]) if image["page"] else None,
        }
    return {"file": "the dataset, as it is published now, does not list it"}


def _said(row: Mapping[str, str | None]) -> str:
    done = "repaired" if row["action"] == "repair" else "dropped"
    change = f"{row['before']}" + (f" -> {row['after']}" if row["after"] else "")
    return f"{done} by {row['rule']} {change}: {reasons().get(str(row['rule']), 'kept out of the evaluation set')}"


def _row(source: str, path: str, places: Places) -> FileRow | None:
    directory = SOURCES[source].directory
    manifest = recovered_manifest(places.data_dir / directory)
    return manifest.rows.get(path.removeprefix(f"{directory}/")) if manifest else None


def _origin(row: FileRow | None) -> str:
    """Where the image's file was landed from, and how its bytes were verified."""
    if row is None:
        return "not landed"
    when = f" on {row.verified_at[:16]}" if row.verified_at else ""
    return f"{row.origin or 'upstream'}, verified by {row.level}{when}, sha256 {row.sha256}"


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
