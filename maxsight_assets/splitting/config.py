"""The settings of the splits that the user may change."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from maxsight_assets.images.groups import NEAR_RADIUS
from maxsight_assets.splitting.order import Order

SPLITS = ("train", "val", "test")

Split = Literal["train", "val", "test"]


def _whole(value: float) -> float:
    """Return the same number, as an int if it is whole: a form of the Launchpad states 2000 as 2000.0."""
    return int(value) if value == int(value) else value


_MOST = 10**9  # images: more than any dataset has
ShareOrNumber = Annotated[int | float, Field(ge=0, le=_MOST), AfterValidator(_whole)]


class Sizes(BaseModel):
    """How large the splits are: shares of all images, or numbers of images.

    Shares leave `train` out, or at 0, which a form can state to go back to shares: it takes the rest. Numbers state all
    three.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    train: int | None = Field(
        default=None, ge=0, le=_MOST, description="Images in train; 0 if val and test are shares."
    )
    val: ShareOrNumber = Field(default=0.1, description="Share of images in val (0.1), or their number (2000).")
    test: ShareOrNumber = Field(default=0.1, description="Share of images in test (0.1), or their number (1000).")

    @property
    def are_counts(self) -> bool:
        """Return whether the sizes are numbers of images rather than shares."""
        return bool(self.train)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if not self.are_counts and self.val + self.test >= 1:
            raise ValueError("val and test are shares that must leave something to train; numbers of images need train")
        if self.are_counts and not (isinstance(self.val, int) and isinstance(self.test, int)):
            raise ValueError("train is a number of images, so val and test must be whole numbers too")
        return self


class SplitConfig(BaseModel):
    """How images are divided between train, val and test."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    strategy: Literal["hash", "stratified", "official"] = Field(
        default="hash",
        description="`hash`: a seeded hash of each group of equal pictures decides, so new images move no others. "
        "`stratified`: every class is divided as the images are; new images may move others. "
        "`official`: what publishers held out stays so; splits that they give nothing for are drawn from their train.",
    )
    sizes: Sizes = Field(
        default=Sizes(),
        description="Sizes of the splits; with `official` shares are those of the splits that are drawn.",
    )
    seed: int = Field(default=42, description="Seed of the hash. 42 is what MaxSight's training scripts use.")
    near_radius: int = Field(
        default=NEAR_RADIUS,
        ge=-1,
        le=16,
        description="Bits between perceptual fingerprints of near copies at most; -1 looks for exact copies only.",
    )
    order_boxes: Order = Field(
        default="area",
        description="Which boxes of an image stand first, since stock configurations of the detector keep the first "
        "ten: `area` the largest, `urgency` the most urgent by the detector's formula, `file` as published.",
    )
    min_instances: int = Field(
        default=10,
        ge=0,
        description="Classes of train with fewer boxes in val or test are named in the report.",
    )
