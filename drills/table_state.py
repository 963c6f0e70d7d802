"""A table or an index in use: its capacity, its burst credit, its partitions, and what they let through.

Each second is settled by itself. What a partition cannot take is throttled first, whatever the capacity; of the rest
is throttled what the capacity and the credit kept from quieter times do not cover.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from drills.buckets import Bucket
from drills.table_model import KINDS, NEW_ON_DEMAND, PARTITION_LIMIT, Billing, Kind

# Unused capacity of the last five minutes is kept for a burst.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/burst-adaptive-capacity.html
BURST_S = 300.0
# An on-demand table takes twice its previous peak at once; more than that within 30 minutes may be throttled.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html
PEAK_FACTOR = 2.0
PEAK_AGE_MIN = 30
NOTHING = 1e-9

# The middle of the metrics' names: ReadKeyRangeThroughputThrottleEvents and so on.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TroubleshootingThrottling-cloudwatch.html
Cause = Literal["KeyRangeThroughput", "ProvisionedThroughput"]
CAUSES: tuple[Cause, ...] = ("KeyRangeThroughput", "ProvisionedThroughput")


@dataclass(frozen=True, slots=True)
class Passage:
    """The parts (0-1) of one second's requests that pass: the partition of the hot key, the other partitions, and
    then the capacity. `mean` is the part of all that passes both."""

    hot: float = 1.0
    other: float = 1.0
    capacity: float = 1.0
    mean: float = 1.0


FREE = Passage()


@dataclass(slots=True)
class Meter:
    """Reads, or writes, of one table or index: its bucket, what is wanted of it and passes this second, and what was
    counted in this ten seconds (units, throttled calls) and this minute (units, calls, throttled calls by cause)."""

    key: str
    bucket: Bucket
    hot: float = 0.0
    other: float = 0.0
    passage: Passage = FREE
    unsettled: float = 0.0
    taken: float = 0.0
    throttled: int = 0
    minute_units: float = 0.0
    minute_calls: float = 0.0
    minute_causes: dict[Cause, int] = field(default_factory=dict)

    def want(self, hot: float, other: float) -> None:
        """More units are wanted in the second to come, of the hottest partition and of the others."""
        self.hot += hot
        self.other += other

    def consume(self, units: float, calls: float) -> None:
        """Counts what was let through."""
        self.unsettled += units
        self.taken += units
        self.minute_units += units
        self.minute_calls += calls

    def throttle(self, cause: Cause, calls: int) -> None:
        """Counts what was not."""
        self.throttled += calls
        self.minute_causes[cause] = self.minute_causes.get(cause, 0) + calls

    def settle(self, seconds: float) -> None:
        """So many seconds are over."""
        self.bucket.settle(self.unsettled, seconds)
        self.unsettled = self.hot = self.other = 0.0

    def rest(self) -> None:
        """Everything passes, until someone looks again."""
        self.passage = FREE

    def forget_minute(self) -> None:
        """A minute is published."""
        self.minute_units = self.minute_calls = 0.0
        self.minute_causes = {}


class Resource:
    """A table (`index` is None) or one of its indexes."""

    def __init__(
        self,
        table: str,
        index: str | None,
        capacity: tuple[float, float],
        billing: Billing,
        *,
        partitions: int,
        hot_share: float,
        cold: bool,
    ) -> None:
        self.table = table
        self.index = index
        self.billing = billing
        self.usual_hot_share = self.hot_share = hot_share
        self._data_partitions = partitions
        self._minutes: dict[Kind, deque[float]] = {kind: deque(maxlen=PEAK_AGE_MIN) for kind in KINDS}
        self._peaks: dict[Kind, float] = dict(zip(KINDS, capacity, strict=True))
        rates = [self._rate(kind, units) for kind, units in zip(KINDS, capacity, strict=True)]
        burst = self._burst_s
        self.meters: dict[Kind, Meter] = {
            kind: Meter(self.key, Bucket(rate, rate * burst, 0.0 if cold else rate * burst))
            for kind, rate in zip(KINDS, rates, strict=True)
        }
        self._spread()

    @property
    def key(self) -> str:
        """The table's name, and the index's behind a slash."""
        return self.table if self.index is None else f"{self.table}/{self.index}"

    @property
    def dimensions(self) -> dict[str, str]:
        """Under which CloudWatch keeps its metrics."""
        named = {"TableName": self.table}
        return named if self.index is None else {**named, "GlobalSecondaryIndexName": self.index}

    @property
    def capacity(self) -> tuple[float, float]:
        """Read and write units a second in force: as provisioned, or what an on-demand table takes at once."""
        return self.meters["read"].bucket.rate, self.meters["write"].bucket.rate

    @property
    def shortage(self) -> Cause:
        """What the metrics call it when the capacity does not suffice. An on-demand table knows no capacity: what it
        has not grown to yet is wanting in its partitions."""
        return "ProvisionedThroughput" if self.billing == "provisioned" else "KeyRangeThroughput"

    @property
    def _burst_s(self) -> float:
        return BURST_S if self.billing == "provisioned" else 0.0

    def _rate(self, kind: Kind, units: float) -> float:
        if self.billing == "provisioned":
            return float(units)
        return max(NEW_ON_DEMAND[kind], PEAK_FACTOR * units)

    def set_capacity(self, kind: Kind, units: float) -> None:
        """The new capacity, at once. Credit kept before stays, as far as the new capacity may keep it. Raises
        ValueError below 1, or on an on-demand table."""
        if self.billing != "provisioned":
            raise ValueError(f"{self.key}: an on-demand table has no {kind} capacity to set")
        if units < 1:
            raise ValueError(f"{self.key}: {kind} capacity {units} is below 1")
        bucket = self.meters[kind].bucket
        bucket.rate, bucket.most = float(units), units * BURST_S
        bucket.credit = min(bucket.credit, bucket.most)
        self._spread()

    def _spread(self) -> None:
        """Capacity brings partitions: as many as can take it. They are never joined again."""
        read, write = self.capacity
        needed = math.ceil(read / PARTITION_LIMIT["read"] + write / PARTITION_LIMIT["write"])
        self._data_partitions = max(self._data_partitions, needed)

    @property
    def hottest(self) -> float:
        """The part of requests (0-1) that meets the partition of the hottest key."""
        return self.hot_share + (1 - self.hot_share) / self._data_partitions

    def look_ahead(self, kind: Kind, part: float = 1.0) -> None:
        """Says what will pass in the next second of that `part` of the units wanted that comes here at all."""
        limit, meter = PARTITION_LIMIT[kind], self.meters[kind]
        hot, other = meter.hot * part, meter.other * part
        if hot + other <= NOTHING:
            meter.passage = FREE
            return
        of_hot = min(1.0, limit / hot) if hot > NOTHING else 1.0
        of_other = min(1.0, (self._data_partitions - 1) * limit / other) if other > NOTHING else 1.0
        within = hot * of_hot + other * of_other
        capacity = meter.bucket.pass_ratio(within)
        meter.passage = Passage(of_hot, of_other, capacity, within * capacity / (hot + other))

    def suffices(self, kind: Kind, wanted: list[float]) -> bool:
        """Whether the seconds to come, which want so many units each, all pass."""
        hot, limit, bucket = self.hottest, PARTITION_LIMIT[kind], self.meters[kind].bucket
        left = bucket.credit
        for units in wanted:
            left = min(left + bucket.rate, bucket.most + bucket.rate) - units
            if left < 0 or units * hot > limit or units * (1 - hot) > (self._data_partitions - 1) * limit + NOTHING:
                return False
        return True

    def end_minute(self, kind: Kind, units: float) -> None:
        """A minute is over in which `units` a second were consumed: an on-demand table remembers its peaks."""
        if self.billing == "provisioned":
            return
        minutes = self._minutes[kind]
        if len(minutes) == PEAK_AGE_MIN:
            self._peaks[kind] = max(self._peaks[kind], minutes[0])
            self.meters[kind].bucket.rate = self._rate(kind, self._peaks[kind])
            self._spread()
        minutes.append(units)
