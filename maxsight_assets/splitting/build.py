"""Build the three splits from tables of images and boxes: clean, group, keep evaluation images out, divide.

Everything happens in memory, and the order of the rows does not matter. `splitting.write` writes the result to disk.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import get_args

import polars as pl

from maxsight_assets.cleaning.apply import IMAGE_KEY, apply_rules, clean
from maxsight_assets.cleaning.config import CleaningConfig, Flag
from maxsight_assets.cleaning.rule import Rule
from maxsight_assets.cleaning.rules import box_rules, image_dropped, image_rules, lost_a_box, no_boxes
from maxsight_assets.errors import SettingsError
from maxsight_assets.formats.ids import stable_ids
from maxsight_assets.images import groups
from maxsight_assets.splitting import leaks, strategies
from maxsight_assets.splitting.config import SplitConfig

OVER_THE_COUNT = Rule(
    name="over_the_count",
    matches=pl.col("subset").is_null(),
    values=("group",),
    reason="The asked numbers of images are reached without it.",
    severity="warn",
)


def every_rule() -> tuple[Rule, ...]:
    """Return every rule that can drop or repair a record, in the order of application, with all switches on."""
    flags = get_args(Flag)
    on = CleaningConfig(min_side=1, drop_crowds=True, drop_flagged=flags, licences=("commercial",))
    rules = (*image_rules(on), *box_rules(on), no_boxes(), leaks.LEAKS, OVER_THE_COUNT, lost_a_box())
    return tuple({rule.name: rule for rule in rules}.values())  # some rules apply to both images and boxes


def reasons() -> Mapping[str, str]:
    """Return the reason that each rule states, by the name of the rule."""
    return {rule.name: rule.reason for rule in every_rule()}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The images that training must never see.

    Attributes:
        images: IMAGES table.
        facts: FILE_FACTS table of their files.
    """

    images: pl.DataFrame
    facts: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Splits:
    """The three splits.

    Attributes:
        images: IMAGES columns, `id` (int64, as in the files), `group`, `subset` (train, val, test) and `orientation`
            (EXIF); sorted by source and image id.
        boxes: BOXES columns, `id`, `image` (id of its image), `subset`; sorted by source, image and box id.
        ledger: LEDGER table; with `images` and `boxes` it accounts for every input record.
        edges: `images.groups.EDGES` between the images that were grouped. Keys are "<source>/<image id>", of
            evaluation images "evaluation:<source>/<image id>".
        labels: The label space, in its order.
        config: How the images were divided.
        cleaning: How they were cleaned.
    """

    images: pl.DataFrame
    boxes: pl.DataFrame
    ledger: pl.DataFrame
    edges: pl.DataFrame
    labels: tuple[str, ...]
    config: SplitConfig
    cleaning: CleaningConfig


def build_splits(
    images: pl.DataFrame,
    boxes: pl.DataFrame,
    facts: pl.DataFrame,
    *,
    evaluation: Evaluation,
    space: Iterable[str],
    labels: Mapping[str, Mapping[str, str | None]],
    config: SplitConfig,
    cleaning: CleaningConfig,
) -> Splits:
    """Clean the records and divide the images between train, val and test.

    Args:
        images: IMAGES table in any order.
        boxes: BOXES table in any order.
        facts: FILE_FACTS table of the images' files.
        evaluation: The images that must not leak into a split.
        space: The detector's labels in their order. A label that maps to any other word counts as unmapped.
        labels: The detector's word by the publisher's label, by source.
        config: How to divide.
        cleaning: How to clean.

    Raises:
        SettingsError: The strategy does not fit the publishers' splits, `stop_on` names an unknown rule, or no image is
            under one of the licences that `licences` names.
        NotPublished: A record breaks a rule of `cleaning.stop_on`, or more records are damaged than
            `cleaning.tolerance` allows.
    """
    stops = _stops(cleaning)
    names = tuple(space)
    known = set(names)
    inside = {source: {k: v if v in known else None for k, v in words.items()} for source, words in labels.items()}
    _insist_on_licences(images["license"], cleaning.licences or ())
    cleaned = clean(images, boxes, facts, labels=inside, config=cleaning)
    nodes = groups.nodes_of(cleaned.images, facts)
    unique = evaluation.images.sort(pl.all()).unique(IMAGE_KEY, keep="first")
    watched = groups.nodes_of(unique, evaluation.facts, prefix="evaluation:")
    found = groups.group(pl.concat([nodes, watched]).select(groups.NODES.names()), radius=config.near_radius)
    nodes, watched = (each.join(found.members, on="key", maintain_order="left") for each in (nodes, watched))
    leaked = groups.shown_by(nodes, watched, radius=config.near_radius).rename({"other": "evaluation_image"})
    nodes = nodes.join(leaked, on="key", how="left", maintain_order="left")
    judged, leak_ledger = apply_rules(nodes, (leaks.LEAKS,), stop_on=stops)
    assigned = strategies.assign(judged, cleaned.boxes, config)
    judged, count_ledger = apply_rules(
        judged.join(assigned, on="group", how="left", maintain_order="left"), (OVER_THE_COUNT,)
    )
    judged = judged.with_columns(id=stable_ids(judged["source"], judged["image_id"]))
    image_ledger = pl.concat([leak_ledger, count_ledger])
    kept_boxes, box_ledger = _boxes_of(judged, cleaned.boxes, image_ledger)
    placed = judged.select(*IMAGE_KEY, "id", "group", "subset", "orientation")
    return Splits(
        images=cleaned.images.join(placed, on=IMAGE_KEY, how="inner", maintain_order="left"),
        boxes=kept_boxes,
        ledger=pl.concat([cleaned.ledger, image_ledger, box_ledger]).sort(pl.all()),
        edges=found.edges,
        labels=names,
        config=config,
        cleaning=cleaning,
    )


def _stops(cleaning: CleaningConfig) -> tuple[str, ...]:
    """Return the rules that stop the run; an unknown name is refused."""
    follow = (image_dropped().name, OVER_THE_COUNT.name, lost_a_box().name)
    rules = [name for name in reasons() if name not in follow]
    stops = tuple(cleaning.stop_on or ())
    if unknown := [name for name in stops if name not in rules]:
        raise SettingsError(f"cleaning.stop_on: no rule is named {', '.join(unknown)}; there are {', '.join(rules)}")
    return stops


def _insist_on_licences(published: pl.Series, wanted: Iterable[str]) -> None:
    """Refuse a part that is in no licence's address; misspelt, it would leave images out without a word."""
    addresses = published.drop_nulls().unique().sort().to_list()
    for part in wanted:
        if part.lower() != "commercial" and not any(part.lower() in address.lower() for address in addresses):
            near = difflib.get_close_matches(part, addresses, n=1, cutoff=0.3)
            meant = f"nearest: {near[0]}; " if near else ""
            raise SettingsError(
                f"cleaning.licences: no image is under a licence with {part} in its address; {meant}there are "
                f"{', '.join(addresses) or 'none'}; or say commercial"
            )


def _boxes_of(
    images: pl.DataFrame, boxes: pl.DataFrame, image_ledger: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the boxes of the images that have a split, and the ledger of the other boxes."""
    fate = pl.concat(
        [
            images.select(*IMAGE_KEY, "subset", image="id", image_rule=pl.lit(None, dtype=pl.String)),
            image_ledger.select(
                *IMAGE_KEY, subset=pl.lit(None, dtype=pl.String), image=pl.lit(None, dtype=pl.Int64), image_rule="rule"
            ),
        ]
    )
    joined = boxes.join(fate, on=IMAGE_KEY, how="left", maintain_order="left")
    kept, ledger = apply_rules(joined, (image_dropped(),))
    return kept.drop("image_rule").with_columns(id=stable_ids(kept["source"], kept["box_id"])), ledger
