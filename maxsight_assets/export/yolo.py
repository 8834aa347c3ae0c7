"""Export the splits in the format of YOLO programs: lists of images, a text file of boxes per image, `data.yaml`.

`images` is a symbolic link to the root of the images, and the lists name the images below it. YOLO finds the labels of
an image by replacing `/images/` in its path with `/labels/`.
"""

from pathlib import Path, PurePosixPath
from typing import Any

import polars as pl
import yaml

from maxsight_assets.errors import LandingError
from maxsight_assets.export import directory, notes, rules
from maxsight_assets.export.report import Exported, counts_of
from maxsight_assets.export.version import SplitTables, Version, read_version
from maxsight_assets.labels.assistive import derive
from maxsight_assets.places import Places

CONFIG_FILE = "data.yaml"
_NUMBERS = ("class", "cx", "cy", "cw", "ch")


def export_yolo(places: Places, out: Path, *, image_root: Path | None = None) -> Exported:
    """Write the published splits for YOLO programs.

    Args:
        places: The directories of the splits and the images.
        out: The directory to write; an earlier export of this format is replaced.
        image_root: A directory with the images laid out as in DATA_DIR; DATA_DIR itself by default.

    Raises:
        SettingsError: No splits are published.
        Refused: `out` holds anything but an untouched export of this format.
        NotPublished: An image is missing, or the written files differ from the splits.
        LandingError: The disk failed or has no symbolic links, or the published splits were changed.
    """
    out, root = out.absolute(), (image_root or places.data_dir).absolute()
    directory.refuse_reserved(out, places)
    version = read_version(places)

    def write(beside: Path) -> None:
        try:
            (beside / "images").symlink_to(root, target_is_directory=True)
        except OSError as error:
            raise LandingError(f"{out}: its disk has no symbolic links ({error.strerror}); choose another") from error
        for name, split in version.splits.items():
            _write_split(beside, name, split, version)
        (beside / CONFIG_FILE).write_text(_config(version, out), encoding="utf-8")
        rules.require(_read_back(beside, version, root))

    directory.put(out, "yolo", version, selection={"image_root": str(root)}, write=write)
    notes.note(places, "yolo", out, version.data_version)
    return Exported("yolo", out, version.data_version, {name: counts_of(each) for name, each in version.splits.items()})


def _config(version: Version, out: Path) -> str:
    names = dict(enumerate(version.labels))
    lists = {name: f"{name}.txt" for name in version.splits}
    return yaml.safe_dump({"path": str(out), **lists, "names": names}, sort_keys=False, allow_unicode=True, width=1000)


def _write_split(beside: Path, name: str, split: SplitTables, version: Version) -> None:
    numbers = {label: number for number, label in enumerate(version.labels)}
    derived = derive(split.boxes, split.images).with_columns(
        pl.col("label").replace_strict(numbers, return_dtype=pl.Int32).alias("class")
    )
    line = pl.concat_str(*_NUMBERS, separator=" ")
    text = derived.group_by("image", maintain_order=True).agg(text=line.str.join("\n"))
    rows = split.images.join(text, left_on="id", right_on="image", how="left", maintain_order="left")
    for path, lines in rows.select("path", "text").iter_rows():
        label_file = beside / _label_path(path)
        label_file.parent.mkdir(parents=True, exist_ok=True)
        label_file.write_text(f"{lines}\n" if lines else "", encoding="utf-8")
    listed = "".join(f"./images/{path}\n" for path in split.images["path"])
    (beside / f"{name}.txt").write_text(listed, encoding="utf-8")


def _label_path(path: str) -> str:
    """Return the path at which YOLO looks for the labels of an image, by the image's path below `images/`."""
    return f"labels/{PurePosixPath(path).with_suffix('.txt')}"


def _read_back(beside: Path, version: Version, root: Path) -> rules.ExportView:
    """Read the written files in the way that a YOLO program does."""
    boxes, faults, records = {}, [], 0
    seen: dict[str, str] = {}
    for name, split in version.splits.items():
        listed = (beside / f"{name}.txt").read_text(encoding="utf-8").splitlines()
        if listed != [f"./images/{path}" for path in split.images["path"]]:
            faults.append(f"{name}.txt: does not list the images of the split")
        columns: dict[str, list[Any]] = {column: [] for column in rules.BOXES}
        for path in split.images["path"]:
            label_file = beside / _label_path(path)
            first = seen.setdefault(str(label_file), path)
            if first != path or "/images/" in f"/{path}":
                faults.append(f"{path}: YOLO takes its label file for that of {first}")
            for text in label_file.read_text(encoding="utf-8").splitlines():
                number, *shares = text.split(" ")
                columns["path"].append(path)
                columns["class"].append(int(number))
                for column, share in zip(_NUMBERS[1:], shares, strict=True):
                    columns[column].append(float(share))
        records += len(listed)
        boxes[name] = pl.DataFrame(columns, schema=rules.BOXES)
    return rules.ExportView(version, root, boxes, records, tuple(faults))
