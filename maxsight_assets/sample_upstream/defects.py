"""The deliberate faults of the embedded upstream: one entry each, so that what becomes of it can be shown.

Only this table states where the faults are; the drawn publishers and the tests read it.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Defect:
    """One fault of the sample, or one oddity that only looks like a fault.

    Attributes:
        name: Its name in this table.
        dataset: The dataset that holds it: coco, openimages, bdd100k.
        kind: The kind of `record_ids`: images, or boxes (COCO annotation ids; "<image id>:<row>" in Open Images).
        record_ids: The ids of the faulty records, as text.
        wrong: What is wrong, as a text for the user.
        expected_rule: The rule that should find it.
        shows: Where it should appear: "check" (a file that cannot be used), "ledger" (a record dropped or repaired),
            "leak" (kept out of a split because of its twin) or "kept" (it must stay unchanged).
        twin: Dataset and image id of the picture that it copies.
    """

    name: str
    dataset: str
    kind: Literal["image", "box"]
    record_ids: tuple[str, ...]
    wrong: str
    expected_rule: str
    shows: Literal["check", "ledger", "leak", "kept"]
    twin: tuple[str, str] | None = None

    @property
    def image_id(self) -> str:
        """Return the id of the (first) faulty image."""
        record = self.record_ids[0]
        if self.kind == "image":
            return record
        return record[:-2] if self.dataset == "coco" else record.partition(":")[0]

    @property
    def twin_image(self) -> str:
        """Return the id of the picture that it copies; only for faults with a twin."""
        if self.twin is None:
            raise ValueError(f"{self.name}: it is not a copy of another picture; look at `twin` first")
        return self.twin[1]


DEFECTS: tuple[Defect, ...] = (
    Defect(
        "truncated_jpeg",
        "coco",
        "image",
        ("34127",),
        "The file ends in the middle of the picture.",
        "undecodable",
        "check",
    ),
    Defect(
        "missing_image",
        "coco",
        "image",
        ("57870",),
        "The annotations name it; the zip lacks it.",
        "missing_file",
        "check",
    ),
    Defect("grayscale_jpeg", "coco", "image", ("86220",), "One channel, as real COCO has too.", "grayscale", "kept"),
    Defect(
        "image_without_annotations",
        "coco",
        "image",
        ("101420",),
        "Nobody annotated anything in it.",
        "no_boxes",
        "ledger",
    ),
    Defect(
        "wrong_image_size",
        "coco",
        "image",
        ("118113",),
        "Its stated width and height are swapped.",
        "wrong_size",
        "ledger",
    ),
    Defect("orphan_annotation", "coco", "box", ("58192901",), "Its image is not in the file.", "orphan", "ledger"),
    Defect("zero_height_box", "coco", "box", ("20036501",), "Its box is 0 pixels tall.", "zero_area", "ledger"),
    Defect(
        "out_of_bounds_box",
        "coco",
        "box",
        ("22209401",),
        "A fifth of its box lies beyond the picture's right edge.",
        "out_of_bounds",
        "ledger",
    ),
    Defect(
        "duplicate_annotation",
        "coco",
        "box",
        ("9984499",),
        "The first annotation of the image, once more.",
        "duplicate_box",
        "ledger",
    ),
    Defect(
        "unknown_label_elephant",
        "coco",
        "box",
        ("25981701",),
        "The detector does not know elephants.",
        "label_outside_space",
        "ledger",
    ),
    Defect(
        "unknown_label_zebra",
        "coco",
        "box",
        ("27411501",),
        "The detector does not know zebras.",
        "label_outside_space",
        "ledger",
    ),
    Defect(
        "exact_duplicate",
        "coco",
        "image",
        ("301837",),
        "The very bytes of a val2017 image.",
        "exact_duplicate",
        "leak",
        ("coco", "1296"),
    ),
    Defect(
        "near_duplicate",
        "coco",
        "image",
        ("318219",),
        "A val2017 image at 90 % of its size and lower quality.",
        "near_duplicate",
        "leak",
        ("coco", "2299"),
    ),
    Defect(
        "shared_photo",
        "openimages",
        "image",
        ("000e100000000000",),
        "The Flickr photo of a COCO train2017 image, at another size.",
        "same_photo",
        "leak",
        ("coco", "391895"),
    ),
    Defect(
        "evaluation_leak",
        "coco",
        "image",
        ("403013",),
        "An Open Images validation image, near-identical.",
        "near_duplicate",
        "leak",
        ("openimages", "00a9b2c04d5e6f71"),
    ),
    Defect(
        "rotated_image",
        "openimages",
        "image",
        ("1234567890123456",),
        "It needs a quarter turn to be upright.",
        "rotation",
        "kept",
    ),
    Defect(
        "rotation_unknown", "openimages", "image", ("2b7c91d0e4f5a638",), "Its rotation is empty.", "rotation", "kept"
    ),
    Defect("group_of_box", "openimages", "box", ("3c0d5e8f9a1b2746:0",), "One box around a crowd.", "crowd", "kept"),
    Defect(
        "depiction_box",
        "openimages",
        "box",
        ("4d1e6f90ab2c3857:0",),
        "A painted person, not a person.",
        "depiction",
        "ledger",
    ),
    Defect(
        "unlabelled_frame", "bdd100k", "image", ("b1d0a191-5490450b",), "The frame has no `labels`.", "no_boxes", "kept"
    ),
)
"""Every fault."""

BY_NAME = {defect.name: defect for defect in DEFECTS}
"""The faults by name."""
