from pathlib import Path

import pytest
import yaml

from maxsight_assets.errors import NotPublished
from maxsight_assets.export import yolo
from maxsight_assets.export.yolo import export_yolo
from maxsight_assets.splitting.config import SPLITS
from maxsight_assets_tests.export.reader import yolo_samples
from maxsight_assets_tests.export.world import LABELS, drawn, places_of, publish, published, samples_of
from maxsight_assets_tests.files import tree


@pytest.mark.parametrize("order", ["area", "file"])
def test_a_yolo_program_reads_the_labels_and_boxes_of_the_splits(tmp_path: Path, order: str) -> None:
    places = published(tmp_path, order_boxes=order)

    exported = export_yolo(places, tmp_path / "out")

    for name in SPLITS:
        expected = samples_of(places, name)
        found = {sample.path: sample for sample in yolo_samples(tmp_path / "out/data.yaml", name)}
        assert sorted(path.resolve() for path in found) == sorted(each.path for each in expected.values())
        assert len(found) == exported.splits[name].images
        for path, sample in found.items():
            wanted = expected[path.relative_to(tmp_path / "out/images").as_posix()]
            assert sample.labels == wanted.labels
            for box, other in zip(sample.boxes, wanted.boxes, strict=True):
                assert box == pytest.approx(other, abs=1e-6)


def test_classes_are_the_label_space_in_its_order(tmp_path: Path) -> None:
    export_yolo(published(tmp_path), tmp_path / "out")

    config = yaml.safe_load((tmp_path / "out/data.yaml").read_text(encoding="utf-8"))

    assert config["names"] == dict(enumerate(LABELS))


def test_images_are_one_link_and_no_copy(tmp_path: Path) -> None:
    places = published(tmp_path)
    (tmp_path / "elsewhere").symlink_to(places.data_dir)

    export_yolo(places, tmp_path / "out", image_root=tmp_path / "elsewhere")

    assert (tmp_path / "out/images").readlink() == tmp_path / "elsewhere"
    assert not [name for name in tree(tmp_path / "out") if name.endswith(".jpg")]


def test_an_image_without_boxes_has_an_empty_label_file(tmp_path: Path) -> None:
    places = places_of(tmp_path)
    publish(places, drawn(empty=4), drop_empty_images=False)

    export_yolo(places, tmp_path / "out")

    found = [sample for name in SPLITS for sample in yolo_samples(tmp_path / "out/data.yaml", name)]
    assert len(found) == 12
    assert sum(not sample.boxes for sample in found) == 4


def test_equal_versions_give_equal_bytes(tmp_path: Path) -> None:
    places = published(tmp_path)
    export_yolo(places, tmp_path / "out")
    first = tree(tmp_path / "out")

    export_yolo(places, tmp_path / "out")

    assert tree(tmp_path / "out") == first
    assert (tmp_path / "out/images").is_symlink()


def test_labels_that_are_written_wrongly_are_not_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = published(tmp_path)
    whole = yolo._write_split

    def spoiled(beside: Path, *rest: object) -> None:
        whole(beside, *rest)  # type: ignore[arg-type]
        path = next(path for path in beside.rglob("labels/**/*.txt") if path.stat().st_size)
        path.write_text(f"1 {path.read_text(encoding='utf-8').split(' ', 1)[1]}", encoding="utf-8")

    monkeypatch.setattr(yolo, "_write_split", spoiled)
    with pytest.raises(NotPublished, match="boxes_are_those_of_the_splits"):
        export_yolo(places, tmp_path / "out")

    assert not (tmp_path / "out").exists()
