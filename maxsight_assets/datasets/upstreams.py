"""Open an upstream for reading: the publisher's own, a mirror of it, or an embedded one on loopback."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from maxsight_assets.catalog import model as catalogs
from maxsight_assets.datasets.places import Upstream, hasty
from maxsight_assets.settings import Settings
from maxsight_assets.transport.client import Client
from maxsight_assets.transport.guard import PORTS, host_port
from maxsight_assets.transport.options import Credentials, Limits, Progress

Embedded: TypeAlias = Callable[[], contextlib.AbstractContextManager[str]]
"""Serves all upstreams on 127.0.0.1, each dataset in a folder of its name, until the block ends; yields the address."""


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach the upstreams.

    Attributes:
        embedded: Serves all upstreams instead of the publishers, if set.
        mirrors: Addresses that replace publishers' own, by the name of the variable; their hosts may be private.
        allowed_hosts: Further servers, as "host:port", that may be private.
        credentials: Credentials for the stores that require them.
    """

    embedded: Embedded | None = None
    mirrors: Mapping[str, str] = field(default_factory=dict)
    credentials: Credentials = field(default_factory=Credentials)
    allowed_hosts: frozenset[str] = frozenset()

    @classmethod
    def of(cls, settings: Settings, embedded: Embedded | None) -> "Access":
        """Return the access that the settings describe, for a command that runs outside Dagster."""
        return cls(
            embedded=embedded,
            mirrors={name: address.get_secret_value() for name, address in settings.mirrors.items()},
            allowed_hosts=settings.allowed_hosts,
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
    dataset: str,
    access: Access,
    *,
    cancel: threading.Event | None = None,
    progress: Progress | None = None,
    limits: Limits | None = None,
) -> Iterator[Upstream]:
    """Open the upstream of one dataset; its traffic ends when the block is left, for whatever reason.

    Args:
        dataset: Name of the catalog file.
        access: How to reach it.
        cancel: Set by the caller to end all traffic within ten seconds; leaving the block sets it too.
        progress: Receives the progress of downloads.
        limits: Limits that replace the default ones.
    """
    catalog = catalogs.load(dataset)
    cancel = cancel or threading.Event()
    with contextlib.ExitStack() as stack:
        stack.callback(cancel.set)
        limits = limits or Limits()
        if access.embedded:
            base = stack.enter_context(access.embedded())
            catalog = catalog.embedded(base=f"{base}/{dataset}", images=f"{base}/open-images-dataset")
            limits = replace(limits, loopback_allowed=frozenset({urlsplit(base).netloc}))
        else:
            mirror, images = access.mirrors.get(catalog.mirror), access.mirrors.get(catalog.images_mirror or "")
            catalog = catalog.at(base=mirror, images=images)
            named = (urlsplit(address) for address in (mirror, images) if address)
            own = {host_port(parts) for parts in named if parts.scheme in PORTS}
            limits = replace(limits, allowed_hosts=access.allowed_hosts | own)

        def client(limits: Limits) -> Client:
            return stack.enter_context(
                Client(limits=limits, credentials=access.credentials, cancel=cancel, progress=progress)
            )

        origin: Literal["embedded", "upstream"] = "embedded" if access.embedded else "upstream"
        yield Upstream(
            catalog=catalog,
            client=client(limits),
            origin=origin,
            cancel=cancel,
            hasty=client(hasty(limits)) if catalog.mirrors else None,
        )
