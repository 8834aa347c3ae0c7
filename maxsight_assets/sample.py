"""What the profile `sample` adds: an upstream that is drawn on this machine, and a report on its deliberate faults.

Part of the composition root: the command line and `build` use it, and no other module imports `sample_upstream`.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from maxsight_assets.places import Places
from maxsight_assets.profiles.model import Profile

if TYPE_CHECKING:
    from maxsight_assets.datasets.upstreams import Embedded


@dataclass(frozen=True, slots=True)
class Section:
    """A table that is shown beside the report on the training splits.

    Attributes:
        title: Its heading.
        columns: The name and the printed width of each column.
        rows: The rows, with one text per column.
    """

    title: str
    columns: Mapping[str, int]
    rows: Sequence[tuple[str, ...]]


def embedded_of(profile: Profile, places: Places) -> "Embedded | None":
    """Return what serves the profile's upstream from this machine; None if the profile uses the publishers' servers."""
    return serving(places.world) if profile.upstream == "embedded" else None


def serving(world: Path) -> "Embedded":
    """Return what serves the world drawn in a directory; the world is drawn at first use."""
    return partial(_serve, world)


@contextmanager
def _serve(world: Path) -> Iterator[str]:
    from maxsight_assets.sample_upstream.server import serve
    from maxsight_assets.sample_upstream.world import publish

    with serve(publish(world)) as base:
        yield base


def outdated(places: Places) -> list[Path]:
    """Return the worlds that earlier generators drew here and that are no longer served."""
    from maxsight_assets.sample_upstream.world import outdated as not_of_this_generator

    return not_of_this_generator(places.world)


def section_of(profile: Profile, places: Places) -> Section | None:
    """Return what became of each deliberate fault of the sample's upstream; None for a profile without such faults."""
    if profile.upstream != "embedded":
        return None
    from maxsight_assets.sample_upstream.fates import fates

    return Section(
        title="seeded faults",
        columns={"seeded fault": 27, "record": 36, "what became of it": 0},
        rows=[(each.name, f"{each.dataset} {each.kind} {each.record_ids[0]}", fate) for each, fate in fates(places)],
    )


def touch(places: Places, dataset: str, *, back: bool) -> str:
    """Change a file of the drawn world, as a publisher would; see `sample_upstream.touch`.

    Raises:
        ValueError: The dataset has no other edition.
    """
    from maxsight_assets.sample_upstream import touch as editions
    from maxsight_assets.sample_upstream.world import publish

    return editions.touch(publish(places.world), dataset, back=back)
