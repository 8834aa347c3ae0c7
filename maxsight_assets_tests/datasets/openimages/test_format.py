"""Open Images files: every edition, real rows against a plain reading, pixels once, ids as text."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from maxsight_assets.datasets.openimages import format as openimages
from maxsight_assets.datasets.openimages.format_csv import SetAside
from maxsight_assets.errors import FormatError
from maxsight_assets.formats.tables import BOXES, IMAGES
from maxsight_assets_tests.places import SHARED

REAL = SHARED / "data" / "openimages_slice"
V3 = ("ImageID", "Source", "LabelName", "Confidence", "XMin", "XMax", "YMin", "YMax")
V5 = (*V3, "IsOccluded", "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside")
V6 = (*V5, *(f"XClick{number}{axis}" for axis in "XY" for number in range(1, 5)))
NAMES = {"/m/01g317": "Person", "/m/0k4j": "Car"}
METADATA = (
    *("ImageID", "Subset", "OriginalURL", "OriginalLandingURL", "License", "AuthorProfileURL", "Author", "Title"),
    *("OriginalSize", "OriginalMD5", "Thumbnail300KURL", "Rotation"),
)
LICENCE = "https://creativecommons.org/licenses/by/2.0/"


def row(image_id: str = "000e100000000000", mid: str = "/m/01g317", flags: str = "0,0,0,0,0") -> str:
    return f"{image_id},xclick,{mid},1,0.25,0.5,0.125,1,{flags}"


def write(path: Path, header: Sequence[str], rows: Sequence[str]) -> Path:
    path.write_text("\n".join([",".join(header), *rows]) + "\n", encoding="utf-8")
    return path


def read(path: Path, **more: object) -> openimages.Rows:
    return openimages.read_boxes(path, split="train", class_names=NAMES, **more)  # type: ignore[arg-type]


def real(name: str) -> Path:
    if not (REAL / name).exists():
        pytest.skip(f"no real file at {REAL / name}")
    return REAL / name


@pytest.mark.parametrize(
    ("header", "line"),
    [
        (V3, "000e100000000000,x,/m/01g317,1,0.25,0.5,0.125,1"),
        (V5, row(flags="1,0,-1,0,1")),
        (V6, row(flags="1,0,-1,0,1") + ",0.1,0.2,0.3,0.4,-1,-1,-1,-1"),
        (tuple(reversed(V5)), ",".join(reversed(row(flags="1,0,-1,0,1").split(",")))),
    ],
)
def test_fault_64_columns_are_found_by_name_in_every_edition(tmp_path: Path, header: Sequence[str], line: str) -> None:
    rows = read(write(tmp_path / "boxes.csv", header, [line]))

    unknown = header == V3
    assert rows.rejected.is_empty()
    assert rows.table.schema == openimages.NORMALISED
    assert rows.table.row(0, named=True) == {
        "split": "train",
        "image_id": "000e100000000000",
        "box_id": "000e100000000000:0",
        "mid": "/m/01g317",
        "label": "Person",
        "x_min": 0.25,
        "x_max": 0.5,
        "y_min": 0.125,
        "y_max": 1.0,
        "crowd": None,
        "occluded": None if unknown else True,
        "truncated": None if unknown else False,
        "depiction": None if unknown else False,
        "inside": None if unknown else True,
        "fault": None,
    }


def test_fault_64_broken_rows_are_set_aside_by_line_and_ids_stay_text(tmp_path: Path) -> None:
    lines = [
        row("000e100000000000"),
        row("NA"),
        row("1e5"),
        "",
        row("comma").replace("0.25", "0,25"),
        row("extra") + ",1",
        row("word").replace("0.25", "left"),
        row("nan").replace("0.25", "nan"),
        row("out").replace("0.25", "-0.01"),
        row("flag", flags="0,0,2,0,0"),
        row("huge" * 500_000),
        row("deep", mid="x" * 3_000_000),
        "short,xclick,/m/01g317,1,0.25",
        row(""),
        ",,,,,,,,,,,,",
        row("quote").replace("xclick", 'xcl"ick'),
        row("007"),
    ]

    rows = read(write(tmp_path / "boxes.csv", V5, lines))

    assert rows.table["image_id"].to_list() == ["000e100000000000", "NA", "1e5", "quote", "007"]
    assert rows.rejected.select("line", "reason").rows() == [
        (5, "a blank row"),
        (6, "more fields than the header"),
        (7, "more fields than the header"),
        (8, "XMin is no number in 0..1"),
        (9, "XMin is no number in 0..1"),
        (10, "XMin is no number in 0..1"),
        (11, "IsGroupOf is neither 1, 0 nor -1"),
        (12, "an ImageID of more than 255 bytes"),
        (13, "LabelName is no MID"),
        (14, "XMax is no number in 0..1"),
        (15, "no ImageID"),
        (16, "a blank row"),
    ]


@pytest.mark.parametrize(
    ("header", "named"),
    [
        ("ImageID,Source,LabelName,Confidence,XMin,XMax", "YMin, YMax"),
        ("ImageID;Source;LabelName;Confidence;XMin;XMax;YMin;YMax", "ImageID, LabelName, XMin, XMax, YMin, YMax"),
        ("<!DOCTYPE html>", "ImageID"),
        ("", "ImageID"),
        ("x" * 1_000_000, "ImageID"),
    ],
)
def test_fault_64_a_wrong_header_names_the_columns(tmp_path: Path, header: str, named: str) -> None:
    path = write(tmp_path / "boxes.csv", [header], [row()])
    with pytest.raises(FormatError, match=f"boxes.csv: the header lacks {named}") as caught:
        read(path)
    assert len(str(caught.value)) < 300


def test_box_ids_count_an_images_rows_and_stay_when_a_class_is_picked(tmp_path: Path) -> None:
    lines = [row("a"), row("a", "/m/0k4j"), row("b", "/m/0k4j"), row("c"), row("b"), row("c", "/m/0k4j")]
    path = write(tmp_path / "boxes.csv", V5, lines)

    assert read(path).table["box_id"].to_list() == ["a:0", "a:1", "b:0", "c:0", "b:1", "c:1"]
    pairs, aside = openimages.class_images(path, ["/m/01g317", "/m/9"])
    assert pairs.rows() == [("a", "/m/01g317"), ("b", "/m/01g317"), ("c", "/m/01g317")]
    assert aside == SetAside(3)


def test_a_class_is_looked_for_in_its_own_column_of_sound_rows_only(tmp_path: Path) -> None:
    lines = [
        row("yes"),
        row("/m/01g317", "/m/0k4j"),
        row("longer", "/m/01g3170"),
        row("elsewhere", "/m/0k4j").replace("xclick", "/m/01g317"),
        row("comma").replace("0.25", "0,25"),
        row("long") + ",1",
        row("nan").replace("0.25", "nan"),
    ]

    pairs, aside = openimages.class_images(write(tmp_path / "boxes.csv", V5, lines), ["/m/01g317"])

    assert pairs.rows() == [("yes", "/m/01g317")]
    assert (aside.rows, aside.count) == (7, 3)
    assert aside.reasons == (("line 6", 2, "more fields than the header"), ("line 8", 1, "XMin is no number in 0..1"))
    assert openimages.class_images(tmp_path / "boxes.csv", [])[0].is_empty()


def test_numbers_may_be_written_as_a_plain_reading_takes_them(tmp_path: Path) -> None:
    lines = [
        row("a").replace("0.25", each)
        for each in (" 0.25", "0.25 ", ".25", "2.5e-1", "+0.25", "0.250000000000000000001")
    ]

    assert read(write(tmp_path / "boxes.csv", V5, lines)).table["x_min"].to_list() == [0.25] * len(lines)


def test_fault_64_bytes_that_are_no_text_break_their_row_alone(tmp_path: Path) -> None:
    path = tmp_path / "boxes.csv"
    lines = [row("a").encode(), row("b").encode("utf-16"), row("c", "/m/\xe9").encode("latin-1"), row("d").encode()]
    path.write_bytes(b"\n".join([",".join(V5).encode(), *lines]) + b"\n")

    rows = read(path)

    assert rows.table["image_id"].to_list() == ["a", "d"]
    assert rows.rejected.select("line", "reason").rows() == [(3, "LabelName is no MID"), (4, "LabelName is no MID")]


def test_only_boxes_with_the_asked_flags_and_annotators_count(tmp_path: Path) -> None:
    lines = [
        row("group", flags="0,0,1,0,0"),
        row("plain"),
        row("unknown", flags="0,0,-1,0,0"),
        row("both"),
        row("both"),
    ]
    lines += [row("other").replace("xclick", "activemil"), row("broken").replace("0.25", "x")]
    path = write(tmp_path / "boxes.csv", V5, lines)

    def ids(**options: object) -> list[str]:
        return openimages.class_images(path, ["/m/01g317"], **options)[0]["image_id"].to_list()  # type: ignore[arg-type]

    assert ids() == ["both", "group", "other", "plain", "unknown"]
    assert ids(flags={"crowd": True}) == ["group"]
    assert ids(flags={"crowd": False, "depiction": False}) == ["both", "other", "plain"]
    assert ids(flags={"crowd": False}, annotators=["activemil"]) == ["other"]


def test_rows_of_some_images_are_copied_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "boxes.csv"
    path.write_bytes((",".join(V5) + "\r\n" + row("a") + "\r\n" + row("ab") + "\r\n" + row("a", "/m/0k4j")).encode())

    assert openimages.write_rows_of(path, tmp_path / "some.csv", ["a"]) == 2

    expected = ",".join(V5) + "\r\n" + row("a") + "\r\n" + row("a", "/m/0k4j") + "\n"
    assert (tmp_path / "some.csv").read_bytes() == expected.encode()
    assert read(tmp_path / "some.csv").rejected.is_empty()


def test_rows_are_copied_by_the_column_of_the_id_wherever_it_is(tmp_path: Path) -> None:
    header = (*V5[1:], "ImageID")
    lines = [",".join([*row("x").split(",")[1:], image_id]) for image_id in ("a", "b", "a")]
    path = write(tmp_path / "boxes.csv", header, [*lines, "b", "a"])

    assert openimages.write_rows_of(path, tmp_path / "some.csv", ["a"]) == 2
    assert (tmp_path / "some.csv").read_text().splitlines() == [",".join(header), lines[0], lines[2]]

    with pytest.raises(FormatError, match=r"boxes\.csv: the header lacks ImageID"):
        openimages.write_rows_of(write(path, V5[1:], lines), tmp_path / "some.csv", ["a"])


@pytest.mark.parametrize("place", [0, 1])
def test_a_zero_byte_breaks_its_row_alone(tmp_path: Path, place: int) -> None:
    lines = [row("a"), row("b"), row("c")]
    lines[place] = lines[place].replace(",0.5,", ",0.\0005,")
    path = write(tmp_path / "boxes.csv", V5, lines)

    sound = [name for name in "abc" if name != "abc"[place]]
    assert read(path).table["image_id"].to_list() == sound
    pairs, aside = openimages.class_images(path, ["/m/01g317"])
    assert pairs["image_id"].to_list() == sound
    assert aside == SetAside(3, ((f"line {place + 2}", 1, "YMin is no number in 0..1"),))


def test_a_header_that_is_no_line_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "boxes.csv"
    path.write_text(f"{','.join(V5)}\r{row()}\r", encoding="utf-8", newline="")
    with pytest.raises(FormatError, match=r"boxes\.csv: the header cannot be read .*; it begins 'ImageID,"):
        read(path)


def test_an_unknown_class_keeps_its_mid(tmp_path: Path) -> None:
    assert read(write(tmp_path / "boxes.csv", V5, [row(mid="/m/zz")])).table["label"].to_list() == ["/m/zz"]


def test_shares_become_pixels_once(tmp_path: Path) -> None:
    boxes = read(write(tmp_path / "boxes.csv", V5, [row("a", flags="0,0,1,0,0"), row("unknown")])).table

    pixels = openimages.to_pixels(boxes, {"a": (1024, 768), "b": (10, 10)})

    assert pixels.schema == BOXES
    assert pixels.select("image_id", "x", "y", "w", "h", "crowd").rows() == [
        ("a", 256.0, 96.0, 256.0, 672.0, True),
        ("unknown", None, None, None, None, False),
    ]
    with pytest.raises(pl.exceptions.ColumnNotFoundError):
        openimages.to_pixels(pixels, {"a": (1024, 768)})


def metadata(image_id: str, *, rotation: str = "", author: str = "A", title: str = "T", page: str = "") -> str:
    page = page or "https://www.flickr.com/photos/someone/6336006140"
    return f"{image_id},train,https://x/y_o.jpg,{page},{LICENCE},https://p,{author},{title},1,m==,https://t,{rotation}"


def test_image_metadata_becomes_plain_text(tmp_path: Path) -> None:
    path = write(
        tmp_path / "images.csv",
        METADATA,
        [
            metadata("000e100000000000", rotation="0.0", author="D&#x27;Alia", title='"Fish &amp; ""chips"", hot"'),
            metadata("NA", rotation="270.0", page="https://www.flickr.com/27892629@N04/6336006140/"),
            metadata("1e5", rotation="", page="https://example.org/1"),
            metadata("d", rotation="45.0"),
            metadata(""),
        ],
    )

    rows = openimages.read_images(path, split="train", image_dir="open_images_v6/train")

    assert rows.table.schema == IMAGES
    assert rows.table.row(0, named=True) == {
        "source": "openimages",
        "split": "train",
        "image_id": "000e100000000000",
        "path": "open_images_v6/train/00/000e100000000000.jpg",
        "width": None,
        "height": None,
        "license": LICENCE,
        "author": "D'Alia",
        "title": 'Fish & "chips", hot',
        "page": "https://www.flickr.com/photos/someone/6336006140",
        "flickr_id": "6336006140",
        "rotation": 0,
        "fault": None,
        "unread": None,
    }
    assert rows.table["image_id"].to_list() == ["000e100000000000", "NA", "1e5", "d"]
    assert rows.table["rotation"].to_list() == [0, 270, None, None]
    assert rows.table["flickr_id"].to_list() == ["6336006140", "6336006140", None, "6336006140"]
    assert rows.rejected.rows() == [(6, None, None, None, "no ImageID")]


def test_records_of_image_metadata_with_other_fields_than_the_header_are_set_aside(tmp_path: Path) -> None:
    lines = [
        metadata("a"),
        metadata("shifted", author="A, Jr."),
        metadata("b", title='"of\ntwo, lines"'),
        metadata("short").rsplit(",", 2)[0],
        metadata(""),
        metadata("c"),
        metadata("other", author="A, Jr."),
        "",
    ]
    path = write(tmp_path / "images.csv", METADATA, lines)

    def rejected(image_ids: Sequence[str] | None) -> list[tuple[object, ...]]:
        rows = openimages.read_images(path, split="train", image_dir="d", image_ids=image_ids)
        assert rows.table["image_id"].to_list() == ["a", "b", "c"]
        assert rows.aside().rows == rows.table.height + rows.rejected.height
        return sorted(rows.rejected.select("line", "image_id", "reason").rows())

    more, fewer = "more fields than the header", "fewer fields than the header"
    assert rejected(["a", "b", "c", "shifted", "short"]) == [(3, "shifted", more), (5, "short", fewer)]
    assert rejected(None) == [
        (3, "shifted", more),
        (5, "short", fewer),
        (6, None, "no ImageID"),
        (8, "other", more),
        (9, None, "no ImageID"),
    ]


def test_images_under_a_licence_are_found_and_broken_records_told(tmp_path: Path) -> None:
    lines = [metadata("a"), metadata("b").replace("by/2.0", "by-nc/2.0"), metadata("c", author="A, Jr."), metadata("d")]
    path = write(tmp_path / "images.csv", METADATA, lines)

    ids, aside = openimages.licensed(path, pl.Series(["a", "b", "c"]), [LICENCE])

    assert ids.to_list() == ["a"]
    assert aside == SetAside(3, (("record 4", 1, "more fields than the header"),))


@pytest.mark.parametrize("records", [0, 1, 100_000])
def test_metadata_of_any_length_is_read_whole(tmp_path: Path, records: int) -> None:
    path = write(tmp_path / "images.csv", METADATA, [metadata(str(number)) for number in range(records)])
    table = openimages.read_images(path, split="train", image_dir="d").table
    assert table["image_id"].to_list() == [str(number) for number in range(records)]


@pytest.mark.parametrize(
    ("spoil", "at", "told"),
    [
        (b'"', 10, "not a CSV of image metadata, or a quote does not close"),
        (b'"', 99_990, "record 99992: a quote does not close"),
        (b"\xff", 10, "not a CSV of image metadata"),
        (b"T" * 3_000_000, 10, ".* a record has more than 1,048,576 bytes"),
    ],
    ids=["open quote", "open quote near the end", "no UTF-8", "huge field"],
)
def test_metadata_that_cannot_be_read_is_told_in_short(tmp_path: Path, spoil: bytes, at: int, told: str) -> None:
    path = write(tmp_path / "images.csv", METADATA, [metadata(str(number)) for number in range(100_000)])
    lines = path.read_bytes().splitlines(keepends=True)
    lines[at + 1] = lines[at + 1].replace(b",T,", b"," + spoil + b"T,")
    path.write_bytes(b"".join(lines))

    with pytest.raises(FormatError, match=f"^images\\.csv: {told}") as caught:
        openimages.read_images(path, split="train", image_dir="d")
    assert len(str(caught.value)) < 300


def test_fault_64_image_metadata_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "images.csv", V5, [row()])
    with pytest.raises(FormatError, match="the header lacks OriginalLandingURL, License, Author, Title, Rotation"):
        openimages.read_images(path, split="train", image_dir="x")


def test_a_split_is_the_images_that_landed_or_that_both_files_have(tmp_path: Path) -> None:
    lines = [row("b"), row("a"), row("b", "/m/0k4j"), row("bare"), row("nowhere")]
    boxes = write(tmp_path / "boxes.csv", V5, lines)
    images = write(
        tmp_path / "images.csv",
        METADATA,
        [metadata("a"), metadata("other"), metadata("b", rotation="90.0"), metadata("empty")],
    )

    tables = openimages.read_split(
        boxes,
        images,
        split="train",
        class_names=NAMES,
        sizes={"a": (100, 200), "b": (10, None)},
        image_dir="d/train",
        landed=["b", "bare", "empty", "stray"],
    )

    assert tables.images.schema == IMAGES
    assert tables.images.select("image_id", "path", "width", "height", "license", "rotation").rows() == [
        ("a", "d/train/a/a.jpg", 100, 200, LICENCE, None),
        ("b", "d/train/b/b.jpg", 10, None, LICENCE, 90),
        ("bare", "d/train/ba/bare.jpg", None, None, None, None),
        ("empty", "d/train/em/empty.jpg", None, None, LICENCE, None),
    ]
    assert tables.boxes.select("box_id", "x", "h").rows() == [
        ("b:0", 2.5, None),
        ("a:0", 25.0, 175.0),
        ("b:1", 2.5, None),
        ("bare:0", None, None),
        ("nowhere:0", None, None),
    ]


def test_broken_rows_of_a_split_are_boxes_without_coordinates(tmp_path: Path) -> None:
    lines = [row("a"), row("a").replace("0.25", "inf"), "", row(""), row("b").replace("0.25", "0,25")]
    boxes = write(tmp_path / "boxes.csv", V5, lines)
    images = write(tmp_path / "images.csv", METADATA, [metadata("a"), metadata("b")])

    tables = openimages.read_split(
        boxes, images, split="train", class_names=NAMES, sizes={"a": (100, 200)}, image_dir="d/train", landed=["a"]
    )

    assert tables.images["image_id"].to_list() == ["a", "b"]
    assert tables.boxes.select("image_id", "box_id", "label", "x").rows() == [
        ("a", "a:0", "Person", 25.0),
        ("a", "a:1", "Person", None),
        (None, "line 5", "Person", None),
        ("b", "b:0", "Person", None),
    ]


@pytest.mark.parametrize(
    ("page", "photo"),
    [
        ("https://www.flickr.com/photos/12345/6336006140/in/set", "6336006140"),
        ("https://www.flickr.com/photos/63723@N00/", None),
        ("https://www.flickr.com/photos/12345/sets/99", None),
        ("https://www.flickr.com/people/99", None),
    ],
)
def test_an_owner_is_not_taken_for_a_photo(tmp_path: Path, page: str, photo: str | None) -> None:
    path = write(tmp_path / "images.csv", METADATA, [metadata("a", page=page)])
    assert openimages.read_images(path, split="train", image_dir="d").table["flickr_id"].to_list() == [photo]


def test_real_rows_equal_a_plain_reading() -> None:
    path, names = real("validation-annotations-bbox.csv"), real("class-descriptions-boxable.csv")
    with path.open(encoding="utf-8", newline="") as file:
        plain = list(csv.DictReader(file))

    rows = openimages.read_boxes(path, split="validation", class_names=openimages.read_class_names(names))

    assert rows.rejected.is_empty()
    assert rows.table["image_id"].to_list() == [each["ImageID"] for each in plain]
    assert rows.table["mid"].to_list() == [each["LabelName"] for each in plain]
    assert rows.table["x_max"].to_list() == [float(each["XMax"]) for each in plain]
    for column, flag in (("IsGroupOf", "crowd"), ("IsDepiction", "depiction"), ("IsOccluded", "occluded")):
        assert rows.table[flag].sum() == sum(each[column] == "1" for each in plain)
    assert rows.table["box_id"].n_unique() == len(plain) == 1955
    assert not rows.table["label"].str.starts_with("/").any()


def test_real_metadata_is_complete() -> None:
    rows = openimages.read_images(real("validation-images-with-rotation.csv"), split="validation", image_dir="v")

    assert rows.rejected.is_empty()
    assert len(rows.table) == 456
    assert rows.table["flickr_id"].null_count() == 0
    assert rows.table["rotation"].value_counts(sort=True).rows() == [(0, 391), (None, 59), (270, 5), (90, 1)]
    assert not rows.table["author"].str.contains("&#x27;").any()


def test_class_names_are_read_without_a_header(tmp_path: Path) -> None:
    path = tmp_path / "classes.csv"
    path.write_bytes(b'LabelName,DisplayName\r\n/m/1,"Salt, pepper"\r\n/m/2,Mouse\r\n')
    assert openimages.read_class_names(path) == {"/m/1": "Salt, pepper", "/m/2": "Mouse"}
    assert len(openimages.read_class_names(real("class-descriptions-boxable.csv"))) == 601


@pytest.mark.parametrize(
    ("text", "line"), [("/m/1,A\n/m/1,B\n", 2), ("/m/1,A\n\n", 2), ("<html>\n", 1), ("/m/1;A\n", 1)]
)
def test_an_unsound_class_list_is_refused_by_line(tmp_path: Path, text: str, line: int) -> None:
    path = tmp_path / "classes.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FormatError, match=f"classes.csv: line {line}: "):
        openimages.read_class_names(path)


@pytest.mark.parametrize(
    "data",
    ["/m/1,Caf\xe9\n".encode("latin-1"), b'/m/1,"' + b"x" * 200_000 + b'"\n', b'/m/1,"A\n/m/2,B\n'],
    ids=["latin-1", "long", "quote"],
)
def test_a_class_list_of_another_kind_names_the_file(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "classes.csv"
    path.write_bytes(data)
    with pytest.raises(FormatError, match=r"classes\.csv: not a list of classes"):
        openimages.read_class_names(path)


def test_the_hierarchy_follows_subcategories_and_never_parts(tmp_path: Path) -> None:
    def node(name: str, subcategories: Sequence[object] = (), parts: Sequence[object] = ()) -> dict[str, object]:
        return {"LabelName": name, "Subcategory": subcategories, "Part": parts}

    wheel = node("wheel", [node("spoked")])
    bicycle = node("bicycle", [node("tandem")], [wheel])
    path = tmp_path / "hierarchy.json"
    path.write_text(json.dumps(node("all", [node("vehicle", [bicycle]), node("toy", [bicycle])])), encoding="utf-8")

    below = openimages.read_hierarchy(path)

    assert below["bicycle"] == {"tandem"}
    assert below["vehicle"] == below["toy"] == {"bicycle", "tandem"}
    assert below["wheel"] == {"spoked"}
    assert below["all"] == {"vehicle", "toy", "bicycle", "tandem"}


def test_the_real_hierarchy_has_people_below_person_but_no_parts_of_them() -> None:
    names = openimages.read_class_names(real("class-descriptions-boxable.csv"))
    below = openimages.read_hierarchy(real("bbox_labels_600_hierarchy.json"))
    mids = {name: mid for mid, name in names.items()}

    assert {names[mid] for mid in below[mids["Person"]]} == {"Man", "Woman", "Boy", "Girl"}
    assert below[mids["Bicycle"]] == set()
    assert {names[mid] for mid in below[mids["Car"]]} == {"Limousine", "Van"}


def test_fault_62_a_hierarchy_of_wrong_types_names_the_place(tmp_path: Path) -> None:
    path = tmp_path / "hierarchy.json"
    path.write_text('{"LabelName": "a", "Subcategory": [{"LabelName": 7}]}', encoding="utf-8")
    with pytest.raises(FormatError, match=r"hierarchy\.json: \$\.Subcategory\[0\]\.LabelName: "):
        openimages.read_hierarchy(path)
