"""Application Auto Scaling for DynamoDB, as AWS runs it beside Sereno and without: target tracking.

It reads CloudWatch's minutes as late as everybody does. Two minutes in a row above the target scale out, fifteen in a
row more than 20 points below it scale in, and a minimum above (or a maximum below) what is in force is followed at
once. https://repost.aws/knowledge-center/dynamodb-auto-scaling
https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html

AWS does not say whether what it changes of one table at one moment is one UpdateTable; here it is. A table that is
being changed is looked at again in the next minute.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from drills.metrics import MetricStore
from drills.table_updates import Lane, Refused, TableUpdates

MINUTE_S = 60
HIGH_MINUTES = 2
LOW_MINUTES = 15
LOW_POINTS = 0.20
NAMESPACE = "AWS/DynamoDB"
WHO = "auto scaling"


@dataclass(frozen=True, slots=True)
class Scaled:
    """A lane that Application Auto Scaling owns: its bounds (units), the use it tracks (a ratio; None: a scalable
    target without a policy, which only keeps the bounds), and its cooldowns (seconds)."""

    lane: Lane
    minimum: int
    maximum: int
    target: float | None = 0.7
    out_cooldown_s: float = 0.0
    in_cooldown_s: float = 0.0


@dataclass(slots=True)
class _Past:
    """When a lane was scaled last (epoch seconds)."""

    out: float = -math.inf
    inward: float = -math.inf


def wanted(one: Scaled, used: Sequence[float | None], units: int, *, out: bool = True, inward: bool = True) -> int:
    """The capacity that a lane should have. `used` are the units a second consumed in whole minutes, the newest last
    (None: nothing was published), `units` is the capacity in force; `out` and `inward` say whether the cooldowns
    are over."""
    bounded = min(max(units, one.minimum), one.maximum)
    if one.target is None or bounded != units:
        return bounded
    high, low = used[-HIGH_MINUTES:], used[-LOW_MINUTES:]
    if out and len(high) == HIGH_MINUTES and all(use is not None and use > one.target * units for use in high):
        return max(units, _within(one, (high[-1] or 0.0) / one.target))
    least = (one.target - LOW_POINTS) * units
    if inward and len(low) == LOW_MINUTES and all(use is not None and use < least for use in low):
        return min(units, _within(one, max(use or 0.0 for use in low) / one.target))
    return units


def _within(one: Scaled, units: float) -> int:
    return min(max(math.ceil(units), one.minimum), one.maximum)


class AutoScaling:
    """Watches the lanes that `scaled()` names at each look. Its changes go the way of every UpdateTable."""

    def __init__(self, scaled: Callable[[], Sequence[Scaled]], store: MetricStore, updates: TableUpdates) -> None:
        self._scaled = scaled
        self._store = store
        self._updates = updates
        self._past: dict[Lane, _Past] = {}

    def look(self, now: float) -> None:
        """Looks at every lane, and changes what must be changed: one call a table."""
        by_table: dict[str, dict[Lane, int]] = {}
        for one in self._scaled():
            table = one.lane[0]
            if self._updates.running(table) is None:
                self._collect(one, now, by_table.setdefault(table, {}))
        for table, changes in by_table.items():
            if changes:
                self._begin(table, changes, now)

    def _collect(self, one: Scaled, now: float, changes: dict[Lane, int]) -> None:
        units, past = self._updates.units(one.lane), self._past.setdefault(one.lane, _Past())
        value = wanted(
            one,
            self._used(one.lane, now),
            units,
            out=now - past.out >= one.out_cooldown_s,
            inward=now - max(past.out, past.inward) >= one.in_cooldown_s,
        )
        # A decrease over the day's limit would be refused, and an increase beside it too.
        if value > units or (value < units and self._updates.may_decrease(one.lane[0], one.lane[1], now)):
            changes[one.lane] = value

    def _begin(self, table: str, changes: dict[Lane, int], now: float) -> None:
        try:
            update = self._updates.begin(table, changes, now, by=WHO)
        except Refused:
            return  # as Application Auto Scaling does: the next look comes
        for lane, value in update.wanted.items():
            past = self._past[lane]
            if value > self._updates.units(lane):
                past.out = now
            else:
                past.inward = now

    def _used(self, lane: Lane, now: float) -> list[float | None]:
        """Units a second in the newest minutes that are visible, as many as a decision needs."""
        table, index, kind = lane
        where = {"TableName": table} if index is None else {"TableName": table, "GlobalSecondaryIndexName": index}
        end = now - now % MINUTE_S
        start = end - (LOW_MINUTES + HIGH_MINUTES) * MINUTE_S
        name = f"Consumed{kind.capitalize()}CapacityUnits"
        sums = self._store.read(NAMESPACE, name, where, "Sum", MINUTE_S, start, end, now)
        while sums and sums[-1] is None:
            sums.pop()
        return [None if one is None else one / MINUTE_S for one in sums]
