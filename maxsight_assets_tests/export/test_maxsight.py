import json
from pathlib import Path

import polars as pl
import pytest
import yaml

from maxsight_assets.errors import NotPublished, SettingsError, VerificationFailed
from maxsight_assets.export import maxsight
from maxsight_assets.export.maxsight import class_map_hash, export_maxsight
from maxsight_assets.labels.space import load_space
from maxsight_assets.publishing.stage import recovered_manifest
from maxsight_assets.splitting.config import SPLITS
from maxsight_assets_tests.export.reader import CLASS_MAP_HASH, Sample, gold_samples, training_config
from maxsight_assets_tests.export.world import LABELS, drawn, places_of, publish, published, samples_of
from maxsight_assets_tests.files import tree


def read_as_the_detector_does(out: Path) -> dict[str, dict[str, Sample]]:
    """The samples of each split, by image path."""
    config = training_config(out / "maxsight_assets.yaml")
    data = config["data"]
    return {
        name: {
            str(sample.path): sample
            for sample in gold_samples(Path(data[f"gold_{name}_meta"]), max_objects=data["max_objects"], labels=LABELS)
        }
        for name in SPLITS
    }


def assert_is_the_split(found: dict[str, Sample], expected: dict[str, Sample]) -> None:
    assert sorted(found) == sorted(str(sample.path) for sample in expected.values())
    for sample in expected.values():
        mine = found[str(sample.path)]
        assert mine.labels == sample.labels
        for box, other in zip(mine.boxes, sample.boxes, strict=True):
            assert box == pytest.approx(other, abs=1e-6)


@pytest.mark.parametrize("order", ["area", "urgency", "file"])
def test_the_detectors_reader_finds_the_labels_and_boxes_of_the_splits(tmp_path: Path, order: str) -> None:
    places = published(tmp_path, order_boxes=order)

    exported = export_maxsight(places, tmp_path / "out")

    found = read_as_the_detector_does(tmp_path / "out")
    assert sum(map(len, found.values())) == 12
    for name in SPLITS:
        assert_is_the_split(found[name], samples_of(places, name))
    assert exported.splits["train"].images == len(found["train"]) == 6
    assert sum(counts.crowds for counts in exported.splits.values()) == 1


def test_the_metadata_names_the_version_and_when_it_was_published(tmp_path: Path) -> None:
    places = published(tmp_path)
    manifest = recovered_manifest(places.splits)
    assert manifest is not None

    export_maxsight(places, tmp_path / "out")

    for name in SPLITS:
        meta = json.loads((tmp_path / f"out/{name}_meta.json").read_bytes())
        assert meta["built_at"] == manifest.info.published_at
        assert manifest.data_version.startswith(meta["version"])
    record = json.loads((tmp_path / "out/.maxsight/MANIFEST.json").read_bytes())
    assert record["inputs"] == {"cleaned_splits": manifest.data_version}


def test_equal_versions_give_equal_bytes(tmp_path: Path) -> None:
    places = published(tmp_path)
    export_maxsight(places, tmp_path / "out")
    first = tree(tmp_path / "out")

    publish(places, drawn(), sizes={"train": 6, "val": 3, "test": 3})  # the same version once more
    export_maxsight(places, tmp_path / "out")
    export_maxsight(places, tmp_path / "other")

    assert tree(tmp_path / "out") == first
    other = tree(tmp_path / "other")
    assert {name for name in first if other[name] != first[name]} == {
        "maxsight_assets.yaml",  # it names its own directory
        ".maxsight/manifest.parquet",
        ".maxsight/MANIFEST.json",
    }


def test_the_class_map_hash_is_the_detectors(tmp_path: Path) -> None:
    assert class_map_hash(load_space().names) == CLASS_MAP_HASH
    assert class_map_hash(load_space().names[::-1]) != CLASS_MAP_HASH


def test_the_registry_entry_is_for_the_files_that_the_configuration_names(tmp_path: Path) -> None:
    places = published(tmp_path)
    export_maxsight(places, tmp_path / "out")

    (entry,) = yaml.safe_load((tmp_path / "out/registry_entry.yaml").read_text(encoding="utf-8"))
    config = training_config(tmp_path / "out/maxsight_assets.yaml")

    assert (entry["id"], entry["version"]) == (config["dataset"]["dataset_id"], config["dataset"]["dataset_version"])
    for name in SPLITS:
        assert (
            entry["splits"][name]
            == config["data"][f"{name}_annotation_file"]
            == str(places.splits / f"maxsight_{name}.json")
        )
    assert entry["image_dir"] == config["data"]["image_dir"] == str(places.data_dir)
    assert (entry["annotation_format"], entry["num_classes"], entry["content_hash"]) == ("coco_dict", 622, None)


def test_images_may_lie_elsewhere_and_must_be_there(tmp_path: Path) -> None:
    places = published(tmp_path)
    (tmp_path / "fast disk").symlink_to(places.data_dir)

    export_maxsight(places, tmp_path / "out", image_root=tmp_path / "fast disk")

    found = read_as_the_detector_does(tmp_path / "out")
    assert all(path.startswith(f"{tmp_path}/fast disk/") for samples in found.values() for path in samples)
    before = tree(tmp_path / "out")
    with pytest.raises(NotPublished, match=r"image_paths_resolve: 12 of 12 \(/nowhere/coco_raw"):
        export_maxsight(places, tmp_path / "out", image_root=Path("/nowhere"))
    assert tree(tmp_path / "out") == before


def test_a_missing_image_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    places = published(tmp_path)
    (places.data_dir / "coco_raw/7.jpg").unlink()
    before = sorted(tmp_path.iterdir())

    with pytest.raises(NotPublished, match=r"image_paths_resolve: 1 of 12 \(.*coco_raw/7\.jpg\)"):
        export_maxsight(places, tmp_path / "out")

    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ('"labels":[', '"labels":[622,', "records_keep_the_form"),
        ('"schema_version":"1.0"', '"schema_version":"1.1"', "records_keep_the_form"),
        ('"distances":[', '"distances":[2,', "records_keep_the_form"),
        ('{"boxes"', '{ "boxes"', "records_keep_the_form"),
        ('"scene_urgency":', '"mood":3,"scene_urgency":', "records_keep_the_form"),
        ('"boxes":[[0.', '"boxes":[[0.1', "boxes_are_those_of_the_splits"),
    ],
)
def test_what_is_written_wrongly_is_not_exported(
    old: str, new: str, rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = published(tmp_path)
    whole = maxsight._write_split

    def spoiled(beside: Path, name: str, *rest: object) -> None:
        whole(beside, name, *rest)  # type: ignore[arg-type]
        path = beside / f"{name}.jsonl"
        text = path.read_text(encoding="utf-8").replace(old, new, 1)
        path.write_text(text, encoding="utf-8")
        assert new in text

    monkeypatch.setattr(maxsight, "_write_split", spoiled)
    with pytest.raises(NotPublished) as raised:
        export_maxsight(places, tmp_path / "out")

    assert rule in {verdict.rule for verdict in raised.value.verdicts if not verdict.passed}
    assert not (tmp_path / "out").exists()


def test_images_without_boxes_are_left_out_and_counted(tmp_path: Path) -> None:
    places = places_of(tmp_path)
    publish(places, drawn(empty=4), sizes={"train": 6, "val": 3, "test": 3}, drop_empty_images=False)

    exported = export_maxsight(places, tmp_path / "out")

    found = read_as_the_detector_does(tmp_path / "out")
    for name in SPLITS:
        assert_is_the_split(found[name], samples_of(places, name))
        meta = json.loads((tmp_path / f"out/{name}_meta.json").read_bytes())
        assert meta["num_skipped"] == exported.splits[name].skipped
    assert sum(counts.skipped for counts in exported.splits.values()) == 4


def test_a_box_thinner_than_the_form_allows_is_widened_as_the_detector_does(tmp_path: Path) -> None:
    images, boxes, facts = drawn()
    places = places_of(tmp_path)
    publish(places, (images, boxes.with_columns(w=pl.lit(0.002)), facts), sizes={"train": 6, "val": 3, "test": 3})

    export_maxsight(places, tmp_path / "out")

    found = read_as_the_detector_does(tmp_path / "out")
    widths = {box[2] for sample in found["train"].values() for box in sample.boxes}
    assert list(widths) == pytest.approx([0.0064] * len(widths))


def test_images_with_more_boxes_than_the_configuration_keeps_are_counted(tmp_path: Path) -> None:
    images, boxes, facts = drawn()
    many = pl.concat(
        [
            boxes.with_columns(box_id=pl.format("{}:{}", "box_id", pl.lit(k)), x=pl.col("x") / 9 + k * 0.1)
            for k in range(150)
        ]
    )
    places = places_of(tmp_path)
    publish(places, (images, many, facts), sizes={"train": 6, "val": 3, "test": 3})

    exported = export_maxsight(places, tmp_path / "out")

    for name in SPLITS:
        boxes_of_images = [len(sample.boxes) for sample in samples_of(places, name).values()]
        assert exported.splits[name].beyond == sum(count > 100 for count in boxes_of_images) > 0


def test_splits_that_the_detector_cannot_train_on_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nothing is published in .*; materialize it"):
        export_maxsight(places_of(tmp_path / "none"), tmp_path / "out")
    coco = load_space("coco80").names
    publish(other := places_of(tmp_path / "coco80"), drawn(), space=coco)
    with pytest.raises(SettingsError, match="its label space is not the detector's"):
        export_maxsight(other, tmp_path / "out")
    with pytest.raises(SettingsError, match="val holds no boxes"):
        export_maxsight(published(tmp_path / "empty", sizes={"val": 0, "test": 0.2}), tmp_path / "out")


def test_splits_that_were_changed_since_they_were_published_are_refused(tmp_path: Path) -> None:
    places = published(tmp_path)
    path = places.splits / "maxsight_val.json"
    path.write_bytes(path.read_bytes().replace(b'"iscrowd":0', b'"iscrowd":1', 1))

    with pytest.raises(VerificationFailed, match=r"maxsight_val\.json: not as it was published .*materialize"):
        export_maxsight(places, tmp_path / "out")
