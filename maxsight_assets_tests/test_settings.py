"""Settings, catalogs and profiles: what is read, and what a wrong value says."""

import subprocess
from pathlib import Path

import pytest
from pydantic import BaseModel
from typer.testing import CliRunner

from maxsight_assets import settings
from maxsight_assets.catalog import model as catalogs
from maxsight_assets.commands.app import app
from maxsight_assets.datasets.coco.selection import CocoSelection
from maxsight_assets.datasets.openimages.selection import OpenImagesSelection
from maxsight_assets.datasets.registry import SOURCES
from maxsight_assets.datasets.selection import ValidationSelection, with_stated
from maxsight_assets.defs.forms import stated_of
from maxsight_assets.errors import SettingsError
from maxsight_assets.profiles import model as profiles
from maxsight_assets.profiles.model import SplitsSelection


def test_defaults_keep_the_sample_in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    sample, starter = settings.load({}), settings.load({"MAXSIGHT_PROFILE": "starter"})

    assert sample.data_dir == tmp_path / "datasets_sample"
    assert sample.splits_dir == tmp_path / "datasets_sample/cleaned_splits"
    assert starter.data_dir == tmp_path / "datasets"


def test_a_mounted_drive_takes_both_directories(tmp_path: Path) -> None:
    read = settings.load({"DATA_DIR": str(tmp_path / "drive/data"), "SPLITS_DIR": str(tmp_path / "drive/splits")})

    assert (read.data_dir, read.splits_dir) == (tmp_path / "drive/data", tmp_path / "drive/splits")


OTHERS = [*(source.directory for source in SOURCES.values()), "inference_eval", ".maxsight"]


@pytest.mark.parametrize(
    "splits",
    ["", ".", "..", "/", *OTHERS, "coco_raw/val2017", "link/x", ".coco_raw.maxsight/previous"],
)
def test_splits_that_would_take_the_place_of_something_else_are_refused(splits: str, tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    (data_dir / "bdd100k").mkdir(parents=True)
    (data_dir / "link").symlink_to("bdd100k")

    with pytest.raises(SettingsError, match=r"^SPLITS_DIR=.*choose a directory of its own") as raised:
        settings.load({"DATA_DIR": str(data_dir), "SPLITS_DIR": f"{data_dir}/{splits}" if splits != "/" else "/"})
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MAXSIGHT_PROFILE", "huge"),
        ("COCO_MIRROR", "not a url"),
        ("OPENIMAGES_MIRROR", "ftp://host/x"),
        ("MAXSIGHT_EXECUTOR", "magic"),
        ("COCO_MIRROR", "http://h:99999/x"),
        ("COCO_MIRROR", "http://h:0/x"),
        ("COCO_MIRROR", "h:abc"),
        ("COCO_MIRROR", "http://h:abc/x"),
        ("COCO_MIRROR", "http:foo"),
        ("COCO_MIRROR", "http:///x"),
        ("COCO_MIRROR", "http://[::1/x"),
        ("COCO_MIRROR", "http://h h/x"),
        ("COCO_MIRROR", "file:x"),
        ("COCO_MIRROR", "s3:///x"),
        ("AWS_ENDPOINT_URL_S3", "file:///x"),
        ("AWS_ENDPOINT_URL_S3", "s3://bucket"),
        ("DATA_DIR", "~nosuch/x"),
        ("SPLITS_DIR", "~nosuch/s"),
        ("CHECKPOINTS_DIR", "~nosuch/c"),
        ("CHECKPOINTS_BASE", "~nosuch/c"),
        ("AUDIO_DIR", "~nosuch/a"),
        ("DATA_DIR", "/tmp/" + "x" * 300),
        ("AUDIO_DIR", "x" * 300),
        ("DATA_DIR", "/missing/" + "é" * 128),
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_variable(variable: str, value: str) -> None:
    with pytest.raises(SettingsError) as raised:
        settings.load({variable: value})

    assert str(raised.value).startswith(f"{variable}={value}: ")
    assert "\n" not in str(raised.value)


def test_allowed_hosts_are_servers_with_or_without_a_port() -> None:
    read = settings.load({"ALLOWED_HOSTS": "nas.local, 192.168.1.20:8080,[::1]:81"})

    assert read.allowed_hosts == {"nas.local:80", "nas.local:443", "192.168.1.20:8080", "::1:81"}


@pytest.mark.parametrize("value", ["http://nas.local", "nas.local/x", "me@nas.local", "nas:port", "a b"])
def test_an_allowed_host_that_is_none_is_one_line(value: str) -> None:
    with pytest.raises(SettingsError, match=r"ALLOWED_HOSTS.* is no host or host:port; separate several by commas"):
        settings.load({"ALLOWED_HOSTS": value})


def test_a_profile_of_the_users_own_is_a_file(tmp_path: Path) -> None:
    mine = tmp_path / "my.yaml"
    mine.write_text("profile: mine\nupstream: publisher\ncoco:\n  splits: {val2017: 10}\n", encoding="utf-8")

    profile = profiles.load(settings.load({"MAXSIGHT_PROFILE": str(mine)}).profile)

    assert [source.asset for source in profile.sources] == ["coco_raw"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("coco:\n  splits: {val2017: null}\n  classe: [dog]\n", r":5: coco\.classe: Extra inputs"),
        ("coco:\n  splits:\n    val2017: many\n", r":5: coco\.splits\.val2017: Input should be a valid integer"),
        ("kitti: {}\n", r":3: kitti: Extra inputs"),
        ("coco: [\n", r"my\.yaml: while parsing"),
    ],
)
def test_a_mistake_in_a_profile_is_named_with_its_line(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text(f"profile: mine\nupstream: publisher\n{text}", encoding="utf-8")

    with pytest.raises(SettingsError, match=said) as raised:
        profiles.load(str(tmp_path / "my.yaml"))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("value", ["huge", "missing.yaml"])
def test_a_profile_that_is_not_there_is_one_line(value: str) -> None:
    with pytest.raises(SettingsError, match=f"^MAXSIGHT_PROFILE={value}: "):
        settings.load({"MAXSIGHT_PROFILE": value})


@pytest.mark.parametrize(
    "address", ["http://h/x", "https://h:8443", "s3://bucket/a b", "file:///mnt/é", "http://[::1]:1/x"]
)
def test_an_address_may_be_of_any_of_these_kinds_and_blanks_around_it_go(address: str) -> None:
    assert settings.load({"COCO_MIRROR": f" {address}/ "}).mirror("COCO_MIRROR") == address


def test_a_directory_that_leads_round_in_a_circle_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")

    with pytest.raises(SettingsError, match=r"DATA_DIR=.*loop/x: cannot be used \(Too many levels"):
        settings.load({"DATA_DIR": f"{tmp_path}/loop/x"})


@pytest.mark.parametrize("folder", ["train2017", "annotations"])
def test_a_data_dir_that_is_the_directory_of_coco_is_refused_with_the_value_that_was_meant(
    folder: str, tmp_path: Path
) -> None:
    """MaxSight's own scripts mean `.../datasets/coco_raw` by DATA_DIR."""
    root, other = tmp_path / "datasets/coco_raw", tmp_path / "coco"
    (other / folder).mkdir(parents=True)

    with pytest.raises(SettingsError) as named:
        settings.load({"DATA_DIR": str(root)})
    with pytest.raises(SettingsError) as held:
        settings.load({"DATA_DIR": str(other)}, writable=False)

    assert str(named.value).startswith(f"DATA_DIR={root}: is named coco_raw, so it is the directory of COCO")
    assert str(named.value).endswith(f"; set DATA_DIR={tmp_path}/datasets")
    assert str(held.value).startswith(f"DATA_DIR={other}: holds {folder}/, so it is the directory of COCO")
    assert str(held.value).endswith(f"; set DATA_DIR={tmp_path} and name this directory {tmp_path}/coco_raw")
    other.rename(tmp_path / "coco_raw")
    assert settings.load({"DATA_DIR": str(tmp_path)}).data_dir == tmp_path


def test_checkpoints_base_is_another_name_of_checkpoints_dir(tmp_path: Path) -> None:
    here = {"DATA_DIR": str(tmp_path)}

    assert settings.load(here | {"CHECKPOINTS_BASE": "/x"}).checkpoints_dir == Path("/x")
    assert settings.load(here | {"CHECKPOINTS_BASE": "/x", "CHECKPOINTS_DIR": "/x"}).checkpoints_dir == Path("/x")
    with pytest.raises(SettingsError, match="CHECKPOINTS_BASE=/x: is another name of CHECKPOINTS_DIR, which is /y"):
        settings.load(here | {"CHECKPOINTS_BASE": "/x", "CHECKPOINTS_DIR": "/y"})


@pytest.mark.parametrize("variable", ["DATA_DIR", "SPLITS_DIR", "CHECKPOINTS_DIR", "AUDIO_DIR"])
def test_a_directory_may_be_below_home_or_relative(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    assert getattr(settings.load({variable: " ~/x"}), variable.lower()) == tmp_path / "home/x"
    assert getattr(settings.load({variable: "y/x"}), variable.lower()) == tmp_path / "y/x"


def test_a_blank_value_counts_as_unset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    blank = dict.fromkeys(("DATA_DIR", "SPLITS_DIR", "AUDIO_DIR", "COCO_MIRROR", "HF_TOKEN", "MAXSIGHT_PROFILE"), " ")
    assert settings.load(blank) == settings.load({})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["AWS_ACCESS_KEY_ID"], "AWS_SECRET_ACCESS_KEY: is not set, but AWS_ACCESS_KEY_ID is"),
        (["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"], "AWS_ACCESS_KEY_ID: is not set, but AWS_SECRET_ACCESS_KEY is"),
        (["AWS_SESSION_TOKEN"], "AWS_SESSION_TOKEN: is of use with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY only"),
    ],
)
def test_half_a_key_is_refused(given: list[str], said: str) -> None:
    with pytest.raises(SettingsError, match=f"^{said}; ") as raised:
        settings.load(dict.fromkeys(given, "canary-7f3a"))

    assert "canary-7f3a" not in str(raised.value)


def test_a_data_dir_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(SettingsError, match=r"^DATA_DIR=.*is not a directory"):
        settings.load({"DATA_DIR": str(tmp_path / "file/data")})


def test_a_read_only_data_dir_is_refused(tmp_path: Path) -> None:
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", tmp_path], check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a read-only file system needs root")
    try:
        with pytest.raises(SettingsError, match=r"^DATA_DIR=.*cannot write in .*Read-only file system"):
            settings.load({"DATA_DIR": str(tmp_path / "data")})
        assert settings.load({"DATA_DIR": str(tmp_path / "data")}, writable=False).data_dir == tmp_path / "data"
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_secrets_are_not_shown() -> None:
    names = ("HF_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    read = settings.load(dict.fromkeys(names, "canary-7f3a"))

    assert "canary-7f3a" not in repr(read)
    assert "canary-7f3a" not in read.model_dump_json()


ADDRESSES = [
    "COCO_MIRROR",
    "OPENIMAGES_MIRROR",
    "OPENIMAGES_IMAGES_MIRROR",
    "BDD100K_MIRROR",
    "ADE20K_MIRROR",
    "AWS_ENDPOINT_URL_S3",
]


@pytest.mark.parametrize("variable", ADDRESSES)
def test_the_secrets_of_an_address_are_not_shown(variable: str) -> None:
    address = "http://me:canary-7f3a@127.0.0.1:9/x?sig=canary-7f3a"
    read = settings.load({variable: address})

    assert address in (read.mirror(variable), read.s3_endpoint)
    assert "canary-7f3a" not in repr(read)
    assert "canary-7f3a" not in read.model_dump_json()


@pytest.mark.parametrize(
    "address",
    [
        "ftp://me:canary-7f3a@host",
        "ftp://host/x?sig=canary-7f3a",
        "ftp://host/x#sig=canary-7f3a",
        "me:canary-7f3a@host",
    ],
)
@pytest.mark.parametrize("variable", ADDRESSES)
def test_a_wrong_address_is_named_without_its_secrets(variable: str, address: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable}") as raised:
        settings.load({variable: address})

    assert "canary-7f3a" not in str(raised.value)


@pytest.mark.parametrize("dataset", list(SOURCES))
def test_every_catalog_says_where_its_facts_come_from(dataset: str) -> None:
    catalog = catalogs.load(dataset)

    assert catalog.source
    assert catalog.files
    assert all(catalog.file(key).url.endswith(f"/{key}") for key in catalog.files)


def test_a_mirror_replaces_every_address() -> None:
    mirrored = catalogs.load("ade20k").at(base="https://mirror.example/ade/")

    assert {mirrored.file(key).url for key in mirrored.files} == {
        f"https://mirror.example/ade/{key}" for key in mirrored.files
    }


def test_the_embedded_edition_pins_and_counts_nothing() -> None:
    embedded = catalogs.load("coco").embedded(base="http://127.0.0.1:1/coco")

    file = embedded.file("zips/val2017.zip")
    assert (file.bytes, file.sha256, file.md5, file.on_change) == (None, None, None, "follow")
    assert not embedded.counts


def test_pinned_files_of_coco_stop_on_a_change() -> None:
    file = catalogs.load("coco").file("zips/val2017.zip")

    assert file.on_change == "stop"
    assert file.bytes == 815_585_330
    assert file.sha256 == "4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05"


@pytest.mark.parametrize("name", ["sample", "starter", "full"])
def test_every_profile_reads(name: str) -> None:
    assert profiles.load(name).profile == name


def test_starter_has_the_sizes_of_the_training_scripts() -> None:
    splits = profiles.load("starter").cleaned_splits.splitting

    assert (splits.sizes.train, splits.sizes.val, splits.sizes.test, splits.seed) == (10_000, 2_000, 1_000, 42)


def test_a_stated_field_replaces_the_stored_one_and_the_rest_stays() -> None:
    stored = CocoSelection(splits={"val2017": 10}, classes=("person",))

    changed = with_stated(stored, {"splits": None, "classes": ["dog"], "seed": None})

    assert changed == CocoSelection(splits={"val2017": 10}, classes=("dog",))


def test_a_stated_field_that_does_not_fit_is_named() -> None:
    with pytest.raises(SettingsError, match=r"^run config, splits"):
        with_stated(CocoSelection(splits={"val2017": 10}), {"splits": {"val2025": 1}})


@pytest.mark.parametrize(
    ("selection", "stated", "field"),
    [
        (CocoSelection(splits={"val2017": 10}), {"splits": {"train2017": -5}}, "splits.train2017"),
        (OpenImagesSelection(splits={"train": 10}), {"splits": {"test": -1}}, "splits.test"),
        (OpenImagesSelection(splits={"train": 10}), {"max_images": -1}, "max_images"),
        (ValidationSelection(), {"max_images": -1}, "max_images"),
        (SplitsSelection(), {"splitting": "x"}, "splitting"),
        (SplitsSelection(), {"cleaning": ["x"]}, "cleaning"),
    ],
)
def test_what_no_selection_can_hold_is_refused_by_the_name_of_its_field(
    selection: BaseModel, stated: dict[str, object], field: str
) -> None:
    with pytest.raises(SettingsError, match=rf"^run config, {field}: ") as raised:
        with_stated(selection, stated)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("field", ["max_images", "max_per_class"])
def test_a_stated_limit_is_taken_back_by_0(field: str) -> None:
    unlimited = OpenImagesSelection(splits={"train": None})
    limited = with_stated(unlimited, {field: 7})

    assert getattr(limited, field) == 7
    assert with_stated(limited, {field: None}) == limited
    assert with_stated(limited, {field: 0}) == unlimited


def test_the_launchpad_says_how_a_limit_is_taken_back() -> None:
    fields = stated_of(OpenImagesSelection).model_fields

    assert all(fields[name].description.endswith("0: no limit.") for name in ("max_images", "max_per_class"))
    assert stated_of(OpenImagesSelection)(max_images=0).max_images == 0


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory for a project file; the tests run in one below it, with no variable set."""
    for name in ("MAXSIGHT_PROFILE", "DATA_DIR", "SPLITS_DIR", "COCO_MIRROR", "ALLOWED_HOSTS"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "deep/er").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep/er")
    return tmp_path


def test_a_project_file_above_is_found_and_the_environment_stands_above_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = 'profile = "starter"\nallowed_hosts = ["nas:80"]\n[mirrors]\nCOCO_MIRROR = "https://mirror.example/coco"\n'
    (project / "maxsight.toml").write_text(text, encoding="utf-8")

    found = settings.load(writable=False)

    assert (found.profile, found.data_dir) == ("starter", project / "datasets")
    assert (found.mirror("COCO_MIRROR"), found.allowed_hosts) == ("https://mirror.example/coco", {"nas:80"})
    monkeypatch.setenv("MAXSIGHT_PROFILE", "sample")
    assert settings.load(writable=False).data_dir == project / "datasets_sample"
    monkeypatch.setenv("DATA_DIR", str(project / "mine"))
    assert settings.load(writable=False).data_dir == project / "mine"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('hf_token = "x"', "hf_token: there are profile, .*secrets are read from the environment only"),
        ('[mirrors]\nHF_TOKEN = "x"', "HF_TOKEN: there are profile"),
        ('[mirrors]\nCOCO_MIRROR = "https://me:pw@mirror/"', "COCO_MIRROR: may hold a secret"),
        ("profile = 7", "MAXSIGHT_PROFILE: is no text"),
        ("profile = sample\n", "maxsight.toml: .*line 1"),
    ],
)
def test_a_project_file_with_a_secret_or_a_mistake_is_refused(text: str, said: str, project: Path) -> None:
    (project / "maxsight.toml").write_text(text, encoding="utf-8")

    with pytest.raises(SettingsError, match=said) as refused:
        settings.load(writable=False)

    assert "pw" not in str(refused.value)


def test_selections_of_a_project_file_stand_in_the_place_of_the_profiles(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """profile = "starter"
[selections.coco]
classes = ["dog"]
[selections.cleaned_splits.splitting]
seed = 7
"""
    (project / "maxsight.toml").write_text(text, encoding="utf-8")
    starter = profiles.load("starter")

    found = settings.load(writable=False)
    profile = profiles.load(found.profile)

    assert found.data_dir == project / "datasets"
    coco = starter.selections["coco"].model_copy(update={"classes": ("dog",)})
    assert profile.selections == {**starter.selections, "coco": coco}
    assert profile.cleaned_splits.splitting == starter.cleaned_splits.splitting.model_copy(update={"seed": 7})
    monkeypatch.setenv("MAXSIGHT_PROFILE", "starter")
    assert settings.load(writable=False).profile == "starter"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[selections.coco]\nclasses = [\n  "doggo",\n]\n', r"maxsight.toml:2: coco.classes: .*dog"),
        ("[selections]\ncocoa.classes = []\n", r"maxsight.toml:2: cocoa: "),
        ('[selections.cleaned_splits]\nsplitting.seed = "x"\n', r"maxsight.toml:2: cleaned_splits.splitting.seed: "),
    ],
)
def test_a_mistake_in_the_selections_of_a_project_file_is_named_with_its_line(
    text: str, said: str, project: Path
) -> None:
    (project / "maxsight.toml").write_text(text, encoding="utf-8")

    with pytest.raises(SettingsError, match=said):
        profiles.load(settings.load(writable=False).profile)


def test_init_writes_a_project_file_that_reads_back_and_is_never_replaced(project: Path) -> None:
    first = CliRunner().invoke(app, ["init"])

    assert first.exit_code == 0, first.output
    assert settings.load(writable=False).data_dir == Path.cwd() / "datasets_sample"
    assert CliRunner().invoke(app, ["init"]).exit_code == 2
