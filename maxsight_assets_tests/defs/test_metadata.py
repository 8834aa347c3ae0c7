"""What an asset's page says of its tables and files."""

from maxsight_assets.defs.metadata import _places, columns_of
from maxsight_assets.formats.tables import ABOUT, BOXES, IMAGES
from maxsight_assets.publishing.manifest import FileRow, Manifest


def test_every_column_is_explained() -> None:
    for schema in (IMAGES, BOXES):
        columns = columns_of(schema).value.columns  # type: ignore[attr-defined]
        assert [column.name for column in columns] == schema.names()
        assert all(column.description for column in columns)
    assert ABOUT.keys() == {*IMAGES, *BOXES}


def test_annotation_files_are_listed_one_by_one_and_images_by_their_folder() -> None:
    paths = ("annotations/instances_val2017.json", "val2017/1.jpg", "val2017/2.jpg", "train/aa/1.jpg", "train/bb/2.jpg")
    rows = [FileRow(path, 1_500_000, "0" * 64, "sha256") for path in paths]
    manifest = Manifest.of(rows, asset="coco_raw", source="upstream", selection={}, inputs={})

    assert _places(manifest) == [
        ("annotations/instances_val2017.json", 1, 1.5),
        ("train", 2, 3.0),
        ("val2017", 2, 3.0),
    ]
