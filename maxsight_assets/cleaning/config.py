"""The settings of cleaning that the user may change.

Some records would break every reader of the splits: files that do not decode, boxes without area, labels that the
detector would silently take for "person". The user may let a rule against them stop the run instead of dropping the
record, but cannot switch it off.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Flag = Literal["inside", "occluded", "truncated"]


class Tolerance(BaseModel):
    """How many damaged records a dataset may hold before nothing of it is published.

    A rule against damage drops or repairs single records. If it would have to do so with many, the dataset is damaged:
    another edition, boxes in another unit, sizes of other pictures.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    share: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="Largest share of a dataset's records that one rule against damage may drop or repair.",
    )
    records: int = Field(
        default=5,
        ge=0,
        description="Number of records that it may drop or repair in any case, which is what counts in small datasets.",
    )

    def is_exceeded(self, damaged: int, total: int) -> bool:
        """Tell whether so many damaged records of so many are too many."""
        return damaged > max(self.share * total, self.records)

    def __str__(self) -> str:
        return f"{self.share * 100:g} % and {self.records}"


class CleaningConfig(BaseModel):
    """Switches and limits of the cleaning rules.

    The defaults protect small objects: 8.7 % of COCO's are 10 x 10 px or smaller, and nothing is dropped or widened for
    being small.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    clip_boxes: bool = Field(
        default=True,
        description="Clip boxes that reach out of the picture; false drops them.",
    )
    min_kept_fraction: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Smallest share of a box's area that must lie inside the picture; a box with less is dropped. "
        "Publishers draw truncated objects up to the edge, so a box that lies mostly outside is a mistake.",
    )
    min_side: float = Field(
        default=0,
        ge=0,
        description="Drop boxes with a side shorter than this, in pixels. 0 keeps the smallest objects.",
    )
    drop_duplicates: bool = Field(
        default=True,
        description="Drop all but one of the boxes of an image that have equal label, geometry and crowd flag.",
    )
    drop_depictions: bool = Field(
        default=True,
        description="Drop boxes of drawings, statues and toys of a thing (Open Images' IsDepiction).",
    )
    drop_flagged: tuple[Flag, ...] | None = Field(
        default=None,
        description='Drop boxes that the publisher flags so: "inside" (a room or hall seen from within), "occluded", '
        '"truncated" (cut by the picture\'s edge). An empty list, the default: none.',
    )
    drop_crowds: bool = Field(
        default=False,
        description="Drop boxes around groups (COCO's iscrowd, Open Images' IsGroupOf); false keeps them as iscrowd 1.",
    )
    drop_empty_images: bool = Field(
        default=True,
        description="Drop images that are left without a box. The detector's loader never shows them, so keeping them "
        "would only make the stated sizes of the splits untrue.",
    )
    repair_sizes: bool = Field(
        default=True,
        description="Scale the boxes, areas and masks of an image whose file is a resized copy of the stated size; "
        "false drops the image, as it is dropped if width and height differ by other factors.",
    )
    licences: tuple[Annotated[str, Field(min_length=1)], ...] | None = Field(
        default=None,
        description='Only images under these licences: "commercial" for all that allow commercial use, or a part of a '
        'licence\'s address such as "licenses/by/". Images of unknown licence are then dropped. An empty list: any.',
    )
    stop_on: tuple[str, ...] | None = Field(
        default=None,
        description="Names of rules that stop the run if a record breaks them, instead of dropping or repairing it: "
        "nothing is published, and the records are named. An empty list, the default: none.",
    )
    tolerance: Tolerance = Field(
        default=Tolerance(),
        description="How much damage single records may have before nothing is published.",
    )
    keep_segmentations: bool = Field(
        default=True,
        description="Copy masks that pycocotools can read; false leaves all masks out.",
    )
