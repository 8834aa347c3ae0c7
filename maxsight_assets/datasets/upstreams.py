"""Opens an upstream while it is read: the publisher's own or a mirror of it, or the embedded one on loopback."""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from maxsight_assets.catalog import model as catalogs
from maxsight_assets.datasets.landing import Upstream
from maxsight_assets.places import Places
from maxsight_assets.settings import Settings
from maxsight_assets.transport.client import Client
from maxsight_assets.transport.options import Credentials, Limits, Progress


@dataclass(frozen=True, slots=True)
class Access:
    """How upstreams are reached.

    Attributes:
        embedded_world: Where the drawn world is kept, if it takes the publishers' place.
        mirrors: Addresses that replace publishers' own, by the name of the variable.
        credentials: For stores that want them.
    """

    embedded_world: Path | None
    mirrors: Mapping[str, str] = field(default_factory=dict)
    credentials: Credentials = field(default_factory=Credentials)

    @classmethod
    def of(cls, settings: Settings, *, embedded: bool) -> "Access":
        """The access that the settings describe, for a command that runs outside Dagster."""
        return cls(
            embedded_world=Places.of(settings).world if embedded else None,
            mirrors={name: address.get_secret_value() for name, address in settings.mirrors.items()},
            credentials=Credentials(
                aws_access_key_id=settings.aws_access_key_id,
                aws_secret_access_key=settings.aws_secret_access_key,
                aws_session_token=settings.aws_session_token,
                aws_region=settings.aws_region,
                s3_endpoint=settings.s3_endpoint,
                hf_token=settings.hf_token,
            ),
        )


@contextlib.contextmanager
def open_upstream(
    dataset: str, access: Access, *, cancel: threading.Event | None = None, progress: Progress | None = None
) -> Iterator[Upstream]:
    """Open the upstream of one dataset; its traffic ends when the block is left, for whatever reason.

    Args:
        dataset: Name of the catalog file.
        access: How to reach it.
        cancel: Set by the caller to end all traffic within ten seconds; leaving the block sets it too.
        progress: Told how far a download is.
    """
    catalog = catalogs.load(dataset)
    cancel = cancel or threading.Event()
    with contextlib.ExitStack() as stack:
        stack.callback(cancel.set)
        limits = Limits()
        if access.embedded_world is not None:
            from maxsight_assets.sample_upstream.server import serve
            from maxsight_assets.sample_upstream.world import publish

            base = stack.enter_context(serve(publish(access.embedded_world)))
            catalog = catalog.embedded(base=f"{base}/{dataset}", images=f"{base}/open-images-dataset")
            limits = Limits(loopback_allowed=frozenset({urlsplit(base).netloc}))
        else:
            catalog = catalog.at(
                base=access.mirrors.get(catalog.mirror),
                images=access.mirrors.get(catalog.images_mirror) if catalog.images_mirror else None,
            )
        client = stack.enter_context(
            Client(limits=limits, credentials=access.credentials, cancel=cancel, progress=progress)
        )
        origin: Literal["embedded", "upstream"] = "upstream" if access.embedded_world is None else "embedded"
        yield Upstream(catalog=catalog, client=client, origin=origin, cancel=cancel)
