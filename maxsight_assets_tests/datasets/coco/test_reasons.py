"""Images whose names are odd: they land where that is safe, and each that does not has its reason in every place."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from maxsight_assets.datasets.coco.verify import verify_coco_dataset
from maxsight_assets.errors import NotPublished
from maxsight_assets.formats.names import CLIMBS, KIND, NOT_HELD
from maxsight_assets.pipeline.inspection import RAW
from maxsight_assets_tests.datasets.coco.upstream import ANNOTATIONS, land, pack, places_in, serving
from maxsight_assets_tests.verification.directories import document, jpeg

ODD = {
    "images\\000000000101.jpg": "val2017/000000000101.jpg",
    "C:\\data\\000000000102.jpg": "val2017/000000000102.jpg",
    "val2017/000000000103.jpg": "val2017/000000000103.jpg",
    "IMG 1.v2.JPG": "val2017/IMG 1.v2.JPG",
    "sub/x.jpeg": "val2017/sub/x.jpeg",
}
"""What annotations state, and where the archive has the picture."""


def publish(site: Path, names: dict[str, str | None]) -> None:
    """Serve 30 sound images and one for each of these names; None: the archive has no such picture."""
    contents: dict[str, Any] = document(images=30)
    pictures = {f"val2017/{n:012}.jpg": jpeg(n) for n in range(1, 31)}
    for number, (name, member) in enumerate(names.items(), 101):
        contents["images"].append(contents["images"][0] | {"id": number, "file_name": name})
        if member:
            pictures[member] = jpeg(number)
    pack(site / ANNOTATIONS, {"annotations/instances_val2017.json": json.dumps(contents).encode()})
    pack(site / "zips/val2017.zip", pictures)


def test_fault_85_images_with_odd_names_land(tmp_path: Path) -> None:
    publish(tmp_path / "site", dict(ODD))
    places = places_in(tmp_path)
    with serving(tmp_path / "site", tmp_path / "nginx") as site, site.open() as upstream:
        version = land(upstream, places, val2017=None, gate=RAW["coco"].gate(places))

    root = places.data_dir / "coco_raw"
    assert version.tally.missing == []
    assert not (root / "missing.csv").exists()
    assert {"val2017/IMG 1.v2.JPG", "val2017/sub/x.jpeg", "val2017/000000000101.jpg"} <= version.manifest.rows.keys()
    view = RAW["coco"].view(places)
    assert view.images["landed"].all()
    assert view.facts.height == 35
    report = verify_coco_dataset(root, level="decode")
    wrong = {each.verdict.rule for each in report.findings if each.severity == "error" and not each.verdict.passed}
    assert wrong == {"counts_match"}  # 35 images are not the publisher's 5,000


def test_fault_85_each_image_that_does_not_land_has_its_reason_in_the_message_the_check_and_the_list(
    tmp_path: Path,
) -> None:
    places, apart = places_in(tmp_path), places_in(tmp_path / "apart")
    few: dict[str, str | None] = {"../out.jpg": None, "moving.gif": "val2017/moving.gif", "gone.jpg": None}
    publish(tmp_path / "site", few)
    with serving(tmp_path / "site", tmp_path / "nginx") as site:
        with site.open() as upstream:
            version = land(upstream, places, val2017=None)
        with site.open() as upstream:
            publish(tmp_path / "site", few | {f"gone{n}.jpg": None for n in range(10)})
            with pytest.raises(NotPublished) as blocked:
                land(upstream, apart, val2017=None, gate=RAW["coco"].gate(apart))

    reasons = {"val2017/../out.jpg": CLIMBS, "val2017/moving.gif": KIND, "val2017/gone.jpg": NOT_HELD}
    assert dict(pl.read_csv(places.data_dir / "coco_raw/missing.csv").iter_rows()) == reasons
    assert version.tally.missing == sorted(f"{path}: {reason}" for path, reason in reasons.items())
    rules = {rule.name: rule for rule in RAW["coco"].rules}
    verdict = rules["every_image_landed"].judge(RAW["coco"].view(places))
    assert verdict.examples == tuple(version.tally.missing)
    assert dict(verdict.facts) == dict.fromkeys(sorted(reasons.values()), 1)
    assert f"11: {NOT_HELD}. Give the archive" in str(blocked.value)
    assert f"1: {KIND}. Convert them" in str(blocked.value)
    assert "may be down" not in str(blocked.value)
