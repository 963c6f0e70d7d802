"""A table in two regions that replicate asynchronously: the last writer wins, and what was on its way is lost.

A write is acknowledged where it is made and reaches the other region after its lag. When its region goes dark
meanwhile, it stays behind: it is lost to customers until the region is back. Then it arrives late, and the last
writer wins: where the item was written anew meanwhile, it never shows again.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/V2globaltables_HowItWorks.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Replication is usually done within a second or so (as above); the tail is assumed.
LAG_S, SPREAD, MOST_S = 0.8, 0.6, 8.0


@dataclass(frozen=True, slots=True)
class Lost:
    """A write that was acknowledged and had not left its region when that went dark. `arrived_s` is when it came
    after all (None: not within the drill), `superseded_s` when the item was written anew elsewhere before that."""

    id: str
    item: int
    at_s: float
    lag_s: float
    arrived_s: float | None
    superseded_s: float | None


class Journal:
    """Every write of a drill: when, where, on which item, and how long it takes to the other region."""

    def __init__(self, rng: np.random.Generator, items: int = 20_000) -> None:
        self._rng = rng
        self._items = items
        self._parts: list[tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64], int]] = []
        self._count = 0

    def write(self, second: float, region: int, count: int) -> None:
        """So many writes were acknowledged by a region within the second that begins then."""
        if count:
            times = np.sort(self._rng.random(count)) + second
            items = self._rng.integers(0, self._items, count)
            lags = np.minimum(self._rng.lognormal(np.log(LAG_S), SPREAD, count), MOST_S)
            self._parts.append((times, items, lags, region))
            self._count += count

    def __len__(self) -> int:
        return self._count

    def closed(self) -> Writes:
        """All of them as columns, in the order in which they were made."""
        if not self._parts:
            empty = np.zeros(0)
            return Writes(empty, empty.astype(np.int64), empty.astype(np.int64), empty)
        times = np.concatenate([one[0] for one in self._parts])
        regions = np.concatenate([np.full(len(one[0]), one[3]) for one in self._parts])
        items = np.concatenate([one[1] for one in self._parts])
        lags = np.concatenate([one[2] for one in self._parts])
        order = np.argsort(times, kind="stable")
        return Writes(times[order], items[order], regions[order], lags[order])


@dataclass(frozen=True, slots=True)
class Writes:
    """The writes as columns: when (seconds), on which item, in which region, and the lag to the other one."""

    times: NDArray[np.float64]
    items: NDArray[np.int64]
    regions: NDArray[np.int64]
    lags: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.times)

    def lost(self, region: int, dark: Sequence[tuple[float, float]]) -> list[Lost]:
        """What was on its way when the region went dark. `dark` are its dark stretches (from, to)."""
        found: list[Lost] = []
        for begins, ends in dark:
            own = self.regions == region
            left_behind = np.flatnonzero(own & (self.times < begins) & (self.times + self.lags >= begins))
            last = float(self.times[-1]) if len(self.times) else 0.0
            for index in left_behind:
                # What waited leaves as soon as the region is back, and takes its lag again.
                arrived = ends + float(self.lags[index])
                anew = self._anew(int(index), region, arrived)
                back = arrived if ends <= last else None
                found.append(
                    Lost(
                        f"w{index:07d}",
                        int(self.items[index]),
                        float(self.times[index]),
                        float(self.lags[index]),
                        back,
                        anew,
                    )
                )
        return found

    def _anew(self, index: int, region: int, until: float) -> float | None:
        """When another region wrote the same item first, after this write and before it arrived."""
        later = slice(index + 1, int(np.searchsorted(self.times, until)))
        same = (self.items[later] == self.items[index]) & (self.regions[later] != region)
        return float(self.times[later][int(np.argmax(same))]) if same.any() else None

    def shown(self, item: int, region: int, moment: float, dark: Sequence[tuple[int, float, float]]) -> int | None:
        """The index of the write that a region shows of an item at a moment: the latest of those that have reached
        it. `dark` are (region, from, to)."""
        best: int | None = None
        for index in np.flatnonzero((self.items == item) & (self.times <= moment)):
            if self.regions[index] == region or self._reached(int(index), dark) <= moment:
                best = int(index)
        return best

    def _reached(self, index: int, dark: Sequence[tuple[int, float, float]]) -> float:
        """When a write reaches the other region: no region sends or takes anything while it is dark."""
        lag = float(self.lags[index])
        at = float(self.times[index]) + lag
        for _, begins, ends in sorted(dark, key=lambda one: one[1]):
            if float(self.times[index]) < ends and at >= begins:
                at = max(at, ends + lag)
        return at


def recovery_point(lost: Sequence[Lost], begins: float) -> float:
    """How many seconds before the outage the oldest lost write was made; 0 without any."""
    return max((begins - one.at_s for one in lost), default=0.0)
