"""Rules for `inference_eval_set`: those of all written COCO files, and the promises of the contract.

A metric is worth what these hold: whoever reads the contract must find just that in the files.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from maxsight_assets.disk import sha256_of
from maxsight_assets.evaluation.apart import IN_ANOTHER_SET
from maxsight_assets.evaluation.build import ANNOTATIONS, CONTRACT, LEDGER_FILE
from maxsight_assets.images.groups import NODES, group
from maxsight_assets.verdict import Found, Rule, rule
from maxsight_assets.verification.outputs import IMAGE_NAME, OUTPUT_RULES, REBUILD, REPAIR_INPUT, OutputView


@dataclass(frozen=True, kw_only=True)
class EvaluationView(OutputView):
    """The directory of `inference_eval_set`.

    Attributes:
        before: The version before; None if this is the first.
    """

    before: "EvaluationView | None" = None

    @property
    def paths(self) -> Mapping[str, Path]:
        """The annotation file of each set that is there or promised, by its name."""
        there = {path.parent.name for path in self.root.glob(f"*/{ANNOTATIONS}")}
        return {name: self.root / name / ANNOTATIONS for name in sorted(there | self.promised.keys())}

    @property
    def promised(self) -> Mapping[str, Any]:
        """What the contract says of each set, by its name; nothing where it cannot be read."""
        sets = self._contract.get("sets")
        return sets if isinstance(sets, dict) else {}

    @cached_property
    def _contract(self) -> Mapping[str, Any]:
        try:
            read = json.loads((self.root / CONTRACT).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return read if isinstance(read, dict) else {}

    @property
    def may_be_empty(self) -> frozenset[str]:
        """Sets whose publisher's boxes are not landed, as the contract says."""
        return frozenset(
            name for name, each in self.promised.items() if isinstance(each, dict) and each.get("has_boxes") is False
        )

    @cached_property
    def in_another_set(self) -> pl.DataFrame:
        """The images that are left out because another set shows them: source, source_id; none if no ledger is read."""
        try:
            ledger = pl.read_parquet(self.root / LEDGER_FILE, memory_map=False)
            left_out = ledger.filter(kind="image", rule=IN_ANOTHER_SET.name)
            return left_out.select("source", source_id="image_id").unique()
        except (OSError, pl.exceptions.PolarsError):
            return pl.DataFrame(schema={"source": pl.String, "source_id": pl.String})

    @property
    def lacking(self) -> Mapping[str, str]:
        """Why a set is missing or of the version before, by its name."""
        said = self._contract.get("lacking")
        return {name: str(reason) for name, reason in said.items()} if isinstance(said, dict) else {}

    @property
    def kept(self) -> frozenset[str]:
        """Sets whose dataset is not landed now."""
        return frozenset(self.lacking.keys() & self.promised.keys())

    @property
    def held_to(self) -> "tuple[EvaluationView, list[str]] | None":
        """The version before, and its sets that must not have changed; None if there is none."""
        if self.before is None or self.manifest is None or self.before.manifest is None:
            return None
        older, later = sorted(
            (self.before.manifest.info, self.manifest.info), key=lambda info: info.published_at or ""
        )  # after a rollback the version before is the later one, whose reasons count
        if later.selection.get(MAY_CHANGE):
            return self.before, []
        made_of, was_made_of = (info.selection.get(MADE_OF) or {} for info in (later, older))
        moved = {name for name in made_of.keys() & was_made_of.keys() if made_of[name] != was_made_of[name]}
        left_out = set(self._contract.get("left_out") or ())  # by the user's settings
        return self.before, [name for name in self.before.paths if name not in moved | left_out]


MAY_CHANGE = "evaluation_may_change"
MADE_OF = "made_of"
"""Where a version's selection notes that its sets may differ from those before, and what upstream had of each set."""


def what_is_evaluated(view: OutputView, *, without: pl.DataFrame) -> pl.DataFrame:
    """One row an image and a box: part, record, path, and `content`, which decides a score.

    Args:
        view: The sets.
        without: Images that are passed over, with their boxes: source, source_id.
    """
    images = view.images.join(without, on=["source", "source_id"], how="anti")
    paths = images.unique(["part", "id"]).select("part", "path", image="id", known=pl.lit(value=True))
    boxes = view.boxes.join(paths, on=["part", "image"], how="left")
    boxes = boxes.filter(pl.col("known").is_not_null() | ~pl.col("listed")).select(
        "part",
        record=pl.format("box {} of", "source_id"),
        path="path",
        content=pl.struct("category", "x", "y", "w", "h", "crowd").struct.json_encode(),
    )
    return pl.concat([images.select("part", record=pl.lit("image"), path="path", content="stated"), boxes])


@rule(
    "Restore the selection or the files; if scores need not compare with earlier ones, state `evaluation_may_change` "
    "in the run config of inference_eval_set.",
    severity="error",
    blocking=True,
)
def evaluation_is_the_same(view: EvaluationView) -> Found:
    """The images and boxes of each set are those of the version before, unless upstream changed or the user says so.

    An image that comes or goes because of a picture in another set is passed over: the ledger says so of it.
    """
    held_to = view.held_to
    if held_to is None:
        return Found((), view.images.height, {"compared with": "nothing, this is the first version"})
    before, names = held_to
    in_question = pl.col("part").is_in(names)
    without = pl.concat([view.in_another_set, before.in_another_set]).unique()
    now, was = (what_is_evaluated(each, without=without).filter(in_question) for each in (view, before))
    added = now.join(was, on=now.columns, how="anti", nulls_equal=True).with_columns(change=pl.lit("added"))
    removed = was.join(now, on=now.columns, how="anti", nulls_equal=True).with_columns(change=pl.lit("removed"))
    both = pl.concat([added, removed])
    text = pl.format("{}: {} {} {}", "part", "record", pl.col("path").fill_null("?"), "change")
    kind = pl.when(pl.col("record") == "image").then(pl.lit("images")).otherwise(pl.lit("boxes"))
    counts = both.group_by(pl.format("{} {} {}", "part", kind, "change")).len().sort(pl.all())
    return Found(both.select(text).to_series(), now.height + removed.height, dict(counts.iter_rows()))


@rule(REBUILD, severity="error", blocking=True)
def contract_holds(view: EvaluationView) -> Found:
    """The contract names every set, and its digests and numbers are those of the files."""
    if not view.promised:
        return Found([f"{CONTRACT}: missing, unreadable or without sets"], max(len(view.paths), 1))
    problems = {name: ", ".join(_broken(view, name)) for name in view.paths}
    return Found([f"{name}: {said}" for name, said in problems.items() if said], len(view.paths))


def _broken(view: EvaluationView, name: str) -> Iterator[str]:
    promise, document = view.promised.get(name), view.documents.get(name)
    if not isinstance(promise, dict) or document is None:
        yield "promised, but not readable" if document is None else "not in the contract"
        return
    if promise.get("annotations_sha256") != sha256_of(view.paths[name])[1]:
        yield "the annotation file has another sha256 than promised"
    names = {category.id: category.name for category in document.categories}
    per_class: dict[str | None, int] = {}
    for annotation in document.annotations:
        if not annotation.iscrowd:
            label = names.get(annotation.category_id)
            per_class[label] = per_class.get(label, 0) + 1
    images, boxes = (table.filter(part=name) for table in (view.images, view.boxes))
    for title, promised in (promise.get("slices") or {}).items():
        if _sliced(images, boxes, promised) != (promised["images"], promised["boxes"]):
            yield f"slice {title} promised and found differ"
    found = {
        "images": len(document.images),
        "boxes": len(document.annotations),
        "ignored_boxes": sum(annotation.iscrowd for annotation in document.annotations),
        "boxes_per_class": per_class,
    }
    for what, value in found.items():
        if promise.get(what) != value:
            yield f"{what} promised and found differ"


def _sliced(images: pl.DataFrame, boxes: pl.DataFrame, promised: Mapping[str, Any]) -> tuple[int, int]:
    """Return how many images and boxes a slice has."""
    boxes = boxes.filter(pl.col("crowd") == 0)
    if promised["of"] == "boxes":
        boxes = boxes.filter(pl.col("area") < promised["area_below"])
        return boxes["image"].n_unique(), boxes.height
    chosen = images.filter(*(pl.col(field).is_in(values) for field, values in promised["where"].items()))
    return chosen.height, boxes.filter(pl.col("image").is_in(chosen["id"].implode())).height


@rule(
    "Materialize the asset again: it leaves out what an earlier set has.",
    severity="error",
    blocking=True,
    reads_images=True,
)
def pictures_are_in_one_set(view: EvaluationView) -> Found:
    """No picture is in two sets, as a copy, a near copy or under one Flickr id: it would weigh twice in a mean of sets.

    Of a set that is kept from the version before, content and Flickr id are compared.
    """
    facts = view.facts.select("sha256", "pixels", "phash")
    images = view.images.with_columns(sha256=pl.coalesce("sha256", "stated"), key=IMAGE_NAME)
    nodes = images.unique("key", keep="first", maintain_order=True).join(facts, on="sha256", how="left")
    found = nodes.join(group(nodes.select(NODES.names())).members, on="key", how="left", maintain_order="left")
    shared = found.filter(pl.col("part").n_unique().over("group") > 1)
    left_out = {"left out for it": view.in_another_set.height}
    return Found(shared.select(pl.format("{} (as {})", "key", "group")).to_series(), view.images.height, left_out)


@rule(REPAIR_INPUT, severity="error", blocking=True)
def images_are_the_promised_ones(view: EvaluationView) -> Found:
    """Every image has the content that the set was made from, so that two mAP runs compare."""
    changed = view.images.filter(pl.col("stated") != pl.col("sha256"))
    return Found(changed.select(IMAGE_NAME).to_series(), view.images.height)


@rule("Evaluate with care: a picture that is there twice weighs twice.", severity="warn")
def pictures_are_distinct(view: EvaluationView) -> Found:
    """No picture is in a set twice under two names."""
    twice = view.images.filter(pl.col("sha256").is_not_null() & pl.struct("part", "sha256").is_duplicated())
    return Found(twice.select(IMAGE_NAME).to_series(), view.images.height)


@rule("Have these images or their annotations repaired at the source; the others are evaluated.", severity="warn")
def every_image_is_evaluated(view: EvaluationView) -> Found:
    """No image is left out for damage: a missing or broken file, an unreadable mask, a lost box.

    An image that lost a box would count a right detection as a mistake, so it is left out as a whole.
    """
    excluded = [
        f"{name}: image {image_id}, {rule_name}"
        for name, promise in view.promised.items()
        if isinstance(promise, dict) and isinstance(promise.get("excluded_images"), dict)
        for image_id, rule_name in promise["excluded_images"].items()
    ]
    return Found(excluded, view.images.height + len(excluded))


EVALUATION_RULES: tuple[Rule[EvaluationView], ...] = (
    *OUTPUT_RULES,
    contract_holds,
    images_are_the_promised_ones,
    evaluation_is_the_same,
    pictures_are_distinct,
    pictures_are_in_one_set,
    every_image_is_evaluated,
)
"""Rules of `inference_eval_set`."""
