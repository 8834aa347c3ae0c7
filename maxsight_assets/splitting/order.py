"""Put the boxes of each image into the order that its split file has.

The order matters because the stock configurations of the detector keep the first ten boxes of an image.
"""

from typing import Literal

import polars as pl

from maxsight_assets.labels.assistive import derive

Order = Literal["area", "urgency", "file"]

STOCK_MAX_OBJECTS = 10
"""`max_objects` of every stock configuration of MaxSight (c1977e4, 2026-08-06) that states it."""


def in_order(boxes: pl.DataFrame, images: pl.DataFrame, order: Order) -> pl.DataFrame:
    """Return the boxes of each image in the requested order; images, and boxes that compare equal, keep their places.

    Args:
        boxes: Boxes in absolute pixels, those of an image together.
        images: `id`, `width` and `height` of their images.
        order: `area` for the largest first, `urgency` for the most urgent first, `file` for the publisher's order.
    """
    if order == "file" or boxes.is_empty():
        return boxes
    if order == "area":
        first = boxes.select(first=pl.col("w") * pl.col("h"))["first"]
    else:
        first = derive(boxes.select("image", "label", "x", "y", "w", "h"), images)["score"]
    # Only row numbers are sorted, because the rows hold the masks, which are large.
    keys = pl.DataFrame({"image": boxes["image"].rle_id(), "first": first}).with_row_index("row")
    rows = keys.sort("image", "first", descending=[False, True], maintain_order=True)["row"]
    return boxes[rows]
