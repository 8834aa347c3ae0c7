"""What the profile `sample` adds to the product: an upstream that is drawn here, and what became of its seeded faults.

Part of the composition root: the command line and `build` ask here, and no other module knows `sample_upstream`.
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
    """A table that is shown beside what the product says of the training splits.

    Attributes:
        title: What it is about.
        columns: Their names, and how wide each is printed.
        rows: One text a column.
    """

    title: str
    columns: Mapping[str, int]
    rows: Sequence[tuple[str, ...]]


def embedded_of(profile: Profile, places: Places) -> "Embedded | None":
    """What serves the profile's upstream from this machine; None if the publishers' own are asked."""
    return serving(places.world) if profile.upstream == "embedded" else None


def serving(world: Path) -> "Embedded":
    """What serves the world that is drawn in a directory, or will be at first use."""
    return partial(_serve, world)


@contextmanager
def _serve(world: Path) -> Iterator[str]:
    from maxsight_assets.sample_upstream.server import serve
    from maxsight_assets.sample_upstream.world import publish

    with serve(publish(world)) as base:
        yield base


def outdated(places: Places) -> list[Path]:
    """The worlds that earlier generators drew here, and that nothing serves any more."""
    from maxsight_assets.sample_upstream.world import outdated as not_of_this_generator

    return not_of_this_generator(places.world)


def section_of(profile: Profile, places: Places) -> Section | None:
    """What became of each fault that the sample's upstream holds on purpose; None for a profile without any."""
    if profile.upstream != "embedded":
        return None
    from maxsight_assets.sample_upstream.fates import fates

    return Section(
        title="seeded faults",
        columns={"seeded fault": 27, "record": 36, "what became of it": 0},
        rows=[(each.name, f"{each.dataset} {each.kind} {each.record_ids[0]}", fate) for each, fate in fates(places)],
    )


def touch(places: Places, dataset: str, *, back: bool) -> str:
    """Change a file of the drawn world, as an upstream does; see `sample_upstream.touch`.

    Raises:
        ValueError: The dataset has no other edition.
    """
    from maxsight_assets.sample_upstream import touch as editions
    from maxsight_assets.sample_upstream.world import publish

    return editions.touch(publish(places.world), dataset, back=back)
