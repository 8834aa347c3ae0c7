"""S3 as Dagster users set it up: the settings of dagster-aws's resource are what landing signs with."""

import dagster as dg
import pytest
from dagster_aws.s3 import S3Resource

from maxsight_assets import settings
from maxsight_assets.build import build_defs
from maxsight_assets.defs.s3 import PublishersUpstreams
from maxsight_assets.errors import SettingsError
from maxsight_assets.transport.options import Credentials

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "canary-secret", "AWS_SESSION_TOKEN": "token"}


def resources_of(environment: dict[str, str], **overrides: object) -> dict[str, object]:
    wanted = settings.load({"MAXSIGHT_PROFILE": "starter", **environment})
    return dict(build_defs(wanted, overrides=overrides).resources or {})


def credentials_of(environment: dict[str, str], **overrides: object) -> Credentials:
    upstreams = resources_of(environment, **overrides)["upstreams"]
    assert isinstance(upstreams, PublishersUpstreams)
    with upstreams.process_config_and_initialize_cm() as ready:
        return ready.credentials()  # type: ignore[no-any-return]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> dict[str, str]:
    """The process's environment holds a key and an endpoint, for EnvVar to read."""
    secrets = {**KEYS, "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"}
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    return {**secrets, "AWS_REGION": "eu-west-1", "DATA_DIR": str(tmp_path)}


def test_keys_region_and_endpoint_reach_landing_by_the_s3_resource(environment: dict[str, str]) -> None:
    found = credentials_of(environment)

    assert found.secrets() == tuple(KEYS.values())
    assert (found.aws_region, found.s3_endpoint) == ("eu-west-1", "http://127.0.0.1:1")


def test_a_line_end_after_a_secret_does_not_reach_landing(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = {**KEYS, "HF_TOKEN": "canary-token"}
    for name, value in secrets.items():
        monkeypatch.setenv(name, f"{value}\n")

    found = credentials_of({**environment, "HF_TOKEN": "canary-token\n"})

    assert found.hf_token is not None
    assert (*found.secrets()[:3], found.hf_token.get_secret_value()) == tuple(secrets.values())


def test_the_s3_resource_shows_names_of_variables_and_no_secret(environment: dict[str, str]) -> None:
    s3 = resources_of(environment)["s3"]

    assert isinstance(s3, S3Resource)
    assert isinstance(s3.aws_secret_access_key, dg.EnvVar)
    assert "canary-secret" not in repr(s3)
    assert not s3.use_unsigned_session


def test_a_public_bucket_needs_no_key(tmp_path: object) -> None:
    environment = {"DATA_DIR": str(tmp_path)}

    assert credentials_of(environment) == Credentials()
    s3 = resources_of(environment)["s3"]
    assert isinstance(s3, S3Resource)
    assert s3.use_unsigned_session


def test_another_s3_resource_takes_its_place(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    unsigned = credentials_of(environment, s3=S3Resource(use_unsigned_session=True, region_name="us-west-2"))
    assert unsigned == Credentials(aws_region="us-west-2")


def test_a_named_profile_is_read_and_one_without_keys_is_one_line(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shared = tmp_path_factory.mktemp("aws") / "credentials"
    shared.write_text("[lab]\naws_access_key_id = LAB\naws_secret_access_key = of-the-lab\n", encoding="utf-8")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(shared))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    assert credentials_of(environment, s3=S3Resource(profile_name="lab")).secrets() == ("LAB", "of-the-lab")
    for without in (S3Resource(profile_name="home"), S3Resource()):
        with pytest.raises(SettingsError, match="resource s3: no keys for a signed session; set AWS_ACCESS_KEY_ID and"):
            credentials_of(environment, s3=without)
