"""What evaluation sets and training splits have in common: COCO files that this project wrote, and the rules they keep.

The files are read here on their own terms, not with the code that wrote them, so that a mistake there shows.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Protocol

import msgspec
import polars as pl

from maxsight_assets.disk import HASHED
from maxsight_assets.images.facts import examine
from maxsight_assets.labels.space import LabelSpace
from maxsight_assets.publishing.manifest import Manifest, problems
from maxsight_assets.verdict import Found, Rule, rule

ROUNDING_PX = 0.001
"""How far a box may reach over the edge: cleaning clips what reaches further (`cleaning.rules.ROUNDING`)."""

REPAIR_INPUT = "Materialize or repair the raw asset that the image belongs to, then this one."
REBUILD = "Materialize the asset again; if that does not help, this is a mistake in MaxSight Assets."


_Int = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class _Image(msgspec.Struct, gc=False):
    id: _Int
    file_name: str
    width: _Int
    height: _Int
    source: str
    source_id: str
    flickr_id: str | None = None
    sha256: str | None = None
    orientation: int = 1
    rotation: int = 0
    timeofday: str | None = None
    weather: str | None = None


class _Annotation(msgspec.Struct, gc=False):
    id: _Int
    image_id: _Int
    category_id: _Int
    bbox: tuple[float, float, float, float]
    area: float
    iscrowd: _Int
    source_id: str


class _Category(msgspec.Struct):
    id: int
    name: str


class _Document(msgspec.Struct):
    info: dict[str, Any]
    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category]


class Held(Protocol):
    """A directory with its manifest."""

    @property
    def root(self) -> Path:
        """The directory, published or staged."""

    @property
    def manifest(self) -> Manifest | None:
        """What it should hold; None where nothing is published."""


@dataclass(frozen=True, kw_only=True)
class OutputView(ABC):
    """A directory of COCO files that this project wrote.

    Attributes:
        root: The directory, published or staged.
        manifest: What it should hold; None where nothing is published.
        data_dir: What `file_name` is relative to.
        digests: sha256 of every landed image by its path relative to DATA_DIR, as the raw manifests state it.
        space: The detector's label space.
        cache: Parquet file of decoding results by content hash, so that only new pictures are decoded.
    """

    root: Path
    manifest: Manifest | None
    data_dir: Path
    digests: Mapping[str, str]
    space: LabelSpace
    cache: Path | None = None

    @property
    @abstractmethod
    def paths(self) -> Mapping[str, Path]:
        """The COCO files by the name of their set or split."""

    @property
    def may_be_empty(self) -> Collection[str]:
        """Sets or splits that were asked to hold nothing."""
        return ()

    @property
    def why_empty(self) -> str | None:
        """What to do about one that is empty, if it is known better than that the selections leave nothing."""
        return None

    @property
    def lacking(self) -> Mapping[str, str]:
        """Why a set or dataset is missing, or of the version before, by its name."""
        return {}

    @property
    def kept(self) -> Collection[str]:
        """Sets of the version before that are kept although their pictures are not landed now."""
        return ()

    @cached_property
    def _reading(self) -> tuple[Mapping[str, _Document], tuple[str, ...]]:
        documents, problems = {}, []
        for name, path in sorted(self.paths.items()):
            try:
                documents[name] = msgspec.json.decode(path.read_bytes(), type=_Document)
            except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                problems.append(f"{path.relative_to(self.root)}: {error}")
        return documents, tuple(problems)

    @property
    def documents(self) -> Mapping[str, _Document]:
        """What the files hold, by the name of their set or split; files that do not parse are left out."""
        return self._reading[0]

    @property
    def problems(self) -> tuple[str, ...]:
        """Why files do not parse, one sentence a file."""
        return self._reading[1]

    @cached_property
    def images(self) -> pl.DataFrame:
        """One row an image: part (set or split), id, path, width, height, source, source_id, flickr_id and two digests.

        `stated` is the sha256 in the file, if any; `sha256` that of the raw manifest, null where it has no such image.
        `orientation`, `rotation`, `timeofday` and `weather` are as stated.
        """
        schema = {
            "part": pl.String,
            "id": pl.Int64,
            "path": pl.String,
            "width": pl.Int64,
            "height": pl.Int64,
            "source": pl.String,
            "source_id": pl.String,
            "flickr_id": pl.String,
            "stated": pl.String,
            "orientation": pl.Int32,
            "rotation": pl.Int32,
            "timeofday": pl.String,
            "weather": pl.String,
        }
        rows = [
            (part, *msgspec.structs.astuple(image))
            for part, document in self.documents.items()
            for image in document.images
        ]
        images = pl.DataFrame(rows, schema=schema, orient="row")
        return images.with_columns(
            sha256=pl.Series([self.digests.get(path) for path in images["path"]], dtype=pl.String)
        )

    @cached_property
    def facts(self) -> pl.DataFrame:
        """FACTS table of the contents of all images."""
        files = self.images.select("sha256", "path").drop_nulls().sort("path").rows()
        return examine([(sha256, self.data_dir / path) for sha256, path in files], cache=self.cache)

    @cached_property
    def boxes(self) -> pl.DataFrame:
        """One row a box: part, id, image (its id), category, x, y, w, h (absolute pixels), area, crowd, source_id.

        Of its image: `width`, `height`, `source`, and whether it is `listed` in the same file.
        """
        parts = [_box_rows(part, document.annotations) for part, document in self.documents.items()]
        boxes = pl.concat(parts) if parts else _box_rows("", [])
        images = self.images.unique(["part", "id"]).select(
            "part", "width", "height", "source", image="id", listed=pl.lit(value=True)
        )
        return boxes.join(images, on=["part", "image"], how="left", maintain_order="left").with_columns(
            pl.col("listed").fill_null(value=False)
        )


def _box_rows(part: str, annotations: list[_Annotation]) -> pl.DataFrame:
    geometry = [each.bbox for each in annotations]
    return pl.DataFrame(
        {
            "part": pl.Series([part] * len(annotations), dtype=pl.String),
            "id": pl.Series([each.id for each in annotations], dtype=pl.Int64),
            "image": pl.Series([each.image_id for each in annotations], dtype=pl.Int64),
            "category": pl.Series([each.category_id for each in annotations], dtype=pl.Int64),
            **{name: pl.Series([box[i] for box in geometry], dtype=pl.Float64) for i, name in enumerate("xywh")},
            "area": pl.Series([each.area for each in annotations], dtype=pl.Float64),
            "crowd": pl.Series([each.iscrowd for each in annotations], dtype=pl.Int64),
            "source_id": pl.Series([each.source_id for each in annotations], dtype=pl.String),
        }
    )


IMAGE_NAME = pl.format("{}: {}", "part", "path")
BOX_NAME = pl.format("{}: box {} of {}", "part", "source_id", pl.col("image"))


@rule(REBUILD, severity="error", blocking=True)
def files_parse(view: OutputView) -> Found:
    """Every file is there and has the fields that training and pycocotools read."""
    return Found(view.problems, len(view.paths))


@rule(REBUILD, severity="error")
def files_are_as_published(view: Held) -> Found:
    """Every file has the sha256 that it was published with, so nothing was edited, lost or decayed since."""
    if view.manifest is None:
        return Found(["nothing is published"], 1)
    changed = problems(view.root, view.manifest.rows.sums(), hashed=HASHED)
    return Found([f"{path}: {problem}" for path, problem in changed.items()], len(view.manifest.rows))


@rule("The selections of the raw assets leave nothing for it: widen them.", severity="error", blocking=True)
def none_is_empty(view: OutputView) -> Found:
    """Every set or split that was asked for has at least one image and one box."""
    offenders = [
        f"{part}: no {what}"
        for part, document in view.documents.items()
        for what, records in (("images", document.images), ("boxes", document.annotations))
        if not records and part not in view.may_be_empty
    ]
    facts = {f"{part} images": len(document.images) for part, document in view.documents.items()}
    facts |= {f"{part} boxes": len(document.annotations) for part, document in view.documents.items()}
    return Found(offenders, 2 * len(view.documents), facts, remedy=view.why_empty)


@rule(REPAIR_INPUT, severity="error", blocking=True)
def image_files_are_there(view: OutputView) -> Found:
    """Every image is a landed file that is still on disk; MaxSight would train on random noise in its place."""
    paths = view.images.filter(~pl.col("part").is_in(list(view.kept)))["path"].unique().sort()
    offenders = [path for path in paths if path not in view.digests or not (view.data_dir / path).is_file()]
    return Found(offenders, paths.len())


@rule(REPAIR_INPUT, severity="error", blocking=True, reads_images=True)
def images_decode(view: OutputView) -> Found:
    """Every image decodes in full to the size that its file states; MaxSight would train on random noise otherwise."""
    judged = view.images.filter(~pl.col("part").is_in(list(view.kept))).join(
        view.facts.select("sha256", "error", true_width="width", true_height="height"), on="sha256", how="left"
    )
    sized = (pl.col("width") == pl.col("true_width")) & (pl.col("height") == pl.col("true_height"))
    bad = judged.filter(pl.col("error").is_not_null() | ~sized.fill_null(value=False))
    problem = pl.coalesce("error", pl.format("{}x{} stated, not its size", "width", "height"))
    return Found(bad.select(pl.format("{}: {}", IMAGE_NAME, problem)).to_series(), judged.height)


@rule(REBUILD, severity="error", blocking=True, reads_images=True)
def turned_pictures_say_so(view: OutputView) -> Found:
    """Every image whose EXIF states an orientation has it in its record, because some readers turn such a picture.

    Boxes lie on the picture as it is stored, with neither the orientation nor the publisher's rotation applied.
    """
    judged = view.images.join(view.facts.select("sha256", exif="orientation"), on="sha256", how="left")
    wrong = judged.filter(pl.col("exif").fill_null(1) != pl.col("orientation"))
    text = pl.format("{}: orientation {} stated, {} found", IMAGE_NAME, "orientation", pl.col("exif").fill_null(1))
    facts = {
        "turned by EXIF": judged.filter(pl.col("orientation") != 1).height,
        "with a rotation": judged.filter(pl.col("rotation") != 0).height,
    }
    return Found(wrong.select(text).to_series(), judged.height, facts)


@rule(REBUILD, severity="error", blocking=True)
def categories_are_the_label_space(view: OutputView) -> Found:
    """Every file's categories are the label space in its order, ids from 1, and every box has one of them.

    MaxSight silently takes a name that it does not know for "person".
    """
    wanted = [(number, name) for number, name in enumerate(view.space.names, start=1)]
    offenders = [
        f"{part}: its categories are not the label space"
        for part, document in view.documents.items()
        if [(category.id, category.name) for category in document.categories] != wanted
    ]
    outside = view.boxes.filter(~pl.col("category").is_between(1, len(wanted)))
    offenders.extend(outside.select(pl.format("{}: category {}", BOX_NAME, "category")).to_series())
    return Found(offenders, len(view.documents) + view.boxes.height, {"categories": len(wanted)})


@rule(REBUILD, severity="error", blocking=True)
def boxes_are_sound(view: OutputView) -> Found:
    """Every box has a positive area and lies inside its image, which is in the same file."""
    x, y, w, h = (pl.col(name) for name in "xywh")
    sound = pl.all_horizontal(
        pl.col("listed"),
        pl.all_horizontal(pl.col("x", "y", "w", "h", "area").is_finite()),
        w > 0,
        h > 0,
        pl.col("area") > 0,
        x >= -ROUNDING_PX,
        y >= -ROUNDING_PX,
        x + w <= pl.col("width") + ROUNDING_PX,
        y + h <= pl.col("height") + ROUNDING_PX,
    )
    text = pl.format("{}: [{}, {}, {}, {}] in {}x{} pixels", BOX_NAME, x, y, w, h, *_known("width", "height"))
    return Found(view.boxes.filter(~sound.fill_null(value=False)).select(text).to_series(), view.boxes.height)


def _known(*columns: str) -> list[pl.Expr]:
    return [pl.col(column).cast(pl.String).fill_null("?") for column in columns]


@rule(REBUILD, severity="error", blocking=True)
def ids_name_one_record(view: OutputView) -> Found:
    """Within a file no id, path or source id stands for two images; no id stands for two boxes of any, and none is 0.

    pycocotools takes 0 for no match, and keeps the last of two records with one id.
    """
    images, boxes = view.images, view.boxes
    twice = pl.any_horizontal(
        pl.struct("part", name).is_duplicated() for name in ("id", "path", pl.struct("source", "source_id"))
    )
    wrong_boxes = pl.col("id").is_duplicated() | (pl.col("id") <= 0)
    offenders = [
        *images.filter(twice).select(IMAGE_NAME).to_series(),
        *boxes.filter(wrong_boxes).select(BOX_NAME).to_series(),
    ]
    return Found(offenders, images.height + boxes.height)


@rule(
    "Materialize what is missing, then this asset; or leave the dataset out by MAXSIGHT_DATASETS and do so.",
    severity="warn",
)
def every_set_is_there(view: OutputView) -> Found:
    """What is made of each dataset is there, also if the dataset could not be had; the others are made without it."""
    return Found([f"{name}: {why}" for name, why in view.lacking.items()], len(view.paths) + len(view.lacking))


OUTPUT_RULES: tuple[Rule[OutputView], ...] = (
    files_are_as_published,
    files_parse,
    none_is_empty,
    image_files_are_there,
    images_decode,
    turned_pictures_say_so,
    categories_are_the_label_space,
    boxes_are_sound,
    ids_name_one_record,
    every_set_is_there,
)
"""Rules of every COCO file that this project writes."""
