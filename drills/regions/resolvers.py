"""The resolvers of customers, by continent: who asks again when, and what it answers meanwhile.

Most keep to the time to live. Some keep an answer for longer, whatever the record says: of 8,524 resolvers that were
measured, 8.7 % did (https://ttl-violation-study.github.io). Small ones do so rather than large ones, so a smaller
part of the customers is assumed to stand behind them, and how long they keep an answer is assumed too. The time until
the last customers are served hangs on that, and a scenario may say otherwise (`resolvers`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# The time to live of every record on customers' way.
TTL_S = 20.0
# So many resolvers stand for those of a continent: honest ones, slow ones, stubborn ones.
HONEST, SLOW, STUBBORN = 40, 16, 8


@dataclass(frozen=True, slots=True)
class Habits:
    """Which part of the customers stands behind resolvers that overstay the time to live, and for how long they keep
    an answer (seconds, from and to)."""

    slow: float = 0.05
    slow_s: tuple[float, float] = (40.0, 80.0)
    stubborn: float = 0.005
    stubborn_s: tuple[float, float] = (120.0, 300.0)


class Resolvers:
    """All of them. `places` are where a name can lead to; an answer is an index into them."""

    def __init__(
        self, continents: Sequence[str], places: Sequence[str], habits: Habits, rng: np.random.Generator
    ) -> None:
        self.places = tuple(places)
        self._rng = rng
        each = HONEST + SLOW + STUBBORN
        kinds = np.array([0] * HONEST + [1] * SLOW + [2] * STUBBORN)
        shares = (1 - habits.slow - habits.stubborn, habits.slow, habits.stubborn)
        self.continent = np.repeat(np.arange(len(continents)), each)
        weights, keeps = [], []
        for _ in continents:
            for kind, (count, share) in enumerate(zip((HONEST, SLOW, STUBBORN), shares, strict=True)):
                drawn = rng.gamma(2.0, 1.0, count)
                weights.append(drawn / drawn.sum() * share)
                low, high = ((TTL_S, TTL_S), habits.slow_s, habits.stubborn_s)[kind]
                keeps.append(rng.uniform(low, high, count))
        self.kind = np.tile(kinds, len(continents))
        self.weight: NDArray[np.float64] = np.concatenate(weights)
        self.keep: NDArray[np.float64] = np.concatenate(keeps)
        self.answer = np.zeros(len(self.keep), dtype=np.int64)
        self._until = rng.uniform(0, 1, len(self.keep)) * self.keep
        self._settled = True

    def stirred(self, now: float) -> None:
        """What the name servers answer has changed: from now on each asks when its time is up. Who was left alone
        since has asked meanwhile, turn after turn, and was told the same."""
        if self._settled:
            late = self._until <= now
            self._until[late] += (np.floor((now - self._until[late]) / self.keep[late]) + 1) * self.keep[late]
        self._settled = False

    def advance(self, now: float, chances: Mapping[str, float]) -> bool:
        """Those whose time is up ask again; whether any answer may have changed. While all have the one answer there
        is, nobody needs to ask."""
        if self._settled:
            return False
        again = self._until <= now
        if again.any():
            ends = [self.places.index(place) for place in chances]
            if len(ends) == 1:
                self.answer[again] = ends[0]
            else:
                edges = np.cumsum(list(chances.values()))[:-1]
                drawn = np.searchsorted(edges, self._rng.random(int(again.sum())), side="right")
                self.answer[again] = np.array(ends)[drawn]
            self._until[again] += self.keep[again]
        if len(chances) == 1:
            (only,) = chances
            self._settled = bool((self.answer == self.places.index(only)).all())
        return True

    def shares(self, continents: int) -> NDArray[np.float64]:
        """The part of each continent's customers that is sent to each place: continents by places."""
        flat: NDArray[np.float64] = np.bincount(
            self.continent * len(self.places) + self.answer,
            weights=self.weight,
            minlength=continents * len(self.places),
        ).astype(np.float64)
        return flat.reshape(continents, len(self.places))
