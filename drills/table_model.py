"""A DynamoDB table as a drill describes it, and what one invocation asks of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Billing = Literal["provisioned", "on-demand"]
Kind = Literal["read", "write"]
KINDS: tuple[Kind, ...] = ("read", "write")

# What one partition takes, whatever the table's capacity; reads and writes are limited apart.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/throttling-key-range-limit-exceeded-mitigation.html
PARTITION_LIMIT: Mapping[Kind, float] = {"read": 3000.0, "write": 1000.0}
# What a new on-demand table takes at once (units a second).
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html
NEW_ON_DEMAND: Mapping[Kind, float] = {"read": 12_000.0, "write": 4_000.0}


@dataclass(frozen=True, slots=True)
class TableModel:
    """A table as the drill knows it. Raises ValueError for numbers out of range.

    `read` and `write` are its capacity in units a second, `indexes` the same for each global secondary index by
    name. An on-demand table takes twice its previous peak at once: there the numbers are that peak. Every write to
    the table is a write to each index (their projection holds all attributes).

    `partitions` are those the data has spread over (more appear with the capacity), `hot_share` is the part of
    requests (0-1) that goes to one key, `index_hot_share` the same for the keys of the indexes. A `cold` table has
    no burst credit when the drill begins.
    """

    name: str
    read: float
    write: float
    billing: Billing = "provisioned"
    indexes: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    partitions: int = 1
    hot_share: float = 0.0
    index_hot_share: Mapping[str, float] = field(default_factory=dict)
    cold: bool = False

    def __post_init__(self) -> None:
        capacities = (self.read, self.write, *(one for pair in self.indexes.values() for one in pair))
        if self.billing not in {"provisioned", "on-demand"}:
            raise ValueError(f"{self.name}: billing {self.billing!r} is neither provisioned nor on-demand")
        if min(capacities) < (1 if self.billing == "provisioned" else 0):
            raise ValueError(f"{self.name}: capacities of 1 unit a second or more are needed, not {min(capacities)}")
        if self.partitions < 1 or not all(0 <= one <= 1 for one in (self.hot_share, *self.index_hot_share.values())):
            raise ValueError(f"{self.name}: partitions >= 1 and hot shares 0..1 are needed")
        unknown = sorted(set(self.index_hot_share) - set(self.indexes))
        if unknown:
            raise ValueError(f"{self.name}: hot shares of unknown indexes {unknown}")


@dataclass(frozen=True, slots=True)
class Use:
    """What one invocation of a function asks of a table, or of one of its indexes.

    `read_units` and `write_units` are the mean capacity units of an invocation; `ratio` (0-1) is the part of
    invocations that make the call at all, so a call takes `read_units / ratio`. Where the ratios of a function's uses
    add up to 1 at most, an invocation makes one of the calls; otherwise it makes them in turn.

    `operation` is DynamoDB's name of the call, a dimension of its metrics; without one it is PutItem for a write,
    Query for a read of an index, and else GetItem. Writes go to the table: its indexes follow by themselves. Raises
    ValueError for numbers out of range.
    """

    table: str
    index: str | None = None
    read_units: float = 0.0
    write_units: float = 0.0
    ratio: float = 1.0
    operation: str = ""

    def __post_init__(self) -> None:
        if min(self.read_units, self.write_units) < 0 or self.read_units + self.write_units <= 0:
            raise ValueError(f"{self.table}: a use reads or writes some units")
        if not 0 < self.ratio <= 1:
            raise ValueError(f"{self.table}: ratio {self.ratio} is not within 0..1")
        if self.index is not None and self.write_units:
            raise ValueError(f"{self.table}: nobody writes to {self.index}: write to the table, its indexes follow")

    @property
    def called(self) -> str:
        """DynamoDB's name of the call."""
        if self.operation:
            return self.operation
        if self.write_units:
            return "PutItem"
        return "GetItem" if self.index is None else "Query"

    def units(self, kind: Kind) -> float:
        """Capacity units of one call."""
        return (self.read_units if kind == "read" else self.write_units) / self.ratio
