"""Resources: where things are on disk, and how the upstreams are reached."""

import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field, SecretStr

from maxsight_assets.places import Places
from maxsight_assets.settings import Settings

if TYPE_CHECKING:
    from maxsight_assets.landing.options import Progress
    from maxsight_assets.sources.landing import Upstream

SECRETS = ("hf_token", "aws_access_key_id", "aws_secret_access_key", "aws_session_token")


class Storage(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Directories of the project."""

    data_dir: str = Field(description="Root of all datasets (DATA_DIR).")
    splits_dir: str = Field(description="Where the training splits are published (SPLITS_DIR).")
    state_dir: str = Field(description="Caches that can be made again.")
    audio_dir: str | None = Field(default=None, description="Root of audio files that go with images (AUDIO_DIR).")

    @property
    def places(self) -> Places:
        """The directories as paths."""
        audio = Path(self.audio_dir) if self.audio_dir else None
        return Places(Path(self.data_dir), Path(self.splits_dir), Path(self.state_dir), audio)


class Upstreams(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The upstreams of the profile: the publishers' own, or the embedded one, served on 127.0.0.1 while it is read."""

    embedded_world: str | None = Field(default=None, description="Where the drawn world is kept; null: publishers.")
    mirrors: dict[str, str] = Field(default={}, description="Addresses that replace publishers' own, by variable.")
    hf_token: str | None = Field(default=None, description="From HF_TOKEN.")
    aws_access_key_id: str | None = Field(default=None, description="From AWS_ACCESS_KEY_ID.")
    aws_secret_access_key: str | None = Field(default=None, description="From AWS_SECRET_ACCESS_KEY.")
    aws_session_token: str | None = Field(default=None, description="From AWS_SESSION_TOKEN.")
    aws_region: str = Field(default="us-east-1", description="Region of signed buckets (AWS_REGION).")
    s3_endpoint: str | None = Field(default=None, description="Address of an S3-compatible store.")

    def open(
        self, dataset: str, *, cancel: threading.Event | None = None, progress: "Progress | None" = None
    ) -> "AbstractContextManager[Upstream]":
        """One upstream, ready to be read; its traffic ends when the block is left, for whatever reason."""
        from maxsight_assets.landing.options import Credentials
        from maxsight_assets.sources.upstreams import Access, open_upstream

        secrets: dict[str, Any] = {name: SecretStr(value) for name in SECRETS if (value := getattr(self, name))}
        access = Access(
            embedded_world=Path(self.embedded_world) if self.embedded_world else None,
            mirrors=self.mirrors,
            credentials=Credentials(**secrets, aws_region=self.aws_region, s3_endpoint=self.s3_endpoint),
        )
        return open_upstream(dataset, access, cancel=cancel, progress=progress)


def storage_of(settings: Settings) -> Storage:
    """The storage resource that the settings describe."""
    return Storage(
        data_dir=str(settings.data_dir),
        splits_dir=str(settings.splits_dir),
        state_dir=str(settings.state_dir),
        audio_dir=str(settings.audio_dir) if settings.audio_dir else None,
    )


def upstreams_of(settings: Settings, *, embedded: bool) -> Upstreams:
    """The upstreams resource that the settings describe.

    A secret that is set is passed on as `EnvVar`, so that the UI shows the variable's name and never its value.
    """
    secrets: Mapping[str, dg.EnvVar] = {
        name: dg.EnvVar(name.upper()) for name in SECRETS if getattr(settings, name) is not None
    }
    variables = ("COCO_MIRROR", "OPENIMAGES_MIRROR", "OPENIMAGES_IMAGES_MIRROR", "BDD100K_MIRROR", "ADE20K_MIRROR")
    return Upstreams(
        embedded_world=str(Places.of(settings).world) if embedded else None,
        mirrors={name: address for name in variables if (address := settings.mirror(name))},
        aws_region=settings.aws_region,
        s3_endpoint=settings.s3_endpoint,
        **secrets,
    )
