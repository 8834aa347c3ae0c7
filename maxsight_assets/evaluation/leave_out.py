"""Leave images out of a set, with their boxes, so that the ledger accounts for each."""

from dataclasses import replace

import polars as pl

from maxsight_assets.cleaning.apply import IMAGE_KEY, Cleaned, apply_rules
from maxsight_assets.cleaning.rule import Rule
from maxsight_assets.cleaning.rules import image_dropped


def without(cleaned: Cleaned, marks: pl.DataFrame, rule: Rule) -> Cleaned:
    """Return the records without the images that match a rule.

    Args:
        cleaned: The records.
        marks: Columns that the rule looks at, beside `source` and `image_id`; null for an image that it does not name.
        rule: Drops images.
    """
    marked = cleaned.images.join(marks, on=IMAGE_KEY, how="left", maintain_order="left")
    images, image_ledger = apply_rules(marked, (rule,))
    fate = image_ledger.select(*IMAGE_KEY, image_rule="rule")
    boxes, box_ledger = apply_rules(
        cleaned.boxes.join(fate, on=IMAGE_KEY, how="left", maintain_order="left"), (image_dropped(),)
    )
    ledger = pl.concat([cleaned.ledger, image_ledger, box_ledger]).sort(pl.all())
    kept = images.select(cleaned.images.columns)
    return replace(cleaned, images=kept, boxes=boxes.drop("image_rule"), ledger=ledger)
