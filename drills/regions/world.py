"""The world of a regional drill, second by second: regions, names and checks, resolvers, customers, a table.

There are two of them, from one seed: one with the switch of which Sereno knows, and one that has only the plain check
of the primary's health. Time is seconds since the drill's start. All pure: whoever moves traffic says so here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from drills.function_model import stream
from drills.regions.customers import CONTINENTS, Customers
from drills.regions.dns import (
    PATIENCE_S,
    PROMPT_S,
    Answer,
    Calculated,
    Check,
    Health,
    Look,
    MetricCheck,
    Records,
    Zone,
    weighted,
)
from drills.regions.region import CHECKERS, CUSTOMERS, Condition, Regions, Trouble
from drills.regions.replication import Journal
from drills.regions.resolvers import Habits, Resolvers

PLAIN, SWITCH, BOTH = "plain", "switch", "both"
# The secondary's: the standby answers, the primary does not, the hold is set; one of them is enough.
STANDBY_OK, PRIMARY_OUT, HOLD, SECONDARY = "standby", "primary-out", "hold", "secondary"
# As deploy.synth.switch has them: four looks at the switch, and two slow ones at all that the secondary depends on.
SWITCH_LOOKS, SLOW_S, SLOW_LOOKS = 4, 30.0, 2
METRIC_SWITCH = "metric-switch"
NAME, SHARES = "name", "shares"


@dataclass(frozen=True, slots=True)
class Place:
    """Which regions there are."""

    primary: str
    standby: str
    witness: str

    @property
    def serving(self) -> tuple[str, str]:
        """Those that customers can be sent to."""
        return self.primary, self.standby


@dataclass(frozen=True, slots=True)
class Move:
    """The name servers' answer for customers has changed: how likely each region is from then on."""

    at_s: float
    chances: Mapping[str, float]


@dataclass
class World:
    """One world. `switched` has the switch beside the plain check, and a check of the secondary record."""

    name: str
    seed: int
    place: Place
    troubles: tuple[Trouble, ...]
    peak: float
    start_hour: float
    habits: Habits = field(default_factory=Habits)
    switched: bool = True
    strategy: str = "health-switch"

    def __post_init__(self) -> None:
        self.regions = Regions((self.place.primary, self.place.standby, self.place.witness), self.troubles)
        self.second = 0
        self.moves: list[Move] = []
        self.journal = Journal(self._stream("writes"))
        self._object: list[tuple[float, bool]] = []
        self._hold: list[tuple[float, bool]] = []
        # What the standby published of the switch and of the hold, by minute.
        self._points: dict[str, dict[int, float]] = {SWITCH: {}, HOLD: {}}
        self._looks = self._stream("looks")
        self.health = Health(*self._checks(), self._stream("checks"), self._metrics())
        self.zone = Zone(self._records(), self._stream("zone"))
        names = [one.name for one in CONTINENTS]
        self.resolvers = Resolvers(names, self.place.serving, self.habits, self._stream("resolvers"))
        self.customers = Customers(
            CONTINENTS, self.place.serving, self.peak, self.start_hour, self._stream("customers")
        )
        self._chances = self._now_answered()
        self._shares = self.resolvers.shares(len(CONTINENTS))

    def _stream(self, what: str) -> np.random.Generator:
        """Both worlds draw the same, as long as they are alike."""
        return stream(self.seed, self.name, what)

    def _checks(self) -> tuple[list[tuple[Check, Look]], list[Calculated]]:
        plain = (Check(PLAIN, threshold=3), self._look_plain)
        if not self.switched:
            return [plain], [Calculated(BOTH, (PLAIN,), 1)]
        checks: list[tuple[Check, Look]] = [
            plain,
            (Check(STANDBY_OK, SLOW_S, SLOW_LOOKS), self._look_standby),
            (Check(PRIMARY_OUT, SLOW_S, SLOW_LOOKS, inverted=True, found=True), self._look_plain),
        ]
        if self.strategy != METRIC_SWITCH:
            checks.append((Check(SWITCH, threshold=SWITCH_LOOKS, inverted=True), self._look_switch))
            checks.append((Check(HOLD, SLOW_S, SLOW_LOOKS, found=False), self._look_hold))
        secondary = Calculated(SECONDARY, (STANDBY_OK, PRIMARY_OUT, HOLD), 1)
        return checks, [Calculated(BOTH, (PLAIN, SWITCH), 2), secondary]

    def _metrics(self) -> list[MetricCheck]:
        if not self.switched or self.strategy != METRIC_SWITCH:
            return []
        switch, held = self._points[SWITCH], self._points[HOLD]
        return [
            MetricCheck(SWITCH, switch.get),
            MetricCheck(HOLD, held.get, healthy_above=True, silent=False),
        ]

    def published(self, at: float, name: str, value: float) -> None:
        """The standby published a metric: SWITCH or HOLD. A minute counts by its highest point."""
        points, minute = self._points[name], int(at // 60)
        points[minute] = max(points.get(minute, 0.0), value)

    def _records(self) -> dict[str, Records]:
        primary, standby = self.place.serving
        return {
            NAME: Records(
                "failover",
                (Answer(SHARES, check=BOTH), Answer(standby, check=SECONDARY if self.switched else "")),
            ),
            SHARES: Records("weighted", (Answer(primary, 100), Answer(standby, 0))),
        }

    # -- what the health checkers find

    def _look_plain(self, _: str, at: float) -> tuple[bool, float]:
        """The primary's health, as its own health check tells it."""
        return self._look_at(self.place.primary, at)

    def _look_standby(self, _: str, at: float) -> tuple[bool, float]:
        return self._look_at(self.place.standby, at)

    def _look_at(self, region: str, at: float) -> tuple[bool, float]:
        condition = self.regions.at(region, at)
        if condition.dark or CHECKERS in condition.unseen_from:
            return False, PATIENCE_S
        if condition.down:
            return False, PROMPT_S
        return not condition.first_fails or float(self._looks.random()) >= condition.first_fails, PROMPT_S

    def _look_switch(self, _: str, at: float) -> tuple[bool, float]:
        """Whether the object is there: not found and not reached are one answer."""
        if not self.regions.reachable(self.place.standby, CHECKERS, at):
            return False, PATIENCE_S
        return self.object_there(at) and self.readable(at), PROMPT_S

    def _look_hold(self, _: str, at: float) -> tuple[bool, float]:
        if not self.regions.reachable(self.place.standby, CHECKERS, at):
            return False, PATIENCE_S
        return self.held(at) and self.readable(at), PROMPT_S

    def readable(self, at: float) -> bool:
        """Whether a public object of the standby's bucket can be read without credentials."""
        return not self.regions.at(self.place.standby, at).hidden

    def held(self, at: float) -> bool:
        """Whether the hold was set at a moment."""
        return next((there for since, there in reversed(self._hold) if since <= at), False)

    def hold(self, at: float, *, there: bool) -> None:
        """The hold was set or released."""
        self._hold.append((at, there))

    @property
    def holdings(self) -> list[tuple[float, bool]]:
        """When the hold was set (True) and released (False)."""
        return list(self._hold)

    def object_there(self, at: float) -> bool:
        """Whether the switch's object stood in the standby's bucket at a moment."""
        return next((there for since, there in reversed(self._object) if since <= at), False)

    # -- what others change

    def switch(self, at: float, *, there: bool) -> None:
        """The object was written or deleted."""
        self._object.append((at, there))

    def reweigh(self, at: float, weights: Mapping[str, int]) -> None:
        """The records of shares were changed by the control plane."""
        self.zone.change(SHARES, weighted(self.zone.records(SHARES), weights), at)

    @property
    def switchings(self) -> list[tuple[float, bool]]:
        """When the object was written (True) and deleted (False)."""
        return list(self._object)

    # -- the course of time

    def answered(self) -> Mapping[str, float]:
        """How likely each region is, for who asks the name servers now."""
        return self._chances

    def _now_answered(self) -> dict[str, float]:
        return self.zone.chances(NAME, self.health.known)

    def advance(self, until: float) -> None:
        """Every whole second up to a moment."""
        while self.second + 1 <= until:
            self._step(float(self.second))
            self.second += 1

    def _step(self, at: float) -> None:
        changed = self.health.advance(at)
        changed = self.zone.advance(at) or changed
        if changed:
            chances = self._now_answered()
            if chances != self._chances:
                self._chances = chances
                self.moves.append(Move(at, chances))
                self.resolvers.stirred(at)
        if self.resolvers.advance(at, self._chances):
            self._shares = self.resolvers.shares(len(CONTINENTS))
        middle = at + 0.5
        conditions = [self.regions.at(one, middle) for one in self.place.serving]
        reachable = [_reached(one) for one in conditions]
        written = self.customers.second(at, self._shares, conditions, reachable)
        for region, count in enumerate(written):
            self.journal.write(at, region, count)


def _reached(condition: Condition) -> bool:
    return not condition.dark and CUSTOMERS not in condition.unseen_from
