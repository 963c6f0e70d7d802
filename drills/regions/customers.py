"""Customers on several continents: how many there are at an hour, and what becomes of their calls in a second. Pure.

Each call goes where the customer's resolver says, is tried again twice where trying helps, and is then served or
failed. One in ten is a write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from drills.regions.region import Condition

# A call is tried so often in all: the standard retry mode of the AWS SDKs, as in `drills.clients`.
TRIES = 3
WRITES = 0.1
# Round trips in milliseconds, typical between continents and these regions; other regions take those of the nearest.
TRIP_MS: Mapping[str, Mapping[str, float]] = {
    "europe": {"eu-west-1": 28.0, "eu-central-1": 24.0},
    "north-america": {"eu-west-1": 90.0, "eu-central-1": 102.0},
    "south-america": {"eu-west-1": 185.0, "eu-central-1": 200.0},
    "asia": {"eu-west-1": 190.0, "eu-central-1": 165.0},
}
USUAL_TRIP_MS = 120.0
# A catalogue call, the mean of techmoda's functions, and its spread.
CALL_MS, CALL_SIGMA = 150.0, 0.5
# What a second try costs: the wait for the first, and the pause before the next.
AGAIN_MS = 900.0


@dataclass(frozen=True, slots=True)
class Continent:
    """Where a part of the customers lives. `peak_utc` is the hour (UTC) of its busiest moment."""

    name: str
    share: float
    peak_utc: float


# A European shop with customers elsewhere; an assumption, as is the depth of the night.
CONTINENTS = (
    Continent("europe", 0.62, 18.0),
    Continent("north-america", 0.2, 24.5),
    Continent("south-america", 0.08, 23.0),
    Continent("asia", 0.1, 11.0),
)
NIGHT = 0.25


def rates(continents: Sequence[Continent], peak: float, hour_utc: float) -> NDArray[np.float64]:
    """Requests a second of each continent: a smooth day, with a quarter of the peak at its quietest. `peak` is what
    all would make if their busiest moments fell together."""
    angles = np.array([(hour_utc - one.peak_utc) / 24 * 2 * np.pi for one in continents])
    shape = NIGHT + (1 - NIGHT) * (1 + np.cos(angles)) / 2
    found: NDArray[np.float64] = np.array([one.share for one in continents]) * peak * shape
    return found


@dataclass
class Counts:
    """What became of the calls, second by second, and in all. `by_place` are the served of each region."""

    places: tuple[str, ...]
    offered: list[int] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    by_place: list[tuple[int, ...]] = field(default_factory=list)
    again: int = 0
    writes_refused: int = 0
    # Served calls by continent and place, well and slow: what the latency is drawn from.
    groups: dict[tuple[int, int, float], int] = field(default_factory=dict)

    @property
    def served(self) -> list[int]:
        return [sum(each) for each in self.by_place]


class Customers:
    """All of them, for the length of a drill."""

    def __init__(
        self,
        continents: Sequence[Continent],
        places: Sequence[str],
        peak: float,
        start_hour: float,
        rng: np.random.Generator,
    ) -> None:
        self.continents = tuple(continents)
        self.counts = Counts(tuple(places))
        self._peak, self._start_hour, self._rng = peak, start_hour, rng
        self._rates = rates(self.continents, peak, start_hour)
        self._rated = -60.0

    def second(
        self, at: float, shares: NDArray[np.float64], conditions: Sequence[Condition], reachable: Sequence[bool]
    ) -> list[int]:
        """One second of calls. `shares` is the part of each continent's customers that is sent to each place.
        Answers how many writes each place acknowledged."""
        if at - self._rated >= 60:
            self._rates, self._rated = rates(self.continents, self._peak, self._start_hour + at / 3600), at
        calls = self._rng.poisson(self._rates[:, None] * shares)
        counts = self.counts
        served, writes, failed = [], [], 0
        for place, condition in enumerate(conditions):
            column = calls[:, place]
            total = int(column.sum())
            kept, again = self._served(column, condition, reachable=reachable[place])
            good = int(kept.sum())
            served.append(good)
            failed += total - good
            counts.again += again
            writes.append(int(self._rng.binomial(good, WRITES)) if good else 0)
            if total > good:
                counts.writes_refused += int(self._rng.binomial(total - good, WRITES))
            for continent, count in enumerate(kept.tolist()):
                if count:
                    key = (continent, place, condition.slower)
                    counts.groups[key] = counts.groups.get(key, 0) + count
        counts.offered.append(int(calls.sum()))
        counts.failed.append(failed)
        counts.by_place.append(tuple(served))
        return writes

    def _served(
        self, column: NDArray[np.int64], condition: Condition, *, reachable: bool
    ) -> tuple[NDArray[np.int64], int]:
        """Of these calls, those that are served, and how many of them only when tried again."""
        if not reachable or condition.dark:
            return np.zeros_like(column), 0
        kept = column
        if condition.fails:
            kept = kept - self._rng.binomial(kept, condition.fails)
        if not condition.first_fails:
            return kept, 0
        lost = self._rng.binomial(kept, condition.first_fails**TRIES)
        first = self._rng.binomial(kept - lost, condition.first_fails)
        return kept - lost, int(first.sum())

    def latency_ms(self, percentile: float, drawn: int = 20_000) -> float | None:
        """What served customers waited, by percentile: drawn from each group as often as it was served."""
        counts = self.counts
        total = sum(counts.groups.values())
        if not total:
            return None
        rng = np.random.default_rng(20_26)
        samples = []
        for (continent, place, slower), count in sorted(counts.groups.items()):
            size = max(1, round(drawn * count / total))
            trips = TRIP_MS.get(self.continents[continent].name, {})
            trip = trips.get(counts.places[place], USUAL_TRIP_MS)
            mean = np.log(CALL_MS) - CALL_SIGMA**2 / 2
            samples.append(trip + slower * rng.lognormal(mean, CALL_SIGMA, size))
        every = np.concatenate(samples)
        again = min(len(every), round(drawn * counts.again / total))
        every[:again] += AGAIN_MS
        return float(np.percentile(every, percentile))
