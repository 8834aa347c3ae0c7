"""Landing Open Images from an upstream whose images or tables are not what they should be: told, and never for good."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from maxsight_assets.datasets.openimages import format as formats
from maxsight_assets.datasets.openimages import source as openimages
from maxsight_assets.datasets.openimages.source import image_path
from maxsight_assets.datasets.registry import SOURCES
from maxsight_assets.errors import FormatError, LandingError, TransientError
from maxsight_assets.pipeline.raw import Version
from maxsight_assets.verdict import Verdict, run
from maxsight_assets_tests.datasets.openimages.world import ROW, land, world, write_tables
from maxsight_assets_tests.servers.lying import LyingServer, chunked, edited, status


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def offer(liar: LyingServer, root: Path, ids: list[str], *, split: str = "validation") -> str:
    """Serve the images of a world; returns their address."""
    for image_id in ids:
        name = f"{split}/{image_id}.jpg"
        liar.publish(name, (root / "images" / name).read_bytes())
    return liar.url("").rstrip("/")


def test_a_refused_image_is_gone_and_does_not_stop_later_landings(tmp_path: Path, liar: LyingServer) -> None:
    ids = world(tmp_path, 150)
    base = offer(liar, tmp_path, ids)
    liar.publish(f"validation/{ids[0]}.jpg", b"", *[status("403 Forbidden")] * 99)

    def run_once(**stated: object) -> Version:
        return land(tmp_path / "data", tmp_path / "tables", base, hosts=(liar.host,), **stated)

    first, more, other = run_once(splits={"validation": 149}), run_once(splits={"validation": 150}), run_once(seed=7)

    path = image_path("validation", ids[0])
    assert {row for version in (more, other) for row in version.tally.missing} == {f"{path}: 403 Forbidden"}
    assert len({row.path for row in more.manifest.selected() if row.width}) == 149
    assert first.tally.fetched_files + more.tally.fetched_files == 149 + 4


def test_a_place_that_refuses_all_is_told_before_all_of_it_is_asked(tmp_path: Path, liar: LyingServer) -> None:
    ids = world(tmp_path, 1200)
    for image_id in ids:
        liar.publish(f"validation/{image_id}.jpg", b"", *[status("403 Forbidden")] * 9)

    with pytest.raises(LandingError, match=r"validation: upstream refuses every image \(403 Forbidden\); set AWS_"):
        land(tmp_path / "data", tmp_path / "tables", liar.url("").rstrip("/"), hosts=(liar.host,))

    assert len({request.path for request in liar.requests}) < 300


def test_a_web_page_instead_of_an_image_is_tried_again_by_the_next_run(tmp_path: Path, liar: LyingServer) -> None:
    ids = world(tmp_path, 150)
    base = offer(liar, tmp_path, ids)
    name, page = f"validation/{ids[0]}.jpg", b"<!DOCTYPE html><html>Accept our terms</html>"

    def portal(_: str, headers: dict[str, str], __: bytes) -> tuple[str, dict[str, str], bytes]:
        return "200 OK", headers | {"Content-Type": "text/html", "Content-Length": str(len(page))}, page

    liar.publish(name, (tmp_path / "images" / name).read_bytes(), edited(portal))

    first = land(tmp_path / "data", tmp_path / "tables", base, hosts=(liar.host,))
    second = land(tmp_path / "data", tmp_path / "tables", base, hosts=(liar.host,))

    assert len(first.tally.missing) == 1
    assert (second.changed, second.tally.fetched_files, second.tally.missing) == (True, 1, [])


@pytest.mark.parametrize(
    ("line", "requests"),
    [("404 Not Found", 1), ("404", 1), ("451 Unavailable For Legal Reasons", 2), ("403 Forbidden", 2), ("403", 2)],
)
def test_an_image_that_was_gone_is_asked_for_again_by_a_run_that_states_a_selection(
    tmp_path: Path, liar: LyingServer, line: str, requests: int
) -> None:
    ids = world(tmp_path, 150)
    base = offer(liar, tmp_path, ids)
    name = f"validation/{ids[0]}.jpg"
    liar.publish(name, (tmp_path / "images" / name).read_bytes(), *[status(line)] * requests)

    def run_once(**stated: object) -> Version:
        return land(tmp_path / "data", tmp_path / "tables", base, hosts=(liar.host,), **stated)

    first = run_once()
    asked = len(liar.requests)
    quiet = run_once()
    assert (len(first.tally.missing), quiet.changed, len(liar.requests)) == (1, False, asked)

    healed = run_once(splits={"validation": None})
    assert (healed.changed, healed.tally.fetched_files, healed.tally.missing) == (True, 1, [])
    settled = run_once(splits={"validation": None})
    assert (settled.changed, len(liar.requests)) == (False, asked + 1)


def commas(row: str) -> str:
    """A row as a spreadsheet of another country writes it: with decimal commas."""
    return row.replace("0.", "0,")


def verdicts_of(data_dir: Path, version: Version) -> dict[str, Verdict]:
    source = SOURCES["openimages"]
    view = source.view(data_dir / openimages.DIRECTORY, version.manifest)
    return {verdict.rule: verdict for verdict in run(source.rules, view)}


@pytest.mark.parametrize("recalled", [False, True], ids=["chosen", "recalled"])
def test_broken_rows_of_images_that_are_not_landed_are_told_by_file_and_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recalled: bool
) -> None:
    ids = world(tmp_path, 30)
    boxes = [ROW.format(each, "/m/1") if n % 2 else commas(ROW.format(each, "/m/1")) for n, each in enumerate(ids)]
    facts = [(image_id, "", "by", "A", "T", "") for image_id in ids]
    write_tables(tmp_path / "tables", boxes, facts, split="validation")
    images = (tmp_path / "images").as_uri()

    version = land(tmp_path / "data", tmp_path / "tables", images, classes=["Door"])
    if recalled:
        (tmp_path / "data" / openimages.DIRECTORY / "coverage.csv").unlink()  # so that the same is landed again
        monkeypatch.setattr(formats, "class_images", lambda *_, **__: pytest.fail("the table is read again"))
        version = land(tmp_path / "data", tmp_path / "tables", images)

    found = verdicts_of(tmp_path / "data", version)
    name = "metadata/validation-annotations-bbox.csv"
    assert not found["enough_rows_are_sound"].passed
    assert found["enough_rows_are_sound"].examples == (f"{name}: 15 of 30 rows; line 2: more fields than the header",)
    assert f"{name}: line 2: more fields than the header (15 rows)" in found["rows_are_sound"].examples


def test_a_broken_row_in_a_hundred_is_a_warning(tmp_path: Path) -> None:
    ids = world(tmp_path, 100)
    boxes = [ROW.format(image_id, "/m/1") for image_id in ids[1:]] + [commas(ROW.format(ids[0], "/m/1"))]
    write_tables(tmp_path / "tables", boxes, [(each, "", "by", "A", "T", "") for each in ids], split="validation")

    version = land(tmp_path / "data", tmp_path / "tables", (tmp_path / "images").as_uri(), classes=["Door"])

    found = verdicts_of(tmp_path / "data", version)
    assert (found["rows_are_sound"].passed, found["enough_rows_are_sound"].passed) == (False, True)
    assert found["rows_are_sound"].examples[0].startswith("metadata/validation-annotations-bbox.csv: line 101: ")


@pytest.mark.parametrize("stated", [{}, {"licences": list(openimages.LICENCES)}], ids=["all", "licensed"])
def test_broken_image_metadata_is_told_by_record(tmp_path: Path, stated: dict[str, object]) -> None:
    ids = world(tmp_path, 30)
    path = tmp_path / "tables" / openimages.IMAGES["validation"]
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[3] = lines[3].replace("A &amp; B", "A, Jr.")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    version = land(tmp_path / "data", tmp_path / "tables", (tmp_path / "images").as_uri(), classes=["Door"], **stated)

    found = verdicts_of(tmp_path / "data", version)["rows_are_sound"]
    name = "metadata/validation-images-with-rotation.csv"
    assert found.examples == (f"{name}: record 4: more fields than the header",)
    credited = {row["path"]: row for row in rows_of(tmp_path / "data" / openimages.DIRECTORY / "ATTRIBUTION.csv")}
    broken = image_path("validation", ids[2])
    assert (broken in credited) == (not stated)
    assert {row["author"] for path, row in credited.items() if path != broken} == {"A & B"}


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (commas, "more fields than the header"),
        (lambda row: ",".join(f'"{field}"' for field in row.split(",")), "LabelName is no MID"),
        (lambda row: f"{row},", "more fields than the header"),
        (lambda row: row.replace("0.5", "0.5 %"), "XMax is no number in 0..1"),
    ],
)
def test_a_table_of_broken_rows_is_blamed_and_not_the_selection(
    tmp_path: Path, spoil: Callable[[str], str], reason: str
) -> None:
    ids = world(tmp_path, 5)
    boxes = [spoil(ROW.format(image_id, "/m/1")) for image_id in ids]
    write_tables(tmp_path / "tables", boxes, [(each, "", "by", "A", "T", "") for each in ids], split="validation")

    told = f"validation-annotations-bbox.csv: line 2: {reason}; none of its 5 rows that matter can be used"
    with pytest.raises(FormatError, match=re.escape(told)):
        land(tmp_path / "data", tmp_path / "tables", (tmp_path / "images").as_uri(), classes=["Door"])


def test_broken_metadata_is_blamed_where_a_licence_is_asked_of_it(tmp_path: Path) -> None:
    world(tmp_path, 5)
    path = tmp_path / "tables" / openimages.IMAGES["validation"]
    path.write_text(path.read_text(encoding="utf-8").replace("A &amp; B", "A, Jr."), encoding="utf-8")

    with pytest.raises(
        FormatError, match=r"with-rotation\.csv: record 2: more fields than the header; none of its 5 rows"
    ):
        land(
            tmp_path / "data",
            tmp_path / "tables",
            (tmp_path / "images").as_uri(),
            classes=["Door"],
            licences=openimages.LICENCES,
        )


def test_each_rule_about_tables_fails_for_what_it_is_about(tmp_path: Path) -> None:
    """What was published is spoiled as no landing would; each rule looks at the files, not at what was made of them."""
    ids = world(tmp_path, 6)
    version = land(tmp_path / "data", tmp_path / "tables", (tmp_path / "images").as_uri())
    root = tmp_path / "data" / openimages.DIRECTORY
    boxes, facts = root / "validation-annotations-bbox.csv", root / "metadata/validation-images-with-rotation.csv"
    bare, unlisted, unknown, short = ids[:4]
    lines = [line for line in boxes.read_text().splitlines() if not line.startswith((bare, unlisted, short))]
    lines += [ROW.format("f" * 16, "/m/1"), ROW.format(unknown, "/g/11zzz"), short]
    boxes.write_text("\n".join(lines) + "\n")
    facts.write_text("".join(line for line in facts.read_text().splitlines(True) if not line.startswith(unlisted)))

    found = verdicts_of(tmp_path / "data", version)

    assert found["images_have_boxes"].examples == (f"image {bare}",)
    assert found["landed_images_are_listed"].examples == (image_path("validation", unlisted),)
    assert found["boxes_have_an_image"].examples == (f"box {'f' * 16}:0 of image {'f' * 16}",)
    assert found["mids_are_known"].examples == (f"box {unknown}:2 of image {unknown}: /g/11zzz",)
    assert set(found["classes_are_declared"].examples) == {
        f"box {short}:0 of image {short}",
        f"box {unknown}:2 of image {unknown}: /g/11zzz",
    }


def test_how_files_are_known_follows_the_addresses_in_use(tmp_path: Path, liar: LyingServer) -> None:
    ids = world(tmp_path, 3)
    base = offer(liar, tmp_path, ids)
    name = f"validation/{ids[0]}.jpg"
    liar.publish(name, (tmp_path / "images" / name).read_bytes(), *[chunked()] * 9)

    bare = land(tmp_path / "http", tmp_path / "tables", base, hosts=(liar.host,))
    disk = land(tmp_path / "disk", tmp_path / "tables", (tmp_path / "images").as_uri())

    paths = [image_path("validation", image_id) for image_id in ids]
    levels = dict(zip(paths, ("unverified", "size", "size"), strict=True))
    assert {path: bare.manifest.rows[path].level for path in paths} == levels
    assert set(verdicts_of(tmp_path / "http", bare)["how_verified"].examples) == {
        f"{path}: {level}" for path, level in levels.items()
    }
    assert {disk.manifest.rows[path].level for path in paths} == {"first-use"}
    assert verdicts_of(tmp_path / "disk", disk)["how_verified"].passed


def test_a_hierarchy_of_another_edition_lands_what_the_class_list_has(tmp_path: Path) -> None:
    world(tmp_path, 3)
    tree = {"LabelName": "/m/1", "Subcategory": [{"LabelName": "/m/3"}, {"LabelName": "/m/new"}]}
    (tmp_path / "tables" / openimages.HIERARCHY).write_text(json.dumps(tree), encoding="utf-8")

    land(tmp_path / "data", tmp_path / "tables", (tmp_path / "images").as_uri(), classes=["Door"])

    rows = rows_of(tmp_path / "data" / openimages.DIRECTORY / "coverage.csv")
    assert [row["class"] for row in rows] == ["Car", "Door"]


def test_images_in_place_are_not_each_probed_while_upstream_is_down(tmp_path: Path, liar: LyingServer) -> None:
    ids = world(tmp_path, 1500)
    base = offer(liar, tmp_path, [])
    for image_id in ids:
        mine = tmp_path / "data" / openimages.DIRECTORY / image_path("validation", image_id)
        mine.parent.mkdir(parents=True, exist_ok=True)
        mine.write_bytes(b"mine")
        liar.publish(f"validation/{image_id}.jpg", b"", *[status("503 Service Unavailable")] * 99)

    with pytest.raises(TransientError, match="32 objects in a row could not be fetched"):
        land(tmp_path / "data", tmp_path / "tables", base, hosts=(liar.host,))

    probed = {request.path for request in liar.requests if request.method == "HEAD"}
    assert 32 <= len(probed) < 64
