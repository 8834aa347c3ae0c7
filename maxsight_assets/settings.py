"""Read the environment variables into one frozen, validated `Settings`.

Every variable is read here and nowhere else. A wrong value raises an error of one line that names the variable, when
the settings are read and before anything else happens.
"""

import contextlib
import os
import re
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from maxsight_assets.catalog import model as catalogs
from maxsight_assets.errors import SettingsError
from maxsight_assets.values import (
    CERTIFICATES,
    PROJECT_FILE,
    Datasets,
    Days,
    Directory,
    Endpoint,
    Hosts,
    Mirror,
    ProfileName,
    SourceAddress,
    TimeZone,
    Webhook,
    directory_of,
)

COCO_DIRECTORY = "coco_raw"
COCO_FOLDERS = ("train2017", "annotations")
"""Folders that mark the COCO directory, which MaxSight's own scripts call DATA_DIR."""


class Settings(BaseModel):
    """The settings from the environment; docs/reference/environment.md is generated from these fields."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    profile: ProfileName = Field(
        default="sample",
        validation_alias="MAXSIGHT_PROFILE",
        description="How much to take of which upstream: `sample`, `starter`, `full`, or the path of a "
        "YAML file of your own. `sample` is the embedded upstream.",
    )
    datasets: Datasets | None = Field(
        default=None,
        validation_alias="MAXSIGHT_DATASETS",
        description="Only these datasets of the profile, separated by commas, for instance `coco,openimages`; the "
        "others are not in the graph, nor in evaluation sets and splits. Default: all of the profile's.",
    )
    data_dir: Directory = Field(
        default=Path(),
        validation_alias="DATA_DIR",
        description="Root of all datasets; `file_name` in every split is relative to it. "
        "Default: `datasets_sample` with the profile `sample`, `datasets` with any other.",
    )
    splits_dir: Directory = Field(
        default=Path(),
        validation_alias="SPLITS_DIR",
        description="Where the training splits are published; a directory of their own. "
        "Default: `cleaned_splits` in DATA_DIR.",
    )
    checkpoints_dir: Directory = Field(
        default=Path("checkpoints"),
        validation_alias=AliasChoices("CHECKPOINTS_DIR", "CHECKPOINTS_BASE"),
        description="Where `checkpoints_<condition>/best_model.pt` are synced to.",
    )
    checkpoints_uri: SourceAddress | None = Field(
        default=None,
        validation_alias="CHECKPOINTS_URI",
        description="Where the checkpoints of the conditions come from: a directory such as a mounted drive, "
        "`s3://bucket/prefix`, or `hf://models/<owner>/<name>`. If it is unset, none are synced.",
    )
    audio_dir: Directory | None = Field(
        default=None,
        validation_alias="AUDIO_DIR",
        description="Root of the audio files that go with images; needs the extra `audio`.",
    )
    metrics_baseline: str = Field(
        default="baseline",
        validation_alias="METRICS_BASELINE",
        description="Name of a folder of `DATA_DIR/detections`; all other detections are compared with those in it.",
    )
    executor: Literal["in_process", "multiprocess"] = Field(
        default="in_process",
        validation_alias="MAXSIGHT_EXECUTOR",
        description="How Dagster runs the steps of a run. The graph has a few large steps, so one process is fastest.",
    )

    keep_runs_days: Days = Field(
        default=30,
        validation_alias="KEEP_RUNS_DAYS",
        description="Days for which `tidy` keeps the records of runs that ended.",
    )
    keep_tick_logs_days: Days = Field(
        default=2,
        validation_alias="KEEP_TICK_LOGS_DAYS",
        description="Days for which `tidy` keeps what ticks of sensors and schedules printed.",
    )
    keep_staging_days: Days = Field(
        default=14,
        validation_alias="KEEP_STAGING_DAYS",
        description="Days for which `tidy` keeps what an interrupted landing staged.",
    )

    refresh_cron: str = Field(
        default="off",
        validation_alias="REFRESH_CRON",
        description="When everything that is landed is landed again, whether or not a change was seen upstream: "
        "cron's five fields, `on` for Saturdays at 3:00, or `off`.",
    )
    verify_cron: str = Field(
        default="off",
        validation_alias="VERIFY_CRON",
        description="When all checks run on what is landed, every byte read: cron's five fields, `on` for Sundays "
        "at 3:00, or `off`.",
    )
    verify_light_cron: str = Field(
        default="off",
        validation_alias="VERIFY_LIGHT_CRON",
        description="When those checks run that read no image: cron's five fields, `on` for every night at 2:00, "
        "or `off`.",
    )
    schedule_timezone: TimeZone = Field(
        default="UTC",
        validation_alias="SCHEDULE_TIMEZONE",
        description="Time zone of the schedules, such as `Europe/Madrid`.",
    )

    alert_webhook_url: Webhook | None = Field(
        default=None,
        validation_alias="ALERT_WEBHOOK_URL",
        description="Webhook of a chat channel, in Slack's form, that gets alerts. If it is unset, none are sent.",
    )
    ui_url: str = Field(
        default="http://127.0.0.1:3000",
        validation_alias="UI_URL",
        pattern=r"^https?://[^\s/?#@]+[^\s?#@]*$",
        description="Address of Dagster's UI as readers of alerts reach it; the links in alerts begin with it.",
    )

    mirrors: Mapping[str, Mirror] = {}
    """Addresses that replace the publishers' own, by the variable that a catalog names; secrets."""

    allowed_hosts: Hosts = Field(
        default=frozenset(),
        validation_alias="ALLOWED_HOSTS",
        description="Further servers in your own network that may be contacted: `host[:port]`, separated by commas. "
        "The host of a mirror is allowed by its own variable.",
    )
    aws_endpoint_url_s3: Endpoint | None = Field(
        default=None, validation_alias="AWS_ENDPOINT_URL_S3", description="Address of another S3 than Amazon's."
    )
    hf_token: SecretStr | None = Field(
        default=None, validation_alias="HF_TOKEN", description="Token for `hf://` addresses."
    )
    aws_access_key_id: SecretStr | None = Field(
        default=None,
        validation_alias="AWS_ACCESS_KEY_ID",
        description="Key for S3. If it is unset, requests to S3 are anonymous.",
    )
    aws_secret_access_key: SecretStr | None = Field(
        default=None, validation_alias="AWS_SECRET_ACCESS_KEY", description="The secret half of the key for S3."
    )
    aws_session_token: SecretStr | None = Field(
        default=None, validation_alias="AWS_SESSION_TOKEN", description="Session of a temporary key for S3."
    )
    aws_region: str = Field(
        default="us-east-1",
        validation_alias=AliasChoices("AWS_REGION", "AWS_DEFAULT_REGION"),
        min_length=1,
        description="Region that requests to S3 are signed for.",
    )

    @model_validator(mode="before")
    @classmethod
    def _paths_follow_profile(cls, values: dict[str, object]) -> dict[str, object]:
        """Give the sample profile a directory of its own, so that drawn pictures never mix with real ones."""
        sample = values.get("MAXSIGHT_PROFILE", "sample") == "sample"
        data_dir = values.get("DATA_DIR") or ("datasets_sample" if sample else "datasets")
        splits_dir = values.get("SPLITS_DIR") or f"{data_dir}/cleaned_splits"
        defaults = {} if "CHECKPOINTS_BASE" in values else {"CHECKPOINTS_DIR": "checkpoints"}
        return defaults | values | {"DATA_DIR": data_dir, "SPLITS_DIR": splits_dir}

    @model_validator(mode="before")
    @classmethod
    def _mirrors_of_the_catalogs(cls, values: dict[str, object]) -> dict[str, object]:
        """Gather the variables that the datasets' catalogs name."""
        names = [name for catalog in catalogs.every() for name in catalog.mirror_variables]
        return values | {"mirrors": {name: values[name] for name in names if name in values}}

    @property
    def state_dir(self) -> Path:
        """Return the directory of image facts and the embedded upstream (remade if missing), and of notes on splits."""
        return self.data_dir / ".maxsight"

    def mirror(self, variable: str | None) -> str | None:
        """Return the address that replaces the publisher's own, by the name of its variable."""
        address = self.mirrors.get(variable or "")
        return None if address is None else address.get_secret_value()

    @property
    def s3_endpoint(self) -> str | None:
        """Return the address of an S3 service other than Amazon's, if the environment states one."""
        return None if self.aws_endpoint_url_s3 is None else self.aws_endpoint_url_s3.get_secret_value()


def load(environment: Mapping[str, str] | None = None, *, writable: bool = True) -> Settings:
    """Read and check the settings.

    Args:
        environment: Variables to read instead of the process's own, which stand above the project file; empty and blank
            values count as unset.
        writable: Whether DATA_DIR and SPLITS_DIR must be writable; a caller that only reads passes False.

    Raises:
        SettingsError: A variable is wrong; the text is one line and names it.
    """
    given = os.environ if environment is None else environment
    values = {name: value.strip() for name, value in given.items() if value.strip()}
    if environment is None and (project := project_file(Path.cwd())):
        values = _of_project(project, values.get("MAXSIGHT_PROFILE")) | values
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_one_line(error)) from None
    _require_one_place_of_checkpoints(values)
    _require_root_of_datasets(settings)
    _require_own_place(settings)
    _require_whole_keys(settings)
    _require_certificates(values)
    if writable:
        require_writable(settings)
    return settings


PROJECT_KEYS = {
    "profile": "MAXSIGHT_PROFILE",
    "datasets": "MAXSIGHT_DATASETS",
    "data_dir": "DATA_DIR",
    "splits_dir": "SPLITS_DIR",
    "checkpoints_dir": "CHECKPOINTS_DIR",
    "audio_dir": "AUDIO_DIR",
    "allowed_hosts": "ALLOWED_HOSTS",
}
"""Keys of a project file, and the variable that stands above each.

`mirrors` is a table by variable; `selections` a table by dataset, which changes the selections of the profile.
"""


def project_file(start: Path) -> Path | None:
    """Find the project file of a directory: in it, or in the nearest one above."""
    return next((path for each in (start, *start.parents) if (path := each / PROJECT_FILE).is_file()), None)


def _of_project(path: Path, profile: str | None) -> dict[str, str]:
    """Read a project file as variables; its relative paths are meant from its own directory.

    DATA_DIR follows the profile, which the environment may state.
    """
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path}: {' '.join(str(error).split())}") from None
    mirrors, selections = said.pop("mirrors", {}), said.pop("selections", None)
    known = {name for catalog in catalogs.every() for name in catalog.mirror_variables}
    if not isinstance(mirrors, dict) or (wrong := sorted({*said} - {*PROJECT_KEYS} | {*mirrors} - known)):
        named = ", ".join(wrong) if isinstance(mirrors, dict) else "mirrors"
        raise SettingsError(
            f"{path}: {named}: there are {', '.join(PROJECT_KEYS)}, a table selections, and a table mirrors of "
            f"{', '.join(sorted(known))}; secrets are read from the environment only"
        )
    values: dict[str, str] = {}
    for key, value in {**{PROJECT_KEYS[key]: value for key, value in said.items()}, **mirrors}.items():
        texts = value if isinstance(value, list) else [value]
        if not texts or not all(isinstance(each, str) and each.strip() for each in texts):
            raise SettingsError(f"{path}: {key}: is no text")
        if key in mirrors and re.search(r"[@?]", value):
            raise SettingsError(f"{path}: {key}: may hold a secret; set it in the environment")
        values[key] = ",".join(each.strip() for each in texts)
    sample = (profile or values.get("MAXSIGHT_PROFILE", "sample")) == "sample"
    values.setdefault("DATA_DIR", "datasets_sample" if sample else "datasets")
    for key in values.keys() & {"DATA_DIR", "SPLITS_DIR", "CHECKPOINTS_DIR", "AUDIO_DIR"}:
        values[key] = str(path.parent / Path(values[key]).expanduser())
    if (own := Path(values.get("MAXSIGHT_PROFILE", ""))).suffix:
        values["MAXSIGHT_PROFILE"] = str(path.parent / own.expanduser())
    if selections is not None:  # the file is a profile of its own: `profiles.model` reads it
        values["MAXSIGHT_PROFILE"] = str(path)
    return values


def require_writable(settings: Settings) -> None:
    """Refuse a directory to publish in that cannot be written, judged by the nearest existing parent.

    Raises:
        SettingsError: A directory cannot be written; the text is one line and names its variable.
    """
    places = {"DATA_DIR": settings.data_dir, "SPLITS_DIR": settings.splits_dir}
    if settings.checkpoints_uri is not None:
        places["CHECKPOINTS_DIR"] = settings.checkpoints_dir
    for variable, directory in places.items():
        _require_writable(variable, directory)


def directory(variable: str, value: str) -> Path:
    """Return a directory that a variable outside the settings names, as an absolute path.

    Raises:
        SettingsError: It cannot be a directory, or cannot be written; the text is one line and names the variable.
    """
    try:
        path = directory_of(value)
    except ValueError as error:
        raise SettingsError(f"{variable}={value}: {error}") from None
    _require_writable(variable, path)
    return path


def reserved(data_dir: Path) -> list[Path]:
    """Return the directories of DATA_DIR that the project publishes or keeps, except splits, with links resolved."""
    published = [*(catalog.directory for catalog in catalogs.every()), "inference_eval", ".maxsight"]
    beside = [f".{name}.maxsight" for name in published]  # versions under construction and previous ones
    return [(data_dir / name).resolve() for name in (*published, *beside)]


def _one_line(error: ValidationError) -> str:
    """Return one line on the first wrong variable, without a value that may be secret."""
    first = error.errors(include_url=False, include_context=False, include_input=True)[0]
    place = [str(part) for part in first["loc"] if part != "mirrors"]
    variable = place[0] if place else "environment"
    value, *hidden = re.split(r"[?#]", str(first.get("input")), maxsplit=1)
    secret = any(word in variable for word in ("TOKEN", "KEY", "WEBHOOK")) or "@" in value
    shown = "" if secret else f"={value}{'?[hidden]' if hidden else ''}"
    message = str(first["msg"]).removeprefix("Value error, ").replace("\n", " ")
    return f"{variable}{shown}: {message}"


def _require_one_place_of_checkpoints(values: Mapping[str, str]) -> None:
    """Refuse two variables for one directory if they disagree."""
    ours, theirs = (values.get(name) for name in ("CHECKPOINTS_DIR", "CHECKPOINTS_BASE"))
    if ours and theirs and ours != theirs:
        raise SettingsError(
            f"CHECKPOINTS_BASE={theirs}: is another name of CHECKPOINTS_DIR, which is {ours}; unset one of the two"
        )


def _require_root_of_datasets(settings: Settings) -> None:
    """Refuse the COCO directory as the root of all datasets: MaxSight's own scripts call that directory DATA_DIR."""
    given = settings.data_dir
    held = None
    with contextlib.suppress(OSError):  # a directory that cannot be searched is refused when it is used
        held = next((name for name in COCO_FOLDERS if (given / name).is_dir()), None)
    if given.name != COCO_DIRECTORY and held is None:
        return
    why = f"holds {held}/" if held else f"is named {COCO_DIRECTORY}"
    named = "" if given.name == COCO_DIRECTORY else f" and name this directory {given.parent / COCO_DIRECTORY}"
    raise SettingsError(
        f"DATA_DIR={given}: {why}, so it is the directory of COCO, not the root of all datasets; "
        f"set DATA_DIR={given.parent}{named}"
    )


def _require_own_place(settings: Settings) -> None:
    """Refuse a SPLITS_DIR that would overwrite another directory, or be overwritten by one."""
    splits, data_dir = settings.splits_dir.resolve(), settings.data_dir.resolve()
    others = reserved(data_dir)
    clash = data_dir if data_dir.is_relative_to(splits) else next(filter(splits.is_relative_to, others), None)
    if clash is not None:
        raise SettingsError(
            f"SPLITS_DIR={settings.splits_dir}: would take the place of {clash} or lie in it; choose a directory of "
            "its own, for instance $DATA_DIR/cleaned_splits"
        )


def _require_whole_keys(settings: Settings) -> None:
    """Refuse half of an S3 key pair, because it cannot sign requests."""
    key, secret = settings.aws_access_key_id is not None, settings.aws_secret_access_key is not None
    names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
    if key != secret:
        missing, given = names if secret else reversed(names)
        raise SettingsError(f"{missing}: is not set, but {given} is; set both or neither")
    if settings.aws_session_token is not None and not key:
        raise SettingsError(f"AWS_SESSION_TOKEN: is of use with {' and '.join(names)} only; set them too, or unset it")


def _require_certificates(values: Mapping[str, str]) -> None:
    """Refuse certificates that are not there: each download would fail, and blame the server."""
    for variable in CERTIFICATES:
        if variable in values and not Path(values[variable]).exists():
            raise SettingsError(
                f"{variable}={values[variable]}: there is no such file or directory; name one that holds certificates, "
                "or unset it"
            )


def _require_writable(variable: str, directory: Path) -> None:
    existing = next(parent for parent in (directory, *directory.parents) if parent.exists())
    if not existing.is_dir():
        raise SettingsError(f"{variable}={directory}: {existing} is not a directory; choose another place")
    try:
        # Permission bits do not decide this: root passes them all, and a mounted drive may be read-only.
        tempfile.TemporaryFile(dir=existing).close()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SettingsError(
            f"{variable}={directory}: cannot write in {existing} ({reason}); choose another place"
        ) from None
