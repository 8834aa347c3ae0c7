"""Rules for `coco_raw`: those of every annotated directory, and what only COCO's own files can break.

Known defects of the real COCO 2017 are counted apart by the rules in `boxes`, so that a new one stands out.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import msgspec
import polars as pl

from maxsight_assets.catalog.model import SplitCounts
from maxsight_assets.errors import FormatError
from maxsight_assets.formats.coco import Kind, check_parses
from maxsight_assets.formats.masks import segmentation_fault, sound_by_form
from maxsight_assets.formats.odd import integer
from maxsight_assets.formats.sections import Long, Sections
from maxsight_assets.labels import mapping
from maxsight_assets.verdict import Found, Rule, rule
from maxsight_assets.verification.boxes import ANNOTATED_RULES, BOX_NAME, odd_fields, table_rule
from maxsight_assets.verification.views import RawView

UNUSED_IDS = frozenset({12, 26, 29, 30, 45, 66, 68, 69, 71, 83})
"""Category ids between 1 and 90 that COCO left out of its detection task."""

KNOWN_IDS = frozenset(range(1, 91)) - UNUSED_IDS
"""Ids of the 80 categories, in whose order `labels.csv` lists them."""


class _Named(msgspec.Struct):
    id: int
    name: str | None = None


class _Image(msgspec.Struct, gc=False):
    file_name: str = ""
    license: int | None = None
    coco_url: str | None = None


class _Annotation(msgspec.Struct, gc=False):
    """Only counted."""


_READERS = {"id": integer, "license": integer}
_OF_SPLIT = re.compile(r"/(train2017|val2017|test2017|unlabeled2017)/[^/]*$")
"""Where the address that the publisher gives an image (`coco_url`) names the split that the image is of."""

_KINDS: Mapping[str, Kind] = {"person_keypoints": "person_keypoints", "captions": "captions"}


@dataclass(frozen=True, slots=True)
class DocumentFacts:
    """What a whole `instances_*.json` says beside its tables.

    Attributes:
        counts: Images and annotations in it, selected or not.
        categories: Category names by id.
        licenses: Number of images by licence name; "unknown" for ids that the file does not explain.
        of_split: The publisher's split by file name, for images whose `coco_url` names one.
    """

    counts: SplitCounts
    categories: Mapping[int, str]
    licenses: Mapping[str, int]
    of_split: Mapping[str, str]


def _split_of(images: Iterable[_Image]) -> dict[str, str]:
    """The publisher's split by file name, for images whose `coco_url` names one."""
    found = ((image.file_name, _OF_SPLIT.search(image.coco_url or "")) for image in images)
    return {name: match[1] for name, match in found if match}


@dataclass(frozen=True)
class CocoView(RawView):
    """A COCO directory, whose annotation files land whole even where few images were selected."""

    @cached_property
    def documents(self) -> Mapping[str, DocumentFacts]:
        """Facts of each `annotations/instances_<split>.json`, by split; none where the annotations do not parse."""
        names = (re.fullmatch(r"annotations/instances_(\w+)\.json", path) for path in self.files["path"])
        splits = sorted(name[1] for name in names if name)
        return {} if self.problem else {split: self._document(split) for split in splits}

    def _document(self, split: str) -> DocumentFacts:
        longs: dict[str, Long[tuple[Counter[int | None], dict[str, str]]]] = {
            "images": Long(
                _Image, lambda images: ((Counter(image.license for image in images), _split_of(images)), 0), _READERS
            ),
            "annotations": Long(_Annotation, lambda annotations: ((Counter({None: len(annotations)}), {}), 0)),
        }
        document = Sections(self.root / f"annotations/instances_{split}.json", longs)
        licences, annotations = (
            sum((made[0] for made in document.made[name]), Counter[int | None]()) for name in longs
        )
        of_split = {name: split for _, named in document.made["images"] for name, split in named.items()}
        names = {each.id: each.name for each in document.small("licenses", _Named, _READERS)}
        by_name: Counter[str] = Counter()
        for number, count in licences.items():
            by_name[names.get(number or 0) or "unknown"] += count
        return DocumentFacts(
            counts=SplitCounts(images=licences.total(), boxes=annotations.total()),
            categories={each.id: each.name or "" for each in document.small("categories", _Named, _READERS)},
            licenses=by_name,
            of_split=of_split,
        )

    @property
    def counted(self) -> Mapping[str, SplitCounts]:
        """Images and annotations of the whole files, selected or not, by split."""
        return {split: facts.counts for split, facts in self.documents.items()}


@rule(
    "Detection does not need these files; fetch them again with `maxsight-assets repair` before using them.",
    severity="warn",
)
def other_annotations_parse(view: CocoView) -> Found:
    """Keypoint and caption files, which land beside the boxes, parse too."""
    offenders, checked = [], 0
    for path in view.files["path"]:
        name = re.fullmatch(r"annotations/(person_keypoints|captions)_\w+\.json", path)
        if name is None:
            continue
        checked += 1
        try:
            odd = check_parses(view.root / path, _KINDS[name[1]]).odd
        except (FormatError, OSError) as error:
            offenders.append(str(error))
        else:
            offenders += [f"{path}: {text}" for text in odd_fields(odd)]
    return Found(offenders, checked)


@table_rule(
    "This is not COCO 2017's edition: fetch the annotation files again.",
    severity="error",
    blocking=True,
)
def categories_are_known(view: CocoView) -> Found:
    """Every annotation file declares COCO's 80 categories under their ids, so that a class means what it says."""
    known = dict(zip(sorted(KNOWN_IDS), (row.label for row in mapping.rows("coco")), strict=True))
    looked_at = [
        (split, facts.categories, number)
        for split, facts in view.documents.items()
        for number in known.keys() | facts.categories.keys()
    ]
    offenders = [
        f"{split}: category {number} is {names.get(number)!r}, not COCO's {known.get(number)!r}"
        for split, names, number in looked_at
        if names.get(number) != known.get(number)
    ]
    used = view.boxes["label"].drop_nulls().n_unique()
    return Found(offenders, len(looked_at), {"classes with boxes": used})


@table_rule(
    "Two splits were exchanged or mixed: move images and annotation files to the split that their `coco_url` names, "
    "or fetch the annotation files again.",
    severity="error",
    blocking=True,
)
def splits_are_the_publishers(view: CocoView) -> Found:
    """Every image is in the split that its `coco_url` names; else evaluation images are trained on."""
    offenders = [
        f"{split}/{name}: of {of_split} by its coco_url"
        for split, facts in view.documents.items()
        for name, of_split in facts.of_split.items()
        if of_split != split
    ]
    return Found(offenders, sum(len(facts.of_split) for facts in view.documents.values()))


@table_rule(
    "Leave these annotations out of an evaluation, or give them another id.",
    severity="error",
)
def ids_are_not_zero(view: CocoView) -> Found:
    """No annotation has the id 0, which pycocotools takes for no match and so never counts as found."""
    zero = view.boxes.filter(pl.col("box_id") == "0").select(BOX_NAME).to_series()
    return Found(zero, view.boxes.height)


@table_rule(
    "Nothing breaks for boxes; do not train on these masks.",
    severity="warn",
)
def crowds_are_regions(view: CocoView) -> Found:
    """A crowd has a run-length mask, and everything else has polygons."""
    runs = pl.col("segmentation").str.starts_with("{")
    masked = view.boxes.filter(pl.col("segmentation").is_not_null())
    return Found(masked.filter(runs != pl.col("crowd")).select(BOX_NAME).to_series(), masked.height)


@table_rule(
    "Nothing breaks for boxes, whose own rules judge them; cleaning names masks that it leaves out in the ledger.",
    severity="warn",
)
def masks_are_sound(view: CocoView) -> Found:
    """Every mask is one that pycocotools survives: polygons near their image, run lengths that add up to its size."""
    masked = view.boxes.filter(pl.all_horizontal(pl.col("segmentation", "width", "height").is_not_null()))
    return Found(_bad_masks(masked.filter(~sound_by_form("width", "height"))), masked.height)


def _bad_masks(masked: pl.DataFrame) -> Iterator[str]:
    columns = ("segmentation", "width", "height", "box_id", "image_id")
    for text, width, height, box_id, image_id in masked.select(columns).iter_rows():
        if fault := segmentation_fault(text, width, height):
            yield f"box {box_id} of image {image_id}: {fault}"


@rule(
    "Treat these images as not licensed; a selection by licence leaves them out.",
    severity="warn",
)
def images_have_a_licence(view: CocoView) -> Found:
    """Every image names a licence that its annotation file explains; what an image may be used for depends on it."""
    offenders = view.images.filter(pl.col("license").is_null()).select(pl.format("image {}", "image_id")).to_series()
    licenses: Counter[str] = Counter()
    for facts in view.documents.values():
        licenses.update(facts.licenses)
    return Found(offenders, view.images.height, dict(sorted(licenses.items())))


@rule(
    "Convert these to RGB as they are read, with `Image.convert`.",
    severity="warn",
    reads_images=True,
)
def images_are_rgb_or_gray(view: CocoView) -> Found:
    """Every image that decodes is RGB or gray; others reach a training loop with four channels or inverted colours."""
    sound = view.facts.filter(pl.col("error").is_null())
    odd = sound.filter(~pl.col("mode").is_in(["RGB", "L"]))
    modes = {f"mode {mode}": count for mode, count in sorted(Counter(sound["mode"]).items())}
    return Found(odd.select(pl.format("{}: {}", "path", "mode")).to_series(), sound.height, modes)


COCO_RULES: tuple[Rule[CocoView], ...] = (
    *ANNOTATED_RULES,
    other_annotations_parse,
    categories_are_known,
    splits_are_the_publishers,
    ids_are_not_zero,
    crowds_are_regions,
    masks_are_sound,
    images_have_a_licence,
    images_are_rgb_or_gray,
)
"""Rules of `coco_raw`."""
