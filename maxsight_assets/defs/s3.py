"""The publishers' upstreams, with S3 configured as usual in Dagster: dagster-aws's S3Resource.

This is a module of its own because dagster-aws is slow to import and the embedded upstream does not need it.
"""

from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster_aws.s3 import S3Resource
from pydantic import SecretStr

from maxsight_assets.defs.resources import Upstreams
from maxsight_assets.errors import SettingsError
from maxsight_assets.settings import Settings

if TYPE_CHECKING:
    from maxsight_assets.transport.options import Credentials

KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")


class PublishersUpstreams(Upstreams):
    """The publishers' own upstreams; buckets are read as the S3 resource says.

    Its `region_name`, `endpoint_url`, `use_unsigned_session`, keys and `profile_name` count.
    """

    s3: S3Resource

    def credentials(self) -> "Credentials":
        """Return the credentials of the S3 resource, in the form that landing uses.

        Raises:
            SettingsError: The resource should sign requests and has no keys.
        """
        from dataclasses import replace

        stated: dict[str, Any] = {"s3_endpoint": self.s3.endpoint_url and self.s3.endpoint_url.strip()}
        if self.s3.region_name:
            stated["aws_region"] = self.s3.region_name
        if not self.s3.use_unsigned_session:
            stated |= {name: SecretStr(value) for name, value in zip(KEYS, self._keys(), strict=True) if value}
        return replace(super().credentials(), **stated)

    def _keys(self) -> tuple[str | None, ...]:
        if self.s3.aws_access_key_id and self.s3.aws_secret_access_key:
            keys = (getattr(self.s3, name) for name in KEYS)
            return tuple(key and key.strip() for key in keys)  # the value in the environment may have spaces around it
        from botocore.exceptions import BotoCoreError
        from botocore.session import Session

        try:
            profile = self.s3.profile_name
            found = Session(profile=profile).get_credentials() if profile else None
        except BotoCoreError:
            found = None
        if found is None:
            raise SettingsError(
                "resource s3: no keys for a signed session; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
                "profile_name to a profile of ~/.aws that has them, or use_unsigned_session for a public bucket"
            )
        frozen = found.get_frozen_credentials()
        return frozen.access_key, frozen.secret_key, frozen.token


def s3_of(settings: Settings) -> S3Resource:
    """Return the S3 resource that the settings describe: anonymous, unless the environment holds a key.

    A secret is passed on as `EnvVar`, so that the UI shows the variable's name and never its value.
    """
    keys: dict[str, Any] = {name: dg.EnvVar(name.upper()) for name in KEYS if getattr(settings, name) is not None}
    endpoint = dg.EnvVar("AWS_ENDPOINT_URL_S3") if settings.s3_endpoint else None
    return S3Resource(use_unsigned_session=not keys, region_name=settings.aws_region, endpoint_url=endpoint, **keys)


def publishers_upstreams_of(settings: Settings, s3: S3Resource) -> PublishersUpstreams:
    """Return the upstreams resource of the settings; an address may hold a password, so it is an `EnvVar` too."""
    return PublishersUpstreams(
        allowed_hosts=sorted(settings.allowed_hosts),
        mirrors={name: dg.EnvVar(name) for name in settings.mirrors},
        hf_token=dg.EnvVar("HF_TOKEN") if settings.hf_token is not None else None,
        s3=s3,
    )
