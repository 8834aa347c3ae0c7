"""Export the splits as MaxSight's gold plane: lines of JSON, their metadata, and a training configuration.

The format is that of MaxSight at c1977e4 (2026-08-06). Its training program reads nothing else, so MaxSight itself
needs no change. Paths are those of the machine that trains, so an export is written only when the user asks for it.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import polars as pl
import yaml

from maxsight_assets.errors import SettingsError
from maxsight_assets.export import directory, notes, rules
from maxsight_assets.export.report import Exported, SplitCounts, counts_of
from maxsight_assets.export.version import SplitTables, Version, read_version
from maxsight_assets.labels.assistive import SMALLEST_SIDE, derive
from maxsight_assets.labels.space import load_space
from maxsight_assets.places import Places
from maxsight_assets.splitting.config import SPLITS
from maxsight_assets.splitting.write import UNKNOWN_LIGHTING, split_path

DATASET_ID = "maxsight-assets"
CONFIG_FILE = "maxsight_assets.yaml"
REGISTRY_FILE = "registry_entry.yaml"
CLASSES = 622
LabelSpaceName = Literal["accessibility_622"]

_Center = Annotated[float, msgspec.Meta(ge=0, le=1)]
_Side = Annotated[float, msgspec.Meta(ge=SMALLEST_SIDE, le=1)]
_Class = Annotated[int, msgspec.Meta(ge=0, lt=CLASSES)]
_Zone = Annotated[int, msgspec.Meta(ge=0, le=2)]
_Urgency = Annotated[int, msgspec.Meta(ge=0, le=3)]
_Text = Annotated[str, msgspec.Meta(min_length=1)]
_Pixels = Annotated[int, msgspec.Meta(ge=1)]
_SplitName = Annotated[str, msgspec.Meta(pattern="^(train|val|test)$")]
_Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class _Metadata(msgspec.Struct, forbid_unknown_fields=True):
    conditions: dict[Literal["lighting"], _Text]
    dataset_id: _Text
    height: _Pixels
    label_space: LabelSpaceName
    original_id: int
    source_file: _Text
    source_format: _Text
    split: _SplitName
    version: _Text
    width: _Pixels


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    boxes: list[tuple[_Center, _Center, _Side, _Side]]
    distances: list[_Zone]
    image_path: _Text
    labels: list[_Class]
    metadata: _Metadata
    object_urgencies: list[_Urgency]
    scene_urgency: _Urgency
    schema_version: Literal["1.0"]


class _Shard(msgspec.Struct, forbid_unknown_fields=True):
    uri: _Text
    num_lines: int
    sha256: _Digest


class _Meta(msgspec.Struct, forbid_unknown_fields=True):
    meta_schema_version: Literal["1.0"]
    line_schema_version: Literal["1.0"]
    label_space: LabelSpaceName
    num_classes: int
    class_map_hash: _Digest
    num_samples: int
    shards: list[_Shard]
    built_at: _Text
    dataset_id: _Text
    version: _Text
    split: _Text
    source_datasets: list[str]
    source_annotation: _Text
    num_skipped: int


def export_maxsight(places: Places, out: Path, *, image_root: Path | None = None) -> Exported:
    """Write the published splits for MaxSight's training program.

    Args:
        places: The directories of the splits and the images.
        out: The directory to write; an earlier export of this format is replaced.
        image_root: A directory with the images laid out as in DATA_DIR; DATA_DIR itself by default.

    Raises:
        SettingsError: No splits are published, their label space is not the detector's, or train or val is empty.
        Refused: `out` holds anything but an untouched export of this format.
        NotPublished: An image is missing, or the written files differ from the splits.
        LandingError: The disk failed, or the published splits were changed.
    """
    out, root = out.absolute(), (image_root or places.data_dir).absolute()
    directory.refuse_reserved(out, places)
    version = read_version(places)
    _require_trainable(version)

    def write(beside: Path) -> None:
        for name, split in version.splits.items():
            _write_split(beside, name, split, version, root)
        _write_yaml(beside / CONFIG_FILE, _config(version, out, root), _CONFIG_HEAD.format(out / CONFIG_FILE))
        _write_yaml(beside / REGISTRY_FILE, [_registry_entry(version, root)], _REGISTRY_HEAD)
        rules.require(_read_back(beside, version, root))

    directory.put(out, "maxsight", version, selection={"image_root": str(root)}, write=write)
    notes.note(places, "maxsight", out, version.data_version)
    keeps = _template("maxsight_training.yaml")["data"]["max_objects"]
    counts = {name: _counts(split, keeps) for name, split in version.splits.items()}
    return Exported("maxsight", out, version.data_version, counts)


def class_map_hash(labels: tuple[str, ...]) -> str:
    """Return the digest by which the gold plane identifies an order of classes."""
    pairs = json.dumps(list(enumerate(labels)), separators=(",", ":"))
    return hashlib.sha256(pairs.encode()).hexdigest()


def _require_trainable(version: Version) -> None:
    if version.labels != load_space().names:
        raise SettingsError(
            "cleaned_splits: its label space is not the detector's, which knows no other; "
            "materialize it with label_space: maxsight"
        )
    for name in ("train", "val"):
        if version.splits[name].boxes.is_empty():
            raise SettingsError(f"cleaned_splits: {name} holds no boxes, and training needs some; ask for more images")


def _write_split(beside: Path, name: str, split: SplitTables, version: Version, root: Path) -> None:
    encode = msgspec.json.Encoder(order="sorted").encode
    data = b"".join(encode(line) + b"\n" for line in _lines(name, split, version, root))
    shard = beside / f"{name}.jsonl"
    shard.write_bytes(data)
    with_boxes = split.boxes["image"].n_unique()
    meta = _Meta(
        meta_schema_version="1.0",
        line_schema_version="1.0",
        label_space="accessibility_622",
        num_classes=CLASSES,
        class_map_hash=class_map_hash(version.labels),
        num_samples=with_boxes,
        shards=[_Shard(shard.name, with_boxes, hashlib.sha256(data).hexdigest())],
        built_at=version.published_at,
        dataset_id=DATASET_ID,
        version=version.name,
        split=name,
        source_datasets=sorted(split.images["source"].unique()),
        source_annotation=split_path(version.directory, name).name,
        num_skipped=split.images.height - with_boxes,
    )
    text = msgspec.json.format(msgspec.json.encode(meta, order="sorted"), indent=2)
    (beside / f"{name}_meta.json").write_bytes(text + b"\n")


def _lines(name: str, split: SplitTables, version: Version, root: Path) -> Iterator[_Line]:
    """Yield the lines of a split, by image path; images without boxes, which MaxSight never loads, have no line."""
    numbers = {label: number for number, label in enumerate(version.labels)}
    derived = derive(split.boxes, split.images).with_columns(
        number=pl.col("label").replace_strict(numbers, return_dtype=pl.Int32),
        box=pl.concat_list("cx", "cy", "cw", "ch"),
    )
    objects = derived.group_by("image", maintain_order=True).agg("box", "distance", "number", "urgency")
    rows = split.images.join(objects, left_on="id", right_on="image").sort("path")
    source_file = split_path(version.directory, name).name
    for row in rows.iter_rows(named=True):
        yield _Line(
            boxes=row["box"],
            distances=row["distance"],
            image_path=str(root / row["path"]),
            labels=row["number"],
            metadata=_Metadata(
                conditions={"lighting": UNKNOWN_LIGHTING},
                dataset_id=DATASET_ID,
                height=row["height"],
                label_space="accessibility_622",
                original_id=row["id"],
                source_file=source_file,
                source_format="coco_instances",
                split=name,
                version=version.name,
                width=row["width"],
            ),
            object_urgencies=row["urgency"],
            scene_urgency=max(row["urgency"]),
            schema_version="1.0",
        )


def _counts(split: SplitTables, keeps: int) -> SplitCounts:
    of_image = split.boxes["image"].value_counts()["count"]
    return counts_of(split, beyond=int((of_image > keeps).sum()), skipped=split.images.height - of_image.len())


_CONFIG_HEAD = """\
# Written by `maxsight-assets export maxsight`. In a checkout of MaxSight:
#     python scripts/ops/train_maxsight.py --config {}
# Paths of checkpoint and logging are relative to the directory in which it runs.
"""

_REGISTRY_HEAD = """\
# Only for the other data plane (data.data_plane: legacy): append this to `datasets` in MaxSight's
# ml/training/configs/registry/datasets.yaml.
"""


def _config(version: Version, out: Path, root: Path) -> dict[str, Any]:
    config = _template("maxsight_training.yaml")
    config["data"] |= {f"gold_{name}_meta": str(out / f"{name}_meta.json") for name in SPLITS}
    config["data"] |= {f"{name}_annotation_file": str(split_path(version.directory, name)) for name in SPLITS}
    config["data"]["image_dir"] = str(root)  # required, though the gold plane does not read it
    config["dataset"] |= {"dataset_id": DATASET_ID, "dataset_version": version.name}
    return config


def _registry_entry(version: Version, root: Path) -> dict[str, Any]:
    paths = {name: str(split_path(version.directory, name)) for name in SPLITS}
    filled = {"id": DATASET_ID, "version": version.name, "splits": paths, "image_dir": str(root)}
    return filled | _template("maxsight_registry.yaml")


def _template(name: str) -> dict[str, Any]:
    text = files("maxsight_assets.export").joinpath(name).read_text(encoding="utf-8")
    filled: dict[str, Any] = yaml.safe_load(text)
    return filled


def _write_yaml(path: Path, value: Any, head: str) -> None:
    path.write_text(head + yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=1000), encoding="utf-8")


def _read_back(beside: Path, version: Version, root: Path) -> rules.ExportView:
    """Read the written files in the way that the detector's reader does."""
    boxes: dict[str, pl.DataFrame] = {}
    faults: list[str] = []
    records = 0
    for name in version.splits:
        path = beside / f"{name}.jsonl"
        lines = path.read_bytes().splitlines(keepends=True)
        records += len(lines) + 1
        faults += _meta_faults(path, len(lines))
        read = [_read_line(line) for line in lines]
        faults += [f"{name}, line {number}: {each}" for number, each in enumerate(read, 1) if isinstance(each, str)]
        sound = [each for each in read if isinstance(each, _Line)]
        order = [each.image_path for each in sound]
        if order != sorted(set(order)):
            faults.append(f"{name}: its lines are not in the order of their images, each once")
        boxes[name] = _boxes(sound, root)
    return rules.ExportView(version, root, boxes, records, tuple(faults))


def _read_line(data: bytes) -> _Line | str:
    try:
        line = msgspec.json.decode(data, type=_Line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return str(error)
    lengths = {len(each) for each in (line.boxes, line.distances, line.labels, line.object_urgencies)}
    if len(lengths) != 1 or msgspec.json.encode(line, order="sorted") + b"\n" != data:
        return "its lists are not of one length, or its text is not in the stated form"
    return line


def _meta_faults(shard: Path, lines: int) -> Iterator[str]:
    path = shard.with_name(f"{shard.stem}_meta.json")
    try:
        meta = msgspec.json.decode(path.read_bytes(), type=_Meta)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        yield f"{path.name}: {error}"
        return
    digest = hashlib.sha256(shard.read_bytes()).hexdigest()
    if meta.shards != [_Shard(shard.name, lines, digest)] or meta.num_samples != lines:
        yield f"{path.name}: does not describe its shard"


def _boxes(lines: list[_Line], root: Path) -> pl.DataFrame:
    prefix = f"{root}/"
    columns: Mapping[str, list[Any]] = {name: [] for name in rules.BOXES}
    for line in lines:
        columns["path"].extend([line.image_path.removeprefix(prefix)] * len(line.boxes))
        columns["class"].extend(line.labels)
        for place, name in enumerate(("cx", "cy", "cw", "ch")):
            columns[name].extend(box[place] for box in line.boxes)
    return pl.DataFrame(columns, schema=rules.BOXES)
