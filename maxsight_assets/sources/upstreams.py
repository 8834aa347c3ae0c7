"""Opens an upstream while it is read: the publisher's own or a mirror of it, or the embedded one on loopback."""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from maxsight_assets.catalog import model as catalogs
from maxsight_assets.landing.client import Client
from maxsight_assets.landing.options import Credentials, Limits, Progress
from maxsight_assets.sources.landing import Upstream


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
