"""Rules for `cleaned_splits`: those of all written COCO files, and that the splits share nothing, evaluation included.

Groups of equal pictures are found anew from the files, not taken from what the build says.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec
import polars as pl
from pydantic import ValidationError

from maxsight_assets.errors import FormatError
from maxsight_assets.formats.tables import LEDGER, Tables
from maxsight_assets.images.groups import NODES, group
from maxsight_assets.splitting.config import SPLITS, SplitConfig
from maxsight_assets.splitting.leaks import LEAKS
from maxsight_assets.splitting.write import LEDGER_FILE, split_path
from maxsight_assets.verdict import Found, Rule, rule
from maxsight_assets.verification import schema
from maxsight_assets.verification.evaluation import EvaluationView
from maxsight_assets.verification.outputs import IMAGE_NAME, OUTPUT_RULES, REBUILD, OutputView

REPORT_FILE = "report.json"

BALANCED_FROM = 100
"""Boxes of a class from which on its balance is judged; with fewer, chance alone makes large deviations."""

MAX_DEVIATION = 0.5
"""How far a class's part in val or test may be from that split's part of all boxes, as a share of the latter."""

CHANCE = 5
"""Standard deviations that a split may miss its share by: the hash draws, so a share is not met exactly."""


class _Audio(msgspec.Struct):
    paired: int
    unreadable: dict[str, str]
    unpaired_files: list[str]
    unpaired_images: list[str]


class _Report(msgspec.Struct):
    audio: _Audio | None = None
    lacking: dict[str, str] = {}


@dataclass(frozen=True, kw_only=True)
class SplitsView(OutputView):
    """The directory of `cleaned_splits`.

    Attributes:
        evaluation: The published evaluation sets.
        inputs: Reads the images and boxes that the splits were made from; None where those have been replaced since.
    """

    evaluation: EvaluationView
    inputs: Callable[[], Tables] | None

    @property
    def paths(self) -> Mapping[str, Path]:
        """The file of each split."""
        return {split: split_path(self.root, split) for split in SPLITS}

    @cached_property
    def ledger(self) -> pl.DataFrame | None:
        """LEDGER table; None where it cannot be read as one."""
        try:
            ledger = pl.read_parquet(self.root / LEDGER_FILE, memory_map=False)
        except (OSError, pl.exceptions.PolarsError):
            return None
        return ledger if ledger.schema == LEDGER else None

    @cached_property
    def report(self) -> _Report | None:
        """The report of the build; None where it cannot be read."""
        try:
            return msgspec.json.decode((self.root / REPORT_FILE).read_bytes(), type=_Report)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return None

    @property
    def lacking(self) -> Mapping[str, str]:
        """Why a dataset is not in the splits, by its name."""
        return self.report.lacking if self.report else {}

    @cached_property
    def _config(self) -> SplitConfig | ValidationError:
        stated = (document.info.get("config") for document in self.documents.values())
        try:
            return SplitConfig.model_validate(next((config for config in stated if config), {}))
        except ValidationError as error:
            return error

    @property
    def config(self) -> SplitConfig:
        """How the splits were asked to be made, by what the first file that can be read says; else the defaults."""
        return self._config if isinstance(self._config, SplitConfig) else SplitConfig()

    @property
    def problems(self) -> tuple[str, ...]:
        """Why files cannot be used, one sentence each."""
        stated = self._config
        return super().problems + (
            ("info.config is not one of this release",) if isinstance(stated, ValidationError) else ()
        )

    @property
    def may_be_empty(self) -> Collection[str]:
        """Splits of which no image was asked for."""
        sizes = self.config.sizes
        return tuple(split for split, size in (("val", sizes.val), ("test", sizes.test)) if not size)

    @property
    def why_empty(self) -> str | None:
        """All images that cleaning kept may have been copies of evaluation images."""
        leaked = 0 if self.ledger is None else self.ledger.filter(kind="image", action="drop", rule=LEAKS.name).height
        if self.images.height or not leaked:
            return None
        return (
            f"All {leaked:,} images that cleaning kept show a picture of an evaluation set ({LEAKS.name} in the "
            "ledger). Land other training images; if train and evaluation splits hold the same files, correct that."
        )

    @cached_property
    def groups(self) -> pl.DataFrame:
        """One row an image of a split or evaluation set: part, path, evaluates, group of equal pictures."""
        both = pl.concat(
            [
                self.images.with_columns(evaluates=pl.lit(value=False)),
                self.evaluation.images.with_columns(evaluates=pl.lit(value=True)),
            ]
        )
        facts = pl.concat([self.facts, self.evaluation.facts]).unique("sha256").select("sha256", "pixels", "phash")
        images = both.unique("path", maintain_order=True).join(facts, on="sha256", how="left", maintain_order="left")
        members = group(images.rename({"path": "key"}).select(NODES.names()), radius=self.config.near_radius).members
        return both.select("part", "path", "evaluates").join(members, left_on="path", right_on="key", how="left")


@rule(REBUILD, severity="error", blocking=True)
def splits_share_no_image(view: SplitsView) -> Found:
    """No image is in two splits, by its path, its id or its publisher's id."""
    keys: tuple[pl.Expr, ...] = (pl.col("path"), pl.col("id"), pl.struct("source", "source_id"))
    twice = pl.any_horizontal(pl.col("part").n_unique().over(key) > 1 for key in keys)
    return Found(view.images.filter(twice).select(IMAGE_NAME).to_series(), view.images.height)


@rule(REBUILD, severity="error", blocking=True, reads_images=True)
def splits_share_no_picture(view: SplitsView) -> Found:
    """No picture is in two splits, as a copy, a near copy or under one Flickr id in two datasets."""
    training = view.groups.filter(~pl.col("evaluates"))
    shared = training.filter(pl.col("part").n_unique().over("group") > 1)
    return Found(shared.select(IMAGE_NAME).to_series(), training.height, {"groups": training["group"].n_unique()})


@rule(REBUILD, severity="error", blocking=True, reads_images=True)
def evaluation_is_unseen(view: SplitsView) -> Found:
    """No picture of an evaluation set is in a split, not even a near copy; metrics would be a lie."""
    leaked = view.groups.filter(~pl.col("evaluates") & pl.col("evaluates").any().over("group"))
    facts = {"evaluation images": view.evaluation.images.height}
    unread = view.evaluation.problems if view.evaluation.paths else ("no evaluation set is published",)
    looked_at = view.evaluation.facts.filter(pl.col("error").is_null()).select("sha256")
    unknown = view.evaluation.images.unique("path").join(looked_at, on="sha256", how="anti")
    unknown_names = unknown.select(pl.format("{}, cannot be compared with", IMAGE_NAME)).to_series()
    offenders = [*unread, *unknown_names, *leaked.select(IMAGE_NAME).to_series()]
    return Found(offenders, view.groups.height + len(unread), facts)


@rule(REBUILD, severity="error", blocking=True)
def ledger_balances(view: SplitsView) -> Found:
    """Every record that came in is in a split or dropped in the ledger, and is so once."""
    if view.ledger is None:
        return Found([f"{LEDGER_FILE}: missing, unreadable or of another schema"], 1)
    if view.inputs is None:
        return Found((), 0, {"skipped": "the inputs have been replaced since the splits were made"})
    try:
        inputs = view.inputs()
    except (FormatError, OSError) as error:  # their own checks name what was damaged since
        return Found([f"not looked at: what the splits were made from cannot be read ({error})"], 1)
    dropped = view.ledger.filter(pl.col("action") == "drop")
    differences = [
        (kind, *difference)
        for kind, came_in, accounted in _accounts(view, inputs, _original_ids(dropped, view.ledger), view.ledger)
        for difference in _differences(came_in, accounted)
    ]
    offenders = [
        f"{source}, {kind} {record}: came in {came}, accounted for {told} times"
        for kind, source, record, came, told in differences
    ]
    strangers = sum(not came for *_, came, _ in differences)
    rules = dropped.group_by(pl.format("dropped: {} {}", "kind", "rule")).len().sort(pl.all())
    return Found(offenders, inputs.images.height + inputs.boxes.height + strangers, dict(rules.iter_rows()))


def _accounts(
    view: SplitsView, inputs: Tables, dropped: pl.DataFrame, ledger: pl.DataFrame
) -> Iterator[tuple[str, pl.DataFrame, pl.DataFrame]]:
    """Keys of the records that came in, and of those that stayed or were dropped, by kind."""
    images = view.images.select("source", image_id="source_id")
    gone = dropped.filter(pl.col("kind") == "image").select("source", "image_id")
    yield "image", inputs.images.select("source", "image_id"), pl.concat([images, gone])
    key = ("source", "image_id", "box_id")
    of_image = view.images.select("part", image="id", image_id="source_id").unique(["part", "image"])
    boxes = view.boxes.join(of_image, on=["part", "image"], how="left").with_columns(box_id="source_id")
    stayed = _original_ids(boxes.select(key), ledger)
    yield "box", inputs.boxes.select(key), pl.concat([stayed, dropped.filter(pl.col("kind") == "box").select(key)])


def _original_ids(boxes: pl.DataFrame, ledger: pl.DataFrame) -> pl.DataFrame:
    """Boxes under the ids that they came in with, where cleaning gave them others."""
    renamed = ledger.filter(rule="duplicate_box_id").select(
        "source", "image_id", came_as="box_id", box_id=pl.col("after").str.json_path_match("$.box_id")
    )
    joined = boxes.join(renamed, on=["source", "image_id", "box_id"], how="left")
    return joined.with_columns(box_id=pl.coalesce("came_as", "box_id")).drop("came_as")


def _differences(came_in: pl.DataFrame, accounted: pl.DataFrame) -> Iterator[tuple[str, str, int, int]]:
    """Source and id of each record that is accounted for more or less often than it came in, with the two numbers."""
    key = came_in.columns
    both = pl.concat([came_in.with_columns(came=1, told=0), accounted.with_columns(came=0, told=1)])
    counts = both.group_by(key).agg(pl.col("came", "told").sum()).filter(pl.col("came") != pl.col("told")).sort(key)
    record = pl.concat_str([pl.col(name).fill_null("?") for name in key[1:]], separator=", ")
    yield from counts.select("source", record, "came", "told").iter_rows()


@rule("Extend the mapping or the label space if the detector should know these classes.", severity="warn")
def labels_are_in_the_space(view: SplitsView) -> Found:
    """No box was dropped for a class that the detector has no name for."""
    if view.ledger is None:
        return Found([f"{LEDGER_FILE}: missing, unreadable or of another schema"], 1)
    outside = view.ledger.filter(pl.col("rule") == "label_outside_space")
    label = pl.col("before").str.json_path_match("$.label").fill_null("no class")
    counts = outside.group_by("source", label=label).len()
    text = pl.format("{}, {}: {} boxes", "source", "label", "len")
    return Found(counts.select(text).to_series(), outside.height + view.boxes.height, {"boxes": outside.height})


@rule("Widen the selection for these classes, or read their scores with care.", severity="warn")
def classes_are_trained(view: SplitsView) -> Found:
    """Every class that val or test measures is in train too."""
    boxes = view.boxes.filter(pl.col("crowd") == 0)
    used = {split: set(boxes.filter(pl.col("part") == split)["category"]) for split in SPLITS}
    names = dict(enumerate(view.space.names, start=1))
    offenders = [
        f"{names.get(number, number)}: in {split}, not in train"
        for split in SPLITS
        for number in used[split] - used["train"]
    ]
    facts: dict[str, str | int] = {f"{split} classes": len(used[split]) for split in SPLITS}
    top = boxes.filter(pl.col("part") == "train").group_by("category").len().sort("len", "category", descending=True)
    facts |= {f"train {names.get(number, number)}": count for number, count in top.head(5).iter_rows()}
    return Found(offenders, sum(map(len, used.values())), facts)


@rule(REBUILD, severity="error", blocking=True)
def files_keep_the_schema(view: SplitsView) -> Found:
    """Every file has the form of the published JSON Schema, which is what the detector reads."""
    faults = {path.name: schema.fault(path) for path in view.paths.values() if path.is_file()}
    return Found([f"{name}: {fault}" for name, fault in faults.items() if fault], len(view.paths))


@rule(
    "Widen the selections of the raw assets, or ask for less; numbers beyond what there is were shrunk in proportion.",
    severity="warn",
)
def sizes_are_as_asked(view: SplitsView) -> Found:
    """Every split has the number of images, or the share of them, that was asked for."""
    counts = {split: view.images.filter(pl.col("part") == split).height for split in SPLITS}
    facts = {f"{split} images": count for split, count in counts.items()}
    return Found(_missed(view.config, counts, view.images.height), len(SPLITS), facts)


def _missed(config: SplitConfig, counts: Mapping[str, int], images: int) -> Iterator[str]:
    sizes = config.sizes
    if sizes.are_counts:
        for split, wanted in (("train", sizes.train or 0), ("val", sizes.val), ("test", sizes.test)):
            if counts[split] != wanted:
                yield f"{split}: {counts[split]:,} images, {wanted:,} asked for"
    elif config.strategy != "official":
        for split, share in (("val", sizes.val), ("test", sizes.test)):
            if abs(counts[split] - share * images) > CHANCE * (images * share * (1 - share)) ** 0.5:
                yield f"{split}: {counts[split] / images:.1%} of the images, {share:.1%} asked for"


@rule("Use the strategy `stratified`, or another seed; rare classes need more images.", severity="warn")
def classes_are_balanced(view: SplitsView) -> Found:
    """Every frequent class has about the same part in val and test as it has in all splits together."""
    table = _by_class(view)
    total = {name: sum(table[name].to_list()) for name in ("val", "test", "boxes")}
    deviations = [
        (abs(row[split] * total["boxes"] / (row["boxes"] * total[split]) - 1), row["name"], split)
        for row in table.filter(pl.col("boxes") >= BALANCED_FROM).iter_rows(named=True)
        for split in ("val", "test")
        if total[split]
    ]
    offenders = [
        f"{name}: {deviation:.0%} off in {split}" for deviation, name, split in deviations if deviation > MAX_DEVIATION
    ]
    worst = max(deviations, default=None)
    facts = {"largest deviation": f"{worst[0]:.0%} ({worst[1]} in {worst[2]})"} if worst else {}
    return Found(offenders, 2 * table.height, facts)


@rule("Read the scores of these classes with care, or land more images of them.", severity="warn")
def classes_have_instances(view: SplitsView) -> Found:
    """Every class of train has the asked number of boxes (`min_instances`) in val and test."""
    table, least = _by_class(view).filter(pl.col("train") > 0), view.config.min_instances
    short = [
        f"{row['name']}: {row[split]} in {split}"
        for row in table.iter_rows(named=True)
        for split in ("val", "test")
        if row[split] < least and split not in view.may_be_empty
    ]
    return Found(short, 2 * table.height, {"asked for": least})


def _by_class(view: SplitsView) -> pl.DataFrame:
    """Boxes that are no crowds by class: `name`, `train`, `val`, `test` and their sum, `boxes`; sorted by name."""
    names = dict(enumerate(view.space.names, start=1))
    boxes = view.boxes.filter(pl.col("crowd") == 0)
    parts = [(pl.col("part") == split).sum().cast(pl.Int64).alias(split) for split in SPLITS]
    table = boxes.group_by("category").agg(*parts, pl.len().alias("boxes"))
    number = pl.col("category")
    name = number.replace_strict(names, default=number.cast(pl.String), return_dtype=pl.String)
    return table.with_columns(name=name).sort("name")


@rule("Correct or remove these files in AUDIO_DIR, or the manifest audio.csv there.", severity="warn")
def audio_is_paired(view: SplitsView) -> Found:
    """Where AUDIO_DIR is set: every image has an audio file, every file an image, and every one can be read."""
    if view.report is None:
        return Found([f"{REPORT_FILE}: missing or unreadable"], 1)
    audio = view.report.audio
    if audio is None:
        return Found((), 0, {"skipped": "no AUDIO_DIR"})
    offenders = [
        *(f"{name}: {fault}" for name, fault in audio.unreadable.items()),
        *(f"{name}: goes with no image" for name in audio.unpaired_files),
        *(f"{name}: no audio file" for name in audio.unpaired_images),
    ]
    return Found(offenders, audio.paired + len(offenders), {"paired": audio.paired})


SPLIT_RULES: tuple[Rule[SplitsView], ...] = (
    *OUTPUT_RULES,
    splits_share_no_image,
    splits_share_no_picture,
    evaluation_is_unseen,
    ledger_balances,
    labels_are_in_the_space,
    classes_are_trained,
    files_keep_the_schema,
    sizes_are_as_asked,
    classes_are_balanced,
    classes_have_instances,
    audio_is_paired,
)
"""Rules of `cleaned_splits`."""
