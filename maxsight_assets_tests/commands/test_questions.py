"""The everyday questions of docs/questions.md, asked on a world where the answer is known, and every verb's example.

The world is the sample with two versions of COCO: `touch` changed a file of its upstream, and it was landed again.
"""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import maxsight_assets
from maxsight_assets.commands.answer import MOST_ROWS
from maxsight_assets.commands.app import app
from maxsight_assets.commands.printing import fitness
from maxsight_assets.errors import UnknownName
from maxsight_assets.pipeline.inspection import Told
from maxsight_assets_tests.commands.typed import typed
from maxsight_assets_tests.commands.world import land_twice
from maxsight_assets_tests.places import REPOSITORY

MOST_LINES = 40
"""Lines that a verb prints at most, unless the user asks for all."""

NOT_RUN = {
    "adopt": "test_adopt",
    "init": "writes in the current directory: test_settings",
    "metrics": "no model was scored in this world: test_metrics",
    "materialize": "the world is made by it",
    "prune": "asks first, or deletes what other tests need",
    "repair": "test_repair",
    "restore": "its version is another one in each world: below",
    "rollback": "would change the world of the other tests",
    "accept": "nothing is to be accepted in this world",
    "touch": "the world is made by it",
    "verify-coco": "its directory is the reader's",
    "doctor": "test_doctor",
    "tidy": "test_tidy",
    "report": "test_report",
}
"""Verbs whose examples other tests run, or that change what the tests here share."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, drawn_world: Path) -> Path:
    """A directory with two versions of COCO and of the splits, which the tests leave as they are."""
    made = tmp_path_factory.mktemp("questions")
    land_twice(made, drawn_world)
    return made


def said(root: Path, *arguments: str) -> str:
    done = typed(root, *arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_is_my_val_set_clean(root: Path) -> None:
    text = said(root, "verify", "cleaned_splits")

    assert re.search(r"^Fit to train: yes, 0 errors, \d notes?$", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("image", "answer"),
    [
        ("coco/301837", "dropped by leaks_into_evaluation"),  # dropped
        ("coco/1296", "in coco_val2017, as image 1296: kept out of training"),  # of evaluation
        ("000000222094.jpg", "as image 222094"),
        ("coco_raw/train2017/000000222094.jpg", "as image 222094"),
    ],
)
def test_why_is_image_n_not_in_train(image: str, answer: str, root: Path) -> None:
    assert answer in said(root, "explain", image)


def test_an_image_by_its_full_path_is_the_same(root: Path) -> None:
    short = said(root, "explain", "coco_raw/train2017/000000222094.jpg")

    assert said(root, "explain", str(root / "data/coco_raw/train2017/000000222094.jpg")) == short


def test_an_image_that_nothing_lists_is_said_to_be_there_nowhere(root: Path) -> None:
    done = typed(root, "explain", "coco/999999999")

    assert done.exit_code == 2
    assert "no image has this id" in done.stderr


def test_which_images_were_dropped_by_which_rule(root: Path) -> None:
    rows = json.loads(said(root, "list", "--dropped", "--rule", "leaks_into_evaluation", "--json"))["rows"]

    assert {"coco/301837", "coco/318219", "coco/403013"} <= {row["record"] for row in rows}
    assert {row["rule"] for row in rows} == {"leaks_into_evaluation"}
    assert "undecodable" in said(root, "list")


def test_is_anything_of_evaluation_in_train(root: Path) -> None:
    text = said(root, "verify", "cleaned_splits", "--rule", "evaluation_is_unseen")

    assert re.match(r"cleaned_splits\.evaluation_is_unseen holds: [1-9]\d* looked at, 0 offend\n", text)


def test_how_many_wheelchairs_per_split_and_where_from(root: Path) -> None:
    rows = json.loads(said(root, "count", "wheelchair", "--json"))["rows"]

    boxes = {row["where"]: row["boxes"] for row in rows}
    for split in ("train", "val", "test"):
        document = json.loads((root / f"data/cleaned_splits/maxsight_{split}.json").read_bytes())
        (number,) = (each["id"] for each in document["categories"] if each["name"] == "wheelchair")
        assert boxes[split] == sum(each["category_id"] == number for each in document["annotations"])
    assert {row["source"] for row in rows if row["boxes"]} == {"openimages"}


def test_did_coco_change_since_i_trained_and_what(root: Path) -> None:
    text = said(root, "diff", "cleaned_splits")

    assert "evaluation unchanged: yes" in text
    assert "input coco_raw" in text
    assert "coco_raw: input annotations/annotations_trainval2017.zip" in text


def test_which_exact_data_was_this_trained_on_and_can_i_get_it_again(root: Path) -> None:
    rows = json.loads(said(root, "versions", "cleaned_splits", "--json"))["rows"]

    present, before = rows
    assert present["exported to"] == ""
    assert before["exported to"] == str(root / "yolo")
    assert before["how to have it"] == "rollback brings it back"


def test_how_was_this_file_verified(root: Path) -> None:
    text = said(root, "explain", "coco_raw/val2017/000000001296.jpg")

    assert "came from         zips/val2017.zip!val2017/000000001296.jpg, verified by crc32+size on 2" in text


def test_a_file_that_is_no_longer_what_was_verified_is_said(root: Path) -> None:
    picture = root / "data/coco_raw/val2017/000000001296.jpg"
    whole = picture.read_bytes()
    picture.unlink()
    picture.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        text = said(root, "explain", "coco/1296")
    finally:
        picture.unlink()
        picture.write_bytes(whole)

    assert re.search(r"^  file now +no longer what was verified: sha256 \w+ expected, \w+ found$", text, re.MULTILINE)


def test_what_does_a_larger_selection_cost(root: Path) -> None:
    answer = json.loads(said(root, "plan", "coco_raw", "--train", "50000", "--json"))

    (train,) = (row for row in answer["rows"] if row["split"] == "train2017")
    assert train["asked at most"] == train["published"] == 241  # `touch` added one
    assert train["to fetch"] == 241 - train["landed"]
    assert answer["hints"][-1] == "land it: maxsight-assets materialize coco_raw --train 50000"


def test_what_may_i_use_commercially(root: Path) -> None:
    answer = json.loads(said(root, "licences", "--json"))

    allowed = {row["licence"]: row["commercial"] for row in answer["rows"]}
    assert allowed["CC BY 2.0"] == "yes"
    assert {allowed["CC BY-NC 2.0"], allowed["CC BY-NC-SA 2.0"], allowed["CC BY-NC-ND 2.0"]} == {"no"}
    assert sum(row["train"] for row in answer["rows"]) == len(
        json.loads((root / "data/cleaned_splits/maxsight_train.json").read_bytes())["images"]
    )


def test_what_is_filling_my_disk_and_what_may_i_delete(root: Path) -> None:
    rows = {row["what"]: row for row in json.loads(said(root, "disk", "--json"))["rows"]}

    assert rows["coco_raw: previous version"]["freed by"] == "maxsight-assets prune coco_raw"
    assert rows["Dagster's records"]["freed by"] == "maxsight-assets tidy"
    every = {path.stat().st_ino: path.stat().st_size for path in (root / "data").rglob("*") if path.is_file()}
    below = sum(row["bytes"] for what, row in rows.items() if what != "Dagster's records" and "export" not in what)
    assert below == sum(every.values())


def test_what_differs_from_the_version_before(root: Path) -> None:
    answer = json.loads(said(root, "diff", "coco_raw", "--json"))

    assert {row["what"] for row in answer["rows"]} >= {"input annotations/annotations_trainval2017.zip"}


def test_pictures_are_shown_by_class_by_rule_and_by_image(root: Path, tmp_path: Path) -> None:
    for arguments in (("--class", "wheelchair"), ("--rule", "leaks_into_evaluation"), ("coco/222094",)):
        sheet = tmp_path / "sheet.jpg"
        said(root, "show", *arguments, "--out", str(sheet))
        assert sheet.read_bytes().startswith(b"\xff\xd8")
        sheet.unlink()


def test_a_page_of_pictures_shows_what_is_held_and_what_was_dropped(root: Path, tmp_path: Path) -> None:
    text = said(root, "browse", "--most", "5", "--out", str(tmp_path / "page"))

    page = (tmp_path / "page/index.html").read_text(encoding="utf-8")
    pictures = json.loads(re.findall(r'<script id="data"[^>]*>(.*?)</script>', page, re.DOTALL)[0])
    assert text.startswith(f"{len(pictures)} pictures; open file://{tmp_path}/page/index.html ")
    assert {"train", "val", "test", "coco_val2017", "dropped"} <= {each["where"] for each in pictures}
    assert "leaks_into_evaluation" in {each["rule"] for each in pictures}
    assert all((tmp_path / "page" / each["thumb"]).read_bytes().startswith(b"\xff\xd8") for each in pictures)
    assert said(root, "browse", "--split", "val", "--most", "1", "--out", str(tmp_path / "page")).startswith(
        "1 pictures"
    )
    refused = typed(root, "browse", "--out", str(tmp_path))
    assert (refused.exit_code, "holds other files" in refused.stderr) == (2, True)


def test_a_version_is_said_to_be_published_or_unknown(root: Path) -> None:
    present = json.loads(said(root, "versions", "coco_raw", "--json"))["rows"][0]["version"]

    assert "is what is published" in said(root, "restore", present)
    wrong = typed(root, "restore", "0" * 12)
    assert (wrong.exit_code, wrong.stderr.startswith("error: no version 000000000000; ")) == (2, True)


@pytest.mark.parametrize(
    ("typo", "meant"),
    [
        ("count weelchair", "no class weelchair; did you mean wheelchair? "),
        ("show --split evl", "no split or evaluation set evl; did you mean val? "),
        ("list --rule leaks", "no rule leaks; "),
        ("verify --rule evaluation_is_unsen", "did you mean evaluation_is_unseen? "),
        ("plan cocoraw", "no dataset cocoraw; did you mean coco_raw? "),
        ("plan openimages_subset --classes Dor", "nearest: Door"),
        ("versions cleaned_split", "no asset cleaned_split; did you mean cleaned_splits? "),
        ("sttus", "Did you mean 'status'?"),
    ],
)
def test_a_misspelt_name_is_met_with_the_nearest(typo: str, meant: str, root: Path) -> None:
    done = typed(root, *typo.split())

    assert done.exit_code == 2
    assert meant in done.stderr


def test_every_question_of_the_page_is_answered_by_the_command_beside_it(root: Path) -> None:
    page = (REPOSITORY / "docs/questions.md").read_text(encoding="utf-8")
    questions = dict(re.findall(r"^\| (.+\?) \| `maxsight-assets ([^`]+)`", page, re.MULTILINE))
    before = json.loads(said(root, "versions", "cleaned_splits", "--json"))["rows"][1]["version"]

    assert len(questions) == 15
    for command in questions.values():
        if command.split()[0] not in {"adopt", "doctor"}:  # test_app and test_doctor run them
            assert said(root, *shlex.split(command.replace("VERSION", before))).strip()


def examples() -> list[str]:
    commands: dict[str, typer.core.TyperCommand] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    verbs = {name: command for name, command in commands.items() if not hasattr(command, "commands")}
    texts = {name: str(command.epilog).removeprefix("Example: ") for name, command in verbs.items()}
    return sorted(text for name, text in texts.items() if name not in NOT_RUN)


@pytest.mark.parametrize("example", examples())
def test_the_example_in_a_verbs_help_works_in_the_sample_and_is_short(example: str, root: Path) -> None:
    program, *arguments = shlex.split(example)

    text = said(root, *arguments)

    assert program == "maxsight-assets"
    assert 0 < len(text.splitlines()) <= MOST_LINES


def test_a_long_table_ends_after_some_rows_and_all_prints_the_rest(root: Path) -> None:
    short, whole = said(root, "list", "--dropped"), said(root, "list", "--dropped", "--all")

    assert re.search(r"^\.\.\. and \d+ more; --all prints them$", short, re.MULTILINE)
    assert len(short.splitlines()) < MOST_ROWS + 5 < len(whole.splitlines())
    rows = [{tuple(line.split()) for line in text.splitlines() if line.startswith("coco/")} for text in (short, whole)]
    assert rows[0] < rows[1]


def test_help_and_version_import_nothing_heavy() -> None:
    heavy = "polars", "pyarrow", "pandas", "dagster", "pydantic", "numpy"
    code = f"import sys, maxsight_assets.commands.app; print([name for name in {heavy!r} if name in sys.modules])"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
    assert typed(REPOSITORY, "--version").stdout.startswith("maxsight-assets ")


def test_quiet_prints_the_first_column_alone(root: Path) -> None:
    assert said(root, "versions", "cleaned_splits", "-q").splitlines() == [
        row["version"] for row in json.loads(said(root, "versions", "cleaned_splits", "--json"))["rows"]
    ]


def test_evaluation_sets_and_splits_are_read_by_name(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", str(root / "data"))

    images, annotations = maxsight_assets.load_eval("coco_val2017")
    samples = list(maxsight_assets.iter_samples("coco_val2017"))

    assert len(images) == len(samples) == 60
    assert sum(len(labels) for _, _, labels in samples) == len(annotations)
    assert all(path.is_file() for path, _, _ in samples)
    with pytest.raises(UnknownName, match="did you mean coco_val2017"):
        maxsight_assets.load_eval("coco_val")
    with pytest.raises(UnknownName, match="no split or evaluation set train"):
        maxsight_assets.load_eval("train")


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ([], "no, nothing is published yet: maxsight-assets materialize"),
        ([("cleaned_splits", True, "error")], "yes, 0 errors, 0 notes"),
        ([("cleaned_splits", True, "error"), ("coco_raw", False, "warn")], "yes, 0 errors, 1 note"),
        ([("cleaned_splits", True, "error"), ("coco_raw", False, "error")], "no, 1 error, 0 notes"),
        ([("coco_raw", True, "error")], "not known, because cleaned_splits is not among these, 0 errors, 0 notes"),
    ],
)
def test_fit_to_train_is_said_as_far_as_it_is_known(told: list[tuple[str, bool, str]], said: str) -> None:
    verdicts = [
        Told(asset, "a_rule", passed=passed, severity=severity, offenders=0 if passed else 1, examples="")
        for asset, passed, severity in told
    ]

    assert fitness(verdicts) == f"Fit to train: {said}"
