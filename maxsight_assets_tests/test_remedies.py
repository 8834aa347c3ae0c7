"""Doing what a message advises ends the complaint: one row for each advice that no other test follows.

Followed elsewhere: `adopt` of files placed by hand, and mirrors (`datasets/test_places`); MAXSIGHT_DATASETS and
`evaluation_may_change` (`pipeline`); certificates (`transport`); ALLOWED_HOSTS (`datasets/test_upstreams`).
"""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from maxsight_assets.catalog import model as catalogs
from maxsight_assets.catalog.model import Catalog, FileFacts
from maxsight_assets.commands.app import app
from maxsight_assets.datasets.bdd100k.source import IMAGES, LABELS
from maxsight_assets.datasets.coco.verify import verify_coco_dataset
from maxsight_assets.datasets.registry import SOURCES
from maxsight_assets.errors import LandingError
from maxsight_assets.pipeline import upkeep
from maxsight_assets.pipeline.derived import make_evaluation
from maxsight_assets.pipeline.inspection import EVALUATION, RAW, verify
from maxsight_assets.pipeline.raw import Version
from maxsight_assets.places import Places
from maxsight_assets.profiles import model as profiles
from maxsight_assets_tests.datasets.bdd100k.world import FRAMES, LANDED, land_from, publish, upstream_of
from maxsight_assets_tests.datasets.coco.upstream import pack
from maxsight_assets_tests.verification.directories import write_coco

FRAME = f"images/100k/val/{FRAMES[0]}"
PROFILE = "profile: mine\nupstream: publisher\nbdd100k: {}\nade20k: {}\n"


@dataclass
class Ground:
    """A project that lands a small BDD100K."""

    root: Path

    @property
    def site(self) -> Path:
        return self.root / "site"

    @property
    def places(self) -> Places:
        data_dir = self.root / "data"
        return Places(data_dir, data_dir / "cleaned_splits", data_dir / ".maxsight")

    @property
    def target(self) -> Path:
        return self.places.data_dir / "bdd100k"

    def catalog(self, **facts: FileFacts) -> Catalog:
        files = {IMAGES: FileFacts(), LABELS: facts.get("labels", FileFacts())}
        changes = {"base": self.site.as_uri(), "mirrors": (), "files": files, "counts": {}}
        return catalogs.load("bdd100k").model_copy(update=changes)

    def land(self, catalog: Catalog | None = None) -> Version:
        with upstream_of(catalog or self.catalog()) as upstream:
            return land_from(upstream, self.places.data_dir)

    def failing(self) -> dict[str, str]:
        """Rules of the landed directory that do not hold, with their remedies."""
        view = RAW["bdd100k"].view(self.places)
        verdicts = [rule.judge(view) for rule in RAW["bdd100k"].rules]
        return {verdict.rule: verdict.remedy for verdict in verdicts if not verdict.passed}


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    made = Ground(tmp_path)
    publish(made.site)
    return made


def test_accept_takes_other_bytes_of_a_file_that_is_followed(ground: Ground) -> None:
    other = md5(b"other bytes", usedforsecurity=False).hexdigest()
    catalog = ground.catalog(labels=FileFacts(md5=other))
    with pytest.raises(LandingError, match=f"maxsight-assets accept {LABELS}"):
        ground.land(catalog)

    with upstream_of(catalog) as upstream:
        upkeep.accept(upstream, LABELS, ground.target)

    assert len(ground.land(catalog).manifest.rows) == LANDED


def test_what_was_accepted_counts_when_a_directory_is_compared_with_upstream(tmp_path: Path) -> None:
    theirs, site = write_coco(tmp_path / "theirs"), tmp_path / "site"
    for key, folder in (("annotations/annotations_trainval2017.zip", "annotations"), ("zips/val2017.zip", "val2017")):
        pack(site / key, {f"{folder}/{path.name}": path.read_bytes() for path in sorted((theirs / folder).iterdir())})
    environment = {
        "DATA_DIR": str(tmp_path / "data"),
        "DAGSTER_HOME": str(tmp_path / "home"),
        "MAXSIGHT_PROFILE": "full",
        "COCO_MIRROR": site.as_uri(),
    }

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, arguments, env=environment)

    compare = ("verify", "coco", str(theirs), "--ask-upstream")
    refused = run(*compare)
    for key in ("annotations/annotations_trainval2017.zip", "zips/val2017.zip"):
        assert run("accept", key).exit_code == 0
    compared = run(*compare)

    assert refused.exit_code == 2
    assert "maxsight-assets accept annotations/annotations_trainval2017.zip" in refused.stderr
    assert compared.exit_code == 0, compared.output
    assert "bytes compared with upstream" in compared.stdout


def test_a_mirror_variable_that_names_the_right_directory_is_enough(ground: Ground) -> None:
    wrong = ground.catalog().at(base=(ground.root / "elsewhere").as_uri())
    with pytest.raises(LandingError, match="check that BDD100K_MIRROR names the directory that holds it"):
        ground.land(wrong)

    assert len(ground.land(wrong.at(base=ground.site.as_uri())).manifest.rows) == LANDED


def put_a_file_in_the_way(ground: Ground) -> Path:
    (ground.target / FRAME).parent.mkdir(parents=True)
    (ground.target / FRAME).write_bytes(b"mine")
    return ground.target / FRAME


def put_a_link_in_the_way(ground: Ground) -> Path:
    (ground.target / FRAME).parent.mkdir(parents=True)
    (ground.root / "mine.jpg").write_bytes(b"mine")
    (ground.target / FRAME).symlink_to(ground.root / "mine.jpg")
    return ground.target / FRAME


@pytest.mark.parametrize(
    ("put", "said"),
    [(put_a_file_in_the_way, "move them away, then rerun"), (put_a_link_in_the_way, "or move the link away")],
)
def test_what_is_in_the_way_is_moved_away_and_a_rerun_lands(
    put: Callable[[Ground], Path], said: str, ground: Ground
) -> None:
    path = put(ground)
    with pytest.raises(LandingError, match=said):
        ground.land()

    path.rename(ground.root / "away")

    assert len(ground.land().manifest.rows) == LANDED


@pytest.mark.parametrize(
    ("rule", "spoil"),
    [
        ("hashes_match", lambda path: path.write_bytes(path.read_bytes()[:-1] + b"!")),
        ("files_complete", lambda path: path.unlink()),
    ],
)
def test_repair_mends_what_was_changed_or_is_gone(rule: str, spoil: Callable[[Path], object], ground: Ground) -> None:
    ground.land()
    held = ground.failing()
    spoil(ground.target / FRAME)
    assert "`maxsight-assets repair`" in ground.failing()[rule]

    with upstream_of(ground.catalog()) as upstream:
        mended = upkeep.repair(SOURCES["bdd100k"], upstream, ground.target)

    # The picture has a second name, which may be a link to the same bytes.
    assert FRAME in mended
    assert {path.rpartition("/")[2] for path in mended} == {FRAMES[0]}

    assert ground.failing() == held


def test_files_of_others_are_moved_out(ground: Ground) -> None:
    ground.land()
    held = ground.failing()
    (ground.target / "notes.txt").write_text("mine", encoding="utf-8")
    assert ground.failing()["no_unlisted_files"].startswith("Move them out of the directory")

    (ground.target / "notes.txt").rename(ground.root / "notes.txt")

    assert ground.failing() == held


def test_a_dataset_that_was_missing_is_materialized_and_its_set_is_there(ground: Ground) -> None:
    (ground.root / "mine.yaml").write_text(PROFILE.replace("ade20k: {}\n", ""), encoding="utf-8")
    profile = profiles.load(str(ground.root / "mine.yaml"))
    with pytest.raises(LandingError, match="bdd100k_raw: nothing is published in bdd100k/; materialize bdd100k_raw"):
        make_evaluation(profile, ground.places, gate=EVALUATION.gate(ground.places))

    ground.land()
    make_evaluation(profile, ground.places, gate=EVALUATION.gate(ground.places))

    told = verify(profile, ground.places, ["inference_eval_set"])
    assert [each.rule for each in told if not each.passed] == []


def move_the_folder(root: Path) -> None:
    (root / "images/val2017").rename(root / "val2017")


def link_the_folder(root: Path) -> None:
    for path in sorted((root / "images/val2017").iterdir()):
        (root / "val2017").mkdir(exist_ok=True)
        (root / "val2017" / path.name).hardlink_to(path)
        path.unlink()


@pytest.mark.parametrize("do", [move_the_folder, link_the_folder])
def test_a_misplaced_folder_is_moved_or_linked(do: Callable[[Path], None], tmp_path: Path) -> None:
    root = write_coco(tmp_path)
    (root / "images").mkdir()
    (root / "val2017").rename(root / "images/val2017")
    report = verify_coco_dataset(root, level="names")
    assert not report.passed
    (remedy,) = [each.verdict.remedy for each in report.findings if each.verdict.rule == "images_are_in_place"]
    assert remedy.startswith("Move or link that folder")

    do(root)

    assert verify_coco_dataset(root, level="names").passed


@pytest.mark.parametrize(
    ("rule", "name", "advice"),
    [
        ("no_companions", "._000000000001.jpg", "Delete them"),
        ("no_unlisted_files", "000000000001 (1).jpg", "move what is not listed away"),
    ],
)
def test_companions_are_deleted_and_copies_moved_away(rule: str, name: str, advice: str, tmp_path: Path) -> None:
    root = write_coco(tmp_path)
    (root / "val2017" / name).write_bytes(b"\x00\x05\x16\x07")
    findings = {each.verdict.rule: each.verdict for each in verify_coco_dataset(root, level="names").findings}
    assert advice in findings[rule].remedy

    (root / "val2017" / name).unlink()

    findings = {each.verdict.rule: each.verdict for each in verify_coco_dataset(root, level="names").findings}
    assert findings[rule].passed


def test_the_publishers_own_archive_is_given_in_place_of_one_without_the_labels(ground: Ground) -> None:
    whole = (ground.site / LABELS).read_bytes()
    with zipfile.ZipFile(ground.site / LABELS, "w") as packed:
        packed.writestr("README", "another edition")
    with pytest.raises(LandingError, match="give the publisher's own archive by the dataset's mirror variable"):
        ground.land()

    (ground.site / LABELS).write_bytes(whole)

    assert len(ground.land().manifest.rows) == LANDED
