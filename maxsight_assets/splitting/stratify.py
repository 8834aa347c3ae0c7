"""Divide groups so that every class is divided in the proportions of the splits: iterative stratification.

After Sechidis, Tsoumakas and Vlahavas, "On the Stratification of Multi-Label Data" (ECML PKDD 2011), but with numbers
of boxes instead of presence, whole groups instead of single images, and limits on the numbers of images.
"""

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from maxsight_assets.splitting.config import SPLITS, Sizes


def stratify(groups: pl.DataFrame, labels: pl.DataFrame, sizes: Sizes) -> pl.DataFrame:
    """Decide the split of each group.

    The rarest class comes first. Each group with a box of that class, in the order of the draws, goes to the split that
    still lacks most boxes of the class. A group without boxes goes to the split that still lacks most images.

    Args:
        groups: One row per group: `group`, `size` (images) and `draw` (decides the order), sorted by group.
        labels: One row per group and class: `group`, `label`, `boxes`.
        sizes: Shares, or numbers of images; images for which the numbers leave no room get no split.

    Returns:
        `group` and `subset` (train, val, test or null), sorted by group.
    """
    order = groups.with_row_index("row").sort("draw", "group")
    numbered = labels.join(order.select("group", place=pl.int_range(pl.len())), on="group")
    names = {name: code for code, name in enumerate(sorted(labels["label"].unique()))}
    held = (
        numbered.with_columns(code=pl.col("label").replace_strict(names, return_dtype=pl.Int64))
        .sort("place", "code")
        .group_by("place", maintain_order=True)
        .agg("code", pl.col("boxes").cast(pl.Float64))
    )
    members = order["size"].to_numpy()
    shares, room = _targets(sizes, int(members.sum()))
    on_it = {place: (np.array(codes, dtype=np.intp), np.array(boxes)) for place, codes, boxes in held.iter_rows()}
    chosen = _Table(members, on_it, shares=shares, room=room, classes=len(names)).divide()
    subset = pl.Series([SPLITS[split] if split < len(SPLITS) else None for split in chosen], dtype=pl.String)
    return order.select("group", subset=subset).sort("group")


def _targets(sizes: Sizes, images: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the share and the room of train, val and test, and last of the images without a split."""
    if not sizes.are_counts:
        shares = np.array([1 - sizes.val - sizes.test, sizes.val, sizes.test, 0.0])
        return shares, np.where(shares > 0, images, 0)
    room = np.array([sizes.train or 0, sizes.val, sizes.test, images], dtype=np.int64)
    wanted = np.minimum(room, images).astype(np.float64)
    wanted[0] = max(min(wanted[0], images - wanted[1] - wanted[2]), 0)
    wanted[-1] = max(images - wanted[:-1].sum(), 0)
    return wanted / max(wanted.sum(), 1), room


class _Table:
    """What each split still lacks while groups are assigned; rows are train, val, test and no split."""

    def __init__(
        self,
        members: NDArray[np.int64],
        held: Mapping[int, tuple[NDArray[np.intp], NDArray[np.float64]]],
        *,
        shares: NDArray[np.float64],
        room: NDArray[np.int64],
        classes: int,
    ) -> None:
        """Take all groups in their order: how many images each has, and which classes with how many boxes of each."""
        self._members = members
        self._held = held
        self._shares = shares
        self._room = room
        self._images = shares * members.sum()
        self._chosen = np.full(members.size, -1, dtype=np.int64)
        self._left = np.zeros(classes)
        self._places: list[list[int]] = [[] for _ in range(classes)]
        for place, (codes, boxes) in held.items():
            self._left[codes] += boxes
            for code in codes.tolist():
                self._places[code].append(place)
        self._wanted = shares[:, None] * self._left

    def divide(self) -> list[int]:
        """Return the split of each group, as an index into `SPLITS`; its length stands for no split."""
        for _ in range(self._left.size):
            code = int(np.argmin(np.where(self._left > 0, self._left, np.inf)))
            for place in self._places[code]:
                if self._chosen[place] < 0:
                    self._give(place, code)
            self._left[code] = 0
        for place in np.flatnonzero(self._chosen < 0).tolist():
            self._give(place, None)
        for place in np.flatnonzero(self._chosen == len(SPLITS)).tolist():  # fill the room that is left
            fits = np.flatnonzero(self._room[:-1] >= self._members[place])
            if fits.size:
                self._chosen[place] = fits[-1]
                self._room[fits[-1]] -= self._members[place]
        return [int(split) for split in self._chosen]

    def _give(self, place: int, code: int | None) -> None:
        size = self._members[place]
        wanted = self._images if code is None else self._wanted[:, code]
        fits = (self._room >= size) & (self._shares > 0)
        best = wanted == np.where(fits, wanted, -np.inf).max()
        split = int(np.argmax(np.where(best & fits, self._images, -np.inf))) if fits.any() else len(SPLITS)
        self._chosen[place] = split
        self._room[split] -= size
        self._images[split] -= size
        if place in self._held:
            codes, boxes = self._held[place]
            self._wanted[split, codes] -= boxes
            self._left[codes] -= boxes
