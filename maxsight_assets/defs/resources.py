"""The resources: the directories on disk, and access to the upstreams."""

import threading
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field, SecretStr

from maxsight_assets.places import Places
from maxsight_assets.settings import Settings

if TYPE_CHECKING:
    from maxsight_assets.datasets.places import Upstream
    from maxsight_assets.datasets.upstreams import Embedded
    from maxsight_assets.transport.client import Client
    from maxsight_assets.transport.options import Credentials, Limits, Progress


class Storage(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Directories of the project."""

    data_dir: str = Field(description="Root of all datasets (DATA_DIR).")
    splits_dir: str = Field(description="Where the training splits are published (SPLITS_DIR).")
    state_dir: str = Field(description="Caches that can be made again.")
    audio_dir: str | None = Field(default=None, description="Root of audio files that go with images (AUDIO_DIR).")

    @property
    def places(self) -> Places:
        """Return the directories as paths."""
        audio = Path(self.audio_dir) if self.audio_dir else None
        return Places(Path(self.data_dir), Path(self.splits_dir), Path(self.state_dir), audio)


class Upstreams(dg.ConfigurableResource):  # type: ignore[type-arg]
    """How the upstreams of the profile are reached; a subclass says what is particular to its own."""

    mirrors: dict[str, str] = Field(default={}, description="Addresses that replace publishers' own, by variable.")
    allowed_hosts: list[str] = Field(default=[], description="Servers in one's own network (ALLOWED_HOSTS), host:port.")
    hf_token: str | None = Field(default=None, description="From HF_TOKEN.")

    def credentials(self) -> "Credentials":
        """Return the S3 credentials; anonymous if no S3 is configured, see `s3.PublishersUpstreams`."""
        from maxsight_assets.transport.options import Credentials

        return Credentials(hf_token=SecretStr(self.hf_token.strip()) if self.hf_token else None)

    def embedded(self) -> "Embedded | None":
        """Return what serves the upstreams from this machine; None if they are the publishers' own."""
        return None

    def client(
        self,
        *,
        cancel: threading.Event | None = None,
        progress: "Progress | None" = None,
        limits: "Limits | None" = None,
    ) -> "Client":
        """Return a client for addresses that no catalog holds; a context manager."""
        from maxsight_assets.transport.client import Client
        from maxsight_assets.transport.options import Limits

        allowed = replace(limits or Limits(), allowed_hosts=frozenset(self.allowed_hosts))
        return Client(limits=allowed, credentials=self.credentials(), cancel=cancel, progress=progress)

    def open(
        self,
        dataset: str,
        *,
        cancel: threading.Event | None = None,
        progress: "Progress | None" = None,
        limits: "Limits | None" = None,
    ) -> "AbstractContextManager[Upstream]":
        """Open one upstream for reading; its traffic ends when the block is left, for whatever reason."""
        from maxsight_assets.datasets.upstreams import Access, open_upstream

        access = Access(
            embedded=self.embedded(),
            mirrors={name: address.strip() for name, address in self.mirrors.items()},
            credentials=self.credentials(),
            allowed_hosts=frozenset(self.allowed_hosts),
        )
        return open_upstream(dataset, access, cancel=cancel, progress=progress, limits=limits)


def storage_of(settings: Settings) -> Storage:
    """Return the storage resource that the settings describe."""
    return Storage(
        data_dir=str(settings.data_dir),
        splits_dir=str(settings.splits_dir),
        state_dir=str(settings.state_dir),
        audio_dir=str(settings.audio_dir) if settings.audio_dir else None,
    )
