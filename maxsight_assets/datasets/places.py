"""The places that have an upstream file, tried in order: the publisher, its mirrors, and what the user placed by hand.

Here: which place is asked next, what is said of those that failed. Not here: how bytes come (`transport`), and what is
made of them (`landing`).
"""

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeVar

from maxsight_assets.catalog.model import Catalog
from maxsight_assets.datasets.given import Given
from maxsight_assets.datasets.seen import Seen
from maxsight_assets.errors import (
    Busy,
    Cancelled,
    LandingError,
    NotPublished,
    PreflightFailed,
    Refused,
    TransientError,
    UpstreamChanged,
)
from maxsight_assets.publishing.acceptance import as_accepted
from maxsight_assets.publishing.expected import Expected, Obtained
from maxsight_assets.publishing.stage import Stage
from maxsight_assets.remote import Probe, RemoteFile
from maxsight_assets.transport.client import Client
from maxsight_assets.transport.listing import Listed
from maxsight_assets.transport.options import Limits

Answer = TypeVar("Answer")

PUBLISHER = "the publisher"

BY_HAND = "downloads"
"""Directory below DATA_DIR in whose folder of a dataset the user may place files that no place gives."""

HASTY_TRIES = 2
"""Tries at a place while others are left."""

HASTY_RATE = 20_000
"""Bytes a second of one connection below which a place counts as slow while others are left.

Users of COCO's bucket measured 50 kB/s in all (its `mirrors` in the catalog), which up to eight connections share.
"""

_NOT_OF_A_PLACE = (Busy, Cancelled, NotPublished, PreflightFailed, Refused)
"""Errors that no other place would mend."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """One place that has an upstream file.

    Attributes:
        name: Its name in messages and on pages; never an address that the user stated.
        file: The file there, with what is known of its bytes.
        is_publisher: Whether a change of its bytes is one of the publisher's.
    """

    name: str
    file: RemoteFile
    is_publisher: bool = False


@dataclass(frozen=True, slots=True)
class Upstream:
    """One upstream, ready to be read.

    Attributes:
        catalog: Its files and their addresses.
        client: The HTTP client.
        origin: `embedded` for the drawn world, `upstream` for a publisher; neither ever lands over the other.
        cancel: Ends all traffic within ten seconds when set.
        target: The published directory to land, if any: changes that the user accepted for it count, and its file
            system is examined before a byte moves.
        hasty: A client that gives up sooner; it asks each place first if a file has several. None: `client` does.
        given: A directory of the user that may hold upstream files, or files of the dataset in any layout.
        placed_first: Whether files that the user placed by hand are taken before the publisher is asked.
        served: Which place served a file, by the file's key, if it was not the publisher.
    """

    catalog: Catalog
    client: Client
    origin: Literal["embedded", "upstream"]
    cancel: threading.Event
    target: Path | None = None
    hasty: Client | None = None
    given: Given | None = None
    placed_first: bool = False
    served: dict[str, str] = field(default_factory=dict)

    def file(self, key: str) -> RemoteFile:
        """Return the publisher's file with that key, with the catalog's facts or those that the user accepted."""
        file = self.catalog.file(key)
        return file if self.target is None else as_accepted(self.target, file)

    def look(self, keys: Iterable[str], *, so_far: Mapping[str, Listed], in_time: Callable[[], bool]) -> Seen:
        """Ask the publisher, and no mirror, what it has now; a listing may be too long for one look and goes on later.

        Args:
            keys: The file keys; one that ends with a slash is of all objects below it.
            so_far: How far listings came at the look before.
            in_time: Returns whether there is time for a further page.
        """
        listings = {key: so_far.get(key, Listed()) for key in sorted(keys) if key.endswith("/")}
        for key in listings:  # noqa: PLC0206  # each step replaces the value
            while not listings[key].whole and in_time():
                listings[key] = self.client.list_on(self.file(key), listings[key])
        if not all(listed.whole for listed in listings.values()):
            return Seen("", {}, listings)
        files = {key: self.client.probe(self.file(key)) for key in sorted(keys) if key not in listings}
        return Seen.of(files | {key: listed.probe() for key, listed in listings.items()})

    def probe(self, keys: Iterable[str]) -> dict[str, Probe]:
        """Ask the first place of each file that answers what it has now, by file key."""
        return {key: self.first(key, lambda client, file: client.probe(file)) for key in sorted(keys)}

    def places(self, key: str) -> list[Place]:
        """Return the places of a file in the order in which they are asked; one that has served is asked first."""
        mirrored = self.catalog.is_mirrored and self.origin == "upstream"
        own = self.catalog.mirror if mirrored else PUBLISHER
        network = [Place(own, self.file(key), is_publisher=True)]
        mirrored_files = ((mirror.base, mirror.file(key, self.file(key))) for mirror in self.catalog.mirrors)
        network += [Place(base, file) for base, file in mirrored_files if file is not None]
        found = self._placed(key)
        ordered = [*found, *network] if self.placed_first else [*network, *found]
        return sorted(ordered, key=lambda place: place.name != self.served.get(key))

    def first(self, key: str, do: Callable[[Client, RemoteFile], Answer]) -> Answer:
        """Do something with a file at the first of its places that gives it, and note which did.

        Args:
            key: The file's key in the catalog.
            do: Takes the client to use and the file at one place. It may be called again for the next place, so it
                must go on from what an earlier call left.

        Raises:
            LandingError: No place gave the file; the text says what each said, and where to place it by hand.
        """
        places = self.places(key)
        said: dict[str, str] = {}
        final: set[str] = set()
        for place, client in self._tries(places, final):
            try:
                answer = do(client, place.file)
            except _NOT_OF_A_PLACE:
                raise
            except LandingError as error:
                if isinstance(error, UpstreamChanged) and place.is_publisher:
                    raise
                if len(places) == 1:
                    raise self._explained(key, error) from None
                said[place.name] = str(error).removeprefix(f"{key}: ")
                if not isinstance(error, TransientError):
                    final.add(place.name)
                _log.warning("%s: %s does not give it: %s", key, place.name, said[place.name])
                continue
            if place.name == PUBLISHER:
                self.served.pop(key, None)
            else:
                self.served[key] = place.name
            return answer
        kind = LandingError if final == said.keys() else TransientError
        reasons = "; ".join(f"{name}: {reason}" for name, reason in said.items())
        raise self._explained(key, kind(f"{key}: none of {len(places)} places gives it ({reasons})"))

    def _tries(self, places: list[Place], final: Collection[str]) -> Iterator[tuple[Place, Client]]:
        """Yield each place with the hasty client, then those again that only failed for a time with the patient one."""
        if self.hasty is not None and len(places) > 1:
            for place in places:
                yield place, self.hasty
        for place in places:
            if place.name not in final:
                yield place, self.client

    def obtain(self, stage: Stage, expected: Expected, *, moved: bool) -> Obtained | None:
        """Take a file that is on disk already: see `Stage.obtain`; or one that the user has in another directory."""
        there = stage.obtain(expected, moved=moved)
        if there is None and self.given is not None and self.given.take(stage, expected):
            return "adopted"
        return there

    @property
    def by_hand(self) -> Path | None:
        """Return the directory in which the user may place upstream files by hand; None if nothing is landed."""
        return None if self.target is None else self.target.parent / BY_HAND / self.catalog.dataset

    def _placed(self, key: str) -> list[Place]:
        """Return the copies of a file that the user has placed by hand."""
        if self.origin == "embedded":
            return []
        name = Path(key).name
        found = list(self.given.by_name.get(name, ())) if self.given else []
        if self.by_hand is not None:
            found += [path for path in (self.by_hand / key, self.by_hand / name) if path.is_file()]
        return [
            Place(f"{path} (placed by hand)", replace(self.file(key), url=path.absolute().as_uri(), on_change="follow"))
            for path in dict.fromkeys(found)
        ]

    def _explained(self, key: str, error: LandingError) -> LandingError:
        """Return the error of a file that no place gives, with where to place it by hand."""
        if self.by_hand and self.origin == "upstream":
            asset, place = self.catalog.asset, self.by_hand / Path(key).name
            by_hand = f"or place the file by hand as {place} and run `maxsight-assets adopt {asset}`"
            error.args = (f"{error}; {by_hand}", *error.args[1:])
        return error


def hasty(limits: Limits) -> Limits:
    """Return the limits of the client that asks each of several places first."""
    return replace(limits, attempts=min(limits.attempts, HASTY_TRIES), min_rate=max(limits.min_rate, HASTY_RATE))
