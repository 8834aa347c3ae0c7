"""The rule that keeps images out of training which show the same picture as an evaluation image.

Metrics are invalid if the detector was trained on a picture that they are measured on.
"""

import polars as pl

from maxsight_assets.cleaning.rule import Rule

LEAKS = Rule(
    name="leaks_into_evaluation",
    matches=pl.col("evaluation_image").is_not_null(),
    values=("evaluation_image", "because"),
    reason="The picture, or a near copy of it, is in an evaluation set.",
    severity="warn",
)
