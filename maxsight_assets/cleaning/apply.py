"""Run the cleaning rules over the tables and record every dropped or repaired record in the ledger.

Each input record, image or box, is either in the output or in the ledger as dropped. The rules themselves are in
`cleaning.rules`.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from maxsight_assets.cleaning.config import CleaningConfig, Tolerance
from maxsight_assets.cleaning.misread import GEOMETRY, MASK_EDGES, is_off_its_mask, look_of, look_of_sizes
from maxsight_assets.cleaning.rule import Rule
from maxsight_assets.cleaning.rules import box_rules, image_rules, is_resized, no_boxes
from maxsight_assets.errors import NotPublished
from maxsight_assets.formats.masks import PLAIN_MASK, examine_mask, names_edges, scaled_mask, sound_by_form
from maxsight_assets.formats.tables import BOXES, IMAGES, LEDGER, conform

IMAGE_KEY = ("source", "image_id")

_SAMPLE = 1_000  # masks that are examined in any case, or all if there are fewer boxes

_NOWHERE = (None, None, None, None)  # bounds of a mask that covers nothing

_SHOWN = 5
"""Largest number of records that an error names; the others are only counted."""


@dataclass(frozen=True, slots=True)
class Damage:
    """The damage that one rule found in one dataset.

    Attributes:
        rule: The rule.
        source: The dataset.
        kind: "images" or "boxes".
        damaged: Number of records that count as damaged.
        total: Number of records that the rule looked at.
        first: The first damaged records, with the values that the rule looked at.
        look: What they look like ("boxes look like corners ..."), if it is known.
    """

    rule: Rule
    source: str
    kind: str
    damaged: int
    total: int
    first: tuple[str, ...]
    look: str = ""

    def __str__(self) -> str:
        counted = f"{self.rule.name}: {self.damaged:,} of {self.total:,} {self.kind} of {self.source}"
        counted += f": {self.look}" if self.look else ""
        return f"{counted} ({'; '.join(self.first)})"


@dataclass(frozen=True, slots=True)
class Cleaned:
    """The result of cleaning.

    Attributes:
        images: IMAGES table of the kept images, with their true sizes; sorted by source and image id.
        boxes: BOXES table of the kept boxes, with the detector's label as `label`; sorted by source, image and
            published box id.
        ledger: LEDGER table of the dropped and repaired records, sorted by all columns. Keys are unique in the kept
            tables; the ledger has a key once for each record that had it.
        damage: The damage that was found, by rule and dataset.
    """

    images: pl.DataFrame
    boxes: pl.DataFrame
    ledger: pl.DataFrame
    damage: tuple[Damage, ...] = ()


def clean(
    images: pl.DataFrame,
    boxes: pl.DataFrame,
    facts: pl.DataFrame,
    *,
    labels: Mapping[str, Mapping[str, str | None]],
    config: CleaningConfig,
) -> Cleaned:
    """Drop or repair every record that breaks a rule.

    Args:
        images: IMAGES table in any order.
        boxes: BOXES table in any order.
        facts: FILE_FACTS table (`images.facts.of_files`): one row per existing file.
        labels: The detector's label, or None, by the publisher's label, by source. A label that is absent is none of
            the publisher's.
        config: Switches and limits.

    Raises:
        NotPublished: A record breaks a rule of `config.stop_on`, or more records are damaged than `config.tolerance`
            allows.
    """
    damage: list[Damage] = []
    candidates = _with_files(conform(images, IMAGES), facts)
    stops = config.stop_on or ()
    kept_images, image_ledger = apply_rules(candidates, image_rules(config), stop_on=stops, damage=damage)
    known = _image_facts(candidates, kept_images, image_ledger)
    named = conform(boxes, BOXES).with_columns(edges_named=names_edges("segmentation"))  # in order of the texts: quick
    judged = _with_images(named, known)
    judged = _with_mask_facts(judged, kept=config.keep_segmentations)
    kept_boxes, box_ledger = apply_rules(_with_names(judged, labels), box_rules(config), stop_on=stops, damage=damage)
    _insist_on_bounds(damage, config.tolerance)
    if config.drop_empty_images:
        counts = kept_boxes.group_by(IMAGE_KEY).len("boxes")
        counted = kept_images.join(counts, on=IMAGE_KEY, how="left", maintain_order="left")
        kept_images, empty = apply_rules(
            counted.with_columns(pl.col("boxes").fill_null(0)), (no_boxes(),), stop_on=stops
        )
        image_ledger = pl.concat([image_ledger, empty])
    has_mask = pl.col("segmentation").is_not_null()
    return Cleaned(
        images=kept_images.with_columns(width="file_width", height="file_height").select(IMAGES.names()),
        boxes=kept_boxes.with_columns(label="name", plain_mask=pl.when(has_mask).then("plain_mask")).select(
            BOXES.names()
        ),
        ledger=pl.concat([image_ledger, box_ledger]).sort(pl.all()),
        damage=tuple(damage),
    )


def _insist_on_bounds(damage: Sequence[Damage], tolerance: Tolerance) -> None:
    beyond = [each for each in damage if tolerance.is_exceeded(each.damaged, each.total)]
    if beyond:
        raise NotPublished(
            f"Too many records are damaged (more than {tolerance}): nothing new is published, the last good version "
            f"stays. {'. '.join(map(str, beyond))}. Have the dataset corrected at its source, or raise the tolerance"
        )


def apply_rules(
    frame: pl.DataFrame, rules: Sequence[Rule], *, stop_on: Collection[str] = (), damage: list[Damage] | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Apply rules one after the other: a later rule sees the repaired records, and not the dropped ones.

    Args:
        frame: Images, or boxes (if it has a column `box_id`), with the columns that the rules look at.
        rules: The rules, in the order of application.
        stop_on: Names of rules that no record may break.
        damage: The list to which the damage that is found is appended.

    Returns:
        The kept records, in their order, and the ledger.

    Raises:
        NotPublished: A record breaks a rule of `stop_on`.
    """
    ledger = [LEDGER.to_frame()]
    for rule in rules:
        hit = frame.select(hit=rule.matches.fill_null(value=False))["hit"]
        if not hit.any():
            continue
        before = frame.filter(hit)
        if rule.name in stop_on:
            raise _stopped(rule, before)
        if damage is not None:
            damage += _damage(rule, before.filter(rule.damage), frame)
        if rule.action == "drop":
            ledger.append(_ledger_rows(rule, before, after=None))
            frame = frame.filter(~hit)
        else:
            repaired = frame.with_columns(**rule.changes)
            ledger.append(_ledger_rows(rule, before, after=repaired.filter(hit)))
            frame = frame.with_columns(
                pl.when(hit).then(repaired[name]).otherwise(pl.col(name)).alias(name) for name in rule.changes
            )
    return frame, pl.concat(ledger)


def _damage(rule: Rule, damaged: pl.DataFrame, looked_at: pl.DataFrame) -> Iterator[Damage]:
    kind = "boxes" if "box_id" in looked_at.columns else "images"
    for (source,), of_source in damaged.group_by("source", maintain_order=True):
        candidates = looked_at.filter(source=source)
        look = _look(rule, of_source, candidates)
        yield Damage(rule, str(source), kind, of_source.height, candidates.height, _first(rule, of_source), look)


def _look(rule: Rule, damaged: pl.DataFrame, looked_at: pl.DataFrame) -> str:
    if set(GEOMETRY) <= set(rule.values):
        return look_of(damaged, looked_at)
    if rule.name == "wrong_size":
        return look_of_sizes(damaged)
    if rule.values != ("label",):
        return ""
    words = damaged.group_by("label").len().sort("len", "label", descending=[True, False]).head(_SHOWN)
    return ", ".join(f"{'no class' if word is None else word} {count:,}" for word, count in words.iter_rows())


def _first(rule: Rule, broken: pl.DataFrame) -> tuple[str, ...]:
    """Return the first records that break a rule, with the values that the rule looked at."""
    columns = [name for name in ("source", "image_id", "box_id") if name in broken.columns]
    name = pl.format(
        " ".join(f"{column} {{}}" for column in columns), *(pl.col(column).fill_null("?") for column in columns)
    )
    return tuple(
        broken.head(_SHOWN).select(pl.format("{} {}", name, pl.struct(rule.values).struct.json_encode())).to_series()
    )


def _stopped(rule: Rule, broken: pl.DataFrame) -> NotPublished:
    return NotPublished(
        f"{rule.name}: {broken.height:,} records break this rule, and cleaning.stop_on names it: nothing new is "
        f"published, the last good version stays. {rule.reason} The first: {'; '.join(_first(rule, broken))}. Have "
        "them corrected at the source, or take the rule out of cleaning.stop_on to have the ledger account for them"
    )


def _ledger_rows(rule: Rule, before: pl.DataFrame, *, after: pl.DataFrame | None) -> pl.DataFrame:
    is_box = "box_id" in before.columns
    values = before.select(before=pl.struct(rule.values).struct.json_encode())["before"]
    rows = before.select(
        "source",
        "image_id",
        kind=pl.lit("box" if is_box else "image"),
        box_id=pl.col("box_id") if is_box else pl.lit(None),
        rule=pl.lit(rule.name),
        action=pl.lit(rule.action),
        before=values,
        after=pl.lit(None)
        if after is None
        else after.select(after=pl.struct(*rule.changes).struct.json_encode())["after"],
    )
    return conform(rows, LEDGER)


def _with_files(images: pl.DataFrame, facts: pl.DataFrame) -> pl.DataFrame:
    """Return images in canonical order, the usable rows of an image first, with the facts of their files."""
    files = facts.select(
        "path", "sha256", "error", "orientation", file_width=pl.col("width"), file_height=pl.col("height")
    ).unique("path", keep="first", maintain_order=True)
    unfit = pl.col("sha256").is_null() | pl.col("error").is_not_null()
    ordered = images.join(files, on="path", how="left").sort(*IMAGE_KEY, unfit, pl.exclude(IMAGE_KEY))
    return ordered.with_columns(
        stated_width="width",
        stated_height="height",
        scale_x=pl.when(is_resized()).then(pl.col("file_width") / pl.col("width")),
        scale_y=pl.when(is_resized()).then(pl.col("file_height") / pl.col("height")),
    )


def _with_images(boxes: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Return boxes in canonical order, with the facts of their images that the rules need."""
    joined = _with_scaled_masks(boxes.join(known, on=IMAGE_KEY, how="left"))
    key = ("place", "box_id")  # a number sorts faster than the text that it represents
    ordered = joined.sort(key)
    follows = ordered.select(pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift()) for name in key))
    if (repeated := follows.to_series()).any():  # only repeated keys are sorted by the other columns
        among = repeated | repeated.shift(-1, fill_value=False)
        ordered = pl.concat([ordered.filter(~among), ordered.filter(among).sort(pl.all())])
        ordered = ordered.sort(key, maintain_order=True)
    return ordered.with_columns(image_known=pl.col("place").is_not_null()).drop("place")


def _with_scaled_masks(boxes: pl.DataFrame) -> pl.DataFrame:
    """Return boxes in their order, with the masks of resized pictures scaled to the pictures."""
    is_scaled = boxes.select(pl.col("scale_x").is_not_null() & pl.col("segmentation").is_not_null()).to_series()
    if is_scaled.any():
        columns = ("segmentation", "stated_width", "stated_height", "image_width", "image_height")
        rows = boxes.filter(is_scaled).select(columns).iter_rows()
        scaled = pl.DataFrame({"segmentation": [scaled_mask(*row) for row in rows]}).with_columns(PLAIN_MASK)
        boxes = boxes.with_columns(
            pl.when(is_scaled).then(each).otherwise(each.name).alias(each.name) for each in _spread(scaled, is_scaled)
        )
    return boxes.drop("stated_width", "stated_height")


def _with_mask_facts(boxes: pl.DataFrame, *, kept: bool) -> pl.DataFrame:
    """Return boxes in their order, with what is wrong with their masks, and where those lie that may not fit.

    A mask is taken to fit if its form is sound and its text names the box's edges. Some are examined all the same; if
    one of these does not fit, all are examined.

    Args:
        boxes: Boxes with the facts of their images, and whether their masks name their edges (`edges_named`).
        kept: Whether masks are kept; if not, only where they lie matters.
    """
    is_taken_to_fit = sound_by_form("image_width", "image_height") & pl.col("edges_named")
    every = boxes.height // _SAMPLE + 1
    has_mask = pl.all_horizontal(pl.col("segmentation", "image_width", "image_height").is_not_null())
    examined = _examined(boxes, has_mask & (~is_taken_to_fit | (pl.int_range(pl.len()) % every == 0)))
    if every > 1 and examined.gather_every(every).select(is_off_its_mask().any()).item():
        examined = _examined(boxes, has_mask)
    gone = pl.lit(None, dtype=pl.String)
    return examined if kept else examined.with_columns(segmentation=gone, mask_fault=gone)


def _examined(boxes: pl.DataFrame, which: pl.Expr) -> pl.DataFrame:
    """Return boxes in their order, with the facts of those masks that are to be examined."""
    chosen = boxes.select(which).to_series()
    rows = boxes.filter(chosen).select("segmentation", "image_width", "image_height").iter_rows()
    found = [(fault, *(bounds or _NOWHERE)) for fault, bounds in (examine_mask(*row) for row in rows)]
    schema = {"mask_fault": pl.String} | dict.fromkeys(MASK_EDGES, pl.Float64)
    return boxes.with_columns(_spread(pl.DataFrame(found, schema=schema, orient="row"), chosen))


def _spread(values: pl.DataFrame, chosen: pl.Series) -> list[pl.Series]:
    """Return the columns of a table that has a row for each chosen one, at the places of these; null elsewhere."""
    place = pl.select(pl.when(chosen).then(chosen.cast(pl.UInt32).cum_sum() - 1)).to_series()
    return [each.gather(place) if values.height else each.extend_constant(None, place.len()) for each in values]


def _with_names(boxes: pl.DataFrame, labels: Mapping[str, Mapping[str, str | None]]) -> pl.DataFrame:
    """Return boxes in their order, with the detector's label as `name`; `declared` if the publisher has theirs."""
    rows = [(source, label, name) for source, names in sorted(labels.items()) for label, name in sorted(names.items())]
    words = pl.DataFrame(rows, schema={"source": pl.String, "label": pl.String, "name": pl.String}, orient="row")
    words = words.with_columns(declared=pl.lit(value=True))
    return boxes.join(words, on=["source", "label"], how="left", maintain_order="left")


def _image_facts(candidates: pl.DataFrame, kept: pl.DataFrame, ledger: pl.DataFrame) -> pl.DataFrame:
    """Return the facts of images that box rules need, one row per published image; `place` numbers them in order."""
    dropped = ledger.filter(pl.col("action") == "drop").group_by(IMAGE_KEY).agg(image_rule=pl.col("rule").min())
    sizes = kept.select(
        *IMAGE_KEY,
        "scale_x",
        "scale_y",
        "stated_width",
        "stated_height",
        image_width="file_width",
        image_height="file_height",
    )
    return (
        candidates.select(IMAGE_KEY)
        .unique(maintain_order=True)
        .with_row_index("place")
        .join(sizes, on=IMAGE_KEY, how="left")
        .join(dropped.join(kept, on=IMAGE_KEY, how="anti"), on=IMAGE_KEY, how="left")
    )
