"""Keep the sets apart: no picture is in two of them, as a copy, a near copy or under one Flickr id.

COCO and Open Images were both gathered from Flickr. A picture in two sets would weigh twice in a mean over sets, and an
error on it would look like two.
"""

from collections.abc import Mapping

import polars as pl

from maxsight_assets.cleaning.apply import IMAGE_KEY, Cleaned
from maxsight_assets.cleaning.rule import Rule
from maxsight_assets.evaluation.leave_out import without
from maxsight_assets.images.groups import NODES, group, nodes_of, shown_by

IN_ANOTHER_SET = Rule(
    name="in_another_set",
    matches=pl.col("other").is_not_null(),
    values=("other", "because"),
    reason="The picture, or a near copy of it, is in another evaluation set already: it would weigh twice.",
    severity="warn",
)


def keep_apart(
    sets: Mapping[str, Cleaned], facts: Mapping[str, pl.DataFrame], *, kept: pl.DataFrame
) -> dict[str, Cleaned]:
    """Leave out of each set the images whose picture an earlier one has.

    Args:
        sets: The records of each dataset; of two that show a picture, the first keeps it.
        facts: FILE_FACTS table of each dataset's files.
        kept: NODES table of the images of sets that stay as they are; they come before all others.
    """
    nodes = {name: nodes_of(cleaned.images, facts[name]) for name, cleaned in sets.items()}
    every = pl.concat([kept, *(each.select(NODES.names()) for each in nodes.values())])
    members = group(every).members
    earlier = kept.join(members, on="key", maintain_order="left")
    result = {}
    for name, cleaned in sets.items():
        mine = nodes[name].join(members, on="key", maintain_order="left")
        shown = mine.join(shown_by(mine, earlier), on="key", how="left", maintain_order="left")
        result[name] = without(cleaned, shown.select(*IMAGE_KEY, "other", "because"), IN_ANOTHER_SET)
        stays = shown.filter(pl.col("other").is_null())
        earlier = pl.concat([earlier, stays.select(earlier.columns)])
    return result
